package fold

import (
	"context"

	"github.com/pulse-traces/pulse/shared/sketch"
	"github.com/pulse-traces/pulse/shared/trace"
)

// TraceSums are what a row of trace_counts holds of the traces of its key. Of
// tokens and cost a trace adds no more than trace.MaxAddend.
type TraceSums struct {
	Count                                  int64
	InputTokens, OutputTokens, CostNanoUSD int64
	// Latency holds the milliseconds from first start to last end, FirstToken those
	// to the main span's first token.
	Latency, FirstToken sketch.Latency
}

// TraceCounts are rows of trace_counts by key.
type TraceCounts map[TraceCountKey]*TraceSums

func (s *TraceSums) add(t *trace.Trace) {
	s.Count++
	s.InputTokens += min(value(t.InputTokens), trace.MaxAddend)
	s.OutputTokens += min(value(t.OutputTokens), trace.MaxAddend)
	s.CostNanoUSD += min(value(t.CostNanoUSD), trace.MaxAddend)
	s.Latency.Add(latencyOf(t.End.Sub(*t.Start).Microseconds()))
	if ms := t.Main.FirstTokenMS; ms != nil {
		s.FirstToken.Add(*ms)
	}
}

// latencyOf gives the milliseconds of a trace's microseconds.
func latencyOf(us int64) float64 { return float64(us) / 1000 }

// Merge adds what o counted.
func (s *TraceSums) Merge(o *TraceSums) {
	s.Count += o.Count
	s.InputTokens += o.InputTokens
	s.OutputTokens += o.OutputTokens
	s.CostNanoUSD += o.CostNanoUSD
	s.Latency.Merge(&o.Latency)
	s.FirstToken.Merge(&o.FirstToken)
}

// subtract takes away what o counted. Of a damaged row, which has not counted all
// of that, it takes what it can.
func (s *TraceSums) subtract(o *TraceSums) {
	s.Count -= o.Count
	s.InputTokens -= o.InputTokens
	s.OutputTokens -= o.OutputTokens
	s.CostNanoUSD -= o.CostNanoUSD
	s.Latency.Subtract(&o.Latency)
	s.FirstToken.Subtract(&o.FirstToken)
}

// TraceChanges are what rows of trace_counts gain and lose.
type TraceChanges map[TraceCountKey]*traceChange

type traceChange struct{ added, removed TraceSums }

func (c *traceChange) merge(o *traceChange) {
	c.added.Merge(&o.added)
	c.removed.Merge(&o.removed)
}

// nothing reports whether what was added was taken away again.
func (c *traceChange) nothing() bool {
	return c.added.Count == c.removed.Count && c.added.InputTokens == c.removed.InputTokens && c.added.OutputTokens == c.removed.OutputTokens &&
		c.added.CostNanoUSD == c.removed.CostNanoUSD && c.added.Latency.Equal(&c.removed.Latency) && c.added.FirstToken.Equal(&c.removed.FirstToken)
}

// everyGrain gives the changes of the rows of every grain.
func (c TraceChanges) everyGrain() TraceChanges {
	out := make(TraceChanges, len(Grains())*len(c))
	for k, change := range c {
		if change.nothing() {
			continue
		}
		for _, g := range Grains() {
			k.Grain, k.Bucket = g, g.bucketOf(k.Bucket)
			at(out, k).merge(change)
		}
	}
	return out
}

// Counted gives the rows of every grain where none is stored.
func (c TraceChanges) Counted() TraceCounts {
	rows := TraceCounts{}
	rows.change(c.everyGrain())
	return rows
}

// change brings rows up to date, and gives the keys of those that are none any more.
func (rows TraceCounts) change(changes TraceChanges) (gone []TraceCountKey) {
	for k, c := range changes {
		row := at(rows, k)
		row.Merge(&c.added)
		if row.subtract(&c.removed); row.Count == 0 {
			delete(rows, k)
			gone = append(gone, k)
		}
	}
	return gone
}

// writeTraceCounts brings stored counts of traces up to date.
func (s *State) writeTraceCounts(ctx context.Context, t Tables) error {
	changes := s.TraceCounts.everyGrain()
	if len(changes) == 0 {
		return nil
	}
	keys := make([]TraceCountKey, 0, len(changes))
	for k := range changes {
		keys = append(keys, k)
	}
	rows, err := t.TraceCounts(ctx, keys)
	if err != nil {
		return err
	}
	gone := rows.change(changes)
	if err := t.PutTraceCounts(ctx, rows); err != nil || len(gone) == 0 {
		return err
	}
	return t.DeleteTraceCounts(ctx, gone)
}
