package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/logging"
)

const (
	// Limits of one connection: a slow client holds a goroutine, no more.
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 2 * time.Minute
	writeTimeout      = 2 * time.Minute
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// Listen opens PORT, tells cfg which one it is, and with grpc OTLP_GRPC_PORT as
// well. Where that one is in use by chance (a Collector listens on the same port
// by default) it goes on without.
func Listen(ctx context.Context, cfg *config.Config, log *slog.Logger, grpc bool) ([]net.Listener, error) {
	l, err := listen(ctx, cfg, cfg.Port)
	switch {
	case err != nil && noHost(err):
		return nil, fmt.Errorf("listen on PULSE_HOST %s (set PULSE_HOST to a name or an address of this machine, or not at all to listen on all its interfaces): %w", cfg.Host, err)
	case err != nil:
		return nil, fmt.Errorf("listen on PORT %d (set PORT to another one, or to 0 for any that is free): %w", cfg.Port, err)
	}
	cfg.BindPort(l.Addr().(*net.TCPAddr).Port)
	listeners := []net.Listener{l}
	if !grpc || !ServesGRPC(cfg) || cfg.GRPCPort == cfg.Port {
		return listeners, nil
	}
	second, err := listen(ctx, cfg, cfg.GRPCPort)
	switch {
	case err == nil:
		return append(listeners, second), nil
	case slices.Contains(cfg.Given, "OTLP_GRPC_PORT"):
		return nil, errors.Join(fmt.Errorf("listen on OTLP_GRPC_PORT %d (set OTLP_GRPC_PORT to another one, or to 0 for no gRPC): %w", cfg.GRPCPort, err), l.Close())
	}
	log.Warn("OTLP_GRPC_PORT cannot be listened on: gRPC is taken on PORT alone", slog.Int("port", cfg.GRPCPort), slog.Any(logging.KeyError, err))
	return listeners, nil
}

func listen(ctx context.Context, cfg *config.Config, port int) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(port)))
}

// noHost reports whether the host is why nothing can listen there, whatever the port.
func noHost(err error) bool {
	_, unknown := errors.AsType[*net.DNSError](err)
	_, malformed := errors.AsType[*net.AddrError](err)
	return unknown || malformed || errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
}

// ServesGRPC reports whether OTLP over gRPC is among what is served.
func ServesGRPC(cfg *config.Config) bool { return cfg.GRPCPort != 0 && !OnLambda(cfg) }

// CloseAll closes listeners that may be closed already.
func CloseAll(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close() // nobody listens any more either way
	}
}

// Process is what runs until it is told to stop: a server, workers, or both.
type Process struct {
	Log *slog.Logger
	// Listeners are closed at the end; with none, no HTTP is served.
	Listeners []net.Listener
	Handler   http.Handler
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
	if len(p.Listeners) > 0 {
		server = &http.Server{
			Handler: p.Handler, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
			IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(p.Log.Handler(), slog.LevelDebug),
			Protocols: &http.Protocols{},
		}
		server.Protocols.SetHTTP1(true)
		server.Protocols.SetUnencryptedHTTP2(true) // what gRPC is made of
	}
	for _, l := range p.Listeners {
		workers.Go(func() error {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
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
