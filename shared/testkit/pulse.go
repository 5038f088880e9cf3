package testkit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
)

// build makes the real program once per test binary.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "pulse-test-bin-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "pulse")
	_, here, _, _ := runtime.Caller(0)
	cmd := exec.Command("go", "build", "-o", path, "github.com/pulse-traces/pulse/functions/pulse")
	cmd.Dir = filepath.Dir(here)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build pulse: %w\n%s", err, out)
	}
	return path, nil
})

// Binary gives the path of the program, built from this checkout.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Pulse is the real program, started as a process of its own on loopback with a
// home in a temporary directory.
type Pulse struct {
	URL  string
	Home string
	Env  []string // beside the test's own environment; changes count from the next Start

	t    testing.TB
	port int
	cmd  *exec.Cmd
	out  lockedBuffer
}

// lockedBuffer collects a process's output while the test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startPatience is how long a start may take on a busy machine.
const startPatience = 60 * time.Second

// NewPulse starts Pulse in single mode; env ("NAME=value") changes that. It is
// stopped, and its output shown if the test failed, at the test's end. NODE_ENV
// is test, as the earlier service's own suites had it.
func NewPulse(t testing.TB, env ...string) *Pulse {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	p := &Pulse{URL: fmt.Sprintf("http://127.0.0.1:%d", port), Home: t.TempDir(), Env: env, t: t, port: port}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("output of pulse:\n%s", p.Output())
		}
	})
	p.Start()
	return p
}

// Output is what the process has printed so far, over all starts.
func (p *Pulse) Output() string { return p.out.String() }

// Command makes a call of the program with p's environment.
func (p *Pulse) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(Binary(p.t), args...)
	cmd.Dir = p.Home
	cmd.Env = append(os.Environ(), append([]string{"PULSE_HOME=" + p.Home, "PORT=" + strconv.Itoa(p.port), "PULSE_HOST=127.0.0.1", "NODE_ENV=test"}, p.Env...)...)
	return cmd
}

// Start starts the process and waits until it is ready.
func (p *Pulse) Start() {
	p.t.Helper()
	p.StartOnly()
	for end := time.Now().Add(startPatience); ; {
		resp, err := http.Get(p.URL + "/health/ready")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(end) || p.cmd.ProcessState != nil {
			p.t.Fatalf("pulse did not become ready: %v\n%s", err, p.Output())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// StartOnly starts the process and does not wait.
func (p *Pulse) StartOnly() {
	p.t.Helper()
	p.cmd = p.Command()
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	dieWithParent(p.cmd)
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// Kill ends the process as a power cut would, as far as a process can tell.
func (p *Pulse) Kill() {
	if p.cmd != nil && p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

// Stop asks the process to end and gives its error, nil for exit status 0.
func (p *Pulse) Stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.cmd.Wait()
}

// Account is somebody who signed up, with a project and a key.
type Account struct {
	Email, Password string
	Cookie          string // for the Cookie header
	Project         string
	Key             string
}

// SignUp makes an account with a project and a key over HTTP.
func (p *Pulse) SignUp() Account {
	p.t.Helper()
	a := Account{Email: uuid.NewString() + "@example.com", Password: "correct horse battery"}
	p.must(a, http.MethodPost, "/dashboard/api/signup", fmt.Sprintf(`{"name":"Ann","email":%q,"password":%q,"projectName":"First"}`, a.Email, a.Password), http.StatusCreated, nil)
	resp, _ := p.Do(Account{}, http.MethodPost, "/api/auth/sign-in/email", fmt.Sprintf(`{"email":%q,"password":%q}`, a.Email, a.Password))
	a.Cookie, _, _ = strings.Cut(resp.Header.Get("Set-Cookie"), ";")
	var made struct{ ProjectID, APIKey string }
	p.must(a, http.MethodPost, "/dashboard/api/projects", `{"name":"Second"}`, http.StatusCreated, &made)
	a.Project, a.Key = made.ProjectID, made.APIKey
	return a
}

// Do sends a request as a: with the key under /v1, else with cookie and project.
func (p *Pulse) Do(a Account, method, path, body string) (*http.Response, []byte) {
	p.t.Helper()
	resp, b, err := p.Try(context.Background(), a, method, path, body)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp, b
}

// Try is Do for servers that may be down.
func (p *Pulse) Try(ctx context.Context, a Account, method, path, body string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, p.URL+path, strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if strings.HasPrefix(path, "/v1/") {
		req.Header.Set("Authorization", "Bearer "+a.Key)
	} else if a.Cookie != "" {
		req.Header.Set("Cookie", a.Cookie)
		req.Header.Set("X-Project-Id", a.Project)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	b, err := io.ReadAll(resp.Body)
	return resp, b, errors.Join(err, resp.Body.Close())
}

// JSON sends a request as a, demands a status and decodes the answer into v.
func (p *Pulse) JSON(a Account, method, path, body string, status int, v any) {
	p.t.Helper()
	p.must(a, method, path, body, status, v)
}

func (p *Pulse) must(a Account, method, path, body string, status int, v any) {
	p.t.Helper()
	resp, b := p.Do(a, method, path, body)
	if resp.StatusCode != status {
		p.t.Fatalf("%s %s: %s: %s; want %d", method, path, resp.Status, b, status)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal(b, v); err != nil {
		p.t.Fatalf("%s %s: %v in %s", method, path, err, b)
	}
}

// TraceBody makes the wire form of traces with the given ids.
func TraceBody(ids ...string) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"trace_id":%q,"timestamp":"2026-01-25T12:%02d:00.000Z","provider":"openai","model_requested":"gpt-4o","status":"success",`+
			`"latency_ms":%d,"request_body":{"messages":[{"role":"user","content":"Hello %d"}]},"output_text":"Hi","input_tokens":%d,"output_tokens":2,`+
			`"cost_cents":0.25,"session_id":"session-%d"}`, id, i%60, 100+i, i, 10+i, i%7)
	}
	b.WriteByte(']')
	return b.String()
}
