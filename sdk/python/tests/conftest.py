"""What the tests run against: fake model providers, a proxy that makes trouble, a real Pulse, and a sink that keeps what is sent."""

from __future__ import annotations

import gzip
import json
import os
import pathlib
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Dict, Iterator, List, Optional

import pytest

import pulse_sdk
from pulse_sdk import _log, _pulse

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[2]
FIXTURES = ROOT / "sdk" / "testdata"


def until(condition: Any, seconds: float = 15.0) -> Any:
    """Waits until condition gives something true, and gives it back."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            assert value, "it did not become true in time"
            return value
        time.sleep(0.02)


def fetch(url: str, method: str = "GET", body: Any = None, headers: Optional[Dict[str, str]] = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})}, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text.strip() else None


class Sink:
    """A place that takes OTLP and keeps the spans."""

    def __init__(self) -> None:
        self.requests: List[Dict[str, Any]] = []
        self.status = 200
        self.answer = b"{}"
        self.headers: Dict[str, str] = {}
        self.delay = 0.0  # seconds
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                status, headers, delay = sink.status, sink.headers, sink.delay
                request = {"path": self.path, "headers": dict(self.headers), "body": json.loads(body)}
                sink.requests.append({**request, "status": status, "at": time.monotonic()})
                time.sleep(delay)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(sink.answer))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(sink.answer)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def spans(self) -> List[Dict[str, Any]]:
        """The spans that were taken, with their attributes as a dict."""
        found = []
        for request in self.requests:
            if request["status"] == 200:
                for resource in request["body"]["resourceSpans"]:
                    for scope in resource["scopeSpans"]:
                        found += [
                            {**span, "attributes": read_attributes(span["attributes"])} for span in scope["spans"]
                        ]
        return found

    def flushed(self) -> List[Dict[str, Any]]:
        assert pulse_sdk.flush(10)
        return self.spans()

    def one(self) -> Dict[str, Any]:
        spans = self.flushed()
        assert len(spans) == 1, [span["name"] for span in spans]
        return spans[0]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def read_attributes(attributes: List[Dict[str, Any]]) -> Dict[str, Any]:
    return {attribute["key"]: read_value(attribute["value"]) for attribute in attributes}


def read_value(value: Dict[str, Any]) -> Any:
    ((kind, content),) = value.items()
    if kind == "arrayValue":
        return [read_value(item) for item in content["values"]]
    return int(content) if kind == "intValue" else content


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Each test sets up its own Pulse, and is warned anew."""
    _log._said.clear()
    yield
    for one in [*_pulse._before, *([_pulse._pulse] if _pulse._pulse else [])]:
        one.transport._queue.clear()  # its place is gone
        one.transport.close()
    _pulse._pulse = _pulse._latest = None
    _pulse._before.clear()
    _pulse._unfinished.clear()


@pytest.fixture
def sink() -> Iterator[Sink]:
    one = Sink()
    pulse_sdk.init_pulse(api_key="pulse_sk_test", api_url=one.url, service_name="tests")
    yield one
    one.close()


class Providers:
    """The fake model providers and the proxy."""

    def __init__(self, addresses: Dict[str, str]) -> None:
        self.url = addresses["provider"]
        self.proxy = addresses.get("proxy", "")

    def calls(self) -> List[Dict[str, Any]]:
        return fetch(f"{self.url}/calls") or []

    def forget(self) -> None:
        fetch(f"{self.url}/calls", "DELETE")

    def trouble(self, mode: str, **more: Any) -> None:
        fetch(f"{self.proxy}/trouble", "PUT", {"mode": mode, **more})

    def tried(self, mode: str) -> int:
        return int(fetch(f"{self.proxy}/trouble")["seen"].get(mode, 0))


class RealPulse:
    """A Pulse that runs, with a key."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.key = key

    def get(self, path: str) -> Any:
        return fetch(f"{self.url}{path}", headers={"Authorization": f"Bearer {self.key}"})

    def traces(self, session: str = "") -> List[Dict[str, Any]]:
        return list(self.get("/v1/traces?limit=1000" + (f"&session_id={session}" if session else ""))["traces"])

    def spans(self, trace: str) -> List[Dict[str, Any]]:
        return list(self.get(f"/v1/traces/{trace}/spans")["spans"])


@pytest.fixture(scope="session")
def pulse() -> Iterator[RealPulse]:
    binary = os.environ["PULSE_BINARY"]
    with socket.socket() as free, tempfile.TemporaryDirectory() as home:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        env = {
            **os.environ,
            "PULSE_HOME": home,
            "PORT": str(port),
            "OTLP_GRPC_PORT": "0",
            "PULSE_PASSWORD": "a-password-for-tests",
        }
        server = subprocess.Popen([binary], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: _answers(f"{url}/health"))
            key = subprocess.run(
                [binary, "keys", "create", "--email", "sdk@example.com"],
                env=env,
                check=True,
                capture_output=True,
                text=True,
            )
            yield RealPulse(url, key.stdout.strip())
        finally:
            server.terminate()
            server.wait(30)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=1)
        return True
    except OSError:
        return False


@pytest.fixture(scope="session")
def testserver(pulse: RealPulse) -> Iterator[Providers]:
    command = shlex.split(os.environ["PULSE_TESTSERVER"])
    server = subprocess.Popen(
        [*command, "-pulse", pulse.url], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None and server.stdin is not None
    try:
        yield Providers(json.loads(server.stdout.readline()))
    finally:
        server.stdin.close()
        server.wait(30)


@pytest.fixture
def providers(testserver: Providers) -> Providers:
    testserver.forget()
    testserver.trouble("ok")
    return testserver


def python(code: str, env: Optional[Dict[str, str]] = None) -> "subprocess.Popen[str]":
    """Starts another Python with code, in an environment without Pulse's variables but those given."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PULSE_")}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**clean, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
