"""A span while it is open, and as OTLP's JSON when it has ended."""

from __future__ import annotations

import json
import os
import time
import traceback
from contextvars import ContextVar
from typing import Any, Callable, Dict, List, NamedTuple, Optional

CLIENT, INTERNAL = 3, 1
STATUS_ERROR = 2


class Scope(NamedTuple):
    """What the code that runs now belongs to. Empty texts are none."""

    trace_id: str = ""
    span_id: str = ""
    session_id: str = ""


current: ContextVar[Scope] = ContextVar("pulse_scope", default=Scope())


class Span:
    """One open span. Its times come from one reading of the wall clock, so that setting the clock makes none negative."""

    def __init__(self, name: str, kind: int, above: Scope) -> None:
        self.name = name
        self.kind = kind
        # Read from the system each time: a generator of numbers would repeat itself in a forked child.
        self.trace_id = above.trace_id or os.urandom(16).hex()
        self.span_id = os.urandom(8).hex()
        self.parent_id = above.span_id
        self.attributes: Dict[str, Any] = {}
        self._error: Optional[Dict[str, Any]] = None
        self._ended: Optional[int] = None
        self._started = time.time_ns()
        self._mono = time.monotonic_ns()
        if above.session_id:
            self.attributes["session.id"] = above.session_id

    def now(self) -> int:
        """The time since the epoch, in nanoseconds."""
        return self._started + self.elapsed()

    def elapsed(self) -> int:
        """The time since the span's start, in nanoseconds."""
        return time.monotonic_ns() - self._mono

    def stop(self) -> None:
        """Says that the span ends now, although more will be said of it."""
        self._ended = self.now()

    def fail(self, error: BaseException, redacted: Callable[[str], str]) -> None:
        """Says that the error left the span. Of its texts, what redacted makes of them is sent."""
        kind = type(error).__name__
        message = redacted(_text(error))
        self.attributes["error.type"] = kind
        stack = redacted("".join(traceback.format_exception(type(error), error, error.__traceback__)))
        details = {"exception.type": kind, "exception.message": message, "exception.stacktrace": stack}
        self._error = {
            "message": message,
            "event": {"name": "exception", "timeUnixNano": str(self.now()), "attributes": _attributes(details)},
        }

    def encode(self) -> bytes:
        """Ends the span, and writes it as OTLP's JSON."""
        span: Dict[str, Any] = {"traceId": self.trace_id, "spanId": self.span_id}
        if self.parent_id:
            span["parentSpanId"] = self.parent_id
        span.update(
            name=self.name,
            kind=self.kind,
            startTimeUnixNano=str(self._started),
            endTimeUnixNano=str(self._ended or self.now()),
            attributes=_attributes(self.attributes),
        )
        if self._error:
            span["events"] = [self._error["event"]]
            span["status"] = {"code": STATUS_ERROR, "message": self._error["message"]}
        return encode(span)


def encode(value: Any) -> bytes:
    """Writes a value of OTLP as JSON. Half a surrogate pair, which UTF-8 has no place for, becomes a question mark."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def encode_resource(service_name: str, release: str, environment: str, version: str) -> bytes:
    """Writes what is said of all spans of a program."""
    attributes = {
        "service.name": service_name,
        "service.version": release,
        "deployment.environment.name": environment,
        "telemetry.sdk.name": "pulse",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.version": version,
    }
    return encode({"attributes": _attributes({name: value for name, value in attributes.items() if value})})


def _attributes(values: Dict[str, Any]) -> List[Dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in values.items() if value is not None]


def _value(value: Any) -> Dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    return {"stringValue": str(value)}


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return f"[{type(error).__name__} without a message]"
