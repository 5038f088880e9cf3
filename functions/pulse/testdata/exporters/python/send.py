"""Sends a trace through each of the official exporters for Python that its arguments name."""

import os
import sys
import threading

import grpc
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GRPCExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HTTPExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

PATIENCE = 30  # seconds


def exporter(variant):
    key = "Bearer " + os.environ["KEY"]
    kind, _, compression = variant.partition("-")
    if kind == "http":
        return HTTPExporter(
            endpoint=os.environ["HTTP"] + "/v1/traces",
            headers={"Authorization": key},
            timeout=PATIENCE,
            compression={"": Compression.NoCompression, "gzip": Compression.Gzip, "deflate": Compression.Deflate}[compression],
        )
    return GRPCExporter(
        endpoint=os.environ["GRPC"],
        insecure=True,
        headers=(("authorization", key),),
        timeout=PATIENCE,
        compression={"": grpc.Compression.NoCompression, "gzip": grpc.Compression.Gzip}[compression],
    )


def send(variant, failed):
    resource = Resource({"service.name": "python-" + variant})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(exporter(variant)))
    tracer = provider.get_tracer("exporters", "1.2.3")
    with tracer.start_as_current_span("agent 青"):
        with tracer.start_as_current_span("chat gpt-4o-mini", kind=trace.SpanKind.CLIENT) as call:
            call.set_attributes(
                {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.provider.name": "openai",
                    "gen_ai.request.model": "gpt-4o-mini",
                    "gen_ai.usage.input_tokens": 1000,
                    "gen_ai.usage.output_tokens": 100,
                    "gen_ai.response.finish_reasons": ["stop"],
                    "filler": "0123456789" * 800,
                }
            )
    if not provider.force_flush(PATIENCE * 1000):
        failed.append(variant)
    provider.shutdown()


failed = []
threads = [threading.Thread(target=send, args=(variant, failed)) for variant in sys.argv[1:]]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if failed:
    sys.exit("not sent: " + ", ".join(failed))
