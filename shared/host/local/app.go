package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/pulse-traces/pulse/docs"
	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/authapi"
	"github.com/pulse-traces/pulse/shared/api/dashboardapi"
	"github.com/pulse-traces/pulse/shared/api/ingestapi"
	"github.com/pulse-traces/pulse/shared/api/queryapi"
	"github.com/pulse-traces/pulse/shared/api/webapi"
	"github.com/pulse-traces/pulse/shared/betterauth"
	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/drain"
	"github.com/pulse-traces/pulse/shared/ingest"
	"github.com/pulse-traces/pulse/shared/keyring"
	"github.com/pulse-traces/pulse/shared/logging"
	"github.com/pulse-traces/pulse/shared/metrics"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

const (
	// maintainEvery is how often old data and dead sign-in sessions are removed.
	maintainEvery = time.Hour
	// lagLimit is how old the oldest waiting record may get before the server
	// says that it is not ready: a drain that hangs, or a store that is away.
	lagLimit = time.Minute
)

// app is everything that answers requests and drains, connected.
type app struct {
	handler http.Handler
	drain   *drain.Drain
	store   store.Store
	log     *slog.Logger
	cfg     *config.Config
}

func newApp(cfg *config.Config, log *slog.Logger, st store.Store, logs streams, files fs.FS) (*app, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	counts := metrics.New(registry)
	for name, l := range logs.named() {
		counts.WatchLog(name, l.Stats)
	}

	d := drain.New(drain.Options{Store: st, Log: log, Failed: counts.DrainFailed, Stored: func(spans, duplicates int, _ time.Duration) {
		counts.Drained(spans + duplicates)
	}})
	accept := ingest.New(ingest.Options{
		Traces: logs.traces, Spans: logs.spans, WaitFor: cfg.ReadAfterWriteTimeout, Now: time.Now,
		Accepted: func(_ trace.Form, spans int) { counts.Accepted(spans) },
	})
	if cfg.RuntimeMode == config.RuntimeAll {
		accept.Waiter = d
	}

	sealer, err := newSealer(cfg)
	if err != nil {
		return nil, err
	}
	auth, err := newAuth(cfg, st)
	if err != nil {
		return nil, err
	}
	ttl := cfg.KeyCacheTTL
	if ttl == 0 {
		ttl = -1 // the ring's own default is some seconds
	}
	keys := keyring.New(st, keyring.Options{TTL: ttl, Grace: max(cfg.KeyCacheStale, 1), Log: log})

	openAPI, err := docs.OpenAPI()
	if err != nil {
		return nil, err
	}
	apiBaseURL := ""
	if cfg.PublicURLSet {
		apiBaseURL = cfg.PublicURL
	}
	web, err := webapi.New(webapi.Deps{
		Dashboard: files, OpenAPI: openAPI, APIBaseURL: apiBaseURL, HTTPS: strings.HasPrefix(cfg.PublicURL, "https://"),
		Ready: []webapi.Check{
			{Name: "database", Run: st.Ping},
			{Name: "log", Run: writable(cfg.TraceWALDir, cfg.SpanWALDir)},
			{Name: "drain", Run: lag(logs)},
		}, Metrics: gatherer(cfg, registry),
		MetricsToken: cfg.MetricsToken.Reveal(), Log: log,
	})
	if err != nil {
		return nil, err
	}
	handler := api.New(api.Options{
		Log: log, Keys: keys, Sessions: auth, Roles: st,
		Limits:         api.Limits{MaxBodyBytes: cfg.MaxBodyBytes, MaxCompressedBodyBytes: cfg.MaxSentBodyBytes, MaxInFlightBytes: cfg.MaxInFlightBytes},
		AllowedOrigins: cfg.AllowedOrigins, TrustedProxies: cfg.TrustedProxies, Observe: counts.ObserveRequest,
	},
		parts{
			reads: queryapi.Deps{Traces: st, Spans: st, Analytics: st, Sessions: st, Keys: keys, Barrier: func(ctx context.Context) {
				ctx, cancel := context.WithTimeout(ctx, cfg.ReadAfterWriteTimeout)
				defer cancel()
				_ = logs.barrier(ctx) // patience ended: the read shows what is there
			}},
			writes: ingestapi.Deps{Accept: accept, Rejected: func(err error) { counts.Rejected(err, 1) }},
			auth:   authapi.Deps{Auth: auth, Log: log},
			control: dashboardapi.Deps{
				Users: st, Projects: st, Keys: st, Ring: keys, Auth: auth,
				SignUp: dashboardapi.SignUp(cfg.SignupMode), Sealer: sealer, LocalLogin: isLoopback(cfg.PublicURL),
			},
			web: web,
		}.groups()...)
	return &app{handler: handler, drain: d, store: st, log: log, cfg: cfg}, nil
}

// parts are what the route groups are made of.
type parts struct {
	reads   queryapi.Deps
	writes  ingestapi.Deps
	auth    authapi.Deps
	control dashboardapi.Deps
	web     *webapi.Group
}

// groups are all route groups of this host.
func (p parts) groups() []api.Group {
	return []api.Group{
		ingestapi.New(p.writes), ingestapi.NewDashboard(p.writes), queryapi.New(p.reads), queryapi.NewDashboard(p.reads),
		authapi.New(p.auth), dashboardapi.New(p.control), p.web,
	}
}

// Routes lists every route that this host can serve, for what is held equal to
// it. They cannot be called.
func Routes() ([]api.Route, error) {
	openAPI, err := docs.OpenAPI()
	if err != nil {
		return nil, err
	}
	web, err := webapi.New(webapi.Deps{OpenAPI: openAPI, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	var routes []api.Route
	for _, g := range (parts{web: web}).groups() {
		routes = append(routes, g.Routes()...)
	}
	return routes, nil
}

// writable fails while the log's directories take no file, as on a full disk.
func writable(dirs ...string) func(context.Context) error {
	return func(context.Context) error {
		for _, dir := range dirs {
			f, err := os.CreateTemp(dir, "ready-")
			if err != nil {
				return err
			}
			_, err = f.WriteString("ready")
			if err = errors.Join(err, f.Close(), os.Remove(f.Name())); err != nil {
				return err
			}
		}
		return nil
	}
}

// lag fails while a record has waited too long for the drain.
func lag(logs streams) func(context.Context) error {
	return func(ctx context.Context) error {
		for name, l := range logs.named() {
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

// newSealer gives what keeps copies of API keys, nil if none are kept.
func newSealer(cfg *config.Config) (*account.Sealer, error) {
	if cfg.APIKeyStorage != config.APIKeyStorageSealed {
		return nil, nil
	}
	return account.NewSealer(cfg.EncryptionKey.Reveal())
}

func newAuth(cfg *config.Config, st store.Store) (*betterauth.Service, error) {
	var limits betterauth.Limits
	switch {
	case !cfg.AuthRateLimit:
	case cfg.NodeEnv == config.NodeEnvProduction:
		limits = betterauth.ProductionLimits()
	default:
		limits = betterauth.DevelopmentLimits()
	}
	trusted := cfg.AllowedOrigins
	if !cfg.PublicURLSet { // nobody said where we are: the names of this machine are all ours
		trusted = slices.Concat(trusted, []string{fmt.Sprintf("http://127.0.0.1:%d", cfg.Port), fmt.Sprintf("http://[::1]:%d", cfg.Port)})
	}
	auth, err := betterauth.New(st, st, betterauth.Options{
		BaseURL: cfg.PublicURL, TrustedOrigins: trusted,
		Secret: cfg.AuthSecret.Reveal(), SkipOriginCheck: cfg.NodeEnv == config.NodeEnvTest, Limits: limits,
	})
	if err != nil {
		return nil, fmt.Errorf("make auth service: %w", err)
	}
	return auth, nil
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

func gatherer(cfg *config.Config, r *prometheus.Registry) prometheus.Gatherer {
	if !cfg.Metrics {
		return nil
	}
	return r
}

// maintain removes what is too old, now and then, until ctx ends.
func (a *app) maintain(ctx context.Context) {
	for {
		if n, err := a.store.PurgeSessions(ctx, time.Now()); err != nil {
			a.log.Warn("sign-in sessions were not purged", slog.Any(logging.KeyError, err))
		} else if n > 0 {
			a.log.Info("ended sign-in sessions purged", slog.Int64(logging.KeyCount, n))
		}
		if days := a.cfg.RetentionDays; days > 0 {
			if n, err := a.store.Retain(ctx, time.Now().AddDate(0, 0, -days)); err != nil {
				a.log.Warn("retention did not finish", slog.Any(logging.KeyError, err))
			} else if n > 0 {
				a.log.Info("retention removed spans", slog.Int64(logging.KeyCount, n))
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(maintainEvery):
		}
	}
}
