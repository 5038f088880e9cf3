package pulse

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// sink takes OTLP and keeps the spans.
type sink struct {
	*httptest.Server
	mu       sync.Mutex
	requests []sent
	status   int
	answer   string
	header   map[string]string
}

type sent struct {
	at    time.Time
	head  http.Header
	path  string
	spans []shown
	ok    bool
}

// shown is a span with its attributes as a map.
type shown struct {
	TraceID, SpanID, ParentSpanID, Name string
	Kind                                int
	StartTimeUnixNano, EndTimeUnixNano  string
	Status                              struct{ Code int }
	Events                              []struct{ Name string }
	raw                                 string
	attributes                          map[string]any
}

func newSink(t *testing.T) *sink {
	s := &sink{status: 200}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(r.Body)
		}
		var in struct {
			ResourceSpans []struct {
				ScopeSpans []struct{ Spans []json.RawMessage }
			}
		}
		if err := json.NewDecoder(body).Decode(&in); err != nil {
			t.Errorf("the body is no JSON: %v", err)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		one := sent{at: time.Now(), head: r.Header, path: r.URL.Path, ok: s.status == 200}
		for _, raw := range in.ResourceSpans[0].ScopeSpans[0].Spans {
			one.spans = append(one.spans, read(t, raw))
		}
		s.requests = append(s.requests, one)
		for name, value := range s.header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(s.status)
		io.WriteString(w, s.answer)
	}))
	t.Cleanup(s.Close)
	return s
}

func read(t *testing.T, raw []byte) shown {
	var s struct {
		shown
		Attributes []struct {
			Key   string
			Value map[string]any
		}
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Error(err)
	}
	s.raw, s.attributes = string(raw), map[string]any{}
	for _, a := range s.Attributes {
		for _, v := range a.Value {
			s.attributes[a.Key] = v
		}
	}
	return s.shown
}

func (s *sink) set(status int, answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.answer = status, answer
}

func (s *sink) all() (spans []shown) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.requests {
		if r.ok {
			spans = append(spans, r.spans...)
		}
	}
	return spans
}

func begin(t *testing.T, s *sink, o Options) *Client {
	t.Helper()
	for _, name := range []string{"PULSE_API_KEY", "PULSE_API_URL", "PULSE_ENABLED", "OTEL_SERVICE_NAME"} {
		t.Setenv(name, "")
	}
	if o.APIURL == "" && s != nil {
		o.APIURL = s.URL
	}
	o.APIKey = "pulse_sk_test"
	o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	Init(o)
	c := std()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		_ = c.Shutdown(ctx) // what is left is nobody's
	})
	return c
}

func flushed(t *testing.T, s *sink) []shown {
	t.Helper()
	if err := Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s.all()
}

func fixture(t *testing.T, name string, to any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, to); err != nil {
		t.Fatal(err)
	}
}

func TestOptionsAsInAllSDKs(t *testing.T) {
	var want []struct {
		Name, Type string
		Env        []string
		Default    any
		Min, Max   *int
		Good, Bad  []string
	}
	fixture(t, "options.json", &want)
	names := map[string]string{"apiKey": "APIKey", "apiUrl": "APIURL", "enabled": "Disabled", "captureContent": "OmitContent"}
	get := func(field string) any {
		t.Helper()
		s := Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}.settings()
		v := reflect.ValueOf(s.Options).FieldByName(field)
		if !v.IsValid() {
			t.Fatalf("Options has no %s", field)
		}
		switch x := v.Interface().(type) {
		case time.Duration:
			return float64(x.Milliseconds())
		case int:
			return float64(x)
		default:
			return x
		}
	}
	for _, o := range want {
		field := names[o.Name]
		if field == "" {
			field = strings.ToUpper(o.Name[:1]) + o.Name[1:]
		}
		opposite := names[o.Name] != "" && o.Type == "boolean"
		for _, name := range o.Env {
			t.Setenv(name, "")
		}
		if b, ok := o.Default.(bool); ok && opposite {
			o.Default = !b
		}
		if got := get(field); got != o.Default {
			t.Errorf("%s is %v, not %v", field, got, o.Default)
		}
		env := o.Env[len(o.Env)-1]
		set := func(value string, want any) {
			t.Helper()
			t.Setenv(env, value)
			if got := get(field); got != want {
				t.Errorf("%s=%s makes %v, not %v", env, value, got, want)
			}
		}
		switch o.Type {
		case "boolean":
			set("1", !opposite)
			set("0", opposite)
			set("maybe", o.Default)
		case "string":
			set("x", "x")
		case "address":
			for _, value := range o.Good {
				if set(value, value); get("Disabled") != false {
					t.Errorf("%s=%s is not taken", env, value)
				}
			}
			for _, value := range o.Bad {
				t.Setenv(env, value)
				if get("Disabled") != true {
					t.Errorf("%s=%s is taken", env, value)
				}
			}
		default:
			set(fmt.Sprint(*o.Min), float64(*o.Min))
			set("many", o.Default)
			set("-1", o.Default)
			if o.Max != nil {
				set(fmt.Sprint(*o.Max+1), o.Default)
			}
		}
		t.Setenv(env, "")
	}
}

func TestContentAsInAllSDKs(t *testing.T) {
	var want struct{ Request, Response []string }
	fixture(t, "content.json", &want)
	if got := strings.Fields(keptOfRequest); !reflect.DeepEqual(got, want.Request) {
		t.Errorf("request: %q", got)
	}
	if got := strings.Fields(keptOfResponse); !reflect.DeepEqual(got, want.Response) {
		t.Errorf("response: %q", got)
	}
}

func TestStreamsAsInAllSDKs(t *testing.T) {
	files, _ := filepath.Glob("../testdata/streams/*.json")
	if len(files) < 9 {
		t.Fatalf("only %d streams", len(files))
	}
	for _, file := range files {
		var f struct {
			Path     string
			Events   []json.RawMessage
			Response any
		}
		fixture(t, "streams/"+filepath.Base(file), &f)
		if op := operationOf(f.Path); op != nil {
			asm := op.assembler()
			for _, raw := range f.Events {
				asm.add(decoded(raw).(object))
			}
			var got any
			if err := json.Unmarshal([]byte(toJSON(asm.response())), &got); err != nil || !reflect.DeepEqual(got, f.Response) {
				t.Errorf("%s: %v\n got %s\nwant %s", file, err, toJSON(got), toJSON(f.Response))
			}
			break
		}
	}
}

func TestSending(t *testing.T) {
	s := newSink(t)
	begin(t, s, Options{APIURL: s.URL + "/base/", BatchSize: 10})
	for i := range 25 {
		_, step := StartSpan(context.Background(), fmt.Sprint("step ", i), "chain")
		step.SetInput(strings.Repeat("x", 100))
		step.End()
		step.End()
	}
	spans := flushed(t, s)
	if len(spans) != 25 || Statistics().Sent != 25 || Statistics().QueuedBytes != 0 {
		t.Fatalf("%d spans, %+v", len(spans), Statistics())
	}
	for _, r := range s.requests {
		if r.path != "/base/v1/traces" || r.head.Get("Authorization") != "Bearer pulse_sk_test" || len(r.spans) > 10 {
			t.Errorf("%s, %v, %d spans", r.path, r.head, len(r.spans))
		}
	}
}

func TestTroubleWithPulse(t *testing.T) {
	s := newSink(t)
	begin(t, s, Options{FlushTimeout: 3 * time.Second})
	step := func() {
		_, one := StartSpan(context.Background(), "step", "chain")
		one.End()
	}

	s.header = map[string]string{"Retry-After": "1"}
	s.set(429, "")
	step()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := Flush(ctx); !errors.Is(err, context.DeadlineExceeded) || Statistics().Queued != 1 {
		t.Fatalf("%v, %+v", err, Statistics())
	}
	s.set(200, "<html>") // somebody else's word
	ctx, cancel = context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if err := Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	s.set(200, "{}")
	if err := Flush(context.Background()); err != nil || Statistics().Sent != 1 {
		t.Fatalf("%v, %+v", err, Statistics())
	}
	s.set(400, "no")
	step()
	if err := Flush(context.Background()); err != nil || Statistics().Rejected != 1 {
		t.Fatalf("%v, %+v", err, Statistics())
	}
	s.set(200, `{"partialSuccess":{"rejectedSpans":"1"}}`)
	step()
	if err := Flush(context.Background()); err != nil || Statistics().Rejected != 2 {
		t.Fatalf("%v, %+v", err, Statistics())
	}
}

func TestWaitsHoweverMuchComes(t *testing.T) {
	s := newSink(t)
	s.header = map[string]string{"Retry-After": "60"}
	s.set(503, "")
	begin(t, s, Options{BatchSize: 1, FlushTimeout: 3 * time.Second})
	step := func() {
		_, one := StartSpan(context.Background(), "step", "chain")
		one.End()
	}
	asked := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.requests)
	}
	step()
	for asked() == 0 {
		time.Sleep(time.Millisecond)
	}
	for range 100 {
		step()
		time.Sleep(time.Millisecond)
	}
	if n := asked(); n != 1 {
		t.Errorf("%d requests before Retry-After", n)
	}
	s.set(200, "{}")
	if got := flushed(t, s); len(got) != 101 {
		t.Errorf("%d spans", len(got))
	}
}

func TestWarnsOnceOfAPulseThatRefusesForEver(t *testing.T) {
	s := newSink(t)
	s.set(503, "busy")
	var log said
	c := New(Options{APIKey: "pulse_sk_test", APIURL: s.URL, Logger: log.logger(), FlushInterval: 100 * time.Millisecond, FlushTimeout: 5 * time.Second})
	c.sender.first = time.Millisecond
	for range 3 {
		_, step := c.step(context.Background(), "step", "chain")
		step.End()
	}
	for len(log.lines()[0]) == 0 {
		time.Sleep(time.Millisecond)
	}
	s.mu.Lock()
	n := len(s.requests)
	s.mu.Unlock()
	if want := fmt.Sprintf("pulse: Pulse answers 503 at %s/v1/traces, spans wait for it: ", s.URL); n < tellAfter || !strings.Contains(log.lines()[0], want) {
		t.Errorf("%q after %d requests", log.lines(), n)
	}
	s.set(200, "{}")
	if err := c.Shutdown(context.Background()); err != nil || len(log.lines()) != 1 {
		t.Errorf("%v, %q", err, log.lines())
	}
}

func TestA500IsTriedAgainButNotForEver(t *testing.T) {
	s := newSink(t)
	s.set(500, "cannot")
	begin(t, s, Options{BatchSize: 2, FlushTimeout: 10 * time.Second}).sender.first = time.Millisecond
	for range 3 {
		_, step := StartSpan(context.Background(), "step", "chain")
		step.End()
	}
	for Statistics().Rejected == 0 {
		time.Sleep(time.Millisecond)
	}
	s.set(200, "{}")
	if got := flushed(t, s); len(got) != 1 || Statistics().Rejected != 2 || len(s.requests) < mostFaults+1 {
		t.Errorf("%d spans after %d requests, %+v", len(got), len(s.requests), Statistics())
	}
}

// said keeps what a Client tells the log.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Split(strings.TrimSuffix(s.text.String(), "\n"), "\n")
}

func (s *said) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func TestWarnsOnceOfAPulseThatDoesNotAnswer(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer silent.Close()
	for name, at := range map[string]string{"refused": "http://127.0.0.1:1", "unknown": "http://pulse.invalid", "silent": silent.URL} {
		t.Run(name, func(t *testing.T) {
			var log said
			c := New(Options{
				APIKey: "pulse_sk_secret", APIURL: strings.Replace(at, "//", "//me:secret@", 1), Logger: log.logger(),
				FlushTimeout: time.Second, Timeout: 100 * time.Millisecond,
			})
			for range 3 {
				_, step := c.step(context.Background(), "secret", "chain")
				step.End()
			}
			if err := c.Shutdown(context.Background()); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			lines := log.lines()
			if len(lines) != 2 || !strings.Contains(lines[0], "pulse: Pulse does not answer at "+at+"/v1/traces, spans wait for it: ") ||
				!strings.Contains(lines[1], "pulse: spans not sent to Pulse at "+at+"/v1/traces before the end: 3") || strings.Contains(fmt.Sprint(lines), "secret") {
				t.Errorf("%q", lines)
			}
		})
	}
}

func TestWarnsOnceOfAnAnswerThatIsNotPulses(t *testing.T) {
	s := newSink(t)
	s.set(200, "<html>\n")
	var log said
	c := New(Options{APIKey: "pulse_sk_test", APIURL: s.URL, Logger: log.logger(), FlushTimeout: time.Second, SpillDirectory: t.TempDir()})
	_, step := c.step(context.Background(), "step", "chain")
	step.End()
	_ = c.Shutdown(context.Background())
	lines := log.lines()
	if len(lines) != 2 || !strings.Contains(lines[0], "pulse: what answers at "+s.URL+"/v1/traces is not Pulse") ||
		!strings.Contains(lines[1], "before the end: 1, kept in ") || len(s.requests) < 2 {
		t.Errorf("%q, %d requests", lines, len(s.requests))
	}
}

func TestWarnsOfAnAddressThatIsNone(t *testing.T) {
	for _, name := range []string{"APIURL", "PULSE_API_URL"} {
		var log said
		o := Options{APIKey: "pulse_sk_test", Logger: log.logger()}
		if name == "APIURL" {
			o.APIURL = "localhost:4100"
		} else {
			t.Setenv(name, "localhost:4100")
		}
		c := New(o)
		_, step := c.step(context.Background(), "step", "chain")
		step.End()
		if lines := log.lines(); len(lines) != 1 || !strings.Contains(lines[0], "pulse: "+name+" is no address such as http://host[:port]") || c.recording() {
			t.Errorf("%q, %+v", lines, c.Statistics())
		}
	}
}

func TestAFullQueueDropsTheOldest(t *testing.T) {
	begin(t, nil, Options{APIURL: "http://127.0.0.1:1", QueueBytes: 20_000})
	for range 100 {
		_, step := StartSpan(context.Background(), "step", "chain")
		step.SetInput(strings.Repeat("z", 1000))
		step.End()
	}
	if st := Statistics(); st.QueuedBytes > 20_000 || st.Dropped < 50 || int64(st.Queued)+st.Dropped != 100 {
		t.Errorf("%+v", st)
	}
}

func TestStepsNest(t *testing.T) {
	s := newSink(t)
	begin(t, s, Options{})
	ctx := Session(context.Background(), "s-1")
	outer, agent := Trace(ctx, "agent")
	_, err := RunTool(outer, "get_weather", "call_1", map[string]any{"city": "Oslo"}, func(ctx context.Context, _ map[string]any) (any, error) {
		_, root := Trace(ctx, "other")
		root.End()
		return nil, errors.New("no weather")
	})
	if err == nil {
		t.Fatal("the error is gone")
	}
	agent.SetOutput("done")
	agent.End()
	spans := flushed(t, s)
	root, tool, top := spans[0], spans[1], spans[2]
	if tool.ParentSpanID != top.SpanID || tool.TraceID != top.TraceID || top.ParentSpanID != "" || root.ParentSpanID != "" || root.TraceID == top.TraceID {
		t.Errorf("%+v", spans)
	}
	if tool.Status.Code != statusError || tool.Events[0].Name != "exception" || tool.attributes["gen_ai.tool.call.arguments"] != `{"city":"Oslo"}` ||
		tool.attributes["gen_ai.tool.call.id"] != "call_1" || tool.attributes["session.id"] != "s-1" || top.attributes["output.value"] != "done" {
		t.Errorf("%+v", tool)
	}
}

type hostile struct{}

func (hostile) MarshalJSON() ([]byte, error) { panic("no") }

func TestContents(t *testing.T) {
	record := func(o Options, input any) string {
		s := newSink(t)
		begin(t, s, o)
		_, step := StartSpan(context.Background(), "step", "chain")
		step.SetInput(input)
		step.End()
		value, _ := flushed(t, s)[0].attributes["input.value"].(string)
		return value
	}
	type circular struct{ Self any }
	self := &circular{}
	self.Self = self
	for name, v := range map[string]any{"circular": self, "channel": make(chan int), "NaN": math.NaN(), "panics": hostile{}} {
		if got := record(Options{}, v); !strings.Contains(got, "[") {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, c := range []struct {
		o    Options
		in   any
		want string
	}{
		{Options{OmitContent: true}, "secret", ""},
		{Options{Redact: func(any) any { return "***" }}, "secret", "***"},
		{Options{Redact: func(any) any { panic("secret") }}, "secret", "[redaction failed]"},
		{Options{MaxContentBytes: 5}, map[string]any{"a": "üüüü"}, `{"a":"üü"}`},
		{Options{HashImages: true}, "data:image/png;base64,YW4gaW1hZ2U=", "data:image/png;sha256,b7bff2fb8e33ae5b6d9d1d3f2a4f5d0d"},
	} {
		got := record(c.o, c.in)
		if c.o.HashImages {
			if !strings.HasPrefix(got, "data:image/png;sha256,") || len(got) != len("data:image/png;sha256,")+64 {
				t.Errorf("%q", got)
			}
		} else if got != c.want {
			t.Errorf("%+v of %v: %q, not %q", c.o, c.in, got, c.want)
		}
	}
}

func TestCallsPassAsTheyAre(t *testing.T) {
	s := newSink(t)
	begin(t, s, Options{})
	var got []byte
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"id":"x","model":"m-1","choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":12345678901234567890}}`)
	}))
	defer provider.Close()
	const asked = `{"model":"m", "n":1e2,  "messages":[]}`
	for _, body := range []io.Reader{strings.NewReader(asked), io.MultiReader(strings.NewReader(asked))} { // with GetBody, and without
		resp, err := HTTPClient().Post(provider.URL+"/v1/chat/completions", "application/json", body)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Error(err)
		}
		resp.Body.Close()
		if string(got) != asked {
			t.Errorf("the provider got %q", got)
		}
	}
	resp, _ := HTTPClient().Get(provider.URL + "/v1/models")
	resp.Body.Close()
	resp, _ = HTTPClient().Post(provider.URL+"/v1/threads/1/messages", "application/json", strings.NewReader("{}"))
	resp.Body.Close()
	spans := flushed(t, s)
	if len(spans) == 2 && spans[0].attributes["pulse.request"] != asked {
		t.Errorf("recorded %q", spans[0].attributes["pulse.request"])
	}
	if len(spans) != 2 || spans[0].Name != "chat m" || spans[0].Kind != kindClient || spans[0].attributes["gen_ai.usage.raw"] != `{"prompt_tokens":12345678901234567890}` {
		t.Errorf("%+v", spans)
	}
}

// TestStreamsCutAtAnyByte breaks the connection after each number of bytes: the
// program gets what came, and what is recorded is what it got.
func TestStreamsCutAtAnyByte(t *testing.T) {
	var f struct{ Events []json.RawMessage }
	fixture(t, "streams/chat-text.json", &f)
	var stream bytes.Buffer
	for _, e := range f.Events {
		fmt.Fprintf(&stream, "data: %s\n\n", compacted(t, e))
	}
	size := 0
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = w.Write(stream.Bytes()[:size])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer provider.Close()
	s := newSink(t)
	begin(t, s, Options{BatchSize: 1000, FlushInterval: time.Hour})
	client, was := HTTPClient(), 0
	for size = 0; size < stream.Len(); size++ {
		resp, err := client.Post(provider.URL+"/v1/chat/completions", "application/json", strings.NewReader(`{"model":"m","stream":true}`))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err == nil || string(got) != stream.String()[:size] {
			t.Fatalf("%d bytes: got %d, %v", size, len(got), err)
		}
	}
	spans := flushed(t, s)
	if len(spans) != stream.Len() {
		t.Fatalf("%d spans of %d", len(spans), stream.Len())
	}
	for size, span := range spans {
		var response struct {
			Choices []struct{ Message struct{ Content string } }
		}
		text := ""
		if raw, ok := span.attributes["pulse.response"].(string); ok {
			if err := json.Unmarshal([]byte(raw), &response); err != nil {
				t.Fatal(err)
			}
			for _, c := range response.Choices {
				text += c.Message.Content
			}
		}
		if span.Status.Code != statusError || span.attributes["pulse.stream_ended_early"] != true || len(text) < was {
			t.Fatalf("%d bytes: %+v", size, span)
		}
		was = len(text)
	}
	if was == 0 {
		t.Error("nothing was recorded")
	}
}

func compacted(t *testing.T, raw json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestACallThatTakesTooLong(t *testing.T) {
	provider := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer provider.Close()
	s := newSink(t)
	begin(t, s, Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, provider.URL+"/v1/chat/completions", strings.NewReader(`{"model":"m"}`))
	if _, err := HTTPClient().Do(req); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if spans := flushed(t, s); len(spans) != 1 || spans[0].Status.Code != statusError || spans[0].Events[0].Name != "exception" {
		t.Errorf("%+v", spans)
	}
}

// TestEnds runs itself as programs that end in several ways right after a step.
func TestEnds(t *testing.T) {
	if url := os.Getenv("PULSE_TEST_ENDS"); url != "" {
		Init(Options{APIKey: "pulse_sk_test", APIURL: url, FlushInterval: time.Hour})
		end := func() {}
		switch os.Getenv("PULSE_TEST_END") {
		case "panics":
			end = func() { panic("why") }
		case "gets SIGTERM":
			FlushOnSignal()
			end = func() {
				p, _ := os.FindProcess(os.Getpid())
				_ = p.Signal(syscall.SIGTERM)
				select {}
			}
		}
		defer func() { _ = Shutdown(context.Background()) }() // the parent looks at what came
		_, step := StartSpan(context.Background(), "step", "chain")
		step.End()
		end()
		return
	}
	for how, want := range map[string]string{"returns": "", "panics": "exit status 2", "gets SIGTERM": "signal: terminated"} {
		t.Run(how, func(t *testing.T) {
			s := newSink(t)
			cmd := exec.Command(os.Args[0], "-test.run=^TestEnds$")
			cmd.Env = append(os.Environ(), "PULSE_TEST_ENDS="+s.URL, "PULSE_TEST_END="+how)
			out, err := cmd.CombinedOutput()
			if err == nil && want != "" || err != nil && err.Error() != want {
				t.Errorf("%v: %s", err, out)
			}
			if spans := s.all(); len(spans) != 1 {
				t.Errorf("%d spans: %s", len(spans), out)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	s := newSink(t)
	s.header = map[string]string{"Location": "/elsewhere"}
	s.set(308, "")
	begin(t, s, Options{})
	_, step := StartSpan(context.Background(), "step", "chain")
	step.End()
	if err := Flush(context.Background()); err != nil || Statistics().Rejected != 1 || len(s.requests) != 1 {
		t.Errorf("%v, %+v, %d requests", err, Statistics(), len(s.requests))
	}
}

func TestNothingIsLeftAfterShutdown(t *testing.T) {
	s := newSink(t)
	before := runtime.NumGoroutine()
	c := New(Options{APIKey: "pulse_sk_test", APIURL: s.URL})
	_, step := c.step(context.Background(), "step", "chain")
	step.End()
	if err := c.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	_, late := c.step(context.Background(), "late", "chain")
	late.End()
	if err := c.Shutdown(context.Background()); err != nil || c.Statistics().Sent != 1 || c.Statistics().Queued != 0 {
		t.Errorf("%v, %+v", err, c.Statistics())
	}
	s.CloseClientConnections()
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, before %d", runtime.NumGoroutine(), before)
		}
	}
}

func TestDisabled(t *testing.T) {
	t.Setenv("PULSE_API_KEY", "")
	for _, o := range []Options{{Disabled: true, APIKey: "x"}, {APIKey: "a b", Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}} {
		Init(o)
		ctx, step := Trace(context.Background(), "step")
		step.SetInput(1)
		step.SetError(errors.New("x"))
		step.End()
		if ctx.Value(spanKey) != (*Span)(nil) && ctx.Value(spanKey) != nil || Flush(ctx) != nil || Statistics() != (Stats{}) {
			t.Errorf("%+v records", o)
		}
	}
}

// TestSpillOutlivesAKill runs itself as a process that is killed.
func TestSpillOutlivesAKill(t *testing.T) {
	if dir := os.Getenv("PULSE_TEST_SPILL"); dir != "" {
		Init(Options{APIKey: "pulse_sk_test", APIURL: "http://127.0.0.1:1", SpillDirectory: dir})
		for i := range 250 {
			_, step := StartSpan(context.Background(), fmt.Sprint(i), "chain")
			step.End()
		}
		p, _ := os.FindProcess(os.Getpid())
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		select {}
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestSpillOutlivesAKill$")
	cmd.Env = append(os.Environ(), "PULSE_TEST_SPILL="+dir)
	if err := cmd.Run(); err == nil {
		t.Fatal("it was not killed")
	}
	files, _ := filepath.Glob(dir + "/*")
	if len(files) != 3 {
		t.Fatalf("%d files", len(files))
	}
	// As in a container, where the next process has the same number.
	host, _ := os.Hostname()
	again := filepath.Join(dir, fmt.Sprintf("%s-%d-%s.ndjson", host, os.Getpid(), randomHex(8)))
	if err := os.Rename(files[0], again); err != nil {
		t.Fatal(err)
	}
	f, _ := os.OpenFile(files[2], os.O_APPEND|os.O_WRONLY, 0)
	io.WriteString(f, `{"traceId":"torn`)
	f.Close()

	s := newSink(t)
	begin(t, s, Options{SpillDirectory: dir})
	ids := map[string]bool{}
	for _, one := range flushed(t, s) {
		ids[one.SpanID] = true
	}
	if left, _ := filepath.Glob(dir + "/*"); len(ids) != 250 || len(s.all()) != 250 || len(left) > 0 {
		t.Errorf("%d spans of %d, %d files left", len(ids), len(s.all()), len(left))
	}
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte("data: {\"a\":1}\r\n\r\nevent: x\ndata: 1\ndata: 2\n\n"), 3)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		collect := func(size int) (events []string) {
			var r eventReader
			for rest := stream; len(rest) > 0; {
				n := min(max(size, 1), len(rest))
				r.write(rest[:n], func(data []byte) { events = append(events, string(data)) })
				rest = rest[n:]
			}
			return events
		}
		if whole, cut := collect(len(stream)), collect(size); !reflect.DeepEqual(whole, cut) {
			t.Errorf("cut into %d: %q, not %q", size, cut, whole)
		}
	})
}

func FuzzAssemblers(f *testing.F) {
	files, _ := filepath.Glob("../testdata/streams/*.json")
	for _, file := range files {
		data, _ := os.ReadFile(file)
		var s struct{ Events []json.RawMessage }
		if json.Unmarshal(data, &s) == nil {
			f.Add(bytes.Join(func() (all [][]byte) {
				for _, e := range s.Events {
					all = append(all, e)
				}
				return all
			}(), []byte("\n")))
		}
	}
	f.Fuzz(func(t *testing.T, lines []byte) {
		for _, op := range operations {
			if op.assembler == nil {
				continue
			}
			asm := op.assembler()
			for _, line := range bytes.Split(lines, []byte("\n")) {
				if event, ok := decoded(line).(object); ok {
					asm.add(event)
				}
			}
			asm.response()
			toJSON(asm.response())
		}
	})
}

// streamed is a provider of a stream that begins and ends when it is told to.
func streamed(t *testing.T, events ...string) (url string, last chan<- string) {
	rest := make(chan string)
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		for _, e := range events {
			fmt.Fprintf(w, "data: %s\n\n", e)
		}
		w.(http.Flusher).Flush()
		select {
		case e := <-rest:
			fmt.Fprintf(w, "data: %s\n\ndata: [DONE]\n\n", e)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(provider.Close)
	return provider.URL + "/v1/chat/completions", rest
}

const (
	firstChunk = `{"id":"c","model":"m-1","choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"}}]}`
	lastChunk  = `{"id":"c","model":"m-1","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]}`
)

// TestShutdownEndsWhatIsOpen: an answer that still comes is recorded as far as it
// came, and the program reads on.
func TestShutdownEndsWhatIsOpen(t *testing.T) {
	s := newSink(t)
	begin(t, s, Options{})
	url, last := streamed(t, firstChunk)
	resp, err := HTTPClient().Post(url, "application/json", strings.NewReader(`{"model":"m","stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, len(firstChunk)+8)); err != nil {
		t.Fatal(err)
	}
	if err := Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	spans := s.all()
	if len(spans) != 1 || spans[0].attributes["pulse.stream_ended_early"] != true || !strings.Contains(fmt.Sprint(spans[0].attributes["pulse.response"]), `"content":"Hel"`) {
		t.Errorf("%+v", spans)
	}
	last <- lastChunk
	if rest, err := io.ReadAll(resp.Body); err != nil || !strings.HasSuffix(string(rest), "[DONE]\n\n") {
		t.Errorf("%q, %v", rest, err)
	}
}

// TestShutdownRecordsWhatIsUnanswered: a call that waits for its answer is
// recorded without one, and the program still gets it.
func TestShutdownRecordsWhatIsUnanswered(t *testing.T) {
	s := newSink(t)
	begin(t, s, Options{})
	asked, answer := make(chan struct{}), make(chan struct{})
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-answer
		fmt.Fprint(w, `{"model":"late"}`)
	}))
	defer provider.Close()
	got := make(chan string)
	go func() {
		resp, err := HTTPClient().Post(provider.URL+"/chat/completions", "application/json", strings.NewReader(`{"model":"m"}`))
		if err != nil {
			got <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		got <- string(body)
	}()
	<-asked
	if err := Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	close(answer)
	if body := <-got; body != `{"model":"late"}` {
		t.Errorf("the program got %s", body)
	}
	spans := s.all()
	if len(spans) != 1 || spans[0].Name != "chat m" || spans[0].Status.Code != statusError || spans[0].attributes["error.type"] != "Unanswered" || spans[0].attributes["pulse.request"] != `{"model":"m"}` {
		t.Errorf("%+v", spans)
	}
}

// TestInitAgain: what runs meanwhile goes to the Client of then, and what waited
// for the one before is sent to where that one sends.
func TestInitAgain(t *testing.T) {
	first, second := newSink(t), newSink(t)
	first.set(503, "")
	begin(t, first, Options{FlushTimeout: 50 * time.Millisecond})
	_, waits := StartSpan(context.Background(), "waits", "chain")
	waits.End()
	_, runs := StartSpan(context.Background(), "runs", "chain")
	before := std()
	begin(t, second, Options{FlushTimeout: time.Minute})
	if err := before.Flush(context.Background()); err == nil {
		t.Fatal("it was sent")
	}
	first.set(200, "")
	for end := time.Now().Add(10 * time.Second); len(first.all()) == 0 || before.sender.done.Err() == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d spans", len(first.all()))
		}
	}
	runs.End()
	if spans := flushed(t, second); len(spans) != 1 || spans[0].Name != "runs" || len(first.all()) != 1 || first.all()[0].Name != "waits" {
		t.Errorf("%+v, %+v", first.all(), spans)
	}
}

// TestALongStream: parts of it are read while others come, and the time to its
// first token is that of the event which has it.
func TestALongStream(t *testing.T) {
	s := newSink(t)
	begin(t, s, Options{})
	var text strings.Builder
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, `data: {"id":"c","model":"m-1","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}`+"\n\n")
		w.(http.Flusher).Flush()
		time.Sleep(50 * time.Millisecond)
		for i := range 5000 {
			fmt.Fprintf(&text, "word %d ", i)
			fmt.Fprintf(w, `data: {"choices":[{"index":0,"delta":{"content":"word %d "}}]}`+"\n\n", i)
		}
		fmt.Fprint(w, "data: [DONE]\n\n")
	}))
	defer provider.Close()
	resp, err := HTTPClient().Post(provider.URL+"/v1/chat/completions", "application/json", strings.NewReader(`{"model":"m","stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	spans := flushed(t, s)
	if len(spans) != 1 || spans[0].Name != "chat m" || spans[0].attributes["pulse.stream_ended_early"] != nil {
		t.Fatalf("%+v", spans)
	}
	var answer struct {
		Choices []struct{ Message struct{ Content string } }
	}
	if err := json.Unmarshal([]byte(spans[0].attributes["pulse.response"].(string)), &answer); err != nil || answer.Choices[0].Message.Content != text.String() {
		t.Errorf("%v: %d bytes of %d", err, len(answer.Choices[0].Message.Content), text.Len())
	}
	if first, _ := spans[0].attributes["gen_ai.response.time_to_first_chunk"].(float64); first < 0.05 {
		t.Errorf("the first token after %v s", first)
	}
}

// TestABacklogIsBounded: what is too much is done at once.
func TestABacklogIsBounded(t *testing.T) {
	b := backlog{most: 10}
	begun, going := make(chan struct{}), make(chan struct{})
	b.add(10, func() { close(begun); <-going })
	<-begun
	now := false
	if b.add(1, func() { now = true }); !now {
		t.Error("it waits")
	}
	close(going)
	b.wait(context.Background())
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bytes > 10 || len(b.jobs) > 0 {
		t.Errorf("%d bytes, %d jobs are left", b.bytes, len(b.jobs))
	}
}

// TestErrorsAreRedacted: what an error says may be what a content says.
func TestErrorsAreRedacted(t *testing.T) {
	s := newSink(t)
	begin(t, s, Options{Redact: func(v any) any {
		if text, ok := v.(string); ok {
			return strings.ReplaceAll(text, "secret", "***")
		}
		return v
	}})
	_, step := StartSpan(context.Background(), "step", "chain")
	step.SetError(errors.New("the secret is out"))
	step.End()
	if err := Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if spans := s.all(); len(spans) != 1 || strings.Contains(spans[0].raw, "secret") || strings.Count(spans[0].raw, "the *** is out") != 2 {
		t.Errorf("%+v", spans)
	}
}
