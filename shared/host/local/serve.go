package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pulse-traces/pulse/dashboard"
	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/logging"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/postgres"
	"github.com/pulse-traces/pulse/shared/store/sqlite"
	"github.com/pulse-traces/pulse/shared/wal"
	"github.com/pulse-traces/pulse/shared/wal/filewal"
)

const (
	// Limits of one connection: a slow client holds a goroutine, no more.
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 2 * time.Minute
	writeTimeout      = 2 * time.Minute
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10

	// startPatience is how long a database may be away at the start, as when
	// both come up together, and startRetry how often it is asked.
	startPatience = time.Minute
	startRetry    = time.Second

	// gcPercent lets garbage grow to three times what is live, which is little:
	// bodies and rows come and go. Memory goes back when the process is idle.
	gcPercent = 200
)

// settings loads the configuration and makes the logger.
func (c *command) settings() (config.Config, *slog.Logger, error) {
	cfg, warnings, err := config.FromEnviron(config.Defaults{Mode: config.Mode(c.DefaultMode)})
	if err != nil {
		return cfg, nil, err
	}
	if cfg.Mode == config.ModeSingle {
		if _, err := cfg.EnsureSecrets(); err != nil {
			return cfg, nil, err
		}
	}
	log := logging.NewText(c.stderr, cfg.LogLevel)
	if cfg.LogFormat == config.LogFormatJSON {
		log = logging.NewJSON(c.stderr, cfg.LogLevel)
	}
	for _, w := range warnings {
		log.Warn("configuration", slog.String(logging.KeyReason, w))
	}
	return cfg, log, nil
}

// errStopped says that a signal came before the program had begun.
var errStopped = errors.New("stopped before the database answered")

// openStore opens the mode's engine and brings its schema up to date. A
// database that is away is waited for; progress is told what a person should
// know.
func openStore(ctx context.Context, cfg *config.Config, progress func(string)) (store.Store, error) {
	var (
		st  store.Store
		err error
	)
	if cfg.Mode == config.ModeScale {
		st, err = postgres.Open(ctx, cfg.DatabaseURL.Reveal(), postgres.Options{MaxConns: cfg.DatabaseMaxConns})
	} else {
		if err := os.MkdirAll(filepath.Dir(cfg.DatabasePath), 0o700); err != nil {
			return nil, fmt.Errorf("make data directory: %w", err)
		}
		if err := private(cfg.DatabasePath); err != nil {
			return nil, fmt.Errorf("make database file: %w", err)
		}
		st, err = sqlite.Open(ctx, cfg.DatabasePath)
	}
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	for end := time.Now().Add(startPatience); ; {
		err = st.Migrate(ctx, progress)
		if !fault.Is(err, fault.Unavailable) || time.Now().After(end) {
			break
		}
		progress("The database does not answer yet; trying again: " + err.Error())
		select {
		case <-time.After(startRetry):
		case <-ctx.Done():
			return nil, errors.Join(errStopped, st.Close())
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("migrate database: %w", err), st.Close())
	}
	return st, nil
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

// streams are the two logs.
type streams struct{ traces, spans *filewal.Log }

func openStreams(cfg *config.Config, role filewal.Role, log *slog.Logger) (streams, error) {
	open := func(dir string, partitions int, name string) (*filewal.Log, error) {
		return filewal.Open(filewal.Options{
			Dir: dir, Partitions: partitions, Role: role, SegmentBytes: cfg.WALSegmentBytes,
			BatchRecords: cfg.DrainBatchRecords, BatchBytes: int(cfg.DrainBatchBytes), Logger: log.With(logging.KeyStream, name),
		})
	}
	traces, err := open(cfg.TraceWALDir, cfg.TraceWALPartitions, "traces")
	if err != nil {
		return streams{}, err
	}
	spans, err := open(cfg.SpanWALDir, cfg.SpanWALPartitions, "spans")
	if err != nil {
		return streams{}, errors.Join(err, traces.Close())
	}
	return streams{traces, spans}, nil
}

func (s streams) close() error { return errors.Join(s.traces.Close(), s.spans.Close()) }

// barrier waits until what was appended before is stored, or ctx ends.
func (s streams) barrier(ctx context.Context) error {
	if err := s.traces.Barrier(ctx); err != nil {
		return err
	}
	return s.spans.Barrier(ctx)
}

func (s streams) named() map[string]wal.Log {
	return map[string]wal.Log{"traces": s.traces, "spans": s.spans}
}

// serve runs the server until ctx ends, then finishes what is under way.
func (c *command) serve(ctx context.Context) (err error) {
	cfg, log, err := c.settings()
	if err != nil {
		return err
	}
	role := map[config.RuntimeMode]filewal.Role{
		config.RuntimeAll: filewal.RoleAll, config.RuntimeAPI: filewal.RoleAppend, config.RuntimeListener: filewal.RoleConsume,
	}[cfg.RuntimeMode]
	var listener net.Listener
	if cfg.RuntimeMode != config.RuntimeListener { // first, so that a port in use costs nothing
		listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port)))
		if err != nil {
			return fmt.Errorf("listen on PORT %d (set PORT to another one, or to 0 for any that is free): %w", cfg.Port, err)
		}
		defer listener.Close()
		cfg.BindPort(listener.Addr().(*net.TCPAddr).Port)
	}
	st, err := openStore(ctx, &cfg, func(line string) { log.Info("database", slog.String(logging.KeyReason, line)) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	logs, err := openStreams(&cfg, role, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logs.close()) }()
	app, err := newApp(&cfg, log, st, logs, dashboardFiles(&cfg, log))
	if err != nil {
		return err
	}

	if set := debug.SetGCPercent(gcPercent); set != 100 {
		debug.SetGCPercent(set) // GOGC says otherwise
	}
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBackground()
	workers, background := errgroup.WithContext(background)
	if cfg.RuntimeMode != config.RuntimeAPI {
		for _, l := range logs.named() {
			workers.Go(func() error { return l.Consume(background, app.drain.Handle) })
		}
		workers.Go(func() error { app.maintain(background); return nil })
	}
	workers.Go(func() error { giveMemoryBack(background); return nil })
	var server *http.Server
	if listener != nil {
		server = &http.Server{
			Handler: app.handler, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
			IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		}
		workers.Go(func() error {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve: %w", err)
			}
			return nil
		})
		c.welcome(&cfg)
	}
	log.Info("Pulse runtime started", slog.String("version", c.Version), slog.String("mode", string(cfg.Mode)),
		slog.String("runtime", string(cfg.RuntimeMode)), slog.Int("trace_partitions", cfg.TraceWALPartitions),
		slog.Int("span_partitions", cfg.SpanWALPartitions), slog.Int("port", cfg.Port))

	select {
	case <-ctx.Done():
	case <-background.Done(): // something failed; Wait tells what
	}
	log.Info("stopping: finishing requests and the drain")
	stopped := make(chan error, 1)
	go func() {
		defer stopBackground()
		deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ShutdownTimeout)
		defer cancel()
		var err error
		if server != nil {
			err = server.Shutdown(deadline)
		}
		if cfg.RuntimeMode != config.RuntimeAPI && background.Err() == nil {
			drained, cancel := context.WithTimeout(deadline, cfg.ShutdownTimeout/2)
			defer cancel()
			if logs.barrier(drained) != nil { // what is left is durable and drained after the next start
				log.Warn("the drain has not finished; the log keeps the rest")
			}
		}
		stopBackground()
		stopped <- errors.Join(err, workers.Wait())
	}()
	select {
	case err := <-stopped:
		log.Info("stopped")
		return err
	case <-time.After(cfg.ShutdownTimeout):
		return fmt.Errorf("did not stop within %s", cfg.ShutdownTimeout)
	}
}

// dashboardFiles gives the built dashboard: DASHBOARD_DIST_DIR's, or the one
// inside the program; nil if neither was built.
func dashboardFiles(cfg *config.Config, log *slog.Logger) fs.FS {
	files := dashboard.Files()
	if cfg.DashboardDir != "" {
		files = os.DirFS(cfg.DashboardDir)
	}
	if files != nil {
		if _, err := fs.Stat(files, "index.html"); err == nil {
			return files
		}
	}
	if cfg.DashboardDir != "" {
		log.Warn("DASHBOARD_DIST_DIR holds no index.html; serving the page without a dashboard")
	}
	return nil
}

// migrate is the command of that name.
func (c *command) migrate(ctx context.Context) error {
	cfg, _, err := c.settings()
	if err != nil {
		return err
	}
	st, err := openStore(ctx, &cfg, func(line string) { fmt.Fprintln(c.stdout, line) })
	if err != nil {
		return err
	}
	fmt.Fprintln(c.stdout, "The database is up to date.")
	return st.Close()
}
