package apitest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// keys sends with two API keys by every route that takes traces, and asks which
// sent what.
func (s *suite) keys(t *testing.T) {
	t.Parallel()
	p := s.signUp(t)
	var first struct{ Keys []struct{ ID, Name string } }
	s.want(t, p, http.MethodGet, "/dashboard/api/query/keys", "", http.StatusOK, &first)
	var second struct{ ID, APIKey string }
	s.want(t, p, http.MethodPost, "/dashboard/api/api-keys", `{"name":"CI"}`, http.StatusCreated, &second)
	if len(first.Keys) != 1 || second.ID == "" {
		t.Fatalf("%+v, %+v", first, second)
	}
	q := p
	q.key = second.APIKey

	record := func() string {
		return fmt.Sprintf(`{"trace_id":%q,"timestamp":"2026-01-25T12:00:00Z","provider":"openai","model_requested":"gpt-4o-mini","request_body":{},"status":"success","latency_ms":1}`, uuid.NewString())
	}
	span := func() string {
		return fmt.Sprintf(`{"span_id":%q,"trace_id":%[1]q,"session_id":"s","timestamp":"2026-01-25T12:00:00Z","source":"codex","kind":"event","event_type":"e","status":"success"}`, uuid.NewString())
	}
	s.want(t, p, http.MethodPost, "/v1/traces/batch", "["+record()+","+record()+"]", http.StatusAccepted, nil)
	s.want(t, q, http.MethodPost, "/v1/traces/batch", "["+record()+"]", http.StatusAccepted, nil)
	s.want(t, p, http.MethodPost, "/v1/traces/async", "["+record()+"]", http.StatusAccepted, nil)
	s.want(t, p, http.MethodPost, "/v1/spans/batch", "["+span()+"]", http.StatusAccepted, nil)
	s.want(t, q, http.MethodPost, "/v1/spans/async", "["+span()+"]", http.StatusAccepted, nil)
	traceID, spanID := newIDs()
	// One trace of two programs, each with its key.
	for i, sender := range []person{p, q} {
		id := fmt.Sprintf("%s%d", spanID[:15], i)
		if a := s.export(t, sender, "/v1/traces", "application/json", strings.NewReader(exportOf(traceID, id, "said"))); a.status != http.StatusOK {
			t.Fatal(a)
		}
	}
	log := fmt.Sprintf(`{"resourceLogs":[{"scopeLogs":[{"scope":{"name":"com.anthropic.claude_code.events"},"logRecords":[{"timeUnixNano":"1769342400000000000","traceId":%q,
		"body":{"stringValue":"claude_code.user_prompt"},"attributes":[{"key":"event.name","value":{"stringValue":"user_prompt"}},{"key":"session.id","value":{"stringValue":"of logs"}}]}]}]}]}`,
		strings.ReplaceAll(uuid.NewString(), "-", ""))
	if a := s.export(t, q, "/v1/logs", "application/json", strings.NewReader(log)); a.status != http.StatusOK {
		t.Fatal(a)
	}

	type counts map[string]int
	facet := func() counts {
		t.Helper()
		var got struct {
			Facets map[string][]struct {
				Value string
				Count int
			}
		}
		s.want(t, p, http.MethodPost, "/dashboard/api/query/facets", `{"fields":["key"]}`, http.StatusOK, &got)
		out := counts{}
		for _, v := range got.Facets["key"] {
			out[v.Value] = v.Count
		}
		return out
	}
	want := counts{first.Keys[0].ID: 5, second.ID: 4}
	if diff := cmp.Diff(want, facet()); diff != "" {
		t.Errorf("traces by key (-want +got):\n%s", diff)
	}
	var node struct{ Spans []struct{ APIKeyID *string } }
	s.want(t, p, http.MethodGet, "/v1/traces/"+traceID+"/spans", "", http.StatusOK, &node)
	if len(node.Spans) != 2 || node.Spans[0].APIKeyID == nil || node.Spans[1].APIKeyID == nil || *node.Spans[0].APIKeyID == *node.Spans[1].APIKeyID {
		t.Errorf("%+v", node)
	}

	// What a deleted key sent is still known by its id, which nothing names.
	s.want(t, p, http.MethodDelete, "/dashboard/api/api-keys/"+second.ID, "", http.StatusOK, nil)
	if diff := cmp.Diff(want, facet()); diff != "" {
		t.Errorf("traces by key (-want +got):\n%s", diff)
	}
	var left struct{ Keys []struct{ ID, Name string } }
	s.want(t, p, http.MethodGet, "/dashboard/api/query/keys", "", http.StatusOK, &left)
	if diff := cmp.Diff(first, left); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	var both struct{ Items []struct{ ID string } }
	s.want(t, p, http.MethodPost, "/dashboard/api/query/traces/search", fmt.Sprintf(`{"q":"key:%s key:%s"}`, first.Keys[0].ID, second.ID), http.StatusOK, &both)
	if len(both.Items) != 1 {
		t.Errorf("traces of both keys: %+v", both)
	}
}
