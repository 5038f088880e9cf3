package otlptest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Span is a span as GET /v1/traces/:id/spans shows it: what Compare reads of it.
type Span struct {
	TraceID            string          `json:"traceId,omitempty"` // filled by who asked for the trace
	SpanID             string          `json:"spanId"`
	ParentSpanID       *string         `json:"parentSpanId"`
	Name               string          `json:"name"`
	Kind               string          `json:"kind"`
	Provider           *string         `json:"provider"`
	ModelRequested     *string         `json:"modelRequested"`
	ModelUsed          *string         `json:"modelUsed"`
	StartTime          time.Time       `json:"startTime"`
	TimeToFirstTokenMS *float64        `json:"timeToFirstTokenMs"`
	FinishReason       *string         `json:"finishReason"`
	ProviderRequestID  *string         `json:"providerRequestId"`
	Status             string          `json:"status"`
	StatusMessage      *string         `json:"statusMessage"`
	Error              json.RawMessage `json:"error"`
	SessionID          *string         `json:"sessionId"`
	UserID             *string         `json:"userId"`
	Tags               []string        `json:"tags"`
	InputMessages      []Message       `json:"inputMessages"`
	OutputMessages     []Message       `json:"outputMessages"`
	ToolName           *string         `json:"toolName"`
	ToolCallID         *string         `json:"toolCallId"`
	ToolInput          json.RawMessage `json:"toolInput"`
	ToolResponse       json.RawMessage `json:"toolResponse"`
	Usage              *Usage          `json:"usage"`
	CostNanoUSD        *int64          `json:"costNanoUsd"`
	Counted            bool            `json:"counted"`
	Metadata           json.RawMessage `json:"metadata"`
	Attributes         json.RawMessage `json:"attributes"`
	Events             json.RawMessage `json:"events"`
}

// Message and Part are the normal form of what was said.
type Message struct {
	Role         string `json:"role"`
	Parts        []Part `json:"parts"`
	FinishReason string `json:"finishReason"`
}

// Part is a piece of a message.
type Part struct {
	Type      string          `json:"type"`
	Text      string          `json:"text"`
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"`
	Result    json.RawMessage `json:"result"`
}

// Usage is what a call was metered in.
type Usage struct {
	InputTokens  int64 `json:"inputTokens"`
	OutputTokens int64 `json:"outputTokens"`
	CacheRead    int64 `json:"cacheReadTokens"`
	CacheWrite5m int64 `json:"cacheWrite5mTokens"`
	CacheWrite1h int64 `json:"cacheWrite1hTokens"`
	Reasoning    int64 `json:"reasoningTokens"`
}

// Result is how a scenario was shown.
type Result struct {
	Checks int
	Faults []Fault
}

// Fault is something that is not shown as it was.
type Fault struct {
	Field     string // such as calls[0].model
	Want, Got string
}

func (f Fault) String() string { return fmt.Sprintf("%s: want %s, got %s", f.Field, f.Want, f.Got) }

// Compare holds all spans that are shown after the requests of a scenario, of
// whatever traces, against the truth. It demands nothing that was not sent.
func (s *Scenario) Compare(spans []Span) Result {
	c := comparer{scenario: s, spans: slices.Clone(spans)}
	slices.SortStableFunc(c.spans, func(a, b Span) int { return a.StartTime.Compare(b.StartTime) })
	for i := range c.spans {
		c.spans[i].dropNulls()
		data, err := json.Marshal(&c.spans[i])
		if err != nil {
			panic(err) // a struct of texts and numbers
		}
		c.text = append(append(c.text, data...), '\n')
	}
	c.totals()
	c.calls()
	c.tools()
	c.search()
	c.tree()
	c.set()
	c.Faults = slices.DeleteFunc(c.Faults, func(f Fault) bool {
		_, wrong := wrongExpectations[s.Family+"/"+s.Name+" "+f.Field]
		return wrong
	})
	return c.Result
}

// dropNulls makes no difference between a null and nothing.
func (s *Span) dropNulls() {
	for _, v := range []*json.RawMessage{&s.Error, &s.ToolInput, &s.ToolResponse, &s.Metadata, &s.Attributes, &s.Events} {
		if string(*v) == "null" {
			*v = nil
		}
	}
}

type comparer struct {
	Result
	scenario *Scenario
	spans    []Span
	text     []byte // all spans as JSON
}

func (c *comparer) check(ok bool, field string, want, got any) bool {
	if c.Checks++; !ok {
		c.Faults = append(c.Faults, Fault{field, show(want), show(got)})
	}
	return ok
}

func show(v any) string {
	switch v := v.(type) {
	case *string:
		if v != nil {
			return show(*v)
		}
		return "nothing"
	case *int64:
		if v != nil {
			return fmt.Sprint(*v)
		}
		return "nothing"
	case json.RawMessage:
		return show(string(v))
	case string:
		if len(v) > 200 {
			v = v[:140] + "…" + v[len(v)-50:]
		}
		return fmt.Sprintf("%q", v)
	}
	return fmt.Sprintf("%v", v)
}

// silences are facts that libraries do not tell, of those that the list of lost
// facts does not go into.
var silences = map[string][]string{
	"braintrust":                          {"provider"},
	"langfuse-py-v5/manual":               {"provider", "first token"},
	"openinference-llama-index":           {"provider"},
	"langsmith-py":                        {"first token"},
	"litellm-langfuse-otel":               {"first token"},
	"litellm-otel":                        {"first token"},
	"openllmetry-js-openai":               {"first token"},
	"openllmetry-openai/responses_stream": {"first token"},
	"otel-openai-v2":                      {"first token", "tool result"},
	"pydantic-ai-v1":                      {"first token"},
	"codex/tools_json":                    {"first token"}, // of the second call
	"logfire-openai/responses_stream":     {"first token"},
	"openinference-js-openai":             {"first token"},
	"openinference-langchain":             {"first token"},
	"openinference-litellm":               {"first token"},
	"openllmetry-langchain":               {"first token"},
	"autogen":                             {"tool arguments", "tool result"},
	"claude-code/tools_json":              {"tool result"},
	"claude-code/tools_protobuf":          {"tool result"},
	"google-adk":                          {"tool arguments", "tool result"},
	"openlit-anthropic":                   {"tool result"},
	"openlit-openai":                      {"tool result"},
	"pulse-python-sdk-0.2.8":              {"tool result"},
}

// silent reports whether a library does not tell a fact.
func (c *comparer) silent(fact string) bool {
	return slices.Contains(silences[c.scenario.Family], fact) || slices.Contains(silences[c.scenario.Family+"/"+c.scenario.Name], fact)
}

// lost reports whether a fact of a call is in no request.
func (call *Call) lost(fact string) bool { return slices.Contains(call.Lost, fact) }

// embeds reports whether the call was one for embeddings.
func (call *Call) embeds() bool { return strings.Contains(call.API, "embed") || len(call.Embedded) > 0 }

// counts reports whether the tokens of a call were sent.
func (call *Call) counts() bool {
	return call.Input != nil && !call.lost("input_tokens_total") && (call.UsageSent == nil || *call.UsageSent)
}

func (c *comparer) totals() {
	want := c.scenario.Expect.Totals
	llm, embeddings := want.LLMCalls, want.EmbeddingCalls
	var differs struct {
		Spans *int `json:"llm_spans"`
	}
	if raw := c.scenario.Expect.Differs; raw != nil && json.Unmarshal(raw, &differs) == nil && differs.Spans != nil {
		llm = *differs.Spans
	}
	var got struct {
		llm, embeddings, errors       int
		input, output, embeddingInput int64
	}
	for i := range c.spans {
		s := &c.spans[i]
		if !s.Counted {
			continue
		}
		switch s.Kind {
		case "llm_call":
			got.llm++
		case "embedding":
			got.embeddings++
		case "rerank", "retrieval":
			continue
		default: // a sum that counts is that of calls which no span stands for
			if s.Usage != nil {
				got.input += s.Usage.InputTokens
				got.output += s.Usage.OutputTokens
			}
			continue
		}
		if s.Status == "error" {
			got.errors++
		}
		if s.Usage == nil {
			continue
		}
		if s.Kind == "embedding" {
			got.embeddingInput += s.Usage.InputTokens
		} else {
			got.input += s.Usage.InputTokens
			got.output += s.Usage.OutputTokens
		}
	}
	c.check(got.llm == llm, "totals.llm_calls", llm, got.llm)
	if llmMade := want.EmbeddingCalls; llmMade > 0 {
		c.check(got.embeddings == embeddings, "totals.embedding_calls", embeddings, got.embeddings)
	}
	if llm == want.LLMCalls {
		c.check(got.errors == want.Errors, "totals.errors", want.Errors, got.errors)
	}
	if llm == 0 {
		return // nobody has the tokens
	}
	var input, output, embeddingInput int64
	exact := true
	for i := range c.scenario.Expect.Calls {
		call := &c.scenario.Expect.Calls[i]
		switch {
		case !call.counts():
		case call.embeds():
			embeddingInput += *call.Input
		default:
			input += *call.Input
			if call.Output != nil && !call.lost("output_tokens") {
				output += *call.Output
			}
		}
		exact = exact && call.Input != nil
	}
	estimated := slices.ContainsFunc(c.scenario.Expect.Calls, func(call Call) bool {
		return call.UsageSent != nil && !*call.UsageSent || call.Status == "ok" && call.lost("input_tokens_total")
	})
	if (exact || want.InputTokens != nil) && !estimated {
		c.check(got.input == input, "totals.input_tokens", input, got.input)
		c.check(got.output == output, "totals.output_tokens", output, got.output)
		c.check(got.embeddingInput == embeddingInput, "totals.embedding_input_tokens", embeddingInput, got.embeddingInput)
	}
}

// calls compares each call with the span that stands for it.
func (c *comparer) calls() {
	if c.scenario.Expect.Differs != nil {
		return // some calls have no span of their own
	}
	used := map[int]bool{}
	for n := range c.scenario.Expect.Calls {
		call := &c.scenario.Expect.Calls[n]
		kind := "llm_call"
		if call.embeds() {
			kind = "embedding"
		}
		at := -1
		for i := range c.spans {
			s := &c.spans[i]
			if !s.Counted || s.Kind != kind || used[i] {
				continue
			}
			if call.ResponseID != "" && s.ProviderRequestID != nil && *s.ProviderRequestID == call.ResponseID {
				at = i
				break
			}
			if at < 0 && !c.belongs(s, n) {
				at = i
			}
		}
		field := fmt.Sprintf("calls[%d]", n)
		if !c.check(at >= 0, field, "a span", "none") {
			continue
		}
		used[at] = true
		c.call(field, call, &c.spans[at])
	}
}

// belongs reports whether a span is, by its id, the answer of a later call.
func (c *comparer) belongs(s *Span, n int) bool {
	if s.ProviderRequestID == nil {
		return false
	}
	for i := range c.scenario.Expect.Calls {
		if i != n && c.scenario.Expect.Calls[i].ResponseID == *s.ProviderRequestID {
			return true
		}
	}
	return false
}

func (c *comparer) call(field string, want *Call, got *Span) {
	if want.RequestModel != "" && !want.lost("request_model") {
		c.check(sameModel(want.RequestModel, got.ModelRequested), field+".request_model", want.RequestModel, got.ModelRequested)
	}
	if want.ResponseModel != "" && !want.lost("response_model") {
		used := got.ModelUsed
		if used == nil && want.ResponseModel == want.RequestModel {
			used = got.ModelRequested // the sender has no name for it but the asked one
		}
		c.check(sameModel(want.ResponseModel, used), field+".response_model", want.ResponseModel, used)
	}
	if want.ResponseID != "" && !want.lost("response_id") {
		c.check(got.ProviderRequestID != nil && *got.ProviderRequestID == want.ResponseID, field+".response_id", want.ResponseID, got.ProviderRequestID)
	}
	if want.Provider != "" && !c.silent("provider") {
		c.check(got.Provider != nil && sameProvider(want.Provider, *got.Provider), field+".provider", want.Provider, got.Provider)
	}
	if want.Stream && want.Status == "ok" && !c.silent("first token") {
		c.check(got.TimeToFirstTokenMS != nil && *got.TimeToFirstTokenMS >= 0, field+".time_to_first_token", "a time", "none")
	}
	status := map[string]string{"ok": "success", "error": "error"}[want.Status]
	c.check(got.Status == status, field+".status", status, got.Status)
	if want.Error != nil && !want.lost("error.message") && want.Error.Message != "" {
		message := plain(got.Error) + plain(got.StatusMessage)
		c.check(strings.Contains(message, want.Error.Message), field+".error", want.Error.Message, message)
	}
	c.tokens(field, want, got)
	if want.FinishReason != "" && !want.lost("finish_reason") {
		c.check(got.FinishReason != nil && sameReason(want.FinishReason, *got.FinishReason), field+".finish_reason", want.FinishReason, got.FinishReason)
	}
	if want.CostUSD > 0 && !want.lost("provider_cost_usd") {
		nano := int64(math.Round(want.CostUSD * 1e9))
		c.check(got.CostNanoUSD != nil && *got.CostNanoUSD == nano, field+".cost", nano, got.CostNanoUSD)
	}
	c.said(field+".last_user_text", want.LastUser, want.lost("last_user_text"), got.InputMessages, "text", "user")
	c.said(field+".system_text", want.System, want.lost("system_text"), got.InputMessages, "text", "system", "developer")
	c.said(field+".assistant_text", want.Assistant, want.lost("assistant_text"), got.OutputMessages, "text", "")
	c.said(field+".thinking_text", want.Thinking, want.lost("thinking_text"), got.OutputMessages, "reasoning", "")
	for i, text := range want.Embedded {
		if !want.lost("embedding_inputs") {
			quoted, _ := json.Marshal(text)
			c.said(fmt.Sprintf("%s.embedding_inputs[%d]", field, i), quoted, false, got.InputMessages, "text", "")
		}
	}
	for i := range want.ToolCalls {
		call := &want.ToolCalls[i]
		if want.lost("tool_call_name:"+call.Name) || len(got.OutputMessages) == 0 && c.nowhere(call.ID) {
			continue
		}
		c.toolCall(fmt.Sprintf("%s.tool_calls[%d]", field, i), want, call, got.OutputMessages)
	}
}

func (c *comparer) tokens(field string, want *Call, got *Span) {
	if !want.counts() {
		return
	}
	var u Usage
	if got.Usage != nil {
		u = *got.Usage
	}
	is := func(name string, want *int64, got int64, lost bool) {
		if want != nil && !lost {
			c.check(*want == got, field+"."+name, want, got)
		}
	}
	is("input_tokens_total", want.Input, u.InputTokens, false)
	is("input_tokens_cached", want.Cached, u.CacheRead, want.lost("input_tokens_cached"))
	is("input_tokens_cache_write", want.CacheWrite, u.CacheWrite5m+u.CacheWrite1h, want.lost("input_tokens_cache_write"))
	is("output_tokens", want.Output, u.OutputTokens, want.lost("output_tokens"))
	is("reasoning_tokens", want.Reasoning, u.Reasoning, want.lost("reasoning_tokens"))
}

// said checks that a text is in a conversation, or, where the call's own span
// has no conversation, that it is shown with some other span: agents tell of
// their prompts apart from their calls.
func (c *comparer) said(field string, want json.RawMessage, lost bool, messages []Message, part string, roles ...string) {
	if want == nil || lost || bytes.Equal(want, []byte("null")) {
		return
	}
	var all strings.Builder
	for _, m := range messages {
		if roles[0] != "" && !slices.Contains(roles, m.Role) {
			continue
		}
		for _, p := range m.Parts {
			if p.Type == part {
				all.WriteString(p.Text)
				all.WriteByte('\n')
			}
		}
	}
	text := all.String()
	if text == "" && len(messages) == 0 {
		text = string(unescape(c.text))
	}
	c.check(containsText(text, want), field, want, text)
}

// containsText reports whether a text is in another; a very long one is given by
// how it starts and ends.
func containsText(text string, want json.RawMessage) bool {
	var s string
	if json.Unmarshal(want, &s) == nil {
		return strings.Contains(text, strings.TrimSpace(s)) || sameJSON(json.RawMessage(strings.TrimSpace(text)), json.RawMessage(s))
	}
	var long struct {
		Length       int
		Starts, Ends string
	}
	if json.Unmarshal(want, &long) != nil {
		return false
	}
	return len(text) >= long.Length && strings.Contains(text, long.Starts) && strings.Contains(text, long.Ends)
}

// unescape gives JSON text without its escapes, to look for texts in.
func unescape(data []byte) []byte {
	replacer := strings.NewReplacer(`\n`, "\n", `\"`, `"`, `\\`, `\`, `\u003c`, "<", `\u003e`, ">", `\u0026`, "&")
	return []byte(replacer.Replace(string(data)))
}

// nowhere reports whether a text is in no span.
func (c *comparer) nowhere(text string) bool { return !bytes.Contains(c.text, []byte(text)) }

func (c *comparer) toolCall(field string, of *Call, want *ToolCall, messages []Message) {
	var found []Part
	for _, m := range messages {
		for _, p := range m.Parts {
			if p.Type == "tool_call" && strings.Contains(p.Name, want.Name) {
				found = append(found, p)
			}
		}
	}
	if len(found) == 0 && slices.ContainsFunc(c.spans, func(s Span) bool {
		return s.Kind == "tool_use" && s.ToolName != nil && *s.ToolName == want.Name && (s.ToolCallID == nil || want.ID == "" || *s.ToolCallID == want.ID)
	}) {
		return // told of by the execution alone
	}
	i := slices.IndexFunc(found, func(p Part) bool { return p.ID == want.ID })
	if i < 0 {
		i = slices.IndexFunc(found, func(p Part) bool { return sameArguments(want.Arguments, p.Arguments) })
	}
	if !c.check(i >= 0, field, want.Name+" "+string(want.Arguments), fmt.Sprint(messages)) {
		return
	}
	c.check(sameArguments(want.Arguments, found[i].Arguments), field+".arguments", want.Arguments, found[i].Arguments)
	if want.ID != "" && !of.lost("tool_call_id") {
		c.check(found[i].ID == want.ID, field+".id", want.ID, found[i].ID)
	}
}

// sameArguments compares what a tool was given: JSON, or JSON in a string.
func sameArguments(want, got json.RawMessage) bool {
	var text string
	if json.Unmarshal(want, &text) == nil {
		want = json.RawMessage(text)
	}
	if json.Unmarshal(got, &text) == nil {
		got = json.RawMessage(text)
	}
	if len(got) == 0 {
		got = json.RawMessage("{}")
	}
	return sameJSON(want, got)
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return bytes.Equal(bytes.TrimSpace(a), bytes.TrimSpace(b))
	}
	p, _ := json.Marshal(x)
	q, _ := json.Marshal(y)
	return bytes.Equal(p, q)
}

// sameModel compares model names, of which some instrumentations know only the
// answer's, and some put the vendor before or leave it out.
func sameModel(want string, got *string) bool {
	if got == nil {
		return false
	}
	base := func(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }
	w, g := base(want), base(*got)
	return w == g || strings.HasPrefix(g, w+"-20") // a snapshot by its date
}

// sameProvider compares names of providers, for which there is no one
// vocabulary.
func sameProvider(want, got string) bool {
	aliases := map[string][]string{
		"google":      {"google", "gemini", "gcp.gemini", "gcp.gen_ai", "gcp.vertex_ai", "vertex_ai", "vertexai", "google_genai"},
		"aws.bedrock": {"aws.bedrock", "aws", "bedrock", "amazon", "anthropic"},
		"azure":       {"azure", "azure.ai.openai", "az.ai.openai", "openai"},
		"openrouter":  {"openrouter", "openai", "anthropic"}, // by its client or its model, in some
		"ollama":      {"ollama", "ollama_chat", "openai"},
	}
	return want == got || slices.Contains(aliases[want], got)
}

func sameReason(want, got string) bool {
	norm := func(s string) string {
		return strings.TrimSuffix(strings.ReplaceAll(strings.ToLower(s), "-", "_"), "s")
	}
	return norm(want) == norm(got)
}

// plain gives an error or message as text.
func plain(v any) string {
	switch v := v.(type) {
	case *string:
		if v != nil {
			return *v
		}
	case json.RawMessage:
		return string(unescape(v))
	}
	return ""
}

// tools compares executions of tools with the spans of tools, where there are
// any.
func (c *comparer) tools() {
	if !slices.ContainsFunc(c.scenario.Expect.Spans, func(s ExpectedSpan) bool { return s.Kind == "tool" }) {
		return
	}
	used := map[int]bool{}
	for n := range c.scenario.Expect.Tools {
		want := &c.scenario.Expect.Tools[n]
		field := fmt.Sprintf("tools[%d]", n)
		at := -1
		for i := range c.spans {
			s := &c.spans[i]
			if s.Kind != "tool_use" || !s.Counted || used[i] || s.ToolName == nil || !strings.Contains(*s.ToolName, want.Name) {
				continue
			}
			if s.ToolCallID != nil && *s.ToolCallID == want.ID {
				at = i
				break
			}
			if at < 0 && (s.ToolInput == nil || c.holds(s.ToolInput, want.Arguments)) {
				at = i
			}
		}
		if !c.check(at >= 0, field, want.Name, "no span") {
			continue
		}
		used[at] = true
		got := &c.spans[at]
		if !c.silent("tool arguments") {
			c.check(c.holds(got.ToolInput, want.Arguments), field+".arguments", want.Arguments, got.ToolInput)
		}
		if got.ToolCallID != nil && want.ID != "" {
			c.check(*got.ToolCallID == want.ID, field+".id", want.ID, got.ToolCallID)
		}
		if want.Result != nil && want.Status != "error" && !c.silent("tool result") {
			c.check(c.shows(got.ToolResponse, want.Result), field+".result", want.Result, got.ToolResponse)
		}
		if want.Status == "error" && c.failsShown(want) {
			c.check(got.Status == "error", field+".status", "error", got.Status)
		}
	}
}

// failsShown reports whether the failure reached any span as such.
func (c *comparer) failsShown(*Tool) bool {
	return slices.ContainsFunc(c.spans, func(s Span) bool { return s.Status == "error" })
}

// holds reports whether all values of the arguments are in what a span shows:
// some show them under other names, or without their names.
func (c *comparer) holds(got, want json.RawMessage) bool {
	if sameArguments(want, got) {
		return true
	}
	var args map[string]any
	if json.Unmarshal(want, &args) != nil {
		return false
	}
	text := string(unescape(unescape(got)))
	for _, v := range args {
		if !strings.Contains(text, fmt.Sprint(v)) {
			return false
		}
	}
	return true
}

// shows reports whether a result is in what a span shows of it.
func (c *comparer) shows(got, want json.RawMessage) bool {
	var text string
	if json.Unmarshal(want, &text) != nil {
		return sameJSON(want, got)
	}
	if sameArguments(want, got) {
		return true
	}
	var shown string
	if json.Unmarshal(got, &shown) != nil {
		shown = string(got)
	}
	return strings.Contains(shown, text) || strings.Contains(string(unescape([]byte(shown))), text)
}

func (c *comparer) search() {
	want := c.scenario.Expect.Search
	if want == nil {
		return
	}
	text := string(unescape(unescape(c.text)))
	c.check(strings.Contains(text, want.Query), "retrieval.query", want.Query, "not shown")
	c.check(strings.Contains(text, want.Document), "retrieval.document", want.Document, "not shown")
	if slices.ContainsFunc(c.scenario.Expect.Spans, func(s ExpectedSpan) bool { return s.Kind == "retriever" && s.Scope != "traceloop.tracer" }) {
		ok := slices.ContainsFunc(c.spans, func(s Span) bool { return s.Kind == "retrieval" && len(s.InputMessages) > 0 })
		c.check(ok, "retrieval.span", "kind retrieval with the query", "none")
	}
}

// kinds says which kinds a span may be shown as. Plain spans of a program say
// nothing of themselves: whether they are steps or nothing of ours is nobody's to
// know.
var kinds = map[string][]string{
	"llm":                 {"llm_call"},
	"embedding":           {"embedding"},
	"tool":                {"tool_use"},
	"retriever":           {"retrieval", "chain"},
	"agent":               {"agent_run"},
	"chain":               {"chain", "generic", "agent_run"},
	"guardrail":           {"guardrail"},
	"evaluator":           {"evaluator"},
	"event":               {"event"},
	"http":                {"generic"},
	"internal":            {"generic"},
	"tool_part":           {"chain", "generic"},
	"llm_wrapper":         {"llm_call", "chain", "agent_run"},
	"llm_duplicate":       {"llm_call"},
	"embedding_duplicate": {"embedding"},
	"retriever_duplicate": {"retrieval"},
}

// tree compares names, kinds and parents.
func (c *comparer) tree() {
	names := map[string]string{}
	for i := range c.spans {
		names[c.spans[i].TraceID+" "+c.spans[i].SpanID] = c.spans[i].Name
	}
	const unknown = "<not in this capture>"
	parentOf := func(s *Span) string {
		if s.ParentSpanID == nil || *s.ParentSpanID == "" {
			return ""
		}
		if name, ok := names[s.TraceID+" "+*s.ParentSpanID]; ok {
			return name
		}
		return unknown
	}
	used := make([]bool, len(c.spans))
	for n, want := range c.scenario.Expect.Spans {
		parent := ""
		if want.Parent != nil {
			parent = *want.Parent
		}
		at, loose := -1, -1
		for i := range c.spans {
			s := &c.spans[i]
			if used[i] || s.Name != want.Name {
				continue
			}
			kindOK := slices.Contains(kinds[want.Kind], s.Kind) && (want.Kind != "llm_duplicate" || !s.Counted)
			if parentOf(s) == parent && kindOK {
				at = i
				break
			}
			if loose < 0 || parentOf(s) == parent {
				loose = i
			}
		}
		field := fmt.Sprintf("spans[%d] %s", n, want.Name)
		if at < 0 && loose < 0 {
			c.check(false, field, "a span", "none")
			continue
		}
		if at < 0 {
			at = loose
		}
		used[at] = true
		s := &c.spans[at]
		c.check(parentOf(s) == parent, field+".parent", parent, parentOf(s))
		c.check(slices.Contains(kinds[want.Kind], s.Kind), field+".kind", want.Kind, s.Kind)
		if strings.HasSuffix(want.Kind, "_duplicate") && want.Kind != "llm_duplicate" || want.Kind == "llm_wrapper" {
			continue // which of the two stands for the call is the server's to choose; totals hold it to one
		}
	}
}

// set compares what the program said about itself.
func (c *comparer) set() {
	want := c.scenario.Expect.Set
	if want == nil {
		return
	}
	lost := func(name string) bool { return slices.Contains(c.scenario.Expect.SetLost, name) }
	if want.SessionID != "" && !lost("session_id") {
		ok := slices.ContainsFunc(c.spans, func(s Span) bool {
			return s.SessionID != nil && (*s.SessionID == want.SessionID || strings.HasPrefix(want.SessionID, "<generated") && *s.SessionID != s.TraceID)
		})
		c.check(ok, "session_id", want.SessionID, "not shown")
	}
	if want.UserID != "" && !lost("user_id") {
		ok := slices.ContainsFunc(c.spans, func(s Span) bool { return s.UserID != nil && *s.UserID == want.UserID })
		c.check(ok, "user_id", want.UserID, "not shown")
	}
	for _, tag := range want.Tags {
		if !lost("tags:" + tag) {
			ok := slices.ContainsFunc(c.spans, func(s Span) bool { return slices.Contains(s.Tags, tag) })
			c.check(ok, "tags", tag, "not shown")
		}
	}
	for _, m := range []map[string]any{want.Metadata, want.OnRoot} {
		for name, value := range m {
			if lost("metadata:" + name) {
				continue
			}
			ok := slices.ContainsFunc(c.spans, func(s Span) bool {
				for _, raw := range []json.RawMessage{s.Metadata, s.Attributes} {
					var members map[string]any
					if json.Unmarshal(raw, &members) == nil && fmt.Sprint(members[name]) == fmt.Sprint(value) {
						return true
					}
				}
				return false
			})
			c.check(ok, "metadata."+name, fmt.Sprint(value), "not shown")
		}
	}
}
