package trace

// Source says what program sent a span.
type Source string

// The sources. SourceSDK also stands for every LLM trace.
const (
	SourceClaudeCode Source = "claude_code"
	SourceCodex      Source = "codex"
	SourceOpenCode   Source = "opencode"
	SourceOpenClaw   Source = "openclaw"
	SourceSDK        Source = "sdk"
)

// Sources lists every source. The order is stored (SourceMask): append only.
func Sources() []Source {
	return []Source{SourceClaudeCode, SourceCodex, SourceOpenCode, SourceOpenClaw, SourceSDK}
}

// SourceMask is a set of sources, one bit each in the order of Sources.
type SourceMask int64

// Mask gives the set that holds only s; 0 for an unknown source.
func (s Source) Mask() SourceMask {
	for i, k := range Sources() {
		if k == s {
			return 1 << i
		}
	}
	return 0
}

// Sources lists the members of m in the order of Sources.
func (m SourceMask) Sources() []Source {
	var out []Source
	for i, k := range Sources() {
		if m&(1<<i) != 0 {
			out = append(out, k)
		}
	}
	return out
}

// Kind says what a span is about.
type Kind string

// The kinds.
const (
	KindToolUse      Kind = "tool_use"
	KindAgentRun     Kind = "agent_run"
	KindSession      Kind = "session"
	KindUserPrompt   Kind = "user_prompt"
	KindLLMResponse  Kind = "llm_response"
	KindLLMCall      Kind = "llm_call"
	KindNotification Kind = "notification"

	// The kinds that came with OpenTelemetry.
	KindEmbedding Kind = "embedding"
	KindRetrieval Kind = "retrieval"
	KindRerank    Kind = "rerank"
	KindChain     Kind = "chain" // a workflow, a step, a node of a graph
	KindGuardrail Kind = "guardrail"
	KindEvaluator Kind = "evaluator"
	KindEvent     Kind = "event"   // something that happened, without a duration
	KindGeneric   Kind = "generic" // not about language models
)

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{
		KindToolUse, KindAgentRun, KindSession, KindUserPrompt, KindLLMResponse, KindLLMCall, KindNotification,
		KindEmbedding, KindRetrieval, KindRerank, KindChain, KindGuardrail, KindEvaluator, KindEvent, KindGeneric,
	}
}

// Status says how an operation ended.
type Status string

// The statuses.
const (
	StatusSuccess Status = "success"
	StatusError   Status = "error"
)

// Statuses lists every status.
func Statuses() []Status { return []Status{StatusSuccess, StatusError} }
