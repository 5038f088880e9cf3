// Package function runs the functions of a deployment: each is one binary that
// takes events where AWS_LAMBDA_RUNTIME_API is set and is a container's server
// elsewhere.
package function

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/healthapi"
	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/host"
	"github.com/pulse-traces/pulse/shared/host/container"
	"github.com/pulse-traces/pulse/shared/host/lambda"
)

// version is set by the build: see the Makefile.
var version = "dev"

// Function is one deployable: what it needs, and how it works on either host.
type Function struct {
	Name  string
	Needs config.Needs
	// LambdaConns is how many connections to the database a process on Lambda
	// holds at most; 0 means two.
	LambdaConns int
	// Lambda makes what answers the function's events.
	Lambda func(context.Context, *host.Deps) (lambda.Handler, error)
	// Container does the same work until ctx ends, or it is done.
	Container func(context.Context, *host.Deps, []net.Listener) error
	// Batch says that Container serves no HTTP and gets no listeners.
	Batch bool
	// GRPC says that Container also listens on OTLP_GRPC_PORT.
	GRPC bool
}

// HTTP is a function that serves route groups, and health beside them.
type HTTP struct {
	Name  string
	Needs config.Needs
	// Groups makes what is served; what they hold open is left to Deps.OnClose.
	Groups func(context.Context, *host.Deps) ([]api.Group, error)
	// GRPC says that a container listens on OTLP_GRPC_PORT as well.
	GRPC bool
	// Elsewhere, if set, makes the groups of other functions for which this one
	// answers what nobody has: see api.Options.
	Elsewhere func(*host.Deps) []api.Group
	// WithoutDatabase says that the function can go on while the database is away:
	// it is ready if the log is there, which its groups have opened.
	WithoutDatabase bool
}

// Main runs the function and gives the process's exit status. args are those
// after the program's name.
func (h HTTP) Main(args []string) int {
	return Function{
		Name: h.Name, Needs: h.Needs, GRPC: h.GRPC,
		Lambda: func(ctx context.Context, d *host.Deps) (lambda.Handler, error) {
			o := d.Options()
			o.DecodedPaths = true
			handler, err := h.handler(ctx, d, o)
			return lambda.NewHTTP(handler, d.Log), err
		},
		Container: func(ctx context.Context, d *host.Deps, listeners []net.Listener) error {
			handler, err := h.handler(ctx, d, d.Options())
			if err != nil {
				return err
			}
			return container.Run(ctx, d, listeners, handler)
		},
	}.Main(args)
}

func (h HTTP) handler(ctx context.Context, d *host.Deps, o api.Options) (http.Handler, error) {
	groups, err := h.Groups(ctx, d)
	if err != nil {
		return nil, err
	}
	if h.Elsewhere != nil {
		o.Elsewhere = h.Elsewhere(d)
	}
	ready := d.DatabaseCheck()
	if h.WithoutDatabase {
		ready = d.LogCheck
	}
	return api.New(o, append(groups, healthapi.New(d.Health(ready)))...), nil
}

// errUsage is what a call with other arguments is told.
var errUsage = errors.New("takes no argument to run, being configured by the environment; or health, " +
	"to ask the server of this machine whether it is ready; or version")

// Main runs the function and gives the process's exit status. args are those
// after the program's name.
func (f Function) Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := f.run(ctx, args)
	if faults, ok := errors.AsType[config.Errors](err); ok {
		fmt.Fprintln(os.Stderr, faults)
		return 1
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, f.Name+":", err)
		return 1
	}
	return 0
}

func (f Function) run(ctx context.Context, args []string) error {
	if len(args) == 1 && args[0] == "version" {
		fmt.Fprintln(os.Stdout, version)
		return nil
	}
	if len(args) > 1 || (len(args) == 1 && args[0] != "health") {
		return errUsage
	}
	conns := f.LambdaConns
	if conns == 0 {
		conns = 2
	}
	cfg, warnings, err := config.FromEnviron(config.Defaults{Function: true, Needs: f.Needs, LambdaConns: conns, Asks: len(args) == 1})
	if err != nil {
		return err
	}
	if len(args) == 1 {
		return host.AskHealth(ctx, &cfg, os.Stdout)
	}
	log := host.NewLogger(os.Stderr, &cfg).With(slog.String("function", f.Name))
	host.Warn(log, warnings)
	return f.serve(ctx, &cfg, log)
}

func (f Function) serve(ctx context.Context, cfg *config.Config, log *slog.Logger) (err error) {
	var listeners []net.Listener
	if !host.OnLambda(cfg) && !f.Batch { // first, so that a port in use costs nothing
		if listeners, err = host.Listen(ctx, cfg, log, f.GRPC); err != nil {
			return err
		}
		defer host.CloseAll(listeners)
	}
	st, err := host.OpenPostgres(ctx, cfg)
	if err != nil {
		return err
	}
	d, err := host.NewDeps(cfg, log, st)
	if err != nil {
		return errors.Join(err, st.Close())
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	d.Version = version
	if !host.OnLambda(cfg) {
		return f.Container(ctx, d, listeners)
	}
	h, err := f.Lambda(ctx, d)
	if err != nil {
		return err
	}
	lambda.Start(h, log)
	return nil
}
