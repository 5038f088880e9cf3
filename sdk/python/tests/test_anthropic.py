"""Anthropic's client, sync and async, of the newest and the oldest version."""

from __future__ import annotations

import json
from typing import Any, Dict

import anthropic
import pytest
from conftest import Providers, Sink
from kits import Async, Sync, body

from pulse_sdk import Provider

EXTRAS: Dict[str, Any] = {"pulse_session_id": "s-1", "pulse_metadata": {"user_id": 7}}
OLD = anthropic.__version__.startswith("0.30.")
TOOLS = [
    {
        "name": "get_weather",
        "description": "",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
    }
]


class SyncAnthropic(Sync):
    def make(self, providers: Providers) -> Any:
        return anthropic.Anthropic(api_key="none", base_url=providers.url, max_retries=2)


class AsyncAnthropic(Async):
    def make(self, providers: Providers) -> Any:
        return anthropic.AsyncAnthropic(api_key="none", base_url=providers.url, max_retries=2)


@pytest.fixture(params=[SyncAnthropic, AsyncAnthropic], ids=["sync", "async"])
def kit(request: Any, providers: Providers) -> Any:
    return request.param(providers, Provider.ANTHROPIC)


def ask(text: str, **more: Any) -> Dict[str, Any]:
    return {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": text}], **more}


def test_message(kit: Any, providers: Providers, sink: Sink) -> None:
    answer = kit.call(kit.client.messages.create, **ask("Hello [reasoning]"), **EXTRAS)
    assert type(answer) is anthropic.types.Message
    span = sink.one()
    (call,) = providers.calls()
    assert "pulse" not in json.dumps(call["request"])
    assert span["name"] == "chat claude-sonnet-4-5"
    assert body(span, "pulse.request") == call["request"]
    assert body(span) == call["response"]
    attributes = span["attributes"]
    assert json.loads(attributes["gen_ai.usage.raw"]) == call["response"]["usage"]
    assert attributes["gen_ai.response.finish_reasons"] == ["end_turn"]
    assert (attributes["session.id"], attributes["user.id"], attributes["gen_ai.provider.name"]) == (
        "s-1",
        "7",
        "anthropic",
    )


def test_stream(kit: Any, providers: Providers, sink: Sink) -> None:
    events = kit.read(kit.call(kit.client.messages.create, **ask("Hello [pieces 7]", stream=True), **EXTRAS))
    assert events[0].type == "message_start" and events[-1].type == "message_stop"
    span = sink.one()
    assert body(span) == providers.calls()[0]["response"]
    assert (
        "pulse.stream_ended_early" not in span["attributes"]
        and "gen_ai.response.time_to_first_chunk" in span["attributes"]
    )


@pytest.mark.parametrize("text", ["Hello", "Hello [reasoning]"])
def test_stream_helper(kit: Any, providers: Providers, sink: Sink, text: str) -> None:
    def use(stream: Any) -> Any:
        final = stream.get_final_message()
        return kit.value(final) if kit.is_async else final

    final = kit.managed(kit.client.messages.stream(**ask(text), **EXTRAS), use)
    span = sink.one()
    (call,) = providers.calls()
    assert final.id == call["response"]["id"]
    assert "pulse" not in json.dumps(call["request"])
    if not OLD or text == "Hello":  # the oldest client does not know thinking
        assert body(span) == call["response"]
    assert span["attributes"]["session.id"] == "s-1" and "pulse.stream_ended_early" not in span["attributes"]


def test_text_stream_left_early(kit: Any, sink: Sink) -> None:
    kit.managed(kit.client.messages.stream(**ask("one two three four")), lambda stream: kit.read(stream.text_stream, 2))
    span = sink.one()
    assert span["attributes"]["pulse.stream_ended_early"] is True
    assert "".join(block["text"] for block in body(span)["content"]).startswith("You")


def test_tool_call(kit: Any, providers: Providers, sink: Sink) -> None:
    kit.read(kit.call(kit.client.messages.create, **ask("[tool] Weather?", stream=True, tools=TOOLS)))
    span = sink.one()
    assert body(span) == providers.calls()[0]["response"]
    (block,) = [block for block in body(span)["content"] if block["type"] == "tool_use"]
    assert block["input"] == {"city": "Oslo"}
    assert span["attributes"]["gen_ai.response.finish_reasons"] == ["tool_use"]


def test_error(kit: Any, sink: Sink) -> None:
    with pytest.raises(anthropic.APIStatusError) as raised:
        kit.call(kit.client.messages.create, **ask("[status 529] busy"))
    assert sink.one()["attributes"]["error.type"] == type(raised.value).__name__


def test_raw_response(kit: Any, providers: Providers, sink: Sink) -> None:
    raw = kit.call(kit.client.messages.with_raw_response.create, **ask("Hello"), **EXTRAS)
    parsed = raw.parse()
    assert (kit.value(parsed) if hasattr(parsed, "__await__") else parsed).id
    span = sink.one()
    assert body(span) == providers.calls()[0]["response"] and span["attributes"]["session.id"] == "s-1"


def test_streaming_response(kit: Any, providers: Providers, sink: Sink) -> None:
    def use(response: Any) -> None:
        lines = kit.read(response.iter_lines())
        assert lines[0] == "event: message_start"

    kit.managed(kit.client.messages.with_streaming_response.create(**ask("Hello", stream=True)), use)
    span = sink.one()
    assert body(span) == providers.calls()[0]["response"] and "pulse.stream_ended_early" not in span["attributes"]


def test_copies_are_observed(kit: Any, sink: Sink) -> None:
    kit.call(kit.client.with_options(max_retries=0).messages.create, **ask("Hello"), **EXTRAS)
    assert sink.one()["attributes"]["session.id"] == "s-1"


@pytest.mark.skipif(OLD, reason="newer than this client")
def test_beta(kit: Any, providers: Providers, sink: Sink) -> None:
    kit.call(kit.client.beta.messages.create, **ask("Hello"), betas=["x"], **EXTRAS)
    span = sink.one()
    assert span["name"] == "chat claude-sonnet-4-5" and span["attributes"]["session.id"] == "s-1"


@pytest.mark.skipif(OLD, reason="newer than this client")
@pytest.mark.parametrize("stream", [False, True])
def test_tool_runner(kit: Any, providers: Providers, sink: Sink, stream: bool) -> None:
    if kit.is_async:

        @anthropic.beta_async_tool
        async def get_weather(city: str) -> str:
            """Tells the weather."""
            return f"21 degrees in {city}"
    else:

        @anthropic.beta_tool
        def get_weather(city: str) -> str:
            """Tells the weather."""
            return f"21 degrees in {city}"

    runner = kit.client.beta.messages.tool_runner(
        **ask("[tool] Weather?"), tools=[get_weather], stream=stream, **EXTRAS
    )
    if stream:
        if kit.is_async:

            async def read() -> None:
                async for one in runner:
                    async for _ in one:
                        pass

            kit.run(read())
        else:
            for one in runner:
                for _ in one:
                    pass
    else:
        kit.value(runner.until_done()) if kit.is_async else runner.until_done()
    spans = sink.flushed()
    assert len(spans) == 2 == len(providers.calls())
    assert {span["attributes"]["session.id"] for span in spans} == {"s-1"}
    assert "pulse" not in json.dumps([call["request"] for call in providers.calls()])
    assert [body(span)["stop_reason"] for span in spans] == ["tool_use", "end_turn"]
