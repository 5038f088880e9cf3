package otlp

import "github.com/pulse-traces/pulse/shared/trace"

// Mirascope. Its model calls speak the conventions; what they lack, and the
// functions around them, have names of its own.
func init() {
	register(&dialect{
		name: "mirascope", rank: 182,
		rules: []rule{
			{key: "mirascope.type", fact: factKind, late: true, kinds: map[string]trace.Kind{"trace": trace.KindChain, "response_resume": trace.KindChain}},
			{key: "mirascope.trace.arg_values", fact: factInput},
			{key: "mirascope.trace.output", fact: factOutput},
			{key: "mirascope.trace.tags", fact: factTags},
			{key: "mirascope.trace.metadata", fact: factMetadata},
			{key: "mirascope.response.provider_id", fact: factProvider, late: true},
			{key: "mirascope.response.model_id", fact: factModel, late: true},
			{key: "mirascope.response.messages", fact: factInput, late: true}, // the same again
			{key: "mirascope.response.content", fact: factOutput, late: true},
			{key: "mirascope.response.usage", fact: factUsage},
			{key: "mirascope.ops.session.id", fact: factSession},
		},
	})
}
