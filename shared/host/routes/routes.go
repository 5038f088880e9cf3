// Package routes lists what each function serves, as data: for the tests that
// hold the template and the documents to it, and for the fallback, which answers
// for all functions.
package routes

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/authapi"
	"github.com/pulse-traces/pulse/shared/api/dashboardapi"
	"github.com/pulse-traces/pulse/shared/api/exploreapi"
	"github.com/pulse-traces/pulse/shared/api/healthapi"
	"github.com/pulse-traces/pulse/shared/api/ingestapi"
	"github.com/pulse-traces/pulse/shared/api/otlpapi"
	"github.com/pulse-traces/pulse/shared/api/pricesapi"
	"github.com/pulse-traces/pulse/shared/api/queryapi"
	"github.com/pulse-traces/pulse/shared/api/webapi"
)

// Parts are what the route groups are made of. Groups without parts have their
// routes, which cannot be called.
type Parts struct {
	Reads   queryapi.Deps
	Explore exploreapi.Deps
	Writes  ingestapi.Deps
	OTLP    otlpapi.Deps
	Auth    authapi.Deps
	Prices  pricesapi.Deps
	Control dashboardapi.Deps
	Health  healthapi.Deps
	Web     *webapi.Group // nil leaves it out
}

// Functions are the names of those that serve HTTP.
var Functions = []string{"ingest", "query", "dashboard", "auth", "web"}

// Of gives the groups of a function; nil for a name that is none.
func (p Parts) Of(function string) []api.Group {
	switch function {
	case "ingest":
		return []api.Group{ingestapi.New(p.Writes), otlpapi.New(p.OTLP)}
	case "query":
		return []api.Group{queryapi.New(p.Reads), pricesapi.New(p.Prices)}
	case "dashboard":
		return []api.Group{
			ingestapi.NewDashboard(p.Writes), queryapi.NewDashboard(p.Reads), exploreapi.New(p.Explore), pricesapi.NewDashboard(p.Prices), dashboardapi.New(p.Control),
		}
	case "auth":
		return []api.Group{authapi.New(p.Auth)}
	case "web":
		groups := []api.Group{healthapi.New(p.Health)}
		if p.Web != nil {
			groups = append(groups, p.Web)
		}
		return groups
	}
	return nil
}

// All gives the groups of all functions.
func (p Parts) All() []api.Group {
	var all []api.Group
	for _, name := range Functions {
		all = append(all, p.Of(name)...)
	}
	return all
}

// Table lists the routes of each function on Lambda, where there is no /metrics.
// They cannot be called.
func Table() (map[string][]api.Route, error) {
	return table(healthapi.Deps{})
}

// Every lists every route that a server of all functions has. They cannot be
// called.
func Every() ([]api.Route, error) {
	byFunction, err := table(healthapi.Deps{Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler)})
	var every []api.Route
	for _, name := range Functions {
		every = append(every, byFunction[name]...)
	}
	return every, err
}

func table(health healthapi.Deps) (map[string][]api.Route, error) {
	web, err := webapi.New(webapi.Deps{})
	if err != nil {
		return nil, err
	}
	routes := map[string][]api.Route{}
	for _, name := range Functions {
		for _, g := range (Parts{Health: health, Web: web}).Of(name) {
			routes[name] = append(routes[name], g.Routes()...)
		}
	}
	return routes, nil
}
