"""Listens to what a stream yields, without changing what the program gets."""

from __future__ import annotations

import weakref
from typing import Any, AsyncIterator, Callable, Iterator, Optional

from . import _pulse
from ._calls import Call


class Tap:
    """An iterator in the place of another, sync or async.

    The program may leave a stream in the middle and come back to it, so a break only pauses it. The call ends when the stream ends, is closed,
    is forgotten, or is still paused at a flush.
    """

    def __init__(
        self, call: Call, source: Any, listen: Callable[[Any], None], instead_of: Optional[Tap] = None
    ) -> None:
        self._call = call
        call.answered = True  # from now on the end of this is the call's
        self._source = source
        self._listen = listen
        self.reading = False
        self._paused = False
        self._instead_of = instead_of  # lives as long as this, since a tap that dies ends the call
        _pulse.watch(self)

    def reads(self, source: Any) -> Tap:
        """Begins to read what was not there before."""
        self._source = source
        return self

    def __next__(self) -> Any:
        self.reading = True
        self._paused = False
        try:
            item = next(self._source)
        except StopIteration:
            self._call.end_stream()
            raise
        except BaseException as error:
            self._call.end_stream(error=error)
            raise
        finally:
            self.reading = False
        self._listen(item)
        return item

    def __iter__(self) -> Iterator[Any]:
        try:
            while True:
                try:
                    item = self.__next__()
                except StopIteration:
                    return
                yield item
        finally:
            self._paused = True

    async def __anext__(self) -> Any:
        self.reading = True
        self._paused = False
        try:
            item = await self._source.__anext__()
        except StopAsyncIteration:
            self._call.end_stream()
            raise
        except BaseException as error:
            self._call.end_stream(error=error)
            raise
        finally:
            self.reading = False
        self._listen(item)
        return item

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            while True:
                try:
                    item = await self.__anext__()
                except StopAsyncIteration:
                    return
                yield item
        finally:
            self._paused = True

    def close(self) -> None:
        """Says that the stream was closed. While it is being read, what the read ends with counts."""
        if not self.reading:
            self._call.end_stream(early=True)

    def leave(self, paused_only: bool) -> None:
        if self._paused or not paused_only:
            self._call.end_stream(early=True)

    def __del__(self) -> None:
        self._call.end_stream(early=True)


class Ear:
    """A client's decoder of server-sent events, whose events a call hears before the client makes anything else of them."""

    def __init__(self, decoder: Any, call: Call) -> None:
        self._decoder = decoder
        self._call = call

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decoder, name)

    def iter_bytes(self, source: Any) -> Iterator[Any]:
        return map(self._hear, self._decoder.iter_bytes(source))

    def iter(self, source: Any) -> Iterator[Any]:
        return map(self._hear, self._decoder.iter(source))

    async def aiter_bytes(self, source: Any) -> AsyncIterator[Any]:
        async for event in self._decoder.aiter_bytes(source):
            yield self._hear(event)

    async def aiter(self, source: Any) -> AsyncIterator[Any]:
        async for event in self._decoder.aiter(source):
            yield self._hear(event)

    def _hear(self, event: Any) -> Any:
        self._call.hear(event.data)
        return event


def end_with_close(response: Any, tap: Tap) -> None:
    """Tells tap when the HTTP response under a stream is closed: all of the clients' ways to close lead there."""
    close, aclose = getattr(response, "close", None), getattr(response, "aclose", None)
    known = weakref.ref(tap)

    def told() -> None:
        tap = known()
        if tap is not None:
            tap.close()

    def closed() -> Any:
        restore(response, "close", "aclose", "iter_bytes", "aiter_bytes")
        try:
            return close()  # type: ignore[misc]
        finally:
            told()

    async def aclosed() -> Any:
        restore(response, "close", "aclose", "iter_bytes", "aiter_bytes")
        try:
            return await aclose()  # type: ignore[misc]
        finally:
            told()

    response.close, response.aclose = closed, aclosed


def restore(thing: Any, *names: str) -> None:
    """Gives an object its class's methods back, so that it no longer holds itself by what stood in their place."""
    for name in names:
        vars(thing).pop(name, None)
