package pricing

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/trace"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	table := newTable("openai\techo\t2025-01-01\tin=2 read=0.5 out=8 | batch in=1 out=4\nopenai\techo\t2026-01-01\tin=3 out=9 audio=?\nopenai\trank\t2025-01-01\tsearch=1000\n")
	own := []Custom{{Model: "house-*", EffectiveFrom: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), Prices: Prices{Input: rate(t, "7"), Output: rate(t, "0")}}}
	shared := []Custom{{Model: "House-9", Provider: "Acme", Prices: Prices{Input: rate(t, "5")}}, {Model: "echo", Provider: "other", Prices: Prices{Input: rate(t, "5")}}}
	day := func(text string) time.Time {
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	call := func(provider, model, at string, u *trace.Usage) trace.Span {
		return trace.Span{Kind: trace.KindLLMCall, Start: day(at), Provider: &provider, Model: &model, Usage: u}
	}
	batch := call("openai", "echo", "2025-05-05", &trace.Usage{Input: 1000, CacheRead: 500, Output: 10, Reasoning: 90})
	batch.ServiceTier = ptr("batches")
	totals := call("openai", "Echo", "2024-01-01", nil)
	totals.InputTokens = ptr(int64(3))
	given := call("openai", "echo", "2025-05-05", &trace.Usage{Input: 1000})
	given.CostNanoUSD, given.CostSource = ptr(int64(1)), trace.CostOfSender
	rerank := call("openai", "rank", "2025-05-05", nil)
	rerank.Kind = trace.KindRerank
	unsold := batch
	unsold.ServiceTier = ptr("flex")
	tool := given
	tool.Kind = trace.KindToolUse

	for name, c := range map[string]struct {
		span trace.Span
		want Account
	}{
		"TierAndInstead": {batch, Account{
			Source: SourceList, Provider: "openai", Model: "echo", From: day("2025-01-01"), ServiceTier: "batch", CostNanoUSD: ptr(int64(1_900_000)), Lines: []Line{
				{"input", 1000, rate(t, "1"), "input", ptr(int64(1_000_000))},
				{"cacheRead", 500, rate(t, "1"), "input", ptr(int64(500_000))},
				{"output", 10, rate(t, "4"), "output", ptr(int64(40_000))},
				{"reasoning", 90, rate(t, "4"), "output", ptr(int64(360_000))},
			},
		}},
		"BeforeTheFirstList": {totals, Account{
			Source: SourceList, Provider: "openai", Model: "echo", From: day("2025-01-01"), CostNanoUSD: ptr(int64(6000)), Lines: []Line{{"input", 3, rate(t, "2"), "input", ptr(int64(6000))}},
		}},
		"Given": {given, Account{
			Source: SourceList, Provider: "openai", Model: "echo", From: day("2025-01-01"), CostNanoUSD: ptr(int64(2_000_000)), Lines: []Line{{"input", 1000, rate(t, "2"), "input", ptr(int64(2_000_000))}},
		}},
		"NotByTheToken": {call("openai", "echo", "2026-05-05", &trace.Usage{Input: 1, AudioInput: 2}), Account{
			Source: SourceList, Provider: "openai", Model: "echo", From: day("2026-01-01"), Lines: []Line{{"input", 1, rate(t, "3"), "input", ptr(int64(3000))}, {Kind: "audioInput", Count: 2}},
		}},
		"Project": {call("acme", "house-9", "2026-06-01", &trace.Usage{Input: 2, Output: 4}), Account{
			Source: SourceProject, Model: "house-*", From: day("2026-06-01"), CostNanoUSD: ptr(int64(14_000)),
			Lines: []Line{{"input", 2, rate(t, "7"), "input", ptr(int64(14_000))}, {"output", 4, rate(t, "0"), "output", ptr(int64(0))}},
		}},
		"Installation": {call("acme", "house-9", "2026-05-31", &trace.Usage{Input: 2, Output: 4}), Account{
			Source: SourceInstallation, Model: "House-9", Provider: "Acme", Lines: []Line{{"input", 2, rate(t, "5"), "input", ptr(int64(10_000))}, {Kind: "output", Count: 4}},
		}},
		"BySearch": {rerank, Account{
			Source: SourceList, Provider: "openai", Model: "rank", From: day("2025-01-01"), CostNanoUSD: ptr(int64(1_000_000)), Lines: []Line{{"search", 1, rate(t, "1000"), "search", ptr(int64(1_000_000))}},
		}},
		"NoPrice": {call("openai", "unknown", "2026-01-01", &trace.Usage{Output: 5}), Account{Lines: []Line{{Kind: "output", Count: 5}}}},
		"TierNotSold": {unsold, Account{ServiceTier: "flex", Lines: []Line{
			{Kind: "input", Count: 1000}, {Kind: "cacheRead", Count: 500}, {Kind: "output", Count: 10}, {Kind: "reasoning", Count: 90},
		}}},
		"NoCounts": {call("openai", "echo", "2025-05-05", nil), Account{Source: SourceList, Provider: "openai", Model: "echo", From: day("2025-01-01")}},
		"NoCall":   {tool, Account{}},
	} {
		if diff := cmp.Diff(c.want, Explain(&c.span, table, own, shared)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What is explained is what is stored, and its lines add up.
func TestExplainIsPrice(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 5))
	rows := dataRows(t)
	own := []Custom{{Model: "gpt-*", Prices: Prices{Input: rate(t, "0.123456789"), Output: rate(t, "3")}}}
	known := 0
	for range 20_000 {
		r := rows[rng.IntN(len(rows))]
		s := trace.Span{
			Kind: []trace.Kind{trace.KindLLMCall, trace.KindEmbedding, trace.KindRerank, trace.KindToolUse}[rng.IntN(4)], Provider: &r.provider, ModelUsed: &r.model,
			Start: time.Date(2024+rng.IntN(4), 1, 1, 0, 0, 0, 0, time.UTC), ServiceTier: []*string{nil, ptr("batch"), ptr("priority")}[rng.IntN(3)],
			Usage: &trace.Usage{Input: rng.Int64N(300_000), CacheRead: rng.Int64N(9), CacheWrite1h: rng.Int64N(9), AudioInput: rng.Int64N(2), Output: rng.Int64N(5000), Reasoning: rng.Int64N(500)},
		}
		a := Explain(&s, Default(), own, nil)
		Price(&s, Default(), own, nil)
		if diff := cmp.Diff(s.CostNanoUSD, a.CostNanoUSD); diff != "" {
			t.Fatalf("%s %s: (-stored +explained)\n%s", r.provider, r.model, diff)
		}
		if a.CostNanoUSD == nil {
			continue
		}
		known++
		sum := int64(0)
		for _, l := range a.Lines {
			sum += *l.NanoUSD
		}
		if off := sum - *a.CostNanoUSD; off < -int64(len(a.Lines)) || off > int64(len(a.Lines)) {
			t.Errorf("%s %s: lines add up to %d, not %d", r.provider, r.model, sum, *a.CostNanoUSD)
		}
	}
	if known < 1000 {
		t.Errorf("only %d had a cost", known)
	}
}
