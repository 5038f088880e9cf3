"""The names of PyPI's ``pulse-trace-sdk``, so that code written for it runs with only its import changed.

``from pulse_sdk import ...`` becomes ``from pulse_sdk.compat import ...``. New code takes the names of ``pulse_sdk`` itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Optional, TypedDict, TypeVar

from ._observe import Provider
from ._observe import observe as _observe
from ._pulse import flush as _flush
from ._pulse import init_pulse as _init_pulse
from ._pulse import shutdown as _shutdown

__all__ = [
    "ConfigError",
    "ObserveOptions",
    "Provider",
    "PulseConfig",
    "flush_buffer",
    "init_pulse",
    "observe",
    "shutdown",
]

Client = TypeVar("Client")


class ConfigError(ValueError):
    """What init_pulse raises for a configuration that cannot be."""


class PulseConfig(TypedDict, total=False):
    """What init_pulse takes. ``flush_interval`` is in milliseconds."""

    api_key: str
    api_url: str
    batch_size: int
    flush_interval: int
    enabled: bool


@dataclass
class ObserveOptions:
    """What is said of a client's calls that do not say it themselves."""

    session_id: Optional[str] = None
    metadata: Optional[Dict[str, Any]] = None


def init_pulse(config: PulseConfig) -> None:
    """Sets up as before: it raises ConfigError for what it raised it for, and has the same defaults."""
    key = config.get("api_key")
    if not key:
        raise ConfigError("Pulse SDK: api_key is required")
    if not key.startswith("pulse_sk_"):
        raise ConfigError("Pulse SDK: api_key must start with 'pulse_sk_'")
    batch_size = int(config.get("batch_size", 10))
    if not 1 <= batch_size <= 100:
        raise ConfigError("Pulse SDK: batch_size must be between 1 and 100")
    flush_interval = int(config.get("flush_interval", 5000))
    if flush_interval < 1000:
        raise ConfigError("Pulse SDK: flush_interval must be at least 1000ms")
    _init_pulse(
        api_key=key,
        api_url=config.get("api_url", "http://localhost:3000"),
        batch_size=batch_size,
        flush_interval=flush_interval / 1000,
        enabled=bool(config.get("enabled", True)),
    )


def observe(client: Client, provider: Provider, options: Optional[ObserveOptions] = None) -> Client:
    """Records the calls of a client, and gives the same client back."""
    if provider not in (Provider.OPENAI, Provider.OPENROUTER, Provider.ANTHROPIC):
        raise ValueError(f"Unsupported provider: {provider}")
    if options is None:
        return _observe(client, provider)
    return _observe(client, provider, session_id=options.session_id, metadata=options.metadata)


def flush_buffer() -> None:
    """Sends what waits."""
    _flush()


def shutdown() -> None:
    """Sends what waits, and records nothing any more."""
    _shutdown()
