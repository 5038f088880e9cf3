package otlp

import "github.com/pulse-traces/pulse/shared/trace"

// LiveKit's agents. Their model calls speak the conventions; the request of the
// provider lies below the node that asks for it.
func init() {
	register(&dialect{
		name: "livekit", rank: 172, scopes: []string{"livekit-agents"},
		rules: []rule{
			{key: "lk.chat_ctx", fact: factInput},
			{key: "lk.user_input", fact: factInput},
			{key: "lk.response.text", fact: factOutputText},
			{key: "lk.response.function_calls", fact: factToolCalls},
			{key: "lk.response.ttft", fact: factFirstToken, scale: 1000},
			{key: "lk.function_tool.id", fact: factToolID},
			{key: "lk.function_tool.name", fact: factToolName},
			{key: "lk.function_tool.arguments", fact: factToolInput},
			{key: "lk.function_tool.output", fact: factToolOutput},
			{key: "lk.agent_label", fact: factAgent},
			{key: "lk.agent_name", fact: factAgent},
		},
		before: func(r *reading) {
			if r.kindSaid() != "" {
				return
			}
			switch string(r.name) {
			case "llm_node":
				if r.kind = trace.KindLLMCall; !r.has(factInputTokens) {
					r.role = trace.RoleWrapper
				}
			case "llm_request":
				r.kind = trace.KindLLMCall
			case "function_tool":
				r.kind = trace.KindToolUse
			case "agent_turn", "agent_session", "start_agent_activity":
				r.kind = trace.KindAgentRun
			default:
				r.kind = trace.KindChain
			}
		},
	})
}
