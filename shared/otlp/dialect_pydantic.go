package otlp

import (
	"strings"

	"github.com/pulse-traces/pulse/shared/trace"
)

// Pydantic AI and Logfire. Their model calls speak the conventions.
func init() {
	register(&dialect{
		name: "pydantic", rank: 110, scopes: []string{"pydantic-ai", "logfire"},
		rules: []rule{
			{key: "gen_ai.aggregated_usage.input_tokens", fact: factInputTokens},
			{key: "gen_ai.aggregated_usage.output_tokens", fact: factOutputTokens},
			{key: "gen_ai.aggregated_usage.cache_read.input_tokens", fact: factCacheRead},
			{key: "gen_ai.aggregated_usage.cache_creation.input_tokens", fact: factCacheWrite},
			{key: "gen_ai.aggregated_usage.details.reasoning_tokens", fact: factReasoningTokens},
			{key: "gen_ai.aggregated_usage.*", fact: factNone},
			{key: "operation.cost", fact: factCost},
			{key: "pydantic_ai.all_messages", fact: factInput, late: true},
			{key: "all_messages_events", fact: factInput, late: true},
			{key: "events", fact: factInput, late: true},
			{key: "final_result", fact: factOutputText},
			{key: "model_name", fact: factModel, late: true},
			{key: "agent_name", fact: factAgent},
			{key: "model_request_parameters", fact: factTools, late: true, keep: true},
			{key: "request_data", fact: factParameters, keep: true},
			{key: "tool_arguments", fact: factToolInput},
			{key: "tool_response", fact: factToolOutput},
			{key: "logfire.tags", fact: factTags},
			{key: "logfire.json_schema", fact: factNone},
			{key: "logfire.metrics", fact: factNone},
		},
		before: func(r *reading) {
			switch r.attrText("logfire.span_type") {
			case "span":
				// A streamed call is told of twice: when it was asked, and in a log
				// of no length, which has the answer, when it was read to its end.
				if r.in("logfire.") && r.status != statusError && !r.has(factInputTokens) && !r.has(factOutput) && r.streams() {
					r.role = trace.RolePart
				}
			case "log":
				if r.scope.Name == "logfire" && r.kindSaid() == "" {
					r.kind = trace.KindGeneric
				}
			}
		},
		after: func(r *reading, s *trace.Span) {
			switch {
			case r.in("logfire."):
				s.Tags = withoutPrefixes(s.Tags, "LLM") // the instrumentation's own
			case s.Kind == trace.KindGeneric && r.scope.Name == "logfire" && strings.HasPrefix(s.Name, "agent "):
				s.Kind = trace.KindAgentRun
			}
			// A span that is still open is shown by a child of it.
			if r.attrText("logfire.span_type") == "pending_span" && s.ParentID != "" {
				s.ID, s.ParentID, s.DurationMS = s.ParentID, trace.SpanID(strings.Trim(r.attrText("logfire.pending_parent_id"), "0")), nil
				if s.ParentID != "" {
					s.ParentID = trace.SpanID(r.attrText("logfire.pending_parent_id"))
				}
			}
		},
	})
}

// streams reports whether the request asked for a stream.
func (r *reading) streams() bool {
	for _, h := range r.of(factParameters) {
		if r.tree(h.at).root().get("stream").kind() == kindTrue {
			return true
		}
	}
	return false
}
