package fold

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/pulse-traces/pulse/shared/filter"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// bucketOf gives the place of a start between edges; false if it is outside.
func bucketOf(edges []int64, start int64) (int, bool) {
	i, found := slices.BinarySearch(edges, start)
	if !found {
		i--
	}
	return i, i >= 0 && i < len(edges)-1
}

func edgesOf(times []time.Time) []int64 {
	out := make([]int64, len(times))
	for i, t := range times {
		out[i] = t.UnixMicro()
	}
	return out
}

// latest gives the later of two bounds: how far two scans both looked.
func latest(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.After(*a) {
		return b
	}
	return a
}

// isCount reports whether counts of traces know a measure.
func isCount(m store.Measure) bool { return m == store.MeasureCount || m == store.MeasureErrors }

// factOf is the fact that a measure is made of; the status for a count.
func factOf(m store.Measure) Fact {
	fact, _ := measured(m)
	return cmp.Or(fact, filter.FieldStatus)
}

// factsOnce gives facts, each once, and where each of them is.
func factsOnce(facts []Fact) (once []Fact, at []int) {
	at = make([]int, len(facts))
	for i, f := range facts {
		if at[i] = slices.Index(once, f); at[i] < 0 {
			at[i], once = len(once), append(once, f)
		}
	}
	return once, at
}

// TraceMeasures gives measures over time. What roll-ups do not tell is read in
// one pass over rows, and in another one what has to be asked of spans.
func TraceMeasures(ctx context.Context, e Counter, q store.TraceQuery, times []time.Time, measures []store.Measure) (out store.MeasureSeries, err error) {
	edges := edgesOf(times)
	tallies := make([][]tally, len(measures))
	var rows, spans []int // places in measures
	grain, whole := grainOf(edges)
	whole = whole && allCounted(q.Filter.Terms)
	fromCounts := false
	for i, m := range measures {
		switch tallies[i] = make([]tally, max(len(edges)-1, 0)); {
		case whole && isCount(m):
			fromCounts = true
		case probed(factOf(m)):
			spans = append(spans, i)
		default:
			rows = append(rows, i)
		}
	}
	if fromCounts {
		err := counts(ctx, e, Bounds(q.Time), grain, q.Filter.Terms, func(k TraceCountKey, n int64) error {
			at, ok := bucketOf(edges, k.Bucket)
			for i, m := range measures {
				if ok && (m == store.MeasureCount || m == store.MeasureErrors && k.Status == trace.StatusError) {
					tallies[i][at].sum += n
				}
			}
			return nil
		})
		if err != nil {
			return out, err
		}
	}
	for _, places := range [][]int{rows, spans} {
		if len(places) == 0 {
			continue
		}
		facts := make([]Fact, len(places))
		for j, i := range places {
			facts[j] = factOf(measures[i])
		}
		once, in := factsOnce(facts)
		scanned, err := scan(ctx, e, q, once, func(start int64, v []any) error {
			if at, ok := bucketOf(edges, start); ok {
				for j, i := range places {
					tallies[i][at].add(measures[i], v[in[j]])
				}
			}
			return nil
		})
		if err != nil {
			return out, err
		}
		out.ScannedTo = latest(out.ScannedTo, scanned)
	}
	for i, m := range measures {
		var total tally
		values := make([]*float64, len(tallies[i]))
		for j := range tallies[i] {
			total.merge(&tallies[i][j])
			values[j] = tallies[i][j].value(m)
		}
		out.Totals, out.Values = append(out.Totals, total.value(m)), append(out.Values, values)
	}
	return out, nil
}

// TraceHeatmap counts traces by start and value.
func TraceHeatmap(ctx context.Context, e Counter, q store.TraceQuery, h store.Heatmap) (out store.HeatmapCounts, err error) {
	edges := edgesOf(h.Edges)
	type point struct {
		at    int
		value float64
	}
	var points []point
	low, high := math.Inf(1), 0.0
	out.ScannedTo, err = scan(ctx, e, q, []Fact{h.Of}, func(start int64, v []any) error {
		value, ok := milliseconds(h.Of, v[0])
		at, inside := bucketOf(edges, start)
		if !ok || !inside {
			return nil
		}
		points = append(points, point{at, value})
		if high = max(high, value); value > 0 {
			low = min(low, value)
		}
		return nil
	})
	if err != nil || len(points) == 0 {
		return out, err
	}
	if high == 0 { // and nothing else
		low, high = 1, 1
	}
	low, high = nice(low, math.Floor), nice(high, math.Ceil)
	if high <= low {
		high = 10 * low
	}
	step := math.Log(high/low) / float64(h.Rows)
	for j := range h.Rows + 1 {
		out.Edges = append(out.Edges, low*math.Exp(step*float64(j)))
	}
	out.Edges[h.Rows] = high
	out.N = make([][]int64, max(len(edges)-1, 0))
	for i := range out.N {
		out.N[i] = make([]int64, h.Rows)
	}
	for _, p := range points {
		row, found := slices.BinarySearch(out.Edges, p.value)
		if !found {
			row--
		}
		out.N[p.at][min(max(row, 0), h.Rows-1)]++
	}
	return out, nil
}

// nice rounds to one digit.
func nice(v float64, round func(float64) float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	return round(v/unit) * unit
}

// TraceBreakdown adds traces up by what they have in common.
func TraceBreakdown(ctx context.Context, e Counter, q store.TraceQuery, b store.Breakdown) (out store.Groups, err error) {
	const separator = "\x00" // in no value
	n := len(b.Measures)
	groups := map[string][]tally{}
	total := make([]tally, n)
	group := func(key string) []tally {
		if groups[key] == nil {
			groups[key] = make([]tally, n)
		}
		return groups[key]
	}
	if allCounted(q.Filter.Terms) && len(b.By) == 1 && Counted(b.By[0]) && !slices.ContainsFunc(b.Measures, func(m store.Measure) bool { return !isCount(m) }) {
		err = counts(ctx, e, Bounds(q.Time), GrainDay, q.Filter.Terms, func(k TraceCountKey, count int64) error {
			for i, m := range b.Measures {
				if m == store.MeasureErrors && k.Status != trace.StatusError {
					continue
				}
				total[i].sum += count
				for _, key := range k.keysIn(b.By[0]) {
					group(key)[i].sum += count
				}
			}
			return nil
		})
	} else {
		facts := make([]Fact, 0, n+len(b.By))
		for _, m := range b.Measures {
			facts = append(facts, factOf(m))
		}
		once, in := factsOnce(append(facts, b.By...))
		out.ScannedTo, err = scan(ctx, e, q, once, func(_ int64, v []any) error {
			keys := []string{}
			for i, f := range b.By {
				values, err := textsOf(f, v[in[n+i]])
				if err != nil {
					return err
				}
				if len(values) == 0 {
					values = []string{""}
				}
				if i == 0 {
					keys = values
					continue
				}
				var both []string
				for _, first := range keys {
					for _, second := range values {
						both = append(both, first+separator+second)
					}
				}
				keys = both
			}
			for i, m := range b.Measures {
				total[i].add(m, v[in[i]])
				for _, key := range keys {
					group(key)[i].add(m, v[in[i]])
				}
			}
			return nil
		})
	}
	if err != nil {
		return out, err
	}
	values := func(list []tally) []*float64 {
		out := make([]*float64, n)
		for i, m := range b.Measures {
			out[i] = list[i].value(m)
		}
		return out
	}
	by := slices.Index(b.Measures, b.Sort)
	size := func(key string) float64 {
		if v := groups[key][by].value(b.Sort); v != nil {
			return *v
		}
		return -1
	}
	keys := slices.SortedFunc(maps.Keys(groups), func(a, b string) int { return cmp.Or(cmp.Compare(size(b), size(a)), cmp.Compare(a, b)) })
	for _, key := range keys[:min(b.Limit, len(keys))] {
		out.Groups = append(out.Groups, store.Group{Keys: strings.Split(key, separator), Values: values(groups[key])})
	}
	if len(keys) > b.Limit {
		rest := make([]tally, n)
		for _, key := range keys[b.Limit:] {
			for i := range rest {
				rest[i].merge(&groups[key][i])
			}
		}
		out.Rest = values(rest)
	}
	out.Total = values(total)
	return out, nil
}

// TraceDifference compares the traces that a selection finds with the rest.
func TraceDifference(ctx context.Context, e Counter, q, selection store.TraceQuery, fields []filter.Field, limit int) (out store.Difference, err error) {
	fields = slices.Compact(slices.Sorted(slices.Values(fields)))
	count := func(q store.TraceQuery) (n int64, values valueCounts, scanned *time.Time, err error) {
		values = newValueCounts(fields)
		scanned, err = scan(ctx, e, q, fields, func(_ int64, v []any) error {
			n++
			return values.add(fields, v)
		})
		return n, values, scanned, err
	}
	all, inAll, scanned, err := count(q)
	if err != nil {
		return out, err
	}
	within := Bounds(q.Time)
	part := Bounds(selection.Time)
	part.From, part.To = max(part.From, within.From), min(part.To, within.To)
	if scanned != nil { // the rest was not looked at
		part.From = max(part.From, scanned.UnixMicro())
	}
	from, to := time.UnixMicro(part.From).UTC(), time.UnixMicro(max(part.To, part.From)).UTC()
	selection.Time = store.TimeRange{From: &from, To: &to}
	selection.Filter.Terms = slices.Concat(q.Filter.Terms, selection.Filter.Terms)
	selected, inSelected, scannedToo, err := count(selection)
	if err != nil {
		return out, err
	}
	out = store.Difference{Selected: selected, Baseline: all - selected, ScannedTo: latest(scanned, scannedToo)}
	share := func(n, of int64) float64 {
		if of <= 0 {
			return 0
		}
		return float64(n) / float64(of)
	}
	for _, f := range fields {
		d := store.FieldDifference{Field: f}
		for value, n := range inAll[f] {
			d.Values = append(d.Values, store.ValueDifference{Value: value, Selected: inSelected[f][value], Baseline: n - inSelected[f][value]})
		}
		apart := func(v store.ValueDifference) float64 {
			return math.Abs(share(v.Selected, out.Selected) - share(v.Baseline, out.Baseline))
		}
		slices.SortFunc(d.Values, func(a, b store.ValueDifference) int {
			return cmp.Or(cmp.Compare(apart(b), apart(a)), cmp.Compare(a.Value, b.Value))
		})
		if len(d.Values) == 0 {
			continue
		}
		d.Score, d.Values = apart(d.Values[0]), d.Values[:min(limit, len(d.Values))]
		out.Fields = append(out.Fields, d)
	}
	slices.SortStableFunc(out.Fields, func(a, b store.FieldDifference) int { return cmp.Compare(b.Score, a.Score) })
	return out, nil
}
