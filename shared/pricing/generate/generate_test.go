package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// linesOf gives what becomes of lists, without the head.
func linesOf(t *testing.T, dates []string, lists ...string) []string {
	t.Helper()
	h := history{}
	for i, text := range lists {
		models, err := convert([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		h.add(dates[i], models)
	}
	h.addUndated()
	var lines []string
	for line := range strings.Lines(string(h.file())) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\t", " "))
		}
	}
	return lines
}

const day = "2026-01-01"

func TestConvert(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		list string
		want []string
	}{
		"OK": {
			`{"sample_spec": {"litellm_provider": "one of many", "input_cost_per_token": 0.0},
			"gpt-4o-mini": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07, "cache_read_input_token_cost": 7.5e-08}}`,
			[]string{"openai gpt-4o-mini 2026-01-01 in=0.15 read=0.075 out=0.6"},
		},
		"OKEveryKind": {
			`{"x/m": {"litellm_provider": "x", "mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 4e-6, "cache_read_input_token_cost": 1e-7,
			"cache_creation_input_token_cost": 1.5e-6, "cache_creation_input_token_cost_above_1hr": 3e-6, "input_cost_per_audio_token": 2e-6, "input_cost_per_image_token": 5e-6,
			"output_cost_per_reasoning_token": 6e-6, "output_cost_per_audio_token": 7e-6, "output_cost_per_image_token": 8e-6}}`,
			[]string{"x m 2026-01-01 in=1 read=0.1 write=1.5 write1h=3 audio=2 image=5 out=4 reason=6 audioout=7 imageout=8"},
		},
		"OKTiers": {
			`{"m": {"litellm_provider": "x", "mode": "chat", "input_cost_per_token": 2e-6, "output_cost_per_token": 4e-6, "cache_read_input_token_cost": 1.5e-6,
			"input_cost_per_token_above_200k_tokens": 4e-6, "output_cost_per_token_above_200k_tokens": 8e-6, "input_cost_per_token_batches": 1e-6, "output_cost_per_token_batches": 2e-6,
			"input_cost_per_token_above_200k_tokens_batches": 2e-6, "output_cost_per_token_flex": 1e-9, "input_cost_per_token_priority": 4e-6, "input_cost_per_token_above_100k_tokens_priority": 5e-6}}`,
			[]string{"x m 2026-01-01 in=2 read=1.5 out=4 | >200000 in=4 read=1.5 out=8 | batch in=1 read=1 out=2 | batch>200000 in=2 read=1 out=2 | priority in=4 read=1.5 out=4"},
		},
		"OKRanges": {
			`{"x/m": {"litellm_provider": "x", "mode": "chat", "tiered_pricing": [
			{"range": [0, 32000.0], "input_cost_per_token": 1e-6, "output_cost_per_token": 4e-6}, {"range": [32000.0, 128000.0], "input_cost_per_token": 2e-6, "output_cost_per_token": 8e-6}]}}`,
			[]string{"x m 2026-01-01 in=1 out=4 | >32000 in=2 out=8"},
		},
		"OKEmbedding":           {`{"m": {"litellm_provider": "x", "mode": "embedding", "input_cost_per_token": 2e-8, "input_cost_per_image": 1e-3}}`, []string{"x m 2026-01-01 in=0.02 image=? out=0"}},
		"OKRerank":              {`{"m": {"litellm_provider": "x", "mode": "rerank", "input_cost_per_token": 0.0, "input_cost_per_query": 0.002}}`, []string{"x m 2026-01-01 in=0 out=0 search=2000"}},
		"OKPicturesOnly":        {`{"m": {"litellm_provider": "x", "mode": "image_generation", "input_cost_per_token": 5e-6, "output_cost_per_image_token": 4e-5}}`, []string{"x m 2026-01-01 in=5 out=40"}},
		"OKPicturesByOne":       {`{"m": {"litellm_provider": "x", "mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "output_cost_per_image": 0.04}}`, []string{"x m 2026-01-01 in=1 out=2 imageout=?"}},
		"OKFloatRemains":        {`{"m": {"litellm_provider": "x", "mode": "chat", "input_cost_per_token": 2.0000000000000002e-07, "output_cost_per_token": 3.2857142857142855e-8}}`, []string{"x m 2026-01-01 in=0.2 out=0.032857143"}},
		"OKSameAsOutput":        {`{"m": {"litellm_provider": "x", "mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "output_cost_per_reasoning_token": 2e-6, "input_cost_per_token_flex": 1e-6, "output_cost_per_token_flex": 1e-6}}`, []string{"x m 2026-01-01 in=1 out=2 | flex in=1 out=1"}},
		"OKClaudeForAnHour":     {`{"claude-x": {"litellm_provider": "anthropic", "mode": "chat", "input_cost_per_token": 3e-6, "output_cost_per_token": 15e-6, "cache_creation_input_token_cost": 3.75e-6, "cache_creation_input_token_cost_above_1hr": 7.5e-6}}`, []string{"anthropic claude-x 2026-01-01 in=3 write=3.75 write1h=6 out=15"}},
		"OKAlias":               {`{"gpt-mini-latest": {"alias_of": "gpt-5-mini"}, "lost": {"alias_of": "none"}, "gpt-5-mini": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}}`, []string{"openai gpt-5-mini 2026-01-01 in=1 out=2", "openai gpt-mini-latest 2026-01-01 in=1 out=2"}},
		"OKLocal":               {`{"ollama/llama3": {"litellm_provider": "ollama", "mode": "chat", "input_cost_per_token": 0.0, "output_cost_per_token": 0.0}, "ollama/big:1t-cloud": {"litellm_provider": "ollama", "mode": "chat", "input_cost_per_token": 0.0, "output_cost_per_token": 0.0}}`, []string{"ollama llama3 2026-01-01 in=0 out=0"}},
		"OKPlainName":           {`{"bedrock/m": {"litellm_provider": "bedrock", "mode": "chat", "input_cost_per_token": 9e-6, "output_cost_per_token": 2e-6}, "m": {"litellm_provider": "bedrock", "mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}}`, []string{"aws.bedrock m 2026-01-01 in=1 out=2"}},
		"OKVertexMakers":        {`{"vertex_ai/claude@20250101": {"litellm_provider": "vertex_ai-anthropic_models", "mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}}`, []string{"gcp.vertex_ai claude 2026-01-01 in=1 out=2", "gcp.vertex_ai claude-20250101 2026-01-01 in=1 out=2"}},
		"FreeElsewhere":         {`{"m": {"litellm_provider": "x", "mode": "chat", "input_cost_per_token": 0.0, "output_cost_per_token": 0.0}}`, nil},
		"FreeAnswers":           {`{"m": {"litellm_provider": "x", "mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 0}}`, []string{"x m 2026-01-01 in=1"}},
		"FreeInput":             {`{"m": {"litellm_provider": "x", "mode": "chat", "input_cost_per_token": 0, "output_cost_per_token": 1e-6}}`, nil},
		"ByTheSecond":           {`{"m": {"litellm_provider": "x", "mode": "audio_transcription", "input_cost_per_second": 1e-4}}`, nil},
		"NoModel":               {`{"m": {"litellm_provider": "x", "mode": "search", "input_cost_per_query": 0.005}}`, nil},
		"PointMisplaced":        {`{"m": {"litellm_provider": "x", "mode": "chat", "input_cost_per_token": 0.135, "output_cost_per_token": 0.54}}`, nil},
		"DearEmbedding":         {`{"m": {"litellm_provider": "x", "mode": "embedding", "input_cost_per_token": 1e-4}}`, nil},
		"LongIsNotCheaper":      {`{"m": {"litellm_provider": "x", "mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "input_cost_per_token_above_128k_tokens": 1e-7}}`, []string{"x m 2026-01-01 in=1 out=2"}},
		"FrameworksSellNothing": {`{"m": {"litellm_provider": "litellm_proxy", "mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, linesOf(t, []string{day}, c.list)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for name, list := range map[string]string{
		"NotJSON":      `[`,
		"NotAPrice":    `{"m": {"litellm_provider": "x", "input_cost_per_token": "much"}}`,
		"BelowZero":    `{"m": {"litellm_provider": "x", "input_cost_per_token": -1e-6}}`,
		"OutOfRange":   `{"m": {"litellm_provider": "x", "input_cost_per_token": 5}}`,
		"RangesOfText": `{"m": {"litellm_provider": "x", "tiered_pricing": "none"}}`,
	} {
		if models, err := convert([]byte(list)); err == nil {
			t.Errorf("%s: taken as %v", name, models)
		}
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	model := func(prices string) string {
		return `{"m": {"litellm_provider": "x", "mode": "chat", ` + prices + `}}`
	}
	base := `"input_cost_per_token": 2e-6, "output_cost_per_token": 4e-6`
	dates := []string{"2026-01-01", "2026-04-01", "2026-07-01"}
	for name, c := range map[string]struct {
		lists []string
		want  []string
	}{
		"Same":    {[]string{model(base), model(base)}, []string{"x m 2026-01-01 in=2 out=4"}},
		"Changed": {[]string{model(base), model(`"input_cost_per_token": 1e-6, "output_cost_per_token": 4e-6`)}, []string{"x m 2026-01-01 in=2 out=4", "x m 2026-04-01 in=1 out=4"}},
		"ChangedAndBack": {
			[]string{model(base), model(`"input_cost_per_token": 1e-6, "output_cost_per_token": 4e-6`), model(base)},
			[]string{"x m 2026-01-01 in=2 out=4", "x m 2026-04-01 in=1 out=4", "x m 2026-07-01 in=2 out=4"},
		},
		"Completed":     {[]string{model(base), model(base + `, "input_cost_per_token_batches": 1e-6`)}, []string{"x m 2026-01-01 in=2 out=4 | batch in=1 out=4"}},
		"Withdrawn":     {[]string{model(base + `, "input_cost_per_token_batches": 1e-6`), model(base)}, []string{"x m 2026-01-01 in=2 out=4 | batch in=1 out=4", "x m 2026-04-01 in=2 out=4"}},
		"Rounded":       {[]string{model(`"input_cost_per_token": 1.375e-6, "output_cost_per_token": 4e-6`), model(`"input_cost_per_token": 1.38e-6, "output_cost_per_token": 4e-6`)}, []string{"x m 2026-01-01 in=1.38 out=4"}},
		"Gone":          {[]string{model(base), `{}`}, []string{"x m 2026-01-01 in=2 out=4"}},
		"Late":          {[]string{`{}`, model(base)}, []string{"x m 2026-04-01 in=2 out=4"}},
		"FreeByMistake": {[]string{model(base), `{"m": {"litellm_provider": "x", "mode": "embedding", "input_cost_per_token": 2e-6}}`}, []string{"x m 2026-01-01 in=2 out=4"}},
		"Undated": {
			[]string{`{"e-20250101": {"litellm_provider": "x", ` + base + `}, "e-2025-06-01": {"litellm_provider": "x", ` + base + `}}`},
			[]string{"x e 2026-01-01 in=2 out=4", "x e-2025-06-01 2026-01-01 in=2 out=4", "x e-20250101 2026-01-01 in=2 out=4"},
		},
		"UndatedThatDiffer": {
			[]string{`{"e-20250101": {"litellm_provider": "x", ` + base + `}, "e-20250601": {"litellm_provider": "x", "input_cost_per_token": 1e-6, "output_cost_per_token": 4e-6}}`},
			[]string{"x e-20250101 2026-01-01 in=2 out=4", "x e-20250601 2026-01-01 in=1 out=4"},
		},
	} {
		if diff := cmp.Diff(c.want, linesOf(t, dates, c.lists...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The data and the documents name the lists that this program would use.
func TestNamesOfLists(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../data/prices.tsv")
	if err != nil {
		t.Fatal(err)
	}
	if head := string(history{}.file()); !strings.HasPrefix(string(data), head) {
		t.Errorf("shared/pricing/data/prices.tsv does not begin with the head below: run make prices\n%s", head)
	}
	doc, err := os.ReadFile("../../../docs/pricing.md")
	if err != nil {
		t.Fatal(err)
	}
	newest := lists[len(lists)-1]
	if want := newest.version + ", published on " + newest.date; !strings.Contains(string(doc), want) {
		t.Errorf("docs/pricing.md does not say %q", want)
	}
	for i, l := range lists {
		if len(l.sha256) != 64 || (i > 0 && l.date <= lists[i-1].date) {
			t.Errorf("list %s: dates must grow, and a hash has 64 digits", l.version)
		}
	}
}
