package fold

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
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

// TraceFacts are what Count asks of a trace.
type TraceFacts struct {
	Spans   int64 // of all forms
	Reports bool  // trace.Trace.Reports
}

// toolKey begins the keys of tools' executions.
const toolKey = "\x01"

// KeyOf gives what an index has of s: the key of its call, or of the execution
// of a tool, by which others tell of it within the trace; "" for none.
func KeyOf(s *trace.Span) string {
	if s.CallKey == "" && s.Kind == trace.KindToolUse && s.ToolUseID != nil {
		return toolKey + *s.ToolUseID
	}
	return s.CallKey
}

// CallKeyOf gives trace.Span.CallKey of what KeyOf gave.
func CallKeyOf(key string) string {
	if strings.HasPrefix(key, toolKey) {
		return ""
	}
	return key
}

// CallKey is a key (KeyOf) and when, in Unix
// microseconds, spans begin that may tell of the call.
type CallKey struct {
	Key string
	Interval
}

// Peers finds stored spans that were made from OpenTelemetry.
type Peers interface {
	// Traces gives what is known of the stored ones among ids.
	Traces(ctx context.Context, ids []trace.TraceID) (map[trace.TraceID]TraceFacts, error)
	// Parents gives those of ids that spans of traces have as their parents.
	Parents(ctx context.Context, traces []trace.TraceID, ids []trace.SpanID) ([]trace.SpanID, error)
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
	// maxAncestors is how far up spans are followed.
	maxAncestors = 32
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
//
// Where new spans only add leaves to a trace, and nothing beside or around them
// can tell of the same calls, what is stored of the trace stays as it is, and
// only their ancestors are read.
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
	partial bool  // not all that is stored of it is among the spans
	large   bool  // and will not be
	lost    bool  // something of it was changed or removed
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
	u := c.unit(unitOf(s))
	u.touch(s)
	u.lost = true
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
	if key := KeyOf(k.own); key != "" {
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
	facts, err := c.peers.Traces(c.ctx, ids)
	if err != nil {
		return err
	}
	var whole, leaves []*unit
	for _, id := range ids {
		u := c.units[unitKey{trace: id}]
		f := facts[id]
		switch u.large = f.Spans+int64(len(u.spans)) > MaxResolved; {
		case u.large:
			u.partial = true
			if err := c.loadLarge(u); err != nil {
				return err
			}
		case f.Spans == 0:
		case !f.Reports && u.mayBeLeaves():
			leaves = append(leaves, u)
		default:
			whole = append(whole, u)
		}
	}
	others, err := c.loadAncestors(leaves)
	if err != nil {
		return err
	}
	return c.loadWhole(append(whole, others...))
}

// loadWhole reads all that is stored of units.
func (c *counting) loadWhole(units []*unit) error {
	if len(units) == 0 {
		return nil
	}
	ids := make([]trace.TraceID, len(units))
	for i, u := range units {
		u.partial = false
		ids[i] = u.key.trace
	}
	peers, err := c.peers.OfTraces(c.ctx, ids)
	if err != nil {
		return err
	}
	c.keep(peers)
	return nil
}

// mayBeLeaves reports whether u has new spans only, none of which tells of what
// is beside it.
func (u *unit) mayBeLeaves() bool {
	return !u.lost && len(u.spans) > 0 && !slices.ContainsFunc(u.spans, func(k *counted) bool { return k.own.Reports() })
}

// loadAncestors reads of units that may have new leaves only what is above
// these, and gives those that have more.
func (c *counting) loadAncestors(units []*unit) (others []*unit, err error) {
	if len(units) == 0 {
		return nil, nil
	}
	var traces []trace.TraceID
	var ids []trace.SpanID
	for _, u := range units {
		traces = append(traces, u.key.trace)
		for _, k := range u.spans {
			ids = append(ids, k.own.ID)
		}
	}
	parents, err := c.peers.Parents(c.ctx, traces, ids)
	if err != nil {
		return nil, err
	}
	for _, id := range parents {
		if k := c.spans[id]; k != nil {
			k.unit.lost = true // it is no leaf
		}
	}
	var from []*counted
	units = slices.DeleteFunc(units, func(u *unit) bool {
		if u.lost {
			others = append(others, u)
			return true
		}
		for _, k := range u.spans {
			if isCall(k.own) || k.own.Kind == trace.KindToolUse || k.own.Usage != nil || k.own.CostNanoUSD != nil {
				from = append(from, k)
			}
		}
		return false
	})
	if err := c.climb(from); err != nil {
		return nil, err
	}
	for _, u := range units {
		if u.partial = !c.nested(u); !u.partial {
			others = append(others, u)
		}
	}
	return others, nil
}

// isCall reports whether s is of a kind that may be told of by spans within each
// other.
func isCall(s *trace.Span) bool {
	switch s.Kind {
	case trace.KindLLMCall, trace.KindEmbedding, trace.KindRetrieval, trace.KindRerank:
		return true
	}
	return false
}

// nested reports whether a new span of u is within a stored one of its kind, or
// too deep for that to be known; of a tool's span, within one of the same tool.
func (c *counting) nested(u *unit) bool {
	return slices.ContainsFunc(u.spans, func(k *counted) bool {
		tool := k.own.Kind == trace.KindToolUse
		if !k.written || !isCall(k.own) && !tool {
			return false
		}
		at := k.own
		for range maxAncestors {
			p := c.spans[at.ParentID]
			switch {
			case p == nil || p.unit != u || p == k:
				return false
			case tool && trace.SameTool(k.own, p.own) && !p.written:
				return true
			case tool:
				if p.own.Kind != trace.KindGeneric {
					return false
				}
			case p.own.Kind == k.own.Kind && !p.written:
				return true
			}
			at = p.own
		}
		return true
	})
}

// climb reads the stored ancestors of spans.
func (c *counting) climb(from []*counted) error {
	passed := map[*counted]bool{}
	for range maxAncestors {
		var ids []trace.SpanID
		asked := map[trace.SpanID]trace.TraceID{}
		for _, k := range from {
			for k != nil && !passed[k] {
				passed[k] = true
				id, of := k.own.ParentID, k.own.TraceID
				if k = c.spans[id]; k == nil && id != "" && !c.gone[id] && asked[id] == "" {
					asked[id] = of
					ids = append(ids, id)
				}
			}
		}
		if len(ids) == 0 {
			return nil
		}
		peers, err := c.peers.ByID(c.ctx, ids)
		if err != nil {
			return err
		}
		// A parent is one within its trace.
		peers = slices.DeleteFunc(peers, func(p Peer) bool { return asked[p.Own.ID] != p.Own.TraceID })
		if from = c.keep(peers); len(from) == 0 {
			return nil
		}
	}
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
	return c.climb(u.spans)
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
				counts[KeyOf(peers[i].Own)]++
			}
			for _, p := range peers {
				if counts[KeyOf(p.Own)] <= maxOfKey {
					waiting = append(waiting, p)
				}
			}
		}
		var led []Peer
		units := map[*unit]bool{}
		waiting = slices.DeleteFunc(waiting, func(p Peer) bool {
			if k := c.spans[p.Own.ID]; c.gone[p.Own.ID] || (k != nil && (k.written || !k.unit.partial)) {
				return true
			}
			by, leads := c.leads(p.Own)
			if !leads {
				return false
			}
			led = append(led, p)
			units[c.unit(unitOf(p.Own))] = true
			for _, u := range by { // it has more to do with others than its ancestors
				units[u] = true
			}
			return true
		})
		c.eachLink(func(a, b *counted) { // of what is written itself
			units[a.unit], units[b.unit] = true, true
		})
		var fresh, whole []*unit
		for u := range units {
			switch {
			case !u.loaded:
				fresh = append(fresh, u)
			case u.partial && !u.large:
				whole = append(whole, u)
			}
		}
		if len(led)+len(fresh)+len(whole) == 0 {
			break
		}
		if err := c.load(fresh); err != nil {
			return err
		}
		if err := c.loadWhole(whole); err != nil {
			return err
		}
		c.keep(led) // of large traces, and of none
		sources = sources[:0]
		for _, u := range append(fresh, whole...) {
			for _, k := range u.spans {
				sources = append(sources, k.own)
			}
		}
	}
	c.eachLink(func(a, b *counted) {
		if x, y := a.unit.root(), b.unit.root(); x != y {
			x.parent = y
		}
	})
	return nil
}

// eachLink gives all pairs of spans in different units that may tell of one
// call.
func (c *counting) eachLink(do func(a, b *counted)) {
	for _, list := range c.byKey {
		if len(list) > maxOfKey {
			continue
		}
		for i, a := range list {
			for _, b := range list[:i] {
				if a.unit != b.unit && linked(a.own, b.own) {
					do(a, b)
				}
			}
		}
	}
}

// callKeys gives the keys of spans, and when others may begin that have them.
// Those that asked covers are left out.
func callKeys(spans []*trace.Span, asked map[string]Interval) []CallKey {
	wanted := map[string]Interval{}
	for _, s := range spans {
		key := KeyOf(s)
		if key == "" {
			continue
		}
		i := Interval{s.Start.Add(-keyReach).UnixMicro(), s.End().Add(keyGap).UnixMicro() + 1}
		if w, ok := wanted[key]; ok {
			i = Interval{min(i.From, w.From), max(i.To, w.To)}
		}
		wanted[key] = i
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

// leads reports whether a stored span may tell of what one of those tells of
// that are looked at, whose units it gives, or were there before.
func (c *counting) leads(s *trace.Span) (by []*unit, leads bool) {
	for _, k := range c.byKey[KeyOf(s)] {
		if linked(k.own, s) {
			by = append(by, k.unit)
		}
	}
	return by, len(by) > 0 || slices.ContainsFunc(c.lost, func(l *trace.Span) bool { return KeyOf(l) == KeyOf(s) && linked(l, s) })
}

// linked reports whether spans of one key may tell of the same.
func linked(a, b *trace.Span) bool {
	if a.TraceID == b.TraceID && a.TraceID != "" {
		return true
	}
	// A tool's key is one within the trace, or among the spans of none.
	return (a.CallKey != "" || a.TraceID == b.TraceID) && near(a, b)
}

// near reports whether spans are as close as those that tell of one call.
func near(a, b *trace.Span) bool {
	return !a.Start.After(b.End().Add(keyGap)) && !b.Start.After(a.End().Add(keyGap))
}

// verdicts resolves units that are joined together.
func (c *counting) verdicts() Verdicts {
	joined := map[*unit][]*counted{}
	partial := map[*unit]bool{}
	for _, u := range c.units {
		r := u.root()
		joined[r] = append(joined[r], u.spans...)
		partial[r] = partial[r] || u.partial
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
			case partial[r] && (!v.Shown.Repeat || k.stored.Shown.Repeat):
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
