// Command query reads for API keys, GET /v1/…, and sets prices for them.
package main

import (
	"context"
	"os"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/queryapi"
	"github.com/pulse-traces/pulse/shared/host"
	"github.com/pulse-traces/pulse/shared/host/function"
)

func main() {
	os.Exit(function.HTTP{Name: "query", Groups: groups}.Main(os.Args[1:]))
}

func groups(_ context.Context, d *host.Deps) ([]api.Group, error) {
	st := d.Store
	return []api.Group{
		queryapi.New(queryapi.Deps{Traces: st, Spans: st, Analytics: st, Sessions: st, Keys: d.Keys, MaxPayloadBytes: d.MaxPayloadBytes()}),
		d.PriceRoutes(),
	}, nil
}
