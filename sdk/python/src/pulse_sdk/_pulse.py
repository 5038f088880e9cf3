"""The one Pulse of a program: what was set up, and what ends with the program."""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import sys
import threading
import time
import weakref
from typing import Any, Callable, List, Optional, Protocol

from ._content import Content
from ._log import never_raises, warn_once
from ._options import Options, Redact, resolve
from ._span import Span
from ._transport import Stats, Transport


class Pulse:
    """Takes what ended, and sends it."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.content = Content(options)
        self.transport = Transport(options)

    def take(self, span: Span) -> None:
        self.take_bytes(span.encode())

    def take_later(self, size: int, make: Callable[[], bytes]) -> None:
        """Takes what make gives of about so many bytes, which the program need not wait for."""
        if self.transport.keeps_files:  # for a crash
            self.take_bytes(make())
        elif not self.transport.add_later(size, make) and _pulse is not None:
            _pulse.transport.add_later(size, make)

    def take_bytes(self, span: bytes) -> None:
        """Takes a span that is written. One that began before another Pulse took this one's place is the other's."""
        if not self.transport.add(span) and _pulse is not None:
            _pulse.transport.add(span)


class Unfinished(Protocol):
    """A call that may have no answer, or a stream that may never be read to its end."""

    def leave(self, paused_only: bool) -> None:
        """Ends its span if the program has left it, or in any case."""


_pulse: Optional[Pulse] = None
_latest: Optional[Pulse] = None  # also after shutdown, to be asked for its stats
_before: List[Pulse] = []  # set up earlier, with something that may still wait
_lock = threading.RLock()
_unfinished: "weakref.WeakSet[Any]" = weakref.WeakSet()
_hooked = False


def init_pulse(
    *,
    api_key: Optional[str] = None,
    api_url: Optional[str] = None,
    enabled: Optional[bool] = None,
    service_name: Optional[str] = None,
    environment: Optional[str] = None,
    release: Optional[str] = None,
    batch_size: Optional[int] = None,
    batch_bytes: Optional[int] = None,
    flush_interval: Optional[float] = None,
    queue_bytes: Optional[int] = None,
    timeout: Optional[float] = None,
    flush_timeout: Optional[float] = None,
    capture_content: Optional[bool] = None,
    max_content_bytes: Optional[int] = None,
    hash_images: Optional[bool] = None,
    redact: Optional[Redact] = None,
    spill_directory: Optional[str] = None,
) -> None:
    """Sets up where spans go. Times are seconds; None takes the environment's value, or the default.

    May be called before or after observe. A second call with the same options does nothing; with others it takes the place of the first, whose
    spans are still sent. Never raises: what is wrong with the options is warned of, and without an API key nothing is recorded.
    """
    given = dict(locals())
    _set_up(resolve(given, given.pop("redact")))


@never_raises
def _set_up(options: Options) -> None:
    global _pulse, _latest
    with _lock:
        if _pulse is not None and _pulse.options == options:
            return
        if _pulse is not None:
            _pulse.transport.close()
            _before.append(_pulse)
            _pulse = None
        if not options.enabled:
            return
        if not options.api_key:
            warn_once("option api_key", "there is no api_key (PULSE_API_KEY), so nothing is recorded")
            return
        _pulse = _latest = Pulse(options)
        _hook_into_the_end()
        _pulse.transport.start()


def get() -> Optional[Pulse]:
    """The Pulse to record with, or None to record nothing."""
    return _pulse


def watch(unfinished: Unfinished) -> None:
    """Remembers a call or a stream, so that its span does not go missing if nobody ends it."""
    with _lock:
        _unfinished.add(unfinished)


def flush(timeout: Optional[float] = None) -> bool:
    """Sends what has ended, and waits for it at most timeout seconds (flush_timeout). Tells whether all of it was taken or refused."""
    return bool(_flush(timeout, paused_only=True))


@never_raises
def _flush(timeout: Optional[float], paused_only: bool) -> bool:
    with _lock:
        streams = list(_unfinished)
    for stream in streams:
        stream.leave(paused_only)
    all_of_them = [*_before, *([_pulse] if _pulse else [])]
    if timeout is None:
        timeout = max((pulse.options.flush_timeout for pulse in all_of_them), default=0.0)
    deadline = time.monotonic() + timeout
    done = True
    for pulse in all_of_them:
        done &= pulse.transport.flush(max(deadline - time.monotonic(), 0.0))
    _before[:] = [pulse for pulse in _before if pulse.transport.stats().queued]
    return done


@never_raises
def _end() -> None:
    """Sends what waits when the program ends, and tells what is left."""
    _flush(None, paused_only=False)
    for pulse in [*_before, *([_pulse] if _pulse else [])]:
        pulse.transport.warn_of_unsent()


async def flush_async(timeout: Optional[float] = None) -> bool:
    """As flush, without holding up the event loop."""
    return await asyncio.get_running_loop().run_in_executor(None, flush, timeout)


def shutdown(timeout: Optional[float] = None) -> bool:
    """Flushes, then records nothing any more until init_pulse is called again."""
    global _pulse
    done = bool(_flush(timeout, paused_only=False))
    with _lock:
        if _pulse is not None:
            _pulse.transport.close()
            _before.append(_pulse)
            _pulse = None
    return done


def stats() -> Stats:
    """What became of the spans since init_pulse. All zero when nothing is recorded."""
    return _latest.transport.stats() if _latest else Stats(0, 0, 0, 0, 0)


def _hook_into_the_end() -> None:
    global _hooked
    if not _hooked:
        _hooked = True
        atexit.register(_end)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_start_anew)
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)


def _on_sigterm(number: int, _frame: Any) -> None:
    """Sends what waits, then lets the signal do what it does without the SDK."""
    _end()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


@never_raises
def _start_anew() -> None:
    """A forked child sends its own spans only: what waited is its parent's, and threads are not forked."""
    global _lock
    _lock = threading.RLock()
    _before.clear()
    _unfinished.clear()
    if _pulse is not None:
        _pulse.transport.reset()
    util = sys.modules.get("multiprocessing.util")
    if util is not None:  # its children leave without atexit
        util.register_after_fork(_flush, _flush_at_end_of_multiprocessing)


def _flush_at_end_of_multiprocessing(_: Any) -> None:
    from multiprocessing.util import Finalize

    Finalize(None, _end, exitpriority=0)
