package otlp

import "github.com/pulse-traces/pulse/shared/trace"

// What programs and instrumentations that follow nobody call things. The names
// are common ones, so they count only where nobody else says anything, and only
// for spans that turn out to be about models.
func init() {
	register(&dialect{
		name: "generic", rank: 900,
		rules: []rule{
			{key: "session_id", fact: factSession},
			{key: "sessionId", fact: factSession},
			{key: "thread_id", fact: factSession},
			{key: "thread.id", fact: factNone, keep: true}, // an operating system's
			{key: "conversation_id", fact: factSession},
			{key: "conversation.id", fact: factSession},
			{key: "wandb.thread_id", fact: factSession},
			{key: "user_id", fact: factUser},
			{key: "userId", fact: factUser},
			{key: "tags", fact: factTags},
			{key: "environment", fact: factEnvironment},
			{key: "env", fact: factEnvironment},
			{key: "release", fact: factRelease},
			{key: "agent.name", fact: factAgent},
			{key: "agent_name", fact: factAgent},
			{key: "lc_agent_name", fact: factAgent},

			{key: "span.kind", fact: factKind, kinds: genericKinds},
			{key: "span.type", fact: factKind, kinds: genericKinds},
			{key: "llm.model", fact: factModel},
			{key: "ai.model", fact: factModel},
			{key: "model", fact: factModel},
			{key: "model_id", fact: factModel},
			{key: "model.name", fact: factModel},
			{key: "llm.prompt", fact: factInput},
			{key: "llm.input", fact: factInput},
			{key: "llm.messages", fact: factInput},
			{key: "messages", fact: factInput},
			{key: "input.messages", fact: factInput},
			{key: "prompt", fact: factInput},
			{key: "inputs", fact: factInput},
			{key: "input", fact: factInput},
			{key: "llm.completion", fact: factOutput},
			{key: "llm.output", fact: factOutput},
			{key: "llm.response", fact: factOutput},
			{key: "output.messages", fact: factOutput},
			{key: "completion", fact: factOutput},
			{key: "outputs", fact: factOutput},
			{key: "output", fact: factOutput},
			{key: "llm.usage", fact: factUsage},
			{key: "usage", fact: factUsage},
			{key: "token_usage", fact: factUsage},
			{key: "llm.tokens.input", fact: factInputTokens},
			{key: "llm.tokens.output", fact: factOutputTokens},
			{key: "usage.prompt_tokens", fact: factInputTokens},
			{key: "usage.completion_tokens", fact: factOutputTokens},
			{key: "usage.input_tokens", fact: factInputTokens},
			{key: "usage.output_tokens", fact: factOutputTokens},
			{key: "prompt_tokens", fact: factInputTokens},
			{key: "completion_tokens", fact: factOutputTokens},
			{key: "input_tokens", fact: factInputTokens},
			{key: "output_tokens", fact: factOutputTokens},
			{key: "metrics.ttfb", fact: factFirstToken, scale: 1000},
			{key: "llm.cost", fact: factCost},
			{key: "cost_usd", fact: factCost},

			{key: "tool_name", fact: factToolName},
			{key: "tool.name", fact: factToolName},
			{key: "tool_call_id", fact: factToolID},
			{key: "tool.call_id", fact: factToolID},
			{key: "tool.call.id", fact: factToolID},
			{key: "tool.arguments", fact: factToolInput},
			{key: "tool.input", fact: factToolInput},
			{key: "tool_input", fact: factToolInput},
			{key: "tool.args", fact: factToolInput},
			{key: "arguments", fact: factToolInput},
			{key: "args", fact: factToolInput},
			{key: "tool.output", fact: factToolOutput},
			{key: "tool.result", fact: factToolOutput},
			{key: "tool_output", fact: factToolOutput},
			{key: "tool_result", fact: factToolOutput},
			{key: "result", fact: factToolOutput},
		},
	})
}

var genericKinds = map[string]trace.Kind{
	"llm": trace.KindLLMCall, "model": trace.KindLLMCall, "generation": trace.KindLLMCall, "embedding": trace.KindEmbedding,
	"tool": trace.KindToolUse, "agent": trace.KindAgentRun, "chain": trace.KindChain, "workflow": trace.KindChain, "task": trace.KindChain,
	"retriever": trace.KindRetrieval, "retrieval": trace.KindRetrieval, "reranker": trace.KindRerank, "guardrail": trace.KindGuardrail,
	"evaluator": trace.KindEvaluator,
}
