"""The journey, from the client to what Pulse shows."""

from __future__ import annotations

import json
import pathlib
from typing import Any, Dict, List

import openai
import pytest
from conftest import FIXTURES, Providers, RealPulse, python, until

JOURNEY = pathlib.Path(__file__).parents[1] / "testdata" / "journey.py"


@pytest.mark.skipif(openai.__version__.startswith("1.3."), reason="needs responses")
def test_journey(pulse: RealPulse, providers: Providers) -> None:
    code = f"import runpy; runpy.run_path({str(JOURNEY)!r}, run_name='__main__')"
    program = python(code, {"PULSE_API_KEY": pulse.key, "PULSE_API_URL": pulse.url, "PROVIDER_URL": providers.url})
    _, errors = program.communicate(timeout=60)
    assert program.returncode == 0, errors

    def shown() -> List[Dict[str, Any]]:
        return [trace for trace in pulse.traces() if trace["services"] == ["journey"]]

    traces = until(lambda: (found := shown()) and len(found) == 11 and found)
    known = providers.calls()
    assert len(known) == 12
    calls = [
        span
        for trace in traces
        for span in pulse.spans(trace["traceId"])
        if span["kind"] == "llm_call" or span["kind"] == "embedding"
    ]
    assert len(calls) == 12, sorted({span["kind"] for trace in traces for span in pulse.spans(trace["traceId"])})
    by_id = {span["providerRequestId"]: span for span in calls if span["providerRequestId"]}
    for call in known:
        response = call.get("response") or {}
        identity = response.get("id") or response.get("responseId")
        if call["status"] == 200 and identity:
            usage = by_id[identity]["usage"]
            assert usage["inputTokens"] == call["usage"]["input"], call["path"]
            assert usage["outputTokens"] == call["usage"]["output"], call["path"]
            assert usage["cacheReadTokens"] == call["usage"]["cached"], call["path"]
    (agent,) = [trace for trace in traces if trace["sessionId"] == "s-2"]
    spans = pulse.spans(agent["traceId"])
    assert [span["name"] for span in spans] == ["agent", "chat gpt-4o-mini", "get_weather", "chat gpt-4o-mini"]
    assert {span["parentSpanId"] for span in spans[1:]} == {spans[0]["spanId"]}
    assert {span["sessionId"] for span in spans} == {"s-2"}
    assert (
        spans[2]["toolName"] == "get_weather"
        and spans[2]["toolInput"] == {"city": "Oslo"}
        and spans[2]["toolResponse"] == {"temperature": 21}
    )
    compare(pulse, traces)
    assert len(pulse.traces("s-1")) == 2
    (failed,) = [span for span in calls if span["status"] == "error"]
    assert failed["error"]


def compare(pulse: RealPulse, traces: List[Dict[str, Any]]) -> None:
    """Holds what Pulse shows against what all SDKs' journeys show."""
    want = json.loads((FIXTURES / "journey.json").read_text())
    shown = sorted((pulse.spans(trace["traceId"]) for trace in traces), key=lambda spans: str(spans[0]["startTime"]))
    got = [[{name: span.get(name) for name in want["fields"]} for span in spans] for spans in shown]
    assert got == want["traces"]
