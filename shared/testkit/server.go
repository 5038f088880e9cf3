package testkit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrNoPostgres says that this machine has neither Postgres nor a Docker engine.
var ErrNoPostgres = errors.New("no Postgres: install it (initdb and postgres in PATH), start Docker, or set TEST_DATABASE_URL")

// Server is a Postgres cluster that belongs to this process: private, empty,
// without fsync unless asked for. However the process ends, the cluster is
// stopped and its files are removed: a guard, which waits for the end of a pipe
// that the process holds, does that.
type Server struct {
	url        string
	command    func() *exec.Cmd // starts the server in the foreground
	guard      *exec.Cmd
	guardStdin io.Closer

	mu      sync.Mutex
	running *exec.Cmd
	exited  chan struct{} // closed when running has ended
}

// StartPostgres makes a cluster and starts it. Its data are in dir, or in a
// directory of its own if dir is "". The server's user, which is not root, must
// be able to enter dir: nobody but root enters what T.TempDir made for root.
// Settings such as "fsync=on" are added to
// the server's command line. Without Postgres binaries a container is run,
// which keeps its data to itself. The caller must Close the server.
func StartPostgres(ctx context.Context, dir string, settings ...string) (*Server, error) {
	// The socket is here: its path must be short, which a test's directory is not.
	temp, err := os.MkdirTemp("", "pulse-pg-")
	if err != nil {
		return nil, err
	}
	if dir == "" {
		dir = temp
	}
	settings = slices.Concat([]string{"fsync=off", "max_connections=200", "shared_buffers=256MB", "log_statement=none"}, settings)
	s := &Server{}
	if bin := findBinaries(); bin != "" {
		err = s.prepareNative(ctx, bin, temp, filepath.Join(dir, "data"), settings)
	} else if dockerAnswers(ctx) {
		err = s.prepareDocker(filepath.Base(temp), settings)
	} else {
		err = ErrNoPostgres
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(temp))
	}
	if err := s.Start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// URL is how to connect, as the superuser. It stays the same over Stop and Start.
func (s *Server) URL() string { return s.url }

// Start starts a stopped server and waits until it answers or ctx ends.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		return errors.New("start postgres: it is running")
	}
	cmd := s.command()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(exited)
	}()
	s.running, s.exited = cmd, exited
	for {
		conn, err := pgx.Connect(ctx, s.url)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-exited:
			s.running = nil
			return fmt.Errorf("start postgres: it ended: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("start postgres: %w", errors.Join(ctx.Err(), err))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends all connections and shuts the server down in order. Nothing happens
// if it is not running.
func (s *Server) Stop() error { return s.end(syscall.SIGINT) }

// Kill ends the server at once, without a checkpoint: the next Start recovers
// from its log.
func (s *Server) Kill() error { return s.end(syscall.SIGQUIT) }

func (s *Server) end(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		return nil
	}
	if err := s.running.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop postgres: %w", err)
	}
	<-s.exited
	s.running = nil
	return nil
}

// Close stops the server and removes its files.
func (s *Server) Close() error {
	err := s.Stop()
	return errors.Join(err, s.guardStdin.Close(), s.guard.Wait())
}

// startGuard runs script, which begins with "cat" and so goes on when this
// process closes the pipe or ends. A group of its own keeps the terminal's and
// a runner's signals from it.
func (s *Server) startGuard(script string, args ...string) error {
	s.guard = exec.Command("sh", append([]string{"-c", script, "guard"}, args...)...)
	s.guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := s.guard.StdinPipe()
	if err != nil {
		return err
	}
	s.guardStdin = stdin
	return s.guard.Start()
}

// guardNative stops what runs in the data directory $1, then removes all arguments.
const guardNative = `cat
pid=$(head -n 1 "$1/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ] && kill -QUIT "$pid" 2>/dev/null; then while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done; fi
rm -rf "$@"`

func (s *Server) prepareNative(ctx context.Context, bin, temp, data string, settings []string) error {
	credential, err := serverUser()
	if err != nil {
		return err
	}
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	if credential != nil {
		for _, d := range []string{temp, data} {
			if err := os.Chown(d, int(credential.Uid), int(credential.Gid)); err != nil {
				return err
			}
		}
	}
	attr := &syscall.SysProcAttr{Setpgid: true, Credential: credential}
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust",
		"-E", "UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = attr, temp
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	if err := s.startGuard(guardNative, data, temp); err != nil {
		return err
	}
	args := []string{"-D", data, "-k", temp, "-c", "listen_addresses=", "-c", "logging_collector=off"}
	for _, v := range settings {
		args = append(args, "-c", v)
	}
	s.command = func() *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, "postgres"), args...)
		cmd.SysProcAttr, cmd.Dir = attr, temp
		return cmd
	}
	s.url = "postgres://postgres@/postgres?" + url.Values{"host": {temp}, "sslmode": {"disable"}}.Encode()
	return nil
}

// serverUser gives whom to run Postgres as: it refuses root. nil is this user.
func serverUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
			gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
		}
	}
	return nil, errors.New("postgres refuses to run as root, and there is no user postgres or nobody to run it as")
}

// findBinaries gives the directory of initdb and postgres, "" if there is none.
func findBinaries() string {
	var dirs []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
		"/usr/pgsql-*/bin",                                   // the project's RPMs
		"/opt/homebrew/opt/postgresql*/bin",                  // Homebrew
		"/usr/local/opt/postgresql*/bin",                     // Homebrew on Intel
		"/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
	} {
		found, _ := filepath.Glob(pattern) // fails only for a malformed pattern
		slices.Reverse(found)              // the newest first
		dirs = append(dirs, found...)
	}
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), dirs...) {
		initdb, err := exec.LookPath(filepath.Join(dir, "initdb"))
		if err != nil {
			continue
		}
		// A link in PATH need not have its siblings beside it.
		if real, err := filepath.EvalSymlinks(initdb); err == nil {
			initdb = real
		}
		if _, err := exec.LookPath(filepath.Join(filepath.Dir(initdb), "postgres")); err == nil {
			return filepath.Dir(initdb)
		}
	}
	return ""
}

// dockerImage is the oldest Postgres that Pulse supports.
const dockerImage = "postgres:15-alpine"

func dockerAnswers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return exec.CommandContext(ctx, "docker", "version", "--format", "{{.Server.Version}}").Run() == nil
}

const guardDocker = `cat
docker rm --force "$1" >/dev/null 2>&1
docker volume rm --force "$1" >/dev/null 2>&1`

// prepareDocker runs the server as a container in the foreground: the docker
// command passes signals on, so that Stop and Kill are the same as without.
func (s *Server) prepareDocker(name string, settings []string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	if err := s.startGuard(guardDocker, name); err != nil {
		return err
	}
	args := []string{
		"run", "--rm", "--name", name, "--volume", name + ":/var/lib/postgresql/data",
		"--publish", address + ":5432", "--env", "POSTGRES_HOST_AUTH_METHOD=trust", dockerImage,
	}
	for _, v := range settings {
		args = append(args, "-c", v)
	}
	s.command = func() *exec.Cmd {
		cmd := exec.Command("docker", args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		return cmd
	}
	s.url = "postgres://postgres@" + address + "/postgres?sslmode=disable"
	return nil
}

// databaseURL is serverURL with another database.
func databaseURL(serverURL, name string) (string, error) {
	u, err := url.Parse(serverURL)
	if err != nil || !strings.HasPrefix(u.Scheme, "postgres") {
		return "", errors.New("TEST_DATABASE_URL is not of the form postgres://user@host/database")
	}
	u.Path = "/" + name
	return u.String(), nil
}
