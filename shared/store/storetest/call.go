package storetest

import (
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// totals are what a project's traces and analytics say of its calls.
type totals struct{ Calls, Input, Cost int64 }

func totalsOf(t *testing.T, s store.Store, project string, inTraces bool) totals {
	t.Helper()
	p := newProjectID(project)
	if !inTraces {
		sums := must[store.CallAnalytics](t)(s.CallAnalytics(t.Context(), p, store.TimeRange{}, store.PeriodDay)).Sums
		return totals{sums.Calls, sums.InputTokens, sums.CostNanoUSD}
	}
	var out totals
	for _, tr := range must[store.TraceList](t)(s.ListTraces(t.Context(), p, store.TraceFilter{}, store.Page{Limit: 100})).Traces {
		out.Calls += tr.LLMCount
		if tr.InputTokens != nil {
			out.Input += *tr.InputTokens
		}
		if tr.CostNanoUSD != nil {
			out.Cost += *tr.CostNanoUSD
		}
	}
	return out
}

func calls(t *testing.T, open OpenFunc) {
	kind := func(s trace.Span, k trace.Kind) trace.Span { return of(s, func(sp *trace.Span) { sp.Kind = k }) }
	key := func(s trace.Span, trace_ trace.TraceID, scope string) trace.Span {
		return of(s, func(sp *trace.Span) { sp.TraceID, sp.CallKey, sp.Scope.Name = trace_, "answer", scope })
	}
	// Each is written in every order, span by span.
	scenes := map[string]struct {
		spans []trace.Span
		want  totals
	}{
		"WrapperAndCall": {[]trace.Span{called("w", "", start, 5), called("c", "w", start, 5)}, totals{1, 5, 50}},
		"WrapperOfTwo":   {[]trace.Span{called("w", "", start, 9), called("c", "w", start, 5), called("d", "w", minute(0).Add(500*time.Millisecond), 4)}, totals{2, 9, 90}},
		"AgentWithSum": {[]trace.Span{
			kind(called("a", "", start, 9), trace.KindAgentRun), called("c", "a", start, 5), called("d", "a", minute(1), 4),
		}, totals{2, 9, 90}},
		"ToolWithin": {[]trace.Span{
			called("w", "", start, 5), kind(called("x", "w", start, 0), trace.KindToolUse), called("c", "x", start, 4),
		}, totals{2, 9, 90}},
		"TwinsInTwoTraces": {[]trace.Span{
			key(called("x", "", start, 5), "t1", "one"), key(called("y", "", start.Add(time.Millisecond), 5), "t2", "two"),
		}, totals{1, 5, 50}},
		"ReportLendsUsage": {[]trace.Span{
			key(called("x", "", start, 0), "t1", "one"),
			of(key(called("y", "", start, 5), "t2", "two"), func(sp *trace.Span) { sp.Role = trace.RoleReport }),
		}, totals{1, 5, 50}},
		"EmbeddingCostsButIsNoCall": {[]trace.Span{
			called("c", "", start, 5), of(kind(called("e", "", start, 100), trace.KindEmbedding), func(sp *trace.Span) { sp.CostNanoUSD = ptr(int64(7)) }),
		}, totals{1, 5, 57}},
	}
	tests := map[string]func(t *testing.T, s store.Store){
		"LentContentsAreShown": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			call := key(called("x", "", start, 0), "t1", "one")
			report := of(key(called("y", "", start, 5), "t2", "two"), func(sp *trace.Span) {
				sp.Role, sp.Payload.InputMessages = trace.RoleReport, []byte(`[{"role":"user","parts":[]}]`)
			})
			write(t, s, p, report)
			write(t, s, p, call)
			for what, got := range map[string]trace.Span{
				"span":  must[trace.Span](t)(s.Span(t.Context(), p, "x")),
				"trace": must[trace.Trace](t)(s.Trace(t.Context(), p, "t1")).Spans[0],
				"list":  must[store.SpanList](t)(s.ListSpans(t.Context(), p, store.SpanFilter{TraceID: "t1"}, store.Page{Limit: 1, Detail: store.Full})).Spans[0],
			} {
				if got.Usage == nil || got.Usage.Input != 5 || got.Repeat || string(got.Payload.InputMessages) != string(report.Payload.InputMessages) {
					t.Errorf("%s: %+v", what, got)
				}
			}
			if got := must[trace.Span](t)(s.Span(t.Context(), p, "y")); !got.Repeat || *got.InputTokens != 5 {
				t.Errorf("the report: %+v", got)
			}
		},
		"RetentionGivesCallsBack": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			late := start.AddDate(0, 0, 1)
			// The call that stands for both is of the day that goes.
			outer, inner := called("w", "", late, 5), called("c", "w", late.Add(-time.Second), 5)
			write(t, s, p, outer, inner)
			same(t, "before", totals{1, 5, 50}, totalsOf(t, s, "a", true))
			must[int64](t)(s.Retain(t.Context(), late))
			outer.Payload = trace.Payload{} // it arrived on the day that went
			m := model{}
			m.add(outer)
			m.check(t, s, p)
		},
	}
	for name, c := range scenes {
		tests[name] = func(t *testing.T, s store.Store) {
			n := 0
			everyOrder(c.spans, func(spans []trace.Span) {
				name := numbered("p", n)
				p := newProject(t, s, name)
				m := model{}
				for _, sp := range spans {
					write(t, s, p, sp)
					m.add(sp)
				}
				m.check(t, s, p)
				same(t, "traces", c.want, totalsOf(t, s, name, true))
				if got := totalsOf(t, s, name, false); got.Calls != c.want.Calls || got.Input != c.want.Input {
					t.Errorf("analytics: %+v, want %+v", got, c.want)
				}
				n++
			})
		}
	}
	cases(t, open, tests)
}
