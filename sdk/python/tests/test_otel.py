"""OpenTelemetry pointed at Pulse."""

from __future__ import annotations

import pytest
from conftest import RealPulse, python, until

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

CODE = """
import pulse_sdk
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
{before}
assert pulse_sdk.instrument(service_name="otel") and pulse_sdk.instrument()
{after}
with trace.get_tracer("t").start_as_current_span("chat m") as span:
    span.set_attribute("gen_ai.operation.name", "chat")
    span.set_attribute("session.id", "{session}")
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [("", ""), ("own = TracerProvider(); trace.set_tracer_provider(own)", "assert trace.get_tracer_provider() is own")],
    ids=["none", "one"],
)
def test_instrument(pulse: RealPulse, before: str, after: str) -> None:
    session = f"otel-{len(before)}"
    program = python(
        CODE.format(before=before, after=after, session=session),
        {"PULSE_API_KEY": pulse.key, "PULSE_API_URL": pulse.url},
    )
    _, errors = program.communicate(timeout=30)
    assert program.returncode == 0, errors
    (trace,) = until(lambda: pulse.traces(session))
    assert trace["services"] == (["otel"] if not before else trace["services"])


def test_without_its_packages(pulse: RealPulse) -> None:
    code = "import sys\nsys.modules['opentelemetry'] = None\nimport pulse_sdk\nassert pulse_sdk.instrument() is False"
    program = python(code, {"PULSE_API_KEY": pulse.key})
    _, errors = program.communicate(timeout=30)
    assert program.returncode == 0 and "instrument() needs" in errors


def test_without_a_key() -> None:
    program = python("import pulse_sdk\nassert pulse_sdk.instrument() is False")
    _, errors = program.communicate(timeout=30)
    assert program.returncode == 0 and "api_key" in errors
