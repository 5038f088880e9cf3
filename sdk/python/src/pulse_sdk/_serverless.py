"""For functions that are frozen as soon as they have answered."""

from __future__ import annotations

import functools
import inspect
from typing import Any, Callable, TypeVar, cast

from ._pulse import flush, flush_async

F = TypeVar("F", bound=Callable[..., Any])


def serverless(handler: F) -> F:
    """Flushes before the handler's answer leaves, since what still waits after that may never be sent."""
    if inspect.iscoroutinefunction(handler):

        @functools.wraps(handler)
        async def flushing_async(*args: Any, **kwargs: Any) -> Any:
            try:
                return await handler(*args, **kwargs)
            finally:
                await flush_async()

        return cast(F, flushing_async)

    @functools.wraps(handler)
    def flushing(*args: Any, **kwargs: Any) -> Any:
        try:
            return handler(*args, **kwargs)
        finally:
            flush()

    return cast(F, flushing)
