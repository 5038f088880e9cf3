package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is a dist/pulse of its own, with an account and a key.
type server struct {
	cmd     *exec.Cmd
	url     string
	home    string
	logFile *os.File
	access
}

// access is an account's way in: a key for /v1, and for /dashboard/api the
// cookie of a session and the project.
type access struct{ Key, Cookie, Project string }

// keepAccess writes a beside a store that is filled, for keptAccess of a later
// run.
func keepAccess(home string, a access) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(home, "access.json"), text, 0o600)
}

// keptAccess reads what keepAccess wrote; zero where the store is not filled.
func keptAccess(home string) (a access, err error) {
	text, err := os.ReadFile(filepath.Join(home, "access.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return access{}, nil
	}
	if err != nil {
		return access{}, err
	}
	return a, json.Unmarshal(text, &a)
}

// startServer starts binary on a free port with an empty home, or with one that
// is filled, and makes an account and a key if a has none.
func startServer(ctx context.Context, binary, home string, a access, env ...string) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	logFile, err := os.Create(filepath.Join(home, "pulse.log"))
	if err != nil {
		return nil, err
	}
	s := &server{url: fmt.Sprintf("http://127.0.0.1:%d", port), home: home, access: a, logFile: logFile}
	s.cmd = exec.CommandContext(ctx, binary)
	s.cmd.Dir = home
	s.cmd.Env = append(os.Environ(), append([]string{
		"PULSE_HOME=" + home, "PORT=" + strconv.Itoa(port), "PULSE_HOST=127.0.0.1",
		"NODE_ENV=test", "LOG_LEVEL=warn",
	}, env...)...)
	s.cmd.Stdout, s.cmd.Stderr = logFile, logFile
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if resp, err := http.Get(s.url + "/health/ready"); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Now().After(deadline) {
			s.stop()
			return nil, fmt.Errorf("server did not become ready; see %s", logFile.Name())
		}
	}
	if s.Key == "" {
		if err := s.signUp(); err != nil {
			s.stop()
			return nil, err
		}
	}
	return s, nil
}

// startBare starts this program once more, as the bare server: in a process of
// its own, as Pulse is.
func startBare(ctx context.Context, dir string) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	s := &server{url: "http://" + address, cmd: exec.CommandContext(ctx, binary, "-bare", address, "-dir", dir)}
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("tcp", address); err == nil {
			return s, conn.Close()
		}
		if time.Now().After(deadline) {
			s.stop()
			return nil, errors.New("the bare server did not start")
		}
	}
}

// freePort is one of loopback that nobody listens on now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

func (s *server) signUp() error {
	post := func(path string, body, cookie, project string) (http.Header, []byte, error) {
		req, err := http.NewRequest(http.MethodPost, s.url+path, strings.NewReader(body))
		if err != nil {
			return nil, nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		if cookie != "" {
			req.Header.Set("Cookie", cookie)
			req.Header.Set("X-Project-Id", project)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, nil, err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode >= 300 {
			err = fmt.Errorf("%s: %s: %s", path, resp.Status, b)
		}
		return resp.Header, b, err
	}
	if _, _, err := post("/dashboard/api/signup", `{"name":"Bench","email":"bench@example.com","password":"bench-password","projectName":"Bench"}`, "", ""); err != nil {
		return err
	}
	header, _, err := post("/api/auth/sign-in/email", `{"email":"bench@example.com","password":"bench-password"}`, "", "")
	if err != nil {
		return err
	}
	cookie, _, _ := strings.Cut(header.Get("Set-Cookie"), ";")
	_, body, err := post("/dashboard/api/projects", `{"name":"Measured"}`, cookie, "")
	if err != nil {
		return err
	}
	var made struct{ APIKey, ProjectID string }
	if err := json.Unmarshal(body, &made); err != nil {
		return err
	}
	s.access = access{made.APIKey, cookie, made.ProjectID}
	return nil
}

// get reads a /v1 path whole.
func (s *server) get(path string) ([]byte, error) { return s.read(http.MethodGet, path, "") }

// ask reads the answer of a page of the dashboard.
func (s *server) ask(path, body string) ([]byte, error) {
	return s.read(http.MethodPost, "/dashboard/api/query/"+path, body)
}

func (s *server) read(method, path, body string) ([]byte, error) {
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if method == http.MethodGet {
		req.Header.Set("Authorization", "Bearer "+s.Key)
	} else {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Cookie", s.Cookie)
		req.Header.Set("X-Project-Id", s.Project)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s %s: %s: %s", method, path, body, resp.Status, b)
	}
	return b, err
}

// total counts what can be read of a list.
func (s *server) total(path string) (int, error) {
	b, err := s.get(path + "?limit=1&fields=summary")
	if err != nil {
		return 0, err
	}
	var page struct{ Total int }
	return page.Total, json.Unmarshal(b, &page)
}

// waitFor returns once a list has n; more are an error.
func (s *server) waitFor(ctx context.Context, path string, n int) error {
	for {
		got, err := s.total(path)
		switch {
		case err != nil:
			return err
		case got == n:
			return nil
		case got > n || ctx.Err() != nil:
			return fmt.Errorf("%d can be read, %d were acknowledged", got, n)
		}
	}
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
	if s.logFile != nil {
		_ = s.logFile.Close()
	}
}

// cpuSeconds is the processor time that a process has used.
func cpuSeconds(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+2:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100, nil // USER_HZ is 100 on every Linux that Go runs on
}

// rest gives the resident memory in MiB and the share of a core that the
// process used over d.
func (s *server) rest(d time.Duration) (rssMiB, core float64, err error) {
	before, err := cpuSeconds(s.cmd.Process.Pid)
	if err != nil {
		return 0, 0, err
	}
	time.Sleep(d)
	after, err := cpuSeconds(s.cmd.Process.Pid)
	if err != nil {
		return 0, 0, err
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(b)) {
		if kb, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.ParseFloat(strings.Fields(kb)[0], 64)
			rssMiB = n / 1024
		}
	}
	return rssMiB, (after - before) / d.Seconds(), nil
}
