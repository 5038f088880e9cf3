package serverless

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/testkit"
)

// echoBinary builds the Lambda in testdata once.
var echoBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "pulse-test-echo-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "bootstrap")
	cmd := exec.Command("go", "build", "-o", path, "./testdata/echo")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// invokePatience bounds invocations that are not about time: a busy machine may need
// longer for one than the integrationTimeout of an HTTP API.
const invokePatience = 2 * time.Minute

// echo starts n emulators of the Lambda in testdata.
func echo(t *testing.T, n int, out *Output) *Pool {
	t.Helper()
	return echoWithin(t, n, out, invokePatience)
}

func echoWithin(t *testing.T, n int, out *Output, timeout time.Duration) *Pool {
	t.Helper()
	need(t)
	binary, err := echoBinary()
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPool(Function{Name: "echo", Bootstrap: binary, MemoryMB: 128, Timeout: timeout}, n, out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// pid is the answer to an empty event.
func pid(t *testing.T, p *Pool) int {
	t.Helper()
	answer, err := p.Invoke(t.Context(), []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	var v struct{ PID int }
	if err := json.Unmarshal(answer, &v); err != nil || v.PID == 0 {
		t.Fatalf("%s: %v", answer, err)
	}
	return v.PID
}

func TestPoolTakesOneInvocationPerEmulator(t *testing.T) {
	t.Parallel()
	var out Output
	p := echo(t, 2, &out)
	const calls = 8
	errs := make([]error, calls)
	var wg sync.WaitGroup
	for i := range calls {
		wg.Go(func() { _, errs[i] = p.Invoke(t.Context(), []byte(`{"SleepMS":50}`)) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if n := strings.Count(out.String(), "echo: "); n != calls {
		t.Errorf("%d invocations in the output:\n%s", n, out.String())
	}
}

func TestPoolTellsFailures(t *testing.T) {
	t.Parallel()
	p := echo(t, 1, &Output{})
	first := pid(t, p)
	fails := func(p *Pool, event, want string) {
		t.Helper()
		_, err := p.Invoke(t.Context(), []byte(event))
		failed, ok := errors.AsType[*FunctionError](err)
		if !ok || failed.Type != want {
			t.Errorf("%s: %v, want %s", event, err, want)
		}
	}
	fails(p, `{"Do":"fail"}`, "Asked")
	fails(p, `{"Do":"exit"}`, "Runtime.ExitError")
	if again := pid(t, p); again == first {
		t.Error("the function did not start again")
	}
	fails(echoWithin(t, 1, &Output{}, time.Second), `{"SleepMS":60000}`, typeTimeout)
}

// alive tells whether there is a process that has not ended.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestPoolStartsAgainWhatWasKilled(t *testing.T) {
	t.Parallel()
	p := echo(t, 1, &Output{})
	first := pid(t, p)
	p.Kill(0)
	testkit.Until(t, "the function has ended", func() bool { return !alive(first) })
	second := pid(t, p)
	if second == first {
		t.Error("it is the same process")
	}

	// In the middle of an invocation.
	killed := make(chan error)
	go func() {
		_, err := p.Invoke(t.Context(), []byte(`{"SleepMS":1500}`))
		killed <- err
	}()
	testkit.Until(t, "the emulator is busy", func() bool { return len(p.free) == 0 })
	p.Kill(0)
	failed, ok := errors.AsType[*FunctionError](<-killed)
	if !ok || failed.Type != typeKilled {
		t.Errorf("killed: %v", failed)
	}
	third := pid(t, p)

	// The emulator alone: the function finds out by itself.
	p.KillEmulator(0)
	if pid(t, p) == third {
		t.Error("it is the same process")
	}
	testkit.Until(t, "the function has ended", func() bool { return !alive(third) })
}

func TestPoolGoesOnWithoutCaller(t *testing.T) {
	t.Parallel()
	p := echo(t, 1, &Output{})
	first := pid(t, p)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.Invoke(ctx, []byte(`{"SleepMS":300}`)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if again := pid(t, p); again != first {
		t.Error("the invocation was not waited for: the emulator started again")
	}
}

// childPID is what the child of TestPoolEndsWithItsProcess prints.
const childPID = "function: "

func TestPoolEndsWithItsProcess(t *testing.T) {
	if os.Getenv("TESTKIT_CHILD") == "1" {
		p := echo(t, 1, &Output{})
		fmt.Fprintln(os.Stdout, childPID, pid(t, p), p.all[0].cmd.Process.Pid)
		<-t.Context().Done() // killed before that
		return
	}
	echo(t, 1, &Output{}) // skips if there is no emulator
	child := exec.Command(os.Args[0], "-test.run=^TestPoolEndsWithItsProcess$")
	child.Env = append(os.Environ(), "TESTKIT_CHILD=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var function, emulator int
	for lines := bufio.NewScanner(out); function == 0 && lines.Scan(); {
		if _, after, ok := strings.Cut(lines.Text(), childPID); ok {
			if _, err := fmt.Sscan(after, &function, &emulator); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !alive(function) || !alive(emulator) {
		t.Fatalf("function %d and emulator %d do not run", function, emulator)
	}
	if err := child.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	testkit.Until(t, "both have ended", func() bool { return !alive(function) && !alive(emulator) })
}
