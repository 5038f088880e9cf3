package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/testkit"
)

// integration is a page of docs/integrations that has a program.
type integration struct {
	name    string
	install []string // what pip or npm is to install
	script  string   // its commands, without the installation
	program string
	js      bool
}

// quick is the integration that each run of the tests tries.
const quick = "opentelemetry"

var (
	fenced   = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")
	installs = regexp.MustCompile(`^(?:pip|npm) install (.+)$`)
)

// integrations reads the pages.
func integrations(t *testing.T) (all []integration) {
	t.Helper()
	pages, err := filepath.Glob(filepath.Join("..", "..", "docs", "integrations", "*.md"))
	if err != nil || len(pages) < 10 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		in := integration{name: strings.TrimSuffix(filepath.Base(page), ".md")}
		for _, m := range fenced.FindAllStringSubmatch(string(text), -1) {
			switch m[1] {
			case "python", "js":
				in.program, in.js = m[2], m[1] == "js"
			case "sh":
				for line := range strings.Lines(m[2]) {
					if found := installs.FindStringSubmatch(strings.TrimSpace(line)); found != nil {
						in.install = strings.Fields(strings.ReplaceAll(found[1], `"`, ""))
					} else {
						in.script += line
					}
				}
			}
		}
		if in.program == "" {
			continue
		}
		if in.install == nil || in.script == "" {
			t.Errorf("%s: a program and no way to run it", page)
		}
		all = append(all, in)
	}
	return all
}

// prepare installs what the program needs, and gives where that is and the
// directory of its commands.
func (in *integration) prepare(t *testing.T) (dir, bin string) {
	t.Helper()
	what := []byte(strings.Join(in.install, " "))
	if in.js {
		if _, err := exec.LookPath("npm"); err != nil {
			t.Skipf("this test needs Node: %v", err)
		}
		dir = testkit.Kept(t, "integration-"+in.name, what, func(ctx context.Context, dir string) error {
			return testkit.RunAll(ctx, dir, append([]string{"npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"}, in.install...))
		})
		return dir, filepath.Join(dir, "node_modules", ".bin")
	}
	base, version := testkit.Python(t)
	dir = testkit.Kept(t, "integration-"+in.name, append(what, version...), func(ctx context.Context, dir string) error {
		return testkit.RunAll(ctx, dir, []string{base, "-m", "venv", dir},
			append([]string{filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"}, in.install...))
	})
	return dir, filepath.Join(dir, "bin")
}

// run does what the page says, in a directory of its own.
func (in *integration) run(t *testing.T, pulse, key, provider string) {
	t.Helper()
	installed, bin := in.prepare(t)
	dir, name := t.TempDir(), "program.py"
	if in.js {
		name = "program.mjs"
		if err := os.Symlink(filepath.Join(installed, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(in.program), 0o600); err != nil {
		t.Fatal(err)
	}
	script := strings.NewReplacer("http://localhost:3000", pulse, "pulse_sk_...", key).Replace(in.script)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-e", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+dir, "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1",
		"OPENAI_API_KEY=sk-test", "OPENAI_BASE_URL="+provider+"/v1", "OPENAI_API_BASE="+provider+"/v1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Paris.") {
		t.Fatalf("%v\n%s", err, out)
	}
}

const question = "What is the capital of France?"

// newProvider answers the question as OpenAI's chat completions do.
func newProvider(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/chat/completions" || !strings.Contains(string(body), question) {
			t.Errorf("the provider was asked %s %s, %v: %s", r.Method, r.URL.Path, err, body)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"id":"chatcmpl-1","object":"chat.completion","created":1795000000,"model":"gpt-4o-mini-2024-07-18",
			"choices":[{"index":0,"message":{"role":"assistant","content":"Paris.","refusal":null},"finish_reason":"stop","logprobs":null}],
			"usage":{"prompt_tokens":14,"completion_tokens":2,"total_tokens":16}}`)
	}))
	t.Cleanup(s.Close)
	return s
}

// shownSpan is a span of GET /v1/traces/:id/spans.
type shownSpan struct {
	Name, Kind, ModelRequested    string
	Counted                       bool
	InputMessages, OutputMessages json.RawMessage
	Usage                         *struct{ InputTokens, OutputTokens int64 }
	CostNanoUSD                   *int64 `json:"costNanoUsd"`
	Service                       *string
}

func (s shownSpan) String() string {
	return fmt.Sprintf("%s %q: model %q, counted %v, %s → %s", s.Kind, s.Name, s.ModelRequested, s.Counted, s.InputMessages, s.OutputMessages)
}

// TestIntegrations does what each page of docs/integrations says, and looks for
// what it says that Pulse shows: one call, once, with its texts, tokens and cost.
func TestIntegrations(t *testing.T) {
	t.Parallel()
	for _, in := range integrations(t) {
		t.Run(in.name, func(t *testing.T) {
			t.Parallel()
			if in.name != quick && os.Getenv("PULSE_INTEGRATIONS") != "1" {
				t.Skip("make test-integrations runs this")
			}
			provider := newProvider(t)
			p := testkit.NewPulse(t, "OTLP_GRPC_PORT=0")
			a := p.SignUp()
			in.run(t, p.URL, a.Key, provider.URL)

			var traces struct{ Traces []struct{ TraceID string } }
			p.JSON(a, http.MethodGet, "/v1/traces", "", http.StatusOK, &traces)
			if len(traces.Traces) == 0 {
				t.Fatal("Pulse shows no call")
			}
			var tree struct{ Spans []shownSpan }
			p.JSON(a, http.MethodGet, "/v1/traces/"+traces.Traces[0].TraceID+"/spans", "", http.StatusOK, &tree)
			calls := 0
			for _, s := range tree.Spans {
				if s.Kind != "llm_call" || !s.Counted {
					continue
				}
				calls++
				if !strings.HasPrefix(s.ModelRequested, "gpt-4o-mini") || !strings.Contains(string(s.InputMessages), question) || !strings.Contains(string(s.OutputMessages), "Paris.") {
					t.Errorf("the call is shown as %v", s)
				}
				if s.Usage == nil || s.Usage.InputTokens != 14 || s.Usage.OutputTokens != 2 {
					t.Errorf("usage %+v", s.Usage)
				}
				if s.CostNanoUSD == nil || *s.CostNanoUSD != 14*150+2*600 { // $0.15 and $0.60 a million
					t.Errorf("no cost, or a wrong one: %v", s.CostNanoUSD)
				}
				if strings.Contains(in.script+in.program, "geography") && (s.Service == nil || *s.Service != "geography") {
					t.Errorf("service %v", s.Service)
				}
			}
			if calls != 1 {
				t.Errorf("%d calls are counted of %v", calls, tree.Spans)
			}
		})
	}
}
