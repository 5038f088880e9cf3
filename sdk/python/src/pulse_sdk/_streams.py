"""What the events of a stream add up to: the answer that the provider would have given without streaming."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional, Protocol

Event = Dict[str, Any]


class Joined(List[str]):
    """A text of many, which are joined at the end: to join them one by one would take ever longer."""


def _join(to: Event, name: str, text: Any) -> None:
    """Adds a text to a member."""
    if not isinstance(text, str):
        return
    known = to.get(name)
    if not isinstance(known, Joined):
        known = to[name] = Joined([known] if isinstance(known, str) else [])
    known.append(text)


def _whole(value: Any) -> Any:
    """Copies a value, with what was joined as texts."""
    if isinstance(value, Joined):
        return "".join(value)
    if isinstance(value, dict):
        return {name: _whole(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return value


class Assembler(Protocol):
    """Takes a stream's events one by one."""

    def add(self, event: Event) -> bool:
        """Takes an event, and tells whether it carries text, reasoning or a tool call."""

    def response(self) -> Optional[Event]:
        """The answer so far, and None if there was no event."""


class ChatCompletion:
    """Adds up chat.completion.chunk events."""

    JOINED = ("content", "refusal", "reasoning", "reasoning_content")
    KEPT = ("id", "created", "model", "system_fingerprint", "service_tier")

    def __init__(self) -> None:
        self._head: Event = {}
        self._usage: Any = None
        self._choices: Dict[int, Event] = {}

    def add(self, event: Event) -> bool:
        if not self._head:
            self._head = self._first(event)
        self._usage = event.get("usage") or self._usage
        carries = False
        for choice in event.get("choices") or ():
            carries |= self._add_choice(choice)
        return carries

    def _first(self, event: Event) -> Event:
        return {**{name: event[name] for name in self.KEPT if name in event}, "object": "chat.completion"}

    def _add_choice(self, choice: Event) -> bool:
        index = choice.get("index", 0)
        whole = self._choices.setdefault(index, {"index": index, "message": {"content": None}, "finish_reason": None})
        whole["finish_reason"] = choice.get("finish_reason") or whole["finish_reason"]
        delta, message = choice.get("delta") or {}, whole["message"]
        if delta.get("role"):
            message.setdefault("role", delta["role"])
        carries = False
        for name, value in delta.items():
            if value is not None and name in self.JOINED:
                _join(message, name, value)
                carries |= value != ""
        for call in delta.get("tool_calls") or ():
            calls = message.setdefault("tool_calls", {})
            _add_tool_call(calls.setdefault(call.get("index", len(calls)), {}), call)
            carries = True
        return carries

    def response(self) -> Optional[Event]:
        if not self._head:
            return None
        choices = []
        for _, choice in sorted(self._choices.items()):
            message = dict(choice.get("message") or {})
            if "tool_calls" in message:
                message["tool_calls"] = [call for _, call in sorted(message["tool_calls"].items())]
            choices.append(_whole({**choice, "message": message} if "message" in choice else choice))
        usage = {} if self._usage is None else {"usage": self._usage}
        return {**self._head, "choices": choices, **usage}


def _add_tool_call(whole: Event, call: Event) -> None:
    for name in ("id", "type"):
        if call.get(name) is not None:
            whole.setdefault(name, call[name])
    function = call.get("function") or {}
    known = whole.setdefault("function", {"arguments": ""})
    if function.get("name") is not None:
        known.setdefault("name", function["name"])
    _join(known, "arguments", function.get("arguments"))


class Completion(ChatCompletion):
    """Adds up the events of a text completion."""

    def _first(self, event: Event) -> Event:
        return {**super()._first(event), "object": event.get("object", "text_completion")}

    def _add_choice(self, choice: Event) -> bool:
        index = choice.get("index", 0)
        whole = self._choices.setdefault(index, {"index": index, "text": "", "finish_reason": None})
        whole["finish_reason"] = choice.get("finish_reason") or whole["finish_reason"]
        _join(whole, "text", choice.get("text"))
        return bool(choice.get("text"))


class Response:
    """Takes the response of the last event that has one."""

    ENDS = ("response.completed", "response.failed", "response.incomplete")

    def __init__(self) -> None:
        self._response: Optional[Event] = None
        self._text: List[str] = []
        self._ended = False

    def add(self, event: Event) -> bool:
        kind = event.get("type") or ""
        if isinstance(event.get("response"), dict):
            self._response = event["response"]
            self._ended = kind in self.ENDS
        if kind == "response.output_text.delta":
            self._text.append(event.get("delta") or "")
        return bool(kind.endswith(".delta") and event.get("delta"))

    def response(self) -> Optional[Event]:
        if self._ended or self._response is None or not self._text:
            return self._response
        content = [{"type": "output_text", "text": "".join(self._text)}]
        return {**self._response, "output": [{"type": "message", "role": "assistant", "content": content}]}


class Message:
    """Adds up the events of an Anthropic message."""

    JOINED = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}

    def __init__(self) -> None:
        self._message: Optional[Event] = None
        self._blocks: Dict[int, Event] = {}
        self._inputs: Dict[int, List[str]] = {}

    def add(self, event: Event) -> bool:
        kind = event.get("type")
        if kind == "message_start":
            self._message = dict(event["message"])
        elif kind == "content_block_start":
            self._blocks[event["index"]] = dict(event["content_block"])
            return event["content_block"].get("type") not in ("text", "thinking")
        elif kind == "content_block_delta":
            return self._add_delta(event["index"], event["delta"])
        elif kind == "message_delta" and self._message is not None:
            self._message.update(event.get("delta") or {})
            self._message["usage"] = {**(self._message.get("usage") or {}), **(event.get("usage") or {})}
        return False

    def _add_delta(self, index: int, delta: Event) -> bool:
        block = self._blocks.setdefault(index, {})
        kind = delta.get("type")
        if kind == "input_json_delta":
            self._inputs.setdefault(index, []).append(delta["partial_json"])
        elif kind == "citations_delta":
            block["citations"] = [*(block.get("citations") or ()), delta["citation"]]
        elif kind in self.JOINED:
            name = self.JOINED[kind]
            _join(block, name, delta[name])
        return kind in ("text_delta", "thinking_delta", "input_json_delta")

    def response(self) -> Optional[Event]:
        if self._message is None:
            return None
        content = []
        for index, block in sorted(self._blocks.items()):
            text = "".join(self._inputs.get(index, ()))
            content.append(_whole({**block, "input": _parsed(text)} if text else block))
        return {**self._message, "content": content}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


class GenerateContent:
    """Adds up the chunks of Google's generateContent."""

    KEPT = ("usageMetadata", "modelVersion", "responseId")

    def __init__(self) -> None:
        self._last: Event = {}
        self._candidates: Dict[int, Event] = {}
        self._any = False

    def add(self, event: Event) -> bool:
        self._any = True
        self._last.update({name: event[name] for name in self.KEPT if event.get(name) is not None})
        carries = False
        for candidate in event.get("candidates") or ():
            whole = self._candidates.setdefault(candidate.get("index") or 0, {"index": candidate.get("index") or 0})
            if candidate.get("finishReason") is not None:
                whole["finishReason"] = candidate["finishReason"]
            content = candidate.get("content") or {}
            known = whole.setdefault("content", {"parts": []})
            if content.get("role") is not None:
                known["role"] = content["role"]
            for part in content.get("parts") or ():
                carries |= bool(part.get("text")) or "text" not in part
                _add_part(known["parts"], part)
        return carries

    def response(self) -> Optional[Event]:
        if not self._any:
            return None
        return {"candidates": [_whole(candidate) for _, candidate in sorted(self._candidates.items())], **self._last}


def _add_part(parts: List[Event], part: Event) -> None:
    last = parts[-1] if parts else {}
    if set(part) <= {"text", "thought"} and set(last) <= {"text", "thought"} and "text" in part and "text" in last:
        if part.get("thought") == last.get("thought"):
            _join(last, "text", part["text"])
            return
    parts.append(dict(part))
