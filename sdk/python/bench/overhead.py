"""What a wrapped call costs beside a bare one, in one run.

Usage: PYTHONPATH=src python bench/overhead.py [calls]. sdk/bench.sh runs it with a Pulse in trouble too.

The provider is a function in this process, so that the network's own ups and downs do not hide the SDK. Pulse is an address that takes
everything, or a proxy before a real one. A bare and a wrapped client take turns, each pair beginning with the other one, with a rest between calls
as programs that wait for a model have it. The percentiles of each round are compared: what is shown are the medians of the rounds, of the
difference of the p99 also the ends of a 96% interval, and of each side the longest pause of the garbage collector.
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
from typing import Any, Callable, Dict, List, Tuple

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


# The second lowest and the second highest of nine are the ends of a 96% interval of the median, whatever the figures are spread like.
ROUNDS = 9
REST = 0.002  # seconds
WARM_UP = 50


class Pauses:
    """The longest pause of the garbage collector since it was asked for."""

    def __init__(self) -> None:
        self._began = self._longest = 0.0
        gc.callbacks.append(self._told)

    def _told(self, phase: str, _info: Any) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self._longest = max(self._longest, time.perf_counter() - self._began)

    def longest(self) -> float:
        """Milliseconds; then it begins anew."""
        longest, self._longest = self._longest * 1000, 0.0
        return longest


PAUSES = Pauses()
Times = Tuple[List[float], List[float]]  # bare and wrapped, in milliseconds


def measure(call: Callable[[Any], None], clients: Tuple[Any, Any], count: int) -> Tuple[List[Times], List[float]]:
    """The times of each round, and the longest pauses of the garbage collector."""
    rounds: List[Times] = [([], []) for _ in range(ROUNDS)]
    pauses = [0.0, 0.0]
    for number in range(-WARM_UP, count):
        for side in (0, 1) if number % 2 else (1, 0):
            time.sleep(REST)
            PAUSES.longest()
            began = time.perf_counter()
            call(clients[side])
            took = (time.perf_counter() - began) * 1000
            if number >= 0:
                rounds[number * ROUNDS // count][side].append(took)
                pauses[side] = max(pauses[side], PAUSES.longest())
    return rounds, pauses


def at(times: List[float], share: float) -> float:
    return sorted(times)[int((len(times) - 1) * share)]


def compared(rounds: List[Times], pauses: List[float]) -> List[float]:
    """A line: p50 and p99 of both, what the wrapped has more, the ends of the interval, and the pauses."""

    def of(figure: Callable[[Times], float]) -> List[float]:
        return sorted(figure(times) for times in rounds)

    shown = [of(lambda times: at(times[side], share))[ROUNDS // 2] for share in (0.5, 0.99) for side in (0, 1)]
    more = [of(lambda times: at(times[1], share) - at(times[0], share)) for share in (0.5, 0.99)]
    return [*shown, more[0][ROUNDS // 2], more[1][ROUNDS // 2], more[1][1], more[1][-2], *pauses]


# The proxy that makes trouble, and the key of the Pulse behind it.
PROXY, KEY = os.environ.get("BENCH_PROXY"), os.environ.get("PULSE_API_KEY", "pulse_sk_bench")
MODES = os.environ.get("BENCH_MODES", "ok").split() if PROXY else ["ok"]


def make(trouble: str) -> None:
    if PROXY:
        data = json.dumps({"mode": trouble, "delayMs": 300}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{PROXY}/trouble", data, method="PUT")).close()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 900
    taker = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    threading.Thread(target=taker.serve_forever, daemon=True).start()
    url = PROXY or f"http://127.0.0.1:{taker.server_port}"
    pulse_sdk.init_pulse(api_key=KEY, api_url=url, flush_interval=0.5, timeout=2.0)
    clients = (client(), pulse_sdk.observe(client(), pulse_sdk.Provider.OPENAI))
    heads = ("bare p50", "wrapped", "bare p99", "wrapped", "p50 +", "p99 +", "from", "to", "bare gc", "wrapped")
    print(f"{'Pulse':10}{'ms':24}" + "".join(f"{head:>9}" for head in heads))
    for mode in MODES:
        make(mode)
        for name, call in (("a call", whole), ("a stream of 100 events", streamed)):
            gc.collect()
            figures = compared(*measure(call, clients, count))
            print(f"{mode:10}{name:24}" + "".join(f"{value:9.3f}" for value in figures), flush=True)
    make("ok")
    pulse_sdk.flush(30)
    print(pulse_sdk.stats())


if __name__ == "__main__":
    main()
