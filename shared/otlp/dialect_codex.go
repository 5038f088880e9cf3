package otlp

import (
	"fmt"
	"strings"

	"github.com/pulse-traces/pulse/shared/trace"
)

// Codex: spans of its inner steps, and events, which are log records. What is
// known of one call is spread over several of either.
func init() {
	register(&dialect{
		name: "codex", rank: 22, scopes: []string{"codex"},
		rules: []rule{
			{key: "event.name", fact: factEvent},
			{key: "event.timestamp", fact: factTime},
			{key: "duration_ms", fact: factDuration},
			{key: "conversation.id", fact: factSession},
			{key: "thread_id", fact: factSession},
			{key: "user.email", fact: factUser},
			{key: "user.account_id", fact: factUser},
			{key: "model", fact: factModel},
			{key: "cwd", fact: factCWD},
			{key: "app.version", fact: factRelease},
			{key: "codex.usage.reasoning_output_tokens", fact: factReasoningTokens},
			{key: "codex.usage.total_tokens", fact: factNone},
			{key: "codex.turn.token_usage.input_tokens", fact: factInputTokens},
			{key: "codex.turn.token_usage.output_tokens", fact: factOutputTokens},
			{key: "codex.turn.token_usage.cached_input_tokens", fact: factCacheRead},
			{key: "codex.turn.token_usage.cache_write_input_tokens", fact: factCacheWrite},
			{key: "codex.turn.token_usage.reasoning_output_tokens", fact: factReasoningTokens},
			{key: "codex.turn.token_usage.*", fact: factNone},
			{key: "input_token_count", fact: factInputTokens},
			{key: "output_token_count", fact: factOutputTokens},
			{key: "cached_token_count", fact: factCacheRead},
			{key: "cache_write_token_count", fact: factCacheWrite},
			{key: "reasoning_token_count", fact: factReasoningTokens},
			{key: "tool_token_count", fact: factNone},
			{key: "prompt", fact: factInput},
			{key: "tool_name", fact: factToolName},
			{key: "call_id", fact: factToolID},
			{key: "arguments", fact: factToolInput},
			{key: "output", fact: factToolOutput},
			{key: "success", fact: factSuccess},
			{key: "reasoning_effort", fact: factParameter, keep: true},
			{key: "codex.request.reasoning_effort", fact: factParameter, keep: true},
		},
		before: codexBefore,
		after:  codexAfter,
	})
}

func codexBefore(r *reading) {
	if event, ok := r.str(factEvent); ok {
		r.kind = trace.KindEvent
		switch event {
		case "codex.user_prompt":
			r.kind = trace.KindUserPrompt
		case "codex.tool_result":
			r.kind, r.role = trace.KindToolUse, trace.RoleReport
		case "codex.sse_event", "codex.websocket_event":
			if r.has(factInputTokens) || r.has(factOutputTokens) {
				r.kind, r.role = trace.KindLLMCall, trace.RoleReport
			}
		}
		return
	}
	switch name := string(r.name); {
	case name == "codex.sampling":
		r.kind = trace.KindLLMCall
	case name == "codex.exec":
		r.kind = trace.KindAgentRun
	case name == "session_task.turn":
		r.kind = trace.KindChain
	case name == "try_run_sampling_request" || (name == "handle_responses" && r.has(factInputTokens)):
		// The model is on what is around the call, the counts are on the one
		// event of its answer that has them.
		r.kind, r.role = trace.KindGeneric, trace.RolePart
	case r.attrText("tool_name") == name && r.attrText("call_id") != "":
		r.kind = trace.KindToolUse
	default:
		r.kind = trace.KindGeneric
	}
}

func codexAfter(r *reading, s *trace.Span) {
	s.Source = trace.SourceCodex
	if event, ok := r.str(factEvent); ok {
		s.EventType, s.Name = strings.TrimPrefix(event, "codex."), event
		if kind := r.attrText("event.kind"); s.Kind == trace.KindLLMCall && kind != "" {
			s.FinishReason = finishText(strings.TrimPrefix(kind, "response."))
		}
		if code := r.attrText("http.response.status_code"); len(code) == 3 && code >= "400" {
			s.Status = trace.StatusError
		}
	}
	for i := range r.events { // on what is around the call; the record of the same name counts from the turn's begin
		if e := &r.events[i]; string(e.attr("event.name").data) == "codex.turn_ttft" && e.time >= r.start {
			ms := float64(e.time-r.start) / 1e6
			s.TimeToFirstTokenMS = &ms
		}
	}
	if s.Kind == trace.KindLLMCall && s.Provider == nil {
		s.Provider = name("openai")
	}
	if u := s.Usage; u != nil && s.Name != "session_task.turn" {
		// Events of the answer have no trace; what was counted tells which call
		// they are of, within a moment.
		r.callKey = fmt.Sprintf("codex %d %d %d %d", u.Input, u.CacheRead, u.Reasoning, u.Output)
	}
}
