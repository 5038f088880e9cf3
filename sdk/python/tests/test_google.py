"""Google's client, sync and async, of the newest and the oldest version."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Dict

import pytest
from conftest import Providers, Sink
from google import genai
from kits import Async, Sync, body

from pulse_sdk import Provider, observe

EXTRAS: Dict[str, Any] = {"pulse_session_id": "s-1", "pulse_metadata": {"userId": "user-42"}}
MODEL = "gemini-2.5-flash"


class SyncGoogle(Sync):
    def make(self, providers: Providers) -> Any:
        return genai.Client(api_key="none", http_options={"base_url": providers.url})

    @property
    def models(self) -> Any:
        return self.client.models

    @property
    def chats(self) -> Any:
        return self.client.chats

    def stream(self, method: Any, **kwargs: Any) -> Any:
        return method(**kwargs)


class AsyncGoogle(Async):
    make = SyncGoogle.make

    @property
    def models(self) -> Any:
        return self.client.aio.models

    @property
    def chats(self) -> Any:
        return self.client.aio.chats

    def stream(self, method: Any, **kwargs: Any) -> Any:
        result = method(**kwargs)
        return self.run(result) if hasattr(result, "__await__") else result


@pytest.fixture(params=[SyncGoogle, AsyncGoogle], ids=["sync", "async"])
def kit(request: Any, providers: Providers) -> Any:
    return request.param(providers, Provider.GOOGLE)


def test_generate(kit: Any, providers: Providers, sink: Sink) -> None:
    answer = kit.call(kit.models.generate_content, model=MODEL, contents="Hello", config={"temperature": 0.5}, **EXTRAS)
    assert type(answer) is genai.types.GenerateContentResponse
    assert answer.text == "You said: Hello"
    span = sink.one()
    (call,) = providers.calls()
    assert "pulse" not in json.dumps(call["request"])
    assert span["name"] == f"generate_content {MODEL}"
    assert body(span, "pulse.request") == call["request"]
    assert body(span) == call["response"]
    attributes = span["attributes"]
    assert json.loads(attributes["gen_ai.usage.raw"]) == call["response"]["usageMetadata"]
    expected = {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.provider.name": "google",
        "gen_ai.request.model": MODEL,
        "gen_ai.response.model": call["response"]["modelVersion"],
        "gen_ai.response.id": call["response"]["responseId"],
        "gen_ai.response.finish_reasons": ["STOP"],
        "session.id": "s-1",
        "user.id": "user-42",
        "server.address": "127.0.0.1",
        "server.port": int(providers.url.rsplit(":", 1)[1]),
    }
    assert {name: attributes.get(name) for name in expected} == expected


@pytest.mark.parametrize("text", ["Hello", "Hello [reasoning]"])
def test_stream(kit: Any, providers: Providers, sink: Sink, text: str) -> None:
    chunks = kit.read(kit.stream(kit.models.generate_content_stream, model=MODEL, contents=text, **EXTRAS))
    assert "".join(chunk.text or "" for chunk in chunks) == f"You said: {text}"
    span = sink.one()
    assert body(span) == providers.calls()[0]["response"]
    assert span["attributes"]["session.id"] == "s-1"
    assert (
        "gen_ai.response.time_to_first_chunk" in span["attributes"]
        and "pulse.stream_ended_early" not in span["attributes"]
    )


def test_stream_left_early(kit: Any, sink: Sink) -> None:
    kit.read(kit.stream(kit.models.generate_content_stream, model=MODEL, contents="one two three four"), 1)
    if kit.is_async:
        kit.value(asyncio.sleep(0.01))  # asyncio closes a forgotten generator while it runs
    assert sink.one()["attributes"]["pulse.stream_ended_early"] is True


def test_chat(kit: Any, providers: Providers, sink: Sink) -> None:
    chat = kit.chats.create(model=MODEL)
    assert kit.call(lambda **kwargs: chat.send_message("Hello", **kwargs), **EXTRAS).text == "You said: Hello"
    kit.read(kit.stream(lambda **kwargs: chat.send_message_stream("Again", **kwargs), **EXTRAS))
    spans = sink.flushed()
    assert [span["attributes"].get("session.id") for span in spans] == ["s-1", "s-1"]
    assert [body(span) for span in spans] == [call["response"] for call in providers.calls()]
    assert len(body(spans[1], "pulse.request")["contents"]) == 3


def test_error(kit: Any, sink: Sink) -> None:
    with pytest.raises(Exception) as raised:
        kit.call(kit.models.generate_content, model=MODEL, contents="[status 400] bad")
    span = sink.one()
    assert span["attributes"]["error.type"] == type(raised.value).__name__ == "ClientError"


def test_error_of_a_stream(kit: Any, sink: Sink) -> None:
    with pytest.raises(Exception) as raised:
        kit.read(kit.stream(kit.models.generate_content_stream, model=MODEL, contents="[status 400] bad"))
    assert sink.one()["attributes"]["error.type"] == type(raised.value).__name__


@pytest.mark.skipif(genai.__version__ == "1.0.0", reason="it cannot read annotations that are texts")
def test_functions_that_the_client_calls(providers: Providers, sink: Sink) -> None:
    kit = SyncGoogle(providers, Provider.GOOGLE)

    def get_weather(city: str) -> str:
        """Tells the weather."""
        return f"21 degrees in {city}"

    kit.client.models.generate_content(
        model=MODEL, contents="[tool] Weather?", config={"tools": [get_weather]}, **EXTRAS
    )
    spans = sink.flushed()
    assert len(spans) == 2 and {span["attributes"]["session.id"] for span in spans} == {"s-1"}


def test_extras_of_one_call_stay_with_it(kit: Any, sink: Sink) -> None:
    kit.call(kit.models.generate_content, model=MODEL, contents="Hello", **EXTRAS)
    kit.call(kit.models.generate_content, model=MODEL, contents="Hello")
    assert [span["attributes"].get("session.id") for span in sink.flushed()] == ["s-1", None]


def embed(kit: Any, providers: Providers, sink: Sink, model: str, contents: Any) -> Any:
    """Makes an embedding, checks its span, and gives the call as the provider had it."""
    kit.call(kit.models.embed_content, model=model, contents=contents, **EXTRAS)
    span = sink.one()
    (call,) = providers.calls()
    assert span["name"] == f"embeddings {model}" and span["attributes"]["session.id"] == "s-1"
    assert body(span, "pulse.request") == call["request"] and body(span) == call["response"]
    assert json.loads(span["attributes"]["gen_ai.usage.raw"]) == {"promptTokenCount": call["usage"]["input"]}
    return call


def test_embeddings(kit: Any, providers: Providers, sink: Sink) -> None:
    call = embed(kit, providers, sink, "text-embedding-004", ["Hello", "there"])
    assert call["path"].endswith(":batchEmbedContents") and len(call["response"]["embeddings"]) == 2


@pytest.mark.skipif(genai.__version__ == "1.0.0", reason="this client asks another way")
def test_one_embedding_which_vertex_has_a_path_for(kit: Any, providers: Providers, sink: Sink) -> None:
    vertex = genai.Client(vertexai=True, api_key="none", http_options={"base_url": providers.url})
    kit.client = observe(vertex, "gcp.vertex_ai")
    assert embed(kit, providers, sink, "gemini-embedding-2", "Hello")["path"].endswith(":embedContent")


def test_nothing_recorded(kit: Any, providers: Providers) -> None:
    assert observe(kit.client, Provider.GOOGLE) is kit.client
    kit.call(kit.models.generate_content, model=MODEL, contents="Hello", **EXTRAS)
    kit.read(kit.stream(kit.models.generate_content_stream, model=MODEL, contents="Hello", **EXTRAS))
    assert "pulse" not in json.dumps([call["request"] for call in providers.calls()])
