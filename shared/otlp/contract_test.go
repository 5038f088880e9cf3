package otlp_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pulse-traces/pulse/shared/otlp"
	"github.com/pulse-traces/pulse/shared/trace"
)

// contractBetter are the columns of the earlier service's mapping that are
// better now, by the row's number in testdata/gen2-otlp-mapping.json.
var contractBetter = map[int]map[string]any{
	19: {},                                                     // other senders' nonsense is left out: see contractRefused
	20: {},                                                     //
	21: {},                                                     //
	26: {"finishReason": "stop"},                               // a list
	30: {"metadata": map[string]any{}},                         // it has a column
	42: {"error": map[string]any{"message": "boom"}},           // the status's message
	43: {"status": "error"},                                    // by its name
	44: {"status": "error"},                                    // by its number as text
	54: {"metadata": map[string]any{"tenant": "acme"}},         // the user's own name
	55: {"metadata": map[string]any{"turn": json.Number("2")}}, //
	66: {"durationMs": 0},                                      // clocks are set back at times
	76: {},                                                     // a null parent is none
	77: {"error": map[string]any{"message": "x"}},              // of the event
}

// contractRefused are rows that are refused if they come from one of Pulse's own
// clients.
var contractRefused = []int{19, 20, 21, 66}

// TestEarlierContract holds the mapping to what the earlier service made of the
// same attributes, row by row. A span of which nothing says that a model was
// called is generic now.
func TestEarlierContract(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/gen2-otlp-mapping.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Examples []struct {
			Case       string
			Attributes map[string]any
			Resource   map[string]any
			Span       any
			Stored     map[string]any
			Changed    map[string]any
		}
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&file); err != nil {
		t.Fatal(err)
	}
	bare := file.Examples[0].Stored
	for i, row := range file.Examples {
		if row.Case != "" { // the caps of 64 KiB, which are gone
			continue
		}
		if slices.Contains(contractRefused, i) {
			own := row
			own.Attributes = maps.Clone(row.Attributes)
			own.Attributes["pulse.source"] = "sdk"
			_, reason := mapRow(t, bare, own.Attributes, nil, own.Span)
			if reason != row.Changed["rejected"] {
				t.Errorf("%d: of a client of Pulse: %q, want %q", i, reason, row.Changed["rejected"])
			}
		}
		want := maps.Clone(bare)
		maps.Copy(want, row.Changed)
		maps.Copy(want, contractBetter[i])
		if _, better := contractBetter[i]; better {
			delete(want, "rejected")
		}
		stored, reason := mapRow(t, bare, row.Attributes, row.Resource, row.Span)
		if want["rejected"] != nil {
			if reason != want["rejected"] {
				t.Errorf("%d: %v %v: %q, want %q", i, row.Attributes, row.Span, reason, want["rejected"])
			}
			continue
		}
		if stored == nil {
			t.Errorf("%d: %v %v: rejected: %s", i, row.Attributes, row.Span, reason)
			continue
		}
		got := columns(t, stored)
		_, named := row.Attributes["pulse.event_type"]
		if _, kind := row.Attributes["pulse.kind"].(string); !named && !kind { // nothing says that a model was called
			want["kind"], want["eventType"] = "generic", "generic"
			if len(keysWith(row.Attributes, ".tool.input")) > 0 {
				want["kind"], want["eventType"], want["toolName"] = "tool_use", "tool_use", "n"
			}
		}
		for column, w := range want {
			switch {
			case column == "projectId", column == "timestamp" && got["durationMs"] == nil: // now
			case column == "sessionId" && got[column] == nil && w == bare["sessionId"]: // the trace's id, which readers put there
			case fmt.Sprint(got[column]) != fmt.Sprint(w):
				t.Errorf("%d: %v %v: %s is %v, want %v", i, row.Attributes, row.Span, column, got[column], w)
			}
		}
	}
}

// mapRow maps the bare span with a row's changes.
func mapRow(t *testing.T, bare, attributes, resource map[string]any, changes any) (stored *trace.Span, reason string) {
	t.Helper()
	span := map[string]any{
		"traceId": bare["traceId"], "spanId": bare["spanId"], "name": "n", "startTimeUnixNano": "1769342400000000000",
		"endTimeUnixNano": "1769342400250000000", "status": map[string]any{"code": 1}, "attributes": keyValues(attributes),
	}
	fields, _ := changes.(map[string]any)
	for k, v := range fields {
		if span[k] = v; v == "__DEL__" {
			delete(span, k)
		}
	}
	body, err := json.Marshal(map[string]any{"resourceSpans": []any{map[string]any{
		"resource":   map[string]any{"attributes": keyValues(resource)},
		"scopeSpans": []any{map[string]any{"spans": []any{span}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	traces, err := otlp.DecodeTraces(body, otlp.JSON)
	if err != nil {
		t.Fatal(err)
	}
	spans := traces.Map(now)
	if len(spans) == 0 {
		return nil, traces.Reason
	}
	return &spans[0], ""
}

// TestMetadataOfTheSDKs is what the user said, and nothing twice.
func TestMetadataOfTheSDKs(t *testing.T) {
	t.Parallel()
	for scope, want := range map[string]string{
		"pulse-sdk": `{"userId":"u-1","feature":"chat"}`,
		"":          `{"pulse.request":{"model":"m"},"pulse.metadata":{"userId":"u-1","feature":"chat"}}`, // as earlier clients know it
	} {
		body := `{"resourceSpans":[{"scopeSpans":[{"scope":{"name":"` + scope + `"},"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"n",
			"attributes":[{"key":"pulse.metadata","value":{"stringValue":"{\"userId\":\"u-1\",\"feature\":\"chat\"}"}},{"key":"pulse.request","value":{"stringValue":"{\"model\":\"m\"}"}}]}]}]}]}`
		traces, err := otlp.DecodeTraces([]byte(body), otlp.JSON)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(traces.Map(now)[0].Payload.Metadata); got != want {
			t.Errorf("%q: %s, want %s", scope, got, want)
		}
	}
}

func keysWith(m map[string]any, part string) (keys []string) {
	for k := range m {
		if strings.Contains(k, part) {
			keys = append(keys, k)
		}
	}
	return keys
}

// keyValues gives attributes in OTLP's form.
func keyValues(m map[string]any) []any {
	list := []any{}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		v := m[k]
		if s, ok := v.(string); ok {
			v = map[string]any{"stringValue": s}
		}
		list = append(list, map[string]any{"key": k, "value": v})
	}
	return list
}

// columns gives a span as the earlier service stored it.
func columns(t *testing.T, s *trace.Span) map[string]any {
	t.Helper()
	text := func(p *string) any {
		if p == nil {
			return nil
		}
		return *p
	}
	orNil := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	integer := func(p *int64) any {
		if p == nil {
			return nil
		}
		return *p
	}
	tree := func(raw json.RawMessage) (v any) {
		if raw == nil {
			return nil
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	p := &s.Payload
	m := map[string]any{
		"spanId": string(s.ID), "traceId": string(s.TraceID), "sessionId": orNil(string(s.SessionID)), "parentSpanId": orNil(string(s.ParentID)),
		"timestamp": s.Start.Format("2006-01-02T15:04:05.000Z"), "durationMs": nil, "source": string(s.Source), "service": text(s.Service),
		"kind": string(s.Kind), "eventType": s.EventType, "status": string(s.Status), "toolUseId": text(s.ToolUseID), "toolName": text(s.ToolName),
		"toolInput": tree(p.ToolInput), "toolResponse": tree(p.ToolResponse), "error": tree(p.Error), "isInterrupt": nil, "cwd": text(s.CWD),
		"model": text(s.Model), "agentName": text(s.AgentName), "provider": text(s.Provider), "modelUsed": text(s.ModelUsed),
		"inputTokens": integer(s.InputTokens), "outputTokens": integer(s.OutputTokens), "costCents": nil, "finishReason": text(s.FinishReason),
		"outputText": text(p.OutputText), "providerRequestId": text(s.ProviderRequestID), "metadata": map[string]any{},
	}
	if s.DurationMS != nil {
		m["durationMs"] = int64(*s.DurationMS)
	}
	if s.IsInterrupt != nil {
		m["isInterrupt"] = *s.IsInterrupt
	}
	if s.CostNanoUSD != nil {
		m["costCents"] = float64(*s.CostNanoUSD) / trace.NanoUSDPerCent
	}
	if p.Metadata != nil {
		m["metadata"] = tree(p.Metadata)
	}
	return m
}
