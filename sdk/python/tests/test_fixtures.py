"""What sdk/testdata says of all SDKs."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from conftest import FIXTURES

from pulse_sdk import _content, _options
from pulse_sdk._calls import OPERATIONS

OPTION_ROWS = json.loads((FIXTURES / "options.json").read_text())
STREAMS = sorted((FIXTURES / "streams").glob("*.json"))


def snake(name: str) -> str:
    return re.sub("([A-Z])", lambda letter: "_" + letter[1].lower(), name)


def scaled(row: Any, value: Any) -> Any:
    return value / 1000 if row["type"] == "milliseconds" else value


def test_every_option_is_there() -> None:
    assert [snake(row["name"]) for row in OPTION_ROWS] == [option.name for option in _options.OPTIONS]


@pytest.mark.parametrize("row", OPTION_ROWS, ids=lambda row: row["name"])
def test_option(row: Any, caplog: pytest.LogCaptureFixture) -> None:
    name = snake(row["name"])

    def read(given: Any = None, **env: str) -> Any:
        return getattr(_options.resolve({name: given}, environ=env), name)

    assert read() == scaled(row, row["default"])
    for variable in row["env"]:
        assert read(**{variable: ""}) == scaled(row, row["default"])
    first = row["env"][0]
    good = {
        "string": "x",
        "address": "http://x",
        "boolean": "0" if row["default"] else "true",
        "integer": "2000" if name != "batch_size" else "7",
        "milliseconds": "2500",
    }[row["type"]]
    value = {
        "string": "x",
        "address": "http://x",
        "boolean": not row["default"],
        "integer": int(good) if good.isdigit() else 0,
        "milliseconds": 2.5,
    }[row["type"]]
    assert read(**{first: good}) == value
    assert read(value, **{first: "nonsense"}) == value
    assert not caplog.records
    if row["type"] not in ("string", "address"):
        assert read(**{first: "nonsense"}) == scaled(row, row["default"])
        assert read([]) == scaled(row, row["default"])
        assert [record.getMessage().split()[1] for record in caplog.records] == [first, name]
        for number, record in enumerate(caplog.records):
            for bound in [row[bound] for bound in ("min", "max") if bound in row]:
                assert f" {bound if number == 0 else scaled(row, bound)}" in record.getMessage()
    for bound, beyond in (("min", -1), ("max", 1)):
        if bound in row:
            assert read(scaled(row, row[bound])) == scaled(row, row[bound])
            assert read(scaled(row, row[bound] + beyond)) == scaled(row, row["default"])


@pytest.mark.parametrize("variable", [True, False], ids=["in the environment", "in code"])
def test_addresses(variable: bool, caplog: pytest.LogCaptureFixture) -> None:
    def read(text: str, **more: Any) -> _options.Options:
        return _options.resolve(
            {**more, **({} if variable else {"api_url": text})}, environ={"PULSE_API_URL": text} if variable else {}
        )

    (row,) = (row for row in OPTION_ROWS if row["type"] == "address")
    for text in row["good"]:
        assert read(text).enabled and read(text).api_url == text
    assert not caplog.records
    for text in row["bad"]:
        assert not read(text, enabled=False).enabled
    assert not caplog.records
    for text in row["bad"]:
        assert not read(text).enabled, text
    (record,) = caplog.records
    name = "PULSE_API_URL" if variable else "api_url"
    assert record.getMessage() == (
        f"Pulse: {name} is no address such as http://host[:port] or https://host[:port]: nothing is recorded"
    )


def test_no_option_makes_the_program_fail() -> None:
    bad = {option.name: value for option, value in zip(_options.OPTIONS, [object(), float("nan"), b"", 1j, [], {}] * 3)}
    assert _options.resolve(bad, environ={}).batch_size == 100
    assert _options.resolve({"api_url": 7}, environ={}).enabled is False
    assert _options.resolve({"flush_interval": float("nan")}, environ={}).flush_interval == 5.0


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_stream(path: Any) -> None:
    case = json.loads(path.read_text())
    operation = next(operation for operation in OPERATIONS if operation.pattern.search(case["path"]))
    assert operation.assembler is not None
    assembler = operation.assembler()
    for event in case["events"]:
        assembler.add(event)
    assert assembler.response() == case["response"]


def test_kept_without_content() -> None:
    content = json.loads((FIXTURES / "content.json").read_text())
    assert {"request": content["request"], "response": content["response"]} == _content._KEPT
