package otlp

import "github.com/pulse-traces/pulse/shared/trace"

// Langtrace. Its model calls speak early forms of the conventions.
func init() {
	register(&dialect{
		name: "langtrace", rank: 166,
		rules: []rule{
			{key: "langtrace.service.type", late: true, fact: factKind, kinds: map[string]trace.Kind{
				"llm": trace.KindLLMCall, "framework": trace.KindChain, "vectordb": trace.KindRetrieval,
			}},
			{key: "langtrace.service.name", fact: factProvider, late: true, keep: true},
			{key: "llm.prompts", fact: factInput},
			{key: "llm.responses", fact: factOutput},
			{key: "llm.token.counts", fact: factUsage},
			{key: "langtrace.sdk.*", fact: factNone, keep: true},
		},
	})
}
