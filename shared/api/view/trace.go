package view

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Trace is a trace's row. Omitted and null fields are as in Span.
//
// Of a trace that came as one (trace.FormTrace) the fields are the client's
// own. Those of a trace made of spans are its main span's, or sums: latencyMs
// adds the durations of all spans, tokens and cost add the model calls, and a
// trace without a model call has no provider, model, tokens, cost or bodies.
type Trace struct {
	TraceID           trace.TraceID     `json:"traceId"`
	ProjectID         account.ProjectID `json:"projectId"`
	SessionID         *trace.SessionID  `json:"sessionId"`
	Timestamp         string            `json:"timestamp"`
	LatencyMS         float64           `json:"latencyMs"`
	Source            trace.Source      `json:"source"`
	Services          []string          `json:"services"` // by first appearance
	SpanCount         int64             `json:"spanCount"`
	Summary           string            `json:"summary"`
	ToolCallCount     int               `json:"toolCallCount"` // of the spans that were read
	FilesEdited       int               `json:"filesEdited"`   // likewise
	ProviderRequestID *string           `json:"providerRequestId"`
	OutputText        any               `json:"outputText,omitzero"` // a *string
	FinishReason      *string           `json:"finishReason"`
	Status            trace.Status      `json:"status"`
	Error             jsontext.Value    `json:"error,omitzero"`
	ErrorService      *string           `json:"errorService"`
	Metadata          jsontext.Value    `json:"metadata,omitzero"`
	Spans             []Span            `json:"spans,omitzero"`
	Provider          *string           `json:"provider"`
	ModelRequested    *string           `json:"modelRequested"`
	ModelUsed         *string           `json:"modelUsed"`
	InputTokens       *int64            `json:"inputTokens"`
	OutputTokens      *int64            `json:"outputTokens"`
	EmbeddingTokens   *int64            `json:"embeddingTokens,omitzero"` // of embeddings, not in InputTokens
	CostCents         *float64          `json:"costCents"`
	RequestBody       jsontext.Value    `json:"requestBody,omitzero"`
	ResponseBody      jsontext.Value    `json:"responseBody,omitzero"`
	// TimeToFirstTokenMS is the main span's.
	TimeToFirstTokenMS *float64 `json:"timeToFirstTokenMs"`
	// What spans made from OpenTelemetry tell of the whole; null without any.
	Name        *string       `json:"name"` // the root's
	RootSpanID  *trace.SpanID `json:"rootSpanId"`
	UserID      *string       `json:"userId"`
	Environment *string       `json:"environment"`
	Tags        []string      `json:"tags"`
	// Input and Output are messages: the root's, or, where it tells none, the
	// first and the last that any of the spans read tells. A step's arguments and
	// result stand in for messages.
	Input  jsontext.Value `json:"input,omitzero"`
	Output jsontext.Value `json:"output,omitzero"`
	// SpansTruncated says that the trace has more spans than Spans shows.
	SpansTruncated bool `json:"spansTruncated,omitzero"`
	// PayloadsTruncated says that some payload of the trace did not fit the
	// answer: the trace's own fields where they are missing, or a span's.
	PayloadsTruncated bool `json:"payloadsTruncated,omitzero"`
}

// Trace makes the row of a trace whose Spans were read.
func (r *Rows) Trace(t *trace.Trace) Trace {
	main := mainSpan(t)
	mainWhole := r.Narrow || r.take(main)
	c := count(t.Spans)
	row := Trace{
		TraceID: t.ID, ProjectID: r.Project, SessionID: optional(cmp.Or(main.SessionID, t.SessionID)), Timestamp: Timestamp(main.Start),
		LatencyMS: latencyMS(t), Source: main.Source, Services: c.services, SpanCount: t.SpanCount,
		Summary: c.summary(t, main), ToolCallCount: c.toolCalls, FilesEdited: c.files,
		ProviderRequestID: main.ProviderRequestID, FinishReason: main.FinishReason, Status: t.Status(),
		ErrorService: c.errorService, TimeToFirstTokenMS: main.TimeToFirstTokenMS,
		Name: optional(t.Root.Name), RootSpanID: optional(t.Root.SpanID), UserID: t.UserID, Environment: t.Environment, Tags: t.Tags,
		SpansTruncated: t.SpansTruncated, PayloadsTruncated: !mainWhole,
	}
	var meta object
	if t.Form == trace.FormSpan && mainWhole && !r.Narrow {
		meta = parseObject(main.Payload.Metadata)
	}
	row.InputTokens, row.OutputTokens, row.EmbeddingTokens, row.CostCents = t.InputTokens, t.OutputTokens, t.EmbeddingTokens, cents(t.CostNanoUSD)
	if t.LLMCount > 0 {
		row.setModel(t.Form, main, meta)
	}
	if r.Narrow {
		return row
	}
	input, output := exchange(t)
	if r.takeBytes(len(input) + len(output)) {
		row.Input, row.Output = raw(input), raw(output)
	} else {
		row.PayloadsTruncated = true
	}
	row.Spans = make([]Span, 0, len(t.Spans))
	for i := range t.Spans {
		s := &t.Spans[i]
		whole := mainWhole
		if s != main {
			whole = r.take(s)
		}
		span := r.span(s, whole)
		span.Label = label(s)
		row.Spans = append(row.Spans, span)
		row.PayloadsTruncated = row.PayloadsTruncated || !whole
		if row.Error == nil && whole && truthy(s.Payload.Error) {
			row.Error = jsontext.Value(s.Payload.Error)
		}
	}
	if mainWhole {
		row.setPayload(t, main, meta, c.toolCalls)
	}
	return row
}

// exchange gives what went into a trace and what came out of it, nil where
// nobody told.
func exchange(t *trace.Trace) (input, output []byte) {
	var first, last *trace.Span // that tell what went in, and what came out
	for i := range t.Spans {
		s := &t.Spans[i]
		root := s.ID == t.Root.SpanID
		if len(s.Payload.InputMessages) > 0 && (root || first == nil) {
			first = s
		}
		if len(s.Payload.OutputMessages) > 0 && (root || last == nil || last.ID != t.Root.SpanID && !s.End().Before(last.End())) {
			last = s
		}
	}
	if first != nil {
		if input = first.Payload.InputMessages; first.ID != t.Root.SpanID {
			input = one(input, asked)
		}
	}
	if last != nil {
		if output = last.Payload.OutputMessages; last.ID != t.Root.SpanID {
			output = one(output, func(m []jsontext.Value) jsontext.Value { return m[len(m)-1] })
		}
	}
	return input, output
}

// asked picks what somebody asked for: the first message that is no instruction
// of the program's own, else the first.
func asked(messages []jsontext.Value) jsontext.Value {
	for _, m := range messages {
		if role, _ := parseObject(m).text("role"); role != "system" && role != "developer" {
			return m
		}
	}
	return messages[0]
}

// one gives a list of one of the messages of a list that is not empty.
func one(messages []byte, pick func([]jsontext.Value) jsontext.Value) []byte {
	var list []jsontext.Value
	if json.Unmarshal(messages, &list) != nil || len(list) == 0 {
		return nil
	}
	return slices.Concat([]byte("["), pick(list), []byte("]"))
}

// TraceOf makes the row of a trace that is one span, before it is stored.
func (r *Rows) TraceOf(s *trace.Span) Trace {
	t := trace.Trace{ID: s.TraceID, Spans: []trace.Span{*s}}
	t.Add(s)
	return r.Trace(&t)
}

// setModel fills what a trace with a model call tells of it.
func (row *Trace) setModel(form trace.Form, main *trace.Span, meta object) {
	provider, model := trace.ProviderOf(main), trace.ModelOf(main)
	if main.Provider == nil || *main.Provider == "" {
		if v, ok := meta.text("pulse.provider", "provider", "gen_ai.system"); ok {
			provider = v
		}
	}
	row.Provider, row.ModelRequested, row.ModelUsed = &provider, &model, main.ModelUsed
	if form == trace.FormSpan && main.ModelUsed == nil {
		row.ModelUsed = &model
	}
}

// setPayload fills the trace's own large fields, with null where there is none.
func (row *Trace) setPayload(t *trace.Trace, main *trace.Span, meta object, toolCalls int) {
	p := &main.Payload
	row.OutputText = p.OutputText
	if row.Error == nil {
		row.Error = null
	}
	request, response := p.Request, p.Response
	if t.Form == trace.FormTrace {
		row.Metadata = raw(p.Metadata)
	} else {
		row.Metadata = meta.with("toolCalls", toolCalls)
		if request == nil {
			request = meta.value(requestMembers...)
		}
		if response == nil {
			response = meta.value(responseMembers...)
		}
	}
	if t.LLMCount == 0 {
		request, response = nil, nil
	} else if main.Mapped() {
		if request == nil {
			request = requestOf(main)
		}
		if response == nil {
			response = responseOf(main)
		}
	}
	row.RequestBody, row.ResponseBody = raw(request), raw(response)
}

// requestOf makes the request that the earlier dashboards and clients look for, of a
// call whose sender told its messages but not the provider's own request: the
// model, and of each message the role and the text. nil if there are no messages.
func requestOf(s *trace.Span) []byte {
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	var list []jsontext.Value
	if json.Unmarshal(s.Payload.InputMessages, &list, lenient...) != nil || len(list) == 0 {
		return nil
	}
	messages := make([]message, len(list))
	for i, raw := range list {
		messages[i].Role, _ = parseObject(raw).text("role")
		messages[i].Content = spoken(raw, "")
	}
	return bodyOf(struct {
		Model    *string   `json:"model"`
		Messages []message `json:"messages"`
	}{s.Model, messages})
}

// responseOf is requestOf for the answer, in the form that the earlier SDKs sent.
func responseOf(s *trace.Span) []byte {
	text := OutputText(s)
	if text == "" {
		return nil
	}
	return bodyOf(struct {
		Content string  `json:"content"`
		Model   *string `json:"model"`
	}{text, s.ModelUsed})
}

func bodyOf(v any) []byte {
	b, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return nil // it shows without
	}
	return b
}

// mainSpan finds the span that stands for t; reads always bring it.
func mainSpan(t *trace.Trace) *trace.Span {
	for i := range t.Spans {
		if t.Spans[i].ID == t.Main.SpanID {
			return &t.Spans[i]
		}
	}
	return &trace.Span{ID: t.Main.SpanID, SessionID: t.SessionID, Start: t.Main.Start, Form: t.Form}
}

// latencyMS is the sum of the spans' durations: of those that were sent, or,
// where not all were read, of the rounded ones that t keeps.
func latencyMS(t *trace.Trace) float64 {
	if t.SpansTruncated {
		return float64(t.DurationUS) / 1000
	}
	var sum float64
	for i := range t.Spans {
		if d := t.Spans[i].DurationMS; d != nil {
			sum += *d
		}
	}
	return sum
}

// counts are what a summary tells of a trace's spans.
type counts struct {
	services         []string
	toolCalls, files int
	errorService     *string // of the first span that failed
}

func count(spans []trace.Span) counts {
	c := counts{services: []string{}}
	calls, files := map[string]bool{}, map[string]bool{}
	failed := false
	for i := range spans {
		s := &spans[i]
		if s.Service != nil && !slices.Contains(c.services, *s.Service) {
			c.services = append(c.services, *s.Service)
		}
		if s.ToolCall() {
			if s.ToolUseID != nil && *s.ToolUseID != "" {
				calls[*s.ToolUseID] = true
			} else {
				calls[string(s.ID)] = true
			}
			if s.EditedFile != nil {
				files[*s.EditedFile] = true
			}
		}
		if s.Status == trace.StatusError && !failed {
			c.errorService, failed = s.Service, true
		}
	}
	c.toolCalls, c.files = len(calls), len(files)
	return c
}

// summary is one line about a trace: the model of its main call, or what an
// agent did.
func (c counts) summary(t *trace.Trace, main *trace.Span) string {
	if t.LLMCount > 0 {
		return trace.ModelOf(main)
	}
	if c.files > 0 {
		return fmt.Sprintf("%d tool calls · %d files edited", c.toolCalls, c.files)
	}
	return fmt.Sprintf("%d tool calls", c.toolCalls)
}
