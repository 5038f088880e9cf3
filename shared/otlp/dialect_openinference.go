package otlp

import (
	"strings"

	"github.com/pulse-traces/pulse/shared/trace"
)

// OpenInference: Phoenix, Arize, and whoever else speaks it.
func init() {
	register(&dialect{
		name: "openinference", rank: 100,
		rules: []rule{
			{key: "openinference.span.kind", fact: factKind, kinds: map[string]trace.Kind{
				"LLM": trace.KindLLMCall, "EMBEDDING": trace.KindEmbedding, "CHAIN": trace.KindChain, "RETRIEVER": trace.KindRetrieval,
				"RERANKER": trace.KindRerank, "TOOL": trace.KindToolUse, "AGENT": trace.KindAgentRun, "GUARDRAIL": trace.KindGuardrail,
				"EVALUATOR": trace.KindEvaluator, "PROMPT": trace.KindChain,
			}},
			{key: "llm.provider", fact: factProvider},
			{key: "llm.system", fact: factProvider},
			{key: "llm.request.model_name", fact: factModel},
			{key: "reranker.model_name", fact: factModel},
			{key: "llm.response.model_name", fact: factModelUsed},
			{key: "llm.model_name", fact: factModelUsed}, // the asked one, until there is an answer
			{key: "embedding.model_name", fact: factModelUsed},
			{key: "llm.finish_reason", fact: factFinish},
			{key: "llm.invocation_parameters", fact: factParameters},
			{key: "embedding.invocation_parameters", fact: factParameters},
			{key: "reranker.top_k", fact: factParameter},

			{key: "retrieval.documents.*", fact: factDocumentsAt}, // before the output, which may be what Python prints of them
			{key: "reranker.output_documents.*", fact: factDocumentsAt},
			{key: "llm.input_messages.*", fact: factInputAt},
			{key: "llm.prompts.*", fact: factInputAt},
			{key: "input.value", fact: factInput},
			{key: "input.value", fact: factRequest},
			{key: "input.mime_type", fact: factNone},
			{key: "llm.output_messages.*", fact: factOutputAt},
			{key: "llm.choices.*", fact: factOutputAt},
			{key: "output.value", fact: factOutput},
			{key: "output.value", fact: factResponse},
			{key: "output.mime_type", fact: factNone},
			{key: "llm.tools.*", fact: factToolsAt},

			{key: "llm.token_count.prompt", fact: factInputTokens},
			{key: "llm.token_count.completion", fact: factOutputTokens},
			{key: "llm.token_count.total", fact: factNone},
			{key: "llm.token_count.prompt_details.cache_read", fact: factCacheRead},
			{key: "llm.token_count.prompt_details.cache_input", fact: factCacheRead},
			{key: "llm.token_count.prompt_details.cache_write", fact: factCacheWrite},
			{key: "llm.token_count.prompt_details.audio", fact: factAudioInput},
			{key: "llm.token_count.completion_details.reasoning", fact: factReasoningTokens},
			{key: "llm.token_count.completion_details.audio", fact: factAudioOutput},
			{key: "llm.cost.total", fact: factCost},
			{key: "llm.response.cost", fact: factCost},
			{key: "llm.cost.prompt", fact: factCostIn},
			{key: "llm.cost.completion", fact: factCostOut},

			{key: "tag.tags", fact: factTags},
			{key: "metadata", fact: factMetadata},
			{key: "agent.name", fact: factAgent},

			{key: "tool.name", fact: factToolName},
			{key: "tool.id", fact: factToolID},
			{key: "tool_call.id", fact: factToolID},
			{key: "tool_call.function.name", fact: factToolName},
			{key: "tool_call.function.arguments", fact: factToolInput},
			{key: "input.value", fact: factToolInput},
			{key: "tool.parameters", fact: factToolInput}, // or the schema, in some

			{key: "reranker.query", fact: factQuery},
			{key: "embedding.embeddings.*", fact: factTextsAt},
			{key: "embedding.text", fact: factInput},
		},
		before: openInferenceBefore,
		after: func(r *reading, s *trace.Span) {
			if s.Kind == trace.KindAgentRun && s.AgentName == nil && r.inOpenAIAgents() {
				s.AgentName = name(r.attrText("graph.node.id"))
			}
		},
	})
}

// modelMethods are the methods of a LlamaIndex model that reach the model. The
// instrumentation marks all others as LLM too.
var modelMethods = map[string]bool{
	"chat": true, "achat": true, "complete": true, "acomplete": true, "stream_chat": true, "astream_chat": true, "stream_complete": true,
	"astream_complete": true, "_chat": true, "_achat": true, "_complete": true, "_acomplete": true, "_stream_chat": true, "_astream_chat": true,
}

// inOpenAIAgents reports whether the span is of OpenAI's Agents SDK, in Python or
// JavaScript.
func (r *reading) inOpenAIAgents() bool {
	return r.in("openinference.instrumentation.openai_agents") || r.in("@arizeai/openinference-instrumentation-openai-agents")
}

func openInferenceBefore(r *reading) {
	name := string(r.name)
	switch {
	case r.in("openinference.instrumentation.llama_index"):
		method := name[strings.LastIndexByte(name, '.')+1:]
		if r.kindSaid() == trace.KindLLMCall && !modelMethods[method] {
			r.kind = trace.KindChain
		}
		if r.kindSaid() == trace.KindRetrieval && strings.HasPrefix(method, "_") { // what the retrieval around it calls
			r.role = trace.RoleWrapper
		}
		if strings.HasSuffix(name, "Agent.run") {
			r.kind = trace.KindAgentRun
		}
	case r.inOpenAIAgents():
		if strings.HasPrefix(name, "handoff to ") { // marked as a tool
			r.kind = trace.KindChain
		}
	}
}
