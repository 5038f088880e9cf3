package otlp

import "github.com/pulse-traces/pulse/shared/trace"

// AgentOps. Its model calls speak the conventions and what came before them.
func init() {
	register(&dialect{
		name: "agentops", rank: 164,
		rules: []rule{
			{key: "agentops.span.kind", fact: factKind, kinds: map[string]trace.Kind{
				"llm": trace.KindLLMCall, "agent": trace.KindAgentRun, "tool": trace.KindToolUse, "session": trace.KindChain, "workflow": trace.KindChain,
				"task": trace.KindChain, "operation": trace.KindChain, "chain": trace.KindChain, "guardrail": trace.KindGuardrail,
				"embedding": trace.KindEmbedding, "retriever": trace.KindRetrieval,
			}},
			{key: "agentops.entity.name", fact: factToolName, keep: true},
			{key: "agentops.entity.input", fact: factInput},
			{key: "agentops.entity.output", fact: factOutput},
			{key: "agentops.tags", fact: factTags},
		},
	})
}
