// Package clienttest runs the published clients of the earlier service against a
// running Pulse, whatever host it runs on, and compares what it shows with what
// they were answered.
package clienttest

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/testkit"
)

// testdata holds a program around the published Python SDK with what it needs,
// and what the SDK sent elsewhere.
//
//go:embed testdata
var testdata embed.FS

func read(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := testdata.ReadFile(path.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// shownTrace is what these tests read of a trace.
type shownTrace struct {
	TraceID           string
	Timestamp         string
	SessionID         *string
	LatencyMS         float64
	Provider          *string
	ModelRequested    *string
	ModelUsed         *string
	OutputText        *string
	FinishReason      *string
	ProviderRequestID *string
	Status            string
	Error             map[string]any
	Metadata          map[string]any
	InputTokens       *int64
	OutputTokens      *int64
	CostCents         *float64
	RequestBody       json.RawMessage
	ResponseBody      json.RawMessage
}

// shown reads all traces of a project, the oldest first.
func shown(t *testing.T, c *testkit.Client, a testkit.Account) []shownTrace {
	t.Helper()
	var page struct{ Traces []shownTrace }
	c.JSON(a, http.MethodGet, "/v1/traces?limit=100", "", http.StatusOK, &page)
	slices.Reverse(page.Traces)
	return page.Traces
}

func text(s *string) string {
	if s == nil {
		return "(null)"
	}
	return *s
}

// number gives -1 for null.
func number(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}

// exchange is one answer of the provider, and what Pulse must show of it.
type exchange struct {
	path, answer string
	status       int // 0 is 200

	provider, model, modelUsed, output, finish, requestID string
	session                                               string
	input, tokens                                         int64
	cost                                                  float64 // cents; 0 is unknown
	errorName, errorText                                  string
	metadata                                              map[string]any
}

const (
	openAIPath    = "/v1/chat/completions"
	anthropicPath = "/v1/messages"
	// providerDelay is how long each answer takes, to see it in the latency.
	providerDelay = 40 * time.Millisecond
)

// exchanges are in the order of testdata/calls.py. The SDK names the
// reasons for an end as OpenAI does, leaves out Anthropic's ids, and counts the
// input that was not cached.
var exchanges = []exchange{
	{
		path: openAIPath,
		answer: `{"id":"chatcmpl-1","object":"chat.completion","created":1769342400,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,
			"message":{"role":"assistant","content":"東京です。🗼 Tokyo."},"finish_reason":"stop"}],"usage":{"prompt_tokens":42,"completion_tokens":19,"total_tokens":61}}`,
		provider: "openai", model: "gpt-4o-mini", modelUsed: "gpt-4o-mini-2024-07-18", output: "東京です。🗼 Tokyo.", finish: "stop", requestID: "chatcmpl-1",
		session: "sess-2f1c-青", input: 42, tokens: 19, cost: 0.00177,
		metadata: map[string]any{"plan": "pro", "nested": map[string]any{"a": []any{1.0, nil}}},
	},
	{
		path: openAIPath,
		answer: `{"id":"chatcmpl-2","object":"chat.completion","created":1769342401,"model":"gpt-4o-2024-08-06","choices":[{"index":0,
			"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_80d2","type":"function","function":{"name":"get_weather","arguments":"{\"city\": \"大阪\"}"}}]},
			"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":85,"completion_tokens":14,"total_tokens":99}}`,
		provider: "openai", model: "gpt-4o", modelUsed: "gpt-4o-2024-08-06", output: "(null)", finish: "tool_calls", requestID: "chatcmpl-2",
		session: "(null)", input: 85, tokens: 14, cost: 0.03525,
	},
	{
		path: openAIPath,
		answer: `{"id":"chatcmpl-3","object":"chat.completion","created":1769342402,"model":"gpt-4o-2024-08-06","choices":[{"index":0,
			"message":{"role":"assistant","content":"27 °C ☀️"},"finish_reason":"length"}],"usage":{"prompt_tokens":143,"completion_tokens":16,"total_tokens":159,
			"prompt_tokens_details":{"cached_tokens":128}}}`,
		provider: "openai", model: "gpt-4o", modelUsed: "gpt-4o-2024-08-06", output: "27 °C ☀️", finish: "length", requestID: "chatcmpl-3",
		session: "(null)", input: 143, tokens: 16, cost: 0.05175,
	},
	{
		path: openAIPath, status: http.StatusTooManyRequests,
		answer:   `{"error":{"message":"Rate limit reached. 少し待って。","type":"requests","param":null,"code":"rate_limit_exceeded"}}`,
		provider: "openai", model: "gpt-4o-mini", modelUsed: "(null)", output: "(null)", finish: "(null)", requestID: "(null)",
		session: "(null)", input: -1, tokens: -1, errorName: "RateLimitError", errorText: "Rate limit reached. 少し待って。",
	},
	{
		path: anthropicPath,
		answer: `{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[{"type":"text","text":"391."}],"stop_reason":"end_turn",
			"stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":4,"cache_creation_input_tokens":0,"cache_read_input_tokens":2176}}`,
		provider: "anthropic", model: "claude-sonnet-4-5", modelUsed: "claude-sonnet-4-5-20250929", output: "391.", finish: "stop", requestID: "(null)",
		session: "visit-青", input: 9, tokens: 4, cost: 0.0087, metadata: map[string]any{"tenant": "acme", "attempt": 1.0},
	},
	{
		path: anthropicPath,
		answer: `{"id":"msg_2","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[{"type":"text","text":"Let me look. 🔍"},
			{"type":"tool_use","id":"toolu_1","name":"get_weather","input":{"city":"大阪"}}],"stop_reason":"tool_use","stop_sequence":null,
			"usage":{"input_tokens":116,"output_tokens":31,"cache_creation_input_tokens":0,"cache_read_input_tokens":0}}`,
		provider: "anthropic", model: "claude-sonnet-4-5", modelUsed: "claude-sonnet-4-5-20250929", output: "Let me look. 🔍", finish: "tool_calls", requestID: "(null)",
		session: "visit-青", input: 116, tokens: 31, cost: 0.0813, metadata: map[string]any{"tenant": "acme", "attempt": 2.0},
	},
	{
		path: anthropicPath, status: 529,
		answer:   `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`,
		provider: "anthropic", model: "claude-sonnet-4-5", modelUsed: "(null)", output: "(null)", finish: "(null)", requestID: "(null)",
		session: "visit-青", input: -1, tokens: -1, errorName: "OverloadedError", errorText: "Overloaded",
		metadata: map[string]any{"tenant": "acme", "attempt": 1.0},
	},
}

// fakeProvider answers as OpenAI and Anthropic do, in the order of exchanges.
type fakeProvider struct {
	mu       sync.Mutex
	requests [][]byte // as they were sent
}

func (f *fakeProvider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.requests) == len(exchanges) || r.URL.Path != exchanges[len(f.requests)].path {
		http.Error(w, "unexpected", http.StatusTeapot)
		return
	}
	e := exchanges[len(f.requests)]
	f.requests = append(f.requests, body)
	time.Sleep(providerDelay)
	w.Header().Set("Content-Type", "application/json")
	if e.status != 0 {
		w.WriteHeader(e.status)
	}
	_, _ = io.WriteString(w, e.answer)
}

// PythonSDK runs the published SDK around the official clients: what Pulse
// shows is what the provider answered.
func PythonSDK(t *testing.T, c *testkit.Client) {
	environment := pythonWithSDK(t)
	provider := &fakeProvider{}
	server := httptest.NewServer(provider)
	t.Cleanup(server.Close)
	program := filepath.Join(t.TempDir(), "calls.py")
	if err := os.WriteFile(program, read(t, "calls.py"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := c.SignUp()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(environment, "bin", "python"), "-W", "ignore", program)
	cmd.Env = append(os.Environ(), "PROVIDER="+server.URL, "PULSE_URL="+c.URL, "PULSE_API_KEY="+a.Key, "PYTHONPATH="+filepath.Join(environment, sdkPackage))
	// The SDK prints what it could not send.
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	got := shown(t, c, a)
	if len(got) != len(exchanges) || len(provider.requests) != len(exchanges) {
		t.Fatalf("%d calls were answered and %d are shown, want %d", len(provider.requests), len(got), len(exchanges))
	}
	for i, want := range exchanges {
		want.check(t, got[i], provider.requests[i])
	}
}

func (e exchange) check(t *testing.T, got shownTrace, sent []byte) {
	t.Helper()
	same := exchange{
		path: e.path, answer: e.answer, status: e.status, provider: text(got.Provider), model: text(got.ModelRequested), modelUsed: text(got.ModelUsed),
		output: text(got.OutputText), finish: text(got.FinishReason), requestID: text(got.ProviderRequestID), session: text(got.SessionID),
		input: number(got.InputTokens), tokens: number(got.OutputTokens), metadata: got.Metadata, errorText: e.errorText,
	}
	if got.CostCents != nil {
		same.cost = *got.CostCents
	}
	status := "success"
	if e.errorName != "" {
		status = "error"
		same.errorName, _ = got.Error["name"].(string)
		if message, _ := got.Error["message"].(string); !strings.Contains(message, e.errorText) {
			t.Errorf("error text %q does not hold %q", message, e.errorText)
		}
	} else if got.Error != nil {
		t.Errorf("a success has error %v", got.Error)
	}
	delete(same.metadata, "toolCalls") // added by Pulse
	if len(same.metadata) == 0 {
		same.metadata = nil
	}
	if e.modelUsed == "(null)" {
		same.modelUsed = e.modelUsed // the model that was asked for stands in
	}
	if diff := cmp.Diff(e, same, cmp.AllowUnexported(exchange{})); diff != "" {
		t.Errorf("shown differs from answered:\n%s", diff)
	}
	if got.Status != status {
		t.Errorf("status is %s, want %s", got.Status, status)
	}
	if ms := got.LatencyMS; ms < float64(providerDelay.Milliseconds()) || ms > 30_000 {
		t.Errorf("latency is %v ms; the provider took %s", ms, providerDelay)
	}
	if diff := cmp.Diff(decode(t, sent), decode(t, got.RequestBody)); diff != "" {
		t.Errorf("request differs from what was sent:\n%s", diff)
	}
	if e.errorName == "" && !bytes.Contains(got.ResponseBody, []byte(`"finishReason"`)) {
		t.Errorf("response is %s", got.ResponseBody)
	}
}

// decode gives JSON as values with exact numbers.
func decode(t *testing.T, raw []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %q", err, raw)
	}
	return v
}

// sdkPackage is the directory in the source distribution of the published SDK
// that holds its code. It must be used from there: the wheels, also those that
// pip builds from this distribution, hold none.
const sdkPackage = "pulse_trace_sdk-0.2.4"

// pythonWithSDK gives a virtual environment with the packages of
// requirements.txt and the SDK beside them.
func pythonWithSDK(t *testing.T) string {
	t.Helper()
	base, version := testkit.Python(t)
	list := read(t, "requirements.txt")
	return testkit.Kept(t, "python-sdk", slices.Concat(list, version, []byte(sdkPackage)), func(ctx context.Context, dir string) error {
		python := filepath.Join(dir, "bin", "python") // it finds its packages wherever it is moved to
		requirements := filepath.Join(dir, "requirements.txt")
		if err := os.WriteFile(requirements, list, 0o600); err != nil {
			return err
		}
		return testkit.RunAll(ctx, dir,
			[]string{base, "-m", "venv", dir},
			[]string{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements},
			[]string{
				python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", "pulse-trace-sdk",
				"--dest", dir, strings.ReplaceAll(strings.Replace(sdkPackage, "sdk-", "sdk==", 1), "_", "-"),
			},
			[]string{python, "-m", "tarfile", "-e", filepath.Join(dir, sdkPackage+".tar.gz"), dir},
		)
	})
}

// capture is the truth about a captured request, written down at the provider.
type capture struct {
	Calls []struct {
		Provider, Status string
		RequestModel     string                      `json:"request_model"`
		ResponseModel    string                      `json:"response_model"`
		ResponseID       string                      `json:"response_id"`
		InputTokens      int64                       `json:"input_tokens_total"`
		Uncached         *int64                      `json:"input_tokens_uncached"` // where the wire counts these
		OutputTokens     int64                       `json:"output_tokens"`
		FinishReason     string                      `json:"finish_reason"`
		DurationMS       float64                     `json:"duration_ms"`
		LastUserText     json.RawMessage             `json:"last_user_text"`
		SystemText       json.RawMessage             `json:"system_text"`
		AssistantText    string                      `json:"assistant_text"`
		ToolsOffered     []string                    `json:"tools_offered"`
		ToolCalls        []struct{ ID, Name string } `json:"tool_calls"`
		Error            struct{ Message string }
		Absent           []string `json:"absent_from_capture"`
	}
	Tools    []struct{ ID, Result string }
	SetByApp struct {
		SessionID string         `json:"session_id"`
		Metadata  map[string]any `json:"metadata"`
	} `json:"set_by_app"`
}

// PythonSDKCaptures replays what the SDK sent elsewhere, nulls and all.
func PythonSDKCaptures(t *testing.T, c *testkit.Client) {
	files, err := fs.Glob(testdata, "testdata/captured/*.expect.json")
	if err != nil || len(files) != 7 {
		t.Fatalf("captures: %v, %v", files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(path.Base(file), ".expect.json")
		t.Run(name, func(t *testing.T) {
			var want capture
			if err := json.Unmarshal(read(t, "captured/"+name+".expect.json"), &want); err != nil {
				t.Fatal(err)
			}
			a := c.SignUp()
			c.JSON(a, http.MethodPost, "/v1/traces/async", string(read(t, "captured/"+name+".json")), http.StatusAccepted, nil)
			want.check(t, shown(t, c, a))
		})
	}
}

func (want capture) check(t *testing.T, got []shownTrace) {
	t.Helper()
	if len(got) != len(want.Calls) {
		t.Fatalf("%d calls are shown, want %d", len(got), len(want.Calls))
	}
	var requests []string // with the answers of earlier calls in them
	for i, c := range want.Calls {
		g := got[i]
		is := func(what string, got, want any) {
			t.Helper()
			if !slices.Contains(c.Absent, what) && !cmp.Equal(got, want) {
				t.Errorf("call %d: %s is %v, want %v", i, what, got, want)
			}
		}
		is("provider", text(g.Provider), c.Provider)
		is("request_model", text(g.ModelRequested), c.RequestModel)
		requests = append(requests, flat(t, g.RequestBody))
		for _, long := range []json.RawMessage{c.LastUserText, c.SystemText} {
			if s := beginning(t, long); !strings.Contains(requests[i], s) {
				t.Errorf("call %d: the request does not hold %q", i, s)
			}
		}
		for _, name := range c.ToolsOffered {
			if !strings.Contains(requests[i], name) {
				t.Errorf("call %d: the request does not offer %q", i, name)
			}
		}
		if g.LatencyMS < c.DurationMS {
			t.Errorf("call %d: latency is %v ms, the provider took %v", i, g.LatencyMS, c.DurationMS)
		}
		if c.Status == "error" {
			message, _ := g.Error["message"].(string)
			if g.Status != "error" || !strings.Contains(message, c.Error.Message) {
				t.Errorf("call %d: %s, error %v; want %q", i, g.Status, g.Error, c.Error.Message)
			}
			continue
		}
		is("status", g.Status, "success")
		is("response_model", text(g.ModelUsed), c.ResponseModel)
		is("response_id", text(g.ProviderRequestID), c.ResponseID)
		input := c.InputTokens
		if c.Uncached != nil {
			input = *c.Uncached
		}
		is("input_tokens", number(g.InputTokens), input)
		is("output_tokens", number(g.OutputTokens), c.OutputTokens)
		finish := map[string]string{"end_turn": "stop", "tool_use": "tool_calls"}[c.FinishReason] // as the SDK names them
		if finish == "" {
			finish = c.FinishReason
		}
		is("finish_reason", text(g.FinishReason), finish)
		output := c.AssistantText
		if output == "" {
			output = "(null)"
		}
		is("assistant_text", text(g.OutputText), output)
	}
	all := strings.Join(requests, "\n")
	for _, c := range want.Calls {
		for _, tool := range c.ToolCalls {
			if !strings.Contains(all, tool.ID) || !strings.Contains(all, tool.Name) {
				t.Errorf("no request tells of tool call %s of %s", tool.ID, tool.Name)
			}
		}
	}
	for _, tool := range want.Tools {
		if !strings.Contains(all, tool.Result) {
			t.Errorf("no request holds the tool's result %q", tool.Result)
		}
	}
	if s := want.SetByApp; s.SessionID != "" {
		for key, value := range s.Metadata {
			if !cmp.Equal(got[0].Metadata[key], value) {
				t.Errorf("metadata %s is %v, want %v", key, got[0].Metadata[key], value)
			}
		}
		if text(got[0].SessionID) != s.SessionID {
			t.Errorf("session is %s, want %s", text(got[0].SessionID), s.SessionID)
		}
	}
}

// beginning reads a text of a capture: itself, or if it is long how it starts.
func beginning(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	if len(raw) == 0 {
		return ""
	}
	var long struct{ Starts string }
	if raw[0] == '{' {
		if err := json.Unmarshal(raw, &long); err != nil {
			t.Fatal(err)
		}
		return long.Starts
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// flat gives all strings in a JSON value, keys too, one a line.
func flat(t *testing.T, raw []byte) string {
	t.Helper()
	var b strings.Builder
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			b.WriteString(v + "\n")
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for k, e := range v {
				b.WriteString(k + "\n")
				walk(e)
			}
		}
	}
	walk(decode(t, raw))
	return b.String()
}
