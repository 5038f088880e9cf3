"""OpenAI's and Anthropic's clients, which one generator (Stainless) makes.

All of their calls, helpers and tool runners included, go through ``client.post``, which each resource keeps as ``_post``. There the request is
whole and the answer is read, so that is the one place where calls are recorded.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from typing import Any, Callable, Dict, Iterator, Optional, Set, Tuple

from ._calls import METADATA_NAMES, SESSION_NAMES, Call, Extras, Target, begin, take_extras
from ._log import never_raises
from ._tap import Ear, Tap, end_with_close, restore

MARK = "_pulse_observed"  # an attribute of what was observed

# The methods of resources that take pulse_session_id and pulse_metadata.
METHODS = ("create", "parse", "stream", "tool_runner", "run_tools")
NOT_SENT = ("NotGiven", "Omit")  # the clients' types for an argument that was not given
RAW = ("with_raw_response", "with_streaming_response")


def observe(client: Any, provider: str, defaults: Extras) -> None:
    """Records the calls of a client from now on, and those of the copies it makes of itself."""
    post = client.post
    recording = (
        _async_post(client, post, provider, defaults)
        if inspect.iscoroutinefunction(post)
        else _post(client, post, provider, defaults)
    )
    client.post = recording
    resources = list(_resources(client))
    for resource in resources:
        resource._post = recording
        _take_keywords(resource)
    for holder in (*resources, client):
        _renew_raw(holder)
    _take_keywords_of_later_resources(client)
    for name in ("copy", "with_options"):
        setattr(client, name, _observed_copy(getattr(client, name), provider, defaults))


def _observed_copy(copy: Callable[..., Any], provider: str, defaults: Extras) -> Callable[..., Any]:
    @functools.wraps(copy)
    def observed(*args: Any, **kwargs: Any) -> Any:
        from ._observe import observe_once

        return observe_once(copy(*args, **kwargs), provider, defaults)

    return observed


def _post(client: Any, post: Callable[..., Any], provider: str, defaults: Extras) -> Callable[..., Any]:
    @functools.wraps(post)
    def recording(path: str, **kwargs: Any) -> Any:
        call = _begin(client, path, kwargs, provider, defaults)
        if call is None:
            return post(path, **kwargs)
        with call:
            result = post(path, **kwargs)
        _listen(call, result)
        return result

    return recording


def _async_post(client: Any, post: Callable[..., Any], provider: str, defaults: Extras) -> Callable[..., Any]:
    @functools.wraps(post)
    async def recording(path: str, **kwargs: Any) -> Any:
        call = _begin(client, path, kwargs, provider, defaults)
        if call is None:
            return await post(path, **kwargs)
        with call:
            result = await post(path, **kwargs)
        _listen(call, result)
        return result

    return recording


@never_raises
def _begin(client: Any, path: str, kwargs: Dict[str, Any], provider: str, defaults: Extras) -> Optional[Call]:
    """Takes Pulse's part out of a request, whether or not it is recorded, and begins its call."""
    options = dict(kwargs.get("options") or {})
    extra = options.get("extra_json")
    extras = Extras()
    if isinstance(extra, dict) and any(name in extra for name in SESSION_NAMES + METADATA_NAMES):
        extra = dict(extra)
        extras = take_extras(extra)
        if extra:
            options["extra_json"] = extra
        else:
            del options["extra_json"]
        kwargs["options"] = options
    body = kwargs.get("body")
    if isinstance(body, dict):
        body = {
            name: value for name, value in {**body, **(extra or {})}.items() if type(value).__name__ not in NOT_SENT
        }
    base = getattr(client, "base_url", None)
    target = Target(provider, getattr(base, "host", ""), getattr(base, "port", None))
    call = begin(path, body, target, extras.over(defaults))
    parse = options.get("post_parser")
    if call is not None and callable(parse):
        # What parse makes of the answer is not what the provider said.
        kwargs["options"] = {**options, "post_parser": _kept_before(call, parse)}
    return call


def _kept_before(call: Call, parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def kept(answer: Any) -> Any:
        call.keep(answer)
        return parse(answer)

    return kept


def _listen(call: Call, result: Any) -> None:
    """Ends the call with a result, or sees to it that the end of a stream does."""
    if not _listens(call, result):
        call.end_stream()


@never_raises
def _listens(call: Call, result: Any) -> bool:
    raw = getattr(result, "http_response", None)
    if raw is not None:
        _listen_to_bytes(call, raw)
    elif hasattr(type(result), "__stream__"):
        _listen_to_events(call, result)
    else:
        call.succeed(result)
    return True


def _listen_to_events(call: Call, stream: Any) -> None:
    if hasattr(stream, "_decoder"):  # before the iterator, which some make of a copy
        stream._decoder = Ear(stream._decoder, call)
    tap = Tap(call, stream._iterator, call.event)
    stream._iterator = tap
    end_with_close(stream.response, tap)
    # Early helpers take the response, and read it with a stream of their own.
    _tap_bytes(
        stream.response,
        lambda source: source if tap.reading else Tap(call, source, _feeder(call, stream.response), instead_of=tap),
    )


def _listen_to_bytes(call: Call, response: Any) -> None:
    """Listens to an answer that the program reads by itself."""
    feed = _feeder(call, response)
    if response.is_closed:
        feed(response.content)
        call.end_stream()
        return
    tap = Tap(call, None, feed)
    end_with_close(response, tap)
    _tap_bytes(response, tap.reads)


def _feeder(call: Call, response: Any) -> Callable[[bytes], None]:
    return call.feed_events if "event-stream" in response.headers.get("content-type", "") else call.feed


def _tap_bytes(response: Any, tapped: Callable[[Any], Any]) -> None:
    """Puts what tapped makes of it in the place of whoever reads a response's bytes first."""
    iter_bytes, aiter_bytes = response.iter_bytes, response.aiter_bytes

    def read(source: Any) -> Any:
        tap = tapped(source)
        if tap is source:
            return source
        restore(response, "iter_bytes", "aiter_bytes")
        return tap.__aiter__() if hasattr(source, "__aiter__") else iter(tap)

    response.iter_bytes = lambda *args, **kwargs: read(iter_bytes(*args, **kwargs))
    response.aiter_bytes = lambda *args, **kwargs: read(aiter_bytes(*args, **kwargs))


def _resources(holder: Any, seen: Optional[Set[int]] = None) -> Iterator[Any]:
    """The resources that a client has made so far; later ones ask it for its post."""
    seen = set() if seen is None else seen
    for value in list(vars(holder).values()):
        if id(value) not in seen and hasattr(value, "_post") and hasattr(value, "_client"):
            seen.add(id(value))
            yield value
            yield from _resources(value, seen)


@never_raises
def _take_keywords(resource: Any) -> None:
    for name in METHODS:
        method = getattr(resource, name, None)
        if callable(method):
            setattr(resource, name, _keyword_taker(method))


def _take_keywords_of_later_resources(client: Any) -> None:
    """Clients make most resources when they are first used, and all of them begin in one of two classes."""
    packages = {one.__module__.split(".")[0] for one in type(client).__mro__}
    modules = [
        importlib.import_module(f"{package}._resource")
        for package in packages
        if f"{package}._base_client" in sys.modules
    ]
    for base in (getattr(module, name, None) for module in modules for name in ("SyncAPIResource", "AsyncAPIResource")):
        if base is not None and not hasattr(base.__init__, MARK):
            base.__init__ = _taking_if_observed(base.__init__)


def _taking_if_observed(init: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(init)
    def begun(resource: Any, client: Any, *args: Any, **kwargs: Any) -> None:
        init(resource, client, *args, **kwargs)
        if MARK in vars(client):
            _take_keywords(resource)

    setattr(begun, MARK, True)
    return begun


def _keyword_taker(method: Callable[..., Any]) -> Callable[..., Any]:
    """Lets method take Pulse's keywords. They travel in extra_body to where the request is made, and are taken out there."""
    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def taking_async(*args: Any, **kwargs: Any) -> Any:
            _move_keywords(kwargs)
            return await method(*args, **kwargs)

        return taking_async

    @functools.wraps(method)
    def taking(*args: Any, **kwargs: Any) -> Any:
        _move_keywords(kwargs)
        return method(*args, **kwargs)

    return taking


def _move_keywords(kwargs: Dict[str, Any]) -> None:
    ours: Tuple[str, ...] = tuple(name for name in SESSION_NAMES + METADATA_NAMES if name in kwargs)
    if ours:
        kwargs["extra_body"] = {**(kwargs.get("extra_body") or {}), **{name: kwargs.pop(name) for name in ours}}


def _renew_raw(resource: Any) -> None:
    """Makes what was made of a resource's methods anew from those that are there now."""
    for name in RAW:
        old = vars(resource).get(name)
        if old is not None:
            setattr(resource, name, type(old)(resource))
