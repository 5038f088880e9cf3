package otlp

import "github.com/pulse-traces/pulse/shared/trace"

// OpenRouter's broadcast, which tells of each request to it, and below it of what
// it tried at which provider.
func init() {
	register(&dialect{
		name: "openrouter", rank: 178,
		rules: []rule{
			{key: "trace.metadata.openrouter.first_token_ms", fact: factFirstToken, scale: 1},
			{key: "trace.metadata.*", fact: factMetadataEntry},
			{key: "trace.input", fact: factInput, late: true}, // the same again
			{key: "span.input", fact: factInput, late: true},
			{key: "trace.output", fact: factOutput, late: true},
			{key: "span.output", fact: factOutput, late: true},
			{key: "span.level", fact: factLevel, keep: true},
		},
		before: func(r *reading) {
			if r.hasPrefix("trace.metadata.openrouter") && string(r.name) != "LLM Generation" && r.parentID != "" {
				r.kind, r.role = trace.KindChain, trace.RolePart
			}
		},
	})
}
