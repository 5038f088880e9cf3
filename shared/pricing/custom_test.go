package pricing

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/trace"
)

func rate(t testing.TB, s string) *Rate {
	t.Helper()
	r, ok := ParseRate(s)
	if !ok {
		t.Fatalf("%q is no rate", s)
	}
	return &r
}

const fullCustom = `{
	"model": "house-*", "provider": "acme", "effectiveFrom": "2026-01-31",
	"prices": {"input": 2.5, "cacheRead": "0.25", "cacheWrite5m": 3.125, "cacheWrite1h": 5, "audioInput": 40, "imageInput": 5,
		"output": 10, "reasoning": 12, "audioOutput": 80, "imageOutput": 40, "search": 2000},
	"tiers": [
		{"aboveInputTokens": 200000, "prices": {"input": 5}},
		{"serviceTier": "batch", "prices": {"input": 1.25, "output": 5}},
		{"serviceTier": "batch", "aboveInputTokens": 200000, "prices": {"input": 2.5}}
	]
}`

func TestParseCustom(t *testing.T) {
	t.Parallel()
	got, err := ParseCustom([]byte(fullCustom))
	if err != nil {
		t.Fatal(err)
	}
	want := Custom{
		Model: "house-*", Provider: "acme", EffectiveFrom: time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC),
		Prices: Prices{
			Input: rate(t, "2.5"), CacheRead: rate(t, "0.25"), CacheWrite5m: rate(t, "3.125"), CacheWrite1h: rate(t, "5"),
			AudioInput: rate(t, "40"), ImageInput: rate(t, "5"), Output: rate(t, "10"), Reasoning: rate(t, "12"),
			AudioOutput: rate(t, "80"), ImageOutput: rate(t, "40"), Search: rate(t, "2000"),
		},
		Tiers: []Tier{
			{AboveInputTokens: 200_000, Prices: Prices{Input: rate(t, "5")}},
			{ServiceTier: "batch", Prices: Prices{Input: rate(t, "1.25"), Output: rate(t, "5")}},
			{ServiceTier: "batch", AboveInputTokens: 200_000, Prices: Prices{Input: rate(t, "2.5")}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// It is written as it is read, also as a part of something else.
	text, err := json.Marshal([]Custom{got})
	if err != nil {
		t.Fatal(err)
	}
	var again []Custom
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Custom{want}, again); diff != "" {
		t.Errorf("read again (-want +got):\n%s", diff)
	}
	if list, err := ParseCustomList(text); err != nil || !cmp.Equal(list, again) {
		t.Errorf("read as a list: %v, %v", list, err)
	}
	// What is not said is not written.
	text, err = json.Marshal(Custom{Model: "m", Prices: Prices{Input: rate(t, "0")}})
	if want := `{"model":"m","prices":{"input":0}}`; err != nil || string(text) != want {
		t.Errorf("%s, %v, want %s", text, err, want)
	}
}

func TestParseCustomNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		``:                                       "[] invalid_type",
		`[]`:                                     "[] invalid_type",
		`null`:                                   "[] invalid_type",
		`{`:                                      "[] invalid_type",
		`{} x`:                                   "[] invalid_type",
		`{}`:                                     "[model] too_small, [prices] invalid_value",
		`{"model": 5, "prices": 7}`:              "[model] invalid_type, [prices] invalid_type",
		`{"model": "m", "prices": {}}`:           "[prices] invalid_value",
		`{"model": " ", "prices": {"input": 1}}`: "[model] too_small",
		`{"model": "m", "prices": {"output": 1}}`:                                                                                                             "[prices] invalid_value",
		`{"model": "m", "prices": {"input": -1, "output": "free", "cacheRead": 0.0000000001}}`:                                                                "[prices input] invalid_value, [prices cacheRead] invalid_value, [prices output] invalid_value",
		`{"model": "m", "prices": {"input": 1e7}}`:                                                                                                            "[prices input] invalid_value",
		`{"model": "m", "prices": {"input": 1, "inputs": 1}, "currency": "EUR"}`:                                                                              "[currency] invalid_value, [prices inputs] invalid_value",
		`{"model": "m", "prices": {"input": 1}, "effectiveFrom": "yesterday"}`:                                                                                "[effectiveFrom] invalid_format",
		`{"model": "m", "prices": {"input": 1}, "effectiveFrom": 2026}`:                                                                                       "[effectiveFrom] invalid_type",
		`{"model": "m", "prices": {"input": 1}, "effectiveFrom": "2300-01-01"}`:                                                                               "[effectiveFrom] invalid_format",
		`{"model": "m", "prices": {"input": 1}, "provider": "langchain"}`:                                                                                     "[provider] invalid_value",
		`{"model": "m\u0000", "prices": {"input": 1}}`:                                                                                                        "[model] invalid_format",
		`{"model": "m", "prices": {"input": 1}, "tiers": {}}`:                                                                                                 "[tiers] invalid_type",
		`{"model": "m", "prices": {"input": 1}, "tiers": [5]}`:                                                                                                "[tiers 0] invalid_type",
		`{"model": "m", "prices": {"input": 1}, "tiers": [{"serviceTier": "standard"}]}`:                                                                      "[tiers 0] invalid_value, [tiers 0 prices] invalid_value",
		`{"model": "m", "prices": {"input": 1}, "tiers": [{"aboveInputTokens": 1.5}]}`:                                                                        "[tiers 0 aboveInputTokens] invalid_type",
		`{"model": "m", "prices": {"input": 1}, "tiers": [{"aboveInputTokens": -5, "prices": {"input": 2}}]}`:                                                 "[tiers 0 aboveInputTokens] too_small",
		`{"model": "m", "prices": {"input": 1}, "tiers": [{"serviceTier": "flex", "prices": {"input": 2}}, {"serviceTier": "Flex", "prices": {"input": 3}}]}`: "[tiers 1] invalid_value",
		`{"model": "` + strings.Repeat("m", MaxPatternBytes+1) + `", "prices": {"input": 1}}`:                                                                 "[model] too_big",
		`{"model": "m", "prices": {"input": 1}, "tiers": [` + strings.Repeat(`{},`, MaxTiers) + `{}]}`:                                                        "[tiers] too_big",
	} {
		_, err := ParseCustom([]byte(in))
		if got := issues(t, err); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	_, err := ParseCustomList([]byte(`[{"model": "m", "prices": {"input": 1}}, {"model": "m"}, 5]`))
	if got, want := issues(t, err), "[1 prices] invalid_value, [2] invalid_type"; got != want {
		t.Errorf("list: %s, want %s", got, want)
	}
	_, err = ParseCustomList([]byte(`[` + strings.Repeat(`{},`, MaxCustom) + `{}]`))
	if got, want := issues(t, err), "[] too_big"; got != want {
		t.Errorf("long list: %s, want %s", got, want)
	}
	// null is as if the field were not there.
	if _, err := ParseCustom([]byte(`{"model": "m", "provider": null, "prices": {"input": 1, "output": null}, "tiers": null}`)); err != nil {
		t.Errorf("null: %v", err)
	}
}

// issues writes the faults of err as paths and codes.
func issues(t *testing.T, err error) string {
	t.Helper()
	if !fault.Is(err, fault.Invalid) {
		t.Errorf("%v is not fault.Invalid", err)
		return ""
	}
	var out []string
	for _, issue := range err.(*fault.Error).Issues { //nolint:errorlint // it is not wrapped
		if issue.Message == "" {
			t.Errorf("%v: says nothing", issue.Path)
		}
		out = append(out, fmt.Sprint(issue.Path)+" "+issue.Code)
	}
	return strings.Join(out, ", ")
}

func TestCustomComesFirst(t *testing.T) {
	t.Parallel()
	price := func(model, provider, from string, input string) Custom {
		c := Custom{Model: model, Provider: provider, Prices: Prices{Input: rate(t, input)}}
		if from != "" {
			var err error
			if c.EffectiveFrom, err = time.Parse(time.DateOnly, from); err != nil {
				t.Fatal(err)
			}
		}
		return c
	}
	custom := []Custom{
		price("*", "", "", "1"),
		price("gpt-*", "", "", "2"),
		price("gpt-4o*", "", "", "3"),
		price("gpt-4o*", "azure", "", "4"),
		price("gpt-4o-mini", "", "", "5"),
		price("gpt-4o-mini", "Azure OpenAI", "", "6"),
		price("gpt-4o-mini", "azure", "2026-01-01", "7"),
		price("gpt-4o-mini", "azure", "2026-06-01", "8"),
		price("claude-sonnet-4.5", "", "2030-01-01", "9"),
		price("deploy?-eu", "", "", "10"),
	}
	for _, c := range []struct {
		provider, used, requested, at string
		want                          string
	}{
		{"acme", "anything", "", "2026-02-01", "1"},
		{"", "anything", "", "2026-02-01", "1"},
		{"openai", "gpt-5", "", "2026-02-01", "2"},
		{"openai", "gpt-4o-2024-08-06", "", "2026-02-01", "3"},
		{"azure.ai.openai", "gpt-4o-2024-08-06", "", "2026-02-01", "4"},
		{"openai", "GPT-4o-mini", "", "2026-02-01", "5"},
		{"az.ai.openai", "gpt-4o-mini", "", "2025-12-31", "6"},
		{"azure", "gpt-4o-mini", "", "2026-01-01", "7"},
		{"azure", "gpt-4o-mini", "", "2026-05-31", "7"},
		{"azure", "gpt-4o-mini", "", "2026-06-01", "8"},
		{"", "gpt-4o-mini", "", "2026-06-01", "5"},
		{"anthropic", "claude-sonnet-4-5", "", "2026-02-01", "1"},
		{"anthropic", "claude-sonnet-4-5", "", "2030-01-01", "9"},
		{"azure", "deploy1-eu", "", "2026-02-01", "10"},
		{"azure", "deploy10-eu", "", "2026-02-01", "1"},
		{"azure", "", "deploy1-eu", "2026-02-01", "10"},
		{"openai", "gpt-5", "gpt-4o-mini", "2026-02-01", "2"}, // the one that answered
	} {
		at, err := time.Parse(time.DateOnly, c.at)
		if err != nil {
			t.Fatal(err)
		}
		_, r, ok := customRates(custom, &Query{Provider: c.provider, ModelUsed: c.used, ModelRequested: c.requested, At: at})
		if got := r[bucketInput].String(); !ok || got != c.want {
			t.Errorf("%s %s %s at %s: %s, %v, want %s", c.provider, c.used, c.requested, c.at, got, ok, c.want)
		}
	}
	// Before the table, also for a model that the table knows by the other name.
	s := &trace.Span{Kind: trace.KindLLMCall, Start: captured, Provider: ptr("openai"), ModelUsed: ptr("gpt-4o"), Model: ptr("house"), Usage: &trace.Usage{Input: 1000}}
	Price(s, Default(), []Custom{price("house", "", "", "0")})
	if s.CostNanoUSD == nil || *s.CostNanoUSD != 0 {
		t.Errorf("a free model of one's own costs %v", s.CostNanoUSD)
	}
	// One that says nothing of answers has no cost for them: the table's is another price.
	s.Usage = &trace.Usage{Input: 1000, Output: 1}
	if Price(s, Default(), []Custom{price("house", "", "", "0")}); s.CostNanoUSD != nil {
		t.Errorf("an answer without a price costs %d", *s.CostNanoUSD)
	}
	if _, _, ok := customRates([]Custom{price("house", "acme", "", "1")}, &Query{Provider: "openai", ModelUsed: "house", At: captured}); ok {
		t.Error("the price of another provider applies")
	}
}

func TestCustomTiers(t *testing.T) {
	t.Parallel()
	c, err := ParseCustom([]byte(`{"model": "m", "prices": {"input": 10, "output": 100}, "tiers": [
		{"aboveInputTokens": 1000, "prices": {"input": 20}},
		{"aboveInputTokens": 2000, "prices": {"input": 30}},
		{"serviceTier": "flex", "prices": {"input": 5, "output": 50}},
		{"serviceTier": "flex", "aboveInputTokens": 2000, "prices": {"input": 15}}
	]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []struct {
		tier  string
		input int64
		want  string
	}{
		{"", 1000, "10 100"},
		{"", 1001, "20 100"},
		{"", 2001, "30 100"},
		{"flex", 0, "5 50"},
		{"flex", 1001, "5 50"}, // its own price comes before that for long prompts
		{"flex", 2001, "15 50"},
		{"priority", 0, "10 100"}, // nothing is said of it: as any other call
		{"priority", 2001, "30 100"},
	} {
		r := c.rates(q.tier, q.input)
		if got := r[bucketInput].String() + " " + r[bucketOutput].String(); got != q.want {
			t.Errorf("%q with %d tokens: %s, want %s", q.tier, q.input, got, q.want)
		}
	}
}

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true},
		{"", "a", false},
		{"a", "", false},
		{"*", "", true},
		{"*", "a/b", true},
		{"?", "", false},
		{"?", "a", true},
		{"?", "é", true},
		{"a*", "abc", true},
		{"*c", "abc", true},
		{"*b*", "abc", true},
		{"a*c", "abc", true},
		{"a*d", "abc", false},
		{"a?c", "abc", true},
		{"a**c", "abbc", true},
		{"*a*b*c", "xaxbxc", true},
		{"*abc", "ababc", true},
		{"abc*", "ab", false},
		{"*?", "a", true},
		{"?*?", "a", false},
		{strings.Repeat("*a", 100) + "b", strings.Repeat("a", 250), false},
	} {
		if got := glob(c.pattern, c.s); got != c.want {
			t.Errorf("glob(%q, %q) = %v", c.pattern, c.s, got)
		}
	}
}

// FuzzParseCustom reads any bytes: what is taken is valid, and is read as the
// same again.
func FuzzParseCustom(f *testing.F) {
	f.Add([]byte(fullCustom))
	f.Add([]byte(`{"model": "*", "prices": {"input": 1e-3}, "tiers": [{"aboveInputTokens": 1, "prices": {"search": 0}}]}`))
	f.Add([]byte(`{"model": 1, "prices": [], "effectiveFrom": "2026-01-31T10:00:00+01:00"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := ParseCustom(in)
		if err != nil {
			if !fault.Is(err, fault.Invalid) || len(err.(*fault.Error).Issues) == 0 { //nolint:errorlint // it is not wrapped
				t.Errorf("%q: %v", in, err)
			}
			return
		}
		if wrong := c.Check(); len(wrong) > 0 {
			t.Errorf("%q: taken, though %v", in, wrong)
		}
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseCustom(text)
		if err != nil || !cmp.Equal(c, again) {
			t.Errorf("%q: written as %s, which reads as %v, %v", in, text, again, err)
		}
		s := trace.Span{Kind: trace.KindLLMCall, Start: captured, Provider: &c.Provider, Model: &c.Model, Usage: &trace.Usage{Input: 1}}
		Price(&s, nil, []Custom{c})
		if c.Prices.Input != nil && len(c.Tiers) == 0 && !captured.Before(c.EffectiveFrom) && s.CostNanoUSD == nil {
			t.Errorf("%q: does not apply to its own model", in)
		}
	})
}

// The example of docs/pricing.md is one.
func TestDocumentedCustomPrices(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/pricing.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(doc), "```json\n")
	example, _, _ = strings.Cut(example, "```")
	if list, err := ParseCustomList([]byte(example)); err != nil || len(list) != 2 {
		t.Errorf("%d prices, %v", len(list), err)
	}
	for _, name := range priceNames {
		if !strings.Contains(string(doc), "`"+name+"`") {
			t.Errorf("docs/pricing.md does not name %s", name)
		}
	}
}
