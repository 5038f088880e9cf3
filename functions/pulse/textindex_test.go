package main

import (
	"database/sql"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/testkit"
)

// A server makes the index of texts by itself, and finds the same before and
// after; one that shall not search makes none.
func TestTextIndex(t *testing.T) {
	t.Parallel()
	for _, set := range []string{"on", "off"} {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			p := testkit.NewPulse(t, "PAYLOAD_SEARCH="+set)
			a := p.SignUp()
			id := uuid.NewString()
			p.JSON(a, http.MethodPost, "/v1/traces/batch", testkit.TraceBody(id, uuid.NewString()), http.StatusAccepted, nil)
			p.JSON(a, http.MethodPost, "/v1/spans/batch", `[{"span_id":"s1","trace_id":"agent","session_id":"s","timestamp":"2026-01-25T12:00:00Z","source":"codex",
				"kind":"tool_use","event_type":"tool_result","status":"success","tool_response":{"text":"Überweisung 4711"}}]`, http.StatusAccepted, nil)
			const search = `{"text":"überweisung"}`
			if set == "off" {
				p.JSON(a, http.MethodPost, "/dashboard/api/query/traces/search", search, http.StatusBadRequest, nil)
				return
			}
			found := func() {
				t.Helper()
				var got struct{ Items []struct{ TraceID string } }
				p.JSON(a, http.MethodPost, "/dashboard/api/query/traces/search", search, http.StatusOK, &got)
				if len(got.Items) != 1 || got.Items[0].TraceID != "agent" {
					t.Fatalf("found %v", got.Items)
				}
			}
			found()
			db, err := sql.Open("sqlite", "file:"+filepath.Join(p.Home, ".data", "pulse.db")+"?_pragma=busy_timeout(10000)")
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			testkit.Until(t, "all chunks have a signature", func() bool {
				var all, signed int
				if err := db.QueryRowContext(t.Context(), `SELECT count(*), count(signature) FROM payload_signatures`).Scan(&all, &signed); err != nil {
					t.Fatal(err)
				}
				return all > 0 && signed == all
			})
			found()
		})
	}
}
