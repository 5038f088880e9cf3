package storetest

import (
	"testing"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/filter"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// apiKeys checks that the store keeps with which API key a span was sent.
func apiKeys(t *testing.T, open OpenFunc) {
	sentWith := func(p account.ProjectID, key account.KeyID, spans ...trace.Span) store.Batch {
		b := pack(p, spans)
		b.APIKey = key
		return b
	}
	put := func(t *testing.T, s store.Store, batches ...store.Batch) {
		t.Helper()
		must[[]store.Outcome](t)(s.WriteBatches(t.Context(), batches))
	}
	keyOf := func(t *testing.T, s store.Store, p account.ProjectID, id trace.SpanID) string {
		t.Helper()
		sp := must[trace.Span](t)(s.AnySpan(t.Context(), p, id))
		if sp.APIKey == nil {
			return ""
		}
		return *sp.APIKey
	}
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"OfBatches": func(t *testing.T, s store.Store) {
			p, other := newProject(t, s, "a"), newProject(t, s, "b")
			own := llmTrace("own", start)
			own.APIKey = ptr("third")
			put(t, s, sentWith(p, "first", llmTrace("call", start), called("root", "", minute(1), 0), own),
				sentWith(p, "second", called("child", "root", minute(2), 0)), sentWith(p, "", llmTrace("imported", minute(3))),
				sentWith(other, "first", llmTrace("foreign", start)))
			for id, want := range map[trace.SpanID]string{"call": "first", "root": "first", "child": "second", "own": "third", "imported": ""} {
				if got := keyOf(t, s, p, id); got != want {
					t.Errorf("%s was sent with %q, not %q", id, got, want)
				}
			}
			for text, want := range map[string][]string{
				"key:first": {"t", "call"}, "key:second": {"t"}, "key:second,third": {"t", "own"}, "-key:first": {"imported", "own"}, "has:key": {"t", "own", "call"},
				"-has:key": {"imported"}, "key:absent": {}, "key:f*": {"t", "call"},
			} {
				hits, first, _ := search(t, s, p, store.TraceQuery{Filter: parsed(t, text)}, store.SearchPage{Sort: store.SortStart, Limit: 10}, func() {})
				same(t, text, want, idsOf(hits))
				if first.Total != int64(len(want)) {
					t.Errorf("%s: %d", text, first.Total)
				}
			}
			facets := must[store.Facets](t)(s.TraceFacets(t.Context(), p, store.TraceQuery{}, []filter.Field{filter.FieldKey}, 10))
			same(t, "facets", []store.Count{{Name: "first", Count: 2}, {Name: "second", Count: 1}, {Name: "third", Count: 1}}, facets.Counts[filter.FieldKey])
			groups := must[store.Groups](t)(s.TraceBreakdown(t.Context(), p, store.TraceQuery{}, store.Breakdown{
				By: []filter.Field{filter.FieldKey}, Measures: []store.Measure{store.MeasureCount}, Sort: store.MeasureCount, Limit: 1,
			}))
			same(t, "groups", []store.Group{{Keys: []string{"first"}, Values: []*float64{ptr(2.0)}}}, groups.Groups)
			same(t, "all", []*float64{ptr(4.0)}, groups.Total)
		},
		// The first delivery of a span holds, and who completes it is not who sent it.
		"LaterDeliveries": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			put(t, s, sentWith(p, "first", llmTrace("call", start), called("root", "", minute(1), 0)))
			put(t, s, sentWith(p, "second", llmTrace("call", start), called("root", "", minute(1), 0)))
			report := called("report", "root", minute(2), 0)
			report.Role, report.CallKey = trace.RoleReport, "x"
			put(t, s, sentWith(p, "second", report))
			for _, id := range []trace.SpanID{"call", "root"} {
				if got := keyOf(t, s, p, id); got != "first" {
					t.Errorf("%s was sent with %q", id, got)
				}
			}
			more := called("root", "", minute(1), 0)
			more.Payload.Raw = rawBytes("something more about it")
			more.UserID = ptr("u")
			put(t, s, sentWith(p, "", more))
			if got := must[trace.Span](t)(s.AnySpan(t.Context(), p, "root")); got.UserID == nil || got.APIKey == nil || *got.APIKey != "first" {
				t.Errorf("joined: %+v", got)
			}
		},
		"OutliveTheirRow": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			put(t, s, sentWith(p, "key-a", llmTrace("call", start)))
			must[account.APIKey](t)(s.DeleteKey(t.Context(), p, "key-a"))
			if got := keyOf(t, s, p, "call"); got != "key-a" {
				t.Errorf("it was sent with %q", got)
			}
		},
	})
}
