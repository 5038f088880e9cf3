package testkit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// installPatience is how long the making of a kept directory may take.
const installPatience = 10 * time.Minute

// Kept gives a directory that fill has filled, once for each content of what: it
// is kept in the user's cache, so that tests do not install the same again and
// again. Where fill fails the test is skipped, or fails if PULSE_TEST_REQUIRE is 1.
func Kept(t testing.TB, name string, what []byte, fill func(ctx context.Context, dir string) error) string {
	t.Helper()
	sum := sha256.Sum256(what)
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	kept := filepath.Join(cache, "pulse-test", name+"-"+hex.EncodeToString(sum[:6]))
	if _, err := os.Stat(kept); err == nil {
		return kept
	}
	if err := os.MkdirAll(filepath.Dir(kept), 0o755); err != nil {
		t.Fatal(err)
	}
	fresh, err := os.MkdirTemp(filepath.Dir(kept), "new-*") //nolint:usetesting // renamed into place, so on the same disk
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(fresh)
	ctx, cancel := context.WithTimeout(t.Context(), installPatience)
	defer cancel()
	if err := fill(ctx, fresh); err != nil {
		if os.Getenv("PULSE_TEST_REQUIRE") == "1" {
			t.Fatalf("%s: %v", name, err)
		}
		t.Skipf("%s cannot be installed: %v", name, err)
	}
	// Moved into place whole, so that a run that is cut short leaves nothing half
	// done.
	if err := os.Rename(fresh, kept); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	return kept
}

// RunAll runs commands one after the other in a directory, until one fails.
func RunAll(ctx context.Context, dir string, commands ...[]string) error {
	for _, c := range commands {
		cmd := exec.CommandContext(ctx, c[0], c[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w\n%s", c, err, out)
		}
	}
	return nil
}

// Python gives the command python3 and what tells it from others: a virtual
// environment works with the one that made it only. It skips the test where
// there is none.
func Python(t testing.TB) (command string, version []byte) {
	t.Helper()
	command, err := exec.LookPath("python3")
	if err != nil {
		t.Skipf("this test needs Python: %v", err)
	}
	version, err = exec.CommandContext(t.Context(), command, "-c", "import sys; print(sys.version, sys.prefix)").Output()
	if err != nil {
		t.Fatal(err)
	}
	return command, version
}
