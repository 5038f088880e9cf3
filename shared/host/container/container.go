// Package container is where the functions run in containers, and anywhere else
// that is not Lambda: a server on PORT, workers, and an end in good order.
package container

import (
	"context"
	"net"
	"net/http"

	"github.com/pulse-traces/pulse/shared/host"
)

// Run serves h on l and runs workers, until ctx ends or a worker fails.
func Run(ctx context.Context, d *host.Deps, l net.Listener, h http.Handler, workers ...func(context.Context) error) error {
	return host.Process{
		Log: d.Log, Listener: l, Handler: h, Timeout: d.Config.ShutdownTimeout,
		Workers: append(workers, host.KeepMemorySmall),
	}.Run(ctx)
}
