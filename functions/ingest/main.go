// Command ingest accepts batches of traces and spans: POST /v1/{traces,spans}/….
package main

import (
	"context"
	"os"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/ingestapi"
	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/host"
	"github.com/pulse-traces/pulse/shared/host/function"
	"github.com/pulse-traces/pulse/shared/host/stream"
)

func main() {
	os.Exit(function.HTTP{Name: "ingest", Needs: config.NeedLog, WithoutDatabase: true, Groups: groups}.Main(os.Args[1:]))
}

func groups(ctx context.Context, d *host.Deps) ([]api.Group, error) {
	accept, err := stream.Ingest(ctx, d)
	if err != nil {
		return nil, err
	}
	return []api.Group{ingestapi.New(ingestapi.Deps{Accept: accept, Rejected: d.Rejected})}, nil
}
