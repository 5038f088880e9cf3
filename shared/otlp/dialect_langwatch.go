package otlp

import "github.com/pulse-traces/pulse/shared/trace"

// LangWatch's SDK.
func init() {
	register(&dialect{
		name: "langwatch", rank: 54,
		rules: []rule{
			{key: "langwatch.span.type", fact: factKind, kinds: map[string]trace.Kind{
				"llm": trace.KindLLMCall, "tool": trace.KindToolUse, "agent": trace.KindAgentRun, "span": trace.KindChain, "chain": trace.KindChain,
				"rag": trace.KindRetrieval, "retrieval": trace.KindRetrieval, "guardrail": trace.KindGuardrail, "evaluation": trace.KindEvaluator,
				"workflow": trace.KindChain, "component": trace.KindChain, "module": trace.KindChain, "task": trace.KindChain, "prompt": trace.KindChain,
				"embedding": trace.KindEmbedding,
			}},
			{key: "langwatch.input", fact: factInput},
			{key: "langwatch.output", fact: factOutput},
			{key: "langwatch.rag.contexts", fact: factOutput},
			{key: "langwatch.metrics", fact: factUsage},
			{key: "langwatch.params", fact: factParameters},
			{key: "langwatch.params", fact: factTools},
			{key: "langwatch.thread.id", fact: factSession},
			{key: "langwatch.thread_id", fact: factSession},
			{key: "langwatch.user.id", fact: factUser},
			{key: "langwatch.user_id", fact: factUser},
			{key: "langwatch.tags", fact: factTags},
			{key: "langwatch.labels", fact: factTags},
			{key: "langwatch.metadata", fact: factMetadata},
			{key: "langwatch.timestamps", fact: factNone},
		},
	})
}
