package otlp

import (
	"strings"

	"github.com/pulse-traces/pulse/shared/trace"
)

// Vercel's AI SDK: versions 4 to 6, and 7 in its legacy mode. Version 7 itself
// speaks the conventions.
func init() {
	register(&dialect{
		name: "vercel", rank: 80,
		rules: []rule{
			{key: "ai.operationId", fact: factKind, kinds: map[string]trace.Kind{
				"ai.generateText": trace.KindLLMCall, "ai.generateText.doGenerate": trace.KindLLMCall,
				"ai.streamText": trace.KindLLMCall, "ai.streamText.doStream": trace.KindLLMCall,
				"ai.generateObject": trace.KindLLMCall, "ai.generateObject.doGenerate": trace.KindLLMCall,
				"ai.streamObject": trace.KindLLMCall, "ai.streamObject.doStream": trace.KindLLMCall,
				"ai.embed": trace.KindEmbedding, "ai.embed.doEmbed": trace.KindEmbedding,
				"ai.embedMany": trace.KindEmbedding, "ai.embedMany.doEmbed": trace.KindEmbedding,
				"ai.rerank": trace.KindRerank, "ai.rerank.doRerank": trace.KindRerank, "ai.toolCall": trace.KindToolUse,
			}},
			{key: "ai.model.id", fact: factModel},
			{key: "ai.model.provider", fact: factProvider},
			{key: "ai.response.model", fact: factModelUsed},
			{key: "ai.response.id", fact: factResponseID},
			{key: "ai.response.finishReason", fact: factFinish, late: true}, // in the SDK's words
			{key: "ai.prompt.messages", fact: factInput},
			{key: "ai.prompt", fact: factInput},
			{key: "ai.value", fact: factInput},
			{key: "ai.values", fact: factInput},
			{key: "ai.documents", fact: factInput},
			{key: "ai.prompt.tools", fact: factTools},
			{key: "ai.prompt.toolChoice", fact: factParameter},
			{key: "ai.response.text", fact: factOutputText},
			{key: "ai.response.object", fact: factOutputText},
			{key: "ai.response.toolCalls", fact: factToolCalls},
			{key: "ai.response.reasoning", fact: factReasoning},
			{key: "ai.ranking", fact: factOutput},
			{key: "ai.embedding", fact: factNone},
			{key: "ai.embeddings", fact: factNone},
			{key: "ai.toolCall.name", fact: factToolName},
			{key: "ai.toolCall.id", fact: factToolID},
			{key: "ai.toolCall.args", fact: factToolInput},
			{key: "ai.toolCall.result", fact: factToolOutput},

			{key: "ai.usage.inputTokens", fact: factInputTokens},
			{key: "ai.usage.promptTokens", fact: factInputTokens},
			{key: "ai.usage.tokens", fact: factInputTokens},
			{key: "ai.usage.outputTokens", fact: factOutputTokens},
			{key: "ai.usage.completionTokens", fact: factOutputTokens},
			{key: "ai.usage.totalTokens", fact: factNone},
			{key: "ai.usage.cachedInputTokens", fact: factCacheRead},
			{key: "ai.usage.inputTokenDetails.cacheReadTokens", fact: factCacheRead},
			{key: "ai.usage.inputTokenDetails.cacheWriteTokens", fact: factCacheWrite},
			{key: "ai.usage.reasoningTokens", fact: factReasoningTokens},
			{key: "ai.usage.outputTokenDetails.reasoningTokens", fact: factReasoningTokens},
			{key: "ai.usage.outputTokenDetails.textTokens", fact: factNone},
			{key: "ai.usage.inputTokenDetails.noCacheTokens", fact: factNone},
			{key: "ai.response.providerMetadata", fact: factUsage, keep: true},
			{key: "ai.response.msToFirstChunk", fact: factFirstToken, scale: 1},
			{key: "ai.stream.msToFirstChunk", fact: factFirstToken, scale: 1},

			{key: "ai.telemetry.functionId", fact: factAgent},
			{key: "ai.telemetry.metadata.sessionId", fact: factSession},
			{key: "ai.telemetry.metadata.session_id", fact: factSession},
			{key: "ai.telemetry.metadata.threadId", fact: factSession},
			{key: "ai.telemetry.metadata.userId", fact: factUser},
			{key: "ai.telemetry.metadata.user_id", fact: factUser},
			{key: "ai.telemetry.metadata.tags", fact: factTags},
			{key: "ai.telemetry.metadata.*", fact: factMetadataEntry},
			{key: "ai.settings.context.sessionId", fact: factSession},
			{key: "ai.settings.context.session_id", fact: factSession},
			{key: "ai.settings.context.threadId", fact: factSession},
			{key: "ai.settings.context.userId", fact: factUser},
			{key: "ai.settings.context.user_id", fact: factUser},
			{key: "ai.settings.context.tags", fact: factTags},
			{key: "ai.settings.context.*", fact: factMetadataEntry},
			{key: "ai.settings.*", fact: factParameter},
		},
		before: func(r *reading) {
			// The outer span of each function repeats what its calls used.
			if op := r.attrText("ai.operationId"); op != "" && !strings.Contains(op, ".do") {
				r.role = trace.RoleWrapper
			}
		},
	})
}
