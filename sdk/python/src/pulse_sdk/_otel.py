"""Points OpenTelemetry at Pulse, if the program has its packages."""

from __future__ import annotations

from typing import Any, Optional

from ._log import warn_once
from ._options import Options, resolve

_instrumented: Optional[Any] = None


def instrument(
    *, api_key: Optional[str] = None, api_url: Optional[str] = None, service_name: Optional[str] = None
) -> bool:
    """Sends what OpenTelemetry records to Pulse too, and tells whether that is so now.

    Needs ``opentelemetry-sdk`` and ``opentelemetry-exporter-otlp-proto-http``. A tracer provider that is set stays and gets one more processor;
    without one, one is set. What is not given is read from the environment, as in init_pulse. A second call does nothing.
    """
    options = resolve({"api_key": api_key, "api_url": api_url, "service_name": service_name})
    if not options.enabled:
        return False
    if not options.api_key:
        warn_once("option api_key", "there is no api_key (PULSE_API_KEY), so nothing is recorded")
        return False
    try:
        return _instrument(options)
    except ImportError as error:
        warn_once(
            "instrument", f"instrument() needs opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http: {error}"
        )
    except Exception as error:
        warn_once("instrument", f"OpenTelemetry cannot be pointed at Pulse: {error!r}")
    return False


def _instrument(options: Options) -> bool:
    global _instrumented
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider: Any = trace.get_tracer_provider()
    if _instrumented is not None and provider is _instrumented:
        return True
    exporter = OTLPSpanExporter(
        endpoint=f"{options.api_url}/v1/traces",
        headers={"Authorization": f"Bearer {options.api_key}"},
        timeout=max(1, round(options.timeout)),
    )
    if not hasattr(provider, "add_span_processor"):
        named = {"service.name": options.service_name} if options.service_name else {}
        provider = TracerProvider(resource=Resource.create(named))
        trace.set_tracer_provider(provider)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _instrumented = provider
    return True
