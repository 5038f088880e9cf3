package storetest

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

func sums(t *testing.T, open OpenFunc) {
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"RandomRangesEqualBruteForce": func(t *testing.T, s store.Store) {
			p, other := newProject(t, s, "a"), newProject(t, s, "b")
			rng := rand.New(rand.NewPCG(7, 1))
			spans := randomSpans(rng, 500)
			write(t, s, p, spans...)
			write(t, s, other, randomSpans(rng, 50)...)
			m := model{}
			m.add(spans...)
			for range 60 {
				m.checkAnalytics(t, s, p, randomRange(rng), pick(rng, store.PeriodDay, store.PeriodHour))
			}
		},
		"SessionsAreExactUpToALimitThenClose": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			var spans []trace.Span
			for i := range 5000 {
				sp := llmTrace(numbered("l", i), start.Add(time.Duration(i%5)*time.Hour).Add(time.Duration(i)*time.Millisecond))
				sp.SessionID = trace.SessionID(fmt.Sprint("session", i))
				spans = append(spans, sp)
			}
			write(t, s, p, spans...)
			from, to := start, start.Add(4*time.Hour)
			r := store.TimeRange{From: &from, To: &to}
			if got := must[store.CallAnalytics](t)(s.CallAnalytics(t.Context(), p, r, store.PeriodDay)).Sessions; got != 4000 {
				t.Errorf("four hours of 1000 sessions each: %d", got)
			}
			got := must[store.CallAnalytics](t)(s.CallAnalytics(t.Context(), p, store.TimeRange{}, store.PeriodDay)).Sessions
			if math.Abs(float64(got)-5000) > 150 {
				t.Errorf("a day of 5000 sessions: %d", got)
			}
		},
		"UnknownProjectIsEmpty": func(t *testing.T, s store.Store) {
			model{}.checkAnalytics(t, s, "nobody", store.TimeRange{}, store.PeriodDay)
		},
		"ToolsAreAtMost100": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			var spans []trace.Span
			for i := range 130 {
				sp := span(numbered("s", i), minute(i))
				sp.ToolName = ptr(numbered("tool", i%120))
				spans = append(spans, sp)
			}
			write(t, s, p, spans...)
			tools := must[store.SpanAnalytics](t)(s.SpanAnalytics(t.Context(), p, store.TimeRange{}, store.PeriodDay)).Tools
			if len(tools) != 100 || tools[0] != (store.Count{Name: "tool00000", Count: 2}) || tools[99] != (store.Count{Name: "tool00099", Count: 1}) {
				t.Fatal(len(tools), tools)
			}
		},
	})
}

// randomRange has cut hours, whole hours, open ends, and reversed bounds.
func randomRange(rng *rand.Rand) store.TimeRange {
	var r store.TimeRange
	if rng.IntN(6) > 0 {
		r.From = ptr(randomTime(rng))
	}
	if rng.IntN(6) > 0 {
		r.To = ptr(randomTime(rng))
	}
	if r.From != nil && r.To != nil && rng.IntN(8) > 0 && r.To.Before(*r.From) {
		r.From, r.To = r.To, r.From
	}
	return r
}

// callSums adds up calls, quantiles included.
func callSums(calls []trace.Span) store.CallSums {
	var out store.CallSums
	var latency, first []float64
	for _, s := range calls {
		out.Calls++
		if s.Status == trace.StatusError {
			out.Errors++
		}
		for _, add := range []struct{ sum, v *int64 }{{&out.InputTokens, s.InputTokens}, {&out.OutputTokens, s.OutputTokens}, {&out.CostNanoUSD, s.CostNanoUSD}} {
			if add.v != nil {
				*add.sum += *add.v
			}
		}
		if s.DurationMS != nil {
			out.Timed++
			out.DurationUS += s.DurationUS()
			latency = append(latency, *s.DurationMS)
		}
		if s.TimeToFirstTokenMS != nil {
			first = append(first, *s.TimeToFirstTokenMS)
		}
	}
	out.Latency, out.FirstToken = quantiles(latency), quantiles(first)
	return out
}

func quantiles(v []float64) store.Quantiles {
	if len(v) == 0 {
		return store.Quantiles{}
	}
	slices.Sort(v)
	at := func(q float64) *float64 { return &v[max(int(math.Ceil(q*float64(len(v)))), 1)-1] }
	return store.Quantiles{P50: at(0.50), P90: at(0.90), P95: at(0.95), P99: at(0.99)}
}

// settle replaces got's quantiles by want's where they are within 1%, so that
// the rest can be compared whole.
func settle(want store.CallSums, got *store.CallSums) {
	for _, pair := range [][2]**float64{
		{&want.Latency.P50, &got.Latency.P50},
		{&want.Latency.P90, &got.Latency.P90},
		{&want.Latency.P95, &got.Latency.P95},
		{&want.Latency.P99, &got.Latency.P99},
		{&want.FirstToken.P50, &got.FirstToken.P50},
		{&want.FirstToken.P90, &got.FirstToken.P90},
		{&want.FirstToken.P95, &got.FirstToken.P95},
		{&want.FirstToken.P99, &got.FirstToken.P99},
	} {
		w, g := *pair[0], *pair[1]
		if w != nil && g != nil && math.Abs(*w-*g) <= 0.01**w {
			*pair[1] = w
		}
	}
}

func periodOf(at time.Time, p store.Period) string {
	if p == store.PeriodHour {
		return at.Format("2006-01-02 15:00:00")
	}
	return at.Format("2006-01-02")
}

func (m model) calls(r store.TimeRange, p store.Period) store.CallAnalytics {
	calls := m.spans(func(s *trace.Span) bool { return s.Counted() && inRange(s.Start, r) })
	sessions := map[trace.SessionID]bool{}
	type key [2]string
	models, providers, series := map[key][]trace.Span{}, map[string][]trace.Span{}, map[key][]trace.Span{}
	for _, s := range calls {
		if s.SessionID != "" {
			sessions[s.SessionID] = true
		}
		provider, modelName := trace.ProviderOf(&s), trace.ModelOf(&s)
		models[key{provider, modelName}] = append(models[key{provider, modelName}], s)
		providers[provider] = append(providers[provider], s)
		k := key{periodOf(s.Start, p), provider}
		series[k] = append(series[k], s)
	}
	out := store.CallAnalytics{Sums: callSums(calls), Sessions: int64(len(sessions))}
	for k, v := range models {
		out.ByModel = append(out.ByModel, store.ModelSums{Provider: k[0], Model: k[1], CallSums: callSums(v)})
	}
	slices.SortFunc(out.ByModel, func(a, b store.ModelSums) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Model, b.Model))
	})
	for k, v := range providers {
		out.ByProvider = append(out.ByProvider, store.ProviderSums{Provider: k, CallSums: callSums(v)})
	}
	slices.SortFunc(out.ByProvider, func(a, b store.ProviderSums) int {
		return cmp.Or(cmp.Compare(b.CostNanoUSD, a.CostNanoUSD), cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Provider, b.Provider))
	})
	for k, v := range series {
		sum := callSums(v)
		sum.Latency, sum.FirstToken = store.Quantiles{}, store.Quantiles{}
		out.Series = append(out.Series, store.SeriesPoint{Period: k[0], Provider: k[1], CallSums: sum})
	}
	slices.SortFunc(out.Series, func(a, b store.SeriesPoint) int {
		return cmp.Or(cmp.Compare(a.Period, b.Period), cmp.Compare(a.Provider, b.Provider))
	})
	return out
}

func (m model) spanSums(r store.TimeRange, p store.Period) store.SpanAnalytics {
	var out store.SpanAnalytics
	kinds, sources, tools, series := map[string]int64{}, map[string]int64{}, map[string]int64{}, map[string]int64{}
	for _, s := range m.spans(func(s *trace.Span) bool { return s.Form == trace.FormSpan && inRange(s.Start, r) }) {
		out.Spans++
		if s.Status == trace.StatusError {
			out.Errors++
		}
		if s.DurationMS != nil {
			out.Timed++
			out.DurationUS += s.DurationUS()
			if s.Kind == trace.KindSession {
				out.SessionTimed++
				out.SessionDurationUS += s.DurationUS()
			}
		}
		if s.Kind == trace.KindLLMCall && !s.Counted() {
			kinds[string(trace.KindChain)]++
		} else {
			kinds[string(s.Kind)]++
		}
		sources[string(s.Source)]++
		if s.Kind == trace.KindToolUse && s.ToolName != nil && *s.ToolName != "" {
			tools[*s.ToolName]++
		}
		series[periodOf(s.Start, p)]++
	}
	list := func(counts map[string]int64, less func(a, b store.Count) int) []store.Count {
		var out []store.Count
		for name, n := range counts {
			out = append(out, store.Count{Name: name, Count: n})
		}
		slices.SortFunc(out, less)
		return out
	}
	byCount := func(a, b store.Count) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name)) }
	out.ByKind, out.BySource, out.Tools = list(kinds, byCount), list(sources, byCount), list(tools, byCount)
	out.Series = list(series, func(a, b store.Count) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func (m model) checkAnalytics(t *testing.T, s store.Store, project account.ProjectID, r store.TimeRange, p store.Period) {
	t.Helper()
	want := m.calls(r, p)
	got := must[store.CallAnalytics](t)(s.CallAnalytics(t.Context(), project, r, p))
	settle(want.Sums, &got.Sums)
	for i := range min(len(want.ByModel), len(got.ByModel)) {
		settle(want.ByModel[i].CallSums, &got.ByModel[i].CallSums)
	}
	for i := range min(len(want.ByProvider), len(got.ByProvider)) {
		settle(want.ByProvider[i].CallSums, &got.ByProvider[i].CallSums)
	}
	same(t, fmt.Sprintf("calls in %v to %v", r.From, r.To), want, got)
	same(t, fmt.Sprintf("spans in %v to %v", r.From, r.To), m.spanSums(r, p), must[store.SpanAnalytics](t)(s.SpanAnalytics(t.Context(), project, r, p)))
}
