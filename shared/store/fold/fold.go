// Package fold is the arithmetic that every storage engine does alike: which
// rows a batch of new spans changes and by how much, how a time range is read
// from roll-ups, and how roll-up rows become analytics. Engines add SQL only, so
// that the same spans give the same answers on each.
//
// Times inside keys and intervals are Unix microseconds, UTC.
package fold

import (
	"maps"
	"math"
	"slices"
	"time"

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
	if !sp.Counts() {
		return
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

// Become makes s what a stored row becomes that loses what removed counted and
// gains what added did. It reports false, and leaves s in no particular state,
// where the row alone cannot tell; then it is to be counted anew. A row whose
// Count is 0 afterwards is none.
func (s *Sums) Become(removed, added *Sums) bool {
	if removed.Count > 0 {
		if s.Count < removed.Count || !s.Latency.Subtract(&removed.Latency) || !s.FirstToken.Subtract(&removed.FirstToken) {
			return false
		}
		for _, f := range [...]struct{ sum, less *int64 }{
			{&s.DurationUS, &removed.DurationUS},
			{&s.InputTokens, &removed.InputTokens},
			{&s.OutputTokens, &removed.OutputTokens},
			{&s.CostNanoUSD, &removed.CostNanoUSD},
		} {
			if *f.sum == math.MaxInt64 { // it may be more
				return false
			}
			*f.sum -= *f.less
		}
		s.Timed -= removed.Timed
		switch s.Count -= removed.Count; {
		case s.Count == 0:
			*s = Sums{}
		case removed.MinStart == s.MinStart && (added.Count == 0 || added.MinStart > s.MinStart),
			removed.MaxStart == s.MaxStart && (added.Count == 0 || added.MaxStart < s.MaxStart):
			return false
		}
	}
	s.Merge(added)
	return true
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
// hold rows whole: the caller puts those in that are stored (see KeysOf), and
// Change and Add bring them up to date. The other maps start empty and hold
// differences, which the engine applies to what is stored.
type State struct {
	Traces      map[trace.TraceID]*trace.Trace
	Sessions    map[trace.SessionID]*trace.Session
	Rollups     Rollups      // what rows gain
	Removed     Rollups      // what rows lose: spans as they were before they changed
	Distinct    Distincts    // sessions of model calls
	TraceCounts TraceChanges // of GrainFiveMin
	// Stale is what Change could not bring up to date: the engine makes it anew
	// from the spans, once they are written, and puts it in with Take.
	Stale Stale
	// What was stored of traces and of the turns of sessions, which AddTurns
	// needs.
	turns   map[trace.TraceID]turn
	turnsOf map[trace.SessionID]trace.Turns
}

// turn is what a trace adds to a session.
type turn struct {
	session trace.SessionID
	trace.Turns
}

// Stale names what is to be made anew.
type Stale struct {
	Traces   map[trace.TraceID]bool
	Sessions map[trace.SessionID]bool
	Distinct map[int64]bool // buckets of GrainFiveMin
}

// NewState gives an empty state.
func NewState() *State {
	return &State{
		Traces:      map[trace.TraceID]*trace.Trace{},
		Sessions:    map[trace.SessionID]*trace.Session{},
		Rollups:     Rollups{},
		Removed:     Rollups{},
		Distinct:    Distincts{},
		TraceCounts: TraceChanges{},
		Stale:       Stale{Traces: map[trace.TraceID]bool{}, Sessions: map[trace.SessionID]bool{}, Distinct: map[int64]bool{}},
		turns:       map[trace.TraceID]turn{},
		turnsOf:     map[trace.SessionID]trace.Turns{},
	}
}

// StoredTrace puts in a trace as it is stored.
func (s *State) StoredTrace(t *trace.Trace) {
	s.Traces[t.ID] = t
	if t.SessionID != "" {
		s.turns[t.ID] = turn{t.SessionID, trace.TurnOf(t)}
	}
}

// StoredSession puts in a session as it is stored.
func (s *State) StoredSession(se *trace.Session) {
	s.Sessions[se.ID] = se
	s.turnsOf[se.ID] = se.Turns
}

// changedTurns is what sessions gain by the traces of the state.
func (s *State) changedTurns() map[trace.SessionID]trace.Turns {
	gains := map[trace.SessionID]trace.Turns{}
	for id, t := range s.Traces {
		if was, ok := s.turns[id]; t.SessionID != "" && (!ok || was != turn{t.SessionID, trace.TurnOf(t)}) {
			gains[t.SessionID] = gains[t.SessionID].Plus(trace.TurnOf(t), 1)
		}
	}
	for id, was := range s.turns {
		if t := s.Traces[id]; t == nil || was != (turn{t.SessionID, trace.TurnOf(t)}) {
			gains[was.session] = gains[was.session].Plus(was.Turns, -1)
		}
	}
	return gains
}

// SessionsOfTurns names the sessions that AddTurns changes and that are not in
// the state: the caller puts in those that are stored. It comes once the stale
// traces and sessions were taken.
func (s *State) SessionsOfTurns() []trace.SessionID {
	var ids []trace.SessionID
	for id := range s.changedTurns() {
		if s.Sessions[id] == nil && !s.Stale.Sessions[id] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// AddTurns brings the turns of the sessions up to date with the traces.
func (s *State) AddTurns() {
	gains := s.changedTurns()
	for id, se := range s.Sessions {
		se.Turns = s.turnsOf[id].Plus(gains[id], 1)
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

// With gives the keys of both.
func (k Keys) With(o Keys) Keys {
	k.Traces, k.Sessions = slices.Concat(k.Traces, o.Traces), slices.Concat(k.Sessions, o.Sessions)
	slices.Sort(k.Traces)
	slices.Sort(k.Sessions)
	return Keys{slices.Compact(k.Traces), slices.Compact(k.Sessions)}
}

// Change is a stored span and what it becomes. The id stays.
type Change struct{ Old, Now *trace.Span }

// SpansOf gives all spans that changes name, for KeysOf.
func SpansOf(changes []Change) []*trace.Span {
	out := make([]*trace.Span, 0, 2*len(changes))
	for _, c := range changes {
		out = append(out, c.Old, c.Now)
	}
	return out
}

// Change counts spans as what they became. It comes before Add.
func (s *State) Change(changes []Change) {
	var old, now []*trace.Span
	for _, c := range changes {
		s.changeTrace(c)
		s.changeSession(c)
		old, now = append(old, c.Old), append(now, c.Now)
		counts := c.Old.Counted() && c.Old.SessionID != ""
		if bucket := GrainFiveMin.Bucket(c.Old.Start); counts &&
			(!c.Now.Counted() || c.Now.SessionID != c.Old.SessionID || GrainFiveMin.Bucket(c.Now.Start) != bucket) {
			s.Stale.Distinct[bucket] = true
		}
	}
	addRollups(s.Removed, old)
	s.AddToRollups(now)
}

func (s *State) changeTrace(c Change) {
	id := c.Now.TraceID
	if t := s.Traces[id]; t != nil && c.Old.TraceID == id {
		s.uncountTrace(t)
		if t.Replace(c.Old, c.Now) {
			s.CountTrace(t)
			return
		}
		delete(s.Traces, id)
	}
	s.forgetTrace(c.Old.TraceID)
	s.forgetTrace(id)
}

func (s *State) changeSession(c Change) {
	id := c.Now.SessionID
	if se := s.Sessions[id]; se != nil && c.Old.SessionID == id && se.Replace(c.Old, c.Now) {
		return
	}
	s.forgetSession(c.Old.SessionID)
	s.forgetSession(id)
}

// Forget lets the traces and sessions of keys be made anew.
func (s *State) Forget(keys Keys) {
	for _, id := range keys.Traces {
		s.forgetTrace(id)
	}
	for _, id := range keys.Sessions {
		s.forgetSession(id)
	}
}

func (s *State) forgetTrace(id trace.TraceID) {
	if id == "" {
		return
	}
	if t := s.Traces[id]; t != nil {
		s.uncountTrace(t)
		delete(s.Traces, id)
	}
	s.Stale.Traces[id] = true
}

func (s *State) forgetSession(id trace.SessionID) {
	if id != "" {
		delete(s.Sessions, id)
		s.Stale.Sessions[id] = true
	}
}

// Take puts in what was stale, from a state that was made from all of its
// spans.
func (s *State) Take(anew *State) {
	maps.Copy(s.Traces, anew.Traces)
	maps.Copy(s.Sessions, anew.Sessions)
	for k, c := range anew.TraceCounts {
		at(s.TraceCounts, k).merge(c)
	}
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
	addRollups(s.Rollups, spans)
	sessions := map[int64]*sketch.Distinct{}
	for _, sp := range spans {
		if sp.Counted() && sp.SessionID != "" {
			at(sessions, GrainFiveMin.Bucket(sp.Start)).Add(string(sp.SessionID))
		}
	}
	for _, g := range Grains() {
		for bucket, d := range sessions {
			at(s.Distinct, BucketKey{g, g.bucketOf(bucket)}).Merge(d)
		}
	}
}

// addRollups counts spans in their rows of every grain.
func addRollups(to Rollups, spans []*trace.Span) {
	finest := Rollups{}
	for _, sp := range spans {
		finest.AddSpan(GrainFiveMin, sp)
	}
	for _, g := range Grains() {
		for k, sums := range finest {
			k.Grain, k.Bucket = g, g.bucketOf(k.Bucket)
			to.at(k).Merge(sums)
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
	if sp.TraceID == "" || s.Stale.Traces[sp.TraceID] {
		return
	}
	t := at(s.Traces, sp.TraceID)
	s.uncountTrace(t)
	t.ID = sp.TraceID
	t.Add(sp)
	s.CountTrace(t)
}

// AddToSession is the part of Add that changes Sessions.
func (s *State) AddToSession(sp *trace.Span) {
	if sp.SessionID == "" || s.Stale.Sessions[sp.SessionID] {
		return
	}
	se := at(s.Sessions, sp.SessionID)
	se.ID = sp.SessionID
	se.Add(sp)
}

// CountTrace counts t under its key. A trace without a Start is in no list and
// counts nowhere.
func (s *State) CountTrace(t *trace.Trace) {
	if t.Start != nil {
		s.countOf(t).added.add(t)
	}
}

// uncountTrace takes back what CountTrace did.
func (s *State) uncountTrace(t *trace.Trace) {
	if t.Start != nil {
		s.countOf(t).removed.add(t)
	}
}

func (s *State) countOf(t *trace.Trace) *traceChange {
	return at(s.TraceCounts, TraceCountKey{
		Grain: GrainFiveMin, Bucket: GrainFiveMin.Bucket(*t.Start), Provider: t.ProviderKey, Model: t.ModelKey,
		Status: t.Status(), Sources: t.Sources,
	})
}
