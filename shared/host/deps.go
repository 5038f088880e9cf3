// Package host is the wiring that all hosts of Pulse have in common: what the
// route groups and the drain are made of, the server, the stop. The packages
// below it choose and connect: local is the binary of one machine, lambda and
// container are where the functions run. It holds no rule worth a test of its
// own: what it connects has them.
package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/dashboardapi"
	"github.com/pulse-traces/pulse/shared/api/healthapi"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/betterauth"
	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/keyring"
	"github.com/pulse-traces/pulse/shared/logging"
	"github.com/pulse-traces/pulse/shared/metrics"
	"github.com/pulse-traces/pulse/shared/pricebook"
	"github.com/pulse-traces/pulse/shared/rejection"
	"github.com/pulse-traces/pulse/shared/store"
)

// Deps are what the parts of a host are made of, one of each.
type Deps struct {
	Config *config.Config
	// Version is the program's, for its first log line; "" where another one has it.
	Version string
	Log     *slog.Logger
	// Store prices the spans that are written to it, by Prices.
	Store  store.Store
	Prices *pricebook.Book
	Keys   *keyring.Ring
	// Auth is nil where BETTER_AUTH_SECRET is not given, which config refuses for
	// all that need it.
	Auth *betterauth.Service
	// Sealer is nil if no copies of API keys are kept, or ENCRYPTION_KEY is not
	// given.
	Sealer *account.Sealer
	// Metrics counts for Registry; both are nil on Lambda, where nobody scrapes.
	Metrics  *metrics.Metrics
	Registry *prometheus.Registry
	// LogCheck fails while records cannot be accepted; stream.Ingest sets it.
	LogCheck healthapi.Check

	rejections *rejection.Book
	closers    []func() error
}

// NewDeps makes the parts over a store, and makes no connection.
func NewDeps(cfg *config.Config, log *slog.Logger, st store.Store) (*Deps, error) {
	prices, err := NewPrices(cfg, log, st)
	if err != nil {
		return nil, err
	}
	d := &Deps{Config: cfg, Log: log, Store: prices.Over(st), Prices: prices, Keys: newKeys(cfg, log, st)}
	d.rejections = rejection.New(st, log, time.Now)
	d.OnClose(func() error {
		d.rejections.Flush(context.Background())
		return nil
	})
	if cfg.AuthSecret != "" {
		if d.Auth, err = newAuth(cfg, st); err != nil {
			return nil, fmt.Errorf("make auth service: %w", err)
		}
	}
	if cfg.EncryptionKey != "" && cfg.APIKeyStorage == config.APIKeyStorageSealed {
		if d.Sealer, err = account.NewSealer(cfg.EncryptionKey.Reveal()); err != nil {
			return nil, err
		}
	}
	if !OnLambda(cfg) {
		d.Registry = prometheus.NewRegistry()
		d.Registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
		d.Metrics = metrics.New(d.Registry)
	}
	return d, nil
}

// lambdaPayloadBytes leaves half of the 6 MB that Lambda answers at most for
// the rows themselves, and for the escapes that payloads get on the way.
const lambdaPayloadBytes = 3 << 20

// OnLambda reports whether the process takes its events from Lambda.
func OnLambda(cfg *config.Config) bool { return cfg.LambdaRuntimeAPI != "" }

// Options are the edge's, as the configuration has them.
func (d *Deps) Options() api.Options {
	cfg := d.Config
	o := api.Options{
		Log: d.Log, Keys: d.Keys, Roles: d.Store,
		Limits:         api.Limits{MaxBodyBytes: cfg.MaxBodyBytes, MaxCompressedBodyBytes: cfg.MaxSentBodyBytes, MaxInFlightBytes: cfg.MaxInFlightBytes},
		AllowedOrigins: cfg.AllowedOrigins, TrustedProxies: cfg.TrustedProxies, Observe: d.Metrics.ObserveRequest,
	}
	if d.Auth != nil {
		o.Sessions = d.Auth
	}
	return o
}

// MaxPayloadBytes bounds the payloads in one answer; 0 leaves it to queryapi.
func (d *Deps) MaxPayloadBytes() int {
	if OnLambda(d.Config) {
		return lambdaPayloadBytes
	}
	return 0
}

// ControlDeps are what dashboardapi works with.
func (d *Deps) ControlDeps() dashboardapi.Deps {
	cfg := d.Config
	c := dashboardapi.Deps{
		Users: d.Store, Projects: d.Store, Control: d.Store, Keys: d.Store, Ring: d.Keys, Auth: d.Auth,
		SignUp: dashboardapi.SignUp(cfg.SignupMode), Sealer: d.Sealer, RetentionDays: cfg.RetentionDays, HTTPS: HTTPS(cfg),
	}
	if cfg.PublicURLSet {
		c.PublicURL = cfg.PublicURL
	}
	return c
}

// Health is what healthapi serves, with the checks of being ready.
func (d *Deps) Health(ready ...healthapi.Check) healthapi.Deps {
	h := healthapi.Deps{Ready: ready, MetricsToken: d.Config.MetricsToken.Reveal(), Log: d.Log}
	if d.Registry != nil && d.Config.Metrics {
		h.Metrics = d.Registry
	}
	return h
}

// DatabaseCheck fails while the database cannot be used.
func (d *Deps) DatabaseCheck() healthapi.Check {
	return healthapi.Check{Name: "database", Run: d.Store.Ping}
}

// Rejected counts n records that ingest refused, or a request.
func (d *Deps) Rejected(ctx context.Context, err error, n int) {
	d.Metrics.Rejected(err, n)
	d.rejections.Add(ctx, reqctx.Project(ctx), err, n)
}

// OnClose leaves fn for Close to call.
func (d *Deps) OnClose(fn func() error) { d.closers = append(d.closers, fn) }

// Close closes what was left to OnClose, last first, then the store.
func (d *Deps) Close() error {
	var errs []error
	for _, fn := range slices.Backward(d.closers) {
		errs = append(errs, fn())
	}
	return errors.Join(append(errs, d.Store.Close())...)
}

// HTTPS reports whether browsers reach Pulse by https only.
func HTTPS(cfg *config.Config) bool {
	return strings.HasPrefix(cfg.PublicURL, "https://") || ownHost(cfg)
}

// ownHost reports whether each request's own host is Pulse's: API Gateway hands
// a function only what was sent to a name of its API, by https.
func ownHost(cfg *config.Config) bool { return OnLambda(cfg) && !cfg.PublicURLSet }

func newKeys(cfg *config.Config, log *slog.Logger, keys store.KeyStore) *keyring.Ring {
	ttl := cfg.KeyCacheTTL
	if ttl == 0 {
		ttl = -1 // the ring's own default is some seconds
	}
	return keyring.New(keys, keyring.Options{TTL: ttl, Grace: max(cfg.KeyCacheStale, 1), Log: log})
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
	o := betterauth.Options{
		OwnHost: ownHost(cfg), BaseURL: cfg.PublicURL, TrustedOrigins: cfg.AllowedOrigins,
		Secret: cfg.AuthSecret.Reveal(), SkipOriginCheck: cfg.NodeEnv == config.NodeEnvTest, Limits: limits,
	}
	if !cfg.PublicURLSet && !o.OwnHost { // nobody said where we are: the names of this machine are all ours
		o.TrustedOrigins = slices.Concat(o.TrustedOrigins, []string{fmt.Sprintf("http://127.0.0.1:%d", cfg.Port), fmt.Sprintf("http://[::1]:%d", cfg.Port)})
	}
	return betterauth.New(st, st, o)
}

// maintainEvery is how often old data and dead sign-in sessions are removed.
const maintainEvery = time.Hour

// Maintain removes what is too old, now and then, until ctx ends.
func (d *Deps) Maintain(ctx context.Context) error {
	for {
		if _, err := d.MaintainOnce(ctx); err != nil {
			d.Log.Warn("maintenance did not finish", slog.Any(logging.KeyError, err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(maintainEvery):
		}
	}
}

// Maintained says what MaintainOnce removed.
type Maintained struct {
	Spans    int64 `json:"spans"`    // older than RETENTION_DAYS or their project's own, or of projects that were deleted
	Sessions int64 `json:"sessions"` // sign-in sessions that had ended
}

// MaintainOnce removes what is too old.
func (d *Deps) MaintainOnce(ctx context.Context) (m Maintained, err error) {
	now := time.Now()
	m.Sessions, err = d.Store.PurgeExpired(ctx, now)
	purged, purgeErr := d.purgeProjects(ctx)
	retained, retainErr := d.retain(ctx, now)
	m.Spans, err = purged+retained, errors.Join(err, purgeErr, retainErr)
	if m != (Maintained{}) {
		d.Log.Info("old data removed", slog.Int64("spans", m.Spans), slog.Int64("sign_in_sessions", m.Sessions))
	}
	return m, err
}

// purgeProjects deletes what is left of projects whose administrator did not stay
// until all was gone.
func (d *Deps) purgeProjects(ctx context.Context) (spans int64, err error) {
	removed, err := d.Store.RemovedProjects(ctx)
	for _, project := range removed {
		purged, purgeErr := d.Store.PurgeProject(ctx, project, 0)
		if fault.Is(purgeErr, fault.NotFound) {
			purgeErr = nil // somebody else has done it
		}
		spans, err = spans+purged.Spans, errors.Join(err, purgeErr)
	}
	return spans, err
}

// retain removes what is older than RETENTION_DAYS, and of projects that keep
// less themselves what is older than that.
func (d *Deps) retain(ctx context.Context, now time.Time) (spans int64, err error) {
	longest := d.Config.RetentionDays
	if longest > 0 {
		spans, err = d.Store.Retain(ctx, now.AddDate(0, 0, -longest))
	}
	own, ownErr := d.Store.Retentions(ctx)
	err = errors.Join(err, ownErr)
	for _, r := range own {
		if longest > 0 && r.Days >= longest {
			continue
		}
		n, projectErr := d.Store.RetainProject(ctx, r.Project, now.AddDate(0, 0, -r.Days))
		spans, err = spans+n, errors.Join(err, projectErr)
	}
	return spans, err
}
