package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/pulse-traces/pulse/shared/otlp/otlptest"
	"github.com/pulse-traces/pulse/shared/testkit"
)

// TestCorpus sends what real instrumentations sent to the program on each
// engine, and compares what it shows with the truth about the programs that
// were traced.
func TestCorpus(t *testing.T) {
	t.Parallel()
	scenarios, err := otlptest.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			p := testkit.NewPulse(t, e.env(t)...)
			a := p.SignUp()
			type score struct{ scenarios, clean, checks, passed int }
			scores := map[string]*score{}
			var families []string
			for i := range scenarios {
				s := &scenarios[i]
				if s.Family == "pulse-python-sdk-0.2.4" { // no OTLP
					continue
				}
				// Ids of different scenarios may be the same: each has a project.
				p.JSON(a, http.MethodPost, "/dashboard/api/projects", fmt.Sprintf(`{"name":%q}`, s.Family+"/"+s.Name), http.StatusCreated, &struct {
					ProjectID *string
					APIKey    *string
				}{&a.Project, &a.Key})
				ids := map[string]bool{}
				for _, r := range s.Requests {
					sendCapture(t, p, a, &r)
				}
				var list struct {
					Traces []struct {
						TraceID string `json:"traceId"`
					}
				}
				p.JSON(a, http.MethodGet, "/v1/traces?limit=1000&fields=summary", "", http.StatusOK, &list)
				var spans []otlptest.Span
				for _, tr := range list.Traces {
					ids[tr.TraceID] = true
					var tree struct{ Spans []otlptest.Span }
					p.JSON(a, http.MethodGet, "/v1/traces/"+url.PathEscape(tr.TraceID)+"/spans?limit=1000", "", http.StatusOK, &tree)
					for _, span := range tree.Spans {
						span.TraceID = tr.TraceID
						spans = append(spans, span)
					}
				}
				result := s.Compare(spans)
				sc := scores[s.Family]
				if sc == nil {
					sc = &score{}
					scores[s.Family] = sc
					families = append(families, s.Family)
				}
				sc.scenarios++
				sc.checks += result.Checks
				sc.passed += result.Checks - len(result.Faults)
				if len(result.Faults) == 0 {
					sc.clean++
				}
				for _, f := range result.Faults {
					t.Errorf("%s/%s %s", s.Family, s.Name, f)
				}
			}
			slices.Sort(families)
			var table strings.Builder
			w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
			for _, f := range families {
				sc := scores[f]
				fmt.Fprintf(w, "%s\t%d/%d\t%d/%d\n", f, sc.clean, sc.scenarios, sc.passed, sc.checks)
			}
			_ = w.Flush()
			t.Log("\n" + table.String())
		})
	}
}

func sendCapture(t *testing.T, p *testkit.Pulse, a testkit.Account, r *otlptest.Request) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL+"/v1/"+r.Signal, strings.NewReader(string(r.Body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+a.Key)
	req.Header.Set("Content-Type", "application/x-protobuf")
	if r.JSON() {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer json.RawMessage
	if resp.StatusCode != http.StatusOK {
		_ = json.NewDecoder(resp.Body).Decode(&answer)
		t.Fatalf("%s: %s %s", r.File, resp.Status, answer)
	}
}
