package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/testkit"
)

// TestExportImportDelete takes traces of every form out of one project and into
// another, compares what the two answer, and deletes them in the first.
func TestExportImportDelete(t *testing.T) {
	t.Parallel()
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			p := testkit.NewPulse(t, e.env(t)...)
			a := p.SignUp()
			b := a
			p.JSON(a, http.MethodPost, "/dashboard/api/projects", `{"name":"Archive"}`, http.StatusCreated, &struct {
				ProjectID *string
				APIKey    *string
			}{&b.Project, &b.Key})
			var ids []string
			for range 40 {
				ids = append(ids, uuid.NewString())
			}
			p.JSON(a, http.MethodPost, "/v1/traces/batch", testkit.TraceBody(ids...), http.StatusAccepted, nil)
			p.JSON(a, http.MethodPost, "/v1/spans/batch", `[{"span_id":"s1","trace_id":"agent","session_id":"session-1","timestamp":"2026-01-25T12:00:00.123456Z","source":"codex",
				"kind":"tool_use","event_type":"tool_result","status":"error","tool_name":"Bash","tool_input":{"command":"ls"},"error":{"message":"no"}}]`, http.StatusAccepted, nil)
			p.JSON(a, http.MethodPost, "/v1/traces", `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"web"}}]},"scopeSpans":[{"scope":{"name":"x"},"spans":[
				{"traceId":"5b8aa5a2d2c872e8321cf37308d69df2","spanId":"051581bf3cb55c13","name":"chat gpt-4o-mini","startTimeUnixNano":"1769342400000000000","endTimeUnixNano":"1769342400420000000",
				"attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.request.model","value":{"stringValue":"gpt-4o-mini"}},
				{"key":"gen_ai.usage.input_tokens","value":{"intValue":"8"}}]}]}]}]}`, http.StatusOK, nil)

			ask := func(path, body string) (http.Header, string) {
				t.Helper()
				resp, answer := p.Do(a, http.MethodPost, "/dashboard/api/query/"+path, body)
				if resp.StatusCode != http.StatusOK {
					t.Fatalf("%s %s: %s %s", path, body, resp.Status, answer)
				}
				return resp.Header, string(answer)
			}
			var file strings.Builder
			for cursor, pages := "", 0; ; pages++ {
				header, body := ask("export", fmt.Sprintf(`{"limit":15,"cursor":%q}`, cursor))
				file.WriteString(body)
				if cursor = header.Get("Pulse-Next-Cursor"); cursor == "" {
					if pages != 2 {
						t.Errorf("%d pages before the last", pages)
					}
					break
				}
			}
			if n := strings.Count(file.String(), "\n"); n != 42 {
				t.Fatalf("%d lines", n)
			}
			path := filepath.Join(t.TempDir(), "export.jsonl")
			if err := os.WriteFile(path, []byte(file.String()+"\n{\"traces\":[{}]}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			stdout, stderr, status := callIn(t, p, "import", path, "--project", "Archive")
			if status != 1 || stdout != "42 spans of 44 lines: 42 stored, 0 there already.\n" || !strings.Contains(stderr, "line 44: Validation failed: [0 trace_id]") {
				t.Fatalf("import: %d\n%s%s", status, stdout, stderr)
			}
			if stdout, stderr, status := callIn(t, p, "import", "--project", b.Project, path); status != 1 || stdout != "42 spans of 44 lines: 0 stored, 42 there already.\n" {
				t.Fatalf("import again: %d\n%s%s", status, stdout, stderr)
			}
			answers := func(of testkit.Account) string {
				var all strings.Builder
				for _, path := range []string{
					"/v1/traces?limit=1000", "/v1/spans?limit=1000", "/v1/traces/agent", "/v1/traces/5b8aa5a2d2c872e8321cf37308d69df2", "/v1/sessions/session-1",
					"/v1/analytics?date_from=2026-01-01T00:00:00Z&date_to=2026-02-01T00:00:00Z&group_by=model", "/dashboard/api/agent-sessions",
				} {
					var v json.RawMessage
					p.JSON(of, http.MethodGet, path, "", http.StatusOK, &v)
					all.Write(v)
				}
				return strings.ReplaceAll(all.String(), of.Project, "project")
			}
			was := answers(a)
			if got := answers(b); got != was {
				t.Errorf("the project that was imported into answers\n%s\nwant\n%s", got, was)
			}

			ask("delete", fmt.Sprintf(`{"ids":["agent",%q]}`, ids[0]))
			var d struct {
				DeletedTraces int
				Done          bool
			}
			if _, body := ask("delete", `{"q":"model:gpt-4o*"}`); json.Unmarshal([]byte(body), &d) != nil || d.DeletedTraces != 40 || !d.Done {
				t.Errorf("delete: %s", body)
			}
			var list struct{ Traces []any }
			if p.JSON(a, http.MethodGet, "/v1/traces", "", http.StatusOK, &list); len(list.Traces) > 0 {
				t.Errorf("%d traces are left", len(list.Traces))
			}
			if got := answers(b); got != was {
				t.Error("another project's traces went too")
			}
		})
	}
}
