package clienttest

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestExamples runs the programs of examples/go as a reader would.
func TestExamples(t *testing.T) {
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin, "./...")
	build.Dir = filepath.Join("..", "..", "..", "..", "examples", "go")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	provider := providers(t)
	p := startPulse(t)
	program := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Env = append(os.Environ(), "PULSE_API_KEY="+p.key, "PULSE_API_URL="+p.url, "OPENAI_API_KEY=none", "OPENAI_BASE_URL="+provider+"/v1", "PORT=0")
		cmd.Stderr = os.Stderr
		return cmd
	}
	names := func(service string) (names []string) {
		eventually(t, func() bool {
			var traces struct {
				Traces []struct {
					TraceID  string
					Services []string
				}
			}
			p.get(t, "/v1/traces?limit=100", &traces)
			for _, tr := range traces.Traces {
				if !slices.Contains(tr.Services, service) {
					continue
				}
				var spans struct{ Spans []struct{ Name string } }
				p.get(t, "/v1/traces/"+tr.TraceID+"/spans", &spans)
				for _, s := range spans.Spans {
					names = append(names, s.Name)
				}
			}
			return len(names) > 0
		})
		return names
	}

	for _, c := range []struct {
		name, asked, answer string
		spans               []string
	}{
		{"chat", "Hi", "You said: Hi\n", []string{"chat gpt-4o-mini"}},
		{"tools", "[tool] How warm?", "You said: [tool] How warm?\n", []string{"agent", "chat gpt-4o-mini", "get_weather", "chat gpt-4o-mini"}},
		{"serverless", "", "You said: Hello\n", []string{"handler", "chat gpt-4o-mini"}},
	} {
		out, err := program(c.name, c.asked).Output()
		if got := names(c.name); err != nil || string(out) != c.answer || !slices.Equal(got, c.spans) {
			t.Errorf("%s: %v, %q, %q", c.name, err, out, got)
		}
	}

	server := program("stream-server")
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, server)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(strings.TrimSpace(line) + "/?q=Hello+there")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "You said: Hello there" {
		t.Errorf("%q", body)
	}
	server.Process.Signal(syscall.SIGTERM)
	if got := names("stream-server"); !slices.Equal(got, []string{"GET /", "chat gpt-4o-mini"}) {
		t.Errorf("%q", got)
	}
}
