package otlp

import (
	"strings"

	"github.com/pulse-traces/pulse/shared/trace"
)

// Firebase Genkit.
func init() {
	register(&dialect{
		name: "genkit", rank: 168,
		rules: []rule{
			{key: "genkit:metadata:subtype", fact: factKind, kinds: map[string]trace.Kind{
				"model": trace.KindLLMCall, "background-model": trace.KindLLMCall, "embedder": trace.KindEmbedding, "tool": trace.KindToolUse,
				"tool.v2": trace.KindToolUse, "retriever": trace.KindRetrieval, "evaluator": trace.KindEvaluator, "reranker": trace.KindRerank,
				"flow": trace.KindChain, "prompt": trace.KindChain, "util": trace.KindChain,
			}},
			{key: "genkit:type", late: true, fact: factKind, kinds: map[string]trace.Kind{
				"action": trace.KindChain, "flow": trace.KindChain, "flowStep": trace.KindChain, "util": trace.KindChain, "promptTemplate": trace.KindChain,
			}},
			{key: "genkit:name", fact: factToolName},
			{key: "genkit:input", fact: factInput},
			{key: "genkit:output", fact: factOutput},
			{key: "genkit:output", fact: factResponse},
			{key: "genkit:sessionId", fact: factSession},
			{key: "genkit:threadName", fact: factNone, keep: true},
			{key: "genkit:*", fact: factNone},
		},
		before: func(r *reading) {
			if f := &r.bodyFacts; isCall(r.kindSaid()) && f.model == "" { // googleai/gemini-2.5-flash
				name := r.attrText("genkit:name")
				at := strings.LastIndexByte(name, '/')
				f.provider, f.model = strings.Replace(name[:max(at, 0)], "googleai", "google", 1), name[at+1:]
			}
		},
	})
}
