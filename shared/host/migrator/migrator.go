// Package migrator is the function that brings the database up to date: on
// deploy where CloudFormation asks for it, or as a container that ends.
package migrator

import (
	"context"
	"log/slog"
	"net"

	"github.com/pulse-traces/pulse/shared/host"
	"github.com/pulse-traces/pulse/shared/host/function"
	"github.com/pulse-traces/pulse/shared/host/queue"
	"github.com/pulse-traces/pulse/shared/logging"
)

// Function gives the function.
func Function() function.Function {
	return function.Function{
		Name: "migrate", Batch: true, Lambda: newEventHandler,
		Container: func(ctx context.Context, d *host.Deps, _ []net.Listener) error {
			d.Log.Info("function started", slog.String("version", d.Version))
			return migrate(ctx, d)
		},
	}
}

func migrate(ctx context.Context, d *host.Deps) error {
	err := host.Migrate(ctx, d.Store, d.Log, func(line string) { d.Log.Info("database", slog.String(logging.KeyReason, line)) })
	if err != nil {
		return err
	}
	d.Log.Info("the database is up to date")
	return queue.Ensure(ctx, d.Config, d.Log)
}
