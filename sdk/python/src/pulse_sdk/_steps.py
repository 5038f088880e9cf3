"""Steps that a program names: trace, span, tool and session, as context managers and as decorators."""

from __future__ import annotations

import functools
import inspect
from contextvars import Token
from typing import Any, AsyncIterator, Callable, Dict, Generator, List, Optional, Tuple, TypeVar, Union, cast, overload

from . import _pulse
from ._log import never_raises
from ._span import INTERNAL, Scope, Span, current

F = TypeVar("F", bound=Callable[..., Any])


class Within:
    """Something that code can be within: ``with`` and ``async with`` around it, or a decorator on a function of any kind."""

    def __init__(self) -> None:
        self._tokens: List["Token[Scope]"] = []

    def _again(self) -> Within:
        """One of the same, for the next call of a decorated function."""
        raise NotImplementedError

    def _scope(self) -> Scope:
        """Begins, and gives what the code within belongs to."""
        raise NotImplementedError

    def _end(self, error: Optional[BaseException]) -> None:
        """Ends, by error or without."""

    def _called(self, fn: Callable[..., Any], args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> None:
        """Is told of the call that it was begun for."""

    def _returned(self, value: Any) -> None:
        """Is told what the call returned."""

    def _yielded(self, items: List[Any]) -> None:
        """Is told what the call yielded until it ended or was left."""

    def __enter__(self: W) -> W:
        self._tokens.append(current.set(self._scope()))
        return self

    def __exit__(self, _type: Any, error: Optional[BaseException], _traceback: Any) -> None:
        _reset(self._tokens.pop())
        self._end(error)

    async def __aenter__(self: W) -> W:
        return self.__enter__()

    async def __aexit__(self, type_: Any, error: Optional[BaseException], traceback: Any) -> None:
        self.__exit__(type_, error, traceback)

    def __call__(self, fn: F) -> F:
        for is_kind, wrap in _WRAPPERS:
            if is_kind(fn):
                return cast(F, functools.wraps(fn)(wrap(self, fn)))
        return cast(F, functools.wraps(fn)(_wrap_function(self, fn)))


W = TypeVar("W", bound=Within)


def _reset(token: "Token[Scope]") -> None:
    try:
        current.reset(token)
    except ValueError:
        pass  # left in another context than entered, which then ends with it


def _wrap_function(within: Within, fn: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        with within._again() as one:
            one._called(fn, args, kwargs)
            value = fn(*args, **kwargs)
            one._returned(value)
        return value

    return call


def _wrap_coroutine(within: Within, fn: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        with within._again() as one:
            one._called(fn, args, kwargs)
            value = await fn(*args, **kwargs)
            one._returned(value)
        return value

    return call


def _wrap_generator(within: Within, fn: Callable[..., Any]) -> Callable[..., Any]:
    """The generator's code runs within; what is between its yields is the caller's and does not."""

    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        one = within._again()
        yielded: List[Any] = []
        scope = one._scope()
        one._called(fn, args, kwargs)
        source = fn(*args, **kwargs)
        advance, argument = source.send, None
        try:
            while True:
                token = current.set(scope)
                try:
                    item = advance(argument)
                except StopIteration as stop:
                    one._yielded(yielded)
                    one._end(None)
                    return stop.value
                finally:
                    _reset(token)
                yielded.append(item)
                try:
                    advance, argument = source.send, (yield item)
                except GeneratorExit:
                    source.close()
                    raise
                except BaseException as thrown:
                    advance, argument = source.throw, thrown
        except GeneratorExit:
            one._yielded(yielded)
            one._end(None)
            raise
        except BaseException as error:
            one._end(error)
            raise

    return call


def _wrap_async_generator(within: Within, fn: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        one = within._again()
        yielded: List[Any] = []
        scope = one._scope()
        one._called(fn, args, kwargs)
        source = fn(*args, **kwargs)
        advance, argument = source.asend, None
        try:
            while True:
                token = current.set(scope)
                try:
                    item = await advance(argument)
                except StopAsyncIteration:
                    one._yielded(yielded)
                    one._end(None)
                    return
                finally:
                    _reset(token)
                yielded.append(item)
                try:
                    advance, argument = source.asend, (yield item)
                except GeneratorExit:
                    await source.aclose()
                    raise
                except BaseException as thrown:
                    advance, argument = source.athrow, thrown
        except GeneratorExit:
            one._yielded(yielded)
            one._end(None)
            raise
        except BaseException as error:
            one._end(error)
            raise

    return call


_WRAPPERS: Tuple[Tuple[Callable[[Any], bool], Callable[[Within, Callable[..., Any]], Callable[..., Any]]], ...] = (
    (inspect.iscoroutinefunction, _wrap_coroutine),
    (inspect.isasyncgenfunction, _wrap_async_generator),
    (inspect.isgeneratorfunction, _wrap_generator),
)


class Session(Within):
    """What belongs to one session."""

    def __init__(self, session_id: str) -> None:
        super().__init__()
        self._session_id = session_id

    def _again(self) -> Session:
        return Session(self._session_id)

    def _scope(self) -> Scope:
        return current.get()._replace(session_id=str(self._session_id or ""))


class Step(Within):
    """A span that the program names."""

    def __init__(self, name: str, kind: str, *, top: bool = False) -> None:
        super().__init__()
        self._name = name
        self._kind = kind
        self._top = top
        self._spans: List[Span] = []

    def _again(self) -> Step:
        return Step(self._name, self._kind, top=self._top)

    def _scope(self) -> Scope:
        above = current.get()
        if _pulse.get() is None:
            return above
        span = Span(self._name, INTERNAL, Scope(session_id=above.session_id) if self._top else above)
        span.attributes["pulse.kind"] = self._kind
        self._spans.append(span)
        self._begun(span)
        return above._replace(trace_id=span.trace_id, span_id=span.span_id)

    def _begun(self, span: Span) -> None:
        """Says what is known of the step at its start."""

    @never_raises
    def _end(self, error: Optional[BaseException]) -> None:
        if self._spans:
            span, pulse = self._spans.pop(), _pulse.get()
            if pulse is None:
                return
            if error is not None:
                span.fail(error, pulse.content.message)
            pulse.take(span)

    def _called(self, fn: Callable[..., Any], args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> None:
        arguments = _arguments(fn, args, kwargs)
        if arguments:
            self.set_input(arguments)

    def _returned(self, value: Any) -> None:
        if value is not None:
            self.set_output(value)

    def _yielded(self, items: List[Any]) -> None:
        self.set_output("".join(items) if items and all(isinstance(item, str) for item in items) else items)

    def set_input(self, value: Any) -> None:
        """Says what goes into the step: any value that JSON knows, or nearly."""
        self._set("input.value", value)

    def set_output(self, value: Any) -> None:
        """Says what comes out of the step."""
        self._set("output.value", value)

    @never_raises
    def _set(self, name: str, value: Any) -> None:
        pulse = _pulse.get()
        if pulse is not None and self._spans:
            self._spans[-1].attributes[name] = pulse.content.text_of(value)


class Tool(Step):
    """A step that is the run of a tool."""

    def __init__(self, name: str, call_id: Optional[str] = None) -> None:
        super().__init__(name, "tool_use")
        self._call_id = call_id

    def _again(self) -> Tool:
        return Tool(self._name, self._call_id)

    def _begun(self, span: Span) -> None:
        span.attributes["gen_ai.tool.name"] = self._name
        span.attributes["gen_ai.tool.call.id"] = self._call_id

    def set_input(self, value: Any) -> None:
        """Says what the tool was called with."""
        self._set("gen_ai.tool.call.arguments", value)

    def set_output(self, value: Any) -> None:
        """Says what the tool answered."""
        self._set("gen_ai.tool.call.result", value)


@never_raises
def _arguments(fn: Callable[..., Any], args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Dict[str, Any]:
    """A call's arguments by their names, without a method's object."""
    named = dict(inspect.signature(fn).bind(*args, **kwargs).arguments)
    first = next(iter(named), "")
    if first in ("self", "cls"):
        del named[first]
    return named


def _make(what: Union[str, Callable[..., Any]], make: Callable[[str], Step]) -> Any:
    """A step of that name, or the function as a step of its own name."""
    if isinstance(what, str):
        return make(what)
    return make(getattr(what, "__name__", type(what).__name__))(what)


@overload
def trace(name: F) -> F: ...
@overload
def trace(name: str, *, kind: str = "chain") -> Step: ...
def trace(name: Any, *, kind: str = "chain") -> Any:
    """A step that stands at the top: what runs within is one trace. ``@trace``, ``@trace("name")`` or ``with trace("name"):``."""
    return _make(name, lambda chosen: Step(chosen, kind, top=True))


@overload
def span(name: F) -> F: ...
@overload
def span(name: str, *, kind: str = "chain") -> Step: ...
def span(name: Any, *, kind: str = "chain") -> Any:
    """A step within what runs now. ``@span``, ``@span("name", kind="retrieval")`` or ``with span("name"):``."""
    return _make(name, lambda chosen: Step(chosen, kind))


@overload
def tool(name: F) -> F: ...
@overload
def tool(name: str, *, call_id: Optional[str] = None) -> Tool: ...
def tool(name: Any, *, call_id: Optional[str] = None) -> Any:
    """The run of a tool, with its arguments and its result. ``@tool``, ``@tool("name")``, or ``tool("name", call_id=id)(function)(arguments)``."""
    return _make(name, lambda chosen: Tool(chosen, call_id))


def session(session_id: str) -> Session:
    """What runs within belongs to a session. ``@session("id")`` or ``with session("id"):``."""
    return Session(session_id)


def propagate(fn: F) -> F:
    """Gives fn what runs now to belong to, for when a thread or a pool calls it: ``pool.submit(propagate(work), item)``."""
    scope = current.get()

    @functools.wraps(fn)
    def carried(*args: Any, **kwargs: Any) -> Any:
        token = current.set(scope)
        try:
            return fn(*args, **kwargs)
        finally:
            _reset(token)

    return cast(F, carried)
