package otlp

import "github.com/pulse-traces/pulse/shared/trace"

// Semantic Kernel. It speaks the conventions; spans of its own that name no
// operation are steps.
func init() {
	register(&dialect{
		name: "semantic_kernel", rank: 140, scopes: []string{"semantic_kernel", "Microsoft.SemanticKernel"},
		rules: []rule{
			{key: "sk.available_functions", fact: factNone, keep: true},
		},
		before: func(r *reading) {
			if r.kindSaid() == "" {
				r.kind = trace.KindChain
			}
		},
	})
}
