package otlp

import "github.com/pulse-traces/pulse/shared/trace"

// Spring AI. Its model calls speak the conventions, with all values as texts.
func init() {
	register(&dialect{
		name: "spring", rank: 160,
		rules: []rule{
			{key: "spring.ai.kind", fact: factKind, kinds: map[string]trace.Kind{
				"chat_client": trace.KindChain, "advisor": trace.KindChain, "tool_call": trace.KindToolUse, "vector_store": trace.KindRetrieval,
			}},
			{key: "spring.ai.tool.definition.name", fact: factToolName},
			{key: "spring.ai.tool.call.arguments", fact: factToolInput},
			{key: "spring.ai.tool.call.result", fact: factToolOutput},
			{key: "spring.ai.chat.client.conversation.id", fact: factSession},
			{key: "db.vector.query.content", fact: factQuery},
			{key: "db.vector.query.response.documents", fact: factOutput},
		},
	})
}
