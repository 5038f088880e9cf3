package otlp

import (
	"slices"

	"github.com/pulse-traces/pulse/shared/trace"
)

// LangSmith's exporters for Python and JavaScript.
func init() {
	register(&dialect{
		name: "langsmith", rank: 50, scopes: []string{"langsmith"},
		rules: []rule{
			{key: "langsmith.span.kind", fact: factKind, kinds: map[string]trace.Kind{
				"llm": trace.KindLLMCall, "chain": trace.KindChain, "tool": trace.KindToolUse, "retriever": trace.KindRetrieval,
				"embedding": trace.KindEmbedding, "prompt": trace.KindChain, "parser": trace.KindChain,
			}},
			{key: "gen_ai.prompt", fact: factInput},
			{key: "gen_ai.prompt", fact: factRequest},
			{key: "gen_ai.prompt", fact: factTools, late: true},
			{key: "gen_ai.completion", fact: factOutput},
			{key: "gen_ai.completion", fact: factResponse},
			{key: "gen_ai.usage.input_token_details", fact: factUsage},
			{key: "gen_ai.usage.output_token_details", fact: factUsage},
			{key: "langsmith.usage_metadata", fact: factUsage},
			{key: "langsmith.metadata.usage_metadata", fact: factUsage},
			{key: "langsmith.metadata.ls_model_name", fact: factModel, late: true},
			{key: "langsmith.metadata.ls_provider", fact: factProvider, late: true},
			{key: "langsmith.metadata.ls_invocation_params", fact: factParameters},
			{key: "langsmith.metadata.session_id", fact: factSession},
			{key: "langsmith.metadata.thread_id", fact: factSession},
			{key: "langsmith.metadata.conversation_id", fact: factSession},
			{key: "langsmith.metadata.user_id", fact: factUser},
			{key: "langsmith.metadata.lc_agent_name", fact: factAgent},
			{key: "langsmith.metadata.LANGSMITH_*", fact: factNone, keep: true},
			{key: "langsmith.metadata.ls_*", fact: factNone, keep: true},
			{key: "langsmith.metadata.lc_*", fact: factNone, keep: true},
			{key: "langsmith.metadata.langgraph_*", fact: factNone, keep: true},
			{key: "langsmith.metadata.checkpoint_ns", fact: factNone, keep: true},
			{key: "langsmith.metadata.*", fact: factMetadataEntry},
			{key: "langsmith.span.tags", fact: factTags},
		},
		after: func(r *reading, s *trace.Span) {
			// Steps of a graph are told among the tags.
			s.Tags = withoutPrefixes(s.Tags, "seq:step:", "graph:step:", "map:key:")
			if s.Kind == trace.KindChain && namedAgent(s.Name) {
				s.Kind = trace.KindAgentRun
			}
			// It sets every span's status to OK.
			if slices.ContainsFunc(r.events, func(e event) bool { return string(e.name) == "exception" }) {
				s.Status = trace.StatusError
			}
		},
	})
}
