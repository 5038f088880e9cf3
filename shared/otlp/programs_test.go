package otlp_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/otlp/otlptest"
	"github.com/pulse-traces/pulse/shared/trace"
)

var update = flag.Bool("update", false, "rewrite what testdata/programs/*.txt show")

// TestPrograms reads what real programs have exported, each a directory of
// request bodies in the order in which they were sent, and compares what is
// shown with the text beside it. The provider answered "You said: " and the
// question, and did as the words in brackets say.
func TestPrograms(t *testing.T) {
	t.Parallel()
	const all = "testdata/programs"
	entries, err := os.ReadDir(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		dir := filepath.Join(all, e.Name())
		t.Run(e.Name(), func(t *testing.T) {
			t.Parallel()
			files, err := filepath.Glob(filepath.Join(dir, "*"))
			if err != nil || len(files) == 0 {
				t.Fatal(len(files), err)
			}
			var store stored
			for _, file := range files {
				body, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				signal := strings.Split(filepath.Base(file), ".")[1]
				store.add(mapRequest(t, &otlptest.Request{File: file, Signal: signal, Body: body})...)
			}
			got, golden := outline(t, store.spans), dir+".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// outline is a tree of all spans: one line each, and below it what it tells. A
// star stands before those that count.
func outline(t *testing.T, spans []trace.Span) string {
	t.Helper()
	standings := trace.Resolve(spans)
	children := map[string][]int{}
	there := map[trace.SpanID]bool{}
	for i := range spans {
		there[spans[i].ID] = true
	}
	for i := range spans {
		parent := string(spans[i].ParentID)
		if !there[spans[i].ParentID] {
			parent = ""
		}
		children[parent] = append(children[parent], i)
	}
	var text strings.Builder
	var show func(parent, indent string)
	show = func(parent, indent string) {
		list := children[parent]
		slices.SortFunc(list, func(i, j int) int {
			if c := spans[i].Start.Compare(spans[j].Start); c != 0 {
				return c
			}
			return strings.Compare(string(spans[i].ID), string(spans[j].ID))
		})
		for _, i := range list {
			s := completed(spans, standings, i)
			mark := " "
			if standings[i].Counts && s.Kind != trace.KindGeneric {
				mark = "*"
			}
			fmt.Fprintf(&text, "%s%s %s: %s\n", indent, mark, s.Name, s.Kind)
			facts := told(t, &s)
			if facts["tools"] != "" {
				facts["tools"] = fmt.Sprint(strings.Count(facts["tools"], `"name":`))
			}
			facts["error"] = message(s.Payload.Error)
			for _, name := range []string{
				"provider", "model", "modelUsed", "usage", "finishReason", "sessionId", "userId", "agentName", "tags", "metadata", "error", "parameters", "tools",
				"toolName", "toolUseId", "toolInput", "toolResponse", "in", "out",
			} {
				if facts[name] != "" && facts[name] != "{}" && s.Kind != trace.KindGeneric {
					fmt.Fprintf(&text, "%s      %s: %s\n", indent, name, strings.ReplaceAll(facts[name], "\n", " "))
				}
			}
			show(string(spans[i].ID), indent+"    ")
		}
	}
	show("", "")
	return text.String()
}

// message is what an error says, without its stack.
func message(raw json.RawMessage) string {
	var e struct{ Message string }
	if json.Unmarshal(raw, &e) != nil || e.Message == "" {
		return string(raw)
	}
	return e.Message
}
