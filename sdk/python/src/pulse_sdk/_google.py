"""Google's client (google-genai). All of its calls go through one object, whose requests are what is on the wire."""

from __future__ import annotations

import copy
import functools
import inspect
import sys
from contextvars import ContextVar
from typing import Any, AsyncIterator, Callable, Dict, Iterator, Optional
from urllib.parse import urlsplit

from ._calls import METADATA_NAMES, SESSION_NAMES, Call, Extras, Target, begin, read_json, take_extras
from ._log import never_raises
from ._tap import Tap

# The methods of models and chats that take pulse_session_id and pulse_metadata.
METHODS = ("generate_content", "generate_content_stream", "embed_content")
CHAT_METHODS = ("send_message", "send_message_stream")

_extras: ContextVar[Extras] = ContextVar("pulse_google_extras", default=Extras())


def observe(client: Any, provider: str, defaults: Extras) -> None:
    """Records the calls of a client from now on."""
    api = client._api_client
    target = _target(api, provider)
    api.request = _request(api.request, target, defaults)
    api.async_request = _async_request(api.async_request, target, defaults)
    api.request_streamed = _request_streamed(api.request_streamed, target, defaults)
    api.async_request_streamed = _async_request_streamed(api.async_request_streamed, target, defaults)
    for models in (client.models, client.aio.models):
        _take_keywords(models, METHODS)
    # A chat is made by the class, so its methods take the keywords there: without them they are what they were.
    chats = sys.modules.get("google.genai.chats")
    for chat in (getattr(chats, "Chat", None), getattr(chats, "AsyncChat", None)):
        if chat is not None:
            _take_keywords(chat, CHAT_METHODS)


def _target(api: Any, provider: str) -> Target:
    try:
        options = api._http_options
        url = urlsplit(options["base_url"] if isinstance(options, dict) else options.base_url)
        return Target(provider, url.hostname or "", url.port)
    except Exception:
        return Target(provider)


@never_raises
def _begin(arguments: inspect.BoundArguments, target: Target, defaults: Extras) -> Optional[Call]:
    given = arguments.arguments
    if str(given.get("http_method", "")).lower() != "post":
        return None
    body = given.get("request_dict")
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if not name.startswith("_")}
    return begin(str(given["path"]), body, target, _extras.get().over(defaults))


def _beginner(method: Callable[..., Any], target: Target, defaults: Extras) -> Callable[..., Optional[Call]]:
    signature = inspect.signature(method)

    def start(*args: Any, **kwargs: Any) -> Optional[Call]:
        try:
            return _begin(signature.bind(*args, **kwargs), target, defaults)
        except TypeError:
            return None  # the method itself will say what is wrong

    return start


def _copied(answer: Any) -> Any:
    """An older client's answer. It is copied, since they change what they have read."""
    return copy.deepcopy(answer) if isinstance(answer, dict) else None


@never_raises
def _succeed(call: Call, answer: Any) -> None:
    text = getattr(answer, "body", None)
    call.succeed(read_json(text) if isinstance(text, str) else _copied(answer))


def _listener(call: Call) -> Callable[[Any], None]:
    @never_raises
    def listen(chunk: Any) -> None:
        text = getattr(chunk, "body", None)
        if isinstance(text, str):
            call.hear(text)
        else:
            call.event(_copied(chunk))

    return listen


def _request(request: Callable[..., Any], target: Target, defaults: Extras) -> Callable[..., Any]:
    start = _beginner(request, target, defaults)

    @functools.wraps(request)
    def recording(*args: Any, **kwargs: Any) -> Any:
        call = start(*args, **kwargs)
        if call is None:
            return request(*args, **kwargs)
        with call:
            answer = request(*args, **kwargs)
        _succeed(call, answer)
        return answer

    return recording


def _async_request(request: Callable[..., Any], target: Target, defaults: Extras) -> Callable[..., Any]:
    start = _beginner(request, target, defaults)

    @functools.wraps(request)
    async def recording(*args: Any, **kwargs: Any) -> Any:
        call = start(*args, **kwargs)
        if call is None:
            return await request(*args, **kwargs)
        with call:
            answer = await request(*args, **kwargs)
        _succeed(call, answer)
        return answer

    return recording


def _request_streamed(request: Callable[..., Any], target: Target, defaults: Extras) -> Callable[..., Any]:
    start = _beginner(request, target, defaults)

    @functools.wraps(request)
    def recording(*args: Any, **kwargs: Any) -> Iterator[Any]:
        call = start(*args, **kwargs)
        source = request(*args, **kwargs)
        if call is None:
            yield from source
            return
        tap = Tap(call, source, _listener(call))
        try:
            yield from tap
        finally:
            tap.close()

    return recording


def _async_request_streamed(request: Callable[..., Any], target: Target, defaults: Extras) -> Callable[..., Any]:
    start = _beginner(request, target, defaults)

    @functools.wraps(request)
    async def recording(*args: Any, **kwargs: Any) -> Any:
        call = start(*args, **kwargs)
        if call is None:
            return await request(*args, **kwargs)
        with call:
            source = await request(*args, **kwargs)
        return Tap(call, source.__aiter__(), _listener(call)).__aiter__()

    return recording


def _take_keywords(holder: Any, names: Any) -> None:
    for name in names:
        method = getattr(holder, name, None)
        if method is not None and not hasattr(method, "_pulse_takes_keywords"):
            taker = _keyword_taker(method)
            taker._pulse_takes_keywords = True  # type: ignore[attr-defined]
            setattr(holder, name, taker)


def _keyword_taker(method: Callable[..., Any]) -> Callable[..., Any]:
    """Lets method take Pulse's keywords. What it does while it runs finds them in the context, and so does each step of its stream."""
    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def taking_async(*args: Any, **kwargs: Any) -> Any:
            extras = _take(kwargs)
            token = _extras.set(extras)
            try:
                result = await method(*args, **kwargs)
            finally:
                _extras.reset(token)
            return _with_extras_async(result, extras) if inspect.isasyncgen(result) and extras != Extras() else result

        return taking_async

    if inspect.isasyncgenfunction(method):

        @functools.wraps(method)
        def taking_generator_async(*args: Any, **kwargs: Any) -> Any:
            extras = _take(kwargs)
            return _with_extras_async(method(*args, **kwargs), extras)

        return taking_generator_async

    @functools.wraps(method)
    def taking(*args: Any, **kwargs: Any) -> Any:
        extras = _take(kwargs)
        token = _extras.set(extras)
        try:
            result = method(*args, **kwargs)
        finally:
            _extras.reset(token)
        return _with_extras(result, extras) if inspect.isgenerator(result) and extras != Extras() else result

    return taking


def _take(kwargs: Dict[str, Any]) -> Extras:
    """Pulse's keywords of a call; a call without them is one within another, such as a chat's."""
    if any(name in kwargs for name in SESSION_NAMES + METADATA_NAMES):
        return take_extras(kwargs)
    return _extras.get()


def _with_extras(source: Iterator[Any], extras: Extras) -> Iterator[Any]:
    while True:
        token = _extras.set(extras)
        try:
            item = next(source)
        except StopIteration:
            return
        finally:
            _extras.reset(token)
        yield item


async def _with_extras_async(source: AsyncIterator[Any], extras: Extras) -> AsyncIterator[Any]:
    while True:
        token = _extras.set(extras)
        try:
            item = await source.__anext__()
        except StopAsyncIteration:
            return
        finally:
            _extras.reset(token)
        yield item
