"""Code that was written for pulse-trace-sdk."""

from __future__ import annotations

import json
from typing import Any, cast

import anthropic
import openai
import pytest
from conftest import Providers, Sink

from pulse_sdk.compat import (
    ConfigError,
    ObserveOptions,
    Provider,
    PulseConfig,
    flush_buffer,
    init_pulse,
    observe,
    shutdown,
)


@pytest.fixture
def place() -> "Sink":
    return Sink()


def test_as_before(place: Sink, providers: Providers) -> None:
    init_pulse({"api_key": "pulse_sk_test", "api_url": place.url, "batch_size": 10, "flush_interval": 5000})
    client = observe(
        openai.OpenAI(api_key="none", base_url=providers.url + "/v1"),
        Provider.OPENAI,
        ObserveOptions(session_id="s", metadata={"a": 1}),
    )
    create = cast("Any", client).chat.completions.create
    create(model="m", messages=[{"role": "user", "content": "Hi"}], pulse_session_id="own", pulse_metadata={"b": 2})
    create(model="m", messages=[{"role": "user", "content": "Hi"}], pulseMetadata={"a": 3})
    other = observe(anthropic.Anthropic(api_key="none", base_url=providers.url), Provider.ANTHROPIC)
    other.messages.create(model="c", max_tokens=9, messages=[{"role": "user", "content": "Hi"}])
    flush_buffer()
    first, second, third = (span["attributes"] for span in place.spans())
    assert first["session.id"] == "own" and json.loads(first["pulse.metadata"]) == {"a": 1, "b": 2}
    assert second["session.id"] == "s" and json.loads(second["pulse.metadata"]) == {"a": 3}
    assert third["gen_ai.provider.name"] == "anthropic"
    shutdown()
    create(model="m", messages=[{"role": "user", "content": "Hi"}])
    flush_buffer()
    assert len(place.spans()) == 3
    assert "pulse" not in json.dumps([call["request"] for call in providers.calls()])


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"api_key": "sk"},
        {"api_key": "pulse_sk_x", "batch_size": 0},
        {"api_key": "pulse_sk_x", "batch_size": 101},
        {"api_key": "pulse_sk_x", "flush_interval": 10},
    ],
)
def test_what_was_refused(config: PulseConfig) -> None:
    with pytest.raises(ConfigError, match="Pulse SDK: "):
        init_pulse(config)


def test_provider_that_was_not_there() -> None:
    with pytest.raises(ValueError, match="Unsupported provider"):
        observe(object(), Provider.GOOGLE)
