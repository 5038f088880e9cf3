package serverless

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/testkit"
)

// Function is a compiled Lambda and how it is run.
type Function struct {
	ID        string // in the template
	Name      string // of its folder in functions/
	Bootstrap string // path of the binary
	MemoryMB  int
	Timeout   time.Duration // of an invocation, in whole seconds
	Env       []string      // beside what Lambda sets
}

// FunctionError is an invocation that the function failed, or did not survive.
type FunctionError struct {
	Type, Message string
}

func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

func isFunctionError(err error) bool {
	_, ok := errors.AsType[*FunctionError](err)
	return ok
}

const (
	// typeKilled is the FunctionError of an invocation whose emulator or process ended.
	typeKilled = "Sandbox.Killed"
	// typeTimeout is that of one that took longer than the function's timeout.
	typeTimeout = "Sandbox.Timedout"

	// startPatience is how long a start may take on a busy machine.
	startPatience = 30 * time.Second
)

// Pool runs a function in a number of emulators, each of which takes one
// invocation at a time: a second one would end it. They die with this process.
type Pool struct {
	fn     Function
	rie    string // path of the emulator
	out    *Output
	free   chan *sandbox
	all    []*sandbox
	closed chan struct{}
}

// emulator gives the path of the runtime emulator, testkit.ErrNotInstalled if
// it is not there.
func emulator() (string, error) {
	name := "aws-lambda-rie-" + map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
	dir, err := testkit.CacheDir("rie", "Lambda's runtime emulator", name)
	return filepath.Join(dir, name), err
}

// need skips or fails t where there is no emulator.
func need(t testing.TB) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("Lambda's runtime emulator runs on Linux alone")
	}
	_, err := emulator()
	testkit.Need(t, err, "python3")
}

// NewPool starts n emulators of a function, which prints to out. The function
// itself starts at the first invocation, as on AWS.
func NewPool(fn Function, n int, out *Output) (*Pool, error) {
	rie, err := emulator()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(fn.Bootstrap); err != nil {
		return nil, fmt.Errorf("function %s is not built: %w", fn.Name, err)
	}
	p := &Pool{fn: fn, rie: rie, out: out, free: make(chan *sandbox, n), closed: make(chan struct{})}
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		s := &sandbox{pool: p}
		p.all = append(p.all, s)
		wg.Go(func() { errs[i] = s.run() })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		p.Close()
		return nil, err
	}
	for _, s := range p.all {
		p.free <- s
	}
	return p, nil
}

// Invoke hands an event to a free emulator and gives the function's answer; it
// waits for one while all are busy. The error is a *FunctionError if the
// function failed. When ctx ends nobody waits any more, but the invocation goes
// on, as on AWS.
func (p *Pool) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	var s *sandbox
	select {
	case s = <-p.free:
	case <-p.closed:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	type result struct {
		answer []byte
		err    error
	}
	done := make(chan result, 1)
	go func() {
		answer, err := s.invoke(event)
		p.free <- s
		done <- result{answer, err}
	}()
	select {
	case r := <-done:
		return r.answer, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

var errClosed = errors.New("the function was taken down")

// Size is the number of emulators.
func (p *Pool) Size() int { return len(p.all) }

// Kill ends emulator i with its function at once, whatever it is doing. The
// next invocation that comes to it starts it again.
func (p *Pool) Kill(i int) { p.all[i].kill(true) }

// KillEmulator ends emulator i and leaves its function to itself: that one
// finishes what it is doing, finds nobody to answer to, and ends.
func (p *Pool) KillEmulator(i int) { p.all[i].kill(false) }

// Close ends all emulators. Invocations under way fail.
func (p *Pool) Close() {
	close(p.closed)
	var wg sync.WaitGroup
	for _, s := range p.all {
		wg.Go(func() { s.kill(true) })
	}
	wg.Wait()
}

// sandbox is a place for an emulator, which runs again after it was killed.
type sandbox struct {
	pool *Pool

	mu      sync.Mutex
	cmd     *exec.Cmd
	exited  chan struct{} // closed when cmd has ended
	address string
	client  *http.Client
}

func (s *sandbox) running() bool {
	if s.exited == nil {
		return false
	}
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

// run makes sure that the emulator runs and takes invocations.
func (s *sandbox) run() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.pool.closed:
		return errClosed
	default:
	}
	if s.running() {
		return nil
	}
	var err error
	for range 5 { // another process may take an address in between
		if err = s.start(); err == nil {
			return nil
		}
	}
	return fmt.Errorf("start emulator of %s: %w", s.pool.fn.Name, err)
}

func (s *sandbox) start() error {
	addresses, err := freeAddresses(2)
	if err != nil {
		return err
	}
	fn := s.pool.fn
	s.address = addresses[0]
	s.cmd = exec.Command(s.pool.rie, "--log-level", "info", "--runtime-interface-emulator-address", s.address,
		"--runtime-api-address", addresses[1], fn.Bootstrap)
	s.cmd.Dir = filepath.Dir(fn.Bootstrap)
	s.cmd.Env = append([]string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=en_US.UTF-8", "TZ=:UTC",
		"AWS_LAMBDA_FUNCTION_NAME=" + fn.Name, "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_TIMEOUT=" + strconv.Itoa(int(fn.Timeout.Seconds())), "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(fn.MemoryMB),
		"AWS_REGION=" + testkit.Region, "AWS_DEFAULT_REGION=" + testkit.Region,
		"AWS_ACCESS_KEY_ID=" + testkit.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + testkit.SecretAccessKey,
	}, fn.Env...)
	out := s.pool.out.writer()
	s.cmd.Stdout, s.cmd.Stderr = out, out
	// A function that outlives its emulator may hold the pipe for a while.
	s.cmd.WaitDelay = time.Second
	testkit.DieWithParent(s.cmd)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait() // it is killed in the end
		close(exited)
	}(s.cmd)
	s.exited = exited
	s.client = &http.Client{Transport: &http.Transport{}}
	for end := time.Now().Add(startPatience); ; {
		conn, err := net.Dial("tcp", s.address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-exited:
			return errors.New("it ended at once")
		case <-time.After(2 * time.Millisecond):
		}
		if time.Now().After(end) {
			_ = s.cmd.Process.Kill()
			return errors.New("it does not answer")
		}
	}
}

// Ports of loopback that the system does not give to outgoing connections.
const firstPort, ports = 20_000, 12_000

// nextPort goes round the ports, so that none comes again soon: a function whose
// emulator was killed would take the next one at its address for its own.
var nextPort atomic.Uint32

func init() { nextPort.Store(rand.Uint32N(ports)) } // other processes begin elsewhere

// freeAddresses finds addresses that nobody listens on.
func freeAddresses(n int) ([]string, error) {
	var found []string
	for try := 0; len(found) < n; try++ {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+int(nextPort.Add(1)%ports)))
		l, err := net.Listen("tcp", address)
		if err != nil {
			if try > 1000 {
				return nil, err
			}
			continue
		}
		if err := l.Close(); err != nil {
			return nil, err
		}
		found = append(found, address)
	}
	return found, nil
}

// kill ends the emulator and, if asked, its function.
func (s *sandbox) kill(functionToo bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running() {
		return
	}
	var functions []int
	if functionToo {
		functions = children(s.cmd.Process.Pid)
	}
	_ = s.cmd.Process.Kill() // it has ended, or does now
	for _, pid := range functions {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-s.exited
	s.client.CloseIdleConnections()
}

// children lists the processes that were started by another.
func children(parent int) []int {
	var found []int
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // fails only for a malformed pattern
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// pid (name) state parent …; the name may hold anything.
		_, rest, _ := strings.Cut(string(raw[bytes.LastIndexByte(raw, ')')+1:]), " ")
		fields := strings.Fields(rest)
		if len(fields) < 2 || fields[1] != strconv.Itoa(parent) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			found = append(found, pid)
		}
	}
	return found
}

// invoke hands over one event. The caller has the sandbox for itself.
func (s *sandbox) invoke(event []byte) ([]byte, error) {
	if err := s.run(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	address, client := s.address, s.client
	s.mu.Unlock()
	resp, err := client.Post("http://"+address+"/2015-03-31/functions/function/invocations", "application/json", bytes.NewReader(event))
	if err != nil {
		return nil, &FunctionError{typeKilled, err.Error()}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, &FunctionError{typeKilled, err.Error()}
	}
	return answer, failure(resp.StatusCode, answer)
}

// failure tells an answer from an error, which the emulator gives with status
// 200 too.
func failure(status int, answer []byte) error {
	var e struct {
		ErrorType    string `json:"errorType"`
		ErrorMessage string `json:"errorMessage"`
	}
	err := json.Unmarshal(answer, &e)
	switch {
	case err == nil && e.ErrorType != "":
		return &FunctionError{e.ErrorType, e.ErrorMessage}
	case bytes.HasPrefix(answer, []byte("Task timed out")):
		return &FunctionError{typeTimeout, string(answer)}
	case status == http.StatusBadGateway && len(answer) == 0: // killed so late that the emulator had begun to answer
		return &FunctionError{typeKilled, "the function was killed"}
	case status != http.StatusOK:
		return &FunctionError{fmt.Sprintf("Sandbox.Status%d", status), string(answer)}
	}
	return nil
}
