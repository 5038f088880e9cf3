package otlp

import (
	"fmt"

	"github.com/pulse-traces/pulse/shared/trace"
)

// Claude Code: its spans (a beta) and its events, which are log records. Both
// tell of the same calls.
func init() {
	register(&dialect{
		name: "claude_code", rank: 20, scopes: []string{"com.anthropic.claude_code"},
		rules: []rule{
			{key: "span.type", fact: factKind, kinds: map[string]trace.Kind{
				"interaction": trace.KindAgentRun, "llm_request": trace.KindLLMCall, "tool": trace.KindToolUse,
				"tool.blocked_on_user": trace.KindChain, "tool.execution": trace.KindChain, "hook": trace.KindChain,
			}},
			{key: "event.name", fact: factEvent},
			{key: "event.timestamp", fact: factTime},
			{key: "user.email", fact: factUser},
			{key: "model", fact: factModel},
			{key: "request_id", fact: factResponseID},
			{key: "stop_reason", fact: factFinish},
			{key: "ttft_ms", fact: factFirstToken, scale: 1},
			{key: "duration_ms", fact: factDuration},
			{key: "input_tokens", fact: factInputTokens},
			{key: "output_tokens", fact: factOutputTokens},
			{key: "cache_read_tokens", fact: factCacheRead},
			{key: "cache_creation_tokens", fact: factCacheWrite},
			{key: "cost_usd", fact: factCost},
			{key: "cost_usd_micros", fact: factNone},
			{key: "user_prompt", fact: factInput},
			{key: "prompt", fact: factInput},
			{key: "user_system_prompt", fact: factSystem},
			{key: "response.model_output", fact: factOutputText},
			{key: "response", fact: factOutputText},
			{key: "tool_name", fact: factToolName},
			{key: "tool_use_id", fact: factToolID},
			{key: "tool_input", fact: factToolInput},
			{key: "tool_parameters", fact: factToolInput},
			{key: "success", fact: factSuccess},
			{key: "error", fact: factErrorMessage},
			{key: "app.version", fact: factRelease},
			{key: "speed", fact: factParameter, keep: true},
			{key: "effort", fact: factParameter, keep: true},
		},
		before: func(r *reading) {
			r.exclusive = true // Anthropic's own counts
			if event, ok := r.str(factEvent); ok {
				r.kind = trace.KindEvent
				switch event {
				case "api_request", "api_error":
					r.kind, r.role = trace.KindLLMCall, trace.RoleReport
				case "tool_result":
					r.kind, r.role = trace.KindToolUse, trace.RoleReport
				case "user_prompt":
					r.kind = trace.KindUserPrompt
				case "assistant_response":
					r.kind, r.role = trace.KindLLMResponse, trace.RolePart // the call's span has no answer
				}
			}
		},
		after: claudeCodeAfter,
	})
}

func claudeCodeAfter(r *reading, s *trace.Span) {
	s.Source = trace.SourceClaudeCode
	if event, ok := r.str(factEvent); ok {
		s.EventType, s.Name = event, "claude_code."+event
		if event == "api_request" { // which names the model that answered
			s.ModelUsed = s.Model
		}
	}
	switch s.Kind {
	case trace.KindLLMCall:
		if s.Provider == nil {
			s.Provider = name("anthropic")
		}
		// Neither the span nor the event has an id of the call, but what was
		// counted is as good as one, within a session and a moment.
		if u := s.Usage; s.ProviderRequestID == nil && u != nil {
			r.callKey = fmt.Sprintf("claude_code %s %d %d %d %d", s.SessionID, u.Input, u.CacheRead, u.CacheWrite5m, u.Output)
		}
	case trace.KindToolUse:
		if s.Payload.ToolInput == nil {
			o := objectWriter{}
			for _, p := range [][2]string{
				{"full_command", "command"}, {"file_path", "file_path"}, {"skill_name", "skill"}, {"subagent_type", "subagent_type"},
			} {
				if text := r.attrText(p[0]); text != "" {
					o.raw([]byte(p[1]), appendQuoted(nil, text))
				}
			}
			s.Payload.ToolInput = o.end()
		}
		for i := range r.events {
			if e := &r.events[i]; string(e.name) == "tool.output" && s.Payload.ToolResponse == nil {
				if v := e.attr("output"); v.kind == valueString {
					s.Payload.ToolResponse = appendQuoted(nil, v.data)
				}
			}
		}
	}
}
