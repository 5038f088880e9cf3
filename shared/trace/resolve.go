package trace

import (
	"cmp"
	"slices"
	"time"
)

// Standing says what a span of a set counts for.
type Standing struct {
	// Counts is false where other spans stand for what the span tells of: its
	// tokens and its cost are in theirs, and it is no call of its own.
	Counts bool
	// For is the index of the span that stands for the call that this one tells
	// of: its own if it does so itself, -1 if it is about no call.
	For int
	// From are the indexes of the other spans that tell of the call which this
	// one stands for, those who know most of it first. What this span does not
	// know of the call they do: see Complete.
	From []int
}

// nearby is how far apart the reports of one call may be that name it by the
// same key: clocks of one machine, and the time that it takes to read a stream
// to its end.
const nearby = 10 * time.Second

// Resolve tells which spans stand for a call of a model (or a search, or a tool)
// and which repeat one: the wrappers of frameworks, the spans that SDKs make
// beside those of instrumentations, log records, parts of calls. In plain words:
//
//  1. Spans that name the same call (CallKey, the provider's id of the answer as a
//     rule) at about the same time tell of one call. Spans that one
//     instrumentation made do so only if they overlap within a trace: test
//     doubles give the same id to every answer.
//  2. A model span within a model span, with neither tool nor agent between, tells
//     of the same call; around two or more calls it only repeats them.
//  3. A report (RoleReport) without a key tells of the call beside it, of the
//     same parent, in whose time it lies.
//  4. A part (RolePart) belongs to the call that is nearest in the tree.
//  5. Of the spans that tell of one call that one stands for it which knows its
//     usage; then one that is no report; then one that has the answer, the cost
//     and the question; then the innermost.
//  6. A tool's span within a span of the same tool tells of the same execution, if
//     nothing but generic spans is between and they name no different calls: a
//     framework's around a client's, a client's around its server's.
//  7. Any other span that says what it used (an agent's sum) counts only if no
//     span below it does, and no model span around it, with neither tool nor agent
//     between.
//
// The spans are those of a trace, and those of other traces (or none) that share
// a CallKey with one of them: spans that tell of one call are not always in one
// trace. The result does not depend on their order, and reads only narrow
// fields: ID, TraceID, ParentID, Kind, Role, CallKey, Tells, Start, DurationMS,
// Scope, Status, ToolUseID, ToolName, Usage, CostNanoUSD, CostSource, Patch.
func Resolve(spans []Span) []Standing {
	r := newResolver(spans)
	r.joinKeys()
	r.joinTools()
	r.joinReports()
	r.joinNested()
	r.joinParts()
	r.choose()
	r.sums()
	return r.standings
}

// resolver works on the spans in an order of its own, so that theirs does not
// matter.
type resolver struct {
	spans     []Span
	order     []int  // by start, then trace, then id
	parent    []int  // index of the parent span; -1
	depth     []int  // in the tree
	leader    []int  // union-find: of spans that tell of one call
	around    []bool // repeats several calls
	claimed   []bool // a report or part that has its call
	within    []int  // the model span around a span, see enclosing; set by joinNested
	standings []Standing
}

// class is what a span can be one of; spans of different classes never tell of
// the same thing.
func class(s *Span) Kind {
	switch s.Kind {
	case KindLLMCall, KindEmbedding, KindRetrieval, KindRerank, KindToolUse:
		return s.Kind
	}
	return ""
}

// isModelCall reports whether s is of a kind that calls are counted by.
func isModelCall(s *Span) bool { return s.Kind == KindLLMCall || s.Kind == KindEmbedding }

func newResolver(spans []Span) *resolver {
	n := len(spans)
	r := &resolver{
		spans: spans, order: make([]int, n), parent: make([]int, n), depth: make([]int, n), leader: make([]int, n),
		around: make([]bool, n), claimed: make([]bool, n), standings: make([]Standing, n),
	}
	type key struct {
		trace TraceID
		span  SpanID
	}
	at := make(map[key]int, n)
	for i := range spans {
		r.order[i], r.leader[i] = i, i
		at[key{spans[i].TraceID, spans[i].ID}] = i
	}
	slices.SortFunc(r.order, func(i, j int) int {
		a, b := &spans[i], &spans[j]
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.TraceID, b.TraceID), cmp.Compare(a.ID, b.ID))
	})
	for i := range spans {
		r.parent[i] = -1
		if p, ok := at[key{spans[i].TraceID, spans[i].ParentID}]; ok && spans[i].ParentID != "" && p != i {
			r.parent[i] = p
		}
	}
	// Depths, and the end of circles: a span that is its own ancestor is a root.
	state := make([]int8, n) // 1: on the way, 2: done
	for _, i := range r.order {
		var path []int
		for j := i; j >= 0 && state[j] == 0; j = r.parent[j] {
			state[j] = 1
			path = append(path, j)
		}
		for k := len(path) - 1; k >= 0; k-- {
			j := path[k]
			if p := r.parent[j]; p >= 0 && state[p] == 2 {
				r.depth[j] = r.depth[p] + 1
			} else {
				r.parent[j] = -1
			}
			state[j] = 2
		}
	}
	return r
}

func (r *resolver) find(i int) int {
	for r.leader[i] != i {
		r.leader[i] = r.leader[r.leader[i]]
		i = r.leader[i]
	}
	return i
}

func (r *resolver) join(i, j int) { r.leader[r.find(i)] = r.find(j) }

func (r *resolver) end(i int) time.Time { return r.spans[i].End() }

// apart is how long after the one span the other begins; negative if they
// overlap.
func (r *resolver) apart(i, j int) time.Duration {
	a, b := &r.spans[i], &r.spans[j]
	if b.Start.Before(a.Start) {
		return a.Start.Sub(r.end(j))
	}
	return b.Start.Sub(r.end(i))
}

// joinKeys is rule 1, and the same for tools: those who tell of one execution
// name the call that asked for it.
func (r *resolver) joinKeys() {
	keyed := map[string][]int{}
	for _, i := range r.order {
		s := &r.spans[i]
		switch {
		case s.Kind == KindToolUse && s.ToolUseID != nil:
			key := string(KindToolUse) + "\x00" + string(s.TraceID) + "\x00" + *s.ToolUseID
			keyed[key] = append(keyed[key], i)
		case s.CallKey != "" && (isModelCall(s) || s.Role == RolePart):
			keyed[s.CallKey] = append(keyed[s.CallKey], i)
		}
	}
	for _, list := range keyed {
		r.joinKeyed(list)
	}
}

// SameTool reports whether two spans, one within the other, are of one tool and
// name no different calls of it.
func SameTool(a, b *Span) bool {
	return a.Kind == KindToolUse && b.Kind == KindToolUse && a.ToolName != nil && b.ToolName != nil && *a.ToolName == *b.ToolName &&
		(a.ToolUseID == nil || b.ToolUseID == nil || *a.ToolUseID == *b.ToolUseID)
}

// joinTools is rule 6.
func (r *resolver) joinTools() {
	for _, i := range r.order {
		s := &r.spans[i]
		if s.Kind != KindToolUse || s.ToolName == nil {
			continue
		}
		p := r.parent[i]
		for n := 0; p >= 0 && n < neighbours && r.spans[p].Kind == KindGeneric; n++ {
			p = r.parent[p]
		}
		if p >= 0 && SameTool(s, &r.spans[p]) {
			r.join(i, p)
		}
	}
}

// neighbours bounds how many spans with one key are compared with each other:
// enough for all that tell of one call, few enough for a key that somebody gives
// to every call.
const neighbours = 32

// near gives those of a list in the order of starts that begin next to t.
func (r *resolver) near(list []int, t time.Time) []int {
	at, _ := slices.BinarySearchFunc(list, t, func(i int, t time.Time) int { return r.spans[i].Start.Compare(t) })
	return list[max(0, at-neighbours):min(len(list), at+neighbours)]
}

// joinKeyed joins the spans of one key. A report is of one call, and a call has
// one report of each instrumentation.
func (r *resolver) joinKeyed(list []int) {
	type pair struct {
		call  int
		scope string
	}
	var (
		calls []int
		taken = map[pair]bool{}
	)
	for _, j := range list {
		if r.spans[j].Role == RoleReport {
			continue
		}
		for _, i := range calls[max(0, len(calls)-neighbours):] {
			if r.sameByKey(i, j) {
				r.join(i, j)
				for _, k := range [...][2]int{{i, j}, {j, i}} {
					if r.spans[k[0]].Role == RolePart && r.spans[k[1]].Role != RolePart {
						r.claimed[k[0]] = true
					}
				}
			}
		}
		calls = append(calls, j)
	}
	for _, j := range list {
		s := &r.spans[j]
		if s.Role != RoleReport {
			continue
		}
		best, bestApart := -1, [2]time.Duration{}
		for _, i := range r.near(calls, s.Start) {
			apart := [2]time.Duration{max(r.apart(i, j), 0), r.end(i).Sub(r.end(j)).Abs()}
			if apart[0] > nearby || taken[pair{i, s.Scope.Name}] || !r.alike(i, j) {
				continue
			}
			if best < 0 || slices.Compare(apart[:], bestApart[:]) < 0 {
				best, bestApart = i, apart
			}
		}
		if best >= 0 {
			r.join(j, best)
			r.claimed[j], taken[pair{best, s.Scope.Name}] = true, true
		}
	}
}

// alike reports whether two spans can tell of the same thing at all.
func (r *resolver) alike(i, j int) bool {
	a, b := &r.spans[i], &r.spans[j]
	return a.Role == RolePart || b.Role == RolePart || class(a) == class(b)
}

// sameByKey reports whether two spans with one key, neither of them a report,
// are of one call.
func (r *resolver) sameByKey(i, j int) bool {
	a, b := &r.spans[i], &r.spans[j]
	switch {
	case a.Kind == KindToolUse || !r.alike(i, j):
		return false
	case a.Scope.Name == b.Scope.Name:
		return a.TraceID == b.TraceID && r.apart(i, j) < 0
	}
	return r.apart(i, j) <= nearby
}

// joinReports is rule 3.
func (r *resolver) joinReports() {
	type family struct {
		parent int
		trace  TraceID
		class  Kind
	}
	beside := map[family][]int{}
	for _, i := range r.order {
		if s := &r.spans[i]; isModelCall(s) && s.Role == RoleNone && r.parent[i] >= 0 {
			f := family{r.parent[i], s.TraceID, s.Kind}
			beside[f] = append(beside[f], i)
		}
	}
	for _, i := range r.order {
		s := &r.spans[i]
		if !isModelCall(s) || s.Role != RoleReport || r.claimed[i] || r.parent[i] < 0 {
			continue
		}
		best, bestApart := -1, time.Duration(0)
		for _, j := range r.near(beside[family{r.parent[i], s.TraceID, s.Kind}], s.Start) {
			if o := &r.spans[j]; o.Scope.Name == s.Scope.Name || o.CallKey != "" && s.CallKey != "" || r.apart(i, j) >= 0 {
				continue
			}
			if d := r.spans[j].Start.Sub(s.Start).Abs(); best < 0 || d < bestApart {
				best, bestApart = j, d
			}
		}
		if best >= 0 {
			r.join(i, best)
			r.claimed[i] = true
		}
	}
}

// joinNested is rule 2, from the innermost out.
func (r *resolver) joinNested() {
	inner := slices.Clone(r.order)
	slices.SortStableFunc(inner, func(i, j int) int { return r.depth[j] - r.depth[i] })
	around := r.enclosing()
	r.within = around[KindLLMCall]
	below := map[int][]int{} // call span → calls right below it
	for _, i := range inner {
		k := class(&r.spans[i])
		if k == "" || k == KindToolUse || r.spans[i].Role == RolePart {
			continue
		}
		calls := r.distinct(below[i])
		switch len(calls) {
		case 0:
		case 1:
			r.join(i, calls[0])
		default:
			r.around[i] = true
		}
		if p := around[k][i]; p >= 0 {
			if r.around[i] { // two are enough for the next to see that they are several
				below[p] = append(below[p], calls[:2]...)
			} else {
				below[p] = append(below[p], i)
			}
		}
	}
}

// distinct gives one span of each call in a list.
func (r *resolver) distinct(list []int) []int {
	var out []int
	seen := map[int]bool{}
	for _, i := range list {
		if l := r.find(i); !seen[l] {
			seen[l] = true
			out = append(out, i)
		}
	}
	return out
}

// enclosing gives, for each class, the nearest span of that class around each
// span; -1 if there is none, or if a tool or agent is between, whose calls are its
// own.
func (r *resolver) enclosing() map[Kind][]int {
	outer := slices.Clone(r.order)
	slices.SortStableFunc(outer, func(i, j int) int { return r.depth[i] - r.depth[j] })
	out := map[Kind][]int{}
	for _, k := range []Kind{KindLLMCall, KindEmbedding, KindRetrieval, KindRerank} {
		nearest := make([]int, len(r.spans))
		for _, i := range outer {
			nearest[i] = -1
			p := r.parent[i]
			if p < 0 {
				continue
			}
			switch s := &r.spans[p]; {
			case class(s) == k && s.Role != RolePart:
				nearest[i] = p
			case s.Kind == KindToolUse || s.Kind == KindAgentRun:
			default:
				nearest[i] = nearest[p]
			}
		}
		out[k] = nearest
	}
	return out
}

// joinParts is rule 4.
func (r *resolver) joinParts() {
	var parts []int
	for _, i := range r.order {
		if r.spans[i].Role == RolePart && !r.claimed[i] {
			parts = append(parts, i)
		}
	}
	if len(parts) == 0 {
		return
	}
	calls := map[int][]int{} // span → calls below it or itself
	for _, i := range r.order {
		if s := &r.spans[i]; isModelCall(s) && s.Role != RolePart {
			// Above a span with many calls below it no part is looked for.
			for p := i; p >= 0 && len(calls[p]) < neighbours; p = r.parent[p] {
				calls[p] = append(calls[p], i)
			}
		}
	}
	for _, i := range parts {
		for p := i; p >= 0; p = r.parent[p] {
			if len(calls[p]) == 0 {
				continue
			}
			// What a part tells of is over when the part is.
			best, bestApart := -1, time.Duration(0)
			for _, j := range calls[p] {
				if d := r.end(i).Sub(r.end(j)).Abs(); best < 0 || d < bestApart {
					best, bestApart = j, d
				}
			}
			r.join(i, best)
			break
		}
	}
}

// choose is rule 5.
func (r *resolver) choose() {
	groups := map[int][]int{}
	for _, i := range r.order {
		r.standings[i] = Standing{Counts: true, For: -1}
		if s := &r.spans[i]; class(s) != "" || s.Role == RolePart {
			groups[r.find(i)] = append(groups[r.find(i)], i)
		}
	}
	for _, group := range groups {
		slices.SortFunc(group, func(i, j int) int { return r.compare(j, i) })
		first := group[0]
		if r.spans[first].Role == RolePart { // nobody stands for the call
			for _, i := range group {
				r.standings[i].Counts = false
			}
			continue
		}
		for n, i := range group {
			r.standings[i].Counts, r.standings[i].For = n == 0, first
		}
		r.standings[first].From = slices.Clone(group[1:])
		if r.around[first] {
			r.standings[first] = Standing{For: -1}
		}
	}
}

// compare is positive if i stands for a call rather than j.
func (r *resolver) compare(i, j int) int {
	a, b := &r.spans[i], &r.spans[j]
	yes := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	// A part that is the only one with the usage lends it; it cannot stand.
	rank := func(s *Span) int {
		return slices.Index([]Role{RolePart, RoleReport, RoleWrapper, RoleNone}, s.Role)
	}
	return cmp.Or(
		yes(rank(a) > 0)-yes(rank(b) > 0),
		yes(!r.around[i])-yes(!r.around[j]),
		yes(a.ToolUseID != nil)-yes(b.ToolUseID != nil), // of tools: the model that asked knows it by that
		r.usageRank(a)-r.usageRank(b),
		rank(a)-rank(b),
		yes(a.Tells&TellsOutput != 0)-yes(b.Tells&TellsOutput != 0),
		yes(a.CostNanoUSD != nil)-yes(b.CostNanoUSD != nil),
		yes(a.Tells&TellsInput != 0)-yes(b.Tells&TellsInput != 0),
		r.depth[i]-r.depth[j],
		b.Start.Compare(a.Start),
		cmp.Compare(b.TraceID, a.TraceID),
		cmp.Compare(b.ID, a.ID),
	)
}

// usageRank prefers spans that know the usage; reports, whose usage can be lent,
// do not stand before the spans that they report for.
func (r *resolver) usageRank(s *Span) int {
	if s.Usage != nil && s.Role != RoleReport {
		return 1
	}
	return 0
}

// sums is rule 7.
func (r *resolver) sums() {
	used := make([]bool, len(r.spans)) // some span below says what it used
	inner := slices.Clone(r.order)
	slices.SortStableFunc(inner, func(i, j int) int { return r.depth[j] - r.depth[i] })
	for _, i := range inner {
		s := &r.spans[i]
		says := saysUsed(s)
		if (class(s) == "" || s.Kind == KindToolUse) && s.Role != RolePart && says && (used[i] || r.toldAround(i)) {
			r.standings[i].Counts = false
		}
		if p := r.parent[i]; p >= 0 && (used[i] || says) {
			used[p] = true
		}
	}
}

// saysUsed reports whether s says what it used.
func saysUsed(s *Span) bool { return s.Usage != nil || s.CostNanoUSD != nil }

// toldAround reports whether a model span around a span that only repeats what
// calls used says what it used.
func (r *resolver) toldAround(i int) bool {
	switch r.spans[i].Kind {
	case KindAgentRun, KindChain, KindGeneric, KindEvent:
	default: // it may have used something itself
		return false
	}
	for n, p := 0, r.within[i]; p >= 0 && n < neighbours; n, p = n+1, r.within[p] {
		if saysUsed(&r.spans[p]) {
			return true
		}
	}
	return false
}

// Complete gives the span that stands for a call with what the other spans that
// tell of it know and it does not, best first: usage, models, provider, cost, the
// first token, contents. A report is closer to the provider than who reports it:
// its counts, ids and words win. The result shares contents with the arguments.
func Complete(s *Span, from ...*Span) Span {
	c := *s
	for _, o := range from {
		if o.Role == RoleReport && s.Role != RoleReport {
			if o.Usage != nil {
				c.Usage, c.InputTokens, c.OutputTokens = o.Usage, o.InputTokens, o.OutputTokens
			}
			for _, f := range []struct{ to, from **string }{
				{&c.ModelUsed, &o.ModelUsed}, {&c.FinishReason, &o.FinishReason}, {&c.ProviderRequestID, &o.ProviderRequestID},
			} {
				if *f.from != nil {
					*f.to = *f.from
				}
			}
		}
		if c.ModelUsed != nil && c.Model != nil && *c.ModelUsed == *c.Model && o.ModelUsed != nil { // only the asked one again
			c.ModelUsed = o.ModelUsed
		}
		if c.Usage == nil && o.Usage != nil {
			c.Usage, c.InputTokens, c.OutputTokens = o.Usage, o.InputTokens, o.OutputTokens
		}
		if o.CostSource == CostOfSender && c.CostSource != CostOfSender {
			c.CostNanoUSD, c.CostSource = o.CostNanoUSD, o.CostSource
		}
		for _, f := range []struct{ to, from **string }{
			{&c.Model, &o.Model},
			{&c.ModelUsed, &o.ModelUsed},
			{&c.Provider, &o.Provider},
			{&c.ServiceTier, &o.ServiceTier},
			{&c.FinishReason, &o.FinishReason},
			{&c.ProviderRequestID, &o.ProviderRequestID},
			{&c.UserID, &o.UserID},
			{&c.AgentName, &o.AgentName},
			{&c.Payload.StatusMessage, &o.Payload.StatusMessage},
		} {
			if *f.to == nil {
				*f.to = *f.from
			}
		}
		if c.TimeToFirstTokenMS == nil {
			c.TimeToFirstTokenMS = o.TimeToFirstTokenMS
		}
		if c.SessionID == "" {
			c.SessionID = o.SessionID
		}
		p, q := &c.Payload, &o.Payload
		if p.InputMessages == nil {
			p.InputMessages = q.InputMessages
		}
		if p.OutputMessages == nil && p.OutputText == nil {
			p.OutputMessages, p.OutputText = q.OutputMessages, q.OutputText
		}
		p.ToolInput, p.ToolResponse = fullerJSON(p.ToolInput, q.ToolInput), fullerJSON(p.ToolResponse, q.ToolResponse)
		if p.Error == nil {
			p.Error = q.Error
		}
		if p.Tools == nil {
			p.Tools = q.Tools
		}
		if p.Parameters == nil {
			p.Parameters = q.Parameters
		}
		if p.Request == nil {
			p.Request = q.Request
		}
		if p.Response == nil {
			p.Response = q.Response
		}
	}
	if c.Payload.InputMessages != nil {
		c.Tells |= TellsInput
	}
	if c.Payload.OutputMessages != nil || c.Payload.OutputText != nil {
		c.Tells |= TellsOutput
	}
	return c
}
