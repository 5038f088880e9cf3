package local

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/authapi"
	"github.com/pulse-traces/pulse/shared/api/exploreapi"
	"github.com/pulse-traces/pulse/shared/api/healthapi"
	"github.com/pulse-traces/pulse/shared/api/ingestapi"
	"github.com/pulse-traces/pulse/shared/api/otlpapi"
	"github.com/pulse-traces/pulse/shared/api/queryapi"
	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/drain"
	"github.com/pulse-traces/pulse/shared/host"
	"github.com/pulse-traces/pulse/shared/host/routes"
	"github.com/pulse-traces/pulse/shared/host/site"
	"github.com/pulse-traces/pulse/shared/host/stream"
)

// lagLimit is how old the oldest waiting record may get before the server says
// that it is not ready: a drain that hangs, or a store that is away.
const lagLimit = time.Minute

// newHandler makes what answers requests. d drains the logs in this process;
// readers counts the requests that wait for it.
func newHandler(deps *host.Deps, logs stream.Logs, d *drain.Drain, readers *atomic.Int64) (http.Handler, error) {
	cfg, st := deps.Config, deps.Store
	accept := logs.Ingest(deps)
	ready := []healthapi.Check{deps.DatabaseCheck(), logs.Check(cfg)}
	if cfg.WALKind == config.WALFile {
		if cfg.RuntimeMode == config.RuntimeAll {
			accept.Waiter = d // of a queue, another process may drain what this one accepts
		}
		ready = append(ready, healthapi.Check{Name: "drain", Run: lag(logs)})
	}
	web, err := site.New(deps)
	if err != nil {
		return nil, err
	}
	barrier := func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, cfg.ReadAfterWriteTimeout)
		defer cancel()
		readers.Add(1)
		defer readers.Add(-1)
		_ = logs.Barrier(ctx) // patience ended: the read shows what is there
	}
	explore := exploreapi.Deps{Traces: st, Trees: st, Counts: st, Explore: st, Sessions: st, Export: st, Delete: st, Projects: st, Keys: st, Explain: deps.Prices.Explain, Rejected: st, Barrier: barrier, Wait: exploreapi.TailWait, NoPayloadSearch: !cfg.PayloadSearch}
	if cfg.WALKind == config.WALFile { // a queue does not tell what waits in it
		explore.Lag = func(ctx context.Context) (time.Duration, error) { return pendingAge(ctx, logs) }
	}
	control := deps.ControlDeps()
	control.LocalLogin = isLoopback(cfg.PublicURL)
	return api.New(deps.Options(), routes.Parts{
		Reads:   queryapi.Deps{Traces: st, Spans: st, Analytics: st, Sessions: st, Keys: deps.Keys, Barrier: barrier},
		Explore: explore,
		Writes:  ingestapi.Deps{Accept: accept, Price: deps.Prices.Price, Rejected: deps.Rejected},
		OTLP:    otlpapi.Deps{Accept: accept, Rejected: deps.Rejected, GRPC: host.ServesGRPC(cfg)},
		Prices:  deps.PriceDeps(),
		Auth:    authapi.Deps{Auth: deps.Auth, Log: deps.Log},
		Control: control,
		Health:  deps.Health(ready...),
		Web:     web,
	}.All()...), nil
}

// isLoopback reports whether the public URL names this machine.
func isLoopback(publicURL string) bool {
	u, err := url.Parse(publicURL)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || (ip != nil && ip.IsLoopback())
}

// pendingAge gives how long the oldest record waits for the drain.
func pendingAge(ctx context.Context, logs stream.Logs) (age time.Duration, err error) {
	for _, l := range logs.Named() {
		s, err := l.Stats(ctx)
		if err != nil {
			return 0, err
		}
		age = max(age, s.PendingAge)
	}
	return age, nil
}

// lag fails while a record has waited too long for the drain.
func lag(logs stream.Logs) func(context.Context) error {
	return func(ctx context.Context) error {
		for name, l := range logs.Named() {
			s, err := l.Stats(ctx)
			if err != nil {
				return err
			}
			if age := s.PendingAge; age > lagLimit {
				return fmt.Errorf("the oldest record of the log of %s has waited %s", name, age.Round(time.Second))
			}
		}
		return nil
	}
}
