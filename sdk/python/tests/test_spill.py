"""Spans that outlive their program."""

from __future__ import annotations

import json
import os
import pathlib
import signal
from typing import Any, List

import pytest
from conftest import Sink, python, until

import pulse_sdk
from pulse_sdk import span

CRASH = """
import os, signal, pulse_sdk
pulse_sdk.init_pulse(flush_interval=60, service_name="crashed", release="1")
for number in range({count}):
    with pulse_sdk.span(f"lost {{number}}") as step: step.set_output("x" * {size})
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def place() -> Any:
    one = Sink()
    yield one
    one.close()


def crash(place: Sink, directory: pathlib.Path, count: int = 5, size: int = 10, **more: str) -> None:
    program = python(
        CRASH.format(count=count, size=size),
        {"PULSE_API_KEY": "k", "PULSE_API_URL": place.url, "PULSE_SPILL_DIRECTORY": str(directory), **more},
    )
    _, errors = program.communicate(timeout=30)
    assert program.returncode == -signal.SIGKILL, errors
    assert place.requests == []


def start(place: Sink, directory: pathlib.Path, **options: Any) -> None:
    pulse_sdk.init_pulse(**{"api_key": "k", "api_url": place.url, "spill_directory": str(directory), **options})


def files(directory: pathlib.Path) -> List[pathlib.Path]:
    return sorted(directory.glob("*.ndjson"))


def test_after_a_crash(place: Sink, tmp_path: pathlib.Path) -> None:
    crash(place, tmp_path)
    (file,) = files(tmp_path)
    header, *lines = file.read_text().splitlines()
    assert set(json.loads(header)) == {"resource", "scope"} and len(lines) == 5
    assert file.stat().st_mode & 0o077 == 0
    with file.open("a") as torn:
        torn.write('{"traceId":"torn')
    start(place, tmp_path, service_name="next")
    with span("new"):
        pass
    assert pulse_sdk.flush()
    assert sorted(one["name"] for one in place.spans()) == [*(f"lost {number}" for number in range(5)), "new"]
    resources = {
        one["name"]: attribute["value"]["stringValue"]
        for request in place.requests
        for resource in request["body"]["resourceSpans"]
        for attribute in resource["resource"]["attributes"]
        if attribute["key"] == "service.name"
        for one in resource["scopeSpans"][0]["spans"]
    }
    assert resources["lost 0"] == "crashed" and resources["new"] == "next"
    assert files(tmp_path) == []


def test_files_go_when_their_spans_are_taken(place: Sink, tmp_path: pathlib.Path) -> None:
    start(place, tmp_path / "made", flush_interval=60)
    with span("one"):
        pass
    assert len(files(tmp_path / "made")) == 1
    assert pulse_sdk.flush()
    assert files(tmp_path / "made") == []
    place.status = 400
    with span("two"):
        pass
    assert pulse_sdk.flush() and files(tmp_path / "made") == []


def test_spans_stay_while_pulse_is_down(place: Sink, tmp_path: pathlib.Path) -> None:
    place.status = 503
    crash_place = Sink()
    crash(crash_place, tmp_path)
    crash_place.close()
    start(place, tmp_path)
    assert pulse_sdk.flush(0.3) is False
    assert len(files(tmp_path)) == 1
    place.status = 200
    assert pulse_sdk.flush()
    assert files(tmp_path) == [] and len(place.spans()) == 5


def test_a_living_process_keeps_its_files(place: Sink, tmp_path: pathlib.Path) -> None:
    code = "import pulse_sdk\npulse_sdk.init_pulse(flush_interval=60)\nwith pulse_sdk.span('alive'): pass\nprint(1, flush=True)\ninput()"
    silent = Sink()
    env = {"PULSE_API_KEY": "k", "PULSE_API_URL": silent.url, "PULSE_SPILL_DIRECTORY": str(tmp_path)}
    import subprocess
    import sys

    program = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None and program.stdout.readline() == "1\n"
    start(place, tmp_path)
    assert pulse_sdk.flush() and place.spans() == [] and len(files(tmp_path)) == 1
    program.communicate("\n", timeout=30)
    assert [one["name"] for one in silent.spans()] == ["alive"] and files(tmp_path) == []
    silent.close()


def test_files_of_others(place: Sink, tmp_path: pathlib.Path) -> None:
    line = b'{"resource":{},"scope":{}}\n{"traceId":"a","spanId":"b","name":"other","attributes":[]}\n'
    fresh, old, empty, garbage = (
        tmp_path / f"{name}-1-abc{number}.ndjson" for number, name in enumerate(["else", "else", "else", "else"])
    )
    for file, content in ((fresh, line), (old, line), (empty, b""), (garbage, b"\x00\xff\n{}\n")):
        file.write_bytes(content)
    for file in (old, empty, garbage):
        os.utime(file, (1, 1))
    (tmp_path / "notes.txt").write_text("not ours")
    start(place, tmp_path)
    assert pulse_sdk.flush()
    assert [one["name"] for one in place.spans()] == ["other"]
    assert files(tmp_path) == [fresh] and (tmp_path / "notes.txt").exists()


def test_the_directory_has_a_limit(place: Sink, tmp_path: pathlib.Path) -> None:
    place.status = 503
    start(place, tmp_path, queue_bytes=100_000, flush_interval=60)
    for _ in range(300):
        with span("step") as step:
            step.set_output("x" * 1000)
        assert sum(file.stat().st_size for file in files(tmp_path)) <= 130_000
    assert pulse_sdk.stats().dropped > 200


def test_a_directory_that_cannot_be_written(
    place: Sink, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    start(place, tmp_path / "file")
    with span("step"):
        pass
    assert pulse_sdk.flush() and len(place.spans()) == 1
    assert any("Spill" in record.getMessage() for record in caplog.records)


def test_fork_has_its_own_file(place: Sink, tmp_path: pathlib.Path) -> None:
    code = """
import os, pulse_sdk
pulse_sdk.init_pulse(flush_interval=60)
with pulse_sdk.span("before"): pass
child = os.fork()
with pulse_sdk.span("child" if child == 0 else "parent"): pass
if child: os.waitpid(child, 0)
"""
    program = python(code, {"PULSE_API_KEY": "k", "PULSE_API_URL": place.url, "PULSE_SPILL_DIRECTORY": str(tmp_path)})
    _, errors = program.communicate(timeout=30)
    assert program.returncode == 0, errors
    assert sorted(one["name"] for one in place.spans()) == ["before", "child", "parent"]
    assert until(lambda: files(tmp_path) == [])
