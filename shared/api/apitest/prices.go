package apitest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// prices sets prices of a project, and has calls priced by them.
func (s *suite) prices(t *testing.T) {
	t.Parallel()
	t.Run("Routes", s.priceRoutes)
	t.Run("Faults", s.priceFaults)
	t.Run("Calls", s.pricedCalls)
}

type priceRow struct {
	ID                   string
	Model                string
	Provider             *string
	EffectiveFrom        *string
	Prices               map[string]json.Number
	Tiers                []json.RawMessage
	CreatedAt, UpdatedAt string
}

func (s *suite) listPrices(t *testing.T, p person, prefix string) []priceRow {
	t.Helper()
	var list struct{ Prices []priceRow }
	s.want(t, p, http.MethodGet, prefix+"/prices", "", http.StatusOK, &list)
	if list.Prices == nil {
		t.Errorf("%s/prices gives no list", prefix)
	}
	return list.Prices
}

// priceRoutes lists, sets and deletes prices by both planes, which show the
// same.
func (s *suite) priceRoutes(t *testing.T) {
	p := s.signUp(t)
	if list := s.listPrices(t, p, "/v1"); len(list) != 0 {
		t.Errorf("a new project has prices: %v", list)
	}
	var made, again, other priceRow
	s.want(t, p, http.MethodPost, "/v1/prices", `{"model":"Claude-Sonnet-4.5","provider":"aws.bedrock","effectiveFrom":"2026-07-01",
		"prices":{"input":2.25,"cacheRead":"0.25","output":9},"tiers":[{"serviceTier":"batch","prices":{"input":1.125}}]}`, http.StatusCreated, &made)
	provider, from := "aws.bedrock", "2026-07-01T00:00:00Z"
	want := priceRow{
		ID: made.ID, Model: "Claude-Sonnet-4.5", Provider: &provider, EffectiveFrom: &from,
		Prices: map[string]json.Number{"input": "2.25", "cacheRead": "0.25", "output": "9"},
		Tiers:  []json.RawMessage{[]byte(`{"serviceTier":"batch","prices":{"input":1.125}}`)}, CreatedAt: made.CreatedAt, UpdatedAt: made.CreatedAt,
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// The same model, provider and time in other spellings: the price is replaced.
	s.want(t, p, http.MethodPost, "/dashboard/api/prices", `{"model":"claude-sonnet-4-5","provider":"Bedrock","effectiveFrom":"2026-07-01T00:00:00Z","prices":{"input":3}}`, http.StatusOK, &again)
	if again.ID != made.ID || again.CreatedAt != made.CreatedAt || len(again.Tiers) != 0 || again.Prices["input"] != "3" {
		t.Errorf("replaced: %+v", again)
	}
	s.want(t, p, http.MethodPost, "/v1/prices", `{"model":"claude-sonnet-4-5","prices":{"input":4,"output":20}}`, http.StatusCreated, &other)
	if other.ID == made.ID || other.Provider != nil || other.EffectiveFrom != nil {
		t.Errorf("another one: %+v", other)
	}
	for _, prefix := range []string{"/v1", "/dashboard/api"} {
		list := s.listPrices(t, p, prefix)
		slices.SortFunc(list, func(a, b priceRow) int {
			return strings.Compare(a.Prices["input"].String(), b.Prices["input"].String())
		})
		if diff := cmp.Diff([]priceRow{again, other}, list); diff != "" {
			t.Errorf("%s lists (-want +got):\n%s", prefix, diff)
		}
	}
	s.want(t, p, http.MethodDelete, "/v1/prices/"+made.ID, "", http.StatusOK, nil)
	s.want(t, p, http.MethodDelete, "/v1/prices/"+made.ID, "", http.StatusNotFound, nil)
	s.want(t, p, http.MethodDelete, "/dashboard/api/prices/"+other.ID, "", http.StatusOK, nil)
	for _, id := range []string{"none", "%00", "%ff", strings.Repeat("0", 5000), uuid.NewString()} {
		s.want(t, p, http.MethodDelete, "/dashboard/api/prices/"+id, "", http.StatusNotFound, nil)
	}
	if list := s.listPrices(t, p, "/v1"); len(list) != 0 {
		t.Errorf("deleted prices are listed: %v", list)
	}
}

// priceFaults are named by field, all at once.
func (s *suite) priceFaults(t *testing.T) {
	p := s.signUp(t)
	for body, want := range map[string]string{
		`{}`: "[model] [prices]",
		`{"model":"m","prices":{"input":-1,"output":"free"}}`:                                   "[prices input] [prices output]",
		`{"model":"m","prices":{"inputs":1},"currency":"EUR"}`:                                  "[currency] [prices inputs]",
		`{"model":"m","prices":{"output":1},"effectiveFrom":"soon"}`:                            "[effectiveFrom]",
		`{"model":"m","prices":{"input":1},"tiers":[{"serviceTier":"flex"},{"prices":{}}]}`:     "[tiers 0 prices] [tiers 1] [tiers 1 prices]",
		`{"model":"m","provider":5,"prices":{"input":1},"tiers":[{"aboveInputTokens":"lots"}]}`: "[provider] [tiers 0 aboveInputTokens]",
	} {
		for _, prefix := range []string{"/v1", "/dashboard/api"} {
			var got struct{ Details []struct{ Path []any } }
			s.want(t, p, http.MethodPost, prefix+"/prices", body, http.StatusBadRequest, &got)
			var paths []string
			for _, d := range got.Details {
				paths = append(paths, fmt.Sprint(d.Path))
			}
			if all := strings.Join(paths, " "); all != want {
				t.Errorf("%s names %s, want %s", body, all, want)
			}
		}
	}
	if list := s.listPrices(t, p, "/v1"); len(list) != 0 {
		t.Errorf("faulty prices are stored: %v", list)
	}
}

// pricedCalls are calls of every form, of which each has a million tokens in.
func (s *suite) pricedCalls(t *testing.T) {
	p := s.signUp(t)
	for _, price := range []string{
		`{"model":"gpt-4o-mini","prices":{"input":7,"output":0}}`,
		`{"model":"house-*","prices":{"input":3}}`,
		`{"model":"house-old","effectiveFrom":"2026-06-01","prices":{"input":9}}`,
	} {
		s.want(t, p, http.MethodPost, "/v1/prices", price, http.StatusCreated, nil)
	}
	type call struct {
		model, rest string // of the record
		cents       any    // nil for none
		source      any
		price       string // as spanCost has it
	}
	calls := map[string]call{
		"Own":          {"gpt-4o-mini", ``, 700.0, "prices", "project gpt-4o-mini: 1000000 input × 7 = 7000000000"},
		"Pattern":      {"house-llama", ``, 300.0, "prices", "project house-*: 1000000 input × 3 = 3000000000"},
		"BeforeItsDay": {"house-old", ``, 300.0, "prices", "project house-*: 1000000 input × 3 = 3000000000"},
		"List":         {"gpt-4o", ``, 250.0, "prices", "list gpt-4o from 2024-11-28T00:00:00Z: 1000000 input × 2.5 = 2500000000"},
		"Unknown":      {"nobody-knows", ``, nil, nil, ": 1000000 input"},
		"NoAnswer":     {"house-llama", `,"output_tokens":1`, nil, nil, "project house-*: 1000000 input × 3 = 3000000000, 1 output"}, // the pattern has no price for answers
		"Given":        {"gpt-4o-mini", `,"cost_cents":5`, 5.0, "client", ": 1000000 input"},
		"GivenFree":    {"gpt-4o-mini", `,"cost_cents":0`, 0.0, "client", ": 1000000 input"},
		"NotGiven":     {"gpt-4o-mini", `,"cost_cents":null`, 700.0, "prices", "project gpt-4o-mini: 1000000 input × 7 = 7000000000"},
		"NoTokens":     {"gpt-4o-mini", `,"input_tokens":null`, nil, nil, "project gpt-4o-mini:"},
	}
	total := 0.0
	for name, c := range calls {
		// Members that come twice: the last one counts.
		common := fmt.Sprintf(`"timestamp":"2026-01-25T12:00:00Z","provider":"openai","status":"success","input_tokens":1000000%s`, c.rest)
		traceID, asyncID, spanID := uuid.NewString(), uuid.NewString(), uuid.NewString()
		record := func(id string) string {
			return fmt.Sprintf(`[{"trace_id":%q,"model_requested":%q,"request_body":{},"latency_ms":1,%s}]`, id, c.model, common)
		}
		var traces struct{ Traces []struct{ CostCents any } }
		s.want(t, p, http.MethodPost, "/v1/traces/batch", record(traceID), http.StatusAccepted, &traces)
		s.want(t, p, http.MethodPost, "/v1/traces/async", record(asyncID), http.StatusAccepted, nil)
		var spans struct{ Spans []struct{ CostCents any } }
		s.want(t, p, http.MethodPost, "/v1/spans/batch", fmt.Sprintf(`[{"span_id":%q,"trace_id":%[1]q,"session_id":"s","source":"codex","kind":"llm_call","event_type":"e","model":%q,%s}]`,
			spanID, c.model, common), http.StatusAccepted, &spans)
		if len(traces.Traces) != 1 || traces.Traces[0].CostCents != c.cents || len(spans.Spans) != 1 || spans.Spans[0].CostCents != c.cents {
			t.Errorf("%s: answered %v and %v, want %v", name, traces, spans, c.cents)
		}
		for _, path := range []string{"/v1/traces/" + traceID, "/v1/traces/" + asyncID, "/v1/spans/" + spanID} {
			var row struct{ CostCents any }
			s.want(t, p, http.MethodGet, path, "", http.StatusOK, &row)
			if row.CostCents != c.cents {
				t.Errorf("%s: %s costs %v, want %v", name, path, row.CostCents, c.cents)
			}
		}
		for _, id := range []string{traceID, spanID} {
			var tree struct{ Spans []struct{ CostSource any } }
			s.want(t, p, http.MethodGet, "/v1/traces/"+id+"/spans", "", http.StatusOK, &tree)
			if len(tree.Spans) != 1 || tree.Spans[0].CostSource != c.source {
				t.Errorf("%s: in the tree %+v, want source %v", name, tree.Spans, c.source)
			}
			if got := s.spanCost(t, p, id); got != c.price {
				t.Errorf("%s: paid by %q, want %q", name, got, c.price)
			}
		}
		if c.cents != nil {
			total += 3 * c.cents.(float64)
		}
	}
	// OpenTelemetry: a thousand tokens in, for which the project pays, and answers
	// for nothing.
	traceID, spanID := newIDs()
	if a := s.export(t, p, "/v1/traces", "application/json", strings.NewReader(exportOf(traceID, spanID, "x"))); a.status != http.StatusOK {
		t.Fatal(a)
	}
	if cost := s.shownSpan(t, p, spanID)["costCents"]; cost != 0.7 {
		t.Errorf("a span from OpenTelemetry costs %v, want 0.7", cost)
	}
	total += 0.7
	// What is no call costs nothing.
	tool := uuid.NewString()
	s.want(t, p, http.MethodPost, "/v1/spans/batch", fmt.Sprintf(`[{"span_id":%q,"session_id":"s","timestamp":"2026-01-25T12:00:00Z","source":"codex","kind":"tool_use","event_type":"e",
		"status":"success","model":"gpt-4o-mini","provider":"openai","input_tokens":1000000}]`, tool), http.StatusAccepted, nil)
	if cost := s.shownSpan(t, p, tool)["costCents"]; cost != nil {
		t.Errorf("a tool costs %v", cost)
	}
	var sums struct{ TotalCost float64 }
	s.want(t, p, http.MethodGet, "/v1/analytics?date_from=2026-01-25T00:00:00Z&date_to=2026-01-26T00:00:00Z", "", http.StatusOK, &sums)
	if sums.TotalCost < total-1e-6 || sums.TotalCost > total+1e-6 {
		t.Errorf("the sums have %v, the calls %v", sums.TotalCost, total)
	}
}

// spanCost writes in one line by which prices a span costs what.
func (s *suite) spanCost(t *testing.T, p person, id string) string {
	t.Helper()
	var got struct {
		Price *struct {
			Source, Model string
			EffectiveFrom *string
		}
		Tokens []struct {
			Kind        string
			Count       int64
			Price       *json.Number
			CostNanoUSD *string
		}
	}
	s.want(t, p, http.MethodGet, "/dashboard/api/query/spans/"+id+"/cost", "", http.StatusOK, &got)
	var b strings.Builder
	if price := got.Price; price != nil {
		b.WriteString(price.Source + " " + price.Model)
		if price.EffectiveFrom != nil {
			b.WriteString(" from " + *price.EffectiveFrom)
		}
	}
	b.WriteByte(':')
	for i, used := range got.Tokens {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, " %d %s", used.Count, used.Kind)
		if used.Price != nil && used.CostNanoUSD != nil {
			fmt.Fprintf(&b, " × %s = %s", *used.Price, *used.CostNanoUSD)
		}
	}
	return b.String()
}
