package otlp

import (
	"fmt"
	"strings"

	"github.com/pulse-traces/pulse/shared/trace"
)

// Gemini CLI: spans of its steps, and events, which are log records. Of a call
// both tell; the record knows more of its tokens. Qwen Code, which was made of
// it, has the events alone.
func init() {
	register(&dialect{
		name: "gemini_cli", rank: 24, scopes: []string{geminiCLI, qwenCode},
		rules: []rule{
			{key: "gen_ai.operation.name", fact: factKind, kinds: map[string]trace.Kind{
				"llm_call": trace.KindLLMCall, "tool_call": trace.KindToolUse, "agent_call": trace.KindAgentRun,
				"schedule_tool_calls": trace.KindChain, "user_prompt": trace.KindChain, "system_prompt": trace.KindChain,
			}},
			{key: "event.name", fact: factEvent},
			{key: "event.timestamp", fact: factTime},
			{key: "duration_ms", fact: factDuration},
			{key: "user.email", fact: factUser},
			{key: "model", fact: factModel},
			{key: "input_token_count", fact: factInputTokens},
			{key: "output_token_count", fact: factOutputTokens},
			{key: "cached_content_token_count", fact: factCacheRead},
			{key: "thoughts_token_count", fact: factReasoningTokens},
			{key: "total_token_count", fact: factNone},
			{key: "response_id", fact: factResponseID},
			{key: "finish_reasons", fact: factFinish},
			{key: "prompt", fact: factInput},
			{key: "response_text", fact: factOutput},
			{key: "error", fact: factErrorMessage},
			{key: "function_name", fact: factToolName},
			{key: "function_args", fact: factToolInput},
			{key: "success", fact: factSuccess},
		},
		before: func(r *reading) {
			r.streamed, r.exclusiveOutput = true, r.in(geminiCLI)
			if !r.has(factEvent) {
				return
			}
			switch r.kind = trace.KindEvent; r.geminiEvent() {
			case "user_prompt":
				r.kind = trace.KindUserPrompt
			case "api_response", "api_error":
				r.kind, r.role = trace.KindLLMCall, trace.RoleReport
			case "tool_call":
				if r.in(qwenCode) {
					r.kind = trace.KindToolUse
				}
			}
		},
		after: geminiCLIAfter,
	})
}

const (
	geminiCLI = "gemini-cli"
	qwenCode  = "qwen-code"
)

// geminiEvent gives the name of an event without that of the program.
func (r *reading) geminiEvent() string {
	event, _ := r.str(factEvent)
	return strings.TrimPrefix(strings.TrimPrefix(event, "gemini_cli."), "qwen-code.")
}

func geminiCLIAfter(r *reading, s *trace.Span) {
	if event, ok := r.str(factEvent); ok {
		if s.EventType, s.Name = r.geminiEvent(), event; s.EventType == "api_error" {
			s.Status = trace.StatusError
		}
	}
	switch {
	case r.in(qwenCode):
	case s.Kind == trace.KindLLMCall:
		if s.Provider == nil {
			s.Provider = name("google")
		}
		// Neither has an id of the call, but what was counted tells which it is,
		// within a session and a moment.
		in, _, _ := r.num(factInputTokens)
		out, _, _ := r.num(factOutputTokens)
		r.callKey = fmt.Sprintf("gemini_cli %s %v %v", s.SessionID, in, out)
	case s.Kind == trace.KindToolUse: // the scheduler's request, and what became of it
		for _, h := range r.of(factInput) {
			if args := r.root(h.at).get("args"); args.there() {
				s.Payload.ToolInput = args.json()
			}
		}
		for _, h := range r.of(factOutput) {
			r.root(h.at).get("response").get("responseParts").each(func(e ref) bool {
				if result := e.get("functionResponse").get("response"); result.there() {
					s.Payload.ToolResponse = result.json()
				}
				return true
			})
		}
	}
}
