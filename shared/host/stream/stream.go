// Package stream opens the two logs, of traces and of spans, in the technology
// that WAL_URL names, for all that append to them or drain them. It is apart
// from package host so that functions without a log do not link one.
package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/pulse-traces/pulse/shared/api/healthapi"
	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/host"
	"github.com/pulse-traces/pulse/shared/host/queue"
	"github.com/pulse-traces/pulse/shared/ingest"
	"github.com/pulse-traces/pulse/shared/logging"
	"github.com/pulse-traces/pulse/shared/metrics"
	"github.com/pulse-traces/pulse/shared/trace"
	"github.com/pulse-traces/pulse/shared/wal"
	"github.com/pulse-traces/pulse/shared/wal/filewal"
	"github.com/pulse-traces/pulse/shared/wal/natswal"
	"github.com/pulse-traces/pulse/shared/wal/sqswal"
)

// Logs are the two logs.
type Logs struct{ Traces, Spans wal.Log }

// half is what the configuration says of one of the logs.
type half struct {
	name       string
	dir        string
	queues     func(*config.Config, *slog.Logger) sqswal.Options
	partitions int
}

func halves(cfg *config.Config) (traces, spans half) {
	return half{"traces", cfg.TraceWALDir, queue.Traces, cfg.TraceWALPartitions},
		half{"spans", cfg.SpanWALDir, queue.Spans, cfg.SpanWALPartitions}
}

// Open opens both logs. role counts for logs of files alone: everybody may
// append to a queue and consume it. NATS is connected to, and a log on it made if
// it is missing; SQS is not asked.
func Open(ctx context.Context, cfg *config.Config, role filewal.Role, log *slog.Logger) (Logs, error) {
	first, second := halves(cfg)
	traces, err := open(ctx, cfg, first, role, log)
	if err != nil {
		return Logs{}, err
	}
	spans, err := open(ctx, cfg, second, role, log)
	if err != nil {
		return Logs{}, errors.Join(err, traces.Close())
	}
	return Logs{traces, spans}, nil
}

func open(ctx context.Context, cfg *config.Config, h half, role filewal.Role, log *slog.Logger) (wal.Log, error) {
	log = log.With(logging.KeyStream, h.name)
	records, bytes := cfg.DrainBatchRecords, int(cfg.DrainBatchBytes)
	switch cfg.WALKind {
	case config.WALFile:
		return filewal.Open(filewal.Options{
			Dir: h.dir, Partitions: h.partitions, Role: role, SegmentBytes: cfg.WALSegmentBytes,
			BatchRecords: records, BatchBytes: bytes, Logger: log,
		})
	case config.WALSQS:
		return sqswal.Open(h.queues(cfg, log))
	case config.WALNATS:
		ctx, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		return natswal.Open(ctx, natswal.Options{
			URL: cfg.WALURL.Reveal(), Stream: h.name, Partitions: h.partitions, Replicas: cfg.NATSReplicas,
			BatchRecords: records, BatchBytes: bytes, Logger: log,
		})
	}
	return nil, fmt.Errorf("there is no log of the kind %q", cfg.WALKind)
}

// connectTimeout is how long NATS may be away at the start, as when both come up
// together.
const connectTimeout = time.Minute

// askEvery is how often a remote log is asked for /health/ready at most.
const askEvery = 5 * time.Second

// Check fails while one of the logs does not answer or, in files, takes none.
func (l Logs) Check(cfg *config.Config) healthapi.Check {
	check := healthapi.Check{Name: "log", Run: l.Ping}
	if cfg.WALKind == config.WALFile {
		return check
	}
	return healthapi.Every(askEvery, check)
}

// Ping asks both logs whether they are there.
func (l Logs) Ping(ctx context.Context) error {
	errs := make(chan error, 2)
	for _, log := range []wal.Log{l.Traces, l.Spans} {
		go func() { errs <- log.Ping(ctx) }()
	}
	return cmp.Or(<-errs, <-errs)
}

// Where says where the dead letters of the logs are, without credentials.
func Where(cfg *config.Config) string {
	first, second := halves(cfg)
	switch cfg.WALKind {
	case config.WALSQS:
		where := fmt.Sprintf("the queues %s<n>-dlq and %s<n>-dlq", cfg.TraceQueueURLPrefix, cfg.SpanQueueURLPrefix)
		if cfg.SQSEndpoint != "" {
			where += " at " + cfg.SQSEndpoint
		}
		return where
	case config.WALNATS:
		server := ""
		if u, err := url.Parse(cfg.WALURL.Reveal()); err == nil {
			server = " at " + u.Host
		}
		return fmt.Sprintf("the streams pulse-%s-dead and pulse-%s-dead%s", first.name, second.name, server)
	}
	return first.dir + " and " + second.dir
}

// Named gives the logs by their names.
func (l Logs) Named() map[string]wal.Log {
	return map[string]wal.Log{"traces": l.Traces, "spans": l.Spans}
}

// Close closes both.
func (l Logs) Close() error { return errors.Join(l.Traces.Close(), l.Spans.Close()) }

// Ordered reports whether Barrier waits.
func (l Logs) Ordered() bool {
	_, traces := l.Traces.(wal.Ordered)
	_, spans := l.Spans.(wal.Ordered)
	return traces && spans
}

// Barrier waits until what was appended before is stored, or ctx ends. Where
// the logs cannot tell, it does not wait.
func (l Logs) Barrier(ctx context.Context) error {
	for _, log := range []wal.Log{l.Traces, l.Spans} {
		if o, ok := log.(wal.Ordered); ok {
			if err := o.Barrier(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// Consumers are the workers that hand both logs' records to handle.
func (l Logs) Consumers(handle wal.Handler) []func(context.Context) error {
	return []func(context.Context) error{
		func(ctx context.Context) error { return l.Traces.Consume(ctx, handle) },
		func(ctx context.Context) error { return l.Spans.Consume(ctx, handle) },
	}
}

// Watch shows the logs' state among the metrics.
func (l Logs) Watch(m *metrics.Metrics) {
	for name, log := range l.Named() {
		m.WatchLog(name, log.Stats)
	}
}

// Ingest makes the service that accepts spans into the logs. What fits no
// record goes to the store.
func (l Logs) Ingest(d *host.Deps) *ingest.Service {
	return ingest.New(ingest.Options{
		Traces: l.Traces, Spans: l.Spans, Direct: d.Store, WaitFor: d.Config.ReadAfterWriteTimeout, Now: time.Now,
		Accepted: func(_ trace.Form, spans int) { d.Metrics.Accepted(spans) },
	})
}

// Ingest opens the logs to append to them until d is closed, and makes the
// service that accepts spans into them.
func Ingest(ctx context.Context, d *host.Deps) (*ingest.Service, error) {
	logs, err := Open(ctx, d.Config, filewal.RoleAppend, d.Log)
	if err != nil {
		return nil, err
	}
	d.OnClose(logs.Close)
	d.LogCheck = logs.Check(d.Config)
	return logs.Ingest(d), nil
}
