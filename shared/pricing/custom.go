package pricing

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Limits of custom prices.
const (
	MaxCustom       = 1000 // of one project
	MaxPatternBytes = 256  // of a model's name or pattern, and of a provider's name
	MaxTiers        = 16   // of one price
)

// Custom is a price that a project has set, for models that no list names or
// for what it really pays. It comes before the table of published prices.
type Custom struct {
	// Model is a model's name, or a pattern in which * stands for any text and ?
	// for one character. Case, and the characters that ModelKey makes one of, do
	// not matter; a name with a vendor's prefix is another one.
	Model string `json:"model"`
	// Provider is a provider's name in any spelling; "" is for all, and for spans
	// that name none.
	Provider string `json:"provider,omitzero"`
	// EffectiveFrom is when the price begins to apply; the zero time means that
	// it always did. It ends where a later one for the same model begins.
	EffectiveFrom time.Time `json:"effectiveFrom,omitzero"`
	Prices        Prices    `json:"prices"`
	// Tiers replace some of the prices for some of the calls.
	Tiers []Tier `json:"tiers,omitempty"`
}

// Prices are what each kind of token costs; nil where nothing is said. Input and
// output then have no price, a call that used some has no cost, and the other
// kinds cost what input or output do.
type Prices struct {
	Input        *Rate `json:"input,omitempty"`
	CacheRead    *Rate `json:"cacheRead,omitempty"`
	CacheWrite5m *Rate `json:"cacheWrite5m,omitempty"`
	CacheWrite1h *Rate `json:"cacheWrite1h,omitempty"` // nil: as CacheWrite5m
	AudioInput   *Rate `json:"audioInput,omitempty"`
	ImageInput   *Rate `json:"imageInput,omitempty"`
	Output       *Rate `json:"output,omitempty"`
	Reasoning    *Rate `json:"reasoning,omitempty"`
	AudioOutput  *Rate `json:"audioOutput,omitempty"`
	ImageOutput  *Rate `json:"imageOutput,omitempty"`
	Search       *Rate `json:"search,omitempty"` // a million searches of a reranker
}

// Tier holds the prices that differ for a service tier, above a number of input
// tokens, or both. A call is priced by the standard prices, replaced by those of
// the longest tier that it reaches, by those of its service tier, and by those of
// its service tier's longest, in this order.
type Tier struct {
	ServiceTier      string `json:"serviceTier,omitzero"`      // "": the standard one
	AboveInputTokens int64  `json:"aboveInputTokens,omitzero"` // 0: from the first
	Prices           Prices `json:"prices"`
}

var priceNames = [buckets]string{
	"input", "cacheRead", "cacheWrite5m", "cacheWrite1h", "audioInput", "imageInput", "output", "reasoning", "audioOutput", "imageOutput", "search",
}

// byBucket gives the fields of p.
func (p *Prices) byBucket() [buckets]**Rate {
	return [buckets]**Rate{
		&p.Input, &p.CacheRead, &p.CacheWrite5m, &p.CacheWrite1h, &p.AudioInput, &p.ImageInput,
		&p.Output, &p.Reasoning, &p.AudioOutput, &p.ImageOutput, &p.Search,
	}
}

// replace puts the prices that p names into r.
func (p *Prices) replace(r *rates) {
	for b, field := range p.byBucket() {
		if rate := *field; rate != nil {
			r[b] = *rate
		}
	}
}

// customRates gives the custom price that applies to q and its rates: the best
// one for the model that answered, else the best for the one asked for.
func customRates(custom []Custom, q *Query) (*Custom, rates, bool) {
	if len(custom) == 0 {
		return nil, rates{}, false
	}
	provider := ProviderKey(q.Provider)
	for _, model := range q.models() {
		if model == "" {
			continue
		}
		key := ModelKey(model)
		var best *Custom
		var rank customRank
		for i := range custom {
			c := &custom[i]
			if r, ok := c.match(provider, key, q.At); ok && (best == nil || r.better(rank)) {
				best, rank = c, r
			}
		}
		if best != nil {
			return best, best.rates(q.tier(), q.length()), true
		}
	}
	return nil, rates{}, false
}

// customRank orders the custom prices that match a call.
type customRank struct {
	exact    bool // names the model rather than a pattern
	provider bool // names the provider
	literals int  // characters of the pattern that stand for themselves
	from     time.Time
}

// better reports whether a is to be taken rather than b.
func (a customRank) better(b customRank) bool {
	switch {
	case a.exact != b.exact:
		return a.exact
	case a.provider != b.provider:
		return a.provider
	case a.literals != b.literals:
		return a.literals > b.literals
	}
	return a.from.After(b.from)
}

func (c *Custom) match(provider, key string, at time.Time) (customRank, bool) {
	if at.Before(c.EffectiveFrom) || (c.Provider != "" && ProviderKey(c.Provider) != provider) {
		return customRank{}, false
	}
	pattern := ModelKey(c.Model)
	if !glob(pattern, key) {
		return customRank{}, false
	}
	wild := strings.Count(pattern, "*") + strings.Count(pattern, "?")
	return customRank{wild == 0, c.Provider != "", len(pattern) - wild, c.EffectiveFrom}, true
}

func (c *Custom) rates(tier string, input int64) rates {
	r := noRates
	c.Prices.replace(&r)
	long := func(tier string) {
		var longest *Tier
		for i := range c.Tiers {
			t := &c.Tiers[i]
			if tierKey(t.ServiceTier) == tier && t.AboveInputTokens > 0 && t.AboveInputTokens < input &&
				(longest == nil || t.AboveInputTokens > longest.AboveInputTokens) {
				longest = t
			}
		}
		if longest != nil {
			longest.Prices.replace(&r)
		}
	}
	long("")
	if tier == "" {
		return r
	}
	for i := range c.Tiers {
		if t := &c.Tiers[i]; tierKey(t.ServiceTier) == tier && t.AboveInputTokens == 0 {
			t.Prices.replace(&r)
		}
	}
	long(tier)
	return r
}

// glob reports whether pattern, in which * stands for any text and ? for one
// character, matches all of s. It takes at most len(pattern) × len(s) steps.
func glob(pattern, s string) bool {
	p, i := 0, 0
	star, from := -1, 0 // where the last * was, and what it has matched up to
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, i
			p++
		case p < len(pattern) && pattern[p] == '?':
			_, size := utf8.DecodeRuneInString(s[i:])
			p, i = p+1, i+size
		case p < len(pattern) && pattern[p] == s[i]:
			p, i = p+1, i+1
		case star >= 0:
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// ID names what c is for: the same for two prices of one model, as calls are
// compared with it, one provider and one time, of which a project has but one.
func (c *Custom) ID() string {
	of := strings.Join([]string{ModelKey(c.Model), ProviderKey(c.Provider), c.EffectiveFrom.UTC().Format(time.RFC3339Nano)}, "\x00")
	sum := sha256.Sum256([]byte(of))
	return hex.EncodeToString(sum[:idBytes])
}

const idBytes = 16

// ValidID reports whether ID may give id.
func ValidID(id string) bool {
	b, err := hex.DecodeString(id)
	return err == nil && len(b) == idBytes
}

// Check gives what is wrong with c, by the names of its JSON form: nothing for a
// price that can be stored and used.
func (c *Custom) Check() []fault.Issue {
	var d customDecoder
	d.check(c)
	return d.issues
}

// ParseCustom reads the JSON form of one custom price. The error is
// fault.Invalid and names every field that is wrong.
func ParseCustom(data []byte) (Custom, error) {
	var d customDecoder
	c := d.custom(data)
	return c, d.err()
}

// ParseCustomList reads a JSON array of custom prices, at most MaxCustom, as a
// file has them. The error is fault.Invalid and names every field that is wrong.
func ParseCustomList(data []byte) ([]Custom, error) {
	var d customDecoder
	items := d.array(data, MaxCustom)
	list := make([]Custom, len(items))
	for i, item := range items {
		d.within(i, func() { list[i] = d.custom(item) })
	}
	return list, d.err()
}

// UnmarshalJSON is ParseCustom.
func (c *Custom) UnmarshalJSON(data []byte) (err error) {
	*c, err = ParseCustom(data)
	return err
}

// customDecoder reads custom prices and notes all that is wrong with them.
type customDecoder struct {
	path   []any // of the value at hand
	issues []fault.Issue
}

func (d *customDecoder) err() error {
	if len(d.issues) == 0 {
		return nil
	}
	return &fault.Error{Code: fault.Invalid, Message: "Invalid price", Issues: d.issues}
}

func (d *customDecoder) add(code, format string, args ...any) {
	d.issues = append(d.issues, fault.Issue{Path: slices.Clone(d.path), Code: code, Message: fmt.Sprintf(format, args...)})
}

// within calls f with the path of a part.
func (d *customDecoder) within(part any, f func()) {
	d.path = append(d.path, part)
	f()
	d.path = d.path[:len(d.path)-1]
}

func (d *customDecoder) wrongType(want string) {
	d.add("invalid_type", "Invalid input: expected %s", want)
}

// object splits an object into its fields, and notes those that it must not have.
func (d *customDecoder) object(data []byte, known ...string) map[string]json.RawMessage {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil || fields == nil {
		d.wrongType("object")
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(known, name) {
			d.within(name, func() { d.add("invalid_value", "Unknown field: expected one of %s", strings.Join(known, ", ")) })
		}
		if bytes.Equal(fields[name], []byte("null")) { // as if it were not there
			delete(fields, name)
		}
	}
	return fields
}

func (d *customDecoder) array(data []byte, limit int) []json.RawMessage {
	var items []json.RawMessage
	if err := json.Unmarshal(data, &items); err != nil || items == nil {
		d.wrongType("array")
		return nil
	}
	if len(items) > limit {
		d.add("too_big", "Too big: expected array to have <=%d items", limit)
		return nil
	}
	return items
}

// field reads one field of an object, if it is there.
func (d *customDecoder) field(fields map[string]json.RawMessage, name string, read func(json.RawMessage)) {
	if data, ok := fields[name]; ok {
		d.within(name, func() { read(data) })
	}
}

func (d *customDecoder) text(into *string) func(json.RawMessage) {
	return func(data json.RawMessage) {
		if json.Unmarshal(data, into) != nil {
			d.wrongType("string")
		}
	}
}

func (d *customDecoder) custom(data []byte) Custom {
	var c Custom
	before := len(d.issues)
	fields := d.object(data, "model", "provider", "effectiveFrom", "prices", "tiers")
	if fields == nil {
		return c
	}
	d.field(fields, "model", d.text(&c.Model))
	d.field(fields, "provider", d.text(&c.Provider))
	d.field(fields, "effectiveFrom", func(data json.RawMessage) {
		var text string
		if d.text(&text)(data); text == "" {
			return
		}
		var ok bool
		if c.EffectiveFrom, ok = parseFrom(text); !ok {
			d.add("invalid_format", "Invalid date: expected 2026-01-31 or 2026-01-31T00:00:00Z")
		}
	})
	d.field(fields, "prices", func(data json.RawMessage) { c.Prices = d.prices(data) })
	d.field(fields, "tiers", func(data json.RawMessage) {
		for i, item := range d.array(data, MaxTiers) {
			d.within(i, func() { c.Tiers = append(c.Tiers, d.tier(item)) })
		}
	})
	if len(d.issues) == before { // else what is wrong would be said twice
		d.check(&c)
	}
	return c
}

func (d *customDecoder) tier(data []byte) Tier {
	var t Tier
	fields := d.object(data, "serviceTier", "aboveInputTokens", "prices")
	d.field(fields, "serviceTier", d.text(&t.ServiceTier))
	d.field(fields, "aboveInputTokens", func(data json.RawMessage) {
		var err error
		if t.AboveInputTokens, err = strconv.ParseInt(string(data), 10, 64); err != nil {
			d.wrongType("int")
		}
	})
	d.field(fields, "prices", func(data json.RawMessage) { t.Prices = d.prices(data) })
	return t
}

func (d *customDecoder) prices(data []byte) Prices {
	var p Prices
	fields := d.object(data, priceNames[:]...)
	for b, field := range p.byBucket() {
		d.field(fields, priceNames[b], func(data json.RawMessage) {
			var rate Rate
			if err := rate.UnmarshalJSON(data); err != nil {
				d.add("invalid_value", "Invalid price: %v", err)
				return
			}
			*field = &rate
		})
	}
	return p
}

// parseFrom reads a day, which begins at midnight UTC, or a time.
func parseFrom(text string) (time.Time, bool) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day, true
	}
	return trace.ParseTime(text)
}

func (d *customDecoder) check(c *Custom) {
	d.within("model", func() {
		if strings.TrimSpace(c.Model) == "" {
			d.add("too_small", "Too small: expected string to have >=1 characters")
		}
		d.checkName(c.Model)
	})
	d.within("provider", func() {
		d.checkName(c.Provider)
		if c.Provider != "" && ProviderKey(c.Provider) == "" {
			d.add("invalid_value", "Invalid provider: this names no provider; leave it out to mean all")
		}
	})
	if from := c.EffectiveFrom; !from.IsZero() && (from.Before(trace.MinTime) || !from.Before(trace.MaxTime)) {
		d.within("effectiveFrom", func() {
			d.add("invalid_format", "Invalid date: expected one from %s to before %s", trace.MinTime.Format(time.DateOnly), trace.MaxTime.Format(time.DateOnly))
		})
	}
	d.within("prices", func() {
		if c.Prices.Input == nil && c.Prices.Search == nil {
			d.add("invalid_value", "Invalid prices: expected at least input or search")
		}
		d.checkPrices(&c.Prices)
	})
	d.within("tiers", func() {
		if len(c.Tiers) > MaxTiers {
			d.add("too_big", "Too big: expected array to have <=%d items", MaxTiers)
			return
		}
		for i := range c.Tiers {
			d.within(i, func() { d.checkTier(c.Tiers, i) })
		}
	})
}

func (d *customDecoder) checkTier(tiers []Tier, i int) {
	t := &tiers[i]
	d.within("serviceTier", func() { d.checkName(t.ServiceTier) })
	d.within("aboveInputTokens", func() {
		if t.AboveInputTokens < 0 {
			d.add("too_small", "Too small: expected number to be >=0")
		}
		if t.AboveInputTokens > trace.MaxTokens {
			d.add("too_big", "Too big: expected int to be <=%d", int64(trace.MaxTokens))
		}
	})
	key := tierKey(t.ServiceTier)
	if key == "" && t.AboveInputTokens == 0 {
		d.add("invalid_value", "Invalid tier: expected a serviceTier other than the standard one, or aboveInputTokens")
	}
	if slices.ContainsFunc(tiers[:i], func(o Tier) bool {
		return tierKey(o.ServiceTier) == key && o.AboveInputTokens == t.AboveInputTokens
	}) {
		d.add("invalid_value", "Invalid tier: there is another one for the same calls")
	}
	d.within("prices", func() {
		if t.Prices == (Prices{}) {
			d.add("invalid_value", "Invalid prices: expected at least one")
		}
		d.checkPrices(&t.Prices)
	})
}

func (d *customDecoder) checkPrices(p *Prices) {
	for b, field := range p.byBucket() {
		if rate := *field; rate != nil && (*rate < 0 || *rate > MaxRate) {
			d.within(priceNames[b], func() {
				d.add("invalid_value", "Invalid price: %v", errRate)
			})
		}
	}
}

func (d *customDecoder) checkName(name string) {
	if len(name) > MaxPatternBytes {
		d.add("too_big", "Too big: expected at most %d bytes", MaxPatternBytes)
	}
	if strings.IndexByte(name, 0) >= 0 || !utf8.ValidString(name) {
		d.add("invalid_format", "Invalid string: expected UTF-8 without the NUL character (U+0000)")
	}
}
