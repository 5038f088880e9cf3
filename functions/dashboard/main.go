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
	"github.com/pulse-traces/pulse/shared/host/function"
	"github.com/pulse-traces/pulse/shared/host/stream"
)

func main() {
	os.Exit(function.HTTP{Name: "dashboard", Needs: config.NeedLog | config.NeedAuthSecret | config.NeedEncryptionKey, Groups: groups}.Main(os.Args[1:]))
}

func groups(ctx context.Context, d *host.Deps) ([]api.Group, error) {
	accept, err := stream.Ingest(ctx, d)
	st, signUp := d.Store, dashboardapi.SignUp(d.Config.SignupMode)
	return []api.Group{
		ingestapi.NewDashboard(ingestapi.Deps{Accept: accept, Rejected: d.Rejected}),
		queryapi.NewDashboard(queryapi.Deps{Traces: st, Spans: st, Analytics: st, Sessions: st, MaxPayloadBytes: d.MaxPayloadBytes()}),
		dashboardapi.New(dashboardapi.Deps{Users: st, Projects: st, Keys: st, Ring: d.Keys, Auth: d.Auth, SignUp: signUp, Sealer: d.Sealer}),
	}, err
}
