// Command ingest accepts batches of traces and spans, and OTLP.
package main

import (
	"context"
	"os"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/ingestapi"
	"github.com/pulse-traces/pulse/shared/api/otlpapi"
	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/host"
	"github.com/pulse-traces/pulse/shared/host/function"
	"github.com/pulse-traces/pulse/shared/host/stream"
)

func main() {
	os.Exit(function.HTTP{Name: "ingest", Needs: config.NeedLog, WithoutDatabase: true, GRPC: true, Groups: groups}.Main(os.Args[1:]))
}

func groups(ctx context.Context, d *host.Deps) ([]api.Group, error) {
	accept, err := stream.Ingest(ctx, d)
	if err != nil {
		return nil, err
	}
	return []api.Group{
		ingestapi.New(ingestapi.Deps{Accept: accept, Price: d.Prices.Price, Rejected: d.Rejected}),
		otlpapi.New(otlpapi.Deps{Accept: accept, Rejected: d.Rejected, GRPC: host.ServesGRPC(d.Config)}),
	}, nil
}
