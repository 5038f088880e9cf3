package storetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/filter"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

func explorations(t *testing.T, open OpenFunc) {
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"MetadataIsCountedBy": func(t *testing.T, s store.Store) {
			ctx, p, other := t.Context(), newProject(t, s, "a"), newProject(t, s, "b")
			said := func(id string, n int, metadata string, cost int64) trace.Span {
				sp := llmTrace(id, minute(n))
				sp.Payload.Metadata, sp.CostNanoUSD = []byte(metadata), ptr(cost)
				return sp
			}
			// One trace of two spans, that say the same, another and, beside metadata, a third value.
			one, two := called("1", "", minute(5), 0), called("2", "1", minute(6), 0)
			one.Payload.Metadata, two.Payload.Metadata, two.Payload.Attributes = []byte(`{"team":"red"}`), []byte(`{"team":"blue","n":2}`), []byte(`{"team":"red","other":1}`)
			write(t, s, p, said("a", 1, `{"team":"red","n":1}`, 1), said("b", 2, `{"team":"red"}`, 20), said("c", 3, `[]`, 300), llmTrace("d", minute(4)), one, two,
				said("long", 7, `{"long":"`+strings.Repeat("ü", 500)+`"}`, 4000))
			write(t, s, other, said("x", 1, `{"team":"green"}`, 9))
			q := store.TraceQuery{Time: store.TimeRange{From: &start, To: ptr(minute(60))}}
			got := must[store.Groups](t)(s.TraceBreakdown(ctx, p, q, store.Breakdown{
				By: []filter.Field{"meta.team", filter.FieldProvider}, Measures: []store.Measure{store.MeasureCount, store.MeasureCost}, Sort: store.MeasureCount, Limit: 9,
			}))
			var rows []string
			for _, g := range got.Groups {
				rows = append(rows, fmt.Sprintf("%s %v %v", strings.Join(g.Keys, "|"), *g.Values[0], *g.Values[1]))
			}
			same(t, "rows", []string{"|openai 3 4300", "red|openai 3 21", "blue|openai 1 0"}, rows)
			same(t, "total", 6.0, *got.Total[0])

			facets := must[store.Facets](t)(s.TraceFacets(ctx, p, q, []filter.Field{"meta.team", "meta.n", "meta.none", filter.FieldProvider}, 9)).Counts
			same(t, "teams", []store.Count{{Name: "red", Count: 3}, {Name: "blue", Count: 1}}, facets["meta.team"])
			same(t, "numbers", []store.Count{{Name: "1", Count: 1}, {Name: "2", Count: 1}}, facets["meta.n"])
			same(t, "none", []store.Count(nil), facets["meta.none"])
			q.Filter = parsed(t, "meta.n:1")
			facets = must[store.Facets](t)(s.TraceFacets(ctx, p, q, []filter.Field{"meta.team"}, 9)).Counts
			same(t, "teams of one", []store.Count{{Name: "red", Count: 1}}, facets["meta.team"])
			q.Filter = parsed(t, "status:success")
			series := must[store.TraceSeries](t)(s.TraceHistogram(ctx, p, q, store.Histogram{Edges: []time.Time{start, minute(3), minute(60)}, By: "meta.team", Measure: store.MeasureCount, Top: 2}))
			same(t, "series", []store.Series{{Key: "", Values: []*float64{ptr(0.0), ptr(3.0)}}, {Key: "red", Values: []*float64{ptr(2.0), ptr(1.0)}}, {Other: true, Values: []*float64{ptr(0.0), ptr(1.0)}}}, series.Series)
			difference := must[store.Difference](t)(s.TraceDifference(ctx, p, store.TraceQuery{}, store.TraceQuery{Filter: parsed(t, "meta.n:2")}, []filter.Field{"meta.team"}, 1))
			same(t, "difference", []store.FieldDifference{{Field: "meta.team", Score: 1, Values: []store.ValueDifference{{Value: "blue", Selected: 1}}}}, difference.Fields)

			long := []store.Count{{Name: strings.Repeat("ü", 100) + "…", Count: 1}}
			all := []store.MetaField{
				{Key: "team", Top: []store.Count{{Name: "red", Count: 3}, {Name: "blue", Count: 1}}},
				{Key: "n", Top: []store.Count{{Name: "1", Count: 1}, {Name: "2", Count: 1}}},
				{Key: "long", Top: long},
			}
			same(t, "keys", all, must[[]store.MetaField](t)(s.MetaFields(ctx, p, 9, 9)))
			same(t, "first of each", []store.MetaField{{Key: "team", Top: all[0].Top[:1]}}, must[[]store.MetaField](t)(s.MetaFields(ctx, p, 1, 1)))
			same(t, "keys of nothing", []store.MetaField(nil), must[[]store.MetaField](t)(s.MetaFields(ctx, newProject(t, s, "c"), 9, 9)))
			same(t, "a long value", long, must[store.Facets](t)(s.TraceFacets(ctx, p, store.TraceQuery{}, []filter.Field{"meta.long"}, 9)).Counts["meta.long"])
		},
		"RandomAnswersEqualBruteForce": func(t *testing.T, s store.Store) {
			p, other := newProject(t, s, "a"), newProject(t, s, "b")
			rng := rand.New(rand.NewPCG(51, 1))
			spans := randomSpans(rng, 400)
			write(t, s, p, spans...)
			write(t, s, other, randomSpans(rng, 50)...)
			m := model{}
			m.add(spans...)
			all := m.listTraces(store.TraceFilter{})
			ctx := t.Context()
			for range 60 {
				text := pick(rng, "", "", "status:error", "model:m1,m2", "-provider:openai", "kind:tool_use", "latency>1s")
				edges := []time.Time{start.Add(time.Duration(rng.IntN(90)) * time.Minute)}
				for range 1 + rng.IntN(8) {
					edges = append(edges, edges[len(edges)-1].Add(pick(rng, 3*time.Hour, 24*time.Hour, 7*time.Minute)))
				}
				q := store.TraceQuery{Time: store.TimeRange{From: &edges[0], To: &edges[len(edges)-1]}, Filter: parsed(t, text)}
				what := fmt.Sprintf("%q from %v to %v", text, edges[0], edges[len(edges)-1])
				buckets := make([][]trace.Trace, len(edges)-1)
				var found []trace.Trace
				for _, tr := range all {
					if inRange(*tr.Start, q.Time) && meets(q.Filter, &tr) {
						i, same := slices.BinarySearchFunc(edges, *tr.Start, time.Time.Compare)
						if !same {
							i--
						}
						buckets[i] = append(buckets[i], tr)
						found = append(found, tr)
					}
				}
				measures := store.Measures()
				rng.Shuffle(len(measures), func(i, j int) { measures[i], measures[j] = measures[j], measures[i] })
				measures = measures[:1+rng.IntN(5)]
				series := must[store.MeasureSeries](t)(s.TraceMeasures(ctx, p, q, edges, measures))
				for i, m := range measures {
					if !near(series.Totals[i], measure(m, found)) {
						t.Fatalf("%s of %s: %v, want %v", m, what, deref(series.Totals[i]), deref(measure(m, found)))
					}
					for j := range buckets {
						if !near(series.Values[i][j], measure(m, buckets[j])) {
							t.Fatalf("%s of %s in %d: %v, want %v", m, what, j, deref(series.Values[i][j]), deref(measure(m, buckets[j])))
						}
					}
				}

				of := pick(rng, filter.FieldLatency, filter.FieldCost, filter.FieldTokens, filter.FieldTTFT)
				heat := must[store.HeatmapCounts](t)(s.TraceHeatmap(ctx, p, q, store.Heatmap{Edges: edges, Of: of, Rows: 8}))
				for i, list := range buckets {
					want := 0
					for _, tr := range list {
						if meets(parsed(t, string(of)+">=0"), &tr) {
							want++
						}
					}
					got := 0
					if len(heat.N) > 0 {
						for _, n := range heat.N[i] {
							got += int(n)
						}
					}
					if got != want || !slices.IsSorted(heat.Edges) {
						t.Fatalf("heatmap of %s of %s: %d in bucket %d, want %d; edges %v", of, what, got, i, want, heat.Edges)
					}
				}

				b := store.Breakdown{By: []filter.Field{pick(rng, store.GroupFields()...)}, Measures: measures, Sort: measures[0], Limit: 3}
				if rng.IntN(2) == 0 {
					b.By = append(b.By, pick(rng, store.GroupFields()...))
				}
				groups := map[string][]trace.Trace{}
				for _, tr := range found {
					keys := []string{""}
					for i, f := range b.By {
						values := valuesOf(f, &tr)
						if len(values) == 0 {
							values = []string{""}
						}
						var next []string
						for _, k := range keys {
							for _, v := range values {
								next = append(next, k+strings.Repeat("|", min(i, 1))+v)
							}
						}
						keys = next
					}
					for _, k := range keys {
						groups[k] = append(groups[k], tr)
					}
				}
				got := must[store.Groups](t)(s.TraceBreakdown(ctx, p, q, b))
				if len(got.Groups) != min(len(groups), 3) || (got.Rest != nil) != (len(groups) > 3) {
					t.Fatalf("%+v of %s: %d groups of %d", b, what, len(got.Groups), len(groups))
				}
				last := math.Inf(1)
				for _, g := range got.Groups {
					for i, m := range measures {
						if want := measure(m, groups[strings.Join(g.Keys, "|")]); !near(g.Values[i], want) {
							t.Fatalf("%+v of %s: %s of %q: %v, want %v", b, what, m, g.Keys, deref(g.Values[i]), deref(want))
						}
					}
					if v := g.Values[0]; v != nil {
						if *v > last {
							t.Fatalf("%+v of %s: groups are out of order", b, what)
						}
						last = *v
					}
				}
				for i, m := range measures {
					if !near(got.Total[i], measure(m, found)) {
						t.Fatalf("%+v of %s: total %v, want %v", b, what, deref(got.Total[i]), deref(measure(m, found)))
					}
				}

				selection := store.TraceQuery{Filter: parsed(t, pick(rng, "status:error", "tool:Bash", "cost>0.5"))}
				fields := []filter.Field{pick(rng, store.GroupFields()...), pick(rng, store.GroupFields()...)}
				d := must[store.Difference](t)(s.TraceDifference(ctx, p, q, selection, fields, 1000))
				selected := slices.DeleteFunc(slices.Clone(found), func(t trace.Trace) bool { return !meets(selection.Filter, &t) })
				if d.Selected != int64(len(selected)) || d.Baseline != int64(len(found)-len(selected)) {
					t.Fatalf("%s: %d of %d selected, want %d of %d", what, d.Selected, d.Selected+d.Baseline, len(selected), len(found))
				}
				for _, f := range d.Fields {
					for _, v := range f.Values {
						count := func(list []trace.Trace) (n int64) {
							for _, tr := range list {
								if slices.Contains(valuesOf(f.Field, &tr), v.Value) {
									n++
								}
							}
							return n
						}
						if v.Selected != count(selected) || v.Selected+v.Baseline != count(found) {
							t.Fatalf("%s: %s %q: %+v, want %d of %d", what, f.Field, v.Value, v, count(selected), count(found))
						}
					}
				}
			}
		},
		"SumsByWhatIsCountedAreOfAll": func(t *testing.T, s store.Store) {
			ctx, p := t.Context(), newProject(t, s, "a")
			for i := range 40 {
				sp := llmTrace(numbered("t", i), minute(i*31))
				sp.Model, sp.CostNanoUSD, sp.TimeToFirstTokenMS = ptr(numbered("m", i%2)), ptr(int64(i)), ptr(float64(i))
				write(t, s, p, sp)
			}
			edges := []time.Time{start, start.Add(10 * time.Hour), start.Add(24 * time.Hour)}
			q := store.TraceQuery{Time: store.TimeRange{From: &edges[0], To: &edges[2]}, Bound: 3}
			measures := []store.Measure{store.MeasureCost, store.MeasureP95, store.MeasureTTFT50}
			got := must[store.MeasureSeries](t)(s.TraceMeasures(ctx, p, q, edges, measures))
			groups := must[store.Groups](t)(s.TraceBreakdown(ctx, p, q, store.Breakdown{By: []filter.Field{filter.FieldModel, filter.FieldStatus}, Measures: measures, Sort: store.MeasureCost, Limit: 9}))
			if *got.Totals[0] != 780 || !near(got.Totals[2], ptr(19.0)) || got.ScannedTo != nil || groups.ScannedTo != nil || len(groups.Groups) != 2 || *groups.Groups[0].Values[0] != 400 {
				t.Fatalf("%v, %+v", *got.Totals[0], groups)
			}
			q.Filter = parsed(t, "model:m00000")
			got = must[store.MeasureSeries](t)(s.TraceMeasures(ctx, p, q, edges, measures))
			series := must[store.TraceSeries](t)(s.TraceHistogram(ctx, p, q, store.Histogram{Edges: edges, By: filter.FieldProvider, Measure: store.MeasureCost, Top: 1}))
			if *got.Totals[0] != 380 || got.ScannedTo != nil || series.ScannedTo != nil || *series.Series[0].Values[0]+*series.Series[0].Values[1] != 380 {
				t.Fatalf("%v, %+v", *got.Totals[0], series)
			}
			q.Filter = parsed(t, "latency>=0") // which sums do not know
			if got = must[store.MeasureSeries](t)(s.TraceMeasures(ctx, p, q, edges, measures)); got.ScannedTo == nil || *got.Totals[0] != 37+38+39 {
				t.Fatalf("%v to %v", *got.Totals[0], got.ScannedTo)
			}
		},
		"DifferencesAreRanked": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			for i := range 40 {
				sp := llmTrace(numbered("t", i), minute(i))
				sp.Provider = ptr(pick(rand.New(rand.NewPCG(1, uint64(i))), "openai", "anthropic"))
				if sp.Model = ptr("good"); i%4 == 0 {
					sp.Model, sp.Status = ptr("bad"), trace.StatusError
				}
				write(t, s, p, sp)
			}
			q := store.TraceQuery{}
			d := must[store.Difference](t)(s.TraceDifference(t.Context(), p, q, store.TraceQuery{Filter: parsed(t, "status:error")}, []filter.Field{filter.FieldProvider, filter.FieldModel, filter.FieldUser}, 1))
			if d.Selected != 10 || d.Baseline != 30 || len(d.Fields) != 2 || d.Fields[0].Field != filter.FieldModel || d.Fields[0].Score != 1 {
				t.Fatalf("%+v", d)
			}
			same(t, "values", []store.ValueDifference{{Value: "bad", Selected: 10}}, d.Fields[0].Values)
			q.Bound = 8 // the selection is looked for among the same
			d = must[store.Difference](t)(s.TraceDifference(t.Context(), p, q, store.TraceQuery{Filter: parsed(t, "status:error")}, []filter.Field{filter.FieldModel}, 1))
			if d.Selected != 2 || d.Baseline != 6 || d.ScannedTo == nil {
				t.Fatalf("%+v", d)
			}
		},
	})
}
