package pricing

import (
	"encoding/json"
	"errors"
	"math/bits"
	"strconv"
	"strings"

	"github.com/pulse-traces/pulse/shared/trace"
)

// Rate is a price: nano-dollars for a million tokens, so that the smallest
// prices that are published are whole numbers. It is written as dollars for a
// million tokens, as providers publish them: 0.15.
type Rate int64

// MaxRate is the highest Rate there may be: a million dollars for a million
// tokens.
const MaxRate Rate = 1e6 * rateUnit

const (
	rateUnit   = 1e9 // of a Rate in a dollar for a million tokens
	rateDigits = 9   // after the point
	perMillion = 1e6

	maxRateDigits = 16 // of MaxRate
	maxExponent   = 30 // that a price may be written with: more is no price
)

// MaxCostNanoUSD is what one call may cost at most, as for costs that senders
// give: counts that somebody made up must not spoil every sum.
const MaxCostNanoUSD = int64(trace.MaxCostCents * trace.NanoUSDPerCent)

// String writes r as dollars for a million tokens, without trailing zeros.
func (r Rate) String() string {
	if r < 0 {
		return "-" + (-r).String()
	}
	whole := strconv.FormatInt(int64(r/rateUnit), 10)
	rest := int64(r % rateUnit)
	if rest == 0 {
		return whole
	}
	digits := strconv.FormatInt(rateUnit+rest, 10)[1:]
	return whole + "." + strings.TrimRight(digits, "0")
}

// MarshalJSON writes r as a JSON number of dollars for a million tokens.
func (r Rate) MarshalJSON() ([]byte, error) { return []byte(r.String()), nil }

var errRate = errors.New("expected dollars for a million tokens, from 0 to 1000000 with at most 9 decimals")

// UnmarshalJSON reads a JSON number, or a string that holds one, exactly: no
// float comes in between.
func (r *Rate) UnmarshalJSON(data []byte) error {
	text := string(data)
	if len(data) > 0 && data[0] == '"' {
		if err := json.Unmarshal(data, &text); err != nil {
			return errRate
		}
	}
	v, ok := ParseRate(text)
	if !ok {
		return errRate
	}
	*r = v
	return nil
}

// ParseRate reads dollars for a million tokens in decimal digits, with an
// exponent if there must be one: 0.15, 15, 1.5e-1. It fails for a price below 0,
// above MaxRate, or with more than 9 decimals.
func ParseRate(s string) (Rate, bool) {
	exponent := 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		var err error
		if exponent, err = strconv.Atoi(s[i+1:]); err != nil || exponent < -maxExponent || exponent > maxExponent {
			return 0, false
		}
		s = s[:i]
	}
	whole, fraction, point := strings.Cut(s, ".")
	if whole == "" || (point && fraction == "") {
		return 0, false
	}
	// The rate is digits × 10^scale, digits without zeros at either end.
	digits := strings.TrimLeft(whole+fraction, "0")
	scale := rateDigits + exponent - len(fraction) + len(digits)
	digits = strings.TrimRight(digits, "0")
	scale -= len(digits)
	var v Rate
	for i := range len(digits) {
		digit := Rate(digits[i]) - '0'
		if digit < 0 || digit > 9 || i >= maxRateDigits {
			return 0, false
		}
		v = v*10 + digit
	}
	if v == 0 {
		return 0, true
	}
	if scale < 0 || len(digits)+scale > maxRateDigits {
		return 0, false
	}
	for range scale {
		v *= 10
	}
	return v, v <= MaxRate
}

// bucket is one kind of what is paid for.
type bucket int

// The buckets. Their names are those of the price data.
const (
	bucketInput bucket = iota
	bucketCacheRead
	bucketCacheWrite5m
	bucketCacheWrite1h
	bucketAudioInput
	bucketImageInput
	bucketOutput
	bucketReasoning
	bucketAudioOutput
	bucketImageOutput
	bucketSearch // a million searches of a reranker
	buckets
)

var bucketNames = [buckets]string{"in", "read", "write", "write1h", "audio", "image", "out", "reason", "audioout", "imageout", "search"}

// instead names the bucket whose rate applies where a bucket has none of its
// own: a provider that names no price for a cache, for pictures or for reasoning
// charges such tokens as any others.
var instead = [buckets]bucket{
	bucketInput: bucketInput, bucketCacheRead: bucketInput, bucketCacheWrite5m: bucketInput, bucketCacheWrite1h: bucketCacheWrite5m,
	bucketAudioInput: bucketInput, bucketImageInput: bucketInput,
	bucketOutput: bucketOutput, bucketReasoning: bucketOutput, bucketAudioOutput: bucketOutput, bucketImageOutput: bucketOutput,
	bucketSearch: bucketSearch,
}

// Values of a Rate in rates that are none.
const (
	rateNone    Rate = -1 // that of the bucket instead applies
	rateUnknown Rate = -2 // is charged, but not by the token
)

// rates holds one rate for each bucket.
type rates [buckets]Rate

var noRates = rates{rateNone, rateNone, rateNone, rateNone, rateNone, rateNone, rateNone, rateNone, rateNone, rateNone, rateNone}

// of gives the rate of b, or one below 0 if it is not known.
func (r *rates) of(b bucket) Rate { return r[r.as(b)] }

// as gives the bucket whose rate applies to b.
func (r *rates) as(b bucket) bucket {
	for r[b] == rateNone && instead[b] != b {
		b = instead[b]
	}
	return b
}

// bySearch reports whether so many searches are paid as such.
func (r *rates) bySearch(searches int64) bool { return searches != 0 && r[bucketSearch] >= 0 }

// counts are what u and so many searches have of each bucket that r is for.
func (r *rates) counts(u *trace.Usage, searches int64) [buckets]int64 {
	if !r.bySearch(searches) {
		searches = 0 // it is paid by the token
	}
	return [buckets]int64{
		u.Input, u.CacheRead, u.CacheWrite5m, u.CacheWrite1h, u.AudioInput, u.ImageInput,
		u.Output, u.Reasoning, u.AudioOutput, u.ImageOutput, searches,
	}
}

// cost adds up what u and so many searches cost at r. It is exact until the last
// step: a count has at most 63 bits and a rate 50, so that twelve products fit
// in 128.
func (r *rates) cost(u *trace.Usage, searches int64) (int64, bool) {
	var hi, lo uint64
	for b, n := range r.counts(u, searches) {
		if n == 0 {
			continue
		}
		rate := r.of(bucket(b))
		if n < 0 || rate < 0 {
			return 0, false
		}
		h, l := bits.Mul64(uint64(n), uint64(rate))
		var carry uint64
		lo, carry = bits.Add64(lo, l, 0)
		hi, _ = bits.Add64(hi, h, carry)
	}
	return nanoUSD(hi, lo), true
}

// nanoUSD is a count times a Rate, a number of 128 bits, in nano-dollars.
func nanoUSD(hi, lo uint64) int64 {
	lo, carry := bits.Add64(lo, perMillion/2, 0)
	hi += carry
	if hi >= perMillion {
		return MaxCostNanoUSD
	}
	nano, _ := bits.Div64(hi, lo, perMillion)
	return int64(min(nano, uint64(MaxCostNanoUSD)))
}

// parseRates reads one model's prices as the table has them: groups of
// bucket=rate, the first for the standard tier, each other one after a "|" and
// its condition: a service tier, a number of input tokens above which it
// applies (>200000), or both (batch>200000). Every group is complete. It fails
// if no group is for this tier at this length.
func parseRates(text, tier string, input int64) (rates, bool) {
	var (
		found     = noRates
		reading   = tier == "" // the group at hand is the best so far
		ok        = reading    // there is one
		above     = int64(0)   // what found applies above
		longest   = int64(0)   // what the standard tier's group would apply above
		condition = false      // the next word is one
	)
	for text != "" {
		var word string
		word, text, _ = strings.Cut(text, " ")
		switch {
		case word == "|":
			condition = true
		case condition:
			condition = false
			of, limit := parseCondition(word)
			if limit >= input && limit > 0 {
				reading = false
				continue
			}
			if of == "" {
				longest = max(longest, limit)
			}
			if reading = of == tier && limit >= above; reading {
				found, above, ok = noRates, limit, true
			}
		case reading:
			name, value, _ := strings.Cut(word, "=")
			b := bucketOf(name)
			if b == buckets {
				return rates{}, false
			}
			if value == "?" {
				found[b] = rateUnknown
				continue
			}
			rate, valid := ParseRate(value)
			if !valid {
				return rates{}, false
			}
			found[b] = rate
		}
	}
	// A tier that has no price for long prompts, where the standard tier has
	// one, is not sold for them.
	return found, ok && above >= longest
}

// parseCondition reads the head of a group: tier>limit.
func parseCondition(word string) (tier string, limit int64) {
	tier, after, long := strings.Cut(word, ">")
	if !long {
		return tier, 0
	}
	limit, err := strconv.ParseInt(after, 10, 64)
	if err != nil {
		return "invalid", 0
	}
	return tier, limit
}

func bucketOf(name string) bucket {
	for b, n := range bucketNames {
		if n == name {
			return bucket(b)
		}
	}
	return buckets
}
