package serverless_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pulse-traces/pulse/shared/testkit/serverless"
)

// TestServerlessDashboard drives a browser against the functions: the journeys
// of the web pages in short, see dashboard/e2e/short.ts.
func TestServerlessDashboard(t *testing.T) {
	t.Parallel()
	dir, err := filepath.Abs("../../../dashboard")
	if err != nil {
		t.Fatal(err)
	}
	playwright := filepath.Join(dir, "node_modules", ".bin", "playwright")
	for _, part := range []string{playwright, filepath.Join(dir, "dist", "index.html")} {
		if _, err := os.Stat(part); err != nil {
			t.Skipf("%v: run make dashboard first", err)
		}
	}
	chromium := os.Getenv("CHROMIUM") != ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		_, err := exec.LookPath(name)
		chromium = chromium || err == nil
	}
	if !chromium {
		t.Skip("no browser is installed: run infra/scripts/install-test-deps.sh")
	}
	s := serverless.New(t, serverless.Options{
		Window: window, Env: env(nil), Emulators: map[string]int{"Query": 3, "Dashboard": 3, "Auth": 2, "Web": 3},
	})
	cmd := exec.CommandContext(t.Context(), playwright, "test", "--config", "playwright.serverless.ts", "--output", t.TempDir())
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PULSE_URL="+s.URL)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s", err, out, s.Output())
	}
}
