"""What of a program's contents is sent: JSON values, and what the options make of them."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import enum
import hashlib
import json
import math
import pathlib
import re
import uuid
from typing import Any, Dict, List, Set, Union

from ._log import warn_once
from ._options import Options

REDACTION_FAILED = "[redaction failed]"

# Deeper than any request that a provider takes, and well below Python's own limit.
MAX_DEPTH = 100

_AS_TEXT = (
    datetime.datetime,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    decimal.Decimal,
    uuid.UUID,
    pathlib.PurePath,
)
_DATA_URL = re.compile(r"data:(image/[\w.+-]+);base64,([A-Za-z0-9+/_=-]+)")

_KEPT = {
    "request": [
        "model",
        "stream",
        "temperature",
        "top_p",
        "top_k",
        "n",
        "seed",
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "frequency_penalty",
        "presence_penalty",
        "logprobs",
        "top_logprobs",
        "service_tier",
        "reasoning_effort",
        "reasoning.effort",
        "thinking.type",
        "thinking.budget_tokens",
        "parallel_tool_calls",
        "dimensions",
        "encoding_format",
        "store",
        "truncation",
        "generationConfig.temperature",
        "generationConfig.topP",
        "generationConfig.topK",
        "generationConfig.maxOutputTokens",
        "generationConfig.candidateCount",
        "generationConfig.seed",
        "generationConfig.thinkingConfig.thinkingBudget",
    ],
    "response": [
        "id",
        "object",
        "type",
        "model",
        "created",
        "created_at",
        "status",
        "service_tier",
        "system_fingerprint",
        "role",
        "stop_reason",
        "incomplete_details.reason",
        "usage",
        "modelVersion",
        "responseId",
        "createTime",
        "usageMetadata",
        "choices[].index",
        "choices[].finish_reason",
        "candidates[].index",
        "candidates[].finishReason",
        "promptFeedback.blockReason",
    ],
}


def to_json(value: Any) -> str:
    """Writes any value as JSON. What JSON does not know becomes a text that says what it was."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except Exception:
        # Someone else's objects may raise anything; the slow way looks at each by itself.
        return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))


def plain(value: Any, _above: Union[Set[int], None] = None) -> Any:
    """Copies any value into one that JSON knows."""
    above = set() if _above is None else _above
    try:
        return _plain(value, above)
    except Exception as error:
        return f"[{type(value).__name__} that raises {type(error).__name__}]"


def _plain(value: Any, above: Set[int]) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value.value if isinstance(value, enum.Enum) else value
    if isinstance(value, int):
        return int(value) if abs(int(value)) < 1 << 1024 else f"[int of {value.bit_length()} bits]"
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, enum.Enum):
        return plain(value.value, above)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"[{len(value)} bytes]"
    if isinstance(value, _AS_TEXT):
        return str(value)
    if isinstance(value, type) or callable(value):
        return f"[{'class' if isinstance(value, type) else 'function'} {getattr(value, '__qualname__', type(value).__name__)}]"
    if id(value) in above:
        return "[circular]"
    if len(above) >= MAX_DEPTH:
        return "[too deep]"
    above.add(id(value))
    try:
        return _plain_container(value, above)
    finally:
        above.discard(id(value))


def _plain_container(value: Any, above: Set[int]) -> Any:
    if isinstance(value, dict) or hasattr(value, "keys") and hasattr(value, "__getitem__"):
        return {str(plain(key, above)): _member(value, key, above) for key in list(value.keys())}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item, above) for item in value]
    if hasattr(value, "model_dump"):
        return plain(dump(value), above)
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name), above) for field in dataclasses.fields(value)}
    return f"[{type(value).__name__}]"


def _member(mapping: Any, key: Any, above: Set[int]) -> Any:
    try:
        return plain(mapping[key], above)
    except Exception as error:
        return f"[raises {type(error).__name__}]"


def dump(model: Any) -> Any:
    """Gives a pydantic model of a client back as the JSON that it was read from."""
    if hasattr(model, "model_dump"):
        try:
            return model.model_dump(mode="json", by_alias=True, exclude_unset=True, warnings=False)
        except Exception:
            return model.model_dump(by_alias=True, exclude_unset=True)
    if hasattr(model, "dict"):
        return model.dict(by_alias=True, exclude_unset=True)
    return model


def dump_json(model: Any) -> Any:
    """As dump, but as JSON if the model can write that itself, which takes it a fraction of the time."""
    write = getattr(model, "model_dump_json", None)
    if write is not None:
        try:
            return write(by_alias=True, exclude_unset=True, warnings=False)
        except Exception:
            pass
    return dump(model)


class Content:
    """Decides what is sent of each content, in the order of docs/sdk.md."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._as_it_is = options.capture_content and not (
            options.redact or options.hash_images or options.max_content_bytes
        )
        self._kept = {role: _tree(paths) for role, paths in _KEPT.items()}

    def of(self, value: Any, role: str = "") -> Union[str, None]:
        """The JSON that is sent in place of value, and None to send nothing. Role is ``request``, ``response`` or neither."""
        if self._as_it_is:
            return to_json(value)
        if not self._options.capture_content:
            if role not in self._kept:
                return None
            value = _keep(value, self._kept[role])
        # A copy: redact may change what it is given, and the program's own must stay.
        value = json.loads(to_json(value))
        if self._options.redact:
            value = self._redacted(value)
        if self._options.hash_images:
            value = _hash_images(plain(value))
        if self._options.max_content_bytes:
            value = _cut(plain(value), self._options.max_content_bytes)
        return to_json(value)

    def _redacted(self, value: Any) -> Any:
        assert self._options.redact is not None
        try:
            value = self._options.redact(value)
            to_json(value)
            return value
        except Exception as error:
            warn_once("redact", f"redact raised {type(error).__name__}, so the content is not sent")
            return REDACTION_FAILED

    def message(self, text: str) -> str:
        """What is sent in place of an error's text, which may say what a content says."""
        if not self._options.redact:
            return text
        value = self._redacted(text)
        return value if isinstance(value, str) else to_json(value)

    def text_of(self, value: Any) -> Union[str, None]:
        """As of, but a text stays itself and is not put in quotes."""
        content = self.of(value)
        if content is not None and content.startswith('"'):
            return str(json.loads(content))
        return content


def _tree(paths: List[str]) -> Dict[str, Any]:
    tree: Dict[str, Any] = {}
    for path in paths:
        node = tree
        for name in path.split("."):
            node = node.setdefault(name, {})
    return tree


def _keep(value: Any, tree: Dict[str, Any]) -> Any:
    if not isinstance(value, dict):
        return {}
    kept: Dict[str, Any] = {}
    for name, below in tree.items():
        member = name[:-2] if name.endswith("[]") else name
        if member not in value:
            continue
        if name.endswith("[]"):
            if isinstance(value[member], list):
                kept[member] = [_keep(element, below) for element in value[member]]
        elif not below:
            kept[member] = value[member]
        elif isinstance(value[member], dict):
            kept[member] = _keep(value[member], below)
    return kept


def _hash_images(value: Any) -> Any:
    if isinstance(value, str):
        return _DATA_URL.sub(lambda url: _hashed(url.group(1), url.group(2)), value)
    if isinstance(value, list):
        return [_hash_images(item) for item in value]
    if isinstance(value, dict):
        # Anthropic and Google give an image's type beside its data.
        kind = value.get("media_type", value.get("mimeType"))
        data = value.get("data")
        if isinstance(kind, str) and kind.startswith("image/") and isinstance(data, str):
            return {**value, "data": _hashed(kind, data)}
        return {name: _hash_images(member) for name, member in value.items()}
    return value


def _hashed(kind: str, data: str) -> str:
    try:
        content = base64.b64decode(data.translate({45: 43, 95: 47}) + "==")
    except ValueError:
        content = data.encode()
    return f"data:{kind};sha256,{hashlib.sha256(content).hexdigest()}"


def _cut(value: Any, size: int) -> Any:
    if isinstance(value, str):
        encoded = value.encode("utf-8", "replace")
        return value if len(encoded) <= size else encoded[:size].decode("utf-8", "ignore")
    if isinstance(value, list):
        return [_cut(item, size) for item in value]
    if isinstance(value, dict):
        return {name: _cut(member, size) for name, member in value.items()}
    return value
