package migrations

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func names(t *testing.T, f fs.FS) []string {
	t.Helper()
	found, err := fs.Glob(f, "*.sql")
	if err != nil || len(found) == 0 {
		t.Fatalf("%d files: %v", len(found), err)
	}
	return found
}

func TestEnginesHaveTheSameFiles(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(names(t, Postgres()), names(t, SQLite())); diff != "" {
		t.Fatal(diff)
	}
}

func TestFilesAreForwardOnly(t *testing.T) {
	t.Parallel()
	for _, f := range []fs.FS{Postgres(), SQLite()} {
		for _, name := range names(t, f) {
			text, err := fs.ReadFile(f, name)
			if err != nil {
				t.Fatal(err)
			}
			for _, no := range []string{"+goose Down", "NO TRANSACTION"} {
				if strings.Contains(string(text), no) {
					t.Errorf("%s has %q", name, no)
				}
			}
		}
	}
}
