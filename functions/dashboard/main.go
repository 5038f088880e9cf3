// Command dashboard serves what the dashboard's pages call: /dashboard/api/….
package main

import (
	"context"
	"os"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/dashboardapi"
	"github.com/pulse-traces/pulse/shared/api/ingestapi"
	"github.com/pulse-traces/pulse/shared/api/queryapi"
	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/host"
	"github.com/pulse-traces/pulse/shared/host/explore"
	"github.com/pulse-traces/pulse/shared/host/function"
	"github.com/pulse-traces/pulse/shared/host/stream"
)

func main() {
	os.Exit(function.HTTP{Name: "dashboard", Needs: config.NeedLog | config.NeedAuthSecret | config.NeedEncryptionKey, Groups: groups}.Main(os.Args[1:]))
}

func groups(ctx context.Context, d *host.Deps) ([]api.Group, error) {
	accept, err := stream.Ingest(ctx, d)
	return append(explore.Groups(d),
		ingestapi.NewDashboard(ingestapi.Deps{Accept: accept, Price: d.Prices.Price, Rejected: d.Rejected}),
		queryapi.NewDashboard(queryapi.Deps{Traces: d.Store, Spans: d.Store, Analytics: d.Store, Sessions: d.Store, MaxPayloadBytes: d.MaxPayloadBytes()}),
		dashboardapi.New(d.ControlDeps()),
	), err
}
