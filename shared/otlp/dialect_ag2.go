package otlp

import "github.com/pulse-traces/pulse/shared/trace"

// AG2. It speaks the conventions, and tells what each call used again in a span
// beside it.
func init() {
	register(&dialect{
		name: "ag2", rank: 174,
		rules: []rule{
			{key: "ag2.span.type", fact: factKind, late: true, kinds: map[string]trace.Kind{
				"agent": trace.KindAgentRun, "llm": trace.KindLLMCall, "tool": trace.KindToolUse, "human_input": trace.KindChain, "task": trace.KindChain,
			}},
			{key: "ag2.usage.kind", fact: factNone, keep: true},
			{key: "ag2.usage.total_tokens", fact: factNone},
		},
		before: func(r *reading) {
			if r.attrText("ag2.span.type") != "usage" {
				return
			}
			// Calls whose streams nobody sees (a compaction, an aggregation) have
			// this span only.
			if kind := r.attrText("ag2.usage.kind"); kind == "model_call" || kind == "subtask" {
				r.kind, r.role = trace.KindChain, trace.RolePart
			} else {
				r.kind = trace.KindLLMCall
			}
		},
	})
}
