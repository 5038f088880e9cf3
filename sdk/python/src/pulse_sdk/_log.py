"""What the SDK says in the program's log, each thing once."""

from __future__ import annotations

import functools
import logging
from typing import Any, Callable, Optional, Set, TypeVar, cast

log = logging.getLogger("pulse_sdk")

_said: Set[str] = set()
F = TypeVar("F", bound=Callable[..., Any])


def warn_once(topic: str, message: str) -> None:
    """Warns of message unless topic was warned of before."""
    if topic not in _said:
        _said.add(topic)
        log.warning("Pulse: %s", message)


def never_raises(fn: F) -> F:
    """Makes fn answer None in place of raising: no fault of the SDK may reach the program."""

    @functools.wraps(fn)
    def guarded(*args: Any, **kwargs: Any) -> Optional[Any]:
        try:
            return fn(*args, **kwargs)
        except Exception as error:
            where = getattr(fn, "__qualname__", "the SDK")
            warn_once(f"fault in {where}", f"{where} went wrong, something is not recorded: {error!r}")
            return None

    return cast(F, guarded)
