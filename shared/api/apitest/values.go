package apitest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// value is one field of an otherwise valid record, and what the earlier service
// made of it.
type value struct {
	Field  string
	Value  json.RawMessage
	Status int
	Stored json.RawMessage // what was read back
}

// values sends each value, and reads back those that are taken.
func (s *suite) values(t *testing.T) {
	t.Parallel()
	raw, err := testdata.ReadFile("testdata/values.json")
	if err != nil {
		t.Fatal(err)
	}
	var table map[string][]value
	if err := json.Unmarshal(raw, &table); err != nil {
		t.Fatal(err)
	}
	p := s.signUp(t)
	for form, rows := range table {
		for _, v := range rows {
			s.sendValue(t, p, form, v)
		}
	}
}

func (s *suite) sendValue(t *testing.T, p person, form string, v value) {
	t.Helper()
	id, idField, record := uuid.NewString(), "span_id", spanRecord
	if form == "traces" {
		idField, record = "trace_id", traceRecord
	}
	body := strings.TrimSuffix(record(id), "}") + fmt.Sprintf(`,%q:%s}`, v.Field, v.Value) // of a repeated name the last counts
	want := v.status(form)
	a := s.as(t, p, http.MethodPost, "/v1/"+form+"/batch", "["+body+"]")
	if a.status != want {
		t.Errorf("%s.%s = %s: %s, want %d", form, v.Field, v.Value, a, want)
		return
	}
	if want == http.StatusBadRequest {
		var refused struct {
			Details []struct{ Path json.RawMessage }
		}
		err := json.Unmarshal(a.body, &refused)
		if place := fmt.Sprintf(`[0,%q]`, v.Field); err != nil || len(refused.Details) != 1 || string(refused.Details[0].Path) != place {
			t.Errorf("%s.%s = %s: %s, want one detail at %s", form, v.Field, v.Value, a, place)
		}
		return
	}
	if v.Stored == nil || string(v.Stored) == "1e-12" { // less than a nano-dollar
		return
	}
	if v.Field == idField {
		if err := json.Unmarshal(v.Value, &id); err != nil {
			t.Fatal(err)
		}
	}
	got := s.as(t, p, http.MethodGet, "/v1/"+form+"/"+id, "")
	name := underscored.ReplaceAllStringFunc(v.Field, func(s string) string { return strings.ToUpper(s[1:]) })
	for _, problem := range newNames().missing([]byte(fmt.Sprintf(`{%q:%s}`, name, v.Stored)), got.body) {
		t.Errorf("%s.%s = %s: read back: %s", form, v.Field, v.Value, problem)
	}
}

var underscored = regexp.MustCompile(`_[a-z]`)

// status is what Pulse answers, which takes more than the earlier service did,
// and in one field less.
func (v *value) status(form string) int {
	text, null := "", string(v.Value) == "null"
	isText := json.Unmarshal(v.Value, &text) == nil && !null
	required := map[string]string{
		"traces": "trace_id timestamp provider model_requested request_body status latency_ms",
		"spans":  "span_id session_id timestamp source kind event_type status",
	}
	switch {
	case null && !strings.Contains(required[form], v.Field): // the same as absent
		return http.StatusAccepted
	case v.Field == "provider" && text != "", v.Field == "session_id" && text == "sess-1": // free text
		return http.StatusAccepted
	case form == "spans" && (v.Field == "span_id" || v.Field == "parent_span_id") && isText && text != "": // any text, as generation 2 has it
		return http.StatusAccepted
	case form == "spans" && (text == "sdk" || text == "llm_call"):
		return http.StatusAccepted
	case v.Field == "timestamp" && (text == "0001-01-01T00:00:00Z" || text == "9999-12-31T23:59:59.999Z"):
		return http.StatusBadRequest
	}
	return v.Status
}
