package pricing

import (
	"encoding/json"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/pulse-traces/pulse/shared/trace"
)

func TestParseRate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Rate{
		"0":                        0,
		"0.0":                      0,
		"0e5":                      0,
		"000":                      0,
		"0.15":                     150_000_000,
		"15":                       15_000_000_000,
		"015.50":                   15_500_000_000,
		"0.0375":                   37_500_000,
		"0.000000001":              1,
		"1.5e-1":                   150_000_000,
		"1.5E+1":                   15_000_000_000,
		"15e-1":                    1_500_000_000,
		"1000000":                  MaxRate,
		"1e6":                      MaxRate,
		"999999.999999999":         MaxRate - 1,
		"0.150000000000000":        150_000_000,
		"10000000000000000000e-19": 1_000_000_000,
	} {
		if got, ok := ParseRate(text); !ok || got != want {
			t.Errorf("ParseRate(%q) = %d, %v, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", ".", ".5", "5.", "-1", "+1", "1,5", "1 ", " 1", "0x10", "1e", "e5", "1e99", "1e-99", "1e1.5", "NaN", "Inf", "null", "1_000",
		"0.0000000001", "1000000.000000001", "1000001", "1e7", "123456789012345678901234567890", "1..2", "1.2.3", "١",
	} {
		if got, ok := ParseRate(text); ok {
			t.Errorf("ParseRate(%q) = %d, want a failure", text, got)
		}
	}
}

func TestRateJSON(t *testing.T) {
	t.Parallel()
	for in, out := range map[string]string{`0.15`: "0.15", `"0.15"`: "0.15", `2.50`: "2.5", `0`: "0", `1e-3`: "0.001", `75`: "75", `0.000000001`: "0.000000001"} {
		var r Rate
		if err := json.Unmarshal([]byte(in), &r); err != nil {
			t.Errorf("%s: %v", in, err)
		}
		if got, err := json.Marshal(r); err != nil || string(got) != out {
			t.Errorf("%s: written as %s (%v), want %s", in, got, err, out)
		}
	}
	for _, in := range []string{`"free"`, `true`, `[]`, `{}`, `-1`, `""`, `0.0000000001`} {
		var r Rate
		if err := json.Unmarshal([]byte(in), &r); err == nil {
			t.Errorf("%s: taken as %v", in, r)
		}
	}
}

// FuzzParseRate compares with exact fractions.
func FuzzParseRate(f *testing.F) {
	for _, s := range []string{"0.15", "1e6", "999999.999999999", "1.5e-1", "10000000000000000000e-19", "-0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, ok := ParseRate(s)
		if !ok {
			return
		}
		want, valid := new(big.Rat).SetString(s)
		if !valid {
			t.Fatalf("ParseRate(%q) = %d, of what is no number", s, r)
		}
		if got := big.NewRat(int64(r), rateUnit); got.Cmp(want) != 0 {
			t.Errorf("ParseRate(%q) = %v", s, got)
		}
		if again, ok := ParseRate(r.String()); !ok || again != r {
			t.Errorf("%d is written as %q, which reads as %d", r, r.String(), again)
		}
	})
}

// TestCostIsExact compares with fractions of any size.
func TestCostIsExact(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate  string
		count int64
	}{
		{"0.15", 0},
		{"0.15", 1},
		{"0.0005", 1}, // half a nano-dollar
		{"0.000499999", 1},
		{"0.0015", 1}, // away from zero, not to even
		{"0.0025", 1},
		{"0.000000001", 499_999_999},
		{"0.000000001", 500_000},
		{"0.033333333", 3},
		{"1000000", 1},
		{"1000000", 10_000_000},
		{"1000000", 9_999_999},
		{"0.15", math.MaxInt64},
		{"1000000", math.MaxInt64},
	} {
		rate, ok := ParseRate(c.rate)
		if !ok {
			t.Fatal(c.rate)
		}
		exact := new(big.Rat).Mul(big.NewRat(int64(rate), perMillion), new(big.Rat).SetInt64(c.count))
		want := new(big.Int).Quo(new(big.Int).Add(new(big.Int).Mul(exact.Num(), big.NewInt(2)), exact.Denom()), new(big.Int).Mul(exact.Denom(), big.NewInt(2)))
		if limit := big.NewInt(MaxCostNanoUSD); want.Cmp(limit) > 0 {
			want = limit
		}
		r := noRates
		r[bucketOutput] = rate
		got, ok := r.cost(&trace.Usage{Output: c.count}, 0)
		if !ok || got != want.Int64() {
			t.Errorf("%d tokens at %s cost %d, %v, want %v", c.count, c.rate, got, ok, want)
		}
	}
	// All buckets at their largest do not wrap round.
	r := noRates
	for b := range r {
		r[b] = MaxRate
	}
	const most = math.MaxInt64
	got, ok := r.cost(&trace.Usage{
		Input: most, CacheRead: most, CacheWrite5m: most, CacheWrite1h: most, AudioInput: most, ImageInput: most,
		Output: most, Reasoning: most, AudioOutput: most, ImageOutput: most,
	}, most)
	if !ok || got != MaxCostNanoUSD {
		t.Errorf("the most that can be used costs %d, %v, want %d", got, ok, MaxCostNanoUSD)
	}
	// Two products that fit in 64 bits, but not together.
	if got, ok := r.cost(&trace.Usage{Input: 11_000, Output: 11_000}, 0); !ok || got != 22_000_000_000_000 {
		t.Errorf("22,000 tokens at a dollar cost %d, %v", got, ok)
	}
	var u trace.Usage
	for i, field := range counts(&u) {
		*field = -1
		if got, ok := r.cost(&u, 0); ok {
			t.Errorf("count %d below zero: costs %d", i, got)
		}
		*field = 0
	}
}

func TestBucketsWithoutPrice(t *testing.T) {
	t.Parallel()
	const text = "in=1 read=0.1 write=1.25 image=? out=10 audioout=20"
	one := int64(1_000_000)
	for name, c := range map[string]struct {
		usage trace.Usage
		want  int64 // nano-dollars; 0 is unknown
	}{
		"own price":                          {trace.Usage{CacheRead: one}, 100_000_000},
		"an hour as five minutes":            {trace.Usage{CacheWrite1h: one}, 1_250_000_000},
		"audio as any input":                 {trace.Usage{AudioInput: one}, 1_000_000_000},
		"reasoning as any output":            {trace.Usage{Reasoning: one}, 10_000_000_000},
		"pictures as any output":             {trace.Usage{ImageOutput: one}, 10_000_000_000},
		"speech at its own":                  {trace.Usage{AudioOutput: one}, 20_000_000_000},
		"pictures not paid by the token":     {trace.Usage{ImageInput: 1}, 0},
		"nothing known where some is not":    {trace.Usage{ImageInput: 1, Input: one}, 0},
		"what is not used need not be known": {trace.Usage{Input: one}, 1_000_000_000},
	} {
		r, ok := parseRates(text, "", 0)
		if !ok {
			t.Fatal(text)
		}
		got, ok := r.cost(&c.usage, 0)
		if got != c.want || ok != (c.want != 0) {
			t.Errorf("%s: %d, %v, want %d", name, got, ok, c.want)
		}
	}
	if r, ok := parseRates("in=1", "", 0); !ok {
		t.Error("a row without answers is one")
	} else if got, ok := r.cost(&trace.Usage{Output: 1}, 0); ok {
		t.Errorf("an answer without a price costs %d", got)
	}
}

func TestTiers(t *testing.T) {
	t.Parallel()
	const text = "in=1 out=10 | >128000 in=2 out=20 | >256000 in=3 out=30 | batch in=0.5 out=5 | batch>128000 in=0.75 out=7.5 | batch>256000 in=0.8 out=8 | priority in=4 out=40"
	for _, c := range []struct {
		tier  string
		input int64
		want  string // of input; "" is unknown
	}{
		{"", 0, "1"},
		{"", 128_000, "1"},
		{"", 128_001, "2"},
		{"", 256_000, "2"},
		{"", 256_001, "3"},
		{"", math.MaxInt64, "3"},
		{"batch", 0, "0.5"},
		{"batch", 128_000, "0.5"},
		{"batch", 128_001, "0.75"},
		{"batch", 256_001, "0.8"},
		{"priority", 128_000, "4"},
		{"priority", 128_001, ""}, // not sold for long prompts
		{"flex", 0, ""},
		{"scale", 0, ""},
	} {
		r, ok := parseRates(text, c.tier, c.input)
		if got := r[bucketInput].String(); ok != (c.want != "") || (ok && got != c.want) {
			t.Errorf("%q with %d tokens: %s, %v, want %q", c.tier, c.input, got, ok, c.want)
		}
	}
}

// FuzzParseRates reads any text as prices: it fails, or gives rates.
func FuzzParseRates(f *testing.F) {
	f.Add("in=1 out=10 | >128000 in=2 out=20 | batch>1 in=0.5 out=?", "batch", int64(200_000))
	f.Add("| | | =", "", int64(0))
	f.Fuzz(func(t *testing.T, text, tier string, input int64) {
		r, ok := parseRates(text, tier, input)
		for b, rate := range r {
			if ok && (rate < rateUnknown || rate > MaxRate) {
				t.Errorf("%q: %s costs %d", text, bucketNames[b], rate)
			}
		}
		if strings.Count(text, "|") == 0 && tier != "" && ok {
			t.Errorf("%q: has prices for %q", text, tier)
		}
	})
}
