package otlp

import "github.com/pulse-traces/pulse/shared/trace"

// What came before the conventions, and is still sent: messages taken apart into
// attributes, and names under "llm".
func init() {
	register(&dialect{
		name: "legacy", rank: 210,
		rules: []rule{
			{key: "gen_ai.prompt.name", fact: factNone, keep: true},
			{key: "gen_ai.prompt.*", fact: factInputAt},
			{key: "gen_ai.completion.*", fact: factOutputAt},
			{key: "llm.prompts.*", fact: factInputAt},
			{key: "llm.completions.*", fact: factOutputAt},
			{key: "gen_ai.prompt", fact: factInput},
			{key: "gen_ai.completion", fact: factOutput},
			{key: "llm.request.functions.*", fact: factToolsAt},
			{key: "llm.request.type", fact: factKind, kinds: map[string]trace.Kind{
				"chat": trace.KindLLMCall, "completion": trace.KindLLMCall, "acompletion": trace.KindLLMCall, "responses": trace.KindLLMCall,
				"embedding": trace.KindEmbedding, "aembedding": trace.KindEmbedding, "rerank": trace.KindRerank, "arerank": trace.KindRerank,
			}},
			{key: "llm.request.model", fact: factModel},
			{key: "llm.response.model", fact: factModelUsed},
			{key: "llm.response.id", fact: factResponseID},
			{key: "llm.response.finish_reason", fact: factFinish},
			{key: "llm.vendor", fact: factProvider},
			{key: "llm.user", fact: factUser},
			{key: "llm.usage.prompt_tokens", fact: factInputTokens},
			{key: "llm.usage.completion_tokens", fact: factOutputTokens},
			{key: "llm.usage.reasoning_tokens", fact: factReasoningTokens},
			{key: "llm.usage.cache_read_input_tokens", fact: factCacheRead},
			{key: "llm.usage.cached_tokens", fact: factCacheRead},
			{key: "llm.usage.cache_creation_input_tokens", fact: factCacheWrite},
			{key: "llm.usage.total_tokens", fact: factNone},
			{key: "llm.is_streaming", fact: factParameter},
			{key: "gen_ai.is_streaming", fact: factParameter},
			{key: "llm.frequency_penalty", fact: factParameter},
			{key: "llm.presence_penalty", fact: factParameter},
			{key: "llm.top_k", fact: factParameter},
			{key: "llm.temperature", fact: factParameter},
			{key: "llm.chat.stop_sequences", fact: factParameter},
			{key: "llm.headers", fact: factNone},
		},
	})
}
