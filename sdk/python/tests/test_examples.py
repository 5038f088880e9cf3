"""The programs of examples/python, as a reader would run them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from typing import Any, Dict, List

import openai
import pytest
from conftest import ROOT, Providers, RealPulse, until

EXAMPLES = ROOT / "examples" / "python"

pytestmark = pytest.mark.skipif(openai.__version__.startswith("1.3."), reason="written for the newest client")


def start(pulse: RealPulse, providers: Providers, name: str, *args: str) -> "subprocess.Popen[str]":
    env = {
        **os.environ,
        "PULSE_API_KEY": pulse.key,
        "PULSE_API_URL": pulse.url,
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": f"{providers.url}/v1",
        "PORT": "0",
    }
    return subprocess.Popen(
        [sys.executable, str(EXAMPLES / name), *args],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output(program: "subprocess.Popen[str]") -> str:
    text, errors = program.communicate(timeout=60)
    assert program.returncode == 0, errors
    return text


def shown(pulse: RealPulse, service: str) -> List[Dict[str, Any]]:
    (trace,) = until(lambda: [trace for trace in pulse.traces() if trace["services"] == [service]])
    return pulse.spans(trace["traceId"])


def test_chat(pulse: RealPulse, providers: Providers) -> None:
    assert output(start(pulse, providers, "chat.py", "Hello")) == "You said: Hello\n"
    (span,) = shown(pulse, "chat")
    assert span["sessionId"] == "session-123" and "pulse" not in str(providers.calls()[0]["request"])


def test_tools(pulse: RealPulse, providers: Providers) -> None:
    assert output(start(pulse, providers, "tools.py", "[tool] How warm is it?"))
    spans = shown(pulse, "tools")
    assert [span["name"] for span in spans] == ["agent", "chat gpt-4o-mini", "get_weather", "chat gpt-4o-mini"]
    assert {span["sessionId"] for span in spans} == {"tools-1"}


def test_stream_server(pulse: RealPulse, providers: Providers) -> None:
    program = start(pulse, providers, "stream_server.py")
    try:
        assert program.stdout is not None
        with urllib.request.urlopen(program.stdout.readline().strip() + "/?q=Hello+there", timeout=10) as answer:
            assert answer.read() == b"You said: Hello there"
    finally:
        program.terminate()
        _, errors = program.communicate(timeout=30)
    assert program.returncode == -signal.SIGTERM, errors
    spans = shown(pulse, "stream-server")
    assert [span["name"] for span in spans] == ["GET /", "chat gpt-4o-mini"]


def test_serverless(pulse: RealPulse, providers: Providers) -> None:
    assert "You said: Hello" in output(start(pulse, providers, "serverless.py"))
    assert [span["name"] for span in shown(pulse, "serverless")] == ["handler", "chat gpt-4o-mini"]
