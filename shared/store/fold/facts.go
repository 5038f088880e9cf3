package fold

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pulse-traces/pulse/shared/filter"
	"github.com/pulse-traces/pulse/shared/sketch"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Fact is a column of a trace's facts, beside its id and start.
type Fact = filter.Field

// Counter is what an engine does for sums over traces.
type Counter interface {
	Searcher
	// Facts gives for each trace of w, in no order, the values of facts: int64,
	// float64, string or nil, the mask of sources, the JSON of a list of tags, and
	// []string of what several spans may say. values are those of one call of do.
	Facts(ctx context.Context, w Window, facts []Fact, do func(start int64, values []any) error) error
	// Counts gives the rows of trace_counts in a part that meet terms; of their sums
	// only the count, unless all are wanted. sums are those of one call of do.
	Counts(ctx context.Context, p Part, terms []filter.Term, all bool, do func(k TraceCountKey, sums *TraceSums) error) error
	// First gives the earliest start; nil if there is none.
	First(ctx context.Context) (*time.Time, error)
	// Locate finds what an id names.
	Locate(ctx context.Context, id string) (store.Located, error)
}

// probed reports whether a fact has to be asked of spans.
func probed(f Fact) bool {
	switch f {
	case filter.FieldKind, filter.FieldTool, filter.FieldService, filter.FieldRelease, filter.FieldKey:
		return true
	}
	return false
}

// isMeta reports whether a fact is in payloads.
func isMeta(f Fact) bool {
	_, meta := f.Meta()
	return meta
}

// textsOf gives the values of a fact that traces are counted by.
func textsOf(f Fact, v any) ([]string, error) {
	if list, ok := v.([]string); ok {
		return list, nil
	}
	switch f {
	case filter.FieldStatus:
		return []string{statusOf(v)}, nil
	case filter.FieldSource:
		n, _ := v.(int64)
		return asTexts(trace.SourceMask(n).Sources()), nil
	case filter.FieldTag:
		s, _ := v.(string)
		if s == "" {
			return nil, nil
		}
		var list []string
		err := json.Unmarshal([]byte(s), &list)
		return slices.DeleteFunc(list, func(s string) bool { return s == "" }), err
	}
	if s, _ := v.(string); s != "" {
		return []string{s}, nil
	}
	return nil, nil
}

// SaidBySpans reads what spans say: the JSON of a list of each span's (or each
// distinct span's) values. It gives the distinct ones of each of n, without those
// that are null or empty.
func SaidBySpans(text []byte, n int) ([][]string, error) {
	var rows [][]string // null is ""
	if err := json.Unmarshal(text, &rows); err != nil {
		return nil, err
	}
	out := make([][]string, n)
	for _, row := range rows {
		for i := range out {
			if row[i] != "" {
				out[i] = append(out[i], row[i])
			}
		}
	}
	for i := range out {
		slices.Sort(out[i])
		out[i] = slices.Compact(out[i])
	}
	return out, nil
}

// statusOf reads the fact status, which is how many spans failed.
func statusOf(v any) string {
	if n, _ := v.(int64); n > 0 {
		return string(trace.StatusError)
	}
	return string(trace.StatusSuccess)
}

func asTexts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return out
}

// scan gives the facts of the traces that q finds, as far as it looks, and how
// far that is. Those of metadata are lists of texts.
func scan(ctx context.Context, e Counter, q store.TraceQuery, facts []Fact, do func(start int64, values []any) error) (*time.Time, error) {
	rows, texts, bound := plan(&q)
	if slices.ContainsFunc(facts, probed) && q.Bound == 0 {
		bound = min(bound, store.MaxProbed)
	}
	meta := slices.ContainsFunc(facts, isMeta)
	if meta && q.Bound == 0 {
		bound = store.MaxRead
	}
	s := search{Searcher: e, texts: texts, bound: bound, page: store.SearchPage{Sort: store.SortStart, Limit: bound}}
	s.w = Window{Interval: Bounds(q.Time), Terms: rows}
	last, more, err := s.reach(ctx)
	if err != nil {
		return nil, err
	}
	if len(texts) == 0 && !meta {
		if more {
			s.scannedTo(last)
		}
		return s.out.ScannedTo, e.Facts(ctx, s.w, facts, do)
	}
	said := map[string][]any{} // by trace: of each fact what its metadata says
	if meta {
		s.visit = func(t *trace.Trace) { said[string(t.ID)] = metaFacts(t, facts) }
	}
	if err := s.byText(ctx, last, more); err != nil {
		return nil, err
	}
	asked := append([]Fact{filter.FieldTrace}, slices.DeleteFunc(slices.Clone(facts), isMeta)...)
	values := make([]any, len(facts))
	each := func(start int64, v []any) error {
		id, _ := v[0].(string)
		rest := v[1:]
		for i, f := range facts {
			if isMeta(f) {
				values[i] = said[id][i]
			} else {
				values[i], rest = rest[0], rest[1:]
			}
		}
		return do(start, values)
	}
	const atOnce = 200
	for part := range slices.Chunk(s.found, atOnce) {
		ids := filter.Term{Field: filter.FieldTrace, Op: filter.OpIs}
		for i := range part {
			ids.Values = append(ids.Values, filter.Value{Text: string(part[i].ID)})
		}
		if err := e.Facts(ctx, Window{Interval: s.w.Interval, Terms: []filter.Term{ids}}, asked, each); err != nil {
			return nil, err
		}
	}
	return s.out.ScannedTo, nil
}

// metaFacts gives for each fact of metadata what the spans that were read of a
// trace say: each value once, in their order.
func metaFacts(t *trace.Trace, facts []Fact) []any {
	lists := make([][]string, len(facts))
	for i := range t.Spans {
		for _, raw := range saidOf(&t.Spans[i]) {
			object := members(raw)
			for j, f := range facts {
				if key, ok := f.Meta(); ok {
					lists[j] = addMeta(lists[j], object[key])
				}
			}
		}
	}
	out := make([]any, len(facts))
	for i, list := range lists {
		out[i] = list
	}
	return out
}

// addMeta adds a value of metadata to those of a trace, once and cut.
func addMeta(list []string, value json.RawMessage) []string {
	if value == nil {
		return list
	}
	text := memberText(value)
	if len(text) > store.MaxMetaBytes {
		text = strings.ToValidUTF8(text[:store.MaxMetaBytes], "") + "…"
	}
	if text == "" || slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}

// MetaFields gives what the newest traces have in their metadata.
func MetaFields(ctx context.Context, e Counter, limit, top int) ([]store.MetaField, error) {
	traces, values := map[string]int64{}, map[string]map[string]int64{}
	s := search{Searcher: e, bound: store.MetaTraces, page: store.SearchPage{Sort: store.SortStart, Limit: store.MetaTraces}}
	s.w = Window{Interval: Bounds(store.TimeRange{})}
	s.visit = func(t *trace.Trace) {
		said := map[string][]string{}
		for i := range t.Spans {
			for key, value := range members(t.Spans[i].Payload.Metadata) {
				if key != "" && len(key) <= store.MaxMetaBytes {
					said[key] = addMeta(said[key], value)
				}
			}
		}
		for key, list := range said {
			traces[key]++
			if values[key] == nil {
				values[key] = map[string]int64{}
			}
			for _, value := range list {
				values[key][value]++
			}
		}
	}
	last, more, err := s.reach(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.byText(ctx, last, more); err != nil {
		return nil, err
	}
	keys := byCount(traces)
	out := make([]store.MetaField, min(limit, len(keys)))
	for i := range out {
		list := byCount(values[keys[i].Name])
		out[i] = store.MetaField{Key: keys[i].Name, Top: list[:min(top, len(list))]}
	}
	return out, nil
}

// counts gives what traces in a range add up to, by what trace_counts knows: from
// there, in buckets no wider than coarsest, and from rows in those that the range
// cuts. Of the sums only the count is there, unless all are wanted.
func counts(ctx context.Context, e Counter, i Interval, coarsest Grain, terms []filter.Term, all bool, do func(TraceCountKey, *TraceSums) error) error {
	var p Plan
	p.split(i, Grains()[:slices.Index(Grains(), coarsest)+1])
	for _, part := range p.Parts {
		if err := e.Counts(ctx, part, terms, all, do); err != nil {
			return err
		}
	}
	facts := []Fact{filter.FieldStatus, filter.FieldProvider, filter.FieldModel, filter.FieldSource}
	if all {
		facts = append(facts, filter.FieldIn, filter.FieldOut, filter.FieldCost, filter.FieldLatency, filter.FieldTTFT)
	}
	for _, cut := range p.Cuts {
		err := e.Facts(ctx, Window{Interval: cut.Rows, Terms: terms}, facts, func(start int64, v []any) error {
			k := TraceCountKey{Bucket: start, Status: trace.Status(statusOf(v[0]))}
			k.Provider, _ = v[1].(string)
			k.Model, _ = v[2].(string)
			mask, _ := v[3].(int64)
			k.Sources = trace.SourceMask(mask)
			sums := TraceSums{Count: 1}
			if all {
				sums.addFacts(v[4:])
			}
			return do(k, &sums)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// addFacts adds the input and output tokens, cost, latency and time to the first
// token of one trace.
func (s *TraceSums) addFacts(v []any) {
	for i, sum := range []*int64{&s.InputTokens, &s.OutputTokens, &s.CostNanoUSD} {
		n, _ := v[i].(int64)
		*sum += min(n, trace.MaxAddend)
	}
	if ms, ok := milliseconds(filter.FieldLatency, v[3]); ok {
		s.Latency.Add(ms)
	}
	if ms, ok := milliseconds(filter.FieldTTFT, v[4]); ok {
		s.FirstToken.Add(ms)
	}
}

// keysIn gives the values of a field that trace_counts knows.
func (k *TraceCountKey) keysIn(f filter.Field) []string {
	switch f {
	case filter.FieldStatus:
		return []string{string(k.Status)}
	case filter.FieldProvider:
		return []string{k.Provider}
	case filter.FieldModel:
		return []string{k.Model}
	case filter.FieldSource:
		return asTexts(k.Sources.Sources())
	}
	return []string{""}
}

// tally adds up traces for a measure.
type tally struct {
	sum    int64
	sketch sketch.Latency
}

// measured says what a measure is made of: a fact to add up, or one whose
// quantile is asked for.
func measured(m store.Measure) (fact Fact, quantile float64) {
	switch m {
	case store.MeasureErrors:
		return filter.FieldStatus, 0
	case store.MeasureCost:
		return filter.FieldCost, 0
	case store.MeasureTokens:
		return filter.FieldTokens, 0
	case store.MeasureIn:
		return filter.FieldIn, 0
	case store.MeasureOut:
		return filter.FieldOut, 0
	case store.MeasureP50:
		return filter.FieldLatency, 0.50
	case store.MeasureP90:
		return filter.FieldLatency, 0.90
	case store.MeasureP95:
		return filter.FieldLatency, 0.95
	case store.MeasureP99:
		return filter.FieldLatency, 0.99
	case store.MeasureTTFT50:
		return filter.FieldTTFT, 0.50
	case store.MeasureTTFT90:
		return filter.FieldTTFT, 0.90
	case store.MeasureTTFT95:
		return filter.FieldTTFT, 0.95
	case store.MeasureTTFT99:
		return filter.FieldTTFT, 0.99
	}
	return "", 0
}

// add counts a trace, of which v is the measure's fact.
func (t *tally) add(m store.Measure, v any) {
	switch fact, quantile := measured(m); {
	case fact == "":
		t.sum++
	case fact == filter.FieldStatus:
		if n, _ := v.(int64); n > 0 {
			t.sum++
		}
	case quantile > 0:
		if ms, ok := milliseconds(fact, v); ok {
			t.sketch.Add(ms)
		}
	default:
		n, _ := v.(int64)
		t.sum = trace.Plus(t.sum, n)
	}
}

// milliseconds reads the fact latency, which is in microseconds, or ttft.
func milliseconds(f Fact, v any) (float64, bool) {
	switch n := v.(type) {
	case int64:
		if f == filter.FieldLatency {
			return latencyOf(n), true
		}
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

func (t *tally) merge(o *tally) {
	t.sum = trace.Plus(t.sum, o.sum)
	t.sketch.Merge(&o.sketch)
}

// addSums counts what traces with a status add up to.
func (t *tally) addSums(m store.Measure, status trace.Status, s *TraceSums) {
	switch fact, quantile := measured(m); {
	case fact == "":
		t.sum += s.Count
	case fact == filter.FieldStatus:
		if status == trace.StatusError {
			t.sum += s.Count
		}
	case quantile > 0 && fact == filter.FieldLatency:
		t.sketch.Merge(&s.Latency)
	case quantile > 0:
		t.sketch.Merge(&s.FirstToken)
	case fact == filter.FieldCost:
		t.sum = trace.Plus(t.sum, s.CostNanoUSD)
	case fact == filter.FieldIn:
		t.sum = trace.Plus(t.sum, s.InputTokens)
	case fact == filter.FieldOut:
		t.sum = trace.Plus(t.sum, s.OutputTokens)
	case fact == filter.FieldTokens:
		t.sum = trace.Plus(t.sum, trace.Plus(s.InputTokens, s.OutputTokens))
	}
}

// value gives the measure of what was counted.
func (t *tally) value(m store.Measure) *float64 {
	v := float64(t.sum)
	if _, quantile := measured(m); quantile > 0 {
		if t.sketch.Count() == 0 {
			return nil
		}
		v = t.sketch.Quantile(quantile)
	}
	return &v
}

// weight orders groups: by how much they measure.
func (t *tally) weight() int64 { return t.sum + t.sketch.Count() }

// TraceHistogram counts traces over time.
func TraceHistogram(ctx context.Context, e Counter, q store.TraceQuery, h store.Histogram) (out store.TraceSeries, err error) {
	edges := edgesOf(h.Edges)
	groups := map[string][]tally{}
	at := func(key string, start int64) *tally {
		i, ok := bucketOf(edges, start)
		if !ok {
			return nil
		}
		if groups[key] == nil {
			groups[key] = make([]tally, len(edges)-1)
		}
		return &groups[key][i]
	}
	rollups := allCounted(q.Filter.Terms) && (h.By == "" || Counted(h.By))
	if grain, ok := grainOf(edges); ok && rollups {
		err = counts(ctx, e, Bounds(q.Time), grain, q.Filter.Terms, !isCount(h.Measure), func(k TraceCountKey, sums *TraceSums) error {
			for _, key := range k.keysIn(h.By) {
				if t := at(key, k.Bucket); t != nil {
					t.addSums(h.Measure, k.Status, sums)
				}
			}
			return nil
		})
	} else {
		facts := []Fact{factOf(h.Measure)}
		if h.By != "" {
			facts = append(facts, h.By)
		}
		out.ScannedTo, err = scan(ctx, e, q, facts, func(start int64, v []any) error {
			keys := []string{""}
			if h.By != "" {
				list, err := textsOf(h.By, v[1])
				if err != nil {
					return err
				}
				if len(list) > 0 {
					keys = list
				}
			}
			for _, key := range keys {
				if t := at(key, start); t != nil {
					t.add(h.Measure, v[0])
				}
			}
			return nil
		})
	}
	out.Series = seriesOf(groups, h)
	return out, err
}

// grainOf gives the widest buckets of roll-ups that no inner edge cuts; the
// first and the last one a range may cut.
func grainOf(edges []int64) (Grain, bool) {
	for _, g := range slices.Backward(Grains()) {
		inner := edges[min(1, len(edges)):max(len(edges)-1, min(1, len(edges)))]
		if !slices.ContainsFunc(inner, func(us int64) bool { return us%g.WidthUS() != 0 }) {
			return g, true
		}
	}
	return "", false
}

// seriesOf orders groups, and adds up the smallest.
func seriesOf(groups map[string][]tally, h store.Histogram) []store.Series {
	weights := make(map[string]int64, len(groups))
	for key, list := range groups {
		for i := range list {
			weights[key] = trace.Plus(weights[key], list[i].weight())
		}
	}
	keys := slices.SortedFunc(maps.Keys(groups), func(a, b string) int {
		return cmp.Or(cmp.Compare(weights[b], weights[a]), cmp.Compare(a, b))
	})
	series := func(key string, other bool, list []tally) store.Series {
		s := store.Series{Key: key, Other: other, Values: make([]*float64, len(list))}
		for i := range list {
			s.Values[i] = list[i].value(h.Measure)
		}
		return s
	}
	var out []store.Series
	for _, key := range keys[:min(h.Top, len(keys))] {
		out = append(out, series(key, false, groups[key]))
	}
	if len(keys) > h.Top {
		rest := make([]tally, len(h.Edges)-1)
		for _, key := range keys[h.Top:] {
			for i := range rest {
				rest[i].merge(&groups[key][i])
			}
		}
		out = append(out, series("", true, rest))
	}
	return out
}

// valueCounts counts traces by the values of fields.
type valueCounts map[filter.Field]map[string]int64

func newValueCounts(fields []filter.Field) valueCounts {
	c := valueCounts{}
	for _, f := range fields {
		c[f] = map[string]int64{}
	}
	return c
}

// add counts a trace, of which v are the facts fields.
func (c valueCounts) add(fields []filter.Field, v []any) error {
	for i, f := range fields {
		values, err := textsOf(f, v[i])
		if err != nil {
			return err
		}
		for _, value := range values {
			c[f][value]++
		}
	}
	return nil
}

// TraceFacets counts the values of fields.
func TraceFacets(ctx context.Context, e Counter, q store.TraceQuery, fields []filter.Field, limit int) (store.Facets, error) {
	out := store.Facets{Counts: map[filter.Field][]store.Count{}}
	var asked []filter.Field // of rows
	whole := allCounted(q.Filter.Terms)
	fromCounts := false
	fields = slices.Compact(slices.Sorted(slices.Values(fields)))
	tallies := newValueCounts(fields)
	for _, f := range fields {
		if whole && Counted(f) {
			fromCounts = true
		} else {
			asked = append(asked, f)
		}
	}
	if fromCounts {
		err := counts(ctx, e, Bounds(q.Time), GrainDay, q.Filter.Terms, false, func(k TraceCountKey, sums *TraceSums) error {
			for _, f := range fields {
				if Counted(f) {
					for _, key := range k.keysIn(f) {
						tallies[f][key] += sums.Count
					}
				}
			}
			return nil
		})
		if err != nil {
			return out, err
		}
	}
	// Rows are not left out because payloads cannot all be read.
	meta := slices.DeleteFunc(slices.Clone(asked), func(f filter.Field) bool { return !isMeta(f) })
	for _, some := range [][]filter.Field{slices.DeleteFunc(asked, isMeta), meta} {
		if len(some) == 0 {
			continue
		}
		scanned, err := scan(ctx, e, q, some, func(_ int64, v []any) error {
			return tallies.add(some, v)
		})
		if err != nil {
			return out, err
		}
		out.ScannedTo = latest(out.ScannedTo, scanned)
	}
	for _, f := range fields {
		list := byCount(tallies[f])
		out.Counts[f] = list[:min(limit, len(list))]
	}
	return out, nil
}

// TraceStatus tells what a project has.
func TraceStatus(ctx context.Context, e Counter) (out store.TraceStatus, err error) {
	if out.First, err = e.First(ctx); err != nil || out.First == nil {
		return out, err
	}
	out.Traces, err = countTraces(ctx, e, Window{Interval: Bounds(store.TimeRange{})})
	return out, err
}

// TraceNeighbours finds the traces around t, which has a Start.
func TraceNeighbours(ctx context.Context, e Counter, t *trace.Trace, q store.TraceQuery) (out store.Neighbours, err error) {
	at := cursorOf(t)
	near := func(q store.TraceQuery, w Window) (trace.TraceID, error) {
		rows, texts, bound := plan(&q)
		w.Interval, w.Terms = Bounds(q.Time), rows
		s := search{Searcher: e, texts: texts, bound: bound, page: store.SearchPage{Sort: store.SortStart, Limit: 1}, w: w}
		last, more, err := s.reach(ctx)
		if err != nil {
			return "", err
		}
		if len(texts) > 0 {
			err = s.byText(ctx, last, more)
		} else {
			s.found, err = s.Page(ctx, s.w, store.SortStart, nil, 1)
		}
		if err != nil || len(s.found) == 0 {
			return "", err
		}
		return s.found[0].ID, nil
	}
	if out.Next, err = near(q, Window{Before: &at}); err != nil {
		return out, err
	}
	if out.Previous, err = near(q, Window{After: &at}); err != nil {
		return out, err
	}
	is := func(f filter.Field, text string) filter.Term {
		return filter.Term{Field: f, Op: filter.OpIs, Values: []filter.Value{{Text: text}}}
	}
	alike := []filter.Term{is(filter.FieldStatus, string(trace.StatusSuccess)), is(filter.FieldName, t.Root.Name)}
	if t.Root.Name == "" {
		unnamed := is(filter.FieldHas, string(filter.FieldName))
		unnamed.Not = true
		alike = append(alike[:1], unnamed, is(filter.FieldModel, t.ModelKey))
	}
	user := is(filter.FieldHas, string(filter.FieldUser))
	if user.Not = true; t.UserID != nil {
		user = is(filter.FieldUser, *t.UserID)
	}
	out.LastGood, err = near(store.TraceQuery{Filter: filter.Filter{Terms: append(alike, user)}}, Window{Before: &at})
	return out, err
}
