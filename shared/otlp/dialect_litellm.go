package otlp

import (
	"bytes"
	"strings"

	"github.com/pulse-traces/pulse/shared/trace"
)

// LiteLLM's callbacks, versions 1 and 2.
func init() {
	register(&dialect{
		name: "litellm", rank: 70, scopes: []string{"litellm"},
		rules: []rule{
			{key: "gen_ai.cost.total_cost", fact: factCost},
			{key: "litellm.cost.total", fact: factCost},
			{key: "gen_ai.cost.input_cost", fact: factCostIn},
			{key: "gen_ai.cost.output_cost", fact: factCostOut},
			{key: "hidden_params", fact: factCosts, keep: true},
			{key: "metadata.usage_object", fact: factUsage},
			{key: "litellm.end_user.id", fact: factUser},
			{key: "litellm.metadata.session_id", fact: factSession},
			{key: "litellm.metadata.user_id", fact: factUser},
			{key: "litellm.metadata.tags", fact: factTags},
			{key: "litellm.metadata.*", fact: factMetadataEntry},
			{key: "metadata.requester_metadata", fact: factMetadata}, // the caller's own
			{key: "metadata.*", fact: factMetadataEntry},
			{key: "error.stack_trace", fact: factNone, keep: true},
		},
		before: litellmBefore,
	})
}

// litellmBefore reads the child that each call has, with the provider's own
// words in attributes that are named for the provider: llm.openai.messages.
func litellmBefore(r *reading) {
	if vendor, _, ok := strings.Cut(r.attrText("litellm.provider.model"), "/"); ok {
		r.provider = vendor
	}
	if r.has(factOperation) || r.has(factModel) || r.has(factModelUsed) {
		return
	}
	if string(r.name) == "raw_gen_ai_request" {
		r.kind, r.role = trace.KindLLMCall, trace.RoleReport
	}
	o := objectWriter{}
	for i := range r.own {
		rest, ok := bytes.CutPrefix(r.attributes[i].key, []byte("llm."))
		if provider, last, two := bytes.Cut(rest, []byte(".")); ok && two {
			if knownProviders[string(provider)] {
				r.provider = string(provider)
			}
			o.raw(last, r.json(int32(i)))
			if litellmBodies[string(last)] && r.kind == "" {
				r.kind, r.role = trace.KindLLMCall, trace.RoleReport
			}
			if string(last) == "input" {
				r.kind = trace.KindEmbedding
			}
		}
	}
	if r.kind != "" {
		r.response = parseTree(string(o.end())).root()
	}
}

var litellmBodies = map[string]bool{"messages": true, "choices": true, "usage": true, "input": true, "contents": true, "model": true}
