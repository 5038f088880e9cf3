package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/testkit"
)

// TestPrices goes through the prices of an installation and of a project, for
// calls that come and, by pulse reprice, for those that came before.
func TestPrices(t *testing.T) {
	t.Parallel()
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "prices.json")
			if err := os.WriteFile(file, []byte(`[{"model":"house-*","prices":{"input":2,"output":0}}]`), 0o600); err != nil {
				t.Fatal(err)
			}
			p := testkit.NewPulse(t, append(e.env(t), "PRICES_FILE="+file)...)
			a := p.SignUp()
			call := func(model string) (id string) {
				id = uuid.NewString()
				p.JSON(a, http.MethodPost, "/v1/traces/batch", fmt.Sprintf(`[{"trace_id":%q,"timestamp":"2026-02-01T12:00:00Z","provider":"mine","model_requested":%q,
					"status":"success","latency_ms":1,"request_body":{},"input_tokens":500000,"output_tokens":10}]`, id, model), http.StatusAccepted, nil)
				return id
			}
			cost := func(what, id string, want float64) {
				t.Helper()
				var shown struct{ CostCents *float64 }
				p.JSON(a, http.MethodGet, "/v1/traces/"+id, "", http.StatusOK, &shown)
				if shown.CostCents == nil || *shown.CostCents != want {
					got := "nothing"
					if shown.CostCents != nil {
						got = fmt.Sprint(*shown.CostCents)
					}
					t.Errorf("%s costs %s, want %v", what, got, want)
				}
			}
			early, other := call("house-llama"), call("house-mistral")
			cost("a call by the installation's price", early, 100)
			p.JSON(a, http.MethodPost, "/v1/prices", `{"model":"house-llama","prices":{"input":4,"output":0}}`, http.StatusCreated, nil)
			cost("a call by the project's price", call("house-llama"), 200)
			cost("one that came before it", early, 100)

			reprice := func(flags ...string) string {
				t.Helper()
				stdout, stderr, status := callIn(t, p, append([]string{"reprice"}, flags...)...)
				if status != 0 {
					t.Fatalf("reprice %s: status %d\n%s%s", flags, status, stdout, stderr)
				}
				return stdout
			}
			if out := reprice("--dry-run"); out != "1 of 3 spans would change.\n  costNanoUsd: 1 spans, as "+early+"\n  cost in all: +1.000000 USD\n" {
				t.Errorf("reprice --dry-run says %q", out)
			}
			cost("a call after a dry run", early, 100)
			if out := reprice(); !strings.Contains(out, "1 of 3 spans changed.") {
				t.Errorf("reprice says %q", out)
			}
			cost("a call after reprice", early, 200)
			cost("a call of another model", other, 100)
			if err := p.Stop(); err != nil {
				t.Error(err)
			}
			testkit.Recount(t, e.open(t, p), a.Project)
		})
	}
}

// TestPricesFileIsWrong: a start with a file of prices that cannot be used ends
// at once, and says where what is wrong.
func TestPricesFileIsWrong(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "prices.json")
	if err := os.WriteFile(file, []byte(`[{"model":"a","prices":{"input":1}},{"model":"b","prices":{"input":"cheap"}}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{file: "[1].prices.input", filepath.Join(filepath.Dir(file), "missing"): "no such file"} {
		_, stderr, status := call(t, []string{"PORT=0", "OTLP_GRPC_PORT=0", "PULSE_HOST=127.0.0.1", "PULSE_HOME=" + t.TempDir(), "PRICES_FILE=" + path}, "serve")
		if status != 1 || !strings.Contains(stderr, "PRICES_FILE") || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d\n%s", path, status, stderr)
		}
	}
}

// callIn runs a command with the environment of a server.
func callIn(t *testing.T, p *testkit.Pulse, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	return call(t, append([]string{"PULSE_HOME=" + p.Home}, p.Env...), args...)
}
