package main

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/pulse-traces/pulse/shared/pricing"
)

// key names a model of a provider as the table does.
type key struct{ provider, model string }

// condition is what calls a group of prices is for.
type condition struct {
	tier  string // "" is the standard service tier
	above int64  // input tokens; 0: from the first
}

// group holds prices by the bucket names of the price data.
type group map[string]pricing.Rate

// listed is all that a list says of one model.
type listed map[condition]group

// unknown stands in a group for what is charged, but not by the token.
const unknown pricing.Rate = -1

// order is that of the buckets on a line.
var order = []string{"in", "read", "write", "write1h", "audio", "image", "out", "reason", "audioout", "imageout", "search"}

// bucketOf maps the source's names for prices to those of the buckets.
var bucketOf = map[string]string{
	"input_cost_per_token":                      "in",
	"cache_read_input_token_cost":               "read",
	"cache_creation_input_token_cost":           "write",
	"cache_creation_input_token_cost_above_1hr": "write1h",
	"input_cost_per_audio_token":                "audio",
	"input_cost_per_image_token":                "image",
	"output_cost_per_token":                     "out",
	"output_cost_per_reasoning_token":           "reason",
	"output_cost_per_audio_token":               "audioout",
	"output_cost_per_image_token":               "imageout",
}

// conditions at the end of the source's names: _above_200k_tokens_batches.
var suffix = regexp.MustCompile(`^(.*?)(?:_above_(\d+)k_tokens)?(?:_(batches|flex|priority))?$`)

// issue is the date at the end of a model's name.
var issue = regexp.MustCompile(`-20\d\d-?[01]\d-?[0-3]\d$`)

func cutDate(model string) (string, bool) {
	at := issue.FindStringIndex(model)
	if at == nil || at[0] == 0 {
		return "", false
	}
	return model[:at[0]], true
}

// modes are the kinds of models that are paid by the token, or by the search.
var modes = map[string]bool{
	"": true, "chat": true, "completion": true, "responses": true, "embedding": true, "rerank": true, "realtime": true, "image_generation": true,
	"image_edit": true, "audio_transcription": true, "audio_speech": true, "moderation": true, "ocr": true,
}

// local are the providers that run on the customer's own machine: a list that
// says 0 of their models is right. Of others it means that the price is another
// thing than tokens, or not known.
var local = map[string]bool{"ollama": true, "lemonade": true}

// convert reads a published list.
func convert(data []byte) (map[key]listed, error) {
	var entries map[string]map[string]json.RawMessage
	if err := json.Unmarshal(data, &entries); err != nil {
		return nil, err
	}
	models := map[key]listed{}
	names := map[key]string{} // in the source, of those in models
	put := func(k key, name string, l listed) {
		// Names that differ only in spelling: the shorter is the plain one.
		if other, taken := names[k]; taken && (len(other) < len(name) || (len(other) == len(name) && other < name)) {
			return
		}
		models[k], names[k] = l, name
	}
	aliases := map[string]string{}
	for name, fields := range entries {
		if target := text(fields["alias_of"]); target != "" {
			aliases[name] = target
			continue
		}
		k, ok := keyOf(name, text(fields["litellm_provider"]))
		if !ok || !modes[text(fields["mode"])] {
			continue
		}
		l, err := read(k, fields)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if l.complete(k, text(fields["mode"])) {
			put(k, name, l)
		}
	}
	for name, target := range aliases {
		provider := text(entries[target]["litellm_provider"])
		k, ok := keyOf(target, provider)
		if !ok || models[k] == nil {
			continue
		}
		if alias, ok := keyOf(name, provider); ok {
			put(alias, name, models[k])
		}
	}
	return models, nil
}

// text is a JSON string's value; "" for anything else.
func text(data json.RawMessage) string {
	var s string
	if json.Unmarshal(data, &s) != nil {
		return ""
	}
	return s
}

// keyOf says how the table names what the source calls name.
func keyOf(name, provider string) (key, bool) {
	if provider == "" || strings.Contains(provider, " ") { // the sample at the head
		return key{}, false
	}
	if strings.HasPrefix(provider, "vertex_ai-") { // one for each maker
		provider = "vertex_ai"
	}
	k := key{pricing.ProviderKey(provider), strings.ToLower(name)}
	if k.provider == "" {
		return key{}, false
	}
	for {
		prefix, rest, ok := strings.Cut(k.model, "/")
		route := k.provider == "aws.bedrock" && (prefix == "converse" || prefix == "invoke")
		if !ok || (pricing.ProviderKey(prefix) != k.provider && !route) {
			break
		}
		k.model = rest
	}
	k.model = pricing.ModelKey(k.model)
	return k, k.model != ""
}

// read takes the prices out of an entry.
func read(k key, fields map[string]json.RawMessage) (listed, error) {
	l := listed{}
	put := func(c condition, bucket string, data json.RawMessage, units int64) error {
		rate, ok, err := rateOf(data, units)
		if err != nil || !ok {
			return err
		}
		if l[c] == nil {
			l[c] = group{}
		}
		l[c][bucket] = rate
		return nil
	}
	for _, name := range sortedKeys(fields) {
		c, base := condition{}, name
		if bucketOf[name] == "" {
			m := suffix.FindStringSubmatch(name)
			base = m[1]
			if m[2] != "" {
				k, err := strconv.ParseInt(m[2], 10, 32)
				if err != nil {
					return nil, err
				}
				c.above = k * 1000
			}
			if c.tier = m[3]; c.tier == "batches" {
				c.tier = "batch"
			}
		}
		if bucket := bucketOf[base]; bucket != "" {
			if err := put(c, bucket, fields[name], 1e6); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	if hit, ok := fields["input_cost_per_token_cache_hit"]; ok && fields["cache_read_input_token_cost"] == nil {
		if err := put(condition{}, "read", hit, 1e6); err != nil {
			return nil, err
		}
	}
	if err := readRanges(fields["tiered_pricing"], put); err != nil {
		return nil, err
	}
	if text(fields["mode"]) == "rerank" {
		if err := put(condition{}, "search", fields["input_cost_per_query"], 1e6); err != nil {
			return nil, err
		}
	}
	l.tidy(k, fields)
	return l, nil
}

// readRanges reads prices that are given for ranges of input tokens.
func readRanges(data json.RawMessage, put func(condition, string, json.RawMessage, int64) error) error {
	if data == nil {
		return nil
	}
	var ranges []map[string]json.RawMessage
	if err := json.Unmarshal(data, &ranges); err != nil {
		return err
	}
	for _, r := range ranges {
		var bounds []float64 // whole numbers of tokens
		if err := json.Unmarshal(r["range"], &bounds); err != nil || len(bounds) != 2 {
			continue // ranges of something else
		}
		for name, bucket := range bucketOf {
			if err := put(condition{above: int64(bounds[0])}, bucket, r[name], 1e6); err != nil {
				return err
			}
		}
	}
	return nil
}

// rateOf turns dollars for one unit into a rate, rounded to what a rate can
// hold: what lies below are the remains of somebody's floating-point arithmetic.
func rateOf(data json.RawMessage, units int64) (rate pricing.Rate, ok bool, err error) {
	if data == nil || string(data) == "null" {
		return 0, false, nil
	}
	number := strings.Trim(string(data), `"`)
	dollars, valid := new(big.Rat).SetString(number)
	if !valid || dollars.Sign() < 0 {
		return 0, false, fmt.Errorf("no price: %s", data)
	}
	rate, valid = pricing.ParseRate(dollars.Mul(dollars, big.NewRat(units, 1)).FloatString(9))
	if !valid {
		return 0, false, fmt.Errorf("price out of range: %s", data)
	}
	return rate, true, nil
}

// tidy settles what a list leaves open, or says wrongly of a price of 0.
func (l listed) tidy(k key, fields map[string]json.RawMessage) {
	base := l[condition{}]
	if base == nil {
		return
	}
	mode := text(fields["mode"])
	for _, g := range l {
		// Writing to a cache is never free: 0 says that nothing is added. Of
		// Google's models it is what the cache costs by the hour.
		google := strings.HasPrefix(k.provider, "gcp.") && !strings.Contains(k.model, "claude")
		if g["write"] == 0 || google {
			delete(g, "write")
			delete(g, "write1h")
		}
		// Where a model answers only pictures or speech, all output is that.
		for _, only := range []string{"imageout", "audioout"} {
			if rate, ok := g[only]; ok && g["out"] == 0 {
				g["out"] = rate
			}
		}
	}
	_, hasOut := base["out"]
	if !hasOut && (mode == "embedding" || mode == "rerank") {
		base["out"] = 0
	}
	if (mode == "chat" || mode == "completion" || mode == "responses") && base["in"] > 0 && base["out"] == 0 {
		for _, g := range l { // an answer is never free: something else is charged for it
			delete(g, "out")
		}
	}
	if _, ok := base["imageout"]; !ok && positive(fields["output_cost_per_image"]) {
		base["imageout"] = unknown
	}
	if _, ok := base["image"]; !ok && mode == "embedding" && positive(fields["input_cost_per_image"]) {
		base["image"] = unknown
	}
	if _, ok := base["audio"]; !ok && (positive(fields["input_cost_per_audio_per_second"]) || (mode == "embedding" && positive(fields["input_cost_per_second"]))) {
		base["audio"] = unknown
	}
	for _, g := range l {
		// Anthropic's rule for its models wherever they are sold: an hour in the
		// cache costs twice the input, five minutes 1.25 times.
		if g["in"] > 0 && g["write"]*4 == g["in"]*5 && strings.Contains(k.model, "claude") {
			g["write1h"] = g["in"] * 2
		}
	}
	for bucket, plain := range plainOf {
		if rate, ok := base[bucket]; ok && rate != base[plain] {
			continue
		}
		for _, g := range l { // it goes without saying
			if rate, ok := g[bucket]; ok && rate == g[plain] {
				delete(g, bucket)
			}
		}
	}
}

// plainOf names the bucket whose price applies where a bucket has none.
var plainOf = map[string]string{"audio": "in", "image": "in", "reason": "out", "audioout": "out", "imageout": "out"}

func positive(data json.RawMessage) bool {
	rate, ok, err := rateOf(data, 1)
	return err == nil && ok && rate > 0
}

// dearestOf is, by mode, more than any provider asks for a million input tokens:
// what is above has its point in the wrong place.
var dearestOf = map[string]pricing.Rate{"": 250e9, "embedding": 10e9, "rerank": 10e9}

// complete reports whether what a list says of a model can price anything.
func (l listed) complete(k key, mode string) bool {
	base := l[condition{}]
	if _, ok := base["in"]; !ok {
		return false
	}
	dearest := dearestOf[mode]
	if dearest == 0 {
		dearest = dearestOf[""]
	}
	if base["in"] > dearest || base["out"] > 4*dearest {
		return false
	}
	for _, rate := range base {
		if rate > 0 {
			return base["in"] > 0 || (mode == "rerank" && base["search"] > 0)
		}
	}
	return local[k.provider] && !strings.HasSuffix(k.model, "-cloud") // that is not local after all
}

// line writes prices as the table has them. Every group is complete: what the
// list does not say of it is taken from the standard prices.
func (l listed) line() string {
	base := l[condition{}]
	var out strings.Builder
	write := func(c condition, g group) {
		if c != (condition{}) {
			out.WriteString(" | " + c.tier)
			if c.above > 0 {
				fmt.Fprintf(&out, ">%d", c.above)
			}
			out.WriteByte(' ')
		}
		var words []string
		for _, bucket := range order {
			if rate, ok := g[bucket]; ok && rate == unknown {
				words = append(words, bucket+"=?")
			} else if ok {
				words = append(words, bucket+"="+rate.String())
			}
		}
		out.WriteString(strings.Join(words, " "))
	}
	write(condition{}, base)
	standard := map[int64]bool{} // lengths at which the standard prices change
	for _, tier := range []string{"", "batch", "flex", "priority"} {
		before := base
		if tier != "" {
			own := l[condition{tier: tier}]
			if _, ok := own["in"]; !ok {
				continue
			}
			before = own.over(base)
			if read, ok := before["read"]; ok {
				before["read"] = min(read, before["in"])
			}
			write(condition{tier: tier}, before)
		}
		for _, above := range l.lengths(tier) {
			own := l[condition{tier, above}]
			if tier != "" && (!standard[above] || own["in"] == 0) {
				continue
			}
			next := own.over(before)
			for bucket, rate := range before { // a long prompt never makes a token cheaper
				if rate != unknown {
					next[bucket] = max(next[bucket], rate)
				}
			}
			if tier == "" && next.same(before) {
				continue
			}
			if tier == "" {
				standard[above] = true
			}
			write(condition{tier, above}, next)
			before = next
		}
	}
	return out.String()
}

// lengths are the numbers of input tokens above which a tier has other prices.
func (l listed) lengths(tier string) []int64 {
	var out []int64
	for c := range l {
		if c.tier == tier && c.above > 0 {
			out = append(out, c.above)
		}
	}
	slices.Sort(out)
	return out
}

// over gives the prices of g, and those of base that g does not name.
func (g group) over(base group) group {
	out := group{}
	for bucket, rate := range base {
		out[bucket] = rate
	}
	for bucket, rate := range g {
		out[bucket] = rate
	}
	return out
}

// same reports whether g and o name the same prices.
func (g group) same(o group) bool {
	if len(g) != len(o) {
		return false
	}
	for bucket, rate := range g {
		if other, ok := o[bucket]; !ok || other != rate {
			return false
		}
	}
	return true
}

// changed reports whether later names differently, or no longer, a price that l
// named. What it adds was only not said before, and what differs by no more than
// a hundredth was only rounded.
func (l listed) changed(later listed) bool {
	for c, g := range l {
		for bucket, rate := range g {
			other, ok := later[c][bucket]
			if apart := max(rate, other) - min(rate, other); !ok || apart*100 > rate {
				return true
			}
		}
	}
	return false
}

// losesAnswers reports whether later lists answers as free that l has a price
// for. Prices fall, but not to nothing: such a list has taken the model for one
// that answers none.
func (l listed) losesAnswers(later listed) bool {
	return l[condition{}]["out"] > 0 && later[condition{}]["out"] == 0
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
