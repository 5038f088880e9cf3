// Command exporters sends a trace through each of the official exporters for Go
// that its arguments name. It is a module of its own, so that Pulse requires
// none of what it needs.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const patience = 30 * time.Second

func exporter(ctx context.Context, variant string) (sdktrace.SpanExporter, error) {
	headers := map[string]string{"Authorization": "Bearer " + os.Getenv("KEY")}
	gzip := strings.HasSuffix(variant, "-gzip")
	switch strings.TrimSuffix(variant, "-gzip") {
	case "http":
		options := []otlptracehttp.Option{
			otlptracehttp.WithEndpointURL(os.Getenv("HTTP") + "/v1/traces"), otlptracehttp.WithHeaders(headers), otlptracehttp.WithTimeout(patience),
		}
		if gzip {
			options = append(options, otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
		}
		return otlptracehttp.New(ctx, options...)
	case "grpc":
		options := []otlptracegrpc.Option{
			otlptracegrpc.WithEndpoint(os.Getenv("GRPC")), otlptracegrpc.WithInsecure(), otlptracegrpc.WithHeaders(headers), otlptracegrpc.WithTimeout(patience),
		}
		if gzip {
			options = append(options, otlptracegrpc.WithCompressor("gzip"))
		}
		return otlptracegrpc.New(ctx, options...)
	}
	return nil, fmt.Errorf("there is no exporter %s", variant)
}

func send(ctx context.Context, variant string) error {
	out, err := exporter(ctx, variant)
	if err != nil {
		return err
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(out, sdktrace.WithExportTimeout(patience)),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "go-"+variant))))
	tracer := provider.Tracer("exporters", trace.WithInstrumentationVersion("1.2.3"))
	ctx, parent := tracer.Start(ctx, "agent 青")
	_, call := tracer.Start(ctx, "chat gpt-4o-mini", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("gen_ai.operation.name", "chat"), attribute.String("gen_ai.provider.name", "openai"),
		attribute.String("gen_ai.request.model", "gpt-4o-mini"), attribute.Int("gen_ai.usage.input_tokens", 1000),
		attribute.Int("gen_ai.usage.output_tokens", 100), attribute.StringSlice("gen_ai.response.finish_reasons", []string{"stop"}),
		attribute.String("filler", strings.Repeat("0123456789", 800))))
	call.End()
	parent.End()
	if err := provider.ForceFlush(ctx); err != nil {
		return err
	}
	return provider.Shutdown(ctx)
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var wg sync.WaitGroup
	failed := make([]error, len(os.Args)-1)
	for i, variant := range os.Args[1:] {
		wg.Go(func() { failed[i] = send(ctx, variant) })
	}
	wg.Wait()
	for i, err := range failed {
		if err != nil {
			fmt.Fprintln(os.Stderr, os.Args[i+1]+":", err)
			defer os.Exit(1)
		}
	}
}
