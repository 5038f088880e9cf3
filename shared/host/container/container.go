// Package container is where the functions run in containers, and anywhere else
// that is not Lambda: a server on PORT, workers, and an end in good order.
package container

import (
	"context"
	"log/slog"
	"net"
	"net/http"

	"github.com/pulse-traces/pulse/shared/host"
)

// Run says that the function has started, all that it needs being open, and
// serves h on all listeners and runs workers, until ctx ends or a worker fails.
func Run(ctx context.Context, d *host.Deps, listeners []net.Listener, h http.Handler, workers ...func(context.Context) error) error {
	d.Log.Info("function started", slog.String("version", d.Version), slog.Int("port", d.Config.Port))
	return host.Process{
		Log: d.Log, Listeners: listeners, Handler: h, Timeout: d.Config.ShutdownTimeout,
		Workers: append(workers, host.KeepMemorySmall),
	}.Run(ctx)
}
