package otlp

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/trace"
)

// TestCheckIsMapForEveryRule gives every attribute that a dialect reads values
// that no store can hold: what is acknowledged must not turn out to be
// impossible in the drain, and others than Pulse's clients are held to nothing.
func TestCheckIsMapForEveryRule(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", trace.MaxPathBytes+trace.MaxIDBytes+trace.MaxNameBytes)
	text := func(s string) any { return map[string]any{"stringValue": s} }
	values := map[string]any{
		"long": text(long), "NUL": text("a\x00b"), "negative": map[string]any{"intValue": "-5"}, "fraction": map[string]any{"doubleValue": 1.5},
		"huge": map[string]any{"doubleValue": 1e300}, "true": map[string]any{"boolValue": true}, "nobody's word": text("nobody's word"),
		"JSON": text(`{"session_id":"` + long + `","user_id":"` + long + `","model":"` + long + `","id":"` + long + `","usage":{"input_tokens":-1}}`),
		"list": map[string]any{"arrayValue": map[string]any{"values": []any{text(long), text("\x00")}}},
	}
	kept := 0
	for _, d := range dialects().dialects {
		for _, r := range d.rules {
			for name, v := range values {
				attributes := []any{map[string]any{"key": strings.ReplaceAll(r.key, "*", "x"), "value": v}}
				for _, kind := range []string{"", "chat", "execute_tool"} {
					span := map[string]any{"traceId": strings.Repeat("1", 32), "spanId": strings.Repeat("2", 16), "name": long, "startTimeUnixNano": "1795421002290270162", "attributes": attributes}
					if kind != "" {
						span["attributes"] = append(attributes, map[string]any{"key": "gen_ai.operation.name", "value": text(kind)})
					}
					body, err := json.Marshal(map[string]any{"resourceSpans": []any{map[string]any{"scopeSpans": []any{map[string]any{"spans": []any{span}}}}}})
					if err != nil {
						t.Fatal(err)
					}
					all, err := DecodeTraces(body, JSON)
					if err != nil || len(all.Spans) != 1 {
						t.Fatalf("%s %s: %v, %+v", r.key, name, err, all)
					}
					_, mapped := all.Spans[0].Map(time.Time{})
					if checked := all.Spans[0].Check(time.Time{}); fmt.Sprint(checked) != fmt.Sprint(mapped) {
						t.Errorf("%s, %s, %q: a check says %v, mapping %v", r.key, name, kind, checked, mapped)
					}
					if mapped == nil {
						kept++
					} else if !strings.HasPrefix(r.key, "pulse.") && d.name != "pulse" {
						t.Errorf("%s, %s, %q is refused: %v", r.key, name, kind, mapped)
					}
				}
			}
		}
	}
	if kept == 0 {
		t.Error("everything is refused")
	}
}

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
