package testkit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Region, AccessKeyID and SecretAccessKey are what tests sign requests to queue
// servers with, which check none of them.
const (
	Region          = "us-east-1"
	AccessKeyID     = "test"
	SecretAccessKey = "test"
)

// AccountID is the account that the queues of test servers belong to.
const AccountID = "000000000000"

// SQS gives the endpoint of a real server that speaks the SQS protocol: that of
// TEST_SQS_ENDPOINT, or a fauxqs of this process, which ends with it. All tests
// of the process share it, so each names its own queues; a queue's URL is
// endpoint + "/" + AccountID + "/" + name. Messages are kept in memory.
//
// What it needs is put into .cache/sqs by infra/scripts/install-test-deps.sh.
// Where it is not there the test is skipped; under PULSE_TEST_REQUIRE=1 it fails
// if it could be there, which is where npm is.
func SQS(t testing.TB) (endpoint string) {
	t.Helper()
	if e := os.Getenv("TEST_SQS_ENDPOINT"); e != "" {
		return strings.TrimSuffix(e, "/")
	}
	server, err := sharedFauxqs()
	return endpointOr(t, server, err, "npm")
}

// ElasticMQ gives the endpoint of a second SQS server, which is slower and keeps
// to AWS in other points, for tests that one server's habits must not decide. It
// is one per process too, in .cache/elasticmq, and required where java and mvn
// are.
func ElasticMQ(t testing.TB) (endpoint string) {
	t.Helper()
	server, err := sharedElasticMQ()
	return endpointOr(t, server, err, "java", "mvn")
}

// StartSQS starts a fauxqs for a program that is no test: ErrNotInstalled where
// its parts are not there. The caller must stop it.
func StartSQS() (endpoint string, stop func() error, err error) {
	server, err := startFauxqs()
	if err != nil {
		return "", nil, err
	}
	return server.endpoint, server.stdin.Close, nil
}

// ErrNotInstalled says that a part of .cache is not there.
var ErrNotInstalled = errors.New("is not installed: run infra/scripts/install-test-deps.sh")

// endpointOr skips or fails t for err; tools are the programs that the server is
// installed with.
func endpointOr(t testing.TB, server *queueServer, err error, tools ...string) string {
	t.Helper()
	Need(t, err, tools...)
	return server.endpoint
}

// Need ends t if err is not nil. Where err is ErrNotInstalled t is skipped; under
// PULSE_TEST_REQUIRE=1 it fails if the part could be there, which is where the
// tools are that it is installed with.
func Need(t testing.TB, err error, tools ...string) {
	t.Helper()
	if errors.Is(err, ErrNotInstalled) {
		for _, tool := range tools {
			if _, missing := exec.LookPath(tool); missing != nil {
				t.Skipf("%v (which needs %s)", err, strings.Join(tools, " and "))
			}
		}
		if os.Getenv("PULSE_TEST_REQUIRE") != "1" {
			t.Skip(err)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// queueServer is a server that ends when stdin, which this process holds, is
// closed: by the kernel if by nobody else.
type queueServer struct {
	endpoint string
	stdin    io.Closer
}

var (
	sharedFauxqs    = sync.OnceValues(startFauxqs)
	sharedElasticMQ = sync.OnceValues(startElasticMQ)
)

// queueServerPatience is how long a server may take to start on a busy machine.
const queueServerPatience = 90 * time.Second

// fauxqsScript serves on a free port of loopback, which fauxqs's own program
// does not offer, says where, and ends with its standard input.
const fauxqsScript = `
import { buildApp } from "fauxqs";
const app = buildApp({ logger: false });
process.stdin.resume().on("end", () => process.exit()).on("error", () => process.exit());
console.log(await app.listen({ host: "127.0.0.1", port: 0 }));
`

func startFauxqs() (*queueServer, error) {
	dir, err := CacheDir("sqs", "fauxqs", "node_modules/fauxqs")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(findNode(dir), "--no-warnings", "--input-type=module", "-e", fauxqsScript)
	cmd.Dir = dir // where the script's import is looked up
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s, output, err := startQueueServer(cmd)
	if err != nil {
		return nil, err
	}
	stop := time.AfterFunc(queueServerPatience, func() { s.stdin.Close() })
	defer stop.Stop()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start fauxqs: %w\n%s", err, output), s.stdin.Close())
	}
	s.endpoint = strings.TrimSpace(line)
	return s, nil
}

// findNode gives the Node that was installed beside fauxqs, else that of the
// machine, which has to be new enough then.
func findNode(dir string) string {
	found, _ := filepath.Glob(filepath.Join(dir, "node_modules", "node-*", "bin", "node")) // fails only for a malformed pattern
	if len(found) > 0 {
		return found[0]
	}
	return "node"
}

// guardedScript runs its arguments until standard input ends.
const guardedScript = `"$@" </dev/null & cat >/dev/null; kill -KILL $!`

func startElasticMQ() (*queueServer, error) {
	dir, err := CacheDir("elasticmq", "ElasticMQ", "lib")
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address) // it is one that Listen gave
	s, output, err := startQueueServer(exec.Command("sh", "-c", guardedScript, "guard", "java", "-Xmx512m",
		"-Drest-sqs.bind-hostname=127.0.0.1", "-Drest-sqs.bind-port="+port, "-Drest-sqs.sqs-limits=strict", "-Drest-stats.enabled=false",
		"-cp", filepath.Join(dir, "lib", "*"), "org.elasticmq.server.Main"))
	if err != nil {
		return nil, err
	}
	s.endpoint = "http://" + address
	for end := time.Now().Add(queueServerPatience); ; {
		resp, err := http.Get(s.endpoint + "/health")
		if err == nil {
			return s, resp.Body.Close()
		}
		if time.Now().After(end) {
			return nil, errors.Join(fmt.Errorf("start ElasticMQ: %w\n%s", err, output), s.stdin.Close())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// startQueueServer starts cmd and gives what it prints, as far as nobody else
// reads it.
func startQueueServer(cmd *exec.Cmd) (*queueServer, fmt.Stringer, error) {
	output := &Buffer{}
	cmd.Stderr = output
	if cmd.Stdout == nil {
		cmd.Stdout = output
	}
	// A group of its own keeps the terminal's interrupt from it: it ends with
	// the process, not before.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	return &queueServer{stdin: stdin}, output, cmd.Start()
}

// CacheDir gives the directory of this checkout's .cache that holds what title
// names, if part is in it, else ErrNotInstalled.
func CacheDir(name, title, part string) (string, error) {
	root, err := ModuleRoot()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, ".cache", name)
	if _, err := os.Stat(filepath.Join(dir, part)); err != nil {
		return "", fmt.Errorf("%s %w", title, ErrNotInstalled)
	}
	return dir, nil
}

// ModuleRoot is the directory of go.mod above the working directory, which is
// the package's in a test.
func ModuleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = parent
	}
}
