package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/drain"
	"github.com/pulse-traces/pulse/shared/host"
	"github.com/pulse-traces/pulse/shared/host/queue"
	"github.com/pulse-traces/pulse/shared/host/stream"
	"github.com/pulse-traces/pulse/shared/logging"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/sqlite"
	"github.com/pulse-traces/pulse/shared/wal/filewal"
)

// settings loads the configuration of a command that works on the database or the
// log alone. No secrets are needed, and none made.
func (c *command) settings() (config.Config, *slog.Logger, error) {
	return c.load(config.Defaults{NoSecrets: true})
}

// serverSettings loads the configuration of what needs the server's secrets. In
// single mode missing ones are made.
func (c *command) serverSettings() (config.Config, *slog.Logger, error) {
	cfg, log, err := c.load(config.Defaults{})
	if err == nil && cfg.Mode == config.ModeSingle {
		_, err = cfg.EnsureSecrets()
	}
	return cfg, log, err
}

// load loads the configuration and makes the logger, which tells the warnings.
func (c *command) load(defaults config.Defaults) (config.Config, *slog.Logger, error) {
	defaults.Mode = config.Mode(c.DefaultMode)
	cfg, warnings, err := config.FromEnviron(defaults)
	if err != nil {
		return cfg, nil, err
	}
	log := host.NewLogger(c.stderr, &cfg)
	host.Warn(log, warnings)
	return cfg, log, nil
}

// openStore opens the mode's engine and brings its schema up to date. A
// database that is away is waited for; progress is told what a person should
// know.
func openStore(ctx context.Context, cfg *config.Config, log *slog.Logger, progress func(string)) (store.Store, error) {
	st, err := openEngine(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := host.Migrate(ctx, st, log, progress); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return st, nil
}

func openEngine(ctx context.Context, cfg *config.Config) (store.Store, error) {
	if cfg.Mode == config.ModeScale {
		return host.OpenPostgres(ctx, cfg)
	}
	if err := os.MkdirAll(filepath.Dir(cfg.DatabasePath), 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	if err := private(cfg.DatabasePath); err != nil {
		return nil, fmt.Errorf("make database file: %w", err)
	}
	return sqlite.Open(ctx, cfg.DatabasePath)
}

// openStored opens the database of a command that has nothing to do in a new one,
// and says which it is. Where there is none, nothing is made: it is likely that
// another place was meant.
func (c *command) openStored(ctx context.Context) (*config.Config, *slog.Logger, store.Store, error) {
	cfg, log, err := c.settings()
	if err != nil {
		return nil, nil, nil, err
	}
	if cfg.Mode == config.ModeSingle {
		if _, err := os.Stat(cfg.DatabasePath); errors.Is(err, fs.ErrNotExist) {
			return nil, nil, nil, fmt.Errorf("there is no database %s: set PULSE_HOME, PULSE_DATA_DIR or DATABASE_PATH as it is for the server", cfg.DatabasePath)
		}
	}
	fmt.Fprintln(c.stderr, describeDatabase(&cfg))
	st, err := openStore(ctx, &cfg, log, func(line string) { fmt.Fprintln(c.stderr, line) })
	return &cfg, log, st, err
}

// private makes a file that nobody else can read, if it is not there yet: SQLite
// would make it as open as the umask allows, and its log like it.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// serve runs the server until ctx ends, then finishes what is under way.
func (c *command) serve(ctx context.Context) (err error) {
	cfg, log, err := c.serverSettings()
	if err != nil {
		return err
	}
	role := map[config.RuntimeMode]filewal.Role{
		config.RuntimeAll: filewal.RoleAll, config.RuntimeAPI: filewal.RoleAppend, config.RuntimeListener: filewal.RoleConsume,
	}[cfg.RuntimeMode]
	var listeners []net.Listener
	if cfg.RuntimeMode != config.RuntimeListener { // first, so that a port in use costs nothing
		if listeners, err = host.Listen(ctx, &cfg, log, true); err != nil {
			return err
		}
		defer host.CloseAll(listeners)
	}
	st, err := openStore(ctx, &cfg, log, func(line string) { log.Info("database", slog.String(logging.KeyReason, line)) })
	if err != nil {
		return err
	}
	deps, err := host.NewDeps(&cfg, log, st)
	if err != nil {
		return errors.Join(err, st.Close())
	}
	defer func() { err = errors.Join(err, deps.Close()) }()
	if err := queue.Ensure(ctx, &cfg, log); err != nil {
		return err
	}
	logs, err := stream.Open(ctx, &cfg, role, log)
	if err != nil {
		return err
	}
	deps.OnClose(logs.Close)
	logs.Watch(deps.Metrics)
	drain := drain.New(drain.Options{Store: deps.Store, Log: log, Failed: deps.Metrics.DrainFailed, Stored: deps.Metrics.Drained})
	var readers atomic.Int64 // that wait for the drain
	handler, err := newHandler(deps, logs, drain, &readers)
	if err != nil {
		return err
	}

	process := host.Process{
		Log: log, Listeners: listeners, Handler: handler, Workers: []func(context.Context) error{host.KeepMemorySmall}, Timeout: cfg.ShutdownTimeout,
	}
	if cfg.RuntimeMode != config.RuntimeAPI {
		handle := drain.Handle
		if cfg.RuntimeMode == config.RuntimeAll {
			makeRoom()
			urgent := func() bool { return readers.Load() > 0 || drain.Awaited() }
			drain.Go = besideBackground(urgent)
			handle = inBackground(ctx, handle, urgent)
		}
		process.Workers = append(process.Workers, logs.Consumers(handle)...)
		var behind func(context.Context) bool
		if cfg.WALKind == config.WALFile { // a queue does not tell what waits in it
			behind = func(ctx context.Context) bool {
				age, err := pendingAge(ctx, logs)
				return err == nil && age > time.Second
			}
		}
		process.Workers = append(process.Workers, deps.Maintain, func(ctx context.Context) error { return deps.IndexTexts(ctx, behind) })
		process.Settle = func(ctx context.Context) {
			if logs.Barrier(ctx) != nil { // what is left is durable and drained after the next start
				log.Warn("the drain has not finished; the log keeps the rest")
			}
		}
	}
	started := []slog.Attr{
		slog.String("version", c.Version), slog.String("mode", string(cfg.Mode)), slog.String("runtime", string(cfg.RuntimeMode)),
		slog.String("log", string(cfg.WALKind)), slog.Int("trace_partitions", cfg.TraceWALPartitions), slog.Int("span_partitions", cfg.SpanWALPartitions),
	}
	if len(listeners) > 0 {
		c.welcome(ctx, &cfg, st)
		started = append(started, slog.Int("port", cfg.Port))
	}
	log.LogAttrs(ctx, slog.LevelInfo, "Pulse runtime started", started...)
	return process.Run(ctx)
}

// migrate is the command of that name.
func (c *command) migrate(ctx context.Context) error {
	cfg, log, err := c.settings()
	if err != nil {
		return err
	}
	st, err := openStore(ctx, &cfg, log, func(line string) { fmt.Fprintln(c.stdout, line) })
	if err != nil {
		return err
	}
	fmt.Fprintln(c.stdout, "The database is up to date.")
	return errors.Join(queue.Ensure(ctx, &cfg, log), st.Close())
}
