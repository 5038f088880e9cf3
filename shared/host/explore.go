package host

import (
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/exploreapi"
)

// ExploreRoutes are the questions of the dashboard's pages, where the drain is
// another process.
func (d *Deps) ExploreRoutes() api.Group {
	return exploreapi.New(exploreapi.Deps{Traces: d.Store, Trees: d.Store, MaxPayloadBytes: d.MaxPayloadBytes(), Counts: d.Store, Explore: d.Store, Sessions: d.Store, Projects: d.Store})
}
