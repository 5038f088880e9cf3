package fold

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/pulse-traces/pulse/shared/sketch"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// periodName gives the name of the period that holds bucket.
func periodName(bucket int64, p store.Period) string {
	t := time.UnixMicro(bucket).UTC()
	if p == store.PeriodHour {
		return t.Format("2006-01-02 15:00:00")
	}
	return t.Format(time.DateOnly)
}

// inSeries reports whether rows of grain g are fine enough for periods of p.
func inSeries(g Grain, p store.Period) bool { return p != store.PeriodHour || g != GrainDay }

// SeriesOnly lists the parts that a series by p needs beside those of pl: the
// hours of whole days, for AddSeries.
func SeriesOnly(pl Plan, p store.Period) []Part {
	var out []Part
	for _, part := range pl.Parts {
		if !inSeries(part.Grain, p) {
			out = append(out, Part{GrainHour, part.Interval})
		}
	}
	return out
}

// calls adds up rows of model calls.
type calls struct {
	sums   Sums
	errors int64
}

func (c *calls) add(status trace.Status, s *Sums) {
	c.sums.Merge(s)
	if status == trace.StatusError {
		c.errors += s.Count
	}
}

func (c *calls) merge(o *calls) {
	c.sums.Merge(&o.sums)
	c.errors += o.errors
}

func (c *calls) result() store.CallSums {
	s := &c.sums
	return store.CallSums{
		Calls: s.Count, Errors: c.errors, InputTokens: s.InputTokens, OutputTokens: s.OutputTokens, CostNanoUSD: s.CostNanoUSD,
		Timed: s.Timed, DurationUS: s.DurationUS, Latency: quantiles(&s.Latency), FirstToken: quantiles(&s.FirstToken),
	}
}

func quantiles(l *sketch.Latency) store.Quantiles {
	if l.Count() == 0 {
		return store.Quantiles{}
	}
	q := func(q float64) *float64 {
		v := l.Quantile(q)
		return &v
	}
	return store.Quantiles{P50: q(0.50), P90: q(0.90), P95: q(0.95), P99: q(0.99)}
}

type modelKey struct{ provider, model string }

type seriesKey struct{ period, provider string }

// Calls assembles store.CallAnalytics from roll-up rows of KindLLMCall. Make it
// with NewCalls.
type Calls struct {
	// Sessions takes the distinct sessions of every part of the range.
	Sessions sketch.Distinct

	period store.Period
	models map[modelKey]*calls
	series map[seriesKey]*calls
}

// NewCalls gives an empty assembly with a series by p.
func NewCalls(p store.Period) *Calls {
	return &Calls{period: p, models: map[modelKey]*calls{}, series: map[seriesKey]*calls{}}
}

// Add counts a row in the sums and, if its grain is fine enough, in the series.
func (c *Calls) Add(k RollupKey, s *Sums) {
	at(c.models, modelKey{k.Provider, k.Model}).add(k.Status, s)
	if inSeries(k.Grain, c.period) {
		c.AddSeries(k, s)
	}
}

// AddSeries counts a row in the series only. The row needs no sketches.
func (c *Calls) AddSeries(k RollupKey, s *Sums) {
	bare := *s // a series has no quantiles: do not pay for merging them
	bare.Latency, bare.FirstToken = sketch.Latency{}, sketch.Latency{}
	at(c.series, seriesKey{periodName(k.Bucket, c.period), k.Provider}).add(k.Status, &bare)
}

// Result gives what was added up.
func (c *Calls) Result() store.CallAnalytics {
	out := store.CallAnalytics{Sessions: c.Sessions.Estimate()}
	providers := map[string]*calls{}
	for k, m := range c.models {
		at(providers, k.provider).merge(m)
		out.ByModel = append(out.ByModel, store.ModelSums{Provider: k.provider, Model: k.model, CallSums: m.result()})
	}
	var all calls
	for name, p := range providers {
		all.merge(p)
		out.ByProvider = append(out.ByProvider, store.ProviderSums{Provider: name, CallSums: p.result()})
	}
	out.Sums = all.result()
	for k, s := range c.series {
		out.Series = append(out.Series, store.SeriesPoint{Period: k.period, Provider: k.provider, CallSums: s.result()})
	}
	slices.SortFunc(out.ByModel, func(a, b store.ModelSums) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Model, b.Model))
	})
	slices.SortFunc(out.ByProvider, func(a, b store.ProviderSums) int {
		return cmp.Or(cmp.Compare(b.CostNanoUSD, a.CostNanoUSD), cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Provider, b.Provider))
	})
	slices.SortFunc(out.Series, func(a, b store.SeriesPoint) int {
		return cmp.Or(cmp.Compare(a.Period, b.Period), cmp.Compare(a.Provider, b.Provider))
	})
	return out
}

// maxTools bounds SpanAnalytics.Tools, as its contract says.
const maxTools = 100

// Spans assembles store.SpanAnalytics from roll-up rows of FormSpan. Make it
// with NewSpans.
type Spans struct {
	period                        store.Period
	out                           store.SpanAnalytics
	kinds, sources, tools, series map[string]int64
}

// NewSpans gives an empty assembly with a series by p.
func NewSpans(p store.Period) *Spans {
	return &Spans{period: p, kinds: map[string]int64{}, sources: map[string]int64{}, tools: map[string]int64{}, series: map[string]int64{}}
}

// Add counts a row in the sums and, if its grain is fine enough, in the series.
func (a *Spans) Add(k RollupKey, s *Sums) {
	a.out.Spans += s.Count
	a.out.Timed += s.Timed
	a.out.DurationUS = trace.Plus(a.out.DurationUS, s.DurationUS)
	if k.Status == trace.StatusError {
		a.out.Errors += s.Count
	}
	if k.Kind == trace.KindSession {
		a.out.SessionTimed += s.Timed
		a.out.SessionDurationUS = trace.Plus(a.out.SessionDurationUS, s.DurationUS)
	}
	kind := k.Kind
	if k.Repeats() {
		kind = trace.KindChain
	}
	a.kinds[string(kind)] += s.Count
	a.sources[string(k.Source)] += s.Count
	if k.Kind == trace.KindToolUse && k.ToolName != "" {
		a.tools[k.ToolName] += s.Count
	}
	if inSeries(k.Grain, a.period) {
		a.AddSeries(k, s)
	}
}

// AddSeries counts a row in the series only. The row needs no sketches.
func (a *Spans) AddSeries(k RollupKey, s *Sums) { a.series[periodName(k.Bucket, a.period)] += s.Count }

// Result gives what was added up.
func (a *Spans) Result() store.SpanAnalytics {
	out := a.out
	out.ByKind, out.BySource = byCount(a.kinds), byCount(a.sources)
	out.Tools = byCount(a.tools)
	out.Tools = out.Tools[:min(len(out.Tools), maxTools)]
	for _, name := range slices.Sorted(maps.Keys(a.series)) {
		out.Series = append(out.Series, store.Count{Name: name, Count: a.series[name]})
	}
	return out
}

func byCount(m map[string]int64) []store.Count {
	var out []store.Count
	for name, n := range m {
		out = append(out, store.Count{Name: name, Count: n})
	}
	slices.SortFunc(out, func(a, b store.Count) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	return out
}
