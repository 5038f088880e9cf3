package pricing

import (
	"bytes"
	"compress/gzip"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/trace"
)

// row is a line of the price data.
type row struct{ provider, model, from, prices string }

func dataRows(t testing.TB) []row {
	t.Helper()
	var rows []row
	for line := range strings.Lines(data) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 4 {
			t.Fatalf("%q: a line has 4 columns", line)
		}
		rows = append(rows, row{f[0], f[1], f[2], f[3]})
	}
	if len(rows) < 3000 {
		t.Fatalf("there are only %d prices", len(rows))
	}
	return rows
}

func TestDataIsInOrder(t *testing.T) {
	t.Parallel()
	rows := dataRows(t)
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = r.provider + "\t" + r.model + "\t" + r.from
		if ProviderKey(r.provider) != r.provider || r.provider == "" {
			t.Errorf("%s: not the key of a provider", lines[i])
		}
		if ModelKey(r.model) != r.model || r.model == "" || len(r.model) > maxModelBytes {
			t.Errorf("%s: not the key of a model", lines[i])
		}
		if _, err := time.Parse(time.DateOnly, r.from); err != nil {
			t.Errorf("%s: %v", lines[i], err)
		}
		if i > 0 && lines[i] <= lines[i-1] {
			t.Errorf("%s: not after the line before it", lines[i])
		}
		if i > 0 && r.provider == rows[i-1].provider && r.model == rows[i-1].model && r.prices == rows[i-1].prices {
			t.Errorf("%s: says what the line before it does", lines[i])
		}
	}
}

func TestDataIsSmall(t *testing.T) {
	t.Parallel()
	const limit = 300 << 10
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if packed.Len() > limit {
		t.Errorf("the data have %d bytes compressed, more than %d", packed.Len(), limit)
	}
}

// conditionsOf gives the heads of a row's groups.
func conditionsOf(prices string) []string {
	conditions := []string{""}
	for _, group := range strings.Split(prices, " | ")[1:] {
		head, _, _ := strings.Cut(group, " ")
		conditions = append(conditions, head)
	}
	return conditions
}

func TestDataIsComplete(t *testing.T) {
	t.Parallel()
	for _, r := range dataRows(t) {
		groups := strings.Split(r.prices, " | ")
		base, ok := parseRates(groups[0], "", 0)
		if !ok || base.of(bucketInput) < 0 {
			t.Errorf("%s %s: no price for input", r.provider, r.model)
			continue
		}
		paid := slices.ContainsFunc(base[:], func(rate Rate) bool { return rate > 0 })
		if !paid && r.provider != "ollama" && r.provider != "lemonade" {
			t.Errorf("%s %s: costs nothing", r.provider, r.model)
		}
		for i, condition := range conditionsOf(r.prices)[1:] {
			if tier, limit := parseCondition(condition); (tier == "" && limit == 0) || !slices.Contains([]string{"", tierBatch, "flex", "priority"}, tier) {
				t.Errorf("%s %s: condition %q", r.provider, r.model, condition)
			}
			_, body, _ := strings.Cut(groups[i+1], " ")
			group, ok := parseRates(body, "", 0)
			for b, rate := range base {
				if !ok || (group[b] == rateNone && rate != rateNone) {
					t.Errorf("%s %s: group %q lacks a kind of token", r.provider, r.model, condition)
					break
				}
			}
		}
	}
}

// Every price is found on its first day and on the last before the next, and the
// first one before all.
func TestDataIsFound(t *testing.T) {
	t.Parallel()
	table := Default()
	rows := dataRows(t)
	for i, r := range rows {
		first := i == 0 || rows[i-1].provider != r.provider || rows[i-1].model != r.model
		last := i+1 == len(rows) || rows[i+1].provider != r.provider || rows[i+1].model != r.model
		from, err := time.Parse(time.DateOnly, r.from)
		if err != nil {
			t.Fatal(err)
		}
		until := from.AddDate(100, 0, 0)
		if !last {
			next, err := time.Parse(time.DateOnly, rows[i+1].from)
			if err != nil {
				t.Fatal(err)
			}
			until = next.Add(-time.Nanosecond)
		}
		days := []time.Time{from, until}
		if first {
			days = append(days, from.AddDate(-50, 0, 0))
		}
		for _, at := range days {
			if got, ok := table.on(r.provider, r.model, dayOf(at)); !ok || got.prices() != r.prices {
				t.Errorf("%s %s on %v: %q, want %q", r.provider, r.model, at, got, r.prices)
			}
		}
	}
}

// counts gives the fields of u.
func counts(u *trace.Usage) []*int64 {
	return []*int64{
		&u.Input, &u.CacheRead, &u.CacheWrite5m, &u.CacheWrite1h, &u.AudioInput, &u.ImageInput,
		&u.Output, &u.Reasoning, &u.AudioOutput, &u.ImageOutput,
	}
}

// TestProperties holds for every row of the data: nothing costs nothing, more
// never costs less, and two calls at the same prices cost what both do together.
func TestProperties(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	table := Default()
	for _, r := range dataRows(t) {
		at, err := time.Parse(time.DateOnly, r.from)
		if err != nil {
			t.Fatal(err)
		}
		for _, condition := range conditionsOf(r.prices) {
			tier, _ := parseCondition(condition)
			q := Query{At: at, ServiceTier: tier}
			cost := func(u trace.Usage, searches int64) (int64, bool) {
				q.Usage, q.Searches = u, searches
				rates, ok := parseRates(r.prices, q.tier(), u.InputTokens())
				if !ok {
					return 0, false
				}
				return rates.cost(&u, searches)
			}
			if nano, ok := cost(trace.Usage{}, 0); !ok || nano != 0 {
				t.Errorf("%s %s %s: nothing costs %d, %v", r.provider, r.model, condition, nano, ok)
			}
			// Small enough that both stay below any limit for long prompts.
			var a, b, sum trace.Usage
			fa, fb, fs := counts(&a), counts(&b), counts(&sum)
			for i := range fa {
				*fa[i], *fb[i] = rng.Int64N(2000), rng.Int64N(2000)
				*fs[i] = *fa[i] + *fb[i]
			}
			costA, okA := cost(a, 1)
			costB, okB := cost(b, 2)
			costSum, okSum := cost(sum, 3)
			if okA != okB || okA != okSum {
				t.Errorf("%s %s %s: known for some counts only", r.provider, r.model, condition)
			}
			if apart := costSum - costA - costB; okA && (apart < -1 || apart > 1) { // each was rounded
				t.Errorf("%s %s %s: %d and %d, together %d", r.provider, r.model, condition, costA, costB, costSum)
			}
			for i := range fa {
				before, known := cost(a, 1)
				for range 6 {
					*fa[i] = *fa[i]*7 + rng.Int64N(1000)
					after, still := cost(a, 1)
					if known && still && after < before {
						t.Errorf("%s %s %s: %+v costs %d, less than with fewer tokens", r.provider, r.model, condition, a, after)
					}
					before, known = after, still
				}
				*fa[i] = 0
			}
		}
	}
	// What the rows do, the table does.
	if _, ok := table.Cost(Query{Provider: "openai", ModelUsed: "gpt-4o", At: time.Now()}); !ok {
		t.Error("gpt-4o has no price")
	}
}
