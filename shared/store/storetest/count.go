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
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/filter"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// valuesOf gives the values of a trace in a field of store.GroupFields.
func valuesOf(f filter.Field, t *trace.Trace) []string {
	var out []string
	add := func(s string) {
		if s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	optional := func(s *string) {
		if s != nil {
			add(*s)
		}
	}
	switch f {
	case filter.FieldStatus:
		add(string(t.Status()))
	case filter.FieldName:
		add(t.Root.Name)
	case filter.FieldProvider:
		add(t.ProviderKey)
	case filter.FieldModel:
		add(t.ModelKey)
	case filter.FieldSession:
		add(string(t.SessionID))
	case filter.FieldUser:
		optional(t.UserID)
	case filter.FieldEnv:
		optional(t.Environment)
	case filter.FieldTag:
		return t.Tags
	case filter.FieldSource:
		for _, s := range t.Sources.Sources() {
			add(string(s))
		}
	}
	for i := range t.Spans {
		switch s := &t.Spans[i]; f {
		case filter.FieldKind:
			add(string(s.Kind))
		case filter.FieldTool:
			optional(s.ToolName)
		case filter.FieldService:
			optional(s.Service)
		case filter.FieldRelease:
			optional(s.Release)
		case filter.FieldKey:
			optional(s.APIKey)
		}
	}
	return out
}

// quantile gives the value that at least q of the values do not pass.
func quantile(values []float64, q float64) *float64 {
	if len(values) == 0 {
		return nil
	}
	slices.Sort(values)
	v := values[max(int(math.Ceil(q*float64(len(values))))-1, 0)]
	return &v
}

// measure gives what a measure says of traces.
func measure(m store.Measure, traces []trace.Trace) *float64 {
	var sum float64
	var wall, first []float64
	for i := range traces {
		t := &traces[i]
		input, output := 0.0, 0.0
		if t.InputTokens != nil {
			input = float64(*t.InputTokens)
		}
		if t.OutputTokens != nil {
			output = float64(*t.OutputTokens)
		}
		switch {
		case m == store.MeasureCount, m == store.MeasureErrors && t.ErrorCount > 0:
			sum++
		case m == store.MeasureCost && t.CostNanoUSD != nil:
			sum += float64(*t.CostNanoUSD)
		case m == store.MeasureTokens:
			sum += input + output
		case m == store.MeasureIn:
			sum += input
		case m == store.MeasureOut:
			sum += output
		}
		wall = append(wall, float64(t.End.Sub(*t.Start).Microseconds())/1000)
		for _, s := range t.Spans {
			if s.ID == t.Main.SpanID && s.TimeToFirstTokenMS != nil {
				first = append(first, *s.TimeToFirstTokenMS)
			}
		}
	}
	switch m {
	case store.MeasureP50:
		return quantile(wall, 0.5)
	case store.MeasureP90:
		return quantile(wall, 0.9)
	case store.MeasureP95:
		return quantile(wall, 0.95)
	case store.MeasureP99:
		return quantile(wall, 0.99)
	case store.MeasureTTFT50:
		return quantile(first, 0.5)
	case store.MeasureTTFT90:
		return quantile(first, 0.9)
	case store.MeasureTTFT95:
		return quantile(first, 0.95)
	case store.MeasureTTFT99:
		return quantile(first, 0.99)
	}
	return &sum
}

// near reports whether two values are within what sketches promise.
func near(a, b *float64) bool {
	if a == nil || b == nil {
		return a == b
	}
	return math.Abs(*a-*b) <= 0.011*math.Max(math.Abs(*a), math.Abs(*b))+0.0011
}

func counts(t *testing.T, open OpenFunc) {
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"RandomSeriesAndFacetsEqualBruteForce": func(t *testing.T, s store.Store) {
			p, other := newProject(t, s, "a"), newProject(t, s, "b")
			rng := rand.New(rand.NewPCG(41, 1))
			spans := randomSpans(rng, 400)
			write(t, s, p, spans...)
			write(t, s, other, randomSpans(rng, 50)...)
			m := model{}
			m.add(spans...)
			all := m.listTraces(store.TraceFilter{})
			texts := []string{"", "", "status:error", "model:m1,m2", "-provider:openai", "source:codex status:ok", "name:c*", "kind:tool_use", "latency>1s", "user:u1"}
			for range 200 {
				text := pick(rng, texts...)
				width := pick(rng, time.Minute, 5*time.Minute, time.Hour, 6*time.Hour, 24*time.Hour)
				from := start.Add(time.Duration(rng.IntN(72)) * time.Hour)
				edges := []time.Time{from.Add(-time.Duration(rng.Int64N(int64(width))).Truncate(time.Microsecond)), from.Add(width)}
				for range 2 + rng.IntN(10) {
					edges = append(edges, edges[len(edges)-1].Add(width))
				}
				edges = append(edges, edges[len(edges)-1].Add(time.Duration(1+rng.Int64N(int64(width)/1000))*time.Microsecond))
				q := store.TraceQuery{Time: store.TimeRange{From: &edges[0], To: &edges[len(edges)-1]}, Filter: parsed(t, text)}
				h := store.Histogram{Edges: edges, By: pick(rng, append(store.GroupFields(), "", filter.FieldStatus, filter.FieldModel)...), Measure: pick(rng, store.Measures()...), Top: 1 + rng.IntN(5)}
				what := fmt.Sprintf("%s of %q by %q from %v to %v every %v", h.Measure, text, h.By, edges[0], edges[len(edges)-1], width)
				got := must[store.TraceSeries](t)(s.TraceHistogram(t.Context(), p, q, h))
				groups := map[string][][]trace.Trace{}
				for _, tr := range all {
					if !inRange(*tr.Start, q.Time) || !meets(q.Filter, &tr) {
						continue
					}
					i, found := slices.BinarySearchFunc(edges, *tr.Start, time.Time.Compare)
					if !found {
						i--
					}
					keys := []string{""}
					if h.By != "" {
						if list := valuesOf(h.By, &tr); len(list) > 0 {
							keys = list
						}
					}
					for _, key := range keys {
						if groups[key] == nil {
							groups[key] = make([][]trace.Trace, len(edges)-1)
						}
						groups[key][i] = append(groups[key][i], tr)
					}
				}
				shown := map[string]bool{}
				for i, series := range got.Series {
					if series.Other {
						if i != len(got.Series)-1 || i != h.Top {
							t.Fatalf("%s: the rest is series %d", what, i)
						}
						continue
					}
					shown[series.Key] = true
					for j, v := range series.Values {
						if want := measure(h.Measure, groups[series.Key][j]); !near(v, want) {
							t.Fatalf("%s: %q in bucket %d: %v, want %v", what, series.Key, j, deref(v), deref(want))
						}
					}
				}
				if len(shown) != min(len(groups), h.Top) || got.ScannedTo != nil || (len(groups) > h.Top) != (len(got.Series) > h.Top) {
					t.Fatalf("%s: %d series of %d, scanned to %v", what, len(got.Series), len(groups), got.ScannedTo)
				}

				fields := []filter.Field{pick(rng, store.GroupFields()...), pick(rng, store.GroupFields()...)}
				facets := must[store.Facets](t)(s.TraceFacets(t.Context(), p, q, fields, 3))
				for _, f := range fields {
					n := map[string]int64{}
					for _, tr := range all {
						if inRange(*tr.Start, q.Time) && meets(q.Filter, &tr) {
							for _, key := range valuesOf(f, &tr) {
								n[key]++
							}
						}
					}
					var want []store.Count
					for name, count := range n {
						want = append(want, store.Count{Name: name, Count: count})
					}
					slices.SortFunc(want, func(a, b store.Count) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name)) })
					same(t, what+" facet "+string(f), want[:min(3, len(want))], facets.Counts[f])
				}
			}
		},
		"BoundsAndTextsAreTold": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			for i := range 40 {
				sp := llmTrace(numbered("t", i), minute(i))
				sp.Payload.OutputText = ptr(fmt.Sprint("text ", i%2))
				write(t, s, p, sp)
			}
			edges := []time.Time{start, minute(60)}
			q := store.TraceQuery{Time: store.TimeRange{From: &edges[0], To: &edges[1]}, Filter: parsed(t, "latency>=0"), Bound: 10}
			h := store.Histogram{Edges: edges, Measure: store.MeasureCount, Top: 1}
			got := must[store.TraceSeries](t)(s.TraceHistogram(t.Context(), p, q, h))
			if *got.Series[0].Values[0] != 10 || !got.ScannedTo.Equal(minute(30)) {
				t.Fatalf("%v to %v", *got.Series[0].Values[0], got.ScannedTo)
			}
			q.Filter = parsed(t, `"text 1"`)
			got = must[store.TraceSeries](t)(s.TraceHistogram(t.Context(), p, q, h))
			if *got.Series[0].Values[0] != 5 || !got.ScannedTo.Equal(minute(30)) {
				t.Fatalf("%v to %v", *got.Series[0].Values[0], got.ScannedTo)
			}
			q.Bound = 0
			facets := must[store.Facets](t)(s.TraceFacets(t.Context(), p, q, []filter.Field{filter.FieldModel}, 10))
			same(t, "facets", []store.Count{{Name: "gpt", Count: 20}}, facets.Counts[filter.FieldModel])
		},
		"Status": func(t *testing.T, s store.Store) {
			p, other := newProject(t, s, "a"), newProject(t, s, "b")
			same(t, "of nothing", store.TraceStatus{}, must[store.TraceStatus](t)(s.TraceStatus(t.Context(), p)))
			write(t, s, p, llmTrace("1", minute(5)), llmTrace("2", minute(3)))
			same(t, "of two", store.TraceStatus{Traces: 2, First: ptr(minute(3))}, must[store.TraceStatus](t)(s.TraceStatus(t.Context(), p)))
			same(t, "of another", store.TraceStatus{}, must[store.TraceStatus](t)(s.TraceStatus(t.Context(), other)))
		},
		"Neighbours": func(t *testing.T, s store.Store) {
			p, other := newProject(t, s, "a"), newProject(t, s, "b")
			for i := range 12 {
				sp := called(numbered("s", i), "", minute(i/2), 0) // pairs at the same time
				sp.TraceID, sp.Name, sp.UserID = trace.TraceID(numbered("t", i)), fmt.Sprint("name", i%2), ptr(fmt.Sprint("user", i%4))
				if i > 3 {
					sp.Status = trace.StatusError
				}
				sp.Payload.OutputText = ptr(fmt.Sprint("text ", i%3))
				write(t, s, p, sp)
			}
			write(t, s, p, llmTrace("old", minute(-2)), of(llmTrace("older", minute(-3)), func(s *trace.Span) { s.Model = ptr("another") }), llmTrace("unnamed", minute(20)))
			for _, c := range []struct{ id, text, next, previous, good string }{
				{"t00005", "", "t00004", "t00006", "t00001"},
				{"t00007", "", "t00006", "t00008", "t00003"},
				{"t00005", "name:name1", "t00003", "t00007", "t00001"},
				{"t00005", `"text 1"`, "t00004", "t00007", "t00001"},
				{"t00000", "", "old", "t00001", ""},
				{"t00005", "name:absent", "", "", "t00001"},
				{"unnamed", "", "t00011", "", "old"},
				{"older", "", "", "old", ""},
			} {
				got := must[store.Neighbours](t)(s.TraceNeighbours(t.Context(), p, trace.TraceID(c.id), store.TraceQuery{Filter: parsed(t, c.text)}))
				same(t, c.id+" "+c.text, store.Neighbours{Next: trace.TraceID(c.next), Previous: trace.TraceID(c.previous), LastGood: trace.TraceID(c.good)}, got)
			}
			begin := span("begin", minute(1))
			begin.TraceID, begin.EventType = "hidden", "session_start"
			write(t, s, p, begin)
			for project, id := range map[account.ProjectID]trace.TraceID{other: "t00005", p: "hidden"} {
				_, err := s.TraceNeighbours(t.Context(), project, id, store.TraceQuery{})
				wantCode(t, err, fault.NotFound)
			}
		},
		"Locate": func(t *testing.T, s store.Store) {
			p, other := newProject(t, s, "a"), newProject(t, s, "b")
			sp := span("s", start)
			sp.TraceID, sp.SessionID = "t", "x"
			write(t, s, p, sp, llmTrace("l", start))
			for id, want := range map[string]store.Located{
				"t": {Trace: "t"}, "l": {Trace: "l"}, "s": {Trace: "t", Span: "s", Session: "x"}, "x": {Session: "x"},
			} {
				same(t, id, want, must[store.Located](t)(s.Locate(t.Context(), p, id)))
				_, err := s.Locate(t.Context(), other, id)
				wantCode(t, err, fault.NotFound)
			}
			_, err := s.Locate(t.Context(), p, "absent")
			wantCode(t, err, fault.NotFound)
		},
	})
}

func deref(v *float64) any {
	if v == nil {
		return nil
	}
	return *v
}
