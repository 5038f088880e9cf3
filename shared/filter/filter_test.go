package filter_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/filter"
)

var update = flag.Bool("update", false, "rewrite what testdata/filter.json says of its inputs")

var table = filepath.Join("testdata", "filter.json")

// row is what any parser of the language makes of an input: a filter and how it
// is written, or faults.
type row struct {
	Input  string         `json:"input"`
	Print  *string        `json:"print,omitempty"`
	Filter *filter.Filter `json:"filter,omitempty"`
	Errors filter.Errors  `json:"errors,omitempty"`
}

func rows(t testing.TB) []row {
	t.Helper()
	raw, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	var list []row
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// read makes the row of an input.
func read(t testing.TB, input string) row {
	t.Helper()
	f, err := filter.Parse(input)
	if err != nil {
		faults, ok := errors.AsType[filter.Errors](err)
		if !ok || len(faults) == 0 {
			t.Fatalf("%q: %v", input, err)
		}
		return row{Input: input, Errors: faults}
	}
	print := f.String()
	return row{Input: input, Print: &print, Filter: &f}
}

func TestTable(t *testing.T) {
	var made []row
	for _, want := range rows(t) {
		got := read(t, want.Input)
		made = append(made, got)
		if diff := cmp.Diff(want, got); diff != "" && !*update {
			t.Errorf("%q (-want +got):\n%s", want.Input, diff)
		}
	}
	if !*update {
		return
	}
	var b bytes.Buffer
	b.WriteString("[\n")
	for i, r := range made {
		if i > 0 {
			b.WriteString(",\n")
		}
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(r); err != nil {
			t.Fatal(err)
		}
		b.Truncate(b.Len() - 1)
	}
	b.WriteString("\n]\n")
	if err := os.WriteFile(table, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestTableIsWhole has each field read, and each kind of fault.
func TestTableIsWhole(t *testing.T) {
	t.Parallel()
	fields, codes := map[filter.Field]bool{}, map[string]bool{}
	for _, r := range rows(t) {
		if r.Filter != nil {
			for _, term := range r.Filter.Terms {
				fields[term.Field] = true
			}
		}
		for _, e := range r.Errors {
			codes[e.Code] = true
		}
	}
	for _, f := range filter.Fields() {
		if !fields[f] {
			t.Errorf("no input has the field %s", f)
		}
	}
	for _, c := range []string{"character", "unclosed", "empty", "bare", "field", "operator", "value", "number"} {
		if !codes[c] {
			t.Errorf("no input has the fault %s", c)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ input, code string }{
		"Bytes":  {`"` + strings.Repeat("x", filter.MaxBytes) + `"`, "too_long"},
		"Terms":  {strings.Repeat("name:a ", filter.MaxTerms+1), "too_many"},
		"Values": {"name:" + strings.Repeat("a,", filter.MaxValues) + "a", "too_many"},
	} {
		if got := read(t, c.input); len(got.Errors) != 1 || got.Errors[0].Code != c.code {
			t.Errorf("%s: %+v", name, got.Errors)
		}
	}
	whole := strings.TrimSpace(strings.Repeat("name:"+strings.Repeat("a,", filter.MaxValues-1)+"a ", filter.MaxTerms))
	if got := read(t, whole); got.Print == nil || *got.Print != whole {
		t.Errorf("what is within the limits: %+v", got.Errors)
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for pattern, texts := range map[string][2][]string{
		"a*":    {{"a", "ab", "a*"}, {"", "ba", "A"}},
		"*a":    {{"a", "ba"}, {"ab"}},
		"a*b*c": {{"abc", "axbxc", "abbc", "acbc"}, {"ab", "ac", "abcd", "acb"}},
		"a*a":   {{"aa", "aba"}, {"a"}},
		"**":    {{"", "x"}, nil},
		"x":     {{"x"}, {"xx", "X", ""}},
		`"a*"`:  {{"a*"}, {"ab"}},
		"日*語":   {{"日本語"}, {"日本"}},
	} {
		f, err := filter.Parse("name:" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for i, list := range texts {
			for _, s := range list {
				if got := f.Terms[0].Values[0].Match(s); got != (i == 0) {
					t.Errorf("%s of %q: %v", pattern, s, got)
				}
			}
		}
	}
}

// FuzzParse has whatever is read written and read again, and every fault in the
// input.
func FuzzParse(f *testing.F) {
	for _, r := range rows(f) {
		f.Add(r.Input)
	}
	f.Fuzz(func(t *testing.T, input string) {
		first := read(t, input)
		for _, e := range first.Errors {
			if e.Pos < 0 || e.End < e.Pos || e.End > len(input) || e.Message == "" {
				t.Fatalf("%q: %+v", input, e)
			}
		}
		if !slices.IsSortedFunc(first.Errors, func(a, b filter.Error) int { return a.Pos - b.Pos }) {
			t.Fatalf("%q: faults out of order: %+v", input, first.Errors)
		}
		if first.Print == nil {
			return
		}
		again := read(t, *first.Print)
		again.Input = input
		if diff := cmp.Diff(first, again); diff != "" {
			t.Fatalf("%q is written as %q:\n%s", input, *first.Print, diff)
		}
	})
}
