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

// TraceMeasures gives measures over time: from roll-ups where these know all that
// is asked, else in one pass over rows.
func TraceMeasures(ctx context.Context, e Counter, q store.TraceQuery, times []time.Time, measures []store.Measure) (out store.MeasureSeries, err error) {
	edges := edgesOf(times)
	tallies := make([][]tally, len(measures))
	for i := range tallies {
		tallies[i] = make([]tally, max(len(edges)-1, 0))
	}
	if grain, whole := grainOf(edges); whole && allCounted(q.Filter.Terms) {
		all := slices.ContainsFunc(measures, func(m store.Measure) bool { return !isCount(m) })
		err = counts(ctx, e, Bounds(q.Time), grain, q.Filter.Terms, all, func(k TraceCountKey, sums *TraceSums) error {
			if at, ok := bucketOf(edges, k.Bucket); ok {
				for i, m := range measures {
					tallies[i][at].addSums(m, k.Status, sums)
				}
			}
			return nil
		})
	} else {
		facts := make([]Fact, len(measures))
		for i, m := range measures {
			facts[i] = factOf(m)
		}
		once, in := factsOnce(facts)
		out.ScannedTo, err = scan(ctx, e, q, once, func(start int64, v []any) error {
			if at, ok := bucketOf(edges, start); ok {
				for i, m := range measures {
					tallies[i][at].add(m, v[in[i]])
				}
			}
			return nil
		})
	}
	if err != nil {
		return out, err
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
	n := len(b.Measures)
	groups := map[string][]tally{}
	total := make([]tally, n)
	group := func(key string) []tally {
		if groups[key] == nil {
			groups[key] = make([]tally, n)
		}
		return groups[key]
	}
	if allCounted(q.Filter.Terms) && !slices.ContainsFunc(b.By, func(f filter.Field) bool { return !Counted(f) }) {
		all := slices.ContainsFunc(b.Measures, func(m store.Measure) bool { return !isCount(m) })
		err = counts(ctx, e, Bounds(q.Time), GrainDay, q.Filter.Terms, all, func(k TraceCountKey, sums *TraceSums) error {
			keys := []string{}
			for i, f := range b.By {
				keys = crossed(keys, i, k.keysIn(f))
			}
			for i, m := range b.Measures {
				total[i].addSums(m, k.Status, sums)
				for _, key := range keys {
					group(key)[i].addSums(m, k.Status, sums)
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
				keys = crossed(keys, i, values)
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
		out.Groups = append(out.Groups, store.Group{Keys: strings.Split(key, keySeparator), Values: values(groups[key])})
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

// keySeparator is in no value.
const keySeparator = "\x00"

// crossed gives the keys of groups with the values of their i-th field.
func crossed(keys []string, i int, values []string) []string {
	if i == 0 {
		return values
	}
	both := make([]string, 0, len(keys)*len(values))
	for _, first := range keys {
		for _, second := range values {
			both = append(both, first+keySeparator+second)
		}
	}
	return both
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
