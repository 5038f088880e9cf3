package otlp

import (
	"bytes"

	"github.com/pulse-traces/pulse/shared/trace"
)

// Langfuse's SDKs, versions 3 and later, and integrations that speak to its
// server.
func init() {
	register(&dialect{
		name: "langfuse", rank: 60,
		rules: []rule{
			{key: "langfuse.observation.type", fact: factKind, kinds: map[string]trace.Kind{
				"generation": trace.KindLLMCall, "embedding": trace.KindEmbedding, "span": trace.KindChain, "event": trace.KindEvent,
				"agent": trace.KindAgentRun, "tool": trace.KindToolUse, "chain": trace.KindChain, "retriever": trace.KindRetrieval,
				"guardrail": trace.KindGuardrail, "evaluator": trace.KindEvaluator,
			}},
			{key: "langfuse.observation.metadata.ls_model_name", fact: factModel, quoted: true},
			{key: "langfuse.observation.metadata.ls_provider", fact: factProvider, quoted: true},
			{key: "langfuse.observation.model.name", fact: factModelUsed},
			{key: "langfuse.observation.model.parameters", fact: factParameters},
			{key: "langfuse.observation.input", fact: factInput},
			{key: "langfuse.observation.input", fact: factTools},
			{key: "langfuse.observation.output", fact: factOutput},
			{key: "langfuse.observation.usage_details", fact: factUsage},
			{key: "langfuse.observation.cost_details", fact: factCosts},
			{key: "langfuse.observation.completion_start_time", fact: factFirstTokenAt},
			{key: "langfuse.observation.level", fact: factLevel, keep: true},
			{key: "langfuse.observation.status_message", fact: factStatusMessage},
			{key: "langfuse.observation.metadata.finish_reason", fact: factFinish, quoted: true},
			{key: "langfuse.observation.metadata.service_tier", fact: factTier, quoted: true},
			{key: "langfuse.observation.metadata.tool_call_id", fact: factToolID, quoted: true},
			{key: "langfuse.observation.metadata.lc_agent_name", fact: factAgent, quoted: true},
			{key: "langfuse.observation.metadata.ls_*", fact: factNone, keep: true},
			{key: "langfuse.observation.metadata.lc_*", fact: factNone, keep: true},
			{key: "langfuse.observation.metadata.langgraph_*", fact: factNone, keep: true},
			{key: "langfuse.observation.metadata.checkpoint_ns", fact: factNone, keep: true},
			{key: "langfuse.observation.metadata.*", fact: factMetadataEntry},
			{key: "langfuse.observation.metadata", fact: factMetadata},
			{key: "langfuse.trace.metadata.ls_*", fact: factNone, keep: true},
			{key: "langfuse.trace.metadata.lc_*", fact: factNone, keep: true},
			{key: "langfuse.trace.metadata.*", fact: factMetadataEntry},
			{key: "langfuse.trace.metadata", fact: factMetadata},
			{key: "langfuse.trace.tags", fact: factTags},
			{key: "langfuse.trace.input", fact: factInput},
			{key: "langfuse.trace.output", fact: factOutput},
			{key: "langfuse.session.id", fact: factSession},
			{key: "langfuse.trace.session_id", fact: factSession},
			{key: "langfuse.user.id", fact: factUser},
			{key: "langfuse.trace.user_id", fact: factUser},
			{key: "langfuse.environment", fact: factEnvironment},
			{key: "langfuse.release", fact: factRelease},
			{key: "langfuse.internal.*", fact: factNone},
		},
		before: func(r *reading) {
			// Of a response of OpenAI's Responses API its wrappers keep all but the
			// output as metadata: all of it, or some.
			kept := func(name string) string {
				return textTree(plainText(r.attrText("langfuse.observation.metadata." + name))).text()
			}
			if kept("object") == "response" {
				r.responseID = kept("id")
			}
			if name := string(r.name); kept("object") == "response" || name == "OpenAI.responses" || name == "OpenAI-generation" {
				r.finish, r.system = kept("status"), kept("instructions")
			}
		},
		after: func(r *reading, s *trace.Span) {
			// Its wrapper of OpenAI's client says so only in the name.
			if s.Provider == nil && isCall(s.Kind) && bytes.HasPrefix(r.name, []byte("OpenAI")) {
				s.Provider = name("openai")
			}
		},
	})
}
