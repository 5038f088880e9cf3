package authapi_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/betterauth"
)

// TestOfficialClient runs testdata/client: the library's own client against
// this server.
func TestOfficialClient(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the official client needs Node.js: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	dir := installClient(ctx, t)
	f := setup(t, func(o *betterauth.Options) {
		o.Now = time.Now
		o.Limits = betterauth.DevelopmentLimits()
	})
	cmd := exec.CommandContext(ctx, "node", "check.mjs")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TARGET="+f.server.URL, "ORIGIN="+baseURL, "EMAIL="+f.ann.Email, "PASSWORD="+password,
		"BETTER_AUTH_TELEMETRY=0", "NO_COLOR=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// installClient gives a directory with the script and its packages. They are
// kept in the user's cache, outside the repository, one directory for each
// package.json; the script is always the newest.
func installClient(ctx context.Context, t *testing.T) string {
	t.Helper()
	manifest := readFile(t, "package.json")
	sum := sha256.Sum256(manifest)
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	installed := filepath.Join(cache, "pulse-test", "better-auth-client-"+hex.EncodeToString(sum[:6]))
	if _, err := os.Stat(filepath.Join(installed, "node_modules")); errors.Is(err, fs.ErrNotExist) {
		install(ctx, t, installed, manifest)
	}
	// Another checkout may run its own script at the same time.
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(installed, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"package.json", "check.mjs"} {
		if err := os.WriteFile(filepath.Join(dir, name), readFile(t, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// install fills a new directory and moves it into place whole, so that a run
// that is cut short leaves nothing half done.
func install(ctx context.Context, t *testing.T, installed string, manifest []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(installed), 0o755); err != nil {
		t.Fatal(err)
	}
	fresh, err := os.MkdirTemp(filepath.Dir(installed), "new-*")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(fresh)
	if err := os.WriteFile(filepath.Join(fresh, "package.json"), manifest, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "npm", "install", "--package-lock=false", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	cmd.Dir = fresh
	if out, err := cmd.CombinedOutput(); err != nil {
		if os.Getenv("PULSE_TEST_REQUIRE") == "1" {
			t.Fatalf("npm install: %v\n%s", err, out)
		}
		t.Skipf("npm cannot install the official client: %v\n%s", err, out)
	}
	if err := os.Rename(fresh, installed); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "client", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
