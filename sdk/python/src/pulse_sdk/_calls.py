"""The span of one call to a model provider, from the request to the end of the answer."""

from __future__ import annotations

import json
import re
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Union

from . import _pulse
from ._content import dump, dump_json, plain, to_json
from ._log import never_raises
from ._span import CLIENT, Span, current
from ._streams import Assembler, ChatCompletion, Completion, GenerateContent, Message, Response
from ._transport import give_way


class Operation(NamedTuple):
    """What a path of a provider's API does."""

    pattern: "re.Pattern[str]"
    name: str
    assembler: Optional[Callable[[], Assembler]]


# The first that matches counts.
OPERATIONS = (
    Operation(re.compile(r"/chat/completions$"), "chat", ChatCompletion),
    Operation(re.compile(r"/responses$"), "chat", Response),
    Operation(re.compile(r"/completions$"), "text_completion", Completion),
    Operation(re.compile(r"/embeddings$"), "embeddings", None),
    # Not those of OpenAI's threads.
    Operation(re.compile(r"^(?!.*/threads/).*/messages$"), "chat", Message),
    Operation(re.compile(r":(generateContent|streamGenerateContent)$"), "generate_content", GenerateContent),
    Operation(re.compile(r":(embedContent|batchEmbedContents)$"), "embeddings", None),
)

_MODEL_IN_PATH = re.compile(r"([^/:]+):\w+$")


# Characters of a stream that are kept at most before they are read.
MOST_HEARD = 256 << 10

# Events that are read without giving way to the program: half a millisecond. With fewer, what one call left would reach far into the next.
AT_ONCE = 64

# The last events of streams that are not ended by [DONE].
LAST_EVENTS = ("message_stop", "response.completed", "response.failed", "response.incomplete")


class Extras(NamedTuple):
    """What the program says of a call beside the request: pulse_session_id and pulse_metadata."""

    session_id: Optional[Any] = None
    metadata: Optional[Any] = None

    def over(self, defaults: Extras) -> Extras:
        """These, and where they say nothing the session that runs now, and then the defaults."""
        metadata = self.metadata
        if isinstance(metadata, Mapping) and isinstance(defaults.metadata, Mapping):
            metadata = {**defaults.metadata, **metadata}
        session = self.session_id or current.get().session_id or defaults.session_id
        return Extras(session, defaults.metadata if metadata is None else metadata)


SESSION_NAMES = ("pulse_session_id", "pulseSessionId")
METADATA_NAMES = ("pulse_metadata", "pulseMetadata")


def take_extras(keywords: Dict[str, Any]) -> Extras:
    """Removes what is Pulse's from a call's keywords."""
    session = [keywords.pop(name) for name in SESSION_NAMES if name in keywords]
    metadata = [keywords.pop(name) for name in METADATA_NAMES if name in keywords]
    return Extras(session[0] if session else None, metadata[0] if metadata else None)


class Target(NamedTuple):
    """Whom a client calls."""

    provider: str
    address: str = ""
    port: Optional[int] = None


class Unanswered(Exception):
    """The program ended before there was an answer."""


class Call:
    """One call. Everything that is told after its end is ignored, and nothing here raises."""

    def __init__(self, pulse: _pulse.Pulse, operation: Operation, model: str, target: Target) -> None:
        self._pulse = pulse
        self._span = Span(f"{operation.name} {model}".rstrip(), CLIENT, current.get())
        self._assembler = operation.assembler() if operation.assembler else None
        self._body = bytearray()  # what was fed and not read yet
        self._asked = 0  # the length of the request
        self._hears = False
        self._carried = False  # something of a stream's answer came
        self._heard: List[str] = []  # events that were heard and not read yet
        self._times: List[int] = []  # when each of them was
        self._size = 0  # of them, in characters
        self._complete = False
        self._raw: Any = None
        self.ended = False
        self.answered = False  # the answer begins
        self._span.attributes.update(
            {
                "gen_ai.operation.name": operation.name,
                "gen_ai.provider.name": target.provider,
                "gen_ai.request.model": model or None,
                "server.address": target.address or None,
                "server.port": target.port,
            }
        )

    def __enter__(self) -> Call:
        return self

    def __exit__(self, _type: Any, error: Optional[BaseException], _traceback: Any) -> None:
        """Ends the call with the error that leaves the block in which the client asks."""
        if error is not None:
            self.fail(error)
        self.answered = True

    def leave(self, paused_only: bool) -> None:
        """Ends the call without an answer, of which nothing more is recorded."""
        if not paused_only and not self.answered:
            self.fail(Unanswered("the program ended before there was an answer"))

    @never_raises
    def ask(self, body: Any, extras: Extras) -> None:
        """Takes the request's body."""
        attributes = self._span.attributes
        request = self._pulse.content.of(body, "request")
        attributes["pulse.request"] = request
        self._asked = len(request or "")
        if extras.session_id:
            attributes["session.id"] = str(plain(extras.session_id))
        if extras.metadata is not None:
            attributes["pulse.metadata"] = to_json(extras.metadata)
            attributes["user.id"] = _user(extras.metadata)

    @never_raises
    def keep(self, model: Any) -> None:
        """Takes the answer before the client makes something else of it."""
        self._raw = dump_json(model)

    def hear(self, data: str) -> None:
        """Takes an event of a stream as the provider wrote it. It is read later, with others, since the program waits for each."""
        self._hears = True
        if self.ended:
            return
        self._heard.append(data)
        self._times.append(self._span.elapsed())
        self._size += len(data)
        if self._size >= MOST_HEARD:
            self._read_some()

    @never_raises
    def event(self, event: Any) -> None:
        """Takes an event of a stream as the client's model, or as JSON, unless it was heard before."""
        if not self._hears and not self.ended:
            self._add(dump(event), self._span.elapsed())

    @never_raises
    def _read_some(self) -> None:
        """Reads the first of the events that were heard and not read yet."""
        heard, times = self._heard[:AT_ONCE], self._times[:AT_ONCE]
        del self._heard[:AT_ONCE], self._times[:AT_ONCE]
        self._size -= sum(map(len, heard))
        if heard[-1].startswith("[DONE]"):
            self._complete = True
            heard = heard[:-1]
        try:
            events = json.loads(f"[{','.join(heard)}]")
        except ValueError:
            events = [read_json(data) for data in heard]
        if len(events) != len(heard):
            events = [read_json(data) for data in heard]
        for event, elapsed in zip(events, times):
            self._add(event, elapsed)

    @never_raises
    def _add(self, event: Any, elapsed: int) -> None:
        if self._assembler is None or not isinstance(event, dict) or event.get("error"):
            return
        if self._assembler.add(event) and not self._carried:
            self._carried = True
            self._span.attributes["gen_ai.response.time_to_first_chunk"] = elapsed / 1e9
        if event.get("type") in LAST_EVENTS:
            self._complete = True

    @never_raises
    def feed(self, piece: bytes) -> None:
        """Takes a piece of an answer's body that the client does not read itself."""
        if not self.ended:
            self._body += piece

    @never_raises
    def feed_events(self, piece: bytes) -> None:
        """Takes a piece of a body of server-sent events."""
        *lines, self._body = (self._body + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                self.hear(line[len(b"data:") :].strip().decode())

    @never_raises
    def succeed(self, answer: Any = None) -> None:
        """Ends the call with an answer, which is read later: the program waits for it."""
        if self.ended:
            return
        value = self._raw if self._raw is not None else dump_json(answer)
        if not isinstance(value, str):
            return self._end(value if isinstance(value, dict) else None)
        self.ended = True
        self._span.stop()
        self._pulse.take_later(self._asked + len(value), lambda: self._write(read_json(value)))

    @never_raises
    def end_stream(self, early: bool = False, error: Optional[BaseException] = None) -> None:
        """Ends a stream's call with what came of it."""
        if self.ended:
            return
        self.ended = True
        self._span.stop()
        if error is not None:
            self._span.fail(error, self._pulse.content.message)
        self._pulse.take_later(self._asked + self._size + len(self._body), lambda: self._conclude(early, error is not None))

    def _conclude(self, early: bool, failed: bool) -> bytes:
        """Reads what was heard and not read yet, and writes the span."""
        while self._heard:
            self._read_some()
            give_way()
        # Clients may close a stream at its last event, before the connection ends.
        if failed or early and not self._complete:
            self._span.attributes["pulse.stream_ended_early"] = True
        response = self._assembler.response() if self._assembler else None
        whole = read_json(self._body)  # of an answer that is no stream; else it is cut off, or no JSON at all
        return self._write(response or whole)

    def _write(self, answer: Any) -> bytes:
        if isinstance(answer, dict):
            self._answer(answer)
        return self._span.encode()

    @never_raises
    def fail(self, error: BaseException) -> None:
        """Ends the call with an error."""
        if self.ended:
            return
        self._span.fail(error, self._pulse.content.message)
        self._end(None)

    def _end(self, response: Optional[Dict[str, Any]]) -> None:
        if self.ended:
            return
        self.ended = True
        if response is not None:
            self._answer(response)
        self._pulse.take(self._span)

    @never_raises
    def _answer(self, response: Dict[str, Any]) -> None:
        usage = response.get("usage", response.get("usageMetadata"))
        self._span.attributes.update(
            {
                "gen_ai.response.model": response.get("model", response.get("modelVersion")),
                "gen_ai.response.id": response.get("id", response.get("responseId")),
                "gen_ai.response.finish_reasons": _finish_reasons(response) or None,
                "gen_ai.usage.raw": None if usage is None else to_json(usage),
                "pulse.response": self._pulse.content.of(response, "response"),
            }
        )


@never_raises
def begin(path: str, body: Any, target: Target, extras: Extras) -> Optional[Call]:
    """Begins the span of a POST to path, or answers None if it is none to record."""
    pulse = _pulse.get()
    if pulse is None:
        return None
    path = path.split("?", 1)[0].rstrip("/")
    for operation in OPERATIONS:
        if operation.pattern.search(path):
            break
    else:
        return None
    model = body.get("model") if isinstance(body, Mapping) else None
    if model is None:
        in_path = _MODEL_IN_PATH.search(path)
        model = in_path.group(1) if in_path else ""
    call = Call(pulse, operation, str(model), target)
    call.ask(body, extras)
    _pulse.watch(call)
    return call


def _user(metadata: Any) -> Optional[str]:
    if not isinstance(metadata, Mapping):
        return None
    user = metadata.get("userId", metadata.get("user_id"))
    return str(user) if isinstance(user, (str, int, float)) and not isinstance(user, bool) else None


def _finish_reasons(response: Dict[str, Any]) -> List[str]:
    """Why the answer ended, of each choice."""
    found = [choice.get("finish_reason") for choice in response.get("choices") or ()]
    found += [candidate.get("finishReason") for candidate in response.get("candidates") or ()]
    found.append(response.get("stop_reason"))
    if response.get("object") == "response":
        found.append((response.get("incomplete_details") or {}).get("reason") or response.get("status"))
    return [str(reason) for reason in found if reason]


def read_json(data: Union[str, bytearray]) -> Any:
    """What a text says in JSON, and None if it is none."""
    try:
        return json.loads(data)
    except ValueError:
        return None
