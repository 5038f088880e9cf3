package testkit

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// builds are the programs of functions/ that this process has built.
var builds struct {
	sync.Mutex
	dir   string
	paths map[string]string // by name
}

func build(name string) (path string, err error) {
	builds.Lock()
	defer builds.Unlock()
	if path, ok := builds.paths[name]; ok {
		return path, nil
	}
	if builds.dir == "" {
		if builds.dir, err = os.MkdirTemp("", "pulse-test-bin-"); err != nil {
			return "", err
		}
		builds.paths = map[string]string{}
	}
	path = filepath.Join(builds.dir, name)
	_, here, _, _ := runtime.Caller(0)
	cmd := exec.Command("go", "build", "-o", path, "github.com/pulse-traces/pulse/functions/"+name)
	cmd.Dir = filepath.Dir(here)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	builds.paths[name] = path
	return path, nil
}

// Binary gives the path of the program, built from this checkout.
func Binary(t testing.TB) string {
	t.Helper()
	return Function(t, "pulse")
}

// Function gives the path of the program of functions/<name>, built from this
// checkout for this machine.
func Function(t testing.TB, name string) string {
	t.Helper()
	path, err := build(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Pulse is the real program, started as a process of its own on loopback with a
// home in a temporary directory.
type Pulse struct {
	*Client
	Home string
	Env  []string // beside the test's own environment; changes count from the next Start

	name string // of the program
	port int
	cmd  *exec.Cmd
	out  Buffer
}

// startPatience is how long a start may take on a busy machine.
const startPatience = 60 * time.Second

// NewPulse starts Pulse in single mode; env ("NAME=value") changes that. It is
// stopped, and its output shown if the test failed, at the test's end. NODE_ENV
// is test, as the earlier service's own suites had it.
func NewPulse(t testing.TB, env ...string) *Pulse {
	t.Helper()
	p := newPulse(t, "pulse", env)
	p.Start()
	return p
}

// NewFunction is NewPulse for a function outside Lambda. It does not start it.
func NewFunction(t testing.TB, name string, env ...string) *Pulse {
	t.Helper()
	return newPulse(t, name, env)
}

func newPulse(t testing.TB, name string, env []string) *Pulse {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	p := &Pulse{Client: NewClient(t, fmt.Sprintf("http://127.0.0.1:%d", port)), Home: t.TempDir(), Env: env, name: name, port: port}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("output of %s:\n%s", name, p.Output())
		}
	})
	return p
}

// Output is what the process has printed so far, over all starts.
func (p *Pulse) Output() string { return p.out.String() }

// Command makes a call of the program with p's environment.
func (p *Pulse) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(Function(p.t, p.name), args...)
	cmd.Dir = p.Home
	cmd.Env = append(os.Environ(), append([]string{"PULSE_HOME=" + p.Home, "PORT=" + strconv.Itoa(p.port), "PULSE_HOST=127.0.0.1", "NODE_ENV=test", "OTLP_GRPC_PORT=0"}, p.Env...)...)
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
			p.t.Fatalf("%s did not become ready: %v\n%s", p.name, err, p.Output())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// StartOnly starts the process and does not wait.
func (p *Pulse) StartOnly() {
	p.t.Helper()
	p.cmd = p.Command()
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	DieWithParent(p.cmd)
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
