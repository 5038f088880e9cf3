"""One way to use sync and async clients, so that each test is written once."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Callable, Dict, List

from conftest import Providers

from pulse_sdk import Provider, observe


class Sync:
    """Makes calls, reads streams and closes them the sync way."""

    is_async = False

    def __init__(self, providers: Providers, provider: Provider) -> None:
        self.client: Any = observe(self.make(providers), provider)

    def make(self, providers: Providers) -> Any:
        raise NotImplementedError

    def call(self, method: Callable[..., Any], **kwargs: Any) -> Any:
        return method(**kwargs)

    def read(self, stream: Any, most: int = 10**6) -> List[Any]:
        items = []
        for item in stream:
            items.append(item)
            if len(items) == most:
                break
        return items

    def next(self, stream: Any) -> Any:
        return next(stream)

    def close(self, stream: Any) -> None:
        stream.close()

    def managed(self, manager: Any, use: Callable[[Any], Any]) -> Any:
        with manager as entered:
            return use(entered)

    def value(self, value: Any) -> Any:
        return value


class Async(Sync):
    """The same, in one event loop."""

    is_async = True

    def __init__(self, providers: Providers, provider: Provider) -> None:
        self.loop = asyncio.new_event_loop()
        super().__init__(providers, provider)

    def run(self, awaitable: Any) -> Any:
        async def settle() -> Any:
            value = await awaitable
            await asyncio.sleep(0.01)  # asyncio closes forgotten generators a little later
            return value

        return self.loop.run_until_complete(settle())

    def call(self, method: Callable[..., Any], **kwargs: Any) -> Any:
        return self.run(method(**kwargs))

    def read(self, stream: Any, most: int = 10**6) -> List[Any]:
        async def read() -> List[Any]:
            items = []
            async for item in stream:
                items.append(item)
                if len(items) == most:
                    break
            return items

        return list(self.run(read()))

    def next(self, stream: Any) -> Any:
        return self.run(stream.__anext__())

    def close(self, stream: Any) -> None:
        self.run(stream.close())

    def managed(self, manager: Any, use: Callable[[Any], Any]) -> Any:
        entered = self.run(manager.__aenter__())
        try:
            return use(entered)
        finally:
            self.run(manager.__aexit__(None, None, None))

    def value(self, value: Any) -> Any:
        return self.run(value)


def body(span: Dict[str, Any], name: str = "pulse.response") -> Any:
    return json.loads(span["attributes"][name])
