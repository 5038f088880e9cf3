package otlp

import "github.com/pulse-traces/pulse/shared/trace"

// vLLM, the server. It speaks the conventions, and may not name the model.
func init() {
	register(&dialect{
		name: "vllm", rank: 180, scopes: []string{"vllm"},
		before: func(r *reading) {
			if r.has(factOutputTokens) && r.kindSaid() == "" {
				r.kind, r.provider = trace.KindLLMCall, "vllm"
			}
		},
	})
}
