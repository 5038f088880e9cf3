package pricing

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/trace"
)

// captured is when the captured exports were.
var captured = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// TestPublishedPrices checks costs that were computed by hand from what the
// providers' own pages said, for calls that the captured exports hold. Prices
// are dollars for a million tokens, so tokens times price are micro-dollars.
func TestPublishedPrices(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		query Query
		want  int64
	}{
		// openai.com/api/pricing, October 2024: gpt-4o 2.50, cached 1.25, output 10.
		"gpt-4o, new prompt": {
			Query{Provider: "openai", ModelUsed: "gpt-4o-2024-08-06", Usage: trace.Usage{Input: 2253, Output: 2}},
			5_652_500, // 2253 × 2.5 + 2 × 10 = 5632.5 + 20
		},
		"gpt-4o, cached prompt": {
			Query{Provider: "openai", ModelUsed: "gpt-4o-2024-08-06", Usage: trace.Usage{Input: 83, CacheRead: 2176, Output: 4}},
			2_967_500, // 83 × 2.5 + 2176 × 1.25 + 4 × 10 = 207.5 + 2720 + 40
		},
		// The same page, July 2024: gpt-4o-mini 0.15, output 0.60.
		"gpt-4o-mini": {
			Query{Provider: "openai", ModelUsed: "gpt-4o-mini-2024-07-18", Usage: trace.Usage{Input: 35, Output: 19}},
			16_650, // 35 × 0.15 + 19 × 0.6 = 5.25 + 11.4
		},
		"gpt-4o-mini in a batch, at half the price": {
			Query{Provider: "openai", ModelUsed: "gpt-4o-mini-2024-07-18", Usage: trace.Usage{Input: 35, Output: 19}, Batch: true},
			8_325,
		},
		"gpt-4o-mini on Azure": {
			Query{Provider: "azure", ModelUsed: "gpt-4o-mini-2024-07-18", Usage: trace.Usage{Input: 35, Output: 19}},
			16_650,
		},
		// The same page, April 2025: gpt-4.1-mini 0.40, output 1.60; o4-mini 1.10, output 4.40.
		"gpt-4.1-mini": {
			Query{Provider: "openai", ModelUsed: "gpt-4.1-mini-2025-04-14", Usage: trace.Usage{Input: 100, Output: 50}},
			120_000,
		},
		"o4-mini, reasoning": {
			Query{Provider: "openai", ModelUsed: "o4-mini-2025-04-16", Usage: trace.Usage{Input: 11, Output: 4, Reasoning: 192}},
			874_500, // 11 × 1.1 + 196 × 4.4 = 12.1 + 862.4
		},
		// The same page, January 2024: text-embedding-3-small 0.02.
		"text-embedding-3-small": {
			Query{Provider: "openai", ModelUsed: "text-embedding-3-small", Usage: trace.Usage{Input: 38}},
			760,
		},
		// The same page, August 2025: gpt-5-mini 0.25, cached 0.025, output 2.
		"gpt-5-mini": {
			Query{Provider: "openai", ModelUsed: "gpt-5-mini-2025-08-07", Usage: trace.Usage{Input: 1000, CacheRead: 1000, Output: 10, Reasoning: 90}},
			475_000, // 250 + 25 + 200
		},
		// anthropic.com/pricing, September 2025: Claude Sonnet 4.5 3, output 15, cache
		// reads 0.30, writes 3.75 for 5 minutes and 6 for an hour.
		"claude-sonnet-4-5, cache written": {
			Query{Provider: "anthropic", ModelUsed: "claude-sonnet-4-5-20250929", Usage: trace.Usage{Input: 9, CacheWrite5m: 2238, Output: 2}},
			8_449_500, // 9 × 3 + 2238 × 3.75 + 2 × 15 = 27 + 8392.5 + 30
		},
		"claude-sonnet-4-5, cache read": {
			Query{Provider: "anthropic", ModelUsed: "claude-sonnet-4-5-20250929", Usage: trace.Usage{Input: 11, CacheRead: 2238, Output: 34}},
			1_214_400, // 11 × 3 + 2238 × 0.3 + 34 × 15 = 33 + 671.4 + 510
		},
		"claude-sonnet-4-5, cache written for an hour": {
			Query{Provider: "anthropic", ModelUsed: "claude-sonnet-4-5", Usage: trace.Usage{CacheWrite1h: 1000}},
			6_000_000,
		},
		// The same page, August 2025: Claude Opus 4.1 15, output 75.
		"claude-opus-4-1": {
			Query{Provider: "anthropic", ModelUsed: "claude-opus-4-1-20250805", Usage: trace.Usage{Input: 9, Output: 61}},
			4_710_000, // 9 × 15 + 61 × 75
		},
		// The same page, May 2025: Claude Sonnet 4 3, output 15; above 200,000 tokens 6, output 22.50.
		"claude-sonnet-4": {
			Query{Provider: "anthropic", ModelUsed: "claude-sonnet-4-20250514", Usage: trace.Usage{Input: 200_000, Output: 1000}},
			615_000_000,
		},
		"claude-sonnet-4, long prompt": {
			Query{Provider: "anthropic", ModelUsed: "claude-sonnet-4-20250514", Usage: trace.Usage{Input: 200_001, Output: 1000}},
			1_222_506_000,
		},
		// aws.amazon.com/bedrock/pricing, June 2024: Claude 3.5 Sonnet 3, output 15.
		"claude-3-5-sonnet on Bedrock": {
			Query{Provider: "aws.bedrock", ModelRequested: "anthropic.claude-3-5-sonnet-20240620-v1:0", Usage: trace.Usage{Input: 100, Output: 50}},
			1_050_000,
		},
		// ai.google.dev/pricing, September 2025: Gemini 2.5 Flash 0.30, audio 1, cached
		// 0.03, output with thoughts 2.50.
		"gemini-2.5-flash, thinking": {
			Query{Provider: "gcp.gemini", ModelUsed: "gemini-2.5-flash", Usage: trace.Usage{Input: 35, Output: 19, Reasoning: 88}},
			278_000, // 35 × 0.3 + 107 × 2.5 = 10.5 + 267.5
		},
		"gemini-2.5-flash, cached": {
			Query{Provider: "gemini", ModelUsed: "gemini-2.5-flash", Usage: trace.Usage{Input: 1122, CacheRead: 1122, Output: 4, Reasoning: 88}},
			600_260, // 1122 × 0.3 + 1122 × 0.03 + 92 × 2.5 = 336.6 + 33.66 + 230
		},
		"gemini-2.5-flash, listening": {
			Query{Provider: "gemini", ModelUsed: "gemini-2.5-flash", Usage: trace.Usage{AudioInput: 1000}},
			1_000_000,
		},
		// The same page, June 2025: Gemini 2.5 Pro 1.25, output 10; above 200,000 tokens 2.50, output 15.
		"gemini-2.5-pro": {
			Query{Provider: "gemini", ModelUsed: "gemini-2.5-pro", Usage: trace.Usage{Input: 1000, Output: 100}},
			2_250_000,
		},
		"gemini-2.5-pro, long prompt": {
			Query{Provider: "gemini", ModelUsed: "gemini-2.5-pro", Usage: trace.Usage{Input: 150_000, CacheRead: 100_000, Output: 100}},
			401_500_000, // 150000 × 2.5 + 100000 × 0.25 + 100 × 15
		},
		// openrouter.ai, as the captured answer itself says: 0.000351 dollars.
		"claude-sonnet-4.5 by OpenRouter": {
			Query{Provider: "openrouter", ModelUsed: "anthropic/claude-sonnet-4.5", Usage: trace.Usage{Input: 22, Output: 19}},
			351_000,
		},
		// cohere.com/pricing, December 2024: Rerank 3.5 2 dollars for 1,000 searches.
		"rerank-v3.5": {
			Query{Provider: "cohere", ModelUsed: "rerank-v3.5", Searches: 3, Usage: trace.Usage{Input: 500}},
			6_000_000,
		},
		// docs.voyageai.com, September 2024: rerank-2 0.05.
		"rerank-2, paid by the token": {
			Query{Provider: "voyage", ModelUsed: "rerank-2", Searches: 1, Usage: trace.Usage{Input: 500}},
			25_000,
		},
	} {
		c.query.At = captured
		got, ok := Default().Cost(c.query)
		if !ok || got != c.want {
			t.Errorf("%s: %d, %v, want %d", name, got, ok, c.want)
		}
	}
}

// datedPrices is a table that is small enough to be seen whole.
const datedPrices = `# comment
acme	echo	2025-01-01	in=10 out=100
acme	echo	2025-07-01	in=1 out=10 | batch in=0.5 out=5 | >100 in=2 out=20
acme	echo-mini	2025-01-01	in=0.1 out=1
ollama	llama	2025-01-01	in=0 out=0
`

func TestPriceOfItsDay(t *testing.T) {
	t.Parallel()
	table := newTable(datedPrices)
	for at, want := range map[string]int64{
		"1970-01-01T00:00:00Z":           10_000, // before all lists
		"2025-01-01T00:00:00Z":           10_000,
		"2025-06-30T23:59:59.999999999Z": 10_000,
		"2025-07-01T00:00:00Z":           1_000,
		"2025-07-01T01:00:00+02:00":      10_000, // still June in UTC
		"2199-12-31T00:00:00Z":           1_000,
	} {
		when, err := time.Parse(time.RFC3339Nano, at)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := table.Cost(Query{Provider: "acme", ModelUsed: "echo", At: when, Usage: trace.Usage{Input: 1}})
		if !ok || got != want {
			t.Errorf("%s: %d, %v, want %d", at, got, ok, want)
		}
	}
	if n := len(newTable("").slots); n == 0 {
		t.Error("an empty table has no place to look at")
	}
	for _, none := range []*Table{nil, newTable(""), newTable("a\tb\t2025-01-01\tin=1")} {
		if got, ok := none.Cost(Query{Provider: "acme", ModelUsed: "echo", At: captured}); ok {
			t.Errorf("a table without the model: %d", got)
		}
	}
}

func TestModelUsedComesFirst(t *testing.T) {
	t.Parallel()
	table := newTable(datedPrices)
	for _, c := range []struct {
		used, requested string
		want            int64
	}{
		{"echo", "echo-mini", 1_000},
		{"echo-mini", "echo", 100},
		{"", "echo", 1_000},
		{"deployment-7", "echo", 1_000},
		{"echo", "", 1_000},
		{"deployment-7", "deployment-7", -1},
		{"", "", -1},
	} {
		got, ok := table.Cost(Query{Provider: "acme", ModelUsed: c.used, ModelRequested: c.requested, At: captured, Usage: trace.Usage{Input: 1}})
		if ok != (c.want >= 0) || (ok && got != c.want) {
			t.Errorf("%q, asked for as %q: %d, %v, want %d", c.used, c.requested, got, ok, c.want)
		}
	}
}

func TestServiceTierNames(t *testing.T) {
	t.Parallel()
	table := newTable(datedPrices)
	for _, c := range []struct {
		tier  string
		batch bool
		want  int64
	}{
		{"", false, 1_000},
		{"default", false, 1_000},
		{"Standard", false, 1_000},
		{"auto", false, 1_000},
		{"on_demand", false, 1_000},
		{"batch", false, 500},
		{"BATCH", false, 500},
		{"batches", false, 500},
		{"", true, 500},
		{"flex", true, 500},
		{"flex", false, -1},
		{"priority", false, -1},
		{"provisioned", false, -1},
	} {
		got, ok := table.Cost(Query{Provider: "acme", ModelUsed: "echo", At: captured, Usage: trace.Usage{Input: 1}, ServiceTier: c.tier, Batch: c.batch})
		if ok != (c.want >= 0) || (ok && got != c.want) {
			t.Errorf("%q, batch %v: %d, %v, want %d", c.tier, c.batch, got, ok, c.want)
		}
	}
	if tierKey("fast") != tierKey("priority") {
		t.Error("fast is the priority tier")
	}
}

func ptr[T any](v T) *T { return &v }

func TestPrice(t *testing.T) {
	t.Parallel()
	table := newTable(datedPrices + "cohere\trerank\t2025-01-01\tin=0 out=0 search=2000\n")
	custom := []Custom{{Model: "house-*", Prices: Prices{Input: ptr(Rate(5 * rateUnit)), Output: ptr(Rate(0))}}}
	call := func(change func(*trace.Span)) *trace.Span {
		s := &trace.Span{Kind: trace.KindLLMCall, Start: captured, Provider: ptr("acme"), Model: ptr("echo"), Usage: &trace.Usage{Input: 2, Output: 1}}
		if change != nil {
			change(s)
		}
		return s
	}
	for name, c := range map[string]struct {
		span   *trace.Span
		cost   *int64
		source trace.CostSource
	}{
		"OK": {call(nil), ptr[int64](12_000), trace.CostOfPrices},
		"OKUsedModel": {
			call(func(s *trace.Span) { s.ModelUsed = ptr("echo-mini") }),
			ptr[int64](1_200), trace.CostOfPrices,
		},
		"OKServiceTier": {
			call(func(s *trace.Span) { s.ServiceTier = ptr("batch") }),
			ptr[int64](6_000), trace.CostOfPrices,
		},
		"OKTotalsOnly": {
			call(func(s *trace.Span) { s.Usage, s.InputTokens, s.OutputTokens = nil, ptr[int64](2), ptr[int64](1) }),
			ptr[int64](12_000), trace.CostOfPrices,
		},
		"OKUsageBeforeTotals": {
			call(func(s *trace.Span) { s.InputTokens, s.OutputTokens = ptr[int64](200), ptr[int64](100) }),
			ptr[int64](12_000), trace.CostOfPrices,
		},
		"OKInputOnly": {
			call(func(s *trace.Span) { s.Kind, s.Usage, s.InputTokens = trace.KindEmbedding, nil, ptr[int64](2) }),
			ptr[int64](2_000), trace.CostOfPrices,
		},
		"OKNothingUsed": {
			call(func(s *trace.Span) { s.Usage = &trace.Usage{} }),
			ptr[int64](0), trace.CostOfPrices,
		},
		"OKLocal": {
			call(func(s *trace.Span) { s.Provider, s.Model = ptr("ollama"), ptr("llama") }),
			ptr[int64](0), trace.CostOfPrices,
		},
		"OKCustom": {
			call(func(s *trace.Span) { s.Provider, s.Model = nil, ptr("house-7") }),
			ptr[int64](10_000), trace.CostOfPrices,
		},
		"OKRerankBySearch": {
			call(func(s *trace.Span) {
				s.Kind, s.Provider, s.Model, s.Usage = trace.KindRerank, ptr("cohere"), ptr("rerank"), nil
			}),
			ptr[int64](2_000_000), trace.CostOfPrices,
		},
		"OKAgain": {
			call(func(s *trace.Span) { s.CostNanoUSD, s.CostSource = ptr[int64](7), trace.CostOfPrices }),
			ptr[int64](12_000), trace.CostOfPrices,
		},
		"SendersCostStays": {
			call(func(s *trace.Span) { s.CostNanoUSD, s.CostSource = ptr[int64](7), trace.CostOfSender }),
			ptr[int64](7), trace.CostOfSender,
		},
		"SendersZeroStays": {
			call(func(s *trace.Span) { s.CostNanoUSD, s.CostSource = ptr[int64](0), trace.CostOfSender }),
			ptr[int64](0), trace.CostOfSender,
		},
		"CostOfNobodyStays": { // as stored before there were sources
			call(func(s *trace.Span) { s.CostNanoUSD = ptr[int64](7) }),
			ptr[int64](7), trace.CostUnknown,
		},
		"NoUsage": {call(func(s *trace.Span) { s.Usage = nil }), nil, trace.CostUnknown},
		"NoUsageOfRerankByToken": {
			call(func(s *trace.Span) { s.Kind, s.Usage = trace.KindRerank, nil }),
			nil, trace.CostUnknown,
		},
		"NoModel":    {call(func(s *trace.Span) { s.Model = nil }), nil, trace.CostUnknown},
		"NoProvider": {call(func(s *trace.Span) { s.Provider = nil }), nil, trace.CostUnknown},
		"NoPriceAnyMore": {
			call(func(s *trace.Span) {
				s.Model, s.CostNanoUSD, s.CostSource = ptr("gone"), ptr[int64](7), trace.CostOfPrices
			}),
			nil, trace.CostUnknown,
		},
		"OKSum": { // of an agent, whose calls may all have been short
			call(func(s *trace.Span) { s.Kind, s.MappingVersion, s.Usage.Input = trace.KindAgentRun, 1, 200 }),
			ptr[int64](210_000), trace.CostOfPrices,
		},
		"OtherKind": {call(func(s *trace.Span) { s.Kind = trace.KindAgentRun }), nil, trace.CostUnknown},
		"OtherKindNow": {
			call(func(s *trace.Span) {
				s.Kind, s.CostNanoUSD, s.CostSource = trace.KindChain, ptr[int64](7), trace.CostOfPrices
			}),
			nil, trace.CostUnknown,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 2 { // the second time changes nothing
				Price(c.span, table, custom)
				if diff := cmp.Diff(c.cost, c.span.CostNanoUSD); diff != "" || c.span.CostSource != c.source {
					t.Errorf("source %q, want %q; cost (-want +got):\n%s", c.span.CostSource, c.source, diff)
				}
			}
		})
	}
	for _, kind := range trace.Kinds() {
		s := call(func(s *trace.Span) { s.Kind = kind })
		Price(s, table)
		paid := kind == trace.KindLLMCall || kind == trace.KindEmbedding || kind == trace.KindRerank
		if (s.CostNanoUSD != nil) != paid {
			t.Errorf("a span of kind %s has a cost: %v", kind, s.CostNanoUSD != nil)
		}
	}
}

func BenchmarkDefault(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		newTable(data)
	}
}

func BenchmarkCost(b *testing.B) {
	table := Default()
	for name, q := range map[string]Query{
		"Exact":   {Provider: "openai", ModelUsed: "gpt-4o-mini-2024-07-18"},
		"Dated":   {Provider: "openai", ModelUsed: "gpt-5-mini-2099-12-31"},
		"Bedrock": {Provider: "aws.bedrock", ModelUsed: "us.anthropic.claude-sonnet-4-20250514-v1:0"},
		"Unsaid":  {ModelUsed: "gemini-2.5-flash"},
		"Unknown": {Provider: "acme", ModelUsed: "my-house-model", ModelRequested: "other"},
	} {
		q.At, q.Usage = captured, trace.Usage{Input: 1000, CacheRead: 5000, Output: 300, Reasoning: 20}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				table.Cost(q)
			}
		})
	}
}
