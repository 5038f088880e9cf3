package fold

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/pulse-traces/pulse/shared/trace"
)

// Peer is a stored span that was made from OpenTelemetry, without payload.
type Peer struct {
	// Shown is what its row says: Own, completed by others, and whether it
	// repeats them.
	Shown *trace.Span
	// Own is what it says itself. Its Repeat is false.
	Own *trace.Span
	// From are the spans that complete it, those who know most first.
	From []trace.SpanID
}

// CallKey is the key of a call (trace.Span.CallKey) and when, in Unix
// microseconds, spans begin that may tell of the call.
type CallKey struct {
	Key string
	Interval
}

// Peers finds stored spans that were made from OpenTelemetry.
type Peers interface {
	// TraceSizes gives how many spans traces have; none of which nothing is
	// stored.
	TraceSizes(ctx context.Context, ids []trace.TraceID) (map[trace.TraceID]int64, error)
	// OfTraces gives all of some traces.
	OfTraces(ctx context.Context, ids []trace.TraceID) ([]Peer, error)
	// Beside gives those of a trace that begin in an interval, at most limit.
	Beside(ctx context.Context, id trace.TraceID, i Interval, limit int) ([]Peer, error)
	// ByID gives those of ids that are stored.
	ByID(ctx context.Context, ids []trace.SpanID) ([]Peer, error)
	// ByKey gives those that have a key and begin in its interval, at most limit
	// of each key.
	ByKey(ctx context.Context, keys []CallKey, limit int) ([]Peer, error)
}

const (
	// MaxResolved is how many spans a trace has at most for what it repeats to be
	// told from all of them. It bounds what one more span of the trace costs.
	MaxResolved = 2000
	// maxBeside is how many spans of a larger trace are looked at.
	maxBeside = 500
	// maxAncestors is how far up those of a larger trace are followed.
	maxAncestors = 16
	// maxOfKey is how many spans tell of one call at most: a key that more have
	// is what a test double gives to every call, and says nothing.
	maxOfKey = 64
	// keyReach is how much earlier than a span another may begin that tells of
	// the same call: as long as the longest calls take. keyGap is how far apart
	// they may be; it is above what trace.Resolve allows.
	keyReach = 15 * time.Minute
	keyGap   = 15 * time.Second
	// maxKeyRounds bounds how far keys lead from trace to trace.
	maxKeyRounds = 4
)

// Edit is what a transaction does to spans. Those of other forms than
// OpenTelemetry are left out.
type Edit struct {
	Added   []*trace.Span // not stored yet
	Changes []Change      // not made yet; Now is what the span says itself
	Removed []*trace.Span // not stored any more
}

// Verdict is what becomes of a span's row.
type Verdict struct {
	Shown *trace.Span // without payload
	From  []trace.SpanID
}

// Marked is a stored span whose row changes although nobody wrote the span.
type Marked struct {
	Peer
	Verdict Verdict
}

// Verdicts are what Count finds.
type Verdicts struct {
	Written map[trace.SpanID]Verdict // of the spans that are added or changed
	Marked  []Marked                 // ascending by id
}

// Changes gives what marks change in the sums.
func (v *Verdicts) Changes() []Change {
	out := make([]Change, len(v.Marked))
	for i := range v.Marked {
		out[i] = Change{Old: v.Marked[i].Shown, Now: v.Marked[i].Verdict.Shown}
	}
	return out
}

// Of gives what becomes of a span that is written; one that was not made from
// OpenTelemetry shows what it says.
func (v *Verdicts) Of(s *trace.Span) Verdict {
	if found, ok := v.Written[s.ID]; ok {
		return found
	}
	return Verdict{Shown: s}
}

// OwnSpans gives what peers say themselves.
func OwnSpans(peers []Peer) []*trace.Span {
	out := make([]*trace.Span, len(peers))
	for i := range peers {
		out[i] = peers[i].Own
	}
	return out
}

// Recount gives the spans of some traces that should show something else. Large
// traces are taken as they are.
func Recount(ctx context.Context, p Peers, ids []trace.TraceID) ([]Marked, error) {
	c := newCounting(ctx, p)
	for _, id := range ids {
		c.unit(unitKey{trace: id})
	}
	v, err := c.run()
	return slices.DeleteFunc(v.Marked, func(m Marked) bool {
		return !slices.Contains(ids, m.Own.TraceID) || c.units[unitOf(m.Own)].large
	}), err
}

// Complete gives a span that was read with its payload what others say of the
// same call: those that from names, of said.
func Complete(shown *trace.Span, from []trace.SpanID, said map[trace.SpanID]*trace.Span) {
	var others []*trace.Span
	for _, id := range from {
		if s := said[id]; s != nil { // else retention has deleted it
			others = append(others, s)
		}
	}
	if len(others) > 0 {
		*shown = trace.Complete(shown, others...)
	}
}

// Count applies trace.Resolve to what an edit touches: to the traces of its
// spans, whole, and to those that keys of calls lead to. So what a store says of
// a span depends on the spans that are stored and on nothing else, but for
// traces of more than MaxResolved spans: there a new span is held against those
// near it in time and above it in the tree.
func Count(ctx context.Context, p Peers, e Edit) (Verdicts, error) {
	c := newCounting(ctx, p)
	c.take(e)
	return c.run()
}

func newCounting(ctx context.Context, p Peers) *counting {
	return &counting{
		ctx: ctx, peers: p, spans: map[trace.SpanID]*counted{}, units: map[unitKey]*unit{}, gone: map[trace.SpanID]bool{}, byKey: map[string][]*counted{},
	}
}

func (c *counting) run() (Verdicts, error) {
	if len(c.units) == 0 {
		return Verdicts{}, nil
	}
	if err := c.load(slices.Collect(maps.Values(c.units))); err != nil {
		return Verdicts{}, err
	}
	if err := c.follow(); err != nil {
		return Verdicts{}, err
	}
	return c.verdicts(), nil
}

// counted is a span that Count looks at.
type counted struct {
	own     *trace.Span
	stored  *Peer // nil if it is new
	written bool
	unit    *unit
}

// unitKey names a trace, or a span that is in none.
type unitKey struct {
	trace trace.TraceID
	span  trace.SpanID
}

func unitOf(s *trace.Span) unitKey {
	if s.TraceID != "" {
		return unitKey{trace: s.TraceID}
	}
	return unitKey{span: s.ID}
}

// unit is what is resolved together.
type unit struct {
	key     unitKey
	spans   []*counted
	loaded  bool
	large   bool
	parent  *unit // of a union-find: units that keys join
	touched Interval
}

func (u *unit) root() *unit {
	for u.parent != nil {
		u = u.parent
	}
	return u
}

type counting struct {
	ctx   context.Context
	peers Peers
	spans map[trace.SpanID]*counted
	units map[unitKey]*unit
	gone  map[trace.SpanID]bool
	byKey map[string][]*counted
	// lost are spans as they were: those that told of the same calls may stand
	// for them now.
	lost []*trace.Span
}

func (c *counting) unit(k unitKey) *unit {
	u := c.units[k]
	if u == nil {
		u = &unit{key: k}
		c.units[k] = u
	}
	return u
}

// take puts in what is edited.
func (c *counting) take(e Edit) {
	for _, s := range e.Added {
		if s.Mapped() {
			c.write(s)
		}
	}
	for _, ch := range e.Changes {
		if !ch.Now.Mapped() {
			continue
		}
		c.write(ch.Now)
		c.lose(ch.Old)
	}
	for _, s := range e.Removed {
		if s.Mapped() {
			c.gone[s.ID] = true
			c.lose(s)
		}
	}
}

func (c *counting) write(own *trace.Span) {
	k := &counted{own: own, written: true}
	c.add(k)
	k.unit.touch(own)
}

func (c *counting) lose(s *trace.Span) {
	c.unit(unitOf(s)).touch(s)
	c.lost = append(c.lost, s)
}

func (u *unit) touch(s *trace.Span) {
	from, to := s.Start.UnixMicro(), s.End().UnixMicro()+1
	if u.touched.Empty() {
		u.touched = Interval{from, to}
	}
	u.touched = Interval{min(u.touched.From, from), max(u.touched.To, to)}
}

func (c *counting) add(k *counted) {
	k.unit = c.unit(unitOf(k.own))
	k.unit.spans = append(k.unit.spans, k)
	c.spans[k.own.ID] = k
	if key := k.own.CallKey; key != "" {
		c.byKey[key] = append(c.byKey[key], k)
	}
}

// keep adds stored spans, but those that are written or gone.
func (c *counting) keep(peers []Peer) (added []*counted) {
	for i := range peers {
		id := peers[i].Own.ID
		if c.spans[id] != nil || c.gone[id] {
			continue
		}
		k := &counted{own: peers[i].Own, stored: &peers[i]}
		c.add(k)
		added = append(added, k)
	}
	return added
}

// load reads what is stored of units.
func (c *counting) load(units []*unit) error {
	var ids []trace.TraceID
	for _, u := range units {
		if u.loaded {
			continue
		}
		u.loaded = true
		if u.key.trace != "" {
			ids = append(ids, u.key.trace)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	sizes, err := c.peers.TraceSizes(c.ctx, ids)
	if err != nil {
		return err
	}
	whole := ids[:0]
	for _, id := range ids {
		u := c.units[unitKey{trace: id}]
		stored := sizes[id]
		switch u.large = stored+int64(len(u.spans)) > MaxResolved; {
		case u.large:
			if err := c.loadLarge(u); err != nil {
				return err
			}
		case stored > 0:
			whole = append(whole, id)
		}
	}
	if len(whole) == 0 {
		return nil
	}
	peers, err := c.peers.OfTraces(c.ctx, whole)
	if err != nil {
		return err
	}
	c.keep(peers)
	return nil
}

// loadLarge reads some of a large trace.
func (c *counting) loadLarge(u *unit) error {
	if u.touched.Empty() { // a key led here: what it led to is all that is looked at
		return nil
	}
	peers, err := c.peers.Beside(c.ctx, u.key.trace, u.touched, maxBeside)
	if err != nil {
		return err
	}
	c.keep(peers)
	from := u.spans
	for range maxAncestors {
		var ids []trace.SpanID
		for _, k := range from {
			if id := k.own.ParentID; id != "" && c.spans[id] == nil && !c.gone[id] && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
		if len(ids) == 0 {
			return nil
		}
		if peers, err = c.peers.ByID(c.ctx, ids); err != nil {
			return err
		}
		if from = c.keep(peers); len(from) == 0 {
			return nil
		}
	}
	return nil
}

// follow reads the traces that keys of calls lead to, and joins them.
func (c *counting) follow() error {
	asked := map[string]Interval{}
	sources := slices.Clone(c.lost)
	for _, k := range c.spans {
		sources = append(sources, k.own)
	}
	var waiting []Peer // that a key found, but nothing led to yet
	for range maxKeyRounds {
		if keys := callKeys(sources, asked); len(keys) > 0 {
			peers, err := c.peers.ByKey(c.ctx, keys, maxOfKey+1)
			if err != nil {
				return err
			}
			counts := map[string]int{}
			for i := range peers {
				counts[peers[i].Own.CallKey]++
			}
			for _, p := range peers {
				if counts[p.Own.CallKey] <= maxOfKey {
					waiting = append(waiting, p)
				}
			}
		}
		var led []Peer
		var units []*unit
		waiting = slices.DeleteFunc(waiting, func(p Peer) bool {
			if !c.leads(p.Own) {
				return false
			}
			led = append(led, p)
			if u := c.unit(unitOf(p.Own)); !u.loaded {
				units = append(units, u)
			}
			return true
		})
		if len(led) == 0 {
			break
		}
		if err := c.load(units); err != nil {
			return err
		}
		c.keep(led) // of large traces, and of none
		sources = sources[:0]
		for _, u := range units {
			for _, k := range u.spans {
				sources = append(sources, k.own)
			}
		}
	}
	for _, list := range c.byKey {
		if len(list) > maxOfKey {
			continue
		}
		for i, a := range list {
			for _, b := range list[:i] {
				if x, y := a.unit.root(), b.unit.root(); x != y && near(a.own, b.own) {
					x.parent = y
				}
			}
		}
	}
	return nil
}

// callKeys gives the keys of spans, and when others may begin that have them.
// Those that asked covers are left out.
func callKeys(spans []*trace.Span, asked map[string]Interval) []CallKey {
	wanted := map[string]Interval{}
	for _, s := range spans {
		if s.CallKey == "" {
			continue
		}
		i := Interval{s.Start.Add(-keyReach).UnixMicro(), s.End().Add(keyGap).UnixMicro() + 1}
		if w, ok := wanted[s.CallKey]; ok {
			i = Interval{min(i.From, w.From), max(i.To, w.To)}
		}
		wanted[s.CallKey] = i
	}
	var keys []CallKey
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		i, a := wanted[key], asked[key]
		if !a.Empty() && a.From <= i.From && a.To >= i.To {
			continue
		}
		asked[key] = i
		keys = append(keys, CallKey{key, i})
	}
	return keys
}

// leads reports whether a stored span may tell of a call that one of those that
// are looked at, or were there before, tells of.
func (c *counting) leads(s *trace.Span) bool {
	for _, k := range c.byKey[s.CallKey] {
		if near(k.own, s) {
			return true
		}
	}
	return slices.ContainsFunc(c.lost, func(l *trace.Span) bool { return l.CallKey == s.CallKey && near(l, s) })
}

// near reports whether spans are as close as those that tell of one call.
func near(a, b *trace.Span) bool {
	return !a.Start.After(b.End().Add(keyGap)) && !b.Start.After(a.End().Add(keyGap))
}

// verdicts resolves units that are joined together.
func (c *counting) verdicts() Verdicts {
	joined := map[*unit][]*counted{}
	large := map[*unit]bool{}
	for _, u := range c.units {
		r := u.root()
		joined[r] = append(joined[r], u.spans...)
		large[r] = large[r] || u.large
	}
	out := Verdicts{Written: map[trace.SpanID]Verdict{}}
	for r, list := range joined {
		spans := make([]trace.Span, len(list))
		for i, k := range list {
			spans[i] = *k.own
			spans[i].Payload = trace.Payload{}
		}
		standings := trace.Resolve(spans)
		for i, k := range list {
			v := verdict(spans, standings, i)
			switch {
			case k.written:
				out.Written[k.own.ID] = v
			case large[r] && !(v.Shown.Repeat && !k.stored.Shown.Repeat):
				// Not all was looked at: what was found before stays.
			case !reflect.DeepEqual(v.Shown, k.stored.Shown) || !slices.Equal(v.From, k.stored.From):
				out.Marked = append(out.Marked, Marked{Peer: *k.stored, Verdict: v})
			}
		}
	}
	slices.SortFunc(out.Marked, func(a, b Marked) int { return compareIDs(a.Own.ID, b.Own.ID) })
	return out
}

func compareIDs(a, b trace.SpanID) int {
	if a < b {
		return -1
	}
	return 1
}

// maxFrom is how many spans complete one at most.
const maxFrom = 8

// verdict says what the row of a span tells.
func verdict(spans []trace.Span, standings []trace.Standing, i int) Verdict {
	st := standings[i]
	shown := spans[i]
	var v Verdict
	if len(st.From) > 0 {
		var from []*trace.Span
		for _, j := range st.From[:min(len(st.From), maxFrom)] {
			from, v.From = append(from, &spans[j]), append(v.From, spans[j].ID)
		}
		shown = trace.Complete(&spans[i], from...)
		if shown.CostNanoUSD == nil { // what was made from a price goes with the usage
			for _, f := range from {
				if f.CostNanoUSD != nil {
					shown.CostNanoUSD, shown.CostSource = f.CostNanoUSD, f.CostSource
					break
				}
			}
		}
	}
	shown.Repeat = !st.Counts
	v.Shown = &shown
	return v
}

// OwnOf gives what a row has to keep beside what it shows, nil if the span says
// that itself.
func OwnOf(own *trace.Span, v Verdict) *trace.Span {
	bare := *own
	bare.Payload = trace.Payload{}
	bare.Repeat = v.Shown.Repeat
	if len(v.From) == 0 || reflect.DeepEqual(&bare, v.Shown) {
		return nil
	}
	bare.Repeat = false
	return &bare
}
