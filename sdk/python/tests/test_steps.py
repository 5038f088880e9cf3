"""Steps of all kinds, and what belongs to what."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, AsyncIterator, Dict, Iterator, List

import openai
import pytest
from conftest import Providers, Sink

import pulse_sdk
from pulse_sdk import Provider, observe, propagate, session, span, tool, trace


def by_name(sink: Sink) -> Dict[str, Any]:
    return {one["name"]: one for one in sink.flushed()}


def test_a_clock_that_is_set(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns
    with span("outer"):
        for hours in (-1, 1):
            monkeypatch.setattr(time, "time_ns", lambda hours=hours: now() + hours * 3600 * 10**9)
            with span("inner"):
                pass
    for one in sink.flushed():
        assert 0 <= int(one["endTimeUnixNano"]) - int(one["startTimeUnixNano"]) < 600 * 10**9


def test_tree(sink: Sink, providers: Providers) -> None:
    client = observe(openai.OpenAI(api_key="none", base_url=providers.url + "/v1"), Provider.OPENAI)
    with session("s-2"), trace("agent") as agent:
        agent.set_input("What now?")
        with span("think", kind="retrieval") as step:
            client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello"}])
            step.set_output({"found": [1, 2]})
        agent.set_output("Nothing")
    with span("other"):
        pass
    spans = by_name(sink)
    agent_span, think, chat, other = (spans[name] for name in ("agent", "think", "chat gpt-4o-mini", "other"))
    assert "parentSpanId" not in agent_span and "parentSpanId" not in other
    assert think["parentSpanId"] == agent_span["spanId"] and chat["parentSpanId"] == think["spanId"]
    assert agent_span["traceId"] == think["traceId"] == chat["traceId"] != other["traceId"]
    assert [one["attributes"].get("session.id") for one in (agent_span, think, chat, other)] == [
        "s-2",
        "s-2",
        "s-2",
        None,
    ]
    assert agent_span["kind"] == 1
    assert agent_span["attributes"] == {
        "pulse.kind": "chain",
        "session.id": "s-2",
        "input.value": "What now?",
        "output.value": "Nothing",
    }
    assert think["attributes"]["pulse.kind"] == "retrieval" and think["attributes"]["output.value"] == '{"found":[1,2]}'


def test_trace_stands_at_the_top(sink: Sink) -> None:
    with trace("one"), trace("two"), span("three"):
        pass
    spans = by_name(sink)
    assert "parentSpanId" not in spans["two"] and spans["one"]["traceId"] != spans["two"]["traceId"]
    assert spans["three"]["parentSpanId"] == spans["two"]["spanId"]


def test_tool(sink: Sink) -> None:
    @tool
    def get_weather(city: str, *, unit: str = "C") -> Dict[str, int]:
        """Tells the weather."""
        return {"temperature": 21}

    @tool("named")
    async def other(city: str) -> None:
        return None

    class Kit:
        @tool
        def method(self, value: int) -> int:
            return value + 1

    assert get_weather.__name__ == "get_weather" and get_weather.__doc__ == "Tells the weather."
    assert get_weather("Oslo", unit="K") == {"temperature": 21}
    assert tool("get_time", call_id="call_1")(lambda: "noon")() == "noon"
    asyncio.run(other("Oslo"))
    assert Kit().method(1) == 2
    spans = by_name(sink)
    attributes = spans["get_weather"]["attributes"]
    assert attributes["pulse.kind"] == "tool_use" and attributes["gen_ai.tool.name"] == "get_weather"
    assert json.loads(attributes["gen_ai.tool.call.arguments"]) == {"city": "Oslo", "unit": "K"}
    assert json.loads(attributes["gen_ai.tool.call.result"]) == {"temperature": 21}
    assert "gen_ai.tool.call.id" not in attributes and "input.value" not in attributes
    assert spans["get_time"]["attributes"]["gen_ai.tool.call.id"] == "call_1"
    assert spans["get_time"]["attributes"]["gen_ai.tool.call.result"] == "noon"
    assert json.loads(spans["named"]["attributes"]["gen_ai.tool.call.arguments"]) == {"city": "Oslo"}
    assert "gen_ai.tool.call.result" not in spans["named"]["attributes"]
    assert json.loads(spans["method"]["attributes"]["gen_ai.tool.call.arguments"]) == {"value": 1}


def test_errors_go_on_as_they_were(sink: Sink) -> None:
    error = KeyError("gone")

    @span("fails")
    def fails() -> None:
        raise error

    @trace
    async def fails_too() -> None:
        raise error

    for call in (fails, lambda: asyncio.run(fails_too())):
        with pytest.raises(KeyError) as raised:
            call()
        assert raised.value is error
    spans = by_name(sink)
    assert spans["fails"]["status"] == {"code": 2, "message": "'gone'"}
    assert spans["fails_too"]["attributes"]["error.type"] == "KeyError"


def test_decorators_of_all_kinds(sink: Sink) -> None:
    @trace("plain")
    def plain(x: int) -> int:
        with span("in plain"):
            return x * 2

    @trace("coroutine")
    async def coroutine(x: int) -> int:
        with span("in coroutine"):
            await asyncio.sleep(0)
            return x * 2

    @trace("generator")
    def generator(texts: List[str]) -> Iterator[str]:
        for text in texts:
            with span("in generator"):
                pass
            yield text

    @trace("async generator")
    async def async_generator(count: int) -> AsyncIterator[int]:
        for number in range(count):
            async with span("in async generator"):
                await asyncio.sleep(0)
            yield number

    async def run() -> List[int]:
        got = []
        async for number in async_generator(2):
            with span("between async"):
                got.append(number)
        return [await coroutine(3), *got]

    assert plain(2) == 4
    assert asyncio.run(run()) == [6, 0, 1]
    for _ in generator(["a", "b"]):
        with span("between"):
            pass
    spans = by_name(sink)
    for name in ("plain", "coroutine", "generator", "async generator"):
        assert spans[f"in {name}"]["parentSpanId"] == spans[name]["spanId"], name
    for name in ("between", "between async"):
        assert "parentSpanId" not in spans[name], name
    outputs = [
        spans[name]["attributes"]["output.value"] for name in ("plain", "coroutine", "generator", "async generator")
    ]
    assert outputs == ["4", "6", "ab", "[0,1]"]
    assert json.loads(spans["generator"]["attributes"]["input.value"]) == {"texts": ["a", "b"]}


def test_generators_keep_what_generators_do(sink: Sink) -> None:
    @span
    def echo() -> Any:
        got: List[Any] = []
        while True:
            try:
                got.append((yield len(got)))
            except ValueError as error:
                got.append(str(error))
            if len(got) == 3:
                return got

    def outer() -> Any:
        return (yield from echo())

    generator = outer()
    assert next(generator) == 0
    assert generator.send("a") == 1
    assert generator.throw(ValueError("b")) == 2
    with pytest.raises(StopIteration) as stop:
        generator.send("c")
    assert stop.value.value == ["a", "b", "c"]

    cleaned = []

    @span
    def left() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            cleaned.append(True)

    for _ in left():
        break
    assert cleaned == [True]
    spans = by_name(sink)
    assert spans["left"]["attributes"]["output.value"] == "[1]" and "status" not in spans["left"]


def test_async_generator_left_early(sink: Sink) -> None:
    @span
    async def numbers() -> AsyncIterator[int]:
        yield 1
        yield 2

    async def run() -> None:
        async for _ in numbers():
            break
        await asyncio.sleep(0.01)

    asyncio.run(run())
    assert sink.one()["attributes"]["output.value"] == "[1]"


def test_tasks_do_not_mix(sink: Sink, providers: Providers) -> None:
    client = observe(openai.AsyncOpenAI(api_key="none", base_url=providers.url + "/v1"), Provider.OPENAI)

    async def one(number: int) -> None:
        async with session(f"s-{number}"), trace(f"trace {number}"):
            await client.chat.completions.create(
                model=f"m-{number}", messages=[{"role": "user", "content": f"[slow {10 * (number % 3)}]"}]
            )

    async def run() -> None:
        await asyncio.gather(*(one(number) for number in range(12)))

    asyncio.run(run())
    spans = by_name(sink)
    for number in range(12):
        call, top = spans[f"chat m-{number}"], spans[f"trace {number}"]
        assert call["parentSpanId"] == top["spanId"] and call["traceId"] == top["traceId"]
        assert call["attributes"]["session.id"] == f"s-{number}"


def test_threads(sink: Sink) -> None:
    def work(name: str) -> None:
        with span(name):
            pass

    with trace("top"), ThreadPoolExecutor(4) as pool:
        list(pool.map(propagate(work), [f"carried {number}" for number in range(8)]))
        thread = threading.Thread(target=work, args=("alone",))
        thread.start()
        thread.join()
    spans = by_name(sink)
    assert {spans[f"carried {number}"].get("parentSpanId") for number in range(8)} == {spans["top"]["spanId"]}
    assert "parentSpanId" not in spans["alone"]


def test_session_decorates(sink: Sink) -> None:
    @session("s-9")
    def work() -> None:
        with span("within"):
            pass

    work()
    assert sink.one()["attributes"]["session.id"] == "s-9"


def test_nothing_is_recorded_without_init() -> None:
    @tool
    def work(x: int) -> int:
        return x

    with trace("top") as top, session("s"):
        top.set_output(object())
        assert work(1) == 1
    assert pulse_sdk.stats() == (0, 0, 0, 0, 0)


def test_one_step_for_many_calls(sink: Sink) -> None:
    @span
    def countdown(n: int) -> int:
        return countdown(n - 1) if n else 0

    countdown(3)
    spans = sink.flushed()
    assert len(spans) == 4 and len({one["spanId"] for one in spans}) == 4
    inputs = {one["attributes"]["input.value"]: one for one in spans}
    for n in range(3):
        assert inputs[f'{{"n":{n}}}']["parentSpanId"] == inputs[f'{{"n":{n + 1}}}']["spanId"]
