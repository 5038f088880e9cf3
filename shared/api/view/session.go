package view

import (
	"slices"

	"github.com/pulse-traces/pulse/shared/trace"
)

// Session is an agent session's row. Sums are over all spans of the session.
type Session struct {
	SessionID      trace.SessionID `json:"sessionId"`
	FirstTimestamp string          `json:"firstTimestamp"`
	LastTimestamp  string          `json:"lastTimestamp"`
	Status         trace.Status    `json:"status"` // error if any span failed
	DurationMS     float64         `json:"durationMs"`
	AgentRuns      int64           `json:"agentRuns"`
	ToolCalls      int64           `json:"toolCalls"`
	TotalSpans     int64           `json:"totalSpans"`
	ErrorCount     int64           `json:"errorCount"`
	TraceCount     int64           `json:"traceCount"`
	InputTokens    int64           `json:"inputTokens"`
	OutputTokens   int64           `json:"outputTokens"`
	CostCents      float64         `json:"costCents"`
	Sources        []trace.Source  `json:"sources"`         // sorted
	Source         trace.Source    `json:"source,omitzero"` // where there is only one
	CWD            *string         `json:"cwd,omitzero"`
	Model          *string         `json:"model,omitzero"`
	AgentName      *string         `json:"agentName,omitzero"`
}

// SessionOf makes a session's row.
func SessionOf(s *trace.Session) Session {
	row := Session{
		SessionID: s.ID, FirstTimestamp: Timestamp(s.First), LastTimestamp: Timestamp(s.Last), Status: trace.StatusSuccess,
		DurationMS: s.DurationMS(), AgentRuns: s.AgentRuns, ToolCalls: s.ToolCalls, TotalSpans: s.SpanCount,
		ErrorCount: s.ErrorCount, TraceCount: s.TraceCount, InputTokens: s.InputTokens, OutputTokens: s.OutputTokens,
		CostCents: trace.Cents(s.CostNanoUSD), Sources: s.Sources.Sources(), CWD: s.CWD, Model: s.Model, AgentName: s.AgentName,
	}
	if s.ErrorCount > 0 {
		row.Status = trace.StatusError
	}
	slices.Sort(row.Sources)
	if len(row.Sources) == 1 {
		row.Source = row.Sources[0]
	}
	return row
}
