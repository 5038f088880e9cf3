package exploreapi

import (
	"context"
	"math"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/api/view"
	"github.com/pulse-traces/pulse/shared/filter"
	"github.com/pulse-traces/pulse/shared/store"
)

// kpiKey names a number of the overview.
type kpiKey string

// The numbers, in the order of the page.
const (
	kpiTraces kpiKey = "traces"
	kpiErrors kpiKey = "errors" // percent of traces
	kpiP95    kpiKey = "p95"    // milliseconds from first start to last end
	kpiTTFT   kpiKey = "ttft"   // milliseconds to the first token, the median
	kpiCost   kpiKey = "cost"   // nano-dollars
	kpiTokens kpiKey = "tokens"
)

type kpi struct {
	Key      kpiKey     `json:"key"`
	Value    *float64   `json:"value"`
	Previous *float64   `json:"previous"` // of the period before; null without compare
	Spark    []*float64 `json:"spark"`
}

// sparks are how many parts a number is shown in. Both periods have the same.
const sparks = 24

// kpis are the numbers of one period.
type kpis struct {
	edges     []time.Time
	traces    []*float64
	list      []kpi
	scannedTo *time.Time
}

func (k *kpis) of(key kpiKey) *kpi {
	for i := range k.list {
		if k.list[i].Key == key {
			return &k.list[i]
		}
	}
	return nil
}

// sparkEdges splits a period into parts of equal length. Those of a long one
// begin at whole hours or five minutes, where roll-ups tell what traces add up to:
// all of them, not only those that a search looks at.
func sparkEdges(from, to time.Time) []time.Time {
	part, unit := to.Sub(from)/sparks, time.Microsecond
	for _, u := range []time.Duration{5 * time.Minute, time.Hour} {
		if part >= 6*u { // so the first and the last part differ little from the others
			unit = u
		}
	}
	edges := []time.Time{from}
	for i := 1; i < sparks; i++ {
		edges = append(edges, from.Add(part*time.Duration(i)).Truncate(unit))
	}
	return append(edges, to)
}

func (g *Group) readKPIs(ctx context.Context, q store.TraceQuery) (*kpis, error) {
	k := &kpis{edges: sparkEdges(*q.Time.From, *q.Time.To)}
	measures := []store.Measure{store.MeasureCount, store.MeasureErrors, store.MeasureP95, store.MeasureTTFT50, store.MeasureCost, store.MeasureTokens}
	got, err := g.Explore.TraceMeasures(ctx, reqctx.Project(ctx), q, k.edges, measures)
	if err != nil {
		return nil, err
	}
	k.scannedTo, k.traces = got.ScannedTo, got.Values[0]
	rates := make([]*float64, sparks)
	for i := range rates {
		rates[i] = percent(got.Values[1][i], got.Values[0][i])
	}
	k.list = []kpi{
		{Key: kpiTraces, Value: got.Totals[0], Spark: got.Values[0]},
		{Key: kpiErrors, Value: percent(got.Totals[1], got.Totals[0]), Spark: rates},
		{Key: kpiP95, Value: got.Totals[2], Spark: got.Values[2]},
		{Key: kpiTTFT, Value: got.Totals[3], Spark: got.Values[3]},
		{Key: kpiCost, Value: got.Totals[4], Spark: got.Values[4]},
		{Key: kpiTokens, Value: got.Totals[5], Spark: got.Values[5]},
	}
	return k, nil
}

// percent is null of nothing.
func percent(part, all *float64) *float64 {
	if part == nil || all == nil || *all == 0 {
		return nil
	}
	v := *part / *all * 100
	return &v
}

// notice says that a number left its usual range for the worse.
type notice struct {
	Key     kpiKey   `json:"key"`
	From    float64  `json:"from"`  // in the same part of the period before
	To      float64  `json:"to"`    // in the last part
	Since   string   `json:"since"` // when the last part began
	Traces  int64    `json:"traces"`
	Because *because `json:"because"` // the value that explains most of it; null if none does
}

type because struct {
	Field filter.Field `json:"field"`
	Value string       `json:"value"`
	Share float64      `json:"share"` // of the bad traces that have it: 0 to 1
}

func (g *Group) overview(w http.ResponseWriter, r *http.Request) error {
	in, err := g.readInput(r)
	if err != nil {
		return err
	}
	q := in.query()
	in.zone("tz") // parts are of equal length whatever the zone
	compare := in.boolean("compare")
	if err := in.err(); err != nil {
		return err
	}
	ctx := r.Context()
	g.Barrier(ctx)
	complete := g.completeTo(ctx)
	if err := g.between(ctx, &q); err != nil {
		return err
	}
	answer := struct {
		KPIs       []kpi   `json:"kpis"`
		T          []int64 `json:"t"` // when each part of spark begins
		To         *int64  `json:"to"`
		Notice     *notice `json:"notice"`
		ScannedTo  *string `json:"scannedTo"`
		CompleteTo *string `json:"completeTo"`
	}{KPIs: []kpi{}, T: []int64{}, CompleteTo: complete}
	if q.Time.To.Sub(*q.Time.From) < sparks*time.Millisecond {
		return api.WriteJSON(w, http.StatusOK, answer)
	}
	var now, before *kpis
	periods, both := errgroup.WithContext(ctx)
	periods.Go(func() (err error) {
		now, err = g.readKPIs(both, q)
		return err
	})
	if compare {
		periods.Go(func() (err error) {
			before, err = g.readKPIs(both, earlier(q))
			return err
		})
	}
	if err := periods.Wait(); err != nil {
		return queryFault(err)
	}
	if compare {
		for i := range now.list {
			now.list[i].Previous = before.list[i].Value
		}
		if answer.Notice, err = g.notice(ctx, q, now, before); err != nil {
			return queryFault(err)
		}
	}
	to := now.edges[sparks].UnixMilli()
	answer.KPIs, answer.T, answer.To, answer.ScannedTo = now.list, milliseconds(now.edges[:sparks]), &to, timeOrNull(now.scannedTo)
	return api.WriteJSON(w, http.StatusOK, answer)
}

// A notice is about the last part of a period, a sixth of it, if that has enough
// traces for a rate to mean something.
const (
	noticeParts  = 6
	partSparks   = sparks / noticeParts
	noticeTraces = 20
	noticeSpread = 3 // times the usual one
)

// notice compares the last part of two periods, and gives the first number that
// is worse by more than it usually varies.
func (g *Group) notice(ctx context.Context, q store.TraceQuery, now, before *kpis) (*notice, error) {
	last := noticeParts - 1
	traces := 0.0
	for _, n := range now.traces[last*partSparks:] {
		if n != nil {
			traces += *n
		}
	}
	if traces < noticeTraces {
		return nil, nil
	}
	for _, key := range []kpiKey{kpiErrors, kpiP95, kpiTTFT, kpiCost} {
		var usual []float64 // of the parts of the period before
		for p := range noticeParts {
			if v, ok := partOf(before, key, p); ok {
				usual = append(usual, v)
			}
		}
		is, ok := partOf(now, key, last)
		was, known := partOf(before, key, last)
		if !ok || !known || len(usual) < 2 || is-was <= max(noticeSpread*spreadOf(usual), least(key, was)) {
			continue
		}
		since := now.edges[last*partSparks]
		n := &notice{Key: key, From: was, To: is, Since: view.Exactly(since), Traces: int64(traces)}
		q.Time.From = &since
		var err error
		n.Because, err = g.because(ctx, q, key, was)
		return n, err
	}
	return nil, nil
}

// least is how much a number has to grow at least to be worth a sentence.
func least(key kpiKey, was float64) float64 {
	if key == kpiErrors {
		return 1 // a percent of all
	}
	return was / 5
}

// partOf gives a number in one part: the mean of its sparks by their traces, or
// the sum for a cost. It is false if there are none.
func partOf(k *kpis, key kpiKey, part int) (float64, bool) {
	spark := k.of(key).Spark
	var sum, weight float64
	for i := part * partSparks; i < (part+1)*partSparks; i++ {
		v, n := spark[i], k.traces[i]
		if v == nil || n == nil || *n == 0 {
			continue
		}
		if key == kpiCost {
			sum, weight = sum+*v, 1
			continue
		}
		sum, weight = sum+*v**n, weight+*n
	}
	if weight == 0 {
		return 0, false
	}
	return sum / weight, true
}

// spreadOf is the standard deviation.
func spreadOf(values []float64) float64 {
	var mean, square float64
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		square += (v - mean) * (v - mean) / float64(len(values))
	}
	return math.Sqrt(square)
}

// because finds the value that most bad traces have and few others.
func (g *Group) because(ctx context.Context, q store.TraceQuery, key kpiKey, was float64) (*because, error) {
	bad := filter.Term{Field: filter.FieldStatus, Op: filter.OpIs, Values: []filter.Value{{Text: "error"}}}
	switch key {
	case kpiP95:
		bad = filter.Term{Field: filter.FieldLatency, Op: filter.OpMore, Values: []filter.Value{{Number: int64(was * 1000)}}}
	case kpiTTFT:
		bad = filter.Term{Field: filter.FieldTTFT, Op: filter.OpMore, Values: []filter.Value{{Number: int64(was * 1000)}}}
	case kpiCost:
		return nil, nil // no trace is bad for itself
	}
	fields := []filter.Field{filter.FieldModel, filter.FieldProvider, filter.FieldTool, filter.FieldRelease, filter.FieldService, filter.FieldName, filter.FieldEnv, filter.FieldUser, filter.FieldKey}
	d, err := g.Explore.TraceDifference(ctx, reqctx.Project(ctx), q, store.TraceQuery{Filter: filter.Filter{Terms: []filter.Term{bad}}}, fields, 1)
	if err != nil || d.Selected == 0 || d.Baseline == 0 || len(d.Fields) == 0 {
		return nil, err
	}
	const enough = 0.2 // between the shares, to be called a reason
	f := d.Fields[0]
	v := f.Values[0]
	share := float64(v.Selected) / float64(d.Selected)
	if f.Score < enough || share < float64(v.Baseline)/float64(d.Baseline) {
		return nil, nil
	}
	return &because{f.Field, v.Value, share}, nil
}
