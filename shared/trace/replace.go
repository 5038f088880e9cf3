package trace

import (
	"cmp"
	"math"
	"slices"
)

// Replace makes t what it would be if it had counted now where it counted old;
// both have the same id and trace. It reports false, and leaves t in no
// particular state, where the sum alone cannot tell: what was the smallest or
// largest of all is no longer, or nobody may say anything any more. Then t is
// to be made anew from its spans.
func (t *Trace) Replace(old, now *Span) bool {
	if t.SpanCount == 1 {
		*t = Trace{ID: t.ID}
		t.Add(now)
		return true
	}
	if old.Mapped() != now.Mapped() || old.Source != now.Source {
		return false
	}
	main := mainOf(now)
	switch {
	case t.Main.SpanID == old.ID && t.Main.before(main):
		return false
	case t.Main.SpanID == old.ID || main.before(t.Main):
		t.Main, t.Form = main, now.Form
	}
	if !t.replaceTimes(old, now) || !t.replaceCall(callOf(old), callOf(now)) {
		return false
	}
	t.ErrorCount += failures(now) - failures(old)
	if t.DurationUS == math.MaxInt64 {
		return false
	}
	t.DurationUS = Plus(t.DurationUS-old.DurationUS(), now.DurationUS())
	if now.Mapped() && !t.replaceMapped(old, now) {
		return false
	}
	t.SessionID = cmp.Or(t.Main.SessionID, t.AnySession)
	return true
}

func failures(s *Span) int64 {
	if s.Status == StatusError {
		return 1
	}
	return 0
}

func (t *Trace) replaceTimes(old, now *Span) bool {
	if !old.IsLifecycle() && old.Start.Equal(*t.Start) && (now.IsLifecycle() || now.Start.After(old.Start)) {
		return false
	}
	if !now.IsLifecycle() && (t.Start == nil || now.Start.Before(*t.Start)) {
		start := now.Start
		t.Start = &start
	}
	oldEnd, end := old.End(), now.End()
	if oldEnd.Equal(t.End) && end.Before(oldEnd) {
		return false
	}
	if end.After(t.End) {
		t.End = end
	}
	return true
}

func (t *Trace) replaceCall(old, now call) bool {
	if old.counted && !now.counted {
		if t.LLMCount == 1 { // the keys become those of sources
			return false
		}
		t.LLMCount--
	}
	if !old.counted && now.counted {
		if t.LLMCount == 0 {
			t.ProviderKey, t.ModelKey = "", ""
		}
		t.LLMCount++
	}
	if !replaceKey(&t.ProviderKey, old.counted, old.provider, now.counted, now.provider) ||
		!replaceKey(&t.ModelKey, old.counted, old.model, now.counted, now.model) {
		return false
	}
	return replaceOptional(&t.InputTokens, old.input, now.input) && replaceOptional(&t.OutputTokens, old.output, now.output) &&
		replaceOptional(&t.EmbeddingTokens, old.embedded, now.embedded) && replaceOptional(&t.CostNanoUSD, old.cost, now.cost)
}

// replaceKey changes the largest of the keys of counted calls. In a trace
// without such calls the key is that of the sources, which stay as they are.
func replaceKey(key *string, oldCounts bool, old string, nowCounts bool, now string) bool {
	if oldCounts && old == *key && (!nowCounts || now < old) {
		return false
	}
	if nowCounts {
		*key = max(*key, now)
	}
	return true
}

// replaceOptional changes a sum that is nil where nobody says anything.
func replaceOptional(sum **int64, old, now *int64) bool {
	if old != nil {
		if now == nil || **sum == math.MaxInt64 {
			return false
		}
		left := **sum - *old
		*sum = &left
	}
	*sum = addOptional(*sum, now)
	return true
}

func (t *Trace) replaceMapped(old, now *Span) bool {
	root := rootOf(now)
	switch {
	case t.Root.SpanID == old.ID && t.Root.before(root):
		return false
	case t.Root.SpanID == old.ID || root.before(t.Root):
		t.Root = root
	}
	failure := failureOf(now)
	switch {
	case t.Failure.SpanID == old.ID && t.Failure.before(failure):
		return false
	case t.Failure.SpanID == old.ID || failure.before(t.Failure):
		t.Failure = failure
	}
	if old.Service != nil && (now.Service == nil || *now.Service != *old.Service) {
		return false
	}
	for _, tag := range old.Tags {
		if !slices.Contains(now.Tags, tag) {
			return false
		}
	}
	if !keepsLargest(t.Environment, old.Environment, now.Environment) || !keepsLargest(t.UserID, old.UserID, now.UserID) ||
		(old.SessionID == t.AnySession && now.SessionID < old.SessionID) || (old.Reports() && !now.Reports()) {
		return false
	}
	t.addMapped(now)
	return true
}

// keepsLargest reports whether the largest of some values is still the largest,
// or is passed, when one of them changes.
func keepsLargest[T cmp.Ordered](largest, old, now *T) bool {
	return old == nil || *old != *largest || (now != nil && *now >= *old)
}

// Replace is Trace.Replace for a session that both spans belong to.
func (s *Session) Replace(old, now *Span) bool {
	if s.SpanCount == 1 {
		*s = Session{ID: s.ID}
		s.Add(now)
		return true
	}
	traced := func(sp *Span) bool { return sp.TraceID != "" && !sp.IsLifecycle() }
	ended := func(sp *Span) *float64 {
		if sp.EventType != "session_end" {
			return nil
		}
		return sp.DurationMS
	}
	if traced(old) != traced(now) || old.Source != now.Source ||
		(old.Start.Equal(s.First) && now.Start.After(old.Start)) || (old.Start.Equal(s.Last) && now.Start.Before(old.Start)) ||
		!keepsLargest(s.EndDurationMS, ended(old), ended(now)) || !keepsLargest(s.CWD, old.CWD, now.CWD) ||
		!keepsLargest(s.Model, old.Model, now.Model) || !keepsLargest(s.AgentName, old.AgentName, now.AgentName) ||
		s.InputTokens == math.MaxInt64 || s.OutputTokens == math.MaxInt64 || s.CostNanoUSD == math.MaxInt64 {
		return false
	}
	// Without old, but for what old was not alone to say.
	s.SpanCount--
	if traced(old) {
		s.TracedCount--
	}
	s.ErrorCount -= failures(old)
	if old.Kind == KindAgentRun {
		s.AgentRuns--
	}
	spent := old.spent()
	s.InputTokens -= deref(spent.input)
	s.OutputTokens -= deref(spent.output)
	s.CostNanoUSD -= deref(spent.cost)
	s.Add(now)
	return true
}
