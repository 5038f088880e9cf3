"""Measures what sdk/bench compares: bare and wrapped calls of openai's client, in blocks that follow each other in random order.

The arguments are the number of blocks and of the calls in each. Where Pulse is comes from the environment, as for any program. Run by sdk/bench.sh.
The provider is a function in this process, so that the network's own ups and downs do not hide the SDK.
"""

from __future__ import annotations

import json
import random
import sys
import time
from typing import Any, Callable, List

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


WARM_UP = 50  # calls
REST = 0.002  # seconds between two calls, as programs that wait for a model have it
# Seconds that a block of wrapped calls may take at most until all of it is sent: the bare calls after it must not pay for it.
SETTLING = 0.1


def measure(call: Callable[[Any], None], openai_client: Any, count: int) -> List[float]:
    """Times calls, in milliseconds."""
    times = []
    for _ in range(count):
        time.sleep(REST)
        began = time.perf_counter()
        call(openai_client)
        times.append((time.perf_counter() - began) * 1000)
    return times


def main() -> None:
    blocks, calls = int(sys.argv[1]), int(sys.argv[2])
    pulse_sdk.init_pulse(batch_size=10, timeout=2.0)
    clients = {"bare": client(), "wrapped": pulse_sdk.observe(client(), pulse_sdk.Provider.OPENAI)}
    lines = []
    for kind, call in (("a call", whole), ("a stream of 100 events", streamed)):
        for one in clients.values():
            measure(call, one, WARM_UP)
        for block in range(blocks):
            for side in random.sample(list(clients), len(clients)):
                lines += [f"{kind}\t{block}\t{side}\t{ms:.4f}\n" for ms in measure(call, clients[side], calls)]
                pulse_sdk.flush(SETTLING)
    sys.stdout.writelines(lines)
    pulse_sdk.shutdown(0)


if __name__ == "__main__":
    main()
