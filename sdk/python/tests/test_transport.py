"""How spans get to Pulse, and what happens when they do not."""

from __future__ import annotations

import gc
import logging
import socket
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import Any, List

import openai
import pytest
from conftest import Providers, RealPulse, Sink, until

import pulse_sdk
from pulse_sdk import Provider, _transport, observe, span


def steps(count: int, name: str = "step", size: int = 0) -> None:
    for number in range(count):
        with span(f"{name} {number}") as step:
            step.set_output("x" * size)


def names(sink: Sink) -> List[str]:
    return [one["name"] for one in sink.spans()]


def start(url: str, **options: Any) -> None:
    pulse_sdk.init_pulse(**{"api_key": "pulse_sk_test", "api_url": url, **options})


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits a twentieth as long between tries."""
    monkeypatch.setattr(_transport, "FIRST_WAIT", 0.025)


@pytest.fixture
def place() -> Any:
    one = Sink()
    yield one
    one.close()


def test_batches_by_count(place: Sink) -> None:
    start(place.url, batch_size=10, flush_interval=60)
    steps(9)
    time.sleep(0.1)
    assert not place.requests
    steps(1)
    until(lambda: len(place.spans()) == 10)
    steps(25)
    until(lambda: len(place.spans()) == 30)
    assert pulse_sdk.flush() and len(place.spans()) == 35
    assert all(len(request["body"]["resourceSpans"][0]["scopeSpans"][0]["spans"]) <= 10 for request in place.requests)
    assert pulse_sdk.stats() == (0, 0, 35, 0, 0)


def test_batches_by_bytes(place: Sink) -> None:
    start(place.url, batch_bytes=10_000, flush_interval=60)
    steps(5, size=4000)
    until(lambda: len(place.spans()) >= 4)
    steps(1, "large", size=50_000)
    assert pulse_sdk.flush()
    counts = [len(request["body"]["resourceSpans"][0]["scopeSpans"][0]["spans"]) for request in place.requests]
    assert max(counts) == 2 and sum(counts) == 6


def test_batches_by_time(place: Sink) -> None:
    start(place.url, flush_interval=0.2)
    began = time.monotonic()
    steps(1)
    until(lambda: place.spans())
    assert 0.15 < time.monotonic() - began < 2


def test_gzip_of_large_bodies_only(place: Sink) -> None:
    start(place.url)
    steps(1)
    pulse_sdk.flush()
    steps(1, size=5000)
    pulse_sdk.flush()
    assert [request["headers"].get("Content-Encoding") for request in place.requests] == [None, "gzip"]
    assert place.requests[0]["headers"]["Content-Type"] == "application/json"


def test_a_path_in_the_address_is_kept(place: Sink) -> None:
    start(place.url + "/under/here/")
    steps(1)
    pulse_sdk.flush()
    assert place.requests[0]["path"] == "/under/here/v1/traces"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_tried_again(place: Sink, quick: None, status: int) -> None:
    place.status = status
    start(place.url, flush_interval=0.1)
    steps(1)
    until(lambda: len(place.requests) >= 3)
    assert pulse_sdk.stats().queued == 1
    place.status = 200
    until(lambda: pulse_sdk.stats().sent == 1)
    assert len(place.spans()) == 1


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 408, 413, 501])
def test_not_tried_again(place: Sink, status: int, caplog: pytest.LogCaptureFixture) -> None:
    place.status = status
    place.answer = b'{"message":"no, not this"}'
    place.headers = {"Location": place.url + "/elsewhere"}
    start(place.url)
    steps(2)
    assert pulse_sdk.flush()
    steps(1)
    assert pulse_sdk.flush()
    assert pulse_sdk.stats() == (0, 0, 0, 0, 3) and len(place.requests) == 2
    (record,) = caplog.records
    assert str(status) in record.getMessage() and "no, not this" in record.getMessage()


def test_500_is_not_tried_for_ever(place: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_transport, "FIRST_WAIT", 0.001)
    place.status = 500
    start(place.url, batch_size=2, flush_interval=60)
    steps(3)
    until(lambda: pulse_sdk.stats().rejected == 2)
    assert len(place.requests) == _transport.MOST_FAULTS and pulse_sdk.stats().queued == 1
    place.status = 200
    assert pulse_sdk.flush() and pulse_sdk.stats() == (0, 0, 1, 0, 2)


def test_a_pulse_that_refuses_for_ever_is_told_once(
    place: Sink, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_transport, "FIRST_WAIT", 0.001)
    place.status, place.answer = 503, b"busy\n"
    start(place.url, flush_interval=0.1)
    steps(3)
    until(lambda: caplog.records)
    assert len(place.requests) >= _transport.TELL_AFTER
    until(lambda: len(place.requests) > _transport.TELL_AFTER + 2)
    (record,) = caplog.records
    what = f'Pulse answers 503 at {place.url}/v1/traces, spans wait for it: "busy\\n"'
    assert record.getMessage() == f"Pulse: {what}"


def test_partial_success(place: Sink, caplog: pytest.LogCaptureFixture) -> None:
    place.answer = b'{"partialSuccess":{"rejectedSpans":"1","errorMessage":"too deep"}}'
    start(place.url)
    steps(3)
    assert pulse_sdk.flush()
    assert pulse_sdk.stats() == (0, 0, 2, 0, 1)
    assert "too deep" in caplog.text


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after(place: Sink, quick: None, form: str) -> None:
    place.status = 429
    place.headers = {"Retry-After": "1" if form == "seconds" else formatdate(time.time() + 2, usegmt=True)}
    start(place.url, flush_interval=0.1)
    steps(1)
    until(lambda: len(place.requests) >= 2)
    assert place.requests[1]["at"] - place.requests[0]["at"] > 0.9


def test_retry_after_nothing_is_no_storm(place: Sink) -> None:
    place.status = 429
    place.headers = {"Retry-After": "0"}
    start(place.url, flush_interval=0.1)
    steps(1)
    time.sleep(1)
    assert 2 <= len(place.requests) <= 4


def test_retry_after_has_a_limit() -> None:
    assert _transport._retry_after("100000") == 60
    assert _transport._retry_after("-5") == 0
    assert _transport._retry_after("soon") is None
    assert _transport._retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


def test_waits_grow_to_a_limit() -> None:
    start("http://127.0.0.1:1")
    pulse = pulse_sdk._pulse._pulse
    assert pulse is not None
    waits = [pulse.transport._back_off(None) for _ in range(10)]
    for wait, whole in zip(waits, [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30]):
        assert whole / 2 <= wait <= whole


@pytest.mark.parametrize("delay", [0.0, 0.3], ids=["before", "during the request"])
def test_flush_does_not_wait_for_the_back_off(place: Sink, delay: float) -> None:
    place.status, place.headers, place.delay = 503, {"Retry-After": "60"}, delay
    start(place.url, flush_interval=0.1)
    steps(1)
    until(lambda: len(place.requests) == 1)
    if not delay:
        time.sleep(0.2)
    place.status, place.delay = 200, 0.0
    began = time.monotonic()
    assert pulse_sdk.flush()
    assert time.monotonic() - began < 2 and len(place.spans()) == 1


def test_flush_has_a_deadline() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        start(f"http://127.0.0.1:{silent.getsockname()[1]}", flush_timeout=0.3)
        steps(1)
        began = time.monotonic()
        assert pulse_sdk.flush() is False
        assert 0.25 < time.monotonic() - began < 1
        assert pulse_sdk.stats().queued == 1


def test_queue_drops_the_oldest(place: Sink, caplog: pytest.LogCaptureFixture) -> None:
    place.status = 503
    place.headers = {"Retry-After": "60"}
    start(place.url, queue_bytes=20_000, batch_size=1000, flush_interval=60)
    steps(100, size=1000)
    stats = pulse_sdk.stats()
    assert stats.queued_bytes <= 20_000 and stats.queued + stats.dropped == 100 and stats.dropped > 75
    assert len([record for record in caplog.records if "queue_bytes" in record.getMessage()]) == 1
    place.status = 200
    assert pulse_sdk.flush()
    assert names(place) == [f"step {number}" for number in range(stats.dropped, 100)]
    assert pulse_sdk.stats() == (0, 0, stats.queued, stats.dropped, 0)


def test_a_span_larger_than_the_queue(place: Sink) -> None:
    start(place.url, queue_bytes=2000)
    steps(1, size=5000)
    assert pulse_sdk.stats() == (0, 0, 0, 1, 0)
    steps(1)
    assert pulse_sdk.flush() and names(place) == ["step 0"]


@pytest.mark.parametrize("key", ["ключ", "two\nlines"])
def test_a_key_that_http_cannot_carry(place: Sink, caplog: pytest.LogCaptureFixture, key: str) -> None:
    start(place.url, api_key=key)
    steps(1)
    assert pulse_sdk.flush() and place.requests == []
    assert "api_key" in caplog.text


def test_without_a_scheme_nothing_is_recorded(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        start("localhost:4100")
        steps(1)
    assert pulse_sdk.stats().queued == 0 and pulse_sdk._pulse._pulse is None
    assert len(caplog.records) == 1 and "api_url is no address such as http://host[:port]" in caplog.text


def test_that_nobody_answers_is_told_once(quick: None, caplog: pytest.LogCaptureFixture) -> None:
    start("http://me:secret@127.0.0.1:1", api_key="pulse_sk_secret", flush_timeout=0.3)
    steps(3, "secret")
    assert pulse_sdk.flush() is False
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "Pulse: Pulse does not answer at http://127.0.0.1:1/v1/traces, spans wait for it: "
    )
    assert "secret" not in caplog.text


def test_a_name_that_dns_does_not_know(caplog: pytest.LogCaptureFixture) -> None:
    start("http://pulse.invalid", flush_timeout=0.3)
    steps(1)
    assert pulse_sdk.flush() is False
    assert pulse_sdk.stats().queued == 1


def test_shutdown_records_nothing_any_more(place: Sink) -> None:
    start(place.url)
    steps(1)
    assert pulse_sdk.shutdown()
    steps(1)
    assert pulse_sdk.flush() and len(place.spans()) == 1 and pulse_sdk.stats().sent == 1
    start(place.url)
    steps(1)
    assert pulse_sdk.flush() and len(place.spans()) == 2


def test_what_is_written_later_counts_and_is_bounded(place: Sink) -> None:
    start("http://127.0.0.1:1", queue_bytes=1024)
    transport = pulse_sdk._pulse._pulse.transport  # type: ignore[union-attr]
    going = threading.Event()

    def later() -> bytes:
        going.wait(10)
        return b"{}"

    def fails() -> bytes:
        raise ValueError

    for _ in range(5):
        assert transport.add_later(300, later)
    stats = pulse_sdk.stats()
    assert (stats.queued, stats.queued_bytes, stats.dropped) == (3, 900, 2)
    going.set()
    assert transport.add_later(10, fails)
    until(lambda: pulse_sdk.stats()[:2] == (3, 6))
    pulse_sdk.shutdown(0.01)
    assert not transport.add_later(1, later)


def test_set_up_twice(place: Sink) -> None:
    start(place.url)
    first = pulse_sdk._pulse._pulse
    steps(1)
    start(place.url)
    assert pulse_sdk._pulse._pulse is first
    start(place.url, service_name="other")
    steps(1)
    assert pulse_sdk.flush()
    assert len(place.requests) == 2 and len(place.spans()) == 2


def test_without_a_key(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        pulse_sdk.init_pulse()
        steps(1)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "api_key" in caplog.text


def test_many_threads(place: Sink) -> None:
    start(place.url, batch_size=50)
    threads = [threading.Thread(target=steps, args=(200, f"thread {number}")) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pulse_sdk.flush()
    assert len(names(place)) == len(set(names(place))) == 1600
    assert pulse_sdk.stats() == (0, 0, 1600, 0, 0)


# Through the proxy, into a real Pulse.


def client(providers: Providers) -> Any:
    return observe(openai.OpenAI(api_key="none", base_url=providers.url + "/v1"), Provider.OPENAI)


def call(openai_client: Any, text: str, name: str) -> str:
    answer = openai_client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": text}], pulse_session_id=name
    )
    return str(answer.choices[0].message.content)


def load(openai_client: Any, session: str, calls: int, more: str = "") -> List[str]:
    """Makes calls, 8 at a time, and gives the ids of their answers in the order of the calls."""

    def one(number: int) -> str:
        text = f"Hello {number}{more}"
        answer = openai_client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": text}], pulse_session_id=session
        )
        assert answer.choices[0].message.content == f"You said: {text}"
        return str(answer.id)

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, range(calls)))


def kept(pulse: RealPulse, session: str, count: int) -> List[Any]:
    """The traces of a session, once there are as many."""
    return list(until(lambda: (found := pulse.traces(session)) and len(found) >= count and found, 60))


@pytest.mark.parametrize("trouble", ["429", "500", "503", "garbage", "reset", "lose", "blackhole", "delay"])
def test_no_trouble_is_felt_and_nothing_is_lost(providers: Providers, pulse: RealPulse, trouble: str) -> None:
    """200 answers while Pulse is in trouble are right, and once it is back it has each call once."""
    providers.trouble(trouble, delayMs=300)
    tried = providers.tried(trouble)
    start(providers.proxy, api_key=pulse.key, batch_size=20, flush_interval=0.1, timeout=1.0)
    session = f"trouble-{trouble}-{openai.__version__}"
    ids = load(client(providers), session, 200)
    until(lambda: providers.tried(trouble) > tried + 1)
    providers.trouble("ok")
    assert pulse_sdk.flush(60)
    assert pulse_sdk.stats() == (0, 0, 200, 0, 0)
    traces = kept(pulse, session, 200)
    assert sorted(trace["providerRequestId"] for trace in traces) == sorted(ids)
    tokens = 2 + 10 + 4  # "Hello 1" and "You said: Hello 1"
    assert sum(trace["inputTokens"] + trace["outputTokens"] for trace in traces) == 200 * tokens


def test_memory_is_bounded(providers: Providers, pulse: RealPulse) -> None:
    """Many times as much as the queue holds comes while Pulse does not answer. What is dropped is counted, and Pulse gets all else, once."""
    queue, calls = 2 << 20, 400
    providers.trouble("blackhole")
    start(providers.proxy, api_key=pulse.key, queue_bytes=queue, batch_size=8, timeout=1.0)
    openai_client, session = client(providers), f"bounded-{openai.__version__}"
    load(openai_client, session, 8)
    tracemalloc.start()
    try:
        ids = load(openai_client, session, calls, "x" * 50_000)  # twice in each span
        gc.collect()
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    stats = pulse_sdk.stats()
    assert stats.queued_bytes <= queue and stats.dropped > calls / 2 and stats.queued + stats.dropped == calls + 8
    assert grown < 4 * queue
    providers.trouble("ok")
    assert pulse_sdk.flush(60)
    assert pulse_sdk.stats() == (0, 0, stats.queued, stats.dropped, 0)
    got = [trace["providerRequestId"] for trace in kept(pulse, session, stats.queued)]
    assert len(set(got)) == len(got) == stats.queued and ids[-1] in got


def test_huge_contents(providers: Providers, pulse: RealPulse, caplog: pytest.LogCaptureFixture) -> None:
    """What is larger than Pulse takes is counted and told, and holds up nothing."""
    start(pulse.url, api_key=pulse.key)
    session = f"huge-{openai.__version__}"
    with pulse_sdk.session(session):
        steps(1, "large", 5_000_000)
        steps(1, "too large", 40_000_000)
        steps(1)
    assert pulse_sdk.flush(60)
    assert pulse_sdk.stats() == (0, 0, 2, 0, 1) and "413" in caplog.text
    traces = kept(pulse, session, 2)
    assert sorted(trace["name"] for trace in traces) == ["large 0", "step 0"]


def test_what_pulse_shows(providers: Providers, pulse: RealPulse) -> None:
    start(pulse.url, api_key=pulse.key, service_name="shown")
    session = f"shown-{openai.__version__}"
    call(client(providers), "Hello [reasoning]", session)
    assert pulse_sdk.flush(10)
    (trace,) = until(lambda: pulse.traces(session))
    (known,) = providers.calls()
    assert trace["provider"] == "openai" and trace["modelRequested"] == "gpt-4o-mini" and trace["status"] == "success"
    assert trace["inputTokens"] == known["usage"]["input"] and trace["outputTokens"] == known["usage"]["output"]
    assert trace["costCents"] is not None
    (shown,) = pulse.spans(trace["traceId"])
    assert shown["finishReason"] == "stop" and shown["usage"]["cacheReadTokens"] == known["usage"]["cached"]
    assert shown["resource"]["service.name"] == "shown"
