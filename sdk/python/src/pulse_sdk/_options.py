"""The options of the SDK, from code and from the environment."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any, Callable, Mapping, NamedTuple, Optional, Tuple
from urllib.parse import urlsplit

from ._log import warn_once


class Invalid(ValueError):
    """A value that an option cannot have."""


class Option(NamedTuple):
    """How one option is read. ``kind`` is string, address, boolean, integer or seconds."""

    name: str
    env: Tuple[str, ...]
    kind: str
    default: Any
    least: float = 0
    most: float = float("inf")


OPTIONS = (
    Option("api_key", ("PULSE_API_KEY",), "string", ""),
    Option("api_url", ("PULSE_API_URL",), "address", "http://localhost:3000"),
    Option("enabled", ("PULSE_ENABLED",), "boolean", True),
    Option("service_name", ("PULSE_SERVICE_NAME", "OTEL_SERVICE_NAME"), "string", ""),
    Option("environment", ("PULSE_ENVIRONMENT",), "string", ""),
    Option("release", ("PULSE_RELEASE",), "string", ""),
    Option("batch_size", ("PULSE_BATCH_SIZE",), "integer", 100, 1, 1000),
    Option("batch_bytes", ("PULSE_BATCH_BYTES",), "integer", 1 << 20, 1024),
    Option("flush_interval", ("PULSE_FLUSH_INTERVAL",), "seconds", 5.0, 0.1),
    Option("queue_bytes", ("PULSE_QUEUE_BYTES",), "integer", 64 << 20, 1024),
    Option("timeout", ("PULSE_TIMEOUT",), "seconds", 10.0, 0.001),
    Option("flush_timeout", ("PULSE_FLUSH_TIMEOUT",), "seconds", 5.0, 0.001),
    Option("capture_content", ("PULSE_CAPTURE_CONTENT",), "boolean", True),
    Option("max_content_bytes", ("PULSE_MAX_CONTENT_BYTES",), "integer", 0),
    Option("hash_images", ("PULSE_HASH_IMAGES",), "boolean", False),
    Option("spill_directory", ("PULSE_SPILL_DIRECTORY",), "string", ""),
)
_ENABLED = next(option for option in OPTIONS if option.name == "enabled")

Redact = Callable[[Any], Any]


@dataclass(frozen=True)
class Options:
    """What was decided; docs/sdk.md tells what each is. Times are seconds."""

    api_key: str
    api_url: str
    enabled: bool
    service_name: str
    environment: str
    release: str
    batch_size: int
    batch_bytes: int
    flush_interval: float
    queue_bytes: int
    timeout: float
    flush_timeout: float
    capture_content: bool
    max_content_bytes: int
    hash_images: bool
    spill_directory: str
    redact: Optional[Redact] = None


def resolve(
    given: Mapping[str, Any], redact: Optional[Redact] = None, environ: Optional[Mapping[str, str]] = None
) -> Options:
    """Joins what the program gave (None is not given) with the environment. Never raises: what cannot be is warned of."""
    env = os.environ if environ is None else environ
    enabled = _value(_ENABLED, given.get("enabled"), env)
    values = {option.name: _value(option, given.get(option.name), env, enabled) for option in OPTIONS}
    if values["api_url"] is None:  # not the default, which could be another's
        values["api_url"], values["enabled"] = "", False
    values["api_url"] = values["api_url"].rstrip("/")
    if not _is_header(values["api_key"]):
        warn_once("option api_key", "api_key is none that HTTP can carry, so nothing is recorded")
        values["api_key"] = ""
    if redact is not None and not callable(redact):
        warn_once("option redact", "redact must be a function, so no content is sent")
        values["capture_content"], redact = False, None
    return Options(**values, redact=redact)


def _is_header(text: str) -> bool:
    """Whether HTTP can carry a text in a header."""
    return text.isascii() and text.isprintable()


def _value(option: Option, given: Any, env: Mapping[str, str], enabled: bool = True) -> Any:
    try:
        if given is not None:
            name, in_code = option.name, True
            return _given(option, given)
        for name in option.env:
            if env.get(name):
                in_code = False
                return _from_text(option, env[name])
    except (ValueError, TypeError, OverflowError):
        if option.kind == "address":
            if enabled:
                warn_once(f"option {name}", f"{name} is {_wanted(option, in_code)}: nothing is recorded")
            return None
        default = option.default if in_code or option.kind != "seconds" else int(option.default * 1000)
        warn_once(f"option {name}", f"{name} is {_wanted(option, in_code)}; {default} is used")
    return option.default


def _wanted(option: Option, in_code: bool) -> str:
    """What a value is not that an option cannot have."""
    if option.kind == "address":
        return "no address such as http://host[:port] or https://host[:port]"
    if option.kind == "string":
        return "not a text"
    if option.kind == "boolean":
        return "not True or False" if in_code else "not true, false, 1 or 0"
    least, what = option.least, "a whole number"
    if option.kind == "seconds" and in_code:
        what = "a number of seconds"
    elif option.kind == "seconds":
        least, what = round(option.least * 1000), "a whole number of milliseconds"
    return f"not {what} from {least}" + ("" if option.most == float("inf") else f" to {option.most}")


def _is_address(text: str) -> bool:
    """Whether spans can be sent below an address."""
    if re.search(r"[\s?#]", text):
        return False
    parts = urlsplit(text)  # raises ValueError, as its port does
    return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != -1


def _given(option: Option, value: Any) -> Any:
    if option.kind == "boolean":
        if not isinstance(value, bool):
            raise Invalid
        return value
    if option.kind in ("string", "address"):
        if not isinstance(value, str):
            raise Invalid
        return _from_text(option, value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Invalid
    return _number(option, value)


def _from_text(option: Option, text: str) -> Any:
    if option.kind == "string":
        return text
    if option.kind == "address":
        if not _is_address(text):
            raise Invalid
        return text
    if option.kind == "boolean":
        try:
            return {"true": True, "1": True, "false": False, "0": False}[text.strip().lower()]
        except KeyError:
            raise Invalid from None
    if option.kind == "seconds":
        return _number(option, int(text) / 1000)
    return _number(option, int(text))


def _number(option: Option, value: float) -> float:
    if not option.least <= value <= option.most:
        raise Invalid
    if option.kind == "seconds":
        return float(value)
    if value != int(value):
        raise Invalid
    return int(value)
