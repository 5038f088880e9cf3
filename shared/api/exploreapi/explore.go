package exploreapi

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/filter"
	"github.com/pulse-traces/pulse/shared/store"
)

func (g *Group) heatmap(w http.ResponseWriter, r *http.Request) error {
	in, err := g.readInput(r)
	if err != nil {
		return err
	}
	const (
		defaultRows = 24
		maxRows     = 60
	)
	q, zone := in.query(), in.zone("tz")
	of := enum(in, "measure", []filter.Field{filter.FieldLatency, filter.FieldTTFT, filter.FieldCost, filter.FieldTokens}, filter.FieldLatency)
	cols, rows := in.integer("cols", 1, maxBuckets, defaultBuckets), in.integer("rows", 1, maxRows, defaultRows)
	if err := in.err(); err != nil {
		return err
	}
	ctx := r.Context()
	g.Barrier(ctx)
	if err := g.between(ctx, &q); err != nil {
		return err
	}
	answer := struct {
		T         []int64   `json:"t"`
		To        *int64    `json:"to"`
		Edges     []float64 `json:"edges"` // of rows, in milliseconds, nano-dollars or ones; one more than rows
		N         [][]int64 `json:"n"`     // by column, then row
		ScannedTo *string   `json:"scannedTo"`
	}{T: []int64{}, Edges: []float64{}, N: [][]int64{}}
	if edges := edgesOf(*q.Time.From, *q.Time.To, cols, zone); edges != nil {
		last := len(edges) - 1
		q.Time = store.TimeRange{From: &edges[0], To: &edges[last]}
		got, err := g.Explore.TraceHeatmap(ctx, reqctx.Project(ctx), q, store.Heatmap{Edges: edges, Of: of, Rows: rows})
		if err != nil {
			return queryFault(err)
		}
		to := edges[last].UnixMilli()
		answer.T, answer.To, answer.ScannedTo = milliseconds(edges[:last]), &to, timeOrNull(got.ScannedTo)
		answer.Edges, answer.N = append(answer.Edges, got.Edges...), append(answer.N, got.N...)
	}
	return api.WriteJSON(w, http.StatusOK, answer)
}

// values are measures by their names.
type values map[store.Measure]*float64

func valuesOf(measures []store.Measure, list []*float64) values {
	if list == nil {
		return nil
	}
	out := values{}
	for i, m := range measures {
		out[m] = list[i]
	}
	return out
}

// groupRow is a row of a breakdown.
type groupRow struct {
	Keys     []string `json:"keys"`
	Values   values   `json:"values"`
	Previous values   `json:"previous,omitzero"` // with compare; omitted where there was none
}

// maxCompared bounds the groups of the previous period that rows are looked up
// in.
const maxCompared = 10_000

func (g *Group) breakdown(w http.ResponseWriter, r *http.Request) error {
	in, err := g.readInput(r)
	if err != nil {
		return err
	}
	const (
		defaultGroups = 20
		maxGroups     = 500
	)
	q := in.query()
	b := store.Breakdown{
		By: list(in, "by", 2, groupField), Measures: list(in, "measures", len(store.Measures()), func(one *input, name string) store.Measure {
			return enum(one, name, store.Measures(), "")
		}), Limit: in.integer("limit", 1, maxGroups, defaultGroups),
	}
	if len(b.By) == 0 {
		b.By = []filter.Field{filter.FieldModel}
	}
	if len(b.Measures) == 0 {
		b.Measures = []store.Measure{store.MeasureCount, store.MeasureErrors, store.MeasureP50, store.MeasureP95, store.MeasureTokens, store.MeasureCost}
	}
	b.Sort = enum(in, "sort", b.Measures, b.Measures[0])
	compare := in.boolean("compare")
	if err := in.err(); err != nil {
		return err
	}
	ctx := r.Context()
	project := reqctx.Project(ctx)
	g.Barrier(ctx)
	if err := g.between(ctx, &q); err != nil {
		return err
	}
	got, err := g.Explore.TraceBreakdown(ctx, project, q, b)
	if err != nil {
		return queryFault(err)
	}
	answer := struct {
		Rows      []groupRow `json:"rows"`
		Other     *values    `json:"other"` // null if all groups are in rows
		Total     values     `json:"total"`
		Previous  values     `json:"previous,omitzero"` // the total of the period before, with compare
		ScannedTo *string    `json:"scannedTo"`
	}{Rows: []groupRow{}, Total: valuesOf(b.Measures, got.Total), ScannedTo: timeOrNull(got.ScannedTo)}
	if rest := valuesOf(b.Measures, got.Rest); rest != nil {
		answer.Other = &rest
	}
	before := map[string]values{}
	if compare {
		b.Limit = maxCompared
		previous, err := g.Explore.TraceBreakdown(ctx, project, earlier(q), b)
		if err != nil {
			return queryFault(err)
		}
		answer.Previous = valuesOf(b.Measures, previous.Total)
		for _, group := range previous.Groups {
			before[keyOf(group.Keys)] = valuesOf(b.Measures, group.Values)
		}
	}
	for _, group := range got.Groups {
		answer.Rows = append(answer.Rows, groupRow{group.Keys, valuesOf(b.Measures, group.Values), before[keyOf(group.Keys)]})
	}
	return api.WriteJSON(w, http.StatusOK, answer)
}

func keyOf(keys []string) string {
	var b []byte
	for _, k := range keys {
		b = strconv.AppendQuote(b, k)
	}
	return string(b)
}

// earlier is q in the period of the same length before its own, which is closed.
func earlier(q store.TraceQuery) store.TraceQuery {
	from, to := q.Time.From.Add(-q.Time.To.Sub(*q.Time.From)), *q.Time.From
	q.Time = store.TimeRange{From: &from, To: &to}
	return q
}

// differences is compare's answer of one field.
type differences struct {
	Name   filter.Field      `json:"name"`
	Kind   string            `json:"kind"`
	Score  float64           `json:"score"`
	Values []valueDifference `json:"values"`
}

type valueDifference struct {
	Value    string `json:"value"`
	Selected int64  `json:"selected"`
	Baseline int64  `json:"baseline"`
}

// comparedFields are those of which few traces have each value of their own.
var comparedFields = slices.DeleteFunc(store.GroupFields(), func(f filter.Field) bool { return f == filter.FieldSession })

func (g *Group) compare(w http.ResponseWriter, r *http.Request) error {
	in, err := g.readInput(r)
	if err != nil {
		return err
	}
	const (
		defaultValues = 5
		maxValues     = 50
	)
	q, selection := in.query(), in.selection("selection")
	fields, limit := in.fields("fields"), in.integer("limit", 1, maxValues, defaultValues)
	if _, ok := in.member("fields"); !ok {
		fields = comparedFields
	}
	if err := in.err(); err != nil {
		return err
	}
	ctx := r.Context()
	g.Barrier(ctx)
	got, err := g.Explore.TraceDifference(ctx, reqctx.Project(ctx), q, selection, fields, limit)
	if err != nil {
		return queryFault(err)
	}
	answer := struct {
		Selected  int64         `json:"selected"`
		Baseline  int64         `json:"baseline"`
		Fields    []differences `json:"fields"`
		ScannedTo *string       `json:"scannedTo"`
	}{got.Selected, got.Baseline, []differences{}, timeOrNull(got.ScannedTo)}
	for _, f := range got.Fields {
		d := differences{Name: f.Field, Kind: "text", Score: f.Score}
		for _, v := range f.Values {
			d.Values = append(d.Values, valueDifference{v.Value, v.Selected, v.Baseline})
		}
		answer.Fields = append(answer.Fields, d)
	}
	return api.WriteJSON(w, http.StatusOK, answer)
}

// selection reads a query within the body; of all errors if absent.
func (in *input) selection(name string) store.TraceQuery {
	v, ok := in.member(name)
	inner := &input{path: append(slices.Clone(in.path), name), noPayloads: in.noPayloads}
	if !ok {
		return store.TraceQuery{Filter: inner.filter("status:error")}
	}
	if !inner.object(v) {
		in.fault(name, "invalid_type", "Invalid input: expected object")
		return store.TraceQuery{}
	}
	q := inner.query()
	in.issues = append(in.issues, inner.issues...)
	return q
}

// boolean reads a member that is true or false; false if absent.
func (in *input) boolean(name string) bool {
	v, ok := in.member(name)
	if ok && v.Kind() != 't' && v.Kind() != 'f' {
		in.fault(name, "invalid_type", "Invalid input: expected boolean")
	}
	return ok && v.Kind() == 't'
}

// list reads a list of at most n values, each once, as read reads one of them; nil
// if absent.
func list[T ~string](in *input, name string, n int, read func(one *input, name string) T) []T {
	v, ok := in.member(name)
	if !ok {
		return nil
	}
	var raw []jsontext.Value
	if v.Kind() != '[' || json.Unmarshal(v, &raw, api.DecodeOptions) != nil {
		in.fault(name, "invalid_type", "Invalid input: expected array")
		return nil
	}
	if len(raw) > n {
		in.fault(name, "too_big", "Too big: expected array to have <="+strconv.Itoa(n)+" items")
		return nil
	}
	var out []T
	for i, v := range raw {
		one := input{members: map[string]jsontext.Value{name: v}}
		value := read(&one, name)
		if value == "" && len(one.issues) == 0 {
			one.fault(name, "invalid_type", "Invalid input: expected string")
		}
		for _, issue := range one.issues {
			issue.Path = append(slices.Clone(in.path), name, i)
			in.issues = append(in.issues, issue)
		}
		if !slices.Contains(out, value) {
			out = append(out, value)
		}
	}
	return out
}
