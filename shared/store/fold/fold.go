// Package fold is the arithmetic that every storage engine does alike: which
// rows a batch of new spans changes and by how much, how a time range is read
// from roll-ups, and how roll-up rows become analytics. Engines add SQL only, so
// that the same spans give the same answers on each.
//
// Times inside keys and intervals are Unix microseconds, UTC.
package fold

import (
	"cmp"
	"slices"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/sketch"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Grain is the width of a roll-up row. All widths are kept: wide ones so that a
// long range reads few rows, the finest so that little is left of a range that
// cuts a busy hour.
type Grain string

// The grains. The names are stored. Each width divides the next.
const (
	GrainFiveMin Grain = "5min"
	GrainHour    Grain = "hour"
	GrainDay     Grain = "day"
)

// Grains lists every grain, finest first.
func Grains() []Grain { return []Grain{GrainFiveMin, GrainHour, GrainDay} }

const (
	fiveMinUS = int64(5 * time.Minute / time.Microsecond)
	hourUS    = int64(time.Hour / time.Microsecond)
	dayUS     = 24 * hourUS
)

// WidthUS is the width in microseconds.
func (g Grain) WidthUS() int64 {
	switch g {
	case GrainDay:
		return dayUS
	case GrainHour:
		return hourUS
	default:
		return fiveMinUS
	}
}

// Bucket gives the begin of the bucket that holds t.
func (g Grain) Bucket(t time.Time) int64 { return g.bucketOf(t.UnixMicro()) }

// bucketOf rounds down: times before 1970 are not stored.
func (g Grain) bucketOf(us int64) int64 { return us - us%g.WidthUS() }

// RollupKey is the key of a roll-up row within its project.
type RollupKey struct {
	Grain  Grain
	Bucket int64
	store.Rollup
}

// Sums are what a roll-up row holds. Sums of disjoint sets of spans merge into
// those of their union.
type Sums struct {
	Count, Timed, DurationUS               int64
	InputTokens, OutputTokens, CostNanoUSD int64
	// MinStart and MaxStart are the first and last start that were counted: a
	// bucket whose spans all lie in a range is used whole even if the range
	// cuts the bucket.
	MinStart, MaxStart int64
	// Latency and FirstToken hold the milliseconds of model calls; of other
	// kinds they are empty.
	Latency, FirstToken sketch.Latency
}

func (s *Sums) add(sp *trace.Span) {
	at := sp.Start.UnixMicro()
	if s.Count == 0 {
		s.MinStart, s.MaxStart = at, at
	}
	s.MinStart, s.MaxStart = min(s.MinStart, at), max(s.MaxStart, at)
	s.Count++
	if sp.DurationMS != nil {
		s.Timed++
		s.DurationUS = trace.Plus(s.DurationUS, sp.DurationUS())
	}
	s.InputTokens = trace.Plus(s.InputTokens, value(sp.InputTokens))
	s.OutputTokens = trace.Plus(s.OutputTokens, value(sp.OutputTokens))
	s.CostNanoUSD = trace.Plus(s.CostNanoUSD, value(sp.CostNanoUSD))
	if sp.Kind != trace.KindLLMCall {
		return
	}
	if sp.DurationMS != nil {
		s.Latency.Add(*sp.DurationMS)
	}
	if sp.TimeToFirstTokenMS != nil {
		s.FirstToken.Add(*sp.TimeToFirstTokenMS)
	}
}

// Merge adds what o counted.
func (s *Sums) Merge(o *Sums) {
	if o.Count == 0 {
		return
	}
	if s.Count == 0 {
		s.MinStart, s.MaxStart = o.MinStart, o.MaxStart
	}
	s.MinStart, s.MaxStart = min(s.MinStart, o.MinStart), max(s.MaxStart, o.MaxStart)
	s.Count += o.Count
	s.Timed += o.Timed
	s.DurationUS = trace.Plus(s.DurationUS, o.DurationUS)
	s.InputTokens = trace.Plus(s.InputTokens, o.InputTokens)
	s.OutputTokens = trace.Plus(s.OutputTokens, o.OutputTokens)
	s.CostNanoUSD = trace.Plus(s.CostNanoUSD, o.CostNanoUSD)
	s.Latency.Merge(&o.Latency)
	s.FirstToken.Merge(&o.FirstToken)
}

func value(p *int64) int64 {
	if p == nil {
		return 0
	}
	return *p
}

// Rollups are roll-up rows by key.
type Rollups map[RollupKey]*Sums

// AddSpan counts a span in its row of grain g.
func (r Rollups) AddSpan(g Grain, s *trace.Span) {
	r.at(RollupKey{Grain: g, Bucket: g.Bucket(s.Start), Rollup: store.RollupOf(s)}).add(s)
}

func (r Rollups) at(k RollupKey) *Sums {
	sums := r[k]
	if sums == nil {
		sums = &Sums{}
		r[k] = sums
	}
	return sums
}

// BucketKey is the key of a row of distinct sessions within its project.
type BucketKey struct {
	Grain  Grain
	Bucket int64
}

// TraceCountKey is the key of a row that counts traces: by the bucket of
// Trace.Start and by what lists filter on.
type TraceCountKey struct {
	Grain           Grain
	Bucket          int64
	Provider, Model string
	Status          trace.Status
	Sources         trace.SourceMask
}

// State is what one transaction changes in one project. Traces and Sessions
// hold rows whole: the caller puts those in that are stored (see KeysOf) and
// Add brings them up to date. The other maps start empty and hold differences,
// which the engine adds to what is stored.
type State struct {
	Traces      map[trace.TraceID]*trace.Trace
	Sessions    map[trace.SessionID]*trace.Session
	Rollups     Rollups
	Distinct    map[BucketKey]*sketch.Distinct // sessions of model calls
	TraceCounts map[TraceCountKey]int64        // never 0; negative where traces left a key
}

// NewState gives an empty state.
func NewState() *State {
	return &State{
		Traces:      map[trace.TraceID]*trace.Trace{},
		Sessions:    map[trace.SessionID]*trace.Session{},
		Rollups:     Rollups{},
		Distinct:    map[BucketKey]*sketch.Distinct{},
		TraceCounts: map[TraceCountKey]int64{},
	}
}

// Keys names the rows that must be in a State before spans are added.
type Keys struct {
	Traces   []trace.TraceID   // ascending
	Sessions []trace.SessionID // ascending
}

// KeysOf gives the keys of the rows that spans change.
func KeysOf(spans []*trace.Span) Keys {
	var k Keys
	for _, s := range spans {
		if s.TraceID != "" {
			k.Traces = append(k.Traces, s.TraceID)
		}
		if s.SessionID != "" {
			k.Sessions = append(k.Sessions, s.SessionID)
		}
	}
	slices.Sort(k.Traces)
	slices.Sort(k.Sessions)
	k.Traces, k.Sessions = slices.Compact(k.Traces), slices.Compact(k.Sessions)
	return k
}

// Add counts spans that were not counted before, in any order.
func (s *State) Add(spans []*trace.Span) {
	for _, sp := range spans {
		s.AddToTrace(sp)
		s.AddToSession(sp)
	}
	s.AddToRollups(spans)
}

// AddToRollups is the part of Add that changes Rollups and Distinct.
func (s *State) AddToRollups(spans []*trace.Span) {
	finest := Rollups{}
	sessions := map[int64]*sketch.Distinct{}
	for _, sp := range spans {
		finest.AddSpan(GrainFiveMin, sp)
		if sp.Kind == trace.KindLLMCall && sp.SessionID != "" {
			at(sessions, GrainFiveMin.Bucket(sp.Start)).Add(string(sp.SessionID))
		}
	}
	for _, g := range Grains() {
		for k, sums := range finest {
			k.Grain, k.Bucket = g, g.bucketOf(k.Bucket)
			s.Rollups.at(k).Merge(sums)
		}
		for bucket, d := range sessions {
			at(s.Distinct, BucketKey{g, g.bucketOf(bucket)}).Merge(d)
		}
	}
}

// at gives the value of a key, a new one if there is none.
func at[K comparable, V any](m map[K]*V, k K) *V {
	v := m[k]
	if v == nil {
		v = new(V)
		m[k] = v
	}
	return v
}

// AddToTrace is the part of Add that changes Traces and TraceCounts.
func (s *State) AddToTrace(sp *trace.Span) {
	if sp.TraceID == "" {
		return
	}
	t := at(s.Traces, sp.TraceID)
	s.CountTrace(t, -1)
	t.ID = sp.TraceID
	t.Add(sp)
	s.CountTrace(t, 1)
}

// AddToSession is the part of Add that changes Sessions.
func (s *State) AddToSession(sp *trace.Span) {
	if sp.SessionID == "" {
		return
	}
	se := at(s.Sessions, sp.SessionID)
	se.ID = sp.SessionID
	se.Add(sp)
}

// CountTrace adds n to the counts of t's key, in every grain. A trace without
// a Start is in no list and counts nowhere.
func (s *State) CountTrace(t *trace.Trace, n int64) {
	if t.Start == nil {
		return
	}
	for _, g := range Grains() {
		k := TraceCountKey{
			Grain: g, Bucket: g.Bucket(*t.Start), Provider: t.ProviderKey, Model: t.ModelKey,
			Status: t.Status(), Sources: t.Sources,
		}
		if s.TraceCounts[k] += n; s.TraceCounts[k] == 0 {
			delete(s.TraceCounts, k)
		}
	}
}

// Item is a span of a call of WriteBatches that may be new.
type Item struct {
	Batch, Index int // where it stands in the call
	Span         *trace.Span
}

// Work is what a call of WriteBatches asks of one project.
type Work struct {
	Project account.ProjectID
	Items   []Item // the first of each span id, ascending by id
}

// Group sorts a call's spans by project and id and leaves out repetitions. The
// order is the same whatever the caller's was, so that two writers take locks
// in the same order and indexes are filled in theirs.
func Group(batches []store.Batch) []Work {
	var works []Work
	byProject := map[account.ProjectID]int{}
	for b := range batches {
		project := batches[b].Project
		w, ok := byProject[project]
		if !ok {
			w = len(works)
			byProject[project] = w
			works = append(works, Work{Project: project})
		}
		for i := range batches[b].Spans {
			works[w].Items = append(works[w].Items, Item{Batch: b, Index: i, Span: &batches[b].Spans[i]})
		}
	}
	for w := range works {
		items := works[w].Items
		slices.SortStableFunc(items, func(a, b Item) int { return cmp.Compare(a.Span.ID, b.Span.ID) })
		works[w].Items = slices.CompactFunc(items, func(a, b Item) bool { return a.Span.ID == b.Span.ID })
	}
	slices.SortFunc(works, func(a, b Work) int { return cmp.Compare(a.Project, b.Project) })
	return works
}
