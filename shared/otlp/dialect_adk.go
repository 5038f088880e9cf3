package otlp

import "github.com/pulse-traces/pulse/shared/trace"

// Google's Agent Development Kit, and Vertex's agents.
func init() {
	register(&dialect{
		name: "adk", rank: 130,
		rules: []rule{
			{key: "gcp.vertex.agent.llm_request", fact: factInput},
			{key: "gcp.vertex.agent.llm_request", fact: factRequest},
			{key: "gcp.vertex.agent.llm_response", fact: factOutput},
			{key: "gcp.vertex.agent.llm_response", fact: factResponse},
			{key: "gcp.vertex.agent.tool_call_args", fact: factToolInput},
			{key: "gcp.vertex.agent.tool_response", fact: factToolOutput},
			{key: "gcp.vertex.agent.session_id", fact: factSession},
			{key: "gcp.vertex.agent.user_id", fact: factUser},
			{key: "gcp.vertex.agent.data", fact: factInput, late: true},
		},
		before: func(r *reading) {
			if string(r.name) == "call_llm" && r.kindSaid() == "" {
				r.kind = trace.KindLLMCall
			}
		},
	})
}
