"""OpenAI's client, sync and async, of the newest and the oldest version."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import json
from typing import Any, Dict, List

import openai
import pytest
from conftest import Providers, Sink, until
from kits import Async, Sync, body

import pulse_sdk
from pulse_sdk import Provider, _calls, observe

EXTRAS: Dict[str, Any] = {"pulse_session_id": "s-1", "pulse_metadata": {"userId": "user-42", "feature": "chat"}}
OLD = openai.__version__.startswith("1.3.")


class SyncOpenAI(Sync):
    def make(self, providers: Providers, path: str = "/v1") -> Any:
        return openai.OpenAI(api_key="none", base_url=providers.url + path, max_retries=2)

    def close(self, stream: Any) -> None:
        (stream.response if OLD else stream).close()


class AsyncOpenAI(Async):
    def make(self, providers: Providers, path: str = "/v1") -> Any:
        return openai.AsyncOpenAI(api_key="none", base_url=providers.url + path, max_retries=2)

    def close(self, stream: Any) -> None:
        self.run(stream.response.aclose() if OLD else stream.close())


@pytest.fixture(params=[SyncOpenAI, AsyncOpenAI], ids=["sync", "async"])
def kit(request: Any, providers: Providers) -> Any:
    return request.param(providers, Provider.OPENAI)


def ask(text: str, **more: Any) -> Dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **more}


def test_chat(kit: Any, providers: Providers, sink: Sink) -> None:
    answer = kit.call(kit.client.chat.completions.create, **ask("Hello"), **EXTRAS)
    assert type(answer) is openai.types.chat.ChatCompletion
    (call,) = providers.calls()
    assert "pulse" not in json.dumps(call["request"])
    span = sink.one()
    attributes = span["attributes"]
    assert span["name"] == "chat gpt-4o-mini"
    assert span["kind"] == 3
    assert "parentSpanId" not in span and "status" not in span
    assert int(span["endTimeUnixNano"]) > int(span["startTimeUnixNano"])
    assert body(span, "pulse.request") == call["request"]
    assert body(span) == call["response"]
    assert json.loads(attributes["gen_ai.usage.raw"]) == call["response"]["usage"]
    assert json.loads(attributes["pulse.metadata"]) == EXTRAS["pulse_metadata"]
    host, port = providers.url[len("http://") :].split(":")
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": call["response"]["model"],
        "gen_ai.response.id": answer.id,
        "gen_ai.response.finish_reasons": ["stop"],
        "server.address": host,
        "server.port": int(port),
        "session.id": "s-1",
        "user.id": "user-42",
    }
    assert {name: attributes.get(name) for name in expected} == expected


def test_resource(kit: Any, sink: Sink) -> None:
    kit.call(kit.client.chat.completions.create, **ask("Hello"))
    sink.flushed()
    resource = sink.requests[0]["body"]["resourceSpans"][0]
    named = {attribute["key"]: attribute["value"]["stringValue"] for attribute in resource["resource"]["attributes"]}
    assert named == {
        "service.name": "tests",
        "telemetry.sdk.name": "pulse",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.version": pulse_sdk.__version__,
    }
    assert resource["scopeSpans"][0]["scope"] == {"name": "pulse-sdk", "version": pulse_sdk.__version__}
    assert sink.requests[0]["path"] == "/v1/traces"
    assert sink.requests[0]["headers"]["Authorization"] == "Bearer pulse_sk_test"


def test_extras_in_extra_body_type_check_and_stay_here(kit: Any, providers: Providers, sink: Sink) -> None:
    kit.call(kit.client.chat.completions.create, **ask("Hello"), extra_body={**EXTRAS, "x": 1})
    (call,) = providers.calls()
    assert call["request"]["x"] == 1 and "pulse" not in json.dumps(call["request"])
    span = sink.one()
    assert span["attributes"]["session.id"] == "s-1"
    assert body(span, "pulse.request") == call["request"]


@pytest.mark.parametrize("pieces", ["", " [pieces 7]", " [pieces 1]", " Grüße 😀 [pieces 2]"])
def test_stream(kit: Any, providers: Providers, sink: Sink, pieces: str) -> None:
    more = {} if OLD else {"stream_options": {"include_usage": True}}
    stream = kit.call(kit.client.chat.completions.create, **ask("Hello" + pieces, stream=True), **more, **EXTRAS)
    assert type(stream) is (openai.Stream if not kit.is_async else openai.AsyncStream)
    assert stream.response.status_code == 200
    chunks = kit.read(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "You said: Hello" + pieces
    span = sink.one()
    (call,) = providers.calls()
    assert body(span)["choices"][0]["message"]["content"] == text
    assert body(span).get("usage") == (None if OLD else call["response"]["usage"])
    assert span["attributes"]["gen_ai.response.finish_reasons"] == ["stop"]
    assert 0 < span["attributes"]["gen_ai.response.time_to_first_chunk"] < 5
    assert "pulse.stream_ended_early" not in span["attributes"]
    assert span["attributes"]["session.id"] == "s-1"


def test_break_is_recorded_at_flush(kit: Any, sink: Sink) -> None:
    stream = kit.call(kit.client.chat.completions.create, **ask("one two three four", stream=True))
    chunks = kit.read(stream, 3)
    span = sink.one()
    assert span["attributes"]["pulse.stream_ended_early"] is True
    so_far = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert body(span)["choices"][0]["message"]["content"] == so_far
    kit.close(stream)
    assert len(sink.flushed()) == 1


def test_break_and_come_back(kit: Any, sink: Sink) -> None:
    stream = kit.call(kit.client.chat.completions.create, **ask("one two three four", stream=True))
    kit.read(stream, 2)
    kit.read(stream)
    span = sink.one()
    assert body(span)["choices"][0]["message"]["content"] == "You said: one two three four"
    assert "pulse.stream_ended_early" not in span["attributes"]


def test_close_ends_early(kit: Any, sink: Sink) -> None:
    stream = kit.call(kit.client.chat.completions.create, **ask("Hello there", stream=True))
    kit.next(stream)
    kit.close(stream)
    assert sink.one()["attributes"]["pulse.stream_ended_early"] is True


def test_unread_stream_is_recorded(kit: Any, sink: Sink) -> None:
    stream = kit.call(kit.client.chat.completions.create, **ask("Hello there", stream=True))
    assert sink.flushed() == []
    del stream
    gc.collect()  # the client's stream and its generator hold each other
    assert sink.one()["attributes"]["pulse.stream_ended_early"] is True


def test_stream_that_breaks_off(kit: Any, sink: Sink) -> None:
    stream = kit.call(kit.client.chat.completions.create, **ask("one two three [reset 3]", stream=True))
    with pytest.raises(Exception) as raised:
        kit.read(stream)
    span = sink.one()
    assert span["attributes"]["error.type"] == type(raised.value).__name__
    assert span["attributes"]["pulse.stream_ended_early"] is True
    assert span["status"] == {"code": 2, "message": str(raised.value)}
    assert body(span)["choices"][0]["message"]["content"]


def test_tool_call_in_a_stream(kit: Any, sink: Sink) -> None:
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
    kit.read(kit.call(kit.client.chat.completions.create, **ask("[tool] Weather?", stream=True, tools=tools)))
    span = sink.one()
    (call,) = body(span)["choices"][0]["message"]["tool_calls"]
    assert call["function"] == {"name": "get_weather", "arguments": '{"city":"Oslo"}'}
    assert "gen_ai.response.time_to_first_chunk" in span["attributes"]


def test_error(kit: Any, sink: Sink) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        kit.call(kit.client.chat.completions.create, **ask("[status 400] bad"))
    span = sink.one()
    assert span["attributes"]["error.type"] == "BadRequestError"
    assert span["status"] == {"code": 2, "message": str(raised.value)}
    (event,) = span["events"]
    assert event["name"] == "exception"
    details = {attribute["key"]: attribute["value"]["stringValue"] for attribute in event["attributes"]}
    assert details["exception.type"] == "BadRequestError"
    assert details["exception.message"] == str(raised.value)
    assert "BadRequestError" in details["exception.stacktrace"].splitlines()[-1]


def test_tries_of_the_client_are_one_call(kit: Any, providers: Providers, sink: Sink) -> None:
    kit.call(kit.client.chat.completions.create, **ask(f"[status 500 once] {type(kit).__name__} {openai.__version__}"))
    assert len(providers.calls()) == 2
    assert "status" not in sink.one()


def test_embeddings(kit: Any, providers: Providers, sink: Sink) -> None:
    answer = kit.call(kit.client.embeddings.create, model="text-embedding-3-small", input="Hello", **EXTRAS)
    assert isinstance(answer.data[0].embedding[0], float)
    span = sink.one()
    assert span["name"] == "embeddings text-embedding-3-small"
    assert body(span) == providers.calls()[0]["response"]


def test_completions(kit: Any, providers: Providers, sink: Sink) -> None:
    ask = {"model": "gpt-3.5-turbo-instruct", "prompt": "Hello there"}
    answer = kit.call(kit.client.completions.create, **ask, **EXTRAS)
    assert answer.choices[0].text == "You said: Hello there"
    usage = {"extra_body": {"stream_options": {"include_usage": True}}}
    kit.read(kit.call(kit.client.completions.create, **ask, **usage, stream=True))
    whole, streamed = sink.flushed()
    first, second = providers.calls()
    assert "pulse" not in json.dumps(first["request"]) and whole["attributes"]["session.id"] == "s-1"
    assert whole["name"] == "text_completion gpt-3.5-turbo-instruct"
    assert body(whole) == first["response"]
    (choice,) = body(streamed)["choices"]
    assert (choice["text"], choice["finish_reason"]) == ("You said: Hello there", "stop")
    assert body(streamed)["usage"] == second["response"]["usage"]
    assert streamed["attributes"]["gen_ai.response.time_to_first_chunk"] >= 0


@pytest.mark.parametrize("size", range(1, 1300, 193))
def test_stream_that_breaks_at_any_byte(kit: Any, providers: Providers, sink: Sink, size: int) -> None:
    got: List[str] = []
    stream = kit.call(kit.client.chat.completions.create, **ask(f"Grüße 😀 [cut {size}]", stream=True))
    with pytest.raises(Exception) as raised:
        while True:
            got += [choice.delta.content or "" for choice in kit.next(stream).choices]
    assert not isinstance(raised.value, (StopIteration, StopAsyncIteration))
    span = sink.one()
    assert span["status"]["code"] == 2 and span["attributes"]["pulse.stream_ended_early"] is True
    recorded = body(span)["choices"] if "pulse.response" in span["attributes"] else []
    assert "".join(choice["message"]["content"] or "" for choice in recorded) == "".join(got)
    assert providers.calls()[0]["text"].startswith("".join(got))


def test_timeout(kit: Any, sink: Sink) -> None:
    copy = kit.client.with_options(max_retries=0, timeout=0.2)
    with pytest.raises(openai.APITimeoutError):
        kit.call(copy.chat.completions.create, **ask("[hang]"))
    span = sink.one()
    assert span["status"]["code"] == 2 and span["attributes"]["error.type"] == "APITimeoutError"


def test_raw_response(kit: Any, providers: Providers, sink: Sink) -> None:
    raw = kit.call(kit.client.chat.completions.with_raw_response.create, **ask("Hello"), **EXTRAS)
    assert raw.headers["x-request-id"]
    assert raw.parse().choices[0].message.content == "You said: Hello"
    span = sink.one()
    (call,) = providers.calls()
    assert body(span) == call["response"] and span["attributes"]["session.id"] == "s-1"
    assert "pulse" not in json.dumps(call["request"])


def test_raw_stream(kit: Any, sink: Sink) -> None:
    raw = kit.call(kit.client.chat.completions.with_raw_response.create, **ask("Hello", stream=True))
    assert len(kit.read(raw.parse())) > 2
    span = sink.one()
    assert body(span)["choices"][0]["message"]["content"] == "You said: Hello"
    assert "pulse.stream_ended_early" not in span["attributes"]


def test_copies_are_observed(kit: Any, sink: Sink) -> None:
    copy = kit.client.with_options(max_retries=0).copy(timeout=5)
    kit.call(copy.chat.completions.create, **ask("Hello"), **EXTRAS)
    assert sink.one()["attributes"]["session.id"] == "s-1"


def test_observe_is_the_same_client_once(kit: Any, providers: Providers, sink: Sink) -> None:
    assert observe(kit.client, Provider.OPENAI) is kit.client
    assert inspect.iscoroutinefunction(kit.client.chat.completions.create) == inspect.iscoroutinefunction(
        kit.make(providers).chat.completions.create
    )
    assert isinstance(kit.client.chat.completions, type(kit.make(providers).chat.completions))
    kit.call(kit.client.chat.completions.create, **ask("Hello"))
    sink.one()


def test_observe_after_use(kit: Any, providers: Providers, sink: Sink) -> None:
    client = kit.make(providers)
    raw = client.chat.completions.with_raw_response
    kit.call(client.chat.completions.create, **ask("Hello"))
    observe(client, "my-own", session_id="always", metadata={"a": 1, "b": 1})
    kit.call(client.chat.completions.create, **ask("Hello"), pulse_metadata={"b": 2})
    assert client.chat.completions.with_raw_response is not raw
    attributes = sink.one()["attributes"]
    assert attributes["gen_ai.provider.name"] == "my-own" and attributes["session.id"] == "always"
    assert json.loads(attributes["pulse.metadata"]) == {"a": 1, "b": 2}


def test_keywords_never_reach_the_provider_when_nothing_is_recorded(kit: Any, providers: Providers) -> None:
    for options in ({}, {"enabled": False, "api_key": "pulse_sk_test"}):
        if options:
            pulse_sdk.init_pulse(**options)  # type: ignore[arg-type]
        kit.call(kit.client.chat.completions.create, **ask("Hello"), **EXTRAS)
        kit.call(kit.client.chat.completions.create, **ask("Hello"), extra_body=dict(EXTRAS))
    assert len(providers.calls()) == 4
    assert "pulse" not in json.dumps([call["request"] for call in providers.calls()])
    assert pulse_sdk.stats() == (0, 0, 0, 0, 0)


def test_openrouter(kit: Any, providers: Providers, sink: Sink) -> None:
    client = observe(kit.make(providers, "/api/v1"), Provider.OPENROUTER)
    kit.call(client.chat.completions.create, model="openai/gpt-4o-mini", messages=ask("Hello")["messages"])
    span = sink.one()
    assert span["name"] == "chat openai/gpt-4o-mini"
    assert span["attributes"]["gen_ai.provider.name"] == "openrouter"
    assert json.loads(span["attributes"]["gen_ai.usage.raw"]) == providers.calls()[0]["response"]["usage"]


def test_cancelled_call(providers: Providers, sink: Sink) -> None:
    kit = AsyncOpenAI(providers, Provider.OPENAI)

    async def cancel() -> None:
        task = asyncio.ensure_future(kit.client.chat.completions.create(**ask("[hang]")))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    kit.loop.run_until_complete(cancel())
    assert sink.one()["attributes"]["error.type"] == "CancelledError"


def test_stream_open_at_the_end_is_recorded(kit: Any, sink: Sink) -> None:
    stream = kit.call(kit.client.chat.completions.create, **ask("one two three", stream=True))
    kit.next(stream)
    assert pulse_sdk.shutdown(10)
    (span,) = sink.spans()
    assert span["attributes"]["pulse.stream_ended_early"] is True
    kit.close(stream)


def test_a_long_stream_is_read_in_parts(kit: Any, providers: Providers, sink: Sink, monkeypatch: Any) -> None:
    monkeypatch.setattr(_calls, "MOST_HEARD", 500)
    text = "word " * 200
    kit.read(kit.call(kit.client.chat.completions.create, **ask(text, stream=True)))
    (call,) = providers.calls()
    span = sink.one()
    assert body(span)["choices"][0]["message"]["content"] == call["text"]
    assert "pulse.stream_ended_early" not in span["attributes"]


def test_what_runs_while_pulse_is_set_up_again(kit: Any, sink: Sink) -> None:
    stream = kit.call(kit.client.chat.completions.create, **ask("Hello there", stream=True))
    pulse_sdk.init_pulse(api_key="pulse_sk_test", api_url=sink.url, service_name="again")
    kit.read(stream)
    assert sink.one()["name"] == "chat gpt-4o-mini"


def test_session_of_the_nearest(kit: Any, providers: Providers, sink: Sink) -> None:
    client = observe(kit.make(providers), Provider.OPENAI, session_id="client")
    kit.call(client.chat.completions.create, **ask("1"))
    with pulse_sdk.session("around"):
        kit.call(client.chat.completions.create, **ask("2"))
        kit.call(client.chat.completions.create, **ask("3"), pulse_session_id="call")
    assert [span["attributes"]["session.id"] for span in sink.flushed()] == ["client", "around", "call"]


def test_other_paths_are_not_recorded(kit: Any, sink: Sink) -> None:
    for path in ("/threads/thread_1/messages", "/images/generations", "/messages/count_tokens", "/chat/completions/x"):
        with contextlib.suppress(openai.NotFoundError):
            kit.call(kit.client.post, path=path, cast_to=Dict[str, object], body={"model": "m"})
    kit.call(kit.client.post, path="/chat/completions?x=1", cast_to=Dict[str, object], body=ask("Hello"))
    assert sink.one()["name"] == "chat gpt-4o-mini"


def helpers(kit: Any) -> Any:
    """Where parse and stream of chats are: first they were in beta."""
    completions = kit.client.chat.completions
    return completions if hasattr(completions, "parse") else kit.client.beta.chat.completions


@pytest.mark.skipif(OLD, reason="newer than this client")
class TestNewerHelpers:
    def test_streaming_response(self, kit: Any, sink: Sink) -> None:
        def use(response: Any) -> None:
            if not kit.is_async:
                lines = list(response.iter_lines())
            else:
                lines = kit.read(response.iter_lines())
            assert lines[0].startswith("data: {")

        kit.managed(
            kit.client.chat.completions.with_streaming_response.create(**ask("Hello", stream=True), **EXTRAS), use
        )
        span = sink.one()
        assert body(span)["choices"][0]["message"]["content"] == "You said: Hello"
        assert span["attributes"]["session.id"] == "s-1"

    def test_streaming_response_of_a_whole_answer(self, kit: Any, providers: Providers, sink: Sink) -> None:
        def use(response: Any) -> None:
            assert kit.value(response.parse()).id if kit.is_async else response.parse().id

        kit.managed(kit.client.chat.completions.with_streaming_response.create(**ask("Hello")), use)
        assert body(sink.one()) == providers.calls()[0]["response"]

    def test_responses(self, kit: Any, providers: Providers, sink: Sink) -> None:
        answer = kit.call(kit.client.responses.create, model="gpt-4o-mini", input="Hello", **EXTRAS)
        assert answer.output_text == "You said: Hello"
        span = sink.one()
        assert span["name"] == "chat gpt-4o-mini" and span["attributes"]["session.id"] == "s-1"
        assert body(span) == providers.calls()[0]["response"]

    def test_responses_stream(self, kit: Any, providers: Providers, sink: Sink) -> None:
        kit.read(kit.call(kit.client.responses.create, model="gpt-4o-mini", input="Hello", stream=True))
        assert body(sink.one()) == providers.calls()[0]["response"]

    def test_responses_stream_helper(self, kit: Any, providers: Providers, sink: Sink) -> None:
        def use(stream: Any) -> Any:
            final = stream.get_final_response()
            return kit.value(final) if kit.is_async else final

        final = kit.managed(kit.client.responses.stream(model="gpt-4o-mini", input="Hello", **EXTRAS), use)
        assert final.output_text == "You said: Hello"
        span = sink.one()
        assert body(span) == providers.calls()[0]["response"] and span["attributes"]["session.id"] == "s-1"
        assert "pulse" not in json.dumps(providers.calls()[0]["request"])

    def test_parse(self, kit: Any, providers: Providers, sink: Sink) -> None:
        import pydantic

        class Answer(pydantic.BaseModel):
            said: str

        with pytest.raises(pydantic.ValidationError):
            kit.call(helpers(kit).parse, **ask("Hello"), response_format=Answer, **EXTRAS)
        span = sink.flushed()[0]
        (call,) = providers.calls()
        assert body(span, "pulse.request") == call["request"] and "pulse" not in json.dumps(call["request"])

    def test_parse_keeps_what_the_provider_said(self, kit: Any, providers: Providers, sink: Sink) -> None:
        parsed = kit.call(helpers(kit).parse, **ask("Hello"), **EXTRAS)
        assert type(parsed).__name__.startswith("ParsedChatCompletion")
        assert body(sink.one()) == providers.calls()[0]["response"]

    def test_chat_stream_helper(self, kit: Any, providers: Providers, sink: Sink) -> None:
        def use(stream: Any) -> Any:
            final = stream.get_final_completion()
            return kit.value(final) if kit.is_async else final

        final = kit.managed(helpers(kit).stream(**ask("Hello"), **EXTRAS), use)
        assert final.choices[0].message.content == "You said: Hello"
        span = sink.one()
        assert span["attributes"]["session.id"] == "s-1" and "pulse.stream_ended_early" not in span["attributes"]
        assert "pulse" not in json.dumps(providers.calls()[0]["request"])

    def test_chat_stream_helper_left_early(self, kit: Any, sink: Sink) -> None:
        kit.managed(helpers(kit).stream(**ask("one two three four")), kit.next)
        assert until(lambda: sink.flushed())[0]["attributes"]["pulse.stream_ended_early"] is True

    def test_streaming_response_that_is_not_read(self, kit: Any, sink: Sink) -> None:
        kit.managed(
            kit.client.chat.completions.with_streaming_response.create(**ask("Hello")),
            lambda response: response.headers,
        )
        assert sink.one()["attributes"]["pulse.stream_ended_early"] is True

    def test_closed_at_the_last_event_is_complete(self, kit: Any, sink: Sink) -> None:
        stream = kit.call(kit.client.responses.create, model="gpt-4o-mini", input="Hello", stream=True)
        while kit.next(stream).type != "response.completed":
            pass
        kit.close(stream)
        span = sink.one()
        assert "pulse.stream_ended_early" not in span["attributes"] and body(span)["status"] == "completed"
