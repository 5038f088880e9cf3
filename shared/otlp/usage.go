package otlp

import (
	"math"
	"strings"

	"github.com/pulse-traces/pulse/shared/trace"
)

// counts are token counts as a sender gave them; unknown where it gave none.
type counts struct {
	input, output           int64 // with the parts below, unless exclusive
	uncached                int64 // of input: neither read from a cache nor written to one
	read, write             int64 // cache
	write5m, write1h        int64 // parts of write
	reasoning               int64
	audioInput, audioOutput int64
	imageInput, imageOutput int64
	exclusive               bool // input has no cached tokens in it
	exclusiveOutput         bool // output has no reasoning tokens in it
}

const unknown = -1

func noCounts() counts {
	return counts{
		input: unknown, output: unknown, uncached: unknown, read: unknown, write: unknown, write5m: unknown, write1h: unknown,
		reasoning: unknown, audioInput: unknown, audioOutput: unknown, imageInput: unknown, imageOutput: unknown,
	}
}

// empty reports whether the sender gave no count at all.
func (c *counts) empty() bool {
	return max(c.input, c.output, c.uncached, c.read, c.write, c.write5m, c.write1h, c.reasoning, c.audioInput, c.audioOutput) < 0
}

// known gives a count, or 0.
func known(n int64) int64 { return max(n, 0) }

// usage brings counts to disjoint buckets. Where the parts are larger than the
// whole, the whole cannot have them in it.
func (c *counts) usage() *trace.Usage {
	if c.empty() {
		return nil
	}
	u := &trace.Usage{
		CacheRead: known(c.read), CacheWrite1h: known(c.write1h), AudioInput: known(c.audioInput), ImageInput: known(c.imageInput),
		Reasoning: known(c.reasoning), AudioOutput: known(c.audioOutput), ImageOutput: known(c.imageOutput),
	}
	u.CacheWrite5m = max(known(c.write)-u.CacheWrite1h, known(c.write5m))
	cached := trace.Plus(u.CacheRead, trace.Plus(u.CacheWrite5m, u.CacheWrite1h))

	input := known(c.input)
	switch {
	case c.uncached >= 0:
		input = c.uncached
	case c.exclusive || input < cached:
	default:
		input -= cached
	}
	u.Input = max(input-u.AudioInput-u.ImageInput, 0)

	output := known(c.output)
	if parts := trace.Plus(u.Reasoning, trace.Plus(u.AudioOutput, u.ImageOutput)); !c.exclusiveOutput && output >= parts {
		output -= parts
	}
	u.Output = output
	return u
}

// fill takes from o what c does not know.
func (c *counts) fill(o *counts) {
	for _, p := range [][2]*int64{
		{&c.input, &o.input},
		{&c.output, &o.output},
		{&c.uncached, &o.uncached},
		{&c.read, &o.read},
		{&c.write, &o.write},
		{&c.write5m, &o.write5m},
		{&c.write1h, &o.write1h},
		{&c.reasoning, &o.reasoning},
		{&c.audioInput, &o.audioInput},
		{&c.audioOutput, &o.audioOutput},
		{&c.imageInput, &o.imageInput},
		{&c.imageOutput, &o.imageOutput},
	} {
		if *p[0] < 0 {
			*p[0] = *p[1]
		}
	}
}

// agrees reports whether o, which counts all of a call, counts the same call as
// c does: an agent's sum stands beside the usage of its last step in some spans.
func (c *counts) agrees(o *counts) bool {
	u := o.usage()
	if u == nil {
		return false
	}
	if c.input >= 0 && c.input != u.InputTokens() && c.input != o.input && c.input != u.Input {
		return false
	}
	return c.output < 0 || c.output == u.OutputTokens() || c.output == o.output || c.output == u.Output
}

// count reads a token count: a whole number that is not negative.
func count(f float64, ok bool) int64 {
	if !ok || f < 0 || f > trace.MaxTokens || f != math.Trunc(f) {
		return unknown
	}
	return int64(f)
}

// countsOf reads usage as some provider, or the author of an SDK, writes it.
func countsOf(r ref) counts {
	c := noCounts()
	if r.kind() != kindObject {
		return c
	}
	n := func(names ...string) int64 { return count(r.get(names...).number()) }

	c.input = n("prompt_tokens", "input_tokens", "promptTokens", "inputTokens", "promptTokenCount", "prompt_token_count", "inputTokenCount", "input", "prompt")
	c.output = n("completion_tokens", "output_tokens", "completionTokens", "outputTokens", "candidatesTokenCount", "candidates_token_count",
		"outputTokenCount", "output", "completion")
	c.uncached = n("noCacheTokens", "non_cached_input_tokens")
	c.read = n("cache_read_input_tokens", "cached_tokens", "cachedInputTokens", "cacheReadInputTokens", "cachedContentTokenCount",
		"cached_content_token_count", "cachedPromptTokens", "prompt_cached_tokens", "cache_read_tokens", "input_cached_tokens", "input_cache_read",
		"input_cache_read_tokens", "cache_read")
	c.write = n("cache_creation_input_tokens", "cacheCreationInputTokens", "cacheWriteInputTokens", "prompt_cache_creation_tokens",
		"cache_creation_tokens", "cache_write_tokens", "input_cache_creation", "input_cache_write", "cache_creation", "cache_write")
	c.write5m = n("input_cache_creation_5m")
	c.write1h = n("input_cache_creation_1h")
	c.reasoning = n("reasoning_tokens", "reasoningTokens", "thoughtsTokenCount", "thoughts_token_count", "completion_reasoning_tokens",
		"output_reasoning_tokens", "output_reasoning", "reasoning")
	c.audioInput = n("input_audio_tokens", "input_audio", "prompt_audio_tokens")
	c.audioOutput = n("output_audio_tokens", "output_audio", "completion_audio_tokens")

	if d := r.get("cache_creation"); d.kind() == kindObject { // Anthropic's
		c.write5m = count(d.get("ephemeral_5m_input_tokens").number())
		c.write1h = count(d.get("ephemeral_1h_input_tokens").number())
	}
	input := r.get("prompt_tokens_details", "input_tokens_details", "input_token_details", "inputTokenDetails", "promptTokensDetails", "inputTokens")
	if input.kind() == kindObject {
		d := detailsOf(input, true)
		c.fill(&d)
	}
	output := r.get("completion_tokens_details", "output_tokens_details", "output_token_details", "outputTokenDetails", "completionTokensDetails", "outputTokens")
	if output.kind() == kindObject {
		d := detailsOf(output, false)
		c.fill(&d)
	}

	switch {
	case r.get("promptTokenCount", "prompt_token_count").there(): // Gemini counts thoughts beside the answer
		c.exclusiveOutput = true
	case r.get("input", "output").there() && !input.there(): // Langfuse's map, whose entries add up
		parts := known(c.read) + known(c.write) + known(c.write5m) + known(c.write1h) + known(c.audioInput) +
			known(c.reasoning) + known(c.audioOutput)
		total := count(r.get("total").number())
		if total < 0 || total != known(c.input)+known(c.output) || parts == 0 {
			c.disjoint()
		}
	case r.get("input_tokens", "inputTokens").there() && !input.there() &&
		r.get("cache_creation_input_tokens", "cache_read_input_tokens", "cacheReadInputTokens", "cacheWriteInputTokens").there():
		// Anthropic and Bedrock count cached tokens beside the input; where a
		// sum is given, it says whether somebody has added them up.
		total := count(r.get("total_tokens", "totalTokens").number())
		c.exclusive = total < 0 || total != known(c.input)+known(c.output) || known(c.read)+known(c.write) == 0
	}
	return c
}

// disjoint makes the whole of counts whose entries add up.
func (c *counts) disjoint() {
	if c.input >= 0 {
		c.input += known(c.read) + max(known(c.write), known(c.write5m)+known(c.write1h)) + known(c.audioInput)
	}
	if c.output >= 0 {
		c.output += known(c.reasoning) + known(c.audioOutput)
	}
}

// detailsOf reads the parts of an input or output count.
func detailsOf(r ref, input bool) counts {
	c := noCounts()
	n := func(names ...string) int64 { return count(r.get(names...).number()) }
	if input {
		c.input = n("total")
		c.uncached = n("noCacheTokens", "noCache")
		c.read = n("cached_tokens", "cache_read", "cacheReadTokens", "cacheRead", "cached", "cache_read_tokens")
		c.write = n("cache_creation", "cache_write_tokens", "cacheWriteTokens", "cacheWrite", "cache_write", "cache_creation_tokens")
		c.write5m = n("ephemeral_5m_input_tokens")
		c.write1h = n("ephemeral_1h_input_tokens")
		c.audioInput = n("audio_tokens", "audio")
		c.imageInput = n("image_tokens", "image")
		return c
	}
	c.output = n("total")
	c.reasoning = n("reasoning_tokens", "reasoning", "reasoningTokens")
	c.audioOutput = n("audio_tokens", "audio")
	c.imageOutput = n("image_tokens", "image")
	return c
}

// providerCounts reads what the AI SDK passes on of a provider: an object with
// one member per provider.
func providerCounts(r ref) counts {
	c := noCounts()
	r.each(func(e ref) bool {
		if u := e.get("usage", "usageMetadata"); u.kind() == kindObject {
			c = countsOf(u)
			return false
		}
		c.reasoning = count(e.get("reasoningTokens").number())
		c.read = count(e.get("cachedPromptTokens", "cacheReadInputTokens").number())
		c.write = count(e.get("cacheCreationInputTokens").number())
		return false
	})
	return c
}

// countFacts are the facts that are single counts.
var countFacts = []struct {
	fact fact
	of   func(*counts) *int64
	name string // as the earlier service's faults have it
}{
	{factInputTokens, func(c *counts) *int64 { return &c.input }, "input_tokens"},
	{factOutputTokens, func(c *counts) *int64 { return &c.output }, "output_tokens"},
	{factUncached, func(c *counts) *int64 { return &c.uncached }, ""},
	{factCacheRead, func(c *counts) *int64 { return &c.read }, ""},
	{factCacheWrite, func(c *counts) *int64 { return &c.write }, ""},
	{factCacheWrite5m, func(c *counts) *int64 { return &c.write5m }, ""},
	{factCacheWrite1h, func(c *counts) *int64 { return &c.write1h }, ""},
	{factReasoningTokens, func(c *counts) *int64 { return &c.reasoning }, ""},
	{factAudioInput, func(c *counts) *int64 { return &c.audioInput }, ""},
	{factAudioOutput, func(c *counts) *int64 { return &c.audioOutput }, ""},
	{factImageInput, func(c *counts) *int64 { return &c.imageInput }, ""},
	{factImageOutput, func(c *counts) *int64 { return &c.imageOutput }, ""},
}

// usage puts together what a span says of tokens: single counts, and objects
// that some senders have beside or instead of them.
func (r *reading) usage() *trace.Usage {
	c := noCounts()
	for _, f := range countFacts {
		for _, h := range r.of(f.fact) {
			if n := count(number(r.value(h))); n >= 0 {
				*f.of(&c) = n
				break
			}
		}
	}
	c.exclusive, c.exclusiveOutput = r.exclusive, r.exclusiveOutput
	for _, h := range r.of(factUsage) {
		root := r.tree(h.at).root()
		o := countsOf(root)
		if strings.HasSuffix(h.rule.key, "providerMetadata") {
			o = providerCounts(root)
		}
		switch {
		case o.empty():
		case o.input < 0 && o.output < 0: // only parts
			c.fill(&o)
		case c.input < 0 && c.output < 0:
			parts := c
			c = o
			c.fill(&parts)
		case c.agrees(&o):
			parts := c
			c = o
			c.fill(&parts)
		}
	}
	r.addUsage(&c)
	return c.usage()
}
