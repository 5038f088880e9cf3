package otlp

import "github.com/pulse-traces/pulse/shared/trace"

// Braintrust's OpenTelemetry integration.
func init() {
	register(&dialect{
		name: "braintrust", rank: 56,
		rules: []rule{
			{key: "braintrust.input_json", fact: factInput},
			{key: "braintrust.input", fact: factInput},
			{key: "braintrust.output_json", fact: factOutput},
			{key: "braintrust.output", fact: factOutput},
			{key: "braintrust.metadata", fact: factMetadata},
			{key: "braintrust.tags", fact: factTags},
			{key: "braintrust.metrics", fact: factUsage, keep: true},
			{key: "braintrust.span_attributes", fact: factParameters, keep: true},
			{key: "braintrust.context_json", fact: factNone, keep: true},
		},
		before: func(r *reading) {
			for _, h := range r.of(factParameters) {
				if h.rule.key == "braintrust.span_attributes" {
					r.kind = braintrustKinds[r.tree(h.at).root().get("type").text()]
				}
			}
		},
	})
}

var braintrustKinds = map[string]trace.Kind{
	"llm": trace.KindLLMCall, "tool": trace.KindToolUse, "function": trace.KindChain, "task": trace.KindChain, "score": trace.KindEvaluator,
	"eval": trace.KindChain, "automation": trace.KindChain, "facet": trace.KindEvaluator,
}
