package queryapi

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// request makes one whose query is exactly raw, however malformed.
func request(raw string) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/v1/traces", nil)
	r.URL.RawQuery = raw
	return r
}

// faults lists what err complains of, as "message: path code, …".
func faults(err error) string {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return fmt.Sprint(err)
	}
	var issues []string
	for _, i := range e.Issues {
		issues = append(issues, fmt.Sprint(i.Path[0], " ", i.Code))
	}
	return e.Message + ": " + strings.Join(issues, ", ")
}

func TestParseQuery(t *testing.T) {
	for raw, want := range map[string]map[string]string{
		"":                        {},
		"a=1&a=2&b=3":             {"a": "1", "b": "3"},
		"a=x+y%20z&%61b=%C3%A9":   {"a": "x y z", "ab": "é"},
		"a=100%&b=%zz%4&c=%e9":    {"a": "100%", "b": "%zz%4", "c": "\uFFFD"},
		"a=1;b=2&&c&d==":          {"a": "1;b=2", "c": "", "d": "="},
		"A=1&a=":                  {"A": "1", "a": ""},
		"cursor=a%2Bb&cursor=zzz": {"cursor": "a+b"},
	} {
		if diff := cmp.Diff(want, parseQuery(request(raw)).values); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
	}
}

func TestListPage(t *testing.T) {
	for raw, want := range map[string]store.Page{
		"":                        {Limit: 100, Detail: store.Full},
		"limit=1000&offset=":      {Limit: 1000, Detail: store.Full},
		"limit=2.0&offset=0x10":   {Limit: 2, Offset: 16, Detail: store.Full},
		"limit=+5%20&offset=1e2":  {Limit: 5, Offset: 100, Detail: store.Full},
		"offset=9007199254740991": {Limit: 100, Offset: 1<<53 - 1, Detail: store.Full},
		"cursor=abc&offset=5":     {Limit: 100, Cursor: "abc", Detail: store.Full},
		"fields=summary&cursor=":  {Limit: 100, Detail: store.Summary},
	} {
		q := parseQuery(request(raw))
		got := q.listPage()
		if err := q.err(); err != nil {
			t.Errorf("%s: %s", raw, faults(err))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
	}
}

// TestFaults has every fault of a query reported at once, under its name.
func TestFaults(t *testing.T) {
	list := func(q *query) {
		q.listPage()
		q.text("session_id")
		enum(q, "source", trace.Sources())
		enum(q, "status", trace.Statuses())
		q.listRange()
	}
	analytics := func(q *query) {
		q.analyticsRange()
		enum(q, "group_by", []groupBy{groupDay, groupHour})
	}
	for _, c := range []struct {
		read      func(*query)
		raw, want string
	}{
		{list, "limit=0", "Invalid query parameters: limit too_small"},
		{list, "limit=", "Invalid query parameters: limit too_small"},
		{list, "limit=1001", "Invalid query parameters: limit too_big"},
		{list, "limit=2.5", "Invalid query parameters: limit invalid_type"},
		{list, "limit=abc&limit=1", "Invalid query parameters: limit invalid_type"},
		{list, "offset=-1", "Invalid query parameters: offset too_small"},
		{list, "offset=1e30", "Invalid query parameters: offset invalid_type"},
		{list, "offset=9007199254740992", "Invalid query parameters: offset too_big"},
		{list, "source=&status=", "Invalid query parameters: source invalid_value, status invalid_value"},
		{list, "session_id=a%00b&cursor=%00", "Invalid query parameters: cursor invalid_format, session_id invalid_format"},
		{list, "fields=all", "Invalid query parameters: fields invalid_value"},
		{list, "date_from=bad", "Invalid date_from parameter: date_from invalid_format"},
		{list, "date_to=", "Invalid date_to parameter: date_to invalid_format"},
		{list, "date_to=x&date_from=y", "Invalid date_from parameter: date_from invalid_format, date_to invalid_format"},
		{list, "date_from=y&limit=0&status=x", "Invalid query parameters: limit too_small, status invalid_value, date_from invalid_format"},
		{analytics, "", "Invalid query parameters: date_from invalid_type, date_to invalid_type"},
		{
			analytics, "date_from=2026-01-01&date_to=1&group_by=week",
			"Invalid query parameters: date_from invalid_format, date_to invalid_format, group_by invalid_value",
		},
	} {
		q := parseQuery(request(c.raw))
		c.read(q)
		if got := faults(q.err()); got != c.want {
			t.Errorf("%s: %s", c.raw, got)
		}
	}
}

func TestListRange(t *testing.T) {
	at := func(s string) *time.Time {
		got, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		got = got.UTC()
		return &got
	}
	for raw, want := range map[string]store.TimeRange{
		"": {},
		"date_from=2026-01-26&date_to=2026-01-26":      {From: at("2026-01-26T00:00:00Z"), To: at("2026-01-27T00:00:00Z")},
		"date_from=1769385600":                         {From: at("2026-01-26T00:00:00Z")},
		"date_from=1769385600000":                      {From: at("2026-01-26T00:00:00Z")},
		"date_from=2026":                               {From: at("1970-01-01T00:33:46Z")},
		"date_to=20260126":                             {To: at("1970-08-23T11:48:46.001Z")},
		"date_from=999999999999":                       {From: &trace.MaxTime},
		"date_from=1000000000000":                      {From: at("2001-09-09T01:46:40Z")},
		"date_from=%202026-01-26T00:00%2B05:30%20":     {From: at("2026-01-25T18:30:00Z")},
		"date_to=2026-01-25T23:59:59.999Z":             {To: at("2026-01-26T00:00:00Z")},
		"date_to=2026-01-25T23:59:59.999999999Z":       {To: at("2026-01-26T00:00:00Z")},
		"date_from=2026-01-25T12:00:00.000999Z":        {From: at("2026-01-25T12:00:00Z")},
		"date_from=0001-01-01&date_to=9999-12-31":      {From: &trace.MinTime, To: &trace.MaxTime},
		"date_from=2026-01-27&date_to=2026-01-20":      {From: at("2026-01-27T00:00:00Z"), To: at("2026-01-21T00:00:00Z")},
		"date_from=8640000000000000&date_to=000000000": {From: &trace.MaxTime, To: at("1970-01-01T00:00:00.001Z")},
	} {
		q := parseQuery(request(raw))
		got := q.listRange()
		if err := q.err(); err != nil {
			t.Errorf("%s: %s", raw, faults(err))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
	}
	for _, v := range []string{
		"", "%20", "garbage", "2026-02-30", "2026-13-01", "2026-1-26", "26/01/2026", "01/26/2026", "Jan%2026%202026",
		"-5", "1.5", "2026-01", "2026-01-26T00:00:00", "2026-01-26T00:00:00+05:30", "2026-01-26t00:00:00z", "2026-01-26T24:00:00Z",
		"99999999999999999999", "8640000000000001", "2026-01-26T00:00:00%2B24:00",
	} {
		q := parseQuery(request("date_from=" + v))
		if q.listRange(); q.err() == nil {
			t.Errorf("%q was taken for a date", v)
		}
	}
}

// FuzzQuery reads whatever a client puts behind the question mark.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{
		"limit=1&offset=2&cursor=a&fields=summary&session_id=x&source=sdk&status=error", "limit=%31&date_from=2026-01-26&date_to=1",
		"date_from=2026-01-26T00:00:00Z&date_to=2026-01-26T00:00:00.123456789Z&group_by=hour", "%=%&+;=&a%00", "limit=1e309&offset=0x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q := parseQuery(request(raw))
		p, r := q.listPage(), q.listRange()
		enum(q, "source", trace.Sources())
		if p.Limit < 1 || p.Limit > maxLimit || p.Offset < 0 || p.Offset > trace.MaxTokens {
			t.Fatalf("%q gives page %+v", raw, p)
		}
		for _, b := range []*time.Time{r.From, r.To} {
			if b != nil && (b.Before(trace.MinTime) || b.After(trace.MaxTime) || b.Nanosecond()%int(time.Millisecond) != 0) {
				t.Fatalf("%q gives bound %s", raw, b)
			}
		}
		if err := q.err(); err != nil && !fault.Is(err, fault.Invalid) {
			t.Fatal(err)
		}
		a := parseQuery(request(raw))
		if ar := a.analyticsRange(); ar.From == nil || ar.To == nil {
			t.Fatalf("%q gives an open range", raw)
		}
	})
}

func TestCallAnalyticsView(t *testing.T) {
	sums := func(calls int64) store.CallSums {
		p := 12.5
		return store.CallSums{
			Calls: calls, Errors: 1, InputTokens: 10, OutputTokens: 5, CostNanoUSD: 30_000_000, Timed: 4, DurationUS: 10_000,
			Latency: store.Quantiles{P50: &p},
		}
	}
	a := store.CallAnalytics{
		Sums: sums(10), Sessions: 4,
		ByProvider: []store.ProviderSums{{Provider: "x", CallSums: sums(7)}, {Provider: "y", CallSums: sums(3)}},
		Series:     []store.SeriesPoint{{Period: "2026-01-25", Provider: "x", CallSums: sums(10)}},
	}
	for i := range 7 {
		a.ByModel = append(a.ByModel, store.ModelSums{Provider: "x", Model: fmt.Sprint("m", i), CallSums: sums(1)})
	}
	v := callAnalyticsViewOf(a, groupDay)
	if v.Groups != nil || len(v.TopModels) != topCount || v.AvgLatency != 2.5 || v.ErrorRate != 10 || v.TotalCost != 3 || *v.Latency.P50 != 12.5 {
		t.Errorf("%+v", v)
	}
	want := computedView{CostPerRequest: 0.3, TokensPerRequest: 1.5, CostPer1kTokens: 200, TracesPerSession: 2.5, AvgInputTokens: 1, AvgOutputTokens: 0.5}
	if v.Computed != want {
		t.Errorf("%+v", v.Computed)
	}
	if v := callAnalyticsViewOf(a, groupModel); len(v.Groups) != 7 || *v.Groups[6].Model != "m6" || v.Groups[0].TotalTokens.Total != 15 {
		t.Errorf("models: %+v", v.Groups)
	}
	if v := callAnalyticsViewOf(a, groupProvider); len(v.Groups) != 2 || v.Groups[0].Model != nil || v.Groups[0].Requests != 7 {
		t.Errorf("providers: %+v", v.Groups)
	}
	empty := callAnalyticsViewOf(store.CallAnalytics{}, groupModel)
	if empty.Groups == nil || math.IsNaN(empty.Computed.CostPer1kTokens) || empty.AvgLatency != 0 {
		t.Errorf("%+v", empty)
	}
}
