// Package drainer is the function that drains the log: by SQS events on Lambda,
// as a consumer of its own in a container.
package drainer

import (
	"context"
	"net"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/healthapi"
	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/drain"
	"github.com/pulse-traces/pulse/shared/host"
	"github.com/pulse-traces/pulse/shared/host/container"
	"github.com/pulse-traces/pulse/shared/host/function"
	"github.com/pulse-traces/pulse/shared/host/stream"
	"github.com/pulse-traces/pulse/shared/wal/filewal"
)

// Function gives the function.
func Function() function.Function {
	return function.Function{
		Name: "drain", Needs: config.NeedLog, LambdaConns: 1,
		Lambda: newEventHandler, Container: consume,
	}
}

// newDrain makes the drain into the store of d.
func newDrain(d *host.Deps) *drain.Drain {
	return drain.New(drain.Options{Store: d.Store, Log: d.Log, Failed: d.Metrics.DrainFailed, Stored: d.Metrics.Drained})
}

// consume drains both logs and maintains the store until ctx ends.
func consume(ctx context.Context, d *host.Deps, listeners []net.Listener) error {
	logs, err := stream.Open(ctx, d.Config, filewal.RoleConsume, d.Log)
	if err != nil {
		return err
	}
	d.OnClose(logs.Close)
	logs.Watch(d.Metrics)
	health := healthapi.New(d.Health(d.DatabaseCheck(), logs.Check(d.Config)))
	index := func(ctx context.Context) error { return d.IndexTexts(ctx, nil) }
	return container.Run(ctx, d, listeners, api.New(d.Options(), health), append(logs.Consumers(newDrain(d).Handle), d.Maintain, index)...)
}
