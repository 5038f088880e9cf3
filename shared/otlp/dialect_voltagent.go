package otlp

import (
	"cmp"

	"github.com/pulse-traces/pulse/shared/trace"
)

// VoltAgent. What its agents were asked and answered stands on their own spans,
// which name no kind; its calls of models tell what they were sent.
func init() {
	register(&dialect{
		name: "voltagent", rank: 95, scopes: []string{"@voltagent/"},
		rules: []rule{
			{key: "span.type", fact: factKind, kinds: map[string]trace.Kind{
				"llm": trace.KindLLMCall, "tool": trace.KindToolUse, "retriever": trace.KindRetrieval, "vector": trace.KindRetrieval,
				"embedding": trace.KindEmbedding, "guardrail": trace.KindGuardrail, "scorer": trace.KindEvaluator, "agent": trace.KindAgentRun,
				"memory": trace.KindChain, "middleware": trace.KindChain, "summary": trace.KindChain, "workflow-step": trace.KindChain,
			}},
			{key: "entity.type", fact: factKind, kinds: map[string]trace.Kind{"agent": trace.KindAgentRun, "workflow": trace.KindChain}},
			{key: "entity.name", fact: factNone},
			{key: "entity.id", fact: factNone, keep: true},
			{key: "span.label", fact: factNone, keep: true},
			{key: "conversation.id", fact: factSession},
			{key: "voltagent.conversation_id", fact: factSession},
			{key: "llm.model", fact: factModel},
			{key: "ai.model.name", fact: factModel},
			{key: "ai.model.provider", fact: factProvider},
			{key: "ai.response.finish_reason", fact: factFinish},
			{key: "ai.model.temperature", fact: factParameter},
			{key: "ai.model.top_p", fact: factParameter},
			{key: "ai.model.max_tokens", fact: factParameter},
			{key: "llm.stream", fact: factParameter},
			{key: "llm.messages", fact: factInput},
			{key: "agent.messages", fact: factInput},
			{key: "agent.messages.ui", fact: factNone}, // says the same again
			{key: "agent.instructions", fact: factNone},
			{key: "agent.stateSnapshot", fact: factNone, keep: true},
			{key: "input", fact: factToolInput},
			{key: "input", fact: factInput},
			{key: "output", fact: factToolOutput},
			{key: "output", fact: factOutput},
			{key: "tool.parameters", fact: factNone, keep: true}, // the schema
			{key: "tool.call.id", fact: factToolID},
			{key: "usage.cost", fact: factCost},
		},
		before: func(r *reading) {
			if r.kindSaid() == trace.KindAgentRun && r.attrText("span.type") != "" && r.attrText("span.type") != "agent" {
				r.kind = trace.KindChain // of a type that came later
			}
		},
		after: func(r *reading, s *trace.Span) {
			if r.attrText("entity.type") == "agent" {
				s.AgentName = name(cmp.Or(r.attrText("subagent.name"), r.attrText("entity.name")))
			}
		},
	})
}
