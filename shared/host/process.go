package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pulse-traces/pulse/shared/config"
)

const (
	// Limits of one connection: a slow client holds a goroutine, no more.
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 2 * time.Minute
	writeTimeout      = 2 * time.Minute
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// Listen opens PORT and tells cfg which one it is.
func Listen(ctx context.Context, cfg *config.Config) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port)))
	if err != nil {
		return nil, fmt.Errorf("listen on PORT %d (set PORT to another one, or to 0 for any that is free): %w", cfg.Port, err)
	}
	cfg.BindPort(l.Addr().(*net.TCPAddr).Port)
	return l, nil
}

// Process is what runs until it is told to stop: a server, workers, or both.
type Process struct {
	Log *slog.Logger
	// Listener is closed at the end; nil serves no HTTP.
	Listener net.Listener
	Handler  http.Handler
	// Workers run until their context ends. One that fails ends the process.
	Workers []func(context.Context) error
	// Settle, if set, is called between the last answer and the end of the
	// workers, which may need a moment to finish what was accepted. It may take
	// half of Timeout.
	Settle func(context.Context)
	// Timeout bounds the stop.
	Timeout time.Duration
}

// Run runs the process until ctx ends or a part of it fails, then finishes what
// is under way.
func (p Process) Run(ctx context.Context) error {
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBackground()
	workers, background := errgroup.WithContext(background)
	for _, work := range p.Workers {
		workers.Go(func() error { return work(background) })
	}
	var server *http.Server
	if p.Listener != nil {
		server = &http.Server{
			Handler: p.Handler, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
			IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(p.Log.Handler(), slog.LevelDebug),
		}
		workers.Go(func() error {
			if err := server.Serve(p.Listener); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve: %w", err)
			}
			return nil
		})
	}
	select {
	case <-ctx.Done():
	case <-background.Done(): // something failed; Wait tells what
	}
	p.Log.Info("stopping: finishing requests and the drain")
	stopped := make(chan error, 1)
	go func() {
		defer stopBackground()
		deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.Timeout)
		defer cancel()
		var err error
		if server != nil {
			err = server.Shutdown(deadline)
		}
		if p.Settle != nil && background.Err() == nil {
			settling, cancel := context.WithTimeout(deadline, p.Timeout/2)
			defer cancel()
			p.Settle(settling)
		}
		stopBackground()
		stopped <- errors.Join(err, workers.Wait())
	}()
	select {
	case err := <-stopped:
		p.Log.Info("stopped")
		return err
	case <-time.After(p.Timeout):
		return fmt.Errorf("did not stop within %s", p.Timeout)
	}
}
