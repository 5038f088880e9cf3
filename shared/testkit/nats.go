package testkit

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// natsServer builds nats-server from the module that go.mod names, or finds it
// in the build cache.
var natsServer = sync.OnceValues(func() (string, error) {
	_, here, _, _ := runtime.Caller(0)
	cmd := exec.Command("go", "tool", "-n", "nats-server")
	cmd.Dir = filepath.Dir(here)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("build nats-server: %w\n%s", err, exit.Stderr)
	}
	if err != nil {
		return "", fmt.Errorf("build nats-server: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
})

// NATSServer is a real nats-server with JetStream, on loopback, as a process of
// its own with its data in a temporary directory.
type NATSServer struct {
	URL string

	t       testing.TB
	address string
	config  string // its path
	cmd     *exec.Cmd
	out     Buffer
}

// NATS starts a server; settings are lines of its configuration file beside
// those that place it. It ends with the test, or with the process.
func NATS(t testing.TB, settings ...string) *NATSServer {
	t.Helper()
	s := newNATS(t, freeAddress(t), "n1", settings...)
	s.Start()
	return s
}

// NATSCluster starts n servers that make one cluster. They answer at once;
// JetStream does when they have elected a leader.
func NATSCluster(t testing.TB, n int) []*NATSServer {
	t.Helper()
	var routes []string
	for range n {
		routes = append(routes, freeAddress(t))
	}
	var servers []*NATSServer
	for i, route := range routes {
		s := newNATS(t, freeAddress(t), fmt.Sprintf("n%d", i+1), fmt.Sprintf("cluster { name: test, listen: %q, routes: [%s] }",
			route, "nats://"+strings.Join(routes, ", nats://")))
		s.Start()
		servers = append(servers, s)
	}
	return servers
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func newNATS(t testing.TB, address, name string, settings ...string) *NATSServer {
	t.Helper()
	dir := t.TempDir()
	s := &NATSServer{t: t, address: address, URL: "nats://" + address, config: filepath.Join(dir, "nats.conf")}
	lines := append([]string{
		fmt.Sprintf("listen: %q", address), "server_name: " + name,
		fmt.Sprintf("jetstream { store_dir: %q, max_memory_store: 64MB, max_file_store: 4GB }", filepath.Join(dir, "data")),
	}, settings...)
	if err := os.WriteFile(s.config, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			t.Logf("output of nats-server %s:\n%s", name, s.out.String())
		}
	})
	return s
}

// Start starts a server that does not run and waits until it takes connections.
func (s *NATSServer) Start() {
	s.t.Helper()
	binary, err := natsServer()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(binary, "-c", s.config)
	cmd.Stdout, cmd.Stderr = &s.out, &s.out
	DieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.cmd = cmd
	for end := time.Now().Add(startPatience); !s.answers(); {
		if time.Now().After(end) {
			s.t.Fatal("nats-server does not take connections")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// answers reports whether a connection is greeted.
func (s *NATSServer) answers() bool {
	conn, err := net.DialTimeout("tcp", s.address, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return false
	}
	greeting, err := bufio.NewReader(conn).ReadString('\n')
	return err == nil && strings.HasPrefix(greeting, "INFO ")
}

// Stop ends the server in order; its data stay for the next Start.
func (s *NATSServer) Stop() { s.end(syscall.SIGTERM) }

// Kill ends the server as a crash of its process would; its data stay.
func (s *NATSServer) Kill() { s.end(syscall.SIGKILL) }

func (s *NATSServer) end(sig syscall.Signal) {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(sig) // it may have ended by itself
	_ = s.cmd.Wait()              // how it ended is in its output
	s.cmd = nil
}
