"""What a wrapped call costs beside a bare one, in one run.

Usage: PYTHONPATH=src python bench/overhead.py [calls]. sdk/bench.sh runs it with a Pulse in trouble too.

The provider is a function in this process, so that the network's own ups and downs do not hide the SDK. Pulse is an address that takes
everything, or a proxy before a real one. A bare and a wrapped client take turns; the overhead is the difference of their percentiles.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Dict, List

import openai

try:
    import httpx2 as httpx
except ImportError:
    import httpx  # type: ignore[import-not-found,no-redef]

import pulse_sdk

TEXT = "word " * 400
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "gpt-4o-mini",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": TEXT}}],
    "usage": {"prompt_tokens": 400, "completion_tokens": 400, "total_tokens": 800},
}


def chunk(text: str) -> str:
    event = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}],
    }
    return f"data: {json.dumps(event)}\n\n"


STREAM = "".join(chunk(f"word{number} ") for number in range(100)) + "data: [DONE]\n\n"


def provide(request: Any) -> Any:
    if json.loads(request.content).get("stream"):
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=STREAM)
    return httpx.Response(200, json=ANSWER)


class Taker(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args: Any) -> None:
        pass


def client() -> openai.OpenAI:
    return openai.OpenAI(
        api_key="none", base_url="http://provider/v1", http_client=httpx.Client(transport=httpx.MockTransport(provide))
    )


def whole(openai_client: Any) -> None:
    openai_client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": TEXT}])


def streamed(openai_client: Any) -> None:
    for _ in openai_client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": TEXT}], stream=True
    ):
        pass


def measure(call: Callable[[Any], None], clients: Dict[str, Any], count: int) -> Dict[str, List[float]]:
    times: Dict[str, List[float]] = {name: [] for name in clients}
    for number in range(count + 50):
        for name, one in clients.items():
            began = time.perf_counter()
            call(one)
            if number >= 50:  # after warming up
                times[name].append((time.perf_counter() - began) * 1000)
    return times


# The proxy that makes trouble, and the key of the Pulse behind it.
PROXY, KEY = os.environ.get("BENCH_PROXY"), os.environ.get("PULSE_API_KEY", "pulse_sk_bench")
TROUBLES = ("ok", "delay", "blackhole", "reset", "lose", "429", "500", "503", "garbage") if PROXY else ("ok",)


def make(trouble: str) -> None:
    if PROXY:
        data = json.dumps({"mode": trouble, "delayMs": 300}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{PROXY}/trouble", data, method="PUT")).close()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    taker = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    threading.Thread(target=taker.serve_forever, daemon=True).start()
    url = PROXY or f"http://127.0.0.1:{taker.server_port}"
    pulse_sdk.init_pulse(api_key=KEY, api_url=url, flush_interval=0.5, timeout=2.0)
    clients = {"bare": client(), "wrapped": pulse_sdk.observe(client(), pulse_sdk.Provider.OPENAI)}
    heads = ("bare p50", "wrapped", "bare p99", "wrapped", "p50 +", "p99 +")
    print(f"{'Pulse':10}{'ms':24}" + "".join(f"{head:>10}" for head in heads))
    for trouble in TROUBLES:
        make(trouble)
        for name, call, calls in (("a call", whole, count), ("a stream of 100 events", streamed, count // 4)):
            gc.collect()
            times = measure(call, clients, calls)
            row = [sorted(times[one])[int(calls * share)] for share in (0.5, 0.99) for one in ("bare", "wrapped")]
            cells = [*row, row[1] - row[0], row[3] - row[2]]
            print(f"{trouble:10}{name:24}" + "".join(f"{value:10.3f}" for value in cells), flush=True)
    make("ok")
    pulse_sdk.flush(30)
    print(pulse_sdk.stats())


if __name__ == "__main__":
    main()
