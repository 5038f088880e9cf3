package container_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/host/routes"
	"github.com/pulse-traces/pulse/shared/testkit"
)

const (
	authSecret    = "BETTER_AUTH_SECRET=0123456789abcdef0123456789abcdef"
	encryptionKey = "ENCRYPTION_KEY=fedcba9876543210fedcba9876543210"
)

// needs is what a function must be given beside the database and the log: what
// it starts without, it does not know.
var needs = map[string][]string{
	"dashboard": {authSecret, encryptionKey}, "auth": {authSecret}, "web": {authSecret},
}

// onSQS is a log of queues that nobody else has; migrate makes them.
func onSQS(t *testing.T) []string {
	endpoint := testkit.SQS(t)
	prefix := endpoint + "/" + testkit.AccountID + "/container-" + uuid.NewString()[:8]
	return []string{
		"SQS_ENDPOINT=" + endpoint, "TRACE_QUEUE_URL_PREFIX=" + prefix + "-trace-", "SPAN_QUEUE_URL_PREFIX=" + prefix + "-span-", "SQS_CREATE_QUEUES=on",
		"AWS_REGION=" + testkit.Region, "AWS_ACCESS_KEY_ID=" + testkit.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + testkit.SecretAccessKey,
	}
}

// deployment is functions as containers run them, over a database and a log of
// their own.
type deployment struct {
	env     []string // of what all are given
	running map[string]*testkit.Pulse
}

func deploy(t *testing.T, log []string, functions ...string) *deployment {
	t.Helper()
	d := &deployment{running: map[string]*testkit.Pulse{}}
	d.env = append([]string{"DATABASE_URL=" + testkit.Postgres(t), "TRACE_WAL_PARTITIONS=2", "SPAN_WAL_PARTITIONS=1", "SHUTDOWN_TIMEOUT_SECONDS=30"}, log...)
	migrate := testkit.NewFunction(t, "migrate", d.env...)
	if out, err := migrate.Command().CombinedOutput(); err != nil || !strings.Contains(string(out), "the database is up to date") {
		t.Fatalf("migrate: %v\n%s", err, out)
	}
	for _, name := range functions {
		d.running[name] = testkit.NewFunction(t, name, append(needs[name], d.env...)...)
		d.running[name].Start()
	}
	return d
}

var all = []string{"ingest", "query", "dashboard", "auth", "web", "drain"}

// route is what a request log says of a request.
type route struct{ Method, Route string }

// logged reads the lines of a function's log that are about requests.
func logged(p *testkit.Pulse) (list []route) {
	lines := bufio.NewScanner(strings.NewReader(p.Output()))
	for lines.Scan() {
		var line struct {
			Msg string
			route
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "request" {
			list = append(list, line.route)
		}
	}
	return list
}

// TestJourney goes from a sign-up to a trace that can be read, by way of all
// functions, and stops them.
func TestJourney(t *testing.T) {
	t.Parallel()
	for name, log := range map[string]func(*testing.T) []string{
		"SQS": onSQS, "NATS": func(t *testing.T) []string { return []string{"WAL_URL=" + testkit.NATS(t).URL} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			journey(t, deploy(t, log(t), all...))
		})
	}
}

func journey(t *testing.T, d *deployment) {
	a := d.running["dashboard"]
	auth := d.running["auth"]

	account := signUp(t, a.Client, auth.Client)
	ids := []string{uuid.NewString(), uuid.NewString(), uuid.NewString()}
	d.running["ingest"].JSON(account, http.MethodPost, "/v1/traces/async", testkit.TraceBody(ids[:2]...), http.StatusAccepted, nil)
	a.JSON(account, http.MethodPost, "/dashboard/api/traces/batch", testkit.TraceBody(ids[2]), http.StatusAccepted, nil)
	testkit.Until(t, "the drain has stored what was accepted", func() bool {
		var list struct{ Total int }
		d.running["query"].JSON(account, http.MethodGet, "/v1/traces?limit=10&fields=summary", "", http.StatusOK, &list)
		return list.Total == len(ids)
	})
	a.JSON(account, http.MethodGet, "/dashboard/api/traces/"+ids[0], "", http.StatusOK, nil)

	for name, p := range d.running {
		p.JSON(testkit.Account{}, http.MethodGet, "/health", "", http.StatusOK, nil)
		_, metrics := p.Do(testkit.Account{}, http.MethodGet, "/metrics", "")
		if !strings.Contains(string(metrics), "process_start_time_seconds") {
			t.Errorf("%s: no metrics", name)
		}
		if name == "drain" && (!strings.Contains(string(metrics), "pulse_spans_drained_total 3") || !strings.Contains(string(metrics), `pulse_dead_letters{log="spans"} 0`)) {
			t.Errorf("drain: the metrics tell of no spans or no logs:\n%s", metrics)
		}
		if out, err := p.Command("health").CombinedOutput(); err != nil || !strings.Contains(string(out), `"status":"ok"`) {
			t.Errorf("%s health: %v\n%s", name, err, out)
		}
	}
	for name, p := range d.running {
		if err := p.Stop(); err != nil {
			t.Errorf("%s does not stop: %v", name, err)
		}
		if out, err := p.Command("health").CombinedOutput(); err == nil {
			t.Errorf("%s health, once it has stopped: %s", name, out)
		}
	}
}

// signUp makes an account over the functions that have the routes for it.
func signUp(t *testing.T, dashboard, auth *testkit.Client) testkit.Account {
	t.Helper()
	a := testkit.Account{Email: uuid.NewString() + "@example.com", Password: "correct horse battery"}
	dashboard.JSON(a, http.MethodPost, "/dashboard/api/signup",
		fmt.Sprintf(`{"name":"Ann","email":%q,"password":%q,"projectName":"First"}`, a.Email, a.Password), http.StatusCreated, nil)
	resp, body := auth.Do(testkit.Account{}, http.MethodPost, "/api/auth/sign-in/email", fmt.Sprintf(`{"email":%q,"password":%q}`, a.Email, a.Password))
	var ok bool
	if a.Cookie, _, ok = strings.Cut(resp.Header.Get("Set-Cookie"), ";"); !ok {
		t.Fatalf("sign-in: %s: %s", resp.Status, body)
	}
	var made struct{ ProjectID, APIKey string }
	dashboard.JSON(a, http.MethodPost, "/dashboard/api/projects", `{"name":"Second"}`, http.StatusCreated, &made)
	a.Project, a.Key = made.ProjectID, made.APIKey
	return a
}

// TestRoutes holds each function to the table of routes: it has those, and none
// of the others'.
func TestRoutes(t *testing.T) {
	t.Parallel()
	table, err := routes.Table()
	if err != nil {
		t.Fatal(err)
	}
	d := deploy(t, onSQS(t), routes.Functions...)
	for _, name := range routes.Functions {
		p := d.running[name]
		before := len(logged(p))
		var want []route
		for owner, list := range table {
			for _, r := range list {
				p.Do(testkit.Account{}, r.Method, strings.NewReplacer("{id}", "x", "{token}", "x").Replace(r.Pattern), "")
				got := route{r.Method, r.Pattern}
				if owner != name && !strings.HasPrefix(r.Pattern, "/health") { // which every server has
					got.Route = ""
				}
				want = append(want, got)
			}
		}
		testkit.Until(t, "the log has a line for each request", func() bool { return len(logged(p)) == before+len(want) })
		if diff := cmp.Diff(want, logged(p)[before:]); diff != "" {
			t.Errorf("%s serves (-want +got):\n%s", name, diff)
		}
	}
}

// TestWebAnswersForAll: what no function has is answered as by one server of all.
func TestWebAnswersForAll(t *testing.T) {
	t.Parallel()
	const origin = "https://app.example.com"
	web := testkit.NewFunction(t, "web", append(needs["web"], deploy(t, onSQS(t)).env...)...)
	web.Env = append(web.Env, "PULSE_ALLOWED_ORIGINS="+origin)
	web.Start()
	whole := testkit.NewPulse(t, "PULSE_ALLOWED_ORIGINS="+origin)
	type answer struct {
		Status                      int
		Allow, Type, Origin, Allow2 string
		Body                        string
	}
	ask := func(c *testkit.Client, method, path string) answer {
		req, err := http.NewRequestWithContext(t.Context(), method, c.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var body strings.Builder
		if _, err := bufio.NewReader(resp.Body).WriteTo(&body); err != nil {
			t.Fatal(err)
		}
		h := resp.Header
		return answer{resp.StatusCode, h.Get("Allow"), h.Get("Content-Type"), h.Get("Access-Control-Allow-Origin"), h.Get("Access-Control-Allow-Methods"), body.String()}
	}
	for _, request := range []string{
		"GET /", "GET /login", "GET /assets/nope.js", "GET /nope.txt", "POST /", "GET /openapi.json", "GET /runtime-config.js", "POST /health",
		"GET /v1/nope", "GET /v1/", "PUT /v1/traces", "DELETE /v1/traces/x", "PATCH /v1/traces/batch", "POST /v1/sessions/x/spans", "GET /v1/auth/login",
		"GET /dashboard/api/nope", "PUT /dashboard/api/projects", "OPTIONS /dashboard/api/projects", "OPTIONS /api/auth/sign-in/email", "OPTIONS /v1/traces",
		"GET /api/auth/nope", "GET /api/auth/sign-in/email", "GET /api/nope", "PUT /v1//traces/", "PROPFIND /v1/traces",
	} {
		method, path, _ := strings.Cut(request, " ")
		if diff := cmp.Diff(ask(whole.Client, method, path), ask(web.Client, method, path)); diff != "" {
			t.Errorf("%s (-one server +web):\n%s", request, diff)
		}
	}
}

// TestDatabaseAway: who needs the database says so; ingest goes on.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	env := append(deploy(t, onSQS(t)).env, "DATABASE_URL=postgres://x:y@127.0.0.1:1/x?sslmode=disable")
	for _, name := range all {
		p := testkit.NewFunction(t, name, append(needs[name], env...)...)
		p.StartOnly()
		testkit.Until(t, name+" answers", func() bool {
			resp, _, err := p.Try(t.Context(), testkit.Account{}, http.MethodGet, "/health", "")
			return err == nil && resp.StatusCode == http.StatusOK
		})
		resp, body := p.Do(testkit.Account{}, http.MethodGet, "/health/ready", "")
		if ready := resp.StatusCode == http.StatusOK; ready != (name == "ingest") {
			t.Errorf("%s is ready: %v: %s", name, ready, body)
		}
		if out, err := p.Command("health").CombinedOutput(); (err == nil) != (name == "ingest") || strings.Contains(string(out), "x:y") {
			t.Errorf("%s health: %v: %s", name, err, out)
		}
	}
}

// TestLogAway: what cannot work without the log is not ready, and says so without
// what only the server is given.
func TestLogAway(t *testing.T) {
	t.Parallel()
	env := append(deploy(t, onSQS(t)).env, "SQS_ENDPOINT=http://127.0.0.1:1")
	for name, want := range map[string]string{
		"ingest": `{"log":"failing"}`, "drain": `{"database":"ok","log":"failing"}`, "dashboard": `{"database":"ok"}`,
	} {
		p := testkit.NewFunction(t, name, append(needs[name], env...)...)
		p.StartOnly()
		testkit.Until(t, name+" answers", func() bool {
			resp, _, err := p.Try(t.Context(), testkit.Account{}, http.MethodGet, "/health", "")
			return err == nil && resp.StatusCode == http.StatusOK
		})
		resp, body := p.Do(testkit.Account{}, http.MethodGet, "/health/ready", "")
		if ready := resp.StatusCode == http.StatusOK; ready != (name == "dashboard") || !strings.Contains(string(body), want) {
			t.Errorf("%s is ready: %v: %s", name, ready, body)
		}
		p.Env = nil
		if out, err := p.Command("health").CombinedOutput(); (err == nil) != (name == "dashboard") || !strings.Contains(string(out), "log") && name != "dashboard" {
			t.Errorf("%s health: %v: %s", name, err, out)
		}
	}
}

// TestWithoutRuntime: where the platform cannot be reached, the log has lines of
// its own form alone.
func TestWithoutRuntime(t *testing.T) {
	t.Parallel()
	p := testkit.NewFunction(t, "query", "DATABASE_URL=postgres://x:y@127.0.0.1:1/x", "AWS_LAMBDA_RUNTIME_API=127.0.0.1:1")
	out, err := p.Command().CombinedOutput()
	if err == nil || len(out) == 0 {
		t.Errorf("it ended with %v and %q", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no line of log: %s", line)
		}
	}
}

// TestStartIsToldOnce: a function says that it has started once it has.
func TestStartIsToldOnce(t *testing.T) {
	t.Parallel()
	p := testkit.NewFunction(t, "ingest", "DATABASE_URL=postgres://x:y@127.0.0.1:1/x", "WAL_URL=file:///dev/null/nowhere")
	if out, err := p.Command().CombinedOutput(); err == nil || strings.Contains(string(out), "function started") {
		t.Errorf("without a log: %v: %s", err, out)
	}
}

// TestRefusesToStart: what is missing is said at once, all of it.
func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	status := func(p *testkit.Pulse, args ...string) (int, string) {
		out, err := p.Command(args...).CombinedOutput()
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return exit.ExitCode(), string(out)
		}
		return 0, string(out)
	}
	for name, missing := range map[string][]string{
		"ingest": {"DATABASE_URL", "WAL_URL"}, "query": {"DATABASE_URL"}, "dashboard": {"DATABASE_URL", "WAL_URL", "BETTER_AUTH_SECRET", "ENCRYPTION_KEY"},
		"auth": {"DATABASE_URL", "BETTER_AUTH_SECRET"}, "web": {"DATABASE_URL", "BETTER_AUTH_SECRET"}, "drain": {"DATABASE_URL", "WAL_URL"}, "migrate": {"DATABASE_URL"},
	} {
		p := testkit.NewFunction(t, name)
		code, out := status(p)
		for _, variable := range missing {
			if !strings.Contains(out, variable) {
				code = -1
			}
		}
		if code != 1 || strings.Count(out, " is required")+strings.Count(out, "must say") != len(missing) {
			t.Errorf("%s without its configuration: status %d: %s", name, code, out)
		}
		if code, out := status(p, "version"); code != 0 || out != "dev\n" {
			t.Errorf("%s version: status %d: %s", name, code, out)
		}
		for _, args := range [][]string{{"serve"}, {"health", "x"}, {"--help"}} {
			if code, out := status(p, args...); code != 1 || !strings.Contains(out, "health") {
				t.Errorf("%s %v: status %d: %s", name, args, code, out)
			}
		}
	}
	t.Run("PortInUse", func(t *testing.T) {
		t.Parallel()
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		p := testkit.NewFunction(t, "query", "DATABASE_URL=postgres://127.0.0.1:1/x", "PORT="+port)
		if code, out := status(p); code != 1 || !strings.Contains(out, "listen on PORT "+port) {
			t.Errorf("status %d: %s", code, out)
		}
	})
}

// TestStopsGracefully: a request that is under way is answered, and what the
// drain has in hand is stored.
func TestStopsGracefully(t *testing.T) {
	t.Parallel()
	d := deploy(t, onSQS(t), "dashboard", "auth", "ingest", "query")
	account := signUp(t, d.running["dashboard"].Client, d.running["auth"].Client)
	ingest := d.running["ingest"]
	body, w := newPipe(t, ingest.URL+"/v1/traces/async", account)
	id := uuid.NewString()
	text := testkit.TraceBody(id)
	w(text[:len(text)/2])
	stopped := make(chan error, 1)
	go func() { stopped <- ingest.Stop() }()
	testkit.Until(t, "ingest takes no new connection", func() bool {
		var dialer net.Dialer
		c, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(ingest.URL, "http://"))
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	w(text[len(text)/2:])
	w("")
	if status := <-body; status != http.StatusAccepted {
		t.Errorf("a request that was under way: status %d", status)
	}
	if err := <-stopped; err != nil {
		t.Errorf("ingest does not stop: %v", err)
	}
	drain := testkit.NewFunction(t, "drain", d.env...)
	drain.Start()
	testkit.Until(t, "the trace is stored", func() bool {
		resp, _ := d.running["query"].Do(account, http.MethodGet, "/v1/traces/"+id, "")
		return resp.StatusCode == http.StatusOK
	})
	if err := drain.Stop(); err != nil {
		t.Errorf("the drain does not stop: %v", err)
	}
}

// newPipe posts a body in parts: write sends one, and "" is the end. When it
// returns, the server has begun to read the body. The status of the answer comes
// on the channel.
func newPipe(t *testing.T, url string, a testkit.Account) (status <-chan int, write func(string)) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.Split(url, "/")[2])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_, path, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	fmt.Fprintf(conn, "POST /%s HTTP/1.1\r\nHost: pulse\r\nAuthorization: Bearer %s\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n", path, a.Key)
	reader := bufio.NewReader(conn)
	if resp, err := http.ReadResponse(reader, nil); err != nil || resp.StatusCode != http.StatusContinue {
		t.Fatalf("the server does not read the body: %v, %v", resp, err)
	}
	got := make(chan int, 1)
	go func() {
		resp, err := http.ReadResponse(reader, nil)
		if err != nil {
			got <- 0
			return
		}
		_ = resp.Body.Close()
		got <- resp.StatusCode
	}()
	return got, func(part string) { fmt.Fprintf(conn, "%x\r\n%s\r\n", len(part), part) }
}
