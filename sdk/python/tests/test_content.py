"""What is sent of contents: hostile values, and the options about content."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import hashlib
import json
from typing import Any, Dict

import openai
import pytest
from conftest import FIXTURES, Providers, Sink

import pulse_sdk
from pulse_sdk import Provider, observe, span
from pulse_sdk._content import Content, to_json
from pulse_sdk._options import resolve

PNG = base64.b64encode(b"\x89PNG not really").decode()
HASHED = "data:image/png;sha256," + hashlib.sha256(b"\x89PNG not really").hexdigest()


class Hostile:
    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no")

    def __repr__(self) -> str:
        raise RuntimeError("no")

    def keys(self) -> Any:
        raise RuntimeError("no")

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("no")


class ThrowingDict(Dict[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise LookupError("not for you")

    def items(self) -> Any:
        raise LookupError("not for you")


@dataclasses.dataclass
class Point:
    x: int
    when: datetime.date


def test_hostile_values() -> None:
    circular: Dict[str, Any] = {"a": 1}
    circular["me"] = circular
    deep: Any = "end"
    for _ in range(100_000):
        deep = [deep]
    value = {
        "circular": circular,
        "huge": 10**5000,
        "large": 2**80,
        "nan": [float("nan"), float("inf")],
        "hostile": Hostile(),
        "throwing": ThrowingDict(b=2),
        "function": test_hostile_values,
        "bytes": b"123",
        "set": {1},
        "point": Point(1, datetime.date(2020, 1, 2)),
        "surrogate": "\ud800",
        ("a", 1): "key",
        "object": object(),
    }
    read = json.loads(to_json(value))
    assert read["circular"] == {"a": 1, "me": "[circular]"}
    assert read["huge"] == "[int of 16610 bits]" and read["large"] == 2**80
    assert read["nan"] == ["nan", "inf"]
    assert read["hostile"] == "[Hostile that raises RuntimeError]"
    assert read["throwing"] == {"b": "[raises LookupError]"}
    assert read["function"] == "[function test_hostile_values]"
    assert read["bytes"] == "[3 bytes]" and read["set"] == [1]
    assert read["point"] == {"x": 1, "when": "2020-01-02"}
    assert read["object"] == "[object]"
    assert '"[too deep]"' in to_json(deep)


def test_hostile_values_in_a_step_are_sent(sink: Sink) -> None:
    with span("hostile") as step:
        step.set_input({"x": float("nan"), "y": Hostile()})
        step.set_output("half \ud800 pair")
    attributes = sink.one()["attributes"]
    assert json.loads(attributes["input.value"]) == {"x": "nan", "y": "[Hostile that raises RuntimeError]"}
    assert attributes["output.value"] == "half ? pair"


def test_hostile_metadata_does_not_fail_the_call(sink: Sink, providers: Providers) -> None:
    client: Any = observe(openai.OpenAI(api_key="none", base_url=providers.url + "/v1"), Provider.OPENAI)
    extras = {"pulse_session_id": Hostile(), "pulse_metadata": {"userId": Hostile(), "n": float("nan")}}
    client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}], **extras)
    attributes = sink.one()["attributes"]
    assert attributes["session.id"] == "[Hostile that raises RuntimeError]" and "user.id" not in attributes
    assert json.loads(attributes["pulse.metadata"]) == {"userId": "[Hostile that raises RuntimeError]", "n": "nan"}


def content(**options: Any) -> Content:
    redact = options.pop("redact", None)
    return Content(resolve(options, redact, environ={}))


def test_without_content() -> None:
    kept = json.loads((FIXTURES / "content.json").read_text())
    for role in ("request", "response"):
        whole: Dict[str, Any] = {"secret": "x", "messages": [{"content": "secret"}]}
        expected: Dict[str, Any] = {}
        for path in kept[role]:
            put(whole, path, 1, secret=True)
            put(expected, path, 1, secret=False)
        sent = content(capture_content=False).of(whole, role)
        assert sent is not None and json.loads(sent) == expected
    assert content(capture_content=False).of("input") is None


def put(into: Dict[str, Any], path: str, value: Any, secret: bool) -> None:
    name, _, rest = path.partition(".")
    if not rest:
        into[name] = value
        return
    if name.endswith("[]"):
        (below,) = into.setdefault(name[:-2], [{"content": "secret"} if secret else {}])
    else:
        below = into.setdefault(name, {"content": "secret"} if secret else {})
    put(below, rest, value, secret)


@pytest.mark.parametrize("stream", [False, True])
def test_no_content_leaves_the_program(providers: Providers, stream: bool) -> None:
    sink = Sink()
    pulse_sdk.init_pulse(api_key="k", api_url=sink.url, capture_content=False)
    client: Any = observe(openai.OpenAI(api_key="none", base_url=providers.url + "/v1"), Provider.OPENAI)
    with span("step") as step:
        step.set_input("secret")
        answer = client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "secret"}], stream=stream, temperature=0.5
        )
        list(answer)
        with pulse_sdk.tool("look") as tool:
            tool.set_input({"q": "secret"})
    assert "secret" not in json.dumps(sink.flushed())
    call = next(one for one in sink.spans() if one["name"].startswith("chat"))
    request = json.loads(call["attributes"]["pulse.request"])
    assert request["model"] == "gpt-4o-mini" and request["temperature"] == 0.5 and "messages" not in request
    assert json.loads(call["attributes"]["pulse.response"])["choices"] == [{"index": 0, "finish_reason": "stop"}]
    sink.close()


def test_redact(providers: Providers) -> None:
    def redact(value: Any) -> Any:
        return json.loads(json.dumps(value).replace("secret", "***").replace("asked for this error", "+++"))

    sink = Sink()
    pulse_sdk.init_pulse(api_key="k", api_url=sink.url, redact=redact)
    client: Any = observe(openai.OpenAI(api_key="none", base_url=providers.url + "/v1"), Provider.OPENAI)
    client.chat.completions.create(model="m", messages=[{"role": "user", "content": "secret"}])
    with span("step") as step:
        step.set_output("secret")
    with pytest.raises(openai.BadRequestError, match="asked for this error"):
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "[status 400] secret"}])
    with pytest.raises(ValueError, match="secret"), span("fails"):
        raise ValueError("the secret is out")
    text = json.dumps(sink.flushed())
    assert "secret" not in text and "You said: ***" in text and "the *** is out" in text
    assert "asked for this error" not in text and "The prompt +++" in text
    assert "secret" in json.dumps(providers.calls())
    sink.close()


def test_redact_gets_a_copy() -> None:
    value = {"a": ["b"]}
    assert content(redact=lambda copy: copy["a"].append("c") or copy).of(value) == '{"a":["b","c"]}'
    assert value == {"a": ["b"]}


@pytest.mark.parametrize("redact", [lambda value: 1 / 0, lambda value: value.x])
def test_redact_that_raises(redact: Any) -> None:
    assert content(redact=redact).of({"secret": 1}) == '"[redaction failed]"'
    assert content(redact=redact).text_of("secret") == "[redaction failed]"


def test_redact_that_is_no_function() -> None:
    assert content(redact="yes").of({"secret": 1}) is None


def test_hash_images() -> None:
    value = {
        "messages": [
            {"content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]},
            {"content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}]},
            {
                "parts": [
                    {"inlineData": {"mimeType": "image/png", "data": PNG}},
                    {"inlineData": {"mimeType": "audio/wav", "data": PNG}},
                ]
            },
        ]
    }
    sent = content(hash_images=True).of(value)
    assert sent is not None and sent.count(HASHED) == 3 and sent.count(PNG) == 1
    read = json.loads(sent)
    assert read["messages"][0]["content"][0]["image_url"]["url"] == HASHED


@pytest.mark.parametrize(
    ("text", "size", "cut"), [("abcdef", 4, "abcd"), ("abc", 4, "abc"), ("aé€", 2, "a"), ("é€", 4, "é")]
)
def test_max_content_bytes(text: str, size: int, cut: str) -> None:
    assert json.loads(content(max_content_bytes=size).of([text, {"a": text, "n": 123456}]) or "") == [
        cut,
        {"a": cut, "n": 123456},
    ]


def test_what_changes_later_does_not_matter(sink: Sink, providers: Providers) -> None:
    client: Any = observe(openai.OpenAI(api_key="none", base_url=providers.url + "/v1"), Provider.OPENAI)
    messages = [{"role": "user", "content": "before"}]
    for _ in client.chat.completions.create(model="m", messages=messages, stream=True):
        messages[0]["content"] = "after"
    assert "after" not in sink.one()["attributes"]["pulse.request"]
