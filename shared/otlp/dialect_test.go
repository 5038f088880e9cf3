package otlp

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDialectsAreDocumented holds the table of docs/otlp-mapping.md to the files.
func TestDialectsAreDocumented(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/otlp-mapping.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("dialect_*.go")
	if err != nil {
		t.Fatal(err)
	}
	rank := regexp.MustCompile(`rank: (\d+)`)
	rows := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := rank.FindSubmatch(source)
		if m == nil {
			t.Fatalf("%s has no rank", file)
		}
		rows++
		if row := fmt.Sprintf("| %s | `%s` |", m[1], file); !strings.Contains(string(doc), row) {
			t.Errorf("no row %q", row)
		}
	}
	if n := len(dialects().dialects); rows != n {
		t.Errorf("%d files, %d dialects", rows, n)
	}
}

// TestDialectsReadEveryKeyOnce: a rule that a dialect has twice is a slip.
func TestDialectsReadEveryKeyOnce(t *testing.T) {
	t.Parallel()
	for _, d := range dialects().dialects {
		seen := map[string]bool{}
		for _, r := range d.rules {
			what := fmt.Sprintf("%s %d %v", r.key, r.fact, r.late)
			if seen[what] {
				t.Errorf("%s: %s is there twice", d.name, r.key)
			}
			seen[what] = true
			if (r.fact == factKind) != (r.kinds != nil) {
				t.Errorf("%s: %s: a kind needs its names, and nothing else does", d.name, r.key)
			}
		}
	}
}
