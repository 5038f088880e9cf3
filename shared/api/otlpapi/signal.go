package otlpapi

import (
	"context"
	"slices"

	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/otlp"
)

// signal is one of the kinds of telemetry that OTLP carries.
type signal struct {
	name     string // at the end of paths
	method   string // of gRPC
	rejected string // the member of a partial success in JSON
	keeps    bool   // false: all of it is rejected, and no fault of the sender's
	take     func(g *Group, ctx context.Context, body []byte, enc otlp.Encoding) (partial, error)
}

var signals = []*signal{
	{"traces", "/opentelemetry.proto.collector.trace.v1.TraceService/Export", "rejectedSpans", true, (*Group).traces},
	{"logs", "/opentelemetry.proto.collector.logs.v1.LogsService/Export", "rejectedLogRecords", true, (*Group).logs},
	{"metrics", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", "rejectedDataPoints", false, (*Group).metrics},
}

// partial is what of a request was left out, and why the first was.
type partial struct {
	rejected int
	reason   string
}

func (p *partial) add(rejected int, reason string) {
	if p.rejected == 0 {
		p.reason = reason
	}
	p.rejected += rejected
}

const (
	// stepBytes is about how much of a request is read into spans at once: they
	// take several times the room of their bytes, and are not needed any more
	// once the log has them.
	stepBytes = 4 << 20
	// stepRecords bounds the same where records are tiny.
	stepRecords = 5000
)

// step is how many of n records of a request of size bytes are read at once.
func step(n, size int) int {
	return max(1, min(stepRecords, n*stepBytes/max(1, size)))
}

// traces takes spans, which are read when they are drained. They are made
// durable in steps: a request that fails is sent again as a whole, and what is
// there already changes nothing.
func (g *Group) traces(ctx context.Context, body []byte, enc otlp.Encoding) (p partial, err error) {
	all, err := otlp.DecodeTraces(body, enc)
	if err != nil {
		return p, err
	}
	all.Check(g.Now())
	p.add(all.Rejected, all.Reason)
	for spans := range slices.Chunk(all.Spans, step(len(all.Spans), len(body))) {
		if err := g.Accept.AcceptSent(ctx, reqctx.Sender(ctx), spans); err != nil {
			return p, named(err)
		}
	}
	return p, nil
}

// logs takes log records as package otlp reads them: as news of spans, or as
// spans of a session.
func (g *Group) logs(ctx context.Context, body []byte, enc otlp.Encoding) (p partial, err error) {
	all, err := otlp.DecodeLogs(body, enc)
	if err != nil {
		return p, err
	}
	p.add(all.Rejected, all.Reason)
	for records := range slices.Chunk(all.Records, step(len(all.Records), len(body))) {
		part := otlp.Logs{Records: records}
		if err := g.Accept.Accept(ctx, reqctx.Sender(ctx), part.Map(g.Now())); err != nil {
			return p, named(err)
		}
		p.add(part.Rejected, part.Reason)
	}
	return p, nil
}

// metrics takes nothing, and says so: an exporter that were told of an error
// would send the same again.
func (g *Group) metrics(_ context.Context, body []byte, enc otlp.Encoding) (p partial, err error) {
	points, err := otlp.CountPoints(body, enc)
	if err == nil && points > 0 {
		p.add(int(points), "Pulse keeps no metrics: it counts tokens, costs and latency from spans")
	}
	return p, err
}

// named gives a log that refuses the message that clients know.
func named(err error) error {
	if fault.Is(err, fault.Unavailable) {
		return fault.Wrap(fault.Unavailable, "Failed to enqueue span", err)
	}
	return err
}
