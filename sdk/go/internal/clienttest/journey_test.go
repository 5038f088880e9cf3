// Package clienttest runs the SDK with the real clients of model providers, whose
// modules the SDK's own does not require.
package clienttest

import (
	"bufio"
	"cmp"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// start runs a program that lives as long as the test.
func start(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
}

// providers starts the fake providers.
func providers(t testing.TB) string { return testserver(t).Provider }

// addresses are those of sdk/testserver.
type addresses struct{ Provider, Proxy string }

// testserver starts the fake providers, and the proxy before a Pulse if there are
// arguments that say where it is.
func testserver(t testing.TB, args ...string) addresses {
	t.Helper()
	words := strings.Fields(os.Getenv("PULSE_TESTSERVER"))
	if len(words) == 0 {
		t.Fatal("PULSE_TESTSERVER does not say how to start sdk/testserver: run sdk/test.sh go")
	}
	cmd := exec.Command(words[0], append(words[1:], args...)...)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, cmd)
	line, err := bufio.NewReader(out).ReadBytes('\n')
	var at addresses
	if err != nil || json.Unmarshal(line, &at) != nil {
		t.Fatalf("testserver said %q, %v", line, err)
	}
	return at
}

// pulse is a real Pulse, with a key.
type pulse struct{ url, key string }

func startPulse(t testing.TB) pulse {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	home := t.TempDir()
	command := func(args ...string) *exec.Cmd {
		cmd := exec.Command(os.Getenv("PULSE_BINARY"), args...)
		cmd.Dir = home
		cmd.Env = []string{"HOME=" + home, "PULSE_HOME=" + home, "PORT=" + port, "OTLP_GRPC_PORT=0", "PULSE_PASSWORD=a-long-password"}
		return cmd
	}
	start(t, command("serve"))
	eventually(t, func() bool {
		resp, err := http.Get("http://" + address + "/health")
		if err == nil {
			resp.Body.Close()
		}
		return err == nil && resp.StatusCode == http.StatusOK
	})
	out, err := command("keys", "create", "--email", "you@example.com").Output()
	if err != nil {
		t.Fatal(err)
	}
	return pulse{"http://" + address, strings.TrimSpace(string(out))}
}

// get reads what Pulse answers.
func (p pulse) get(t testing.TB, path string, to any) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, p.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if err := json.Unmarshal(body, to); err != nil {
		t.Fatalf("%s: %v: %s", path, err, body)
	}
}

func eventually(t testing.TB, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not become true in time")
		}
	}
}

// TestJourney takes it with the newest clients and with the oldest.
func TestJourney(t *testing.T) {
	t.Run("newest", func(t *testing.T) { testJourney(t, "journey") })
	t.Run("oldest", func(t *testing.T) { testJourney(t, "oldest") })
}

func testJourney(t *testing.T, dir string) {
	provider := providers(t)
	p := startPulse(t)
	cmd := exec.Command("go", "run", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PULSE_API_KEY="+p.key, "PULSE_API_URL="+p.url, "PROVIDER_URL="+provider)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	var traces struct {
		Traces []struct{ TraceID string }
	}
	eventually(t, func() bool {
		p.get(t, "/v1/traces?limit=100", &traces)
		return len(traces.Traces) == 11
	})
	var got [][]map[string]any
	for _, tr := range traces.Traces {
		var spans struct{ Spans []map[string]any }
		p.get(t, "/v1/traces/"+tr.TraceID+"/spans", &spans)
		got = append(got, spans.Spans)
	}
	started := func(spans []map[string]any) string { s, _ := spans[0]["startTime"].(string); return s }
	slices.SortFunc(got, func(a, b []map[string]any) int { return cmp.Compare(started(a), started(b)) })

	var want struct {
		Fields []string
		Traces [][]map[string]any
	}
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "testdata", "journey.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	for i, spans := range want.Traces {
		if len(got[i]) != len(spans) {
			t.Fatalf("trace %d has %d spans, not %d", i, len(got[i]), len(spans))
		}
		for j, span := range spans {
			for _, name := range want.Fields {
				if !reflect.DeepEqual(got[i][j][name], span[name]) {
					t.Errorf("trace %d, span %d, %s: %v, not %v", i, j, name, got[i][j][name], span[name])
				}
			}
		}
	}
}
