package view

import (
	"bytes"
	"cmp"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// TraceRow is a trace's row in a list that people look through: narrow, with a
// line of what was said.
type TraceRow struct {
	TraceID      trace.TraceID    `json:"traceId"`
	Name         *string          `json:"name"`  // the root's
	Worst        *Worst           `json:"worst"` // null if nothing failed
	Status       trace.Status     `json:"status"`
	Kind         trace.Kind       `json:"kind"` // of the root, else of the main span
	Provider     *string          `json:"provider"`
	Model        *string          `json:"model"`
	StartTime    string           `json:"startTime"`  // RFC 3339, microseconds
	DurationMS   float64          `json:"durationMs"` // from the first start to the last end
	TTFTMS       *float64         `json:"ttftMs"`     // of the main span
	InputTokens  *int64           `json:"inputTokens"`
	OutputTokens *int64           `json:"outputTokens"`
	Embedded     *int64           `json:"embeddingTokens,omitzero"` // of embeddings, not in InputTokens
	CostNanoUSD  *string          `json:"costNanoUsd"`              // a whole number, in digits: it may pass 2^53
	SpanCount    int64            `json:"spanCount"`
	ErrorCount   int64            `json:"errorCount"`
	SessionID    *trace.SessionID `json:"sessionId"`
	UserID       *string          `json:"userId"`
	Environment  *string          `json:"environment"`
	Services     []string         `json:"services"`
	Tags         []string         `json:"tags"`
	Preview      Preview          `json:"preview"`
}

// Worst is the span that a trace is as bad as: the first that ended in failure.
type Worst struct {
	SpanID trace.SpanID `json:"spanId"`
	Name   string       `json:"name"`
	Error  *string      `json:"error"` // at most PreviewChars of it
}

// Preview is a line of what went in and what came out; null where nobody told,
// or it stands in a payload behind so much that it is not read for a list.
type Preview struct {
	Input  *string `json:"input"`
	Output *string `json:"output"`
}

// PreviewChars is how long a line is at most.
const PreviewChars = 200

// TraceRowOf makes the row of what a search found.
func TraceRowOf(h *store.TraceHit) TraceRow {
	t, main := &h.Trace, &h.MainSpan
	root := cmp.Or(h.RootSpan, main)
	row := TraceRow{
		TraceID: t.ID, Name: optional(t.Root.Name), Status: t.Status(), Kind: root.Kind, TTFTMS: main.TimeToFirstTokenMS,
		InputTokens: t.InputTokens, OutputTokens: t.OutputTokens, Embedded: t.EmbeddingTokens, CostNanoUSD: Digits(t.CostNanoUSD), SpanCount: t.SpanCount, ErrorCount: t.ErrorCount,
		SessionID: optional(t.SessionID), UserID: t.UserID, Environment: t.Environment, Services: t.Services, Tags: t.Tags,
		Preview: Preview{Input: cmp.Or(line(InputText(root)), line(InputText(main))), Output: cmp.Or(line(OutputText(root)), line(OutputText(main)))},
	}
	if t.Start != nil {
		row.StartTime, row.DurationMS = Exactly(*t.Start), float64(t.End.Sub(*t.Start).Microseconds())/1000
	}
	if t.LLMCount > 0 {
		row.Provider, row.Model = &t.ProviderKey, &t.ModelKey
	}
	if t.Services == nil && main.Service != nil {
		row.Services = []string{*main.Service}
	}
	if f := h.Failed; f != nil {
		row.Worst = &Worst{SpanID: f.ID, Name: SpanName(f), Error: line(trace.ErrorText(f))}
	}
	return row
}

// SpanName says in a word or two what a span is: its name, else its tool, its
// agent, its model, or its event.
func SpanName(s *trace.Span) string {
	first := func(options ...*string) string {
		for _, o := range options {
			if o != nil && *o != "" {
				return *o
			}
		}
		return s.EventType
	}
	if s.Kind == trace.KindToolUse {
		return first(&s.Name, s.ToolName)
	}
	return first(&s.Name, s.ToolName, s.AgentName, s.Model)
}

// Cut gives at most n characters of a text; nil for none.
func Cut(s string, n int) *string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	for i := range s {
		if n--; n < 0 {
			s = s[:i]
			break
		}
	}
	if s == "" {
		return nil
	}
	return &s
}

// line gives a text as one line of at most PreviewChars; nil for none.
func line(s string) *string {
	const enough = 16 * PreviewChars // bytes, with room for runs of blanks
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s[:min(len(s), enough)], "")), " ")
	return Cut(s, PreviewChars)
}

// InputText gives what a span was asked, as text: the last message of the user,
// what a coding agent's hook says of the prompt, a tool's arguments, or whatever
// there is. "" if nothing is known.
func InputText(s *trace.Span) string {
	p := &s.Payload
	for _, raw := range [...][]byte{p.InputMessages, RequestBody(s)} {
		if text := spoken(raw, "user"); text != "" {
			return text
		}
	}
	if s.Kind == trace.KindUserPrompt {
		if prompt, ok := parseObject(p.Metadata).text("prompt"); ok && prompt != "" {
			return prompt
		}
	}
	return plain(p.ToolInput)
}

// OutputText gives what a span answered.
func OutputText(s *trace.Span) string {
	p := &s.Payload
	if p.OutputText != nil && *p.OutputText != "" {
		return *p.OutputText
	}
	for _, raw := range [...][]byte{p.OutputMessages, ResponseBody(s)} {
		if text := spoken(raw, "assistant"); text != "" {
			return text
		}
	}
	return plain(p.ToolResponse)
}

// Members of metadata into which span senders put the bodies; an SDK of the
// second generation doubles the prefix.
var (
	requestMembers  = []string{"pulse.request", "pulse.metadata.pulse.request", "request"}
	responseMembers = []string{"pulse.response", "pulse.metadata.pulse.response", "response"}
)

// RequestBody gives the provider's own request of a call, which some senders put
// into metadata; nil if nobody told.
func RequestBody(s *trace.Span) []byte {
	if s.Payload.Request != nil {
		return s.Payload.Request
	}
	return parseObject(s.Payload.Metadata).value(requestMembers...)
}

// ResponseBody is RequestBody for the answer.
func ResponseBody(s *trace.Span) []byte {
	if s.Payload.Response != nil {
		return s.Payload.Response
	}
	return parseObject(s.Payload.Metadata).value(responseMembers...)
}

// plain gives the text of a value that is one, else its JSON.
func plain(raw []byte) string {
	if text := spoken(raw, ""); text != "" {
		return text
	}
	if v := jsontext.Value(bytes.TrimSpace(raw)); len(v) > 0 && v.Kind() != 'n' {
		return string(v)
	}
	return ""
}

// spoken finds text in a request, an answer or messages of whatever provider.
// Of messages it is that of the last one of a role, or of the last.
func spoken(raw []byte, role string) string {
	const deepest = 8
	return spokenIn(raw, role, deepest)
}

// bodies are where providers put what is said, from the outermost in.
var bodies = []string{"messages", "contents", "input", "prompt", "choices", "candidates", "output", "message", "content", "parts", "text", "output_text"}

func spokenIn(raw jsontext.Value, role string, depth int) string {
	if depth == 0 {
		return ""
	}
	switch raw.Kind() {
	case '"':
		text, _ := jsontext.AppendUnquote(nil, raw) // what is no text shows as far as it is
		return string(text)
	case '[':
		var list []jsontext.Value
		if json.Unmarshal(raw, &list, lenient...) != nil {
			return ""
		}
		return spokenInList(list, role, depth)
	case '{':
		o := parseObject(raw)
		for _, name := range bodies {
			if v := o.value(name); v != nil {
				if text := spokenIn(v, role, depth-1); text != "" {
					return text
				}
			}
		}
	}
	return ""
}

func spokenInList(list []jsontext.Value, role string, depth int) string {
	messages := false
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Kind() != '{' {
			continue
		}
		if said, ok := parseObject(list[i]).text("role"); ok {
			if messages = true; said == role || said == "human" && role == "user" || said == "model" && role == "assistant" {
				if text := spokenIn(list[i], role, depth-1); text != "" {
					return text
				}
			}
		}
	}
	var out []string
	for i := range list {
		if text := spokenIn(list[i], role, depth-1); text != "" {
			out = append(out, text)
		}
	}
	if len(out) == 0 {
		return ""
	}
	if messages {
		return out[len(out)-1]
	}
	return strings.Join(out, " ")
}

// SessionRow is a session's row in a list that people look through.
type SessionRow struct {
	SessionID    trace.SessionID `json:"sessionId"`
	FirstTime    string          `json:"firstTime"` // RFC 3339, microseconds
	LastTime     string          `json:"lastTime"`
	DurationMS   float64         `json:"durationMs"`
	TraceCount   int64           `json:"traceCount"`
	ToolCalls    int64           `json:"toolCalls"`
	EditedFiles  int64           `json:"editedFiles"` // how many different ones
	AgentRuns    int64           `json:"agentRuns"`
	SpanCount    int64           `json:"spanCount"`
	ErrorCount   int64           `json:"errorCount"`
	InputTokens  int64           `json:"inputTokens"`
	OutputTokens int64           `json:"outputTokens"`
	CostNanoUSD  *string         `json:"costNanoUsd"` // as in TraceRow
	Sources      []trace.Source  `json:"sources"`
	Model        *string         `json:"model"`
	AgentName    *string         `json:"agentName"`
	CWD          *string         `json:"cwd"`
	// FirstTraceID and Preview are of the first trace; null where it is not known,
	// or not asked for.
	FirstTraceID *trace.TraceID `json:"firstTraceId"`
	Preview      Preview        `json:"preview"`
}

// SessionRowOf makes the row of what a search found.
func SessionRowOf(h *store.SessionHit) SessionRow {
	s := &h.Session
	total := s.Total()
	row := SessionRow{
		SessionID: s.ID, FirstTime: Exactly(s.First), LastTime: Exactly(s.Last), DurationMS: float64(s.ElapsedUS()) / 1000, TraceCount: s.TraceCount, ToolCalls: s.ToolCalls, EditedFiles: s.FileCount,
		AgentRuns: s.AgentRuns, SpanCount: total.Spans, ErrorCount: total.Errors, InputTokens: total.InputTokens, OutputTokens: total.OutputTokens,
		CostNanoUSD: Digits(&total.CostNanoUSD), Sources: s.Sources.Sources(), Model: s.Model, AgentName: s.AgentName, CWD: s.CWD,
	}
	if h.First != nil {
		first := TraceRowOf(h.First)
		row.FirstTraceID, row.Preview = &first.TraceID, first.Preview
	}
	return row
}
