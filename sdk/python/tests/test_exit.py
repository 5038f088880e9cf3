"""The end of a program, however it comes, and its forks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any, Dict, Tuple

import pytest
from conftest import Providers, Sink, python, until

PROGRAM = """
import os, signal, sys, threading, time
import openai, pulse_sdk
pulse_sdk.init_pulse(service_name="ends", flush_interval=60, flush_timeout=float(os.environ.get("FLUSH", 5)))
client = pulse_sdk.observe(openai.OpenAI(api_key="none", base_url=os.environ["PROVIDER_URL"] + "/v1"), "openai")
def call(**more):
    return client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hello there you"}], **more)
"""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals")


@pytest.fixture
def place() -> Any:
    one = Sink()
    yield one
    one.close()


def run(code: str, place: Sink, providers: Providers, **env: str) -> "subprocess.Popen[str]":
    return python(
        PROGRAM + code, {"PULSE_API_KEY": "k", "PULSE_API_URL": place.url, "PROVIDER_URL": providers.url, **env}
    )


def ended(program: "subprocess.Popen[str]") -> Tuple[int, str]:
    _, errors = program.communicate(timeout=120)
    return program.returncode, errors


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("call()", 0),
        ("call(); sys.exit(3)", 3),
        ("call(); raise RuntimeError('thrown')", 1),
        ("threading.Thread(target=call).start()", 0),
        ("call(); os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)", -signal.SIGTERM),
        ("call(); os.kill(os.getpid(), signal.SIGINT); time.sleep(30)", -signal.SIGINT),
        ("stream = call(stream=True); next(stream)", 0),
        ("import asyncio\nasync def main(): await asyncio.to_thread(call)\nasyncio.run(main())", 0),
    ],
    ids=["end", "exit", "raise", "thread", "SIGTERM", "SIGINT", "open stream", "asyncio"],
)
def test_the_call_is_there(code: str, status: int, place: Sink, providers: Providers) -> None:
    began = time.monotonic()
    returned, errors = ended(run(code, place, providers))
    assert returned == status, errors
    assert ("thrown" in errors) == ("thrown" in code)
    assert [span["name"] for span in place.spans()] == ["chat m"]
    assert time.monotonic() - began < 60


def test_sigterm_while_waiting_for_a_call(place: Sink, providers: Providers) -> None:
    program = run(
        "call(); client.chat.completions.create(model='m', messages=[{'role': 'user', 'content': '[hang]'}])",
        place,
        providers,
    )
    until(lambda: providers.calls())
    time.sleep(0.3)
    program.send_signal(signal.SIGTERM)
    assert ended(program)[0] == -signal.SIGTERM
    answered, unanswered = place.spans()
    assert "error.type" not in answered["attributes"]
    assert unanswered["attributes"]["error.type"] == "Unanswered"
    assert "[hang]" in unanswered["attributes"]["pulse.request"]


def test_a_handler_of_the_program_stays(place: Sink, providers: Providers) -> None:
    own = "signal.signal(signal.SIGTERM, lambda *_: (print('own'), sys.exit(7)))\n"
    for code in (own + PROGRAM, PROGRAM + own):
        kill = "call(); os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)"
        program = python(
            "import signal, sys\n" + code + kill,
            {"PULSE_API_KEY": "k", "PULSE_API_URL": place.url, "PROVIDER_URL": providers.url},
        )
        output, errors = program.communicate(timeout=120)
        assert (program.returncode, output) == (7, "own\n"), errors
    assert len(place.spans()) == 2


def test_ignored_sigterm_stays_ignored(place: Sink, providers: Providers) -> None:
    code = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + PROGRAM
    program = python(
        code + "os.kill(os.getpid(), signal.SIGTERM); call()",
        {"PULSE_API_KEY": "k", "PULSE_API_URL": place.url, "PROVIDER_URL": providers.url},
    )
    assert ended(program)[0] == 0
    assert len(place.spans()) == 1


@pytest.mark.parametrize("end", ["pass", "os.kill(os.getpid(), signal.SIGTERM)"], ids=["end", "SIGTERM"])
def test_the_end_has_a_deadline(end: str, place: Sink, providers: Providers) -> None:
    place.status = 503
    program = run(f"call(); print(time.monotonic()); sys.stdout.flush()\n{end}", place, providers, FLUSH="0.5")
    output, errors = program.communicate(timeout=120)
    assert errors == f"Pulse: spans not sent to Pulse at {place.url}/v1/traces before the end: 1\n"
    assert time.monotonic() - float(output) < 15
    assert len(place.requests) >= 1


def test_init_in_a_thread(place: Sink, providers: Providers) -> None:
    code = "import threading\ndef main():\n" + "\n".join("    " + line for line in (PROGRAM + "call()").splitlines())
    program = python(
        code + "\nthread = threading.Thread(target=main)\nthread.start()\nthread.join()",
        {"PULSE_API_KEY": "k", "PULSE_API_URL": place.url, "PROVIDER_URL": providers.url},
    )
    returned, errors = ended(program)
    assert returned == 0, errors
    assert len(place.spans()) == 1


def test_fork(place: Sink, providers: Providers) -> None:
    code = """
with pulse_sdk.span("parent"): pass
child = os.fork()
with pulse_sdk.span("in child" if child == 0 else "in parent"): pass
if child: os.waitpid(child, 0)
"""
    returned, errors = ended(run(code, place, providers))
    assert returned == 0, errors
    assert sorted(span["name"] for span in place.spans()) == ["in child", "in parent", "parent"]
    assert len({span["spanId"] for span in place.spans()}) == 3


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(method: str, place: Sink, providers: Providers, tmp_path: Any) -> None:
    script = tmp_path / "program.py"
    script.write_text(
        f"""
import multiprocessing, pulse_sdk
def work(number):
    pulse_sdk.init_pulse(flush_interval=60)
    with pulse_sdk.span(f"work {{number}}"): pass
if __name__ == "__main__":
    pulse_sdk.init_pulse(flush_interval=60)
    with pulse_sdk.span("main"): pass
    context = multiprocessing.get_context("{method}")
    processes = [context.Process(target=work, args=(number,)) for number in range(3)]
    for process in processes: process.start()
    for process in processes: process.join()
"""
    )
    env: Dict[str, str] = {**os.environ, "PULSE_API_KEY": "k", "PULSE_API_URL": place.url}
    done = subprocess.run([sys.executable, str(script)], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert sorted(span["name"] for span in place.spans()) == ["main", "work 0", "work 1", "work 2"]


def test_disabled_starts_nothing(place: Sink, providers: Providers) -> None:
    code = """
assert call(pulse_session_id="s").id
assert threading.active_count() == 1
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
"""
    returned, errors = ended(run(code, place, providers, PULSE_ENABLED="false"))
    assert (returned, errors) == (0, "")
    assert place.requests == []


def test_serverless(place: Sink, providers: Providers) -> None:
    code = """
@pulse_sdk.serverless
def handler(event, context):
    return call().choices[0].message.content
@pulse_sdk.serverless
async def handler_async(event):
    call()
    raise ValueError("as it was")
assert handler({}, None) == "You said: Hello there you"
assert pulse_sdk.stats().sent == 1
import asyncio
try: asyncio.run(handler_async({}))
except ValueError: pass
assert pulse_sdk.stats().sent == 2
os._exit(0)
"""
    returned, errors = ended(run(code, place, providers))
    assert (returned, errors) == (0, "")
    assert len(place.spans()) == 2
