// Package explore makes the groups that answer what the dashboard's pages ask.
// It is apart from host so that no other function links the world's time zones.
package explore

import (
	"time"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/exploreapi"
	"github.com/pulse-traces/pulse/shared/host"
)

// Groups makes the groups, and that of prices, where the drain is another
// process.
func Groups(d *host.Deps) []api.Group {
	var wait time.Duration
	if !host.OnLambda(d.Config) {
		wait = exploreapi.TailWait
	}
	return []api.Group{d.DashboardPriceRoutes(), exploreapi.New(exploreapi.Deps{
		Wait: wait, Traces: d.Store, Trees: d.Store, Counts: d.Store, Explore: d.Store, Sessions: d.Store, Export: d.Store, Delete: d.Store, Projects: d.Store, Keys: d.Store, Explain: d.Prices.Explain, Rejected: d.Store, MaxPayloadBytes: d.MaxPayloadBytes(), NoPayloadSearch: !d.Config.PayloadSearch,
	})}
}
