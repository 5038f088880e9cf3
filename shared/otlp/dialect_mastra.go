package otlp

import "github.com/pulse-traces/pulse/shared/trace"

// Mastra. Its model calls speak the conventions; a generation is made of steps,
// which are the calls.
func init() {
	register(&dialect{
		name: "mastra", rank: 170,
		rules: []rule{
			{key: "mastra.span.type", fact: factKind, kinds: map[string]trace.Kind{
				"model_generation": trace.KindLLMCall, "llm_generation": trace.KindLLMCall, "model_step": trace.KindLLMCall, "model_chunk": trace.KindChain,
				"agent_run": trace.KindAgentRun, "tool_call": trace.KindToolUse, "mcp_tool_call": trace.KindToolUse, "workflow_run": trace.KindChain,
				"workflow_step": trace.KindChain, "processor_run": trace.KindGuardrail, "generic": trace.KindChain,
			}},
			{key: "mastra.model_generation.input", fact: factInput},
			{key: "mastra.model_generation.output", fact: factOutput},
			{key: "mastra.model_step.input", fact: factInput},
			{key: "mastra.model_step.output", fact: factOutput},
			{key: "mastra.agent_run.input", fact: factInput},
			{key: "mastra.agent_run.output", fact: factOutput},
			{key: "mastra.workflow_run.input", fact: factInput},
			{key: "mastra.workflow_run.output", fact: factOutput},
			{key: "mastra.tool_call.input", fact: factToolInput},
			{key: "mastra.tool_call.output", fact: factToolOutput},
			{key: "mastra.completion_start_time", fact: factFirstTokenAt},
			{key: "mastra.metadata.sessionId", fact: factSession},
			{key: "mastra.metadata.threadId", fact: factSession},
			{key: "mastra.metadata.userId", fact: factUser},
			{key: "mastra.metadata.*", fact: factMetadataEntry},
			{key: "mastra.tags", fact: factTags},
		},
		before: func(r *reading) {
			if t := r.attrText("mastra.span.type"); t == "model_generation" || t == "llm_generation" {
				r.role = trace.RoleWrapper
			}
		},
	})
}
