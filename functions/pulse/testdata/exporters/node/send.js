// Sends a trace through each of the official exporters for JavaScript that its
// arguments name.
import grpc from "@grpc/grpc-js";
import { context, SpanKind, trace } from "@opentelemetry/api";
import { OTLPTraceExporter as GRPCExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as JSONExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";

const patience = 30_000; // milliseconds
const key = `Bearer ${process.env.KEY}`;

function exporter(variant) {
  const [kind, compression = "none"] = variant.split("-");
  const options = { url: `${process.env.HTTP}/v1/traces`, headers: { Authorization: key }, compression, timeoutMillis: patience };
  switch (kind) {
    case "json":
      return new JSONExporter(options);
    case "protobuf":
      return new ProtobufExporter(options);
    case "grpc": {
      const metadata = new grpc.Metadata();
      metadata.set("authorization", key);
      return new GRPCExporter({ url: `http://${process.env.GRPC}`, metadata, compression, timeoutMillis: patience });
    }
  }
  throw new Error(`there is no exporter ${variant}`);
}

async function send(variant) {
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ "service.name": `node-${variant}` }),
    spanProcessors: [new BatchSpanProcessor(exporter(variant), { exportTimeoutMillis: patience })],
  });
  const tracer = provider.getTracer("exporters", "1.2.3");
  const parent = tracer.startSpan("agent 青");
  const call = tracer.startSpan(
    "chat gpt-4o-mini",
    {
      kind: SpanKind.CLIENT,
      attributes: {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 100,
        "gen_ai.response.finish_reasons": ["stop"],
        filler: "0123456789".repeat(800),
      },
    },
    trace.setSpan(context.active(), parent),
  );
  call.end();
  parent.end();
  await provider.forceFlush();
  await provider.shutdown();
}

const results = await Promise.allSettled(process.argv.slice(2).map(send));
results.forEach((result, i) => {
  if (result.status === "rejected") {
    console.error(`${process.argv[i + 2]}:`, result.reason);
    process.exitCode = 1;
  }
});
