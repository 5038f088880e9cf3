package otlp_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/pulse-traces/pulse/shared/otlp"
	"github.com/pulse-traces/pulse/shared/trace"
)

const (
	logTrace = "0af7651916cd43dd8448eb211c80319c"
	logSpan  = "b7ad6b7169203331"
)

// mapLogs maps records that are given as members of their JSON.
func mapLogs(t *testing.T, scope string, records ...string) (spans []trace.Span, rejected int) {
	t.Helper()
	body := `{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"svc"}}]},"scopeLogs":[{"scope":{"name":"` + scope +
		`"},"logRecords":[{` + strings.Join(records, "},{") + `}]}]}]}`
	logs, err := otlp.DecodeLogs([]byte(body), otlp.JSON)
	if err != nil {
		t.Fatal(err)
	}
	return logs.Map(now), logs.Rejected
}

func attributesJSON(t *testing.T, pairs ...string) string {
	t.Helper()
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
		if text, ok := strings.CutPrefix(pairs[i+1], "="); ok {
			m[pairs[i]] = json.RawMessage(text)
		}
	}
	list, err := json.Marshal(keyValues(m))
	if err != nil {
		t.Fatal(err)
	}
	return `"attributes":` + string(list)
}

// mergeAll merges what came of each id, in the order in which it came.
func mergeAll(spans ...trace.Span) []trace.Span {
	var s stored
	s.add(spans...)
	return s.spans
}

// TestLogsOfACall: records that name a span tell of it, in whatever order all of
// them come.
func TestLogsOfACall(t *testing.T) {
	t.Parallel()
	ids := `"traceId":"` + logTrace + `","spanId":"` + logSpan + `"`
	span := mapOne(t, `{`+ids+`,"name":"chat m","startTimeUnixNano":"1769342400000000000","endTimeUnixNano":"1769342401000000000",`+
		attributesJSON(t, "gen_ai.operation.name", "chat", "gen_ai.request.model", "m", "gen_ai.usage.input_tokens", `={"intValue":"3"}`)+`}`)
	message := func(at, event, body string) string {
		return ids + `,"timeUnixNano":"176934240000000000` + at + `","eventName":"` + event + `","body":` + body
	}
	text := func(s string) string {
		return `{"kvlistValue":{"values":[{"key":"content","value":{"stringValue":"` + s + `"}}]}}`
	}
	told, rejected := mapLogs(t, "opentelemetry.instrumentation.openai_v2",
		message("1", "gen_ai.system.message", text("S")), message("2", "gen_ai.user.message", text("Hi")),
		message("3", "gen_ai.choice", `{"kvlistValue":{"values":[{"key":"finish_reason","value":{"stringValue":"stop"}},{"key":"message","value":`+text("Hello")+`}]}}`),
		ids+`,"timeUnixNano":"1769342400000000004","severityText":"WARN","body":{"stringValue":"slow"},`+attributesJSON(t, "code.lineno", "7"))
	if rejected != 0 || len(told) != 4 {
		t.Fatalf("%d records, %d rejected", len(told), rejected)
	}
	for _, s := range told {
		if !s.Patch || s.ID != logSpan || s.TraceID != logTrace {
			t.Errorf("no patch of the span: %+v", s)
		}
	}
	first := mergeAll(append(told, span)...)
	for _, order := range [][]trace.Span{{span, told[3], told[0], told[2], told[1]}, {told[2], span, told[1], told[1], told[0], span, told[3]}} {
		if diff := diff(first, mergeAll(order...)); diff != "" {
			t.Errorf("in another order:\n%s", diff)
		}
	}
	got := first[0]
	if in, out := talk(t, got.Payload.InputMessages), talk(t, got.Payload.OutputMessages); in != "system: S; user: Hi" || out != "assistant: Hello" {
		t.Errorf("%q, %q", in, out)
	}
	if got.Patch || got.Name != "chat m" || got.Kind != trace.KindLLMCall || *got.FinishReason != "stop" || *got.InputTokens != 3 {
		t.Errorf("%+v", got)
	}
	if events := string(got.Payload.Events); !strings.Contains(events, `"body":"slow"`) || !strings.Contains(events, `"severity":"WARN"`) {
		t.Errorf("events: %s", events)
	}
	again, err := otlp.Remap(got.Payload.Raw, now)
	if err != nil {
		t.Fatal(err)
	}
	if diff := diff(got, again); diff != "" {
		t.Errorf("(-merged +remapped)\n%s", diff)
	}
}

// TestLogOfAllDetails: the event that tells all of a call is a patch of its span,
// or a report where it names none.
func TestLogOfAllDetails(t *testing.T) {
	t.Parallel()
	details := func(ids string) string {
		return ids + `"timeUnixNano":"1769342401000000000","eventName":"gen_ai.client.inference.operation.details",` + attributesJSON(t,
			"gen_ai.operation.name", "chat", "gen_ai.request.model", "m", "gen_ai.response.id", "r1", "gen_ai.usage.input_tokens", `={"intValue":"3"}`,
			"gen_ai.input.messages", `[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]`)
	}
	spans, _ := mapLogs(t, "x", details(`"traceId":"`+logTrace+`","spanId":"`+logSpan+`",`), details(""))
	if len(spans) != 2 {
		t.Fatalf("%d spans", len(spans))
	}
	if s := spans[0]; !s.Patch || s.ID != logSpan || talk(t, s.Payload.InputMessages) != "user: Hi" || *s.InputTokens != 3 {
		t.Errorf("%+v", s)
	}
	if s := spans[1]; s.Patch || s.TraceID != "" || s.Role != trace.RoleReport || s.CallKey != "r1" {
		t.Errorf("%+v", s)
	}
}

// TestLogsOfCodingAgents: without traces their records are all there is, and
// count; with them, each call counts once.
func TestLogsOfCodingAgents(t *testing.T) {
	t.Parallel()
	request := func(at string) string {
		return `"timeUnixNano":"` + at + `","body":{"stringValue":"claude_code.api_request"},` + attributesJSON(t,
			"event.name", "api_request", "session.id", "s1", "model", "claude-haiku-4-5", "input_tokens", "3", "output_tokens", "2", "cache_read_tokens", "10",
			"cost_usd", "0.002", "duration_ms", "1000", "user.email", "u@example.org")
	}
	const scope = "com.anthropic.claude_code.events"
	logged, rejected := mapLogs(t, scope, request("1769342401000000000"), request("1769342501000000000"),
		`"timeUnixNano":"1769342400000000000","body":{"stringValue":"claude_code.user_prompt"},`+attributesJSON(t, "event.name", "user_prompt", "session.id", "s1", "prompt", "Hi"),
		`"timeUnixNano":"1769342402000000000","body":{"stringValue":"claude_code.tool_result"},`+
			attributesJSON(t, "event.name", "tool_result", "session.id", "s1", "tool_name", "Bash", "tool_parameters", `{"full_command":"ls"}`, "success", "false", "duration_ms", "5"))
	if rejected != 0 || len(logged) != 4 {
		t.Fatalf("%d records, %d rejected", len(logged), rejected)
	}
	call := logged[0]
	if call.Kind != trace.KindLLMCall || call.Source != trace.SourceClaudeCode || call.SessionID != "s1" || *call.InputTokens != 13 || *call.CostNanoUSD != 2_000_000 ||
		call.Start.Unix() != 1769342400 || *call.UserID != "u@example.org" || call.TraceID != "" {
		t.Errorf("%+v", call)
	}
	if prompt := logged[2]; prompt.Kind != trace.KindUserPrompt || talk(t, prompt.Payload.InputMessages) != "user: Hi" {
		t.Errorf("%+v", prompt)
	}
	if tool := logged[3]; tool.Kind != trace.KindToolUse || *tool.ToolName != "Bash" || tool.Status != trace.StatusError {
		t.Errorf("%+v", tool)
	}
	counted := func(spans []trace.Span) (n int) {
		for i, st := range trace.Resolve(spans) {
			if st.Counts && spans[i].Kind == trace.KindLLMCall {
				n++
			}
		}
		return n
	}
	if n := counted(logged); n != 2 {
		t.Errorf("without traces %d calls count", n)
	}
	spans := mapJSON(t, []byte(`{"resourceSpans":[{"scopeSpans":[{"scope":{"name":"com.anthropic.claude_code.tracing"},"spans":[{"traceId":"`+logTrace+`","spanId":"`+logSpan+
		`","name":"claude_code.llm_request","startTimeUnixNano":"1769342400000000000","endTimeUnixNano":"1769342401000000000",`+
		attributesJSON(t, "span.type", "llm_request", "session.id", "s1", "model", "claude-haiku-4-5", "input_tokens", `={"intValue":"3"}`, "output_tokens", `={"intValue":"2"}`,
			"cache_read_tokens", `={"intValue":"10"}`, "cache_creation_tokens", `={"intValue":"0"}`)+`}]}]}]}`))
	if n := counted(append(spans, logged...)); n != 2 {
		t.Errorf("with the trace of one of two %d calls count", n)
	}
}

// TestGeminiCLI counts each call once, whether its span came or only its records,
// with the tokens that the record alone knows of.
func TestGeminiCLI(t *testing.T) {
	t.Parallel()
	record := func(event string, attributes ...string) string {
		return `"timeUnixNano":"1769342401000000000",` + attributesJSON(t, append([]string{"session.id", "s1", "event.name", event, "duration_ms", `={"intValue":"900"}`}, attributes...)...)
	}
	logged, rejected := mapLogs(t, "gemini-cli",
		record("gemini_cli.user_prompt", "prompt", "Hi", "prompt_length", `={"intValue":"2"}`),
		record("gemini_cli.api_request", "model", "gemini-2.5-flash"),
		record("gemini_cli.api_response", "model", "gemini-2.5-flash", "input_token_count", `={"intValue":"10"}`, "output_token_count", `={"intValue":"5"}`,
			"cached_content_token_count", `={"intValue":"4"}`, "thoughts_token_count", `={"intValue":"7"}`,
			"response_text", `[{"candidates":[{"content":{"role":"model","parts":[{"text":"Hel"}]}}]},{"candidates":[{"content":{"role":"model","parts":[{"text":"lo"}]},"finishReason":"STOP"}]}]`),
		record("gen_ai.client.inference.operation.details", "gen_ai.operation.name", "generate_content", "gen_ai.request.model", "gemini-2.5-flash",
			"gen_ai.usage.input_tokens", `={"intValue":"10"}`, "gen_ai.usage.output_tokens", `={"intValue":"5"}`),
		record("gemini_cli.api_error", "model", "gemini-2.5-flash", "error", "429", "error.type", "RESOURCE_EXHAUSTED"))
	if rejected != 0 {
		t.Errorf("%d rejected", rejected)
	}
	type call struct{ status, provider, in, out, usage string }
	counted := func(spans []trace.Span) (calls []call) {
		t.Helper()
		stands := trace.Resolve(spans)
		for i, st := range stands {
			if !st.Counts || spans[i].Kind != trace.KindLLMCall {
				continue
			}
			s := completed(spans, stands, i)
			m := told(t, &s)
			calls = append(calls, call{string(s.Status), *s.Provider, m["in"], m["out"], m["usage"]})
		}
		return calls
	}
	const usage = "10/12 read 4 write 0 reasoning 7"
	want := []call{{"success", "google", "", "assistant: Hello", usage}, {"error", "google", "", "", ""}}
	if got := counted(logged); !slices.Equal(got, want) {
		t.Errorf("without spans: %+v, want %+v", got, want)
	}
	span := func(id, name, rest string, attributes ...string) string {
		return `{"traceId":"` + logTrace + `","spanId":"` + id + `","name":"` + name + `","startTimeUnixNano":"1769342400100000000","endTimeUnixNano":"1769342401000000000",` + rest +
			attributesJSON(t, append([]string{"gen_ai.operation.name", name, "gen_ai.conversation.id", "s1"}, attributes...)...) + `}`
	}
	spans := mapJSON(t, []byte(`{"resourceSpans":[{"scopeSpans":[{"scope":{"name":"gemini-cli"},"spans":[`+
		span(logSpan, "llm_call", "", "gen_ai.request.model", "gemini-2.5-flash", "gen_ai.usage.input_tokens", `={"intValue":"10"}`, "gen_ai.usage.output_tokens", `={"intValue":"5"}`,
			"gen_ai.input.messages", `[{"role":"user","parts":[{"text":"Hi"}]}]`,
			"gen_ai.output.messages", `[{"role":"model","parts":[{"text":"Hel"}]},{"role":"model","parts":[{"text":"lo"}]}]`)+","+
		span("00f067aa0ba902b8", "llm_call", `"status":{"code":2,"message":"429"},`, "gen_ai.request.model", "gemini-2.5-flash")+","+
		span("00f067aa0ba902b9", "tool_call", "", "gen_ai.tool.name", "read_file", "gen_ai.tool.call.id", "t1", "gen_ai.input.messages", `{"callId":"t1","name":"read_file","args":{"path":"a"}}`,
			"gen_ai.output.messages", `{"status":"success","response":{"responseParts":[{"functionResponse":{"id":"t1","name":"read_file","response":{"output":"x"}}}]}}`)+`]}]}]}`))
	want[0].in = "user: Hi"
	if got := counted(append(spans[:2:2], logged...)); !slices.Equal(got, want) {
		t.Errorf("with spans: %+v, want %+v", got, want)
	}
	qwen, _ := mapLogs(t, "qwen-code",
		record("qwen-code.api_response", "model", "qwen3-coder", "response_id", "r1", "input_token_count", `={"intValue":"10"}`, "output_token_count", `={"intValue":"12"}`,
			"thoughts_token_count", `={"intValue":"7"}`),
		record("qwen-code.tool_call", "function_name", "read_file", "function_args", `{"path":"a"}`, "success", `={"boolValue":false}`, "error", "no such file"))
	if m := told(t, &qwen[0]); m["kind"] != "llm_call" || m["usage"] != "10/12 read 0 write 0 reasoning 7" || m["providerRequestId"] != "r1" || m["provider"] != "" {
		t.Errorf("Qwen Code: %v", m)
	}
	if m := told(t, &qwen[1]); m["kind"] != "tool_use" || m["toolInput"] != `{"path":"a"}` || m["status"] != "error" {
		t.Errorf("a tool of Qwen Code: %v", m)
	}
	if tool := &spans[2]; tool.Kind != trace.KindToolUse || string(tool.Payload.ToolInput) != `{"path":"a"}` || string(tool.Payload.ToolResponse) != `{"output":"x"}` {
		t.Errorf("a tool: %s %s %s", tool.Kind, tool.Payload.ToolInput, tool.Payload.ToolResponse)
	}
}

// TestLogsWithoutAHome are refused, with the reason.
func TestLogsWithoutAHome(t *testing.T) {
	t.Parallel()
	spans, rejected := mapLogs(t, "app", `"timeUnixNano":"1769342400000000000","body":{"stringValue":"started"}`,
		`"timeUnixNano":"1769342400000000000","body":{"stringValue":"x"},`+attributesJSON(t, "session.id", "s1"))
	if rejected != 1 || len(spans) != 1 || spans[0].Kind != trace.KindEvent || spans[0].SessionID != "s1" || spans[0].Name != "x" {
		t.Errorf("%d rejected, %+v", rejected, spans)
	}
}
