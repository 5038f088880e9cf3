package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/testkit"
)

// exporter is a program of testdata/exporters: the official exporters of a
// language, by the variants that it knows.
type exporter struct {
	language string
	variants []string
	// givesUp are those of variants that do not try again.
	givesUp []string
	install func(*testing.T) (command []string)
}

// sources reads files of a program, which what is installed for it depends on.
func sources(t *testing.T, names ...string) []byte {
	t.Helper()
	var all []byte
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join("testdata", "exporters", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

func absolute(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", "exporters", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var exporters = []exporter{
	{"go", []string{"http", "http-gzip", "grpc", "grpc-gzip"}, nil, func(t *testing.T) []string {
		dir := testkit.Kept(t, "exporters-go", sources(t, "go/go.mod", "go/go.sum", "go/main.go"), func(ctx context.Context, dir string) error {
			return testkit.RunAll(ctx, absolute(t, "go"), []string{"go", "build", "-o", filepath.Join(dir, "exporters"), "."})
		})
		return []string{filepath.Join(dir, "exporters")}
	}},
	{"python", []string{"http", "http-gzip", "http-deflate", "grpc", "grpc-gzip"}, nil, func(t *testing.T) []string {
		base, version := testkit.Python(t)
		dir := testkit.Kept(t, "exporters-python", slices.Concat(sources(t, "python/requirements.txt"), version), func(ctx context.Context, dir string) error {
			return testkit.RunAll(ctx, dir, []string{base, "-m", "venv", dir},
				[]string{filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", absolute(t, "python/requirements.txt")})
		})
		return []string{filepath.Join(dir, "bin", "python"), absolute(t, "python/send.py")}
	}},
	{"node", []string{"json", "json-gzip", "protobuf", "protobuf-gzip", "grpc", "grpc-gzip"}, []string{"grpc", "grpc-gzip"}, func(t *testing.T) []string {
		node, err := exec.LookPath("node")
		if err != nil {
			t.Skipf("this test needs Node: %v", err)
		}
		if _, err := exec.LookPath("npm"); err != nil {
			t.Skipf("this test needs npm: %v", err)
		}
		dir := testkit.Kept(t, "exporters-node", sources(t, "node/package-lock.json", "node/send.js"), func(ctx context.Context, dir string) error {
			for _, name := range []string{"package.json", "package-lock.json", "send.js"} {
				if err := os.WriteFile(filepath.Join(dir, name), sources(t, "node/"+name), 0o600); err != nil {
					return err
				}
			}
			return testkit.RunAll(ctx, dir, []string{"npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"})
		})
		return []string{node, filepath.Join(dir, "send.js")}
	}},
}

// freePort gives a port that nobody listens on now.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// withGRPC starts Pulse with a port for gRPC.
func withGRPC(t *testing.T, env ...string) (p *testkit.Pulse, grpc string) {
	t.Helper()
	port := strconv.Itoa(freePort(t))
	return testkit.NewPulse(t, append(env, "OTLP_GRPC_PORT="+port)...), "127.0.0.1:" + port
}

// start runs all variants of an exporter side by side. wait gives what came of
// it.
func (e exporter) start(t *testing.T, p *testkit.Pulse, key, grpc string) (wait func()) {
	t.Helper()
	command := e.install(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	cmd := exec.CommandContext(ctx, command[0], append(command[1:], e.variants...)...)
	cmd.Env = append(os.Environ(), "HTTP="+p.URL, "GRPC="+grpc, "KEY="+key, "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		defer cancel()
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%v\n%s", err, &out)
		}
	}
}

// received is what must come of a variant, whatever language and encoding.
type received struct {
	SpanID, ParentSpanID            string
	Kind, Service                   string
	Model, Provider, FinishReason   string
	InputTokens, OutputTokens       int64
	CostCents, DurationMS           float64
	Status, TraceID, Name, ToolName string
}

func (e exporter) check(t *testing.T, p *testkit.Pulse, a testkit.Account) {
	t.Helper()
	for _, variant := range e.variants {
		var page struct{ Spans []received }
		p.JSON(a, http.MethodGet, "/v1/spans?service="+e.language+"-"+variant, "", http.StatusOK, &page)
		if len(page.Spans) != 2 {
			t.Errorf("%s: %d spans are shown", variant, len(page.Spans))
			continue
		}
		i := slices.IndexFunc(page.Spans, func(s received) bool { return s.ParentSpanID != "" })
		if i < 0 {
			t.Errorf("%s: no span has a parent: %+v", variant, page.Spans)
			continue
		}
		call, agent := page.Spans[i], page.Spans[1-i]
		if len(call.TraceID) != 32 || len(call.SpanID) != 16 || call.TraceID != agent.TraceID || call.ParentSpanID != agent.SpanID {
			t.Errorf("%s: %+v is not below %+v", variant, call, agent)
		}
		want := received{
			SpanID: call.SpanID, ParentSpanID: agent.SpanID, Kind: "llm_call", Service: e.language + "-" + variant, Model: "gpt-4o-mini", Provider: "openai",
			FinishReason: "stop", InputTokens: 1000, OutputTokens: 100, CostCents: 0.021, DurationMS: call.DurationMS, Status: "success", TraceID: call.TraceID, Name: call.Name,
		}
		if diff := cmp.Diff(want, call); diff != "" {
			t.Errorf("%s:\n%s", variant, diff)
		}
	}
}

// TestExporters lets the official exporters send: protobuf, JSON and gRPC, plain
// and compressed.
func TestExporters(t *testing.T) {
	t.Parallel()
	for _, e := range exporters {
		t.Run(e.language, func(t *testing.T) {
			t.Parallel()
			p, grpc := withGRPC(t)
			a := p.SignUp()
			e.start(t, p, a.Key, grpc)()
			e.check(t, p, a)
			// Where a container has one port, gRPC is sent to it as well.
			b := p.SignUp()
			e.start(t, p, b.Key, strings.TrimPrefix(p.URL, "http://"))()
			e.check(t, p, b)
		})
	}
}

var refusals = regexp.MustCompile(`route=\S+(traces|Export) status=503`)

// TestExportersTryAgain refuses their first attempts: the server is full of
// another request, and has room again when that is gone.
func TestExportersTryAgain(t *testing.T) {
	t.Parallel()
	for _, e := range exporters {
		t.Run(e.language, func(t *testing.T) {
			t.Parallel()
			const room = 200 << 10
			p, grpc := withGRPC(t, fmt.Sprint("MAX_IN_FLIGHT_BYTES=", room))
			a := p.SignUp()
			_ = e.install(t)
			e.variants = slices.DeleteFunc(slices.Clone(e.variants), func(v string) bool { return slices.Contains(e.givesUp, v) })
			release := occupy(t, p, a, room)
			before := len(refusals.FindAllString(p.Output(), -1))
			wait := e.start(t, p, a.Key, grpc)
			testkit.Until(t, "each exporter was refused", func() bool {
				return len(refusals.FindAllString(p.Output(), -1)) >= before+len(e.variants)
			})
			release()
			wait()
			e.check(t, p, a)
		})
	}
}

// occupy takes all but a kilobyte of the room that the server has for requests
// under way, by one that does not end before release is called.
func occupy(t *testing.T, p *testkit.Pulse, a testkit.Account, room int) (release func()) {
	t.Helper()
	for wait := 50 * time.Millisecond; ; wait *= 2 {
		status, rest := hold(t, p, a, room-1024)
		end := func() int {
			if err := rest.Close(); err != nil {
				t.Error(err)
			}
			return <-status
		}
		// Once the server has read all of it, what does not fit beside it is
		// refused. What comes earlier may take the room that is missing then, and
		// have the large request refused: another is begun, with more patience.
		time.Sleep(wait)
		first, second := tooMuch(p, a), tooMuch(p, a)
		if first && second {
			return func() {
				if code := end(); code != http.StatusOK { // blanks are fields that nobody knows
					t.Errorf("the large request: %d", code)
				}
			}
		}
		end()
		if wait > time.Minute {
			t.Fatal("the server never had all of the large request")
		}
	}
}

// tooMuch reports whether the server refuses a request of more than a kilobyte.
func tooMuch(p *testkit.Pulse, a testkit.Account) bool {
	resp, _ := p.Do(a, http.MethodPost, "/v1/traces", strings.Repeat(" ", 1025))
	return resp.StatusCode == http.StatusServiceUnavailable
}

// hold begins a request of so many blanks, which ends when rest is closed, and
// then gives its status.
func hold(t *testing.T, p *testkit.Pulse, a testkit.Account, size int) (status chan int, rest *io.PipeWriter) {
	t.Helper()
	body, rest := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL+"/v1/traces", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+a.Key)
	req.Header.Set("Content-Type", "application/x-protobuf")
	status = make(chan int, 1)
	go func() {
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			status <- 0
			return
		}
		_ = resp.Body.Close()
		status <- resp.StatusCode
	}()
	if _, err := rest.Write(bytes.Repeat([]byte(" "), size)); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		t.Fatal(err)
	}
	return status, rest
}

// collectorConfig is the Collector's: what comes in goes out by every exporter,
// each with the key of its own project. OUT stands for them.
const collectorConfig = `
receivers: {otlp: {protocols: {http: {endpoint: "IN"}}}}
exporters:
OUT
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [NAMES]}
    logs: {receivers: [otlp], exporters: [NAMES]}
    metrics: {receivers: [otlp], exporters: [NAMES]}
`

// TestCollector sends all signals through the OpenTelemetry Collector.
func TestCollector(t *testing.T) {
	t.Parallel()
	dir := testkit.Kept(t, "collector", sources(t, "collector/go.mod", "collector/go.sum", "collector/main.go"), func(ctx context.Context, dir string) error {
		return testkit.RunAll(ctx, absolute(t, "collector"), []string{"go", "build", "-o", filepath.Join(dir, "collector"), "."})
	})
	p, grpc := withGRPC(t)
	accounts := map[string]testkit.Account{}
	var out strings.Builder
	for name, settings := range map[string]string{
		"otlphttp/gzip": "compression: gzip", "otlphttp/zstd": "compression: zstd", "otlphttp/deflate": "compression: deflate", "otlphttp/plain": "compression: none",
		"otlphttp/json": "compression: gzip, encoding: json", "otlp/gzip": "compression: gzip", "otlp/zstd": "compression: zstd", "otlp/plain": "compression: none",
	} {
		a := p.SignUp()
		accounts[name] = a
		endpoint := "endpoint: " + p.URL
		if strings.HasPrefix(name, "otlp/") {
			endpoint = "tls: {insecure: true}, endpoint: " + grpc
		}
		fmt.Fprintf(&out, "  %s: {%s, headers: {Authorization: Bearer %s}, %s}\n", name, endpoint, a.Key, settings)
	}
	in := fmt.Sprint("127.0.0.1:", freePort(t))
	file := filepath.Join(t.TempDir(), "collector.yaml")
	names := strings.Join(slices.Sorted(maps.Keys(accounts)), ", ")
	config := strings.NewReplacer("IN", in, "OUT", out.String(), "NAMES", names).Replace(collectorConfig)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "collector"), file)
	cmd.Env = append(os.Environ(), "NO_PROXY=127.0.0.1")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	testkit.DieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	defer stop()
	collector := testkit.NewClient(t, "http://"+in)
	for path, body := range map[string]string{
		"/v1/traces": `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","name":"op","kind":1,
			"startTimeUnixNano":"1769342400000000000","endTimeUnixNano":"1769342400250000000"}]}]}]}`,
		"/v1/logs": `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1769342400000000000","body":{"stringValue":"hello"},
			"attributes":[{"key":"session.id","value":{"stringValue":"of-logs"}}]}]}]}]}`,
		"/v1/metrics": `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{"asInt":"1","timeUnixNano":"1769342400000000000"}]}}]}]}]}`,
	} {
		testkit.Until(t, "the Collector takes "+path, func() bool {
			resp, _, err := collector.Try(t.Context(), testkit.Account{}, http.MethodPost, path, body)
			return err == nil && resp.StatusCode == http.StatusOK
		})
	}
	for name, a := range accounts {
		testkit.Until(t, name+" has sent", func() bool {
			var page struct{ Total int }
			p.JSON(a, http.MethodGet, "/v1/spans?limit=1", "", http.StatusOK, &page)
			return page.Total == 2
		})
		p.JSON(a, http.MethodGet, "/v1/spans/b7ad6b7169203331", "", http.StatusOK, nil)
	}
	stop() // it sends what it has left
	if n := strings.Count(log.String(), "Partial success"); n < len(accounts) || strings.Contains(log.String(), "Exporting failed") {
		t.Errorf("%d exporters were told that no metrics are kept:\n%s", n, &log)
	}
}

// TestGRPCPortInUse starts where a Collector, or anything else, has the port.
func TestGRPCPortInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:4317")
	if err == nil { // else somebody else has it
		defer l.Close()
	}
	p := testkit.NewPulse(t, "OTLP_GRPC_PORT=") // as if it were not set
	warnings := slices.DeleteFunc(strings.Split(p.Output(), "\n"), func(line string) bool { return !strings.Contains(line, "OTLP_GRPC_PORT") })
	if len(warnings) != 1 || !strings.Contains(warnings[0], "level=WARN") {
		t.Errorf("warnings: %q", warnings)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	asked := testkit.NewPulse(t)
	if err := asked.Stop(); err != nil {
		t.Fatal(err)
	}
	asked.Env = append(asked.Env, fmt.Sprint("OTLP_GRPC_PORT=", taken.Addr().(*net.TCPAddr).Port))
	out, err := asked.Command().CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("OTLP_GRPC_PORT")) {
		t.Errorf("%v: %s", err, out)
	}
}

// TestGRPCStops asks the program to stop in the middle of a call, which it
// answers before it ends.
func TestGRPCStops(t *testing.T) {
	t.Parallel()
	p, grpc := withGRPC(t)
	a := p.SignUp()
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: protocols}, Timeout: time.Minute}
	body, rest := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+grpc+"/opentelemetry.proto.collector.trace.v1.TraceService/Export", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "Authorization": {"Bearer " + a.Key}}
	status := make(chan string, 1)
	go func() {
		resp, err := client.Do(req)
		if err != nil {
			status <- err.Error()
			return
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		status <- fmt.Sprint(resp.Trailer.Get("Grpc-Status"), err)
	}()
	span := []byte("\x0a\x0e\x12\x0c\x12\x0a\x12\x0812345678") // of nothing but an id
	if _, err := rest.Write(append([]byte{0, 0, 0, 0, byte(len(span))}, span[:5]...)); err != nil {
		t.Fatal(err)
	}
	// On the same connection: its answer says that the call has arrived.
	if resp, err := client.Get("http://" + grpc + "/health"); err != nil {
		t.Fatal(err)
	} else if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- p.Stop() }()
	testkit.Until(t, "it is stopping", func() bool { return strings.Contains(p.Output(), "stopping: finishing requests") })
	if _, err := rest.Write(span[5:]); err != nil {
		t.Fatal(err)
	}
	_ = rest.Close()
	if got := <-status; got != "0<nil>" {
		t.Errorf("the call ended with %s", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	p.Start()
	p.JSON(a, http.MethodGet, "/v1/spans/3132333435363738", "", http.StatusOK, nil)
}
