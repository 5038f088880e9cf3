"""Sends spans to Pulse: a bounded queue, and one thread that empties it."""

from __future__ import annotations

import email.utils
import gzip
import json
import random
import re
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Optional, Tuple

from ._log import never_raises, warn_once
from ._options import Options
from ._span import encode, encode_resource
from ._spill import File, Spill
from ._version import __version__

GZIP_FROM = 1024  # bytes
RETRIED = frozenset((429, 500, 502, 503, 504))
TELL_AFTER = 5  # answers in a row after which is tried again
MOST_FAULTS = 10  # 500s in a row, from which on these very spans may be why
FIRST_WAIT, LONGEST_WAIT, LONGEST_RETRY_AFTER = 0.5, 30.0, 60.0  # seconds
ANSWER_BYTES = 64 << 10  # that are read of an answer


# Seconds that the thread that sends leaves to the program now and then. Python's lock goes to whoever asks first: without a rest, however short, that
# is the thread that just let go of it, and a call of the program would wait until the interpreter takes it away, some milliseconds later.
REST = 5e-5
_sends = threading.local()


def give_way() -> None:
    """Lets the program go on, in the thread that sends; elsewhere it is the program that calls."""
    if getattr(_sends, "here", False):
        time.sleep(REST)


class Stats(NamedTuple):
    """What became of the spans so far."""

    queued: int
    queued_bytes: int
    sent: int
    dropped: int
    rejected: int


class Item:
    """A span that waits."""

    __slots__ = ("data", "file", "gone", "header", "make", "number", "since", "size")

    def __init__(self, data: bytes, header: bytes, number: int = 0, file: Optional[File] = None) -> None:
        self.data = data
        self.size = len(data)
        self.header = header  # its resource and scope
        self.number = number  # 0 for those that were left behind
        self.since = time.monotonic() if number else 0.0
        self.file = file
        self.make: Optional[Callable[[], bytes]] = None  # writes the span, whose size is a guess until then
        self.gone = False


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class Transport:
    """Takes spans from any thread and never lets one wait for the network."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._url = options.api_url + "/v1/traces"
        self._shown = re.sub("//[^/]*@", "//", self._url)  # as the log may have it
        resource = encode_resource(options.service_name, options.release, options.environment, __version__)
        scope = encode({"name": "pulse-sdk", "version": __version__})
        self._header = b'{"resource":' + resource + b',"scope":' + scope + b"}"
        self._opener: Optional[urllib.request.OpenerDirector] = None
        self._sent = self._dropped = self._rejected = 0
        self.reset()

    def reset(self) -> None:
        """Forgets what waits and the thread that sent it. A forked child calls this: both are its parent's."""
        # A condition's lock may be taken again by the thread that has it, as a signal's handler does.
        self._changed = threading.Condition()
        self._queue: Deque[Item] = deque()
        self._unmade: Deque[Item] = deque()  # those of them that are not written yet
        self._flight: List[Item] = []
        self._bytes = 0
        self._added = 0
        self._flushing = 0  # flushes that wait
        self._flushes = 0  # all so far
        self._closed = False
        self._thread: Optional[threading.Thread] = None
        self._failures = 0
        self._refusals = 0  # answers in a row after which is tried again
        self._faults = 0  # those of them that are 500s, the latest in a row
        self._not_before = 0.0
        self._spill = (
            Spill(self._options.spill_directory, self._options.queue_bytes) if self._options.spill_directory else None
        )
        self._replayed = self._spill is None

    @property
    def keeps_files(self) -> bool:
        return self._spill is not None

    def start(self) -> None:
        """Starts to send what processes before this one left behind."""
        with self._changed:
            if not self._replayed:
                self._start_thread()

    def add(self, span: bytes) -> bool:
        """Queues an encoded span, and drops the oldest if there is too much. False once it takes no more."""
        with self._changed:
            if self._closed:
                return False
            file = self._spill.write(self._header, span) if self._spill else None
            self._add(Item(span, self._header, self._added + 1, file))
            return True

    def add_later(self, size: int, make: Callable[[], bytes]) -> bool:
        """Queues a span that make writes, in the thread that sends. Size is about how many bytes make holds until then."""
        with self._changed:
            if self._closed:
                return False
            item = Item(b"", self._header, self._added + 1)
            item.make, item.size = make, size
            self._unmade.append(item)
            self._add(item)
            return True

    def _add(self, item: Item) -> None:
        was_empty, was_full = not self._queue, self._is_full()
        self._added += 1
        self._queue.append(item)
        self._bytes += item.size
        self._shrink()
        self._start_thread()
        if was_empty or item.make or not was_full and self._is_full():
            self._changed.notify_all()

    def _shrink(self) -> None:
        while self._bytes > self._options.queue_bytes and self._queue:
            self._settle(self._queue.popleft())
            self._dropped += 1
            warn_once("dropped", "more waits for Pulse than queue_bytes, so the oldest spans are dropped")

    def _settle(self, item: Item) -> None:
        self._bytes -= item.size
        item.gone, item.make = True, None
        if item.file is not None and self._spill is not None:
            self._spill.settle(item.file)

    def _write(self, item: Item) -> None:
        """Writes a span that is not written yet, while nobody waits for it."""
        make = item.make
        data = never_raises(make)() if make else None
        with self._changed:
            if item.gone:
                return
            item.make = None
            self._bytes -= item.size
            if data is None:
                self._queue.remove(item)
                self._changed.notify_all()
            else:
                item.data, item.size = data, len(data)
                self._bytes += item.size
                self._shrink()

    def _is_full(self) -> bool:
        return len(self._queue) >= self._options.batch_size or self._bytes >= self._options.batch_bytes

    def _start_thread(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="pulse-sdk", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # the interpreter is ending: flush sends by itself
                self._thread = None

    def flush(self, timeout: Optional[float] = None) -> bool:
        """Sends what waits now, and waits for it at most timeout seconds. Tells whether all is settled."""
        deadline = time.monotonic() + (self._options.flush_timeout if timeout is None else timeout)
        with self._changed:
            last = self._added
            self._flushing += 1
            self._flushes += 1
            self._failures, self._not_before = 0, 0.0
            self._changed.notify_all()
            try:
                if self._settled(last):
                    return True
                self._start_thread()
                if self._thread is None:
                    return self._send_here(last, deadline)
                while not self._settled(last):
                    left = deadline - time.monotonic()
                    if left <= 0:
                        return False
                    self._changed.wait(left)
                return True
            finally:
                self._flushing -= 1

    def _settled(self, last: int) -> bool:
        first = self._flight or self._queue
        return self._replayed and (not first or first[0].number > last)

    def _send_here(self, last: int, deadline: float) -> bool:
        while not self._settled(last) and time.monotonic() < deadline:
            self._step(deadline)
        return self._settled(last)

    def close(self) -> None:
        """Takes no more spans. The thread ends when nothing waits any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def stats(self) -> Stats:
        with self._changed:
            waiting = len(self._queue) + len(self._flight)
            return Stats(waiting, self._bytes, self._sent, self._dropped, self._rejected)

    def warn_of_unsent(self) -> None:
        """Tells how many spans are left when the program ends."""
        count = self.stats().queued
        if count:
            kept = f", kept in {self._options.spill_directory}" if self._options.spill_directory else ""
            warn_once(f"unsent {id(self)}", f"spans not sent to Pulse at {self._shown} before the end: {count}{kept}")

    def _run(self) -> None:
        _sends.here = True
        changed = self._changed
        while True:
            with changed:
                if changed is not self._changed or self._closed and not self._queue:
                    return
            try:
                self._step()
            except Exception as error:
                warn_once("sending", f"sending went wrong: {error!r}")
                time.sleep(LONGEST_WAIT)

    def _step(self, deadline: float = float("inf")) -> None:
        """Waits until something is due, and sends a batch of it."""
        self._replay()
        with self._changed:
            unmade = self._unmade.popleft() if self._unmade else None
            wait = 0.0 if unmade else self._wait()
            if wait > 0:
                left = min(wait, deadline - time.monotonic(), threading.TIMEOUT_MAX)
                self._changed.wait(max(left, 0))
                return
            batch = [] if unmade else self._take()
            flushes = self._flushes
        if unmade:
            return self._write(unmade)
        retry_in = self._send(batch)
        with self._changed:
            self._flight = []
            if retry_in is None:
                self._failures = 0
                for item in batch:
                    self._settle(item)
            else:
                self._queue.extendleft(reversed(batch))
                # A flush that came meanwhile does not wait for what was found before it.
                self._not_before = time.monotonic() + retry_in if flushes == self._flushes else 0.0
            self._changed.notify_all()

    def _wait(self) -> float:
        """Seconds until the next request is due."""
        if not self._queue:
            return float("inf")
        now = time.monotonic()
        if self._flushing or self._closed or self._is_full():
            return self._not_before - now
        return max(self._not_before, self._queue[0].since + self._options.flush_interval) - now

    def _take(self) -> List[Item]:
        batch: List[Item] = []
        size = 0
        while self._queue and len(batch) < self._options.batch_size:
            size += self._queue[0].size
            if batch and size > self._options.batch_bytes:
                break
            batch.append(self._queue.popleft())
        self._flight = batch
        return batch

    def _replay(self) -> None:
        """Queues what processes before this one left behind, before all else."""
        if self._replayed:
            return
        found = self._left_behind() or []
        with self._changed:
            self._queue.extendleft(reversed(found))
            self._bytes += sum(item.size for item in found)
            self._shrink()
            self._replayed = True
            self._changed.notify_all()

    @never_raises
    def _left_behind(self) -> List[Item]:
        assert self._spill is not None
        found = self._spill.left_behind()
        return [Item(line, header, 0, file) for file, header, lines in found for line in lines]

    def _send(self, batch: List[Item]) -> Optional[float]:
        """Sends a batch. None: it is settled. Otherwise the seconds until it is tried again."""
        try:
            status, headers, answer = self._post(_body(batch))
        except Exception as error:
            warn_once("unreachable", f"Pulse does not answer at {self._shown}, spans wait for it: {error}")
            return self._back_off(None)
        if 200 <= status < 300:
            rejected = _rejected(answer)
            if rejected is None:
                what = f"what answers at {self._shown} is not Pulse, spans wait for it: {_quoted(answer)}"
                warn_once("garbage", what)
                return self._back_off(None)
            self._refusals = self._faults = 0
            count, why = rejected
            if count:
                self._reject(count, f"Pulse left out spans: {why}")
            with self._changed:
                self._sent += len(batch) - count
            return None
        self._faults = self._faults + 1 if status == 500 else 0
        if status in RETRIED and self._faults < MOST_FAULTS:
            self._refusals += 1
            if self._refusals >= TELL_AFTER:
                what = f"Pulse answers {status} at {self._shown}, spans wait for it: {_quoted(answer)}"
                warn_once("refusal", what)
            return self._back_off(headers.get("retry-after"))
        self._refusals = self._faults = 0
        self._reject(len(batch), f"Pulse answered {status}: {answer[:200].decode('utf-8', 'replace')}")
        return None

    def _reject(self, count: int, why: str) -> None:
        with self._changed:
            self._rejected += count
        warn_once("rejected", why)

    def _back_off(self, retry_after: Optional[str]) -> float:
        self._failures += 1
        asked = _retry_after(retry_after)
        # Not at once, even if that is asked for: it would be asked for again.
        seconds = min(FIRST_WAIT * 2 ** min(self._failures - 1, 10), LONGEST_WAIT) if asked is None else FIRST_WAIT
        return max(seconds * random.uniform(0.5, 1), asked or 0.0)

    def _post(self, body: bytes) -> Tuple[int, Dict[str, str], bytes]:
        headers = {
            "Authorization": f"Bearer {self._options.api_key}",
            "Content-Type": "application/json",
            "User-Agent": f"pulse-sdk-python/{__version__}",
        }
        if len(body) > GZIP_FROM:
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        request = urllib.request.Request(self._url, body, headers, method="POST")
        if self._opener is None:
            self._opener = _opener(self._url)
        try:
            with self._opener.open(request, timeout=self._options.timeout) as answer:
                return answer.status, _lower(answer.headers), answer.read(ANSWER_BYTES)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _lower(error.headers), error.read(ANSWER_BYTES)


def _opener(url: str) -> urllib.request.OpenerDirector:
    # Proxies from the environment only: to ask macOS for its own is not safe after a fork.
    handlers: List[urllib.request.BaseHandler] = [
        urllib.request.ProxyHandler(urllib.request.getproxies_environment()),
        _NoRedirects(),
    ]
    if url.startswith("https:"):
        # Once, since it reads all of the certificates.
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context()))
    return urllib.request.build_opener(*handlers)


def _lower(headers: Any) -> Dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _body(batch: List[Item]) -> bytes:
    """OTLP's request. Spans that a process before this one left behind stay with its resource."""
    groups: List[Tuple[bytes, List[bytes]]] = []
    for item in batch:
        if not groups or groups[-1][0] != item.header:
            groups.append((item.header, []))
        groups[-1][1].append(item.data)
    return b'{"resourceSpans":[' + b",".join(_group(header, spans) for header, spans in groups) + b"]}"


def _group(header: bytes, spans: List[bytes]) -> bytes:
    parts = json.loads(header)
    resource, scope = encode(parts.get("resource", {})), encode(parts.get("scope", {}))
    return b'{"resource":' + resource + b',"scopeSpans":[{"scope":' + scope + b',"spans":[' + b",".join(spans) + b"]}]}"


def _quoted(answer: bytes) -> str:
    """The beginning of an answer as the log has it."""
    return json.dumps(answer[:200].decode("utf-8", "replace"), ensure_ascii=False)


def _rejected(answer: bytes) -> Optional[Tuple[int, str]]:
    """The number of spans that Pulse left out, and why. None if the answer is not Pulse's."""
    if not answer.strip():
        return 0, ""
    try:
        partial = json.loads(answer).get("partialSuccess") or {}
        return int(partial.get("rejectedSpans") or 0), str(partial.get("errorMessage") or "")
    except (ValueError, AttributeError, TypeError):
        return None


def _retry_after(value: Optional[str]) -> Optional[float]:
    """Seconds of a Retry-After header, which has seconds or a date."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError):
            return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)
