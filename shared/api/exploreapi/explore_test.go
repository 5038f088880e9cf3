package exploreapi_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/trace"
)

func TestHeatmapBreakdownCompare(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var spans []trace.Span
	for i := range 8 {
		sp := call(fmt.Sprint("t", i), minute(i*30))
		sp.Model, sp.DurationMS, sp.CostNanoUSD = ptr(fmt.Sprint("m", i%3)), ptr(float64(10*(i+1))), ptr(int64(i))
		if i >= 6 {
			sp.Status, sp.Model = trace.StatusError, ptr("bad")
		}
		spans = append(spans, sp)
	}
	s.write(t, mine, spans...)
	s.write(t, theirs, call("other", minute(1)))
	const at = 1769299200000 // start
	const hours = `"from":"2026-01-25T00:00:00Z","to":"2026-01-25T04:00:00Z"`
	s.answers(t, []struct{ method, path, body, want string }{
		{"POST", "/heatmap", `{` + hours + `,"cols":2,"rows":2}`, fmt.Sprintf(
			`200 {"t":[%d,%d],"to":%d,"edges":[10,28.2842712474619,80],"n":[[2,2],[0,4]],"scannedTo":null}`, at, at+7200_000, at+14400_000)},
		{"POST", "/heatmap", `{"from":"2026-01-24T00:00:00Z","to":"2026-01-24T04:00:00Z","cols":1}`, `200 {"t":[1769212800000],"to":1769227200000,"edges":[],"n":[],"scannedTo":null}`},
		{
			"POST", "/breakdown", `{` + hours + `,"by":["model"],"measures":["count","cost"],"limit":2}`,
			`200 {"rows":[{"keys":["bad"],"values":{"cost":13,"count":2}},{"keys":["m0"],"values":{"cost":3,"count":2}}],"other":{"cost":12,"count":4},"total":{"cost":28,"count":8},"scannedTo":null}`,
		},
		{
			"POST", "/breakdown", `{"from":"2026-01-25T02:00:00Z","to":"2026-01-25T04:00:00Z","by":["status","model"],"measures":["count"],"compare":true,"q":"-model:bad"}`,
			`200 {"rows":[{"keys":["success","m1"],"values":{"count":1},"previous":{"count":1}},{"keys":["success","m2"],"values":{"count":1},"previous":{"count":1}}],` +
				`"other":null,"total":{"count":2},"previous":{"count":4},"scannedTo":null}`,
		},
		{
			"POST", "/compare", `{"fields":["model","provider"],"limit":1}`,
			`200 {"selected":2,"baseline":6,"fields":[{"name":"model","kind":"text","score":1,"values":[{"value":"bad","selected":2,"baseline":0}]},` +
				`{"name":"provider","kind":"text","score":0,"values":[{"value":"openai","selected":2,"baseline":6}]}],"scannedTo":null}`,
		},
		{
			"POST", "/compare", `{` + hours + `,"fields":["model"],"limit":1,"selection":{"q":"latency<=20ms","from":"2026-01-25T00:30:00Z"}}`,
			`200 {"selected":1,"baseline":7,"fields":[{"name":"model","kind":"text","score":0.8571428571428572,"values":[{"value":"m1","selected":1,"baseline":1}]}],"scannedTo":null}`,
		},
	})
	for body, want := range map[string]string{
		`{"measure":"spans","cols":0,"rows":100,"tz":"x"}`: "Invalid query: [[tz] [measure] [cols] [rows]]",
	} {
		if got := s.refused(t, "/heatmap", body); got != want {
			t.Errorf("%s: %s", body, got)
		}
	}
	for body, want := range map[string]string{
		`{"by":["model","status","name"],"measures":["size"],"limit":0,"compare":"yes"}`: "Invalid query: [[by] [measures 0] [limit] [compare]]",
		`{"by":["cost"],"measures":["count"],"sort":"cost"}`:                             "Invalid query: [[by 0] [sort]]",
		`{"by":"model"}`: "Invalid query: [[by]]",
	} {
		if got := s.refused(t, "/breakdown", body); got != want {
			t.Errorf("%s: %s", body, got)
		}
	}
	for body, want := range map[string]string{
		`{"selection":{"q":"nosuch:1","from":5},"fields":["x"]}`: "Invalid query: [[selection q 0] [selection from] [fields 0]]",
		`{"selection":[]}`: "Invalid query: [[selection]]",
	} {
		if got := s.refused(t, "/compare", body); got != want {
			t.Errorf("%s: %s", body, got)
		}
	}
}

type overview struct {
	KPIs []struct {
		Key             string
		Value, Previous *float64
		Spark           []*float64
	}
	T      []int64
	To     *int64
	Notice *struct {
		Key      string
		From, To float64
		Since    string
		Traces   int
		Because  *struct {
			Field, Value string
			Share        float64
		}
	}
	CompleteTo *string
}

func TestOverview(t *testing.T) {
	t.Parallel()
	s := setup(t)
	write := func(day int, failing bool) {
		var spans []trace.Span
		for i := range 240 { // each six minutes; a tenth fail, and by the end most of one model
			sp := call(fmt.Sprint("t", day, "-", i), start.AddDate(0, 0, day).Add(time.Duration(i)*6*time.Minute))
			sp.DurationMS, sp.TimeToFirstTokenMS, sp.CostNanoUSD, sp.InputTokens = ptr(100.0), ptr(10.0), ptr(int64(5)), ptr(int64(2))
			sp.Model = ptr(fmt.Sprint("m", i%3))
			if i%10 == 9 || failing && i >= 200 && i%3 == 1 {
				sp.Status = trace.StatusError
			}
			spans = append(spans, sp)
		}
		for len(spans) > 0 {
			n := min(len(spans), 100)
			s.write(t, mine, spans[:n]...)
			spans = spans[n:]
		}
	}
	write(-2, false)
	write(-1, true)
	ask := func(from, to int) (o overview) {
		s.ask(t, "/overview", object{"from": start.AddDate(0, 0, from).Format(time.RFC3339), "to": start.AddDate(0, 0, to).Format(time.RFC3339), "compare": true}, &o)
		return o
	}
	o := ask(-1, 0)
	want := map[string][2]float64{"traces": {240, 240}, "errors": {36.0 / 240 * 100, 10}, "p95": {100, 100}, "ttft": {10, 10}, "cost": {1200, 1200}, "tokens": {480, 480}}
	for _, k := range o.KPIs {
		w := want[k.Key]
		if k.Value == nil || k.Previous == nil || *k.Value < w[0]*0.99 || *k.Value > w[0]*1.01 || *k.Previous < w[1]*0.99 || *k.Previous > w[1]*1.01 || len(k.Spark) != 24 {
			t.Errorf("%s: %v, before %v, want %v", k.Key, *k.Value, *k.Previous, w)
		}
	}
	if len(o.KPIs) != 6 || len(o.T) != 24 || *o.To != start.UnixMilli() || *o.CompleteTo == "" {
		t.Errorf("%d numbers in %d parts to %d", len(o.KPIs), len(o.T), *o.To)
	}
	n := o.Notice
	if n == nil || n.Key != "errors" || n.Since != "2026-01-24T20:00:00.000000Z" || n.From != 10 || n.To < 35 || n.Traces != 40 || n.Because == nil || n.Because.Field != "model" || n.Because.Value != "m1" || n.Because.Share < 0.8 {
		t.Errorf("notice %+v", n)
	}
	if o := ask(-2, -1); o.Notice != nil { // there is nothing to compare with
		t.Errorf("notice %+v", o.Notice)
	}
	var empty overview
	s.ask(t, "/overview", object{"from": "2026-01-25T00:00:00Z", "to": "2026-01-25T00:00:00Z"}, &empty)
	if len(empty.KPIs) != 0 {
		t.Errorf("%+v", empty)
	}
	s.ask(t, "/overview", object{"from": "2026-01-27T00:00:00Z", "to": "2026-01-28T00:00:00Z", "q": "model:absent"}, &empty)
	for _, k := range empty.KPIs {
		if sum := k.Key == "traces" || k.Key == "cost" || k.Key == "tokens"; sum != (k.Value != nil) || k.Previous != nil {
			t.Errorf("%s of nothing: %v", k.Key, k.Value)
		}
	}
	if got := s.refused(t, "/overview", `{"q":"x","tz":"Nowhere","compare":1}`); got != "Invalid query: [[q 0] [tz] [compare]]" {
		t.Error(got)
	}
}
