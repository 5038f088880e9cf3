package otlp_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/pulse-traces/pulse/shared/trace"
)

// told gives what a span tells in a form that is short to compare: columns by
// name, and the texts of messages.
func told(t *testing.T, s *trace.Span) map[string]string {
	t.Helper()
	m := map[string]string{}
	for k, v := range columns(t, s) {
		if v == nil {
			continue
		}
		if b, err := json.Marshal(v); err == nil {
			m[k] = strings.Trim(string(b), `"`)
		}
	}
	if s.UserID != nil {
		m["userId"] = *s.UserID
	}
	if len(s.Tags) > 0 {
		m["tags"] = strings.Join(s.Tags, ",")
	}
	if s.TimeToFirstTokenMS != nil {
		m["ttft"] = fmt.Sprint(*s.TimeToFirstTokenMS)
	}
	if u := s.Usage; u != nil {
		m["usage"] = fmt.Sprintf("%d/%d", u.InputTokens(), u.OutputTokens())
		if u.CacheRead+u.CacheWrite5m+u.CacheWrite1h+u.Reasoning > 0 {
			m["usage"] += fmt.Sprintf(" read %d write %d reasoning %d", u.CacheRead, u.CacheWrite5m+u.CacheWrite1h, u.Reasoning)
		}
	}
	p := &s.Payload
	m["parameters"], m["tools"], m["attributes"] = string(p.Parameters), string(p.Tools), string(p.Attributes)
	m["in"], m["out"] = talk(t, p.InputMessages), talk(t, p.OutputMessages)
	return m
}

// talk gives messages as "role: text; …".
func talk(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	if raw == nil {
		return ""
	}
	var messages []trace.Message
	if err := json.Unmarshal(raw, &messages); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range messages {
		var parts []string
		for _, p := range m.Parts {
			switch p.Type {
			case trace.PartToolCall:
				parts = append(parts, fmt.Sprintf("%s(%s)#%s", p.Name, p.Arguments, p.ID))
			case trace.PartToolResult:
				parts = append(parts, fmt.Sprintf("#%s=%s", p.ID, p.Result))
			case trace.PartReasoning:
				parts = append(parts, "("+p.Text+")")
			default:
				parts = append(parts, p.Text)
			}
		}
		out = append(out, m.Role+": "+strings.Join(parts, " "))
	}
	return strings.Join(out, "; ")
}

// TestFamiliesBesideTheCorpus reads spans of instrumentations of which there is
// no capture, in the forms that they document.
func TestFamiliesBesideTheCorpus(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		scope string
		span  string            // members beside ids and times
		attrs map[string]string // values that begin with '=' are JSON of an AnyValue
		want  map[string]string
	}{
		{
			name: "conventions", span: `"name":"chat gpt-4o"`,
			attrs: map[string]string{
				"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "gpt-4o-2024",
				"gen_ai.response.id": "resp_1", "gen_ai.usage.input_tokens": `={"intValue":"10"}`, "gen_ai.usage.output_tokens": `={"intValue":"5"}`,
				"gen_ai.usage.cache_read.input_tokens": `={"intValue":"4"}`, "gen_ai.request.temperature": `={"doubleValue":0.5}`,
				"gen_ai.response.finish_reasons": `={"arrayValue":{"values":[{"stringValue":"stop"}]}}`, "gen_ai.conversation.id": "c1",
				"gen_ai.system_instructions": `[{"type":"text","content":"Be brief"}]`,
				"gen_ai.input.messages":      `[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]`,
				"gen_ai.output.messages":     `[{"role":"assistant","parts":[{"type":"tool_call","id":"t1","name":"f","arguments":{"a":1}}],"finish_reason":"tool_calls"}]`,
				"server.address":             "api.openai.com",
			},
			want: map[string]string{
				"kind": "llm_call", "provider": "openai", "model": "gpt-4o", "modelUsed": "gpt-4o-2024", "providerRequestId": "resp_1", "sessionId": "c1",
				"usage": "10/5 read 4 write 0 reasoning 0", "finishReason": "stop", "in": "system: Be brief; user: Hi", "out": `assistant: f({"a":1})#t1`,
				"parameters": `{"temperature":0.5}`, "attributes": `{"server.address":"api.openai.com"}`,
			},
		},
		{
			name: "conventions with contents as values, not as texts", span: `"name":"chat m"`,
			attrs: map[string]string{
				"gen_ai.operation.name": "chat", "gen_ai.request.model": "m",
				"gen_ai.input.messages": `={"arrayValue":{"values":[{"kvlistValue":{"values":[{"key":"role","value":{"stringValue":"user"}},{"key":"parts","value":{"arrayValue":{"values":[{"kvlistValue":{"values":[{"key":"type","value":{"stringValue":"text"}},{"key":"content","value":{"stringValue":"Hi"}}]}}]}}}]}}]}}`,
			},
			want: map[string]string{"kind": "llm_call", "in": "user: Hi"},
		},
		{
			name: "conventions before 1.37, with events on the span",
			span: `"name":"chat m","events":[
				{"timeUnixNano":"1769342400000000001","name":"gen_ai.system.message","attributes":[{"key":"content","value":{"stringValue":"S"}}]},
				{"timeUnixNano":"1769342400000000002","name":"gen_ai.user.message","attributes":[{"key":"content","value":{"stringValue":"Hi"}}]},
				{"timeUnixNano":"1769342400000000003","name":"gen_ai.choice","attributes":[{"key":"finish_reason","value":{"stringValue":"stop"}},{"key":"index","value":{"intValue":"0"}},{"key":"message","value":{"stringValue":"{\"content\":\"Hello\"}"}}]}]`,
			attrs: map[string]string{"gen_ai.system": "openai", "gen_ai.operation.name": "chat"},
			want:  map[string]string{"kind": "llm_call", "in": "system: S; user: Hi", "out": "assistant: Hello", "finishReason": "stop"},
		},
		{
			name: "the oldest conventions: contents in two events",
			span: `"name":"chat m","events":[
				{"name":"gen_ai.content.prompt","attributes":[{"key":"gen_ai.prompt","value":{"stringValue":"[{\"role\":\"user\",\"content\":\"Hi\"}]"}}]},
				{"name":"gen_ai.content.completion","attributes":[{"key":"gen_ai.completion","value":{"stringValue":"[{\"role\":\"assistant\",\"content\":\"Hello\"}]"}}]}]`,
			attrs: map[string]string{
				"gen_ai.system": "openai", "gen_ai.request.model": "m", "gen_ai.usage.prompt_tokens": `={"intValue":"3"}`, "gen_ai.usage.completion_tokens": `={"intValue":"2"}`,
			},
			want: map[string]string{"kind": "llm_call", "in": "user: Hi", "out": "assistant: Hello", "usage": "3/2"},
		},
		{
			name: "a program's own span, with JSON in texts", span: `"name":"generate"`,
			attrs: map[string]string{
				"model": "claude-sonnet-4-5", "messages": `[{"role":"user","content":"Hi"}]`, "usage": `{"prompt_tokens":12,"completion_tokens":4}`,
				"response": `{"choices":[{"message":{"role":"assistant","content":"Hello"}}]}`,
			},
			want: map[string]string{"kind": "llm_call", "model": "claude-sonnet-4-5", "in": "user: Hi", "out": "assistant: Hello", "usage": "12/4"},
		},
		{
			name: "a call that failed and names no operation", span: `"name":"openai.chat","status":{"code":2,"message":"401"}`,
			attrs: map[string]string{"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o", "error.type": "AuthenticationError"},
			want:  map[string]string{"kind": "llm_call", "status": "error", "error": `{"message":"401","type":"AuthenticationError"}`},
		},
		{
			name: "Strands: events with blocks",
			span: `"name":"chat","events":[
				{"name":"gen_ai.user.message","attributes":[{"key":"content","value":{"stringValue":"[{\"text\": \"Hi\"}]"}}]},
				{"name":"gen_ai.choice","attributes":[{"key":"finish_reason","value":{"stringValue":"tool_use"}},{"key":"message","value":{"stringValue":"[{\"text\": \"Let me see\"}, {\"toolUse\": {\"toolUseId\": \"t1\", \"name\": \"calc\", \"input\": {\"e\": \"1+1\"}}}]"}}]}]`,
			attrs: map[string]string{
				"gen_ai.system": "strands-agents", "gen_ai.operation.name": "chat", "gen_ai.request.model": "us.anthropic.claude-sonnet-4",
				"gen_ai.usage.prompt_tokens": `={"intValue":"3"}`, "gen_ai.usage.input_tokens": `={"intValue":"3"}`,
				"gen_ai.usage.output_tokens": `={"intValue":"2"}`, "gen_ai.usage.completion_tokens": `={"intValue":"2"}`,
			},
			want: map[string]string{"kind": "llm_call", "in": "user: Hi", "out": `assistant: Let me see calc({"e": "1+1"})#t1`, "usage": "3/2", "finishReason": "tool_use"},
		},
		{
			name: "Strands: blocks of a message that names its role",
			span: `"name":"chat","events":[
				{"name":"gen_ai.user.message","attributes":[{"key":"role","value":{"stringValue":"user"}},{"key":"content","value":{"stringValue":"[{\"text\": \"Hi\"}]"}}]},
				{"name":"gen_ai.choice","attributes":[{"key":"finish_reason","value":{"stringValue":"end_turn"}},{"key":"message","value":{"stringValue":"[{\"text\": \"Hello\"}]"}}]}]`,
			attrs: map[string]string{"gen_ai.system": "strands-agents", "gen_ai.operation.name": "chat", "gen_ai.request.model": "us.anthropic.claude-sonnet-4"},
			want:  map[string]string{"kind": "llm_call", "in": "user: Hi", "out": "assistant: Hello", "finishReason": "end_turn"},
		},
		{
			name: "Strands: a tool",
			span: `"name":"execute_tool calc","events":[
				{"name":"gen_ai.tool.message","attributes":[{"key":"role","value":{"stringValue":"tool"}},{"key":"content","value":{"stringValue":"{\"e\": \"1+1\"}"}},{"key":"id","value":{"stringValue":"t1"}}]},
				{"name":"gen_ai.choice","attributes":[{"key":"message","value":{"stringValue":"[{\"text\": \"2\"}]"}},{"key":"id","value":{"stringValue":"t1"}}]}]`,
			attrs: map[string]string{"gen_ai.operation.name": "execute_tool", "gen_ai.system": "strands-agents", "gen_ai.tool.name": "calc", "gen_ai.tool.call.id": "t1"},
			want:  map[string]string{"kind": "tool_use", "toolName": "calc", "toolUseId": "t1", "toolInput": `{"e":"1+1"}`, "toolResponse": "2"},
		},
		{
			name: "Strands: the newest conventions, told by events", scope: "strands.telemetry.tracer",
			span: `"name":"chat","events":[
				{"name":"gen_ai.client.inference.operation.details","attributes":[{"key":"gen_ai.input.messages","value":{"stringValue":"[{\"role\": \"user\", \"parts\": [{\"type\": \"text\", \"content\": \"Hi\"}]}]"}}]},
				{"name":"gen_ai.client.inference.operation.details","attributes":[{"key":"gen_ai.output.messages","value":{"stringValue":"[{\"role\": \"assistant\", \"parts\": [{\"type\": \"text\", \"content\": \"Hello\"}], \"finish_reason\": \"end_turn\"}]"}}]}]`,
			attrs: map[string]string{
				"gen_ai.provider.name": "strands-agents", "gen_ai.operation.name": "chat", "gen_ai.request.model": "us.anthropic.claude-sonnet-4",
				"gen_ai.server.time_to_first_token": `={"intValue":"72"}`,
			},
			want: map[string]string{"kind": "llm_call", "in": "user: Hi", "out": "assistant: Hello", "finishReason": "end_turn", "ttft": "72"},
		},
		{
			name: "Strands: a turn of its loop", span: `"name":"execute_event_loop_cycle"`, scope: "strands.telemetry.tracer",
			attrs: map[string]string{"gen_ai.operation.name": "execute_event_loop_cycle", "event_loop.cycle_id": "c1"},
			want:  map[string]string{"kind": "chain"},
		},
		{
			name: "Spring AI: all values are texts", span: `"name":"chat gpt-4o"`, scope: "org.springframework.boot",
			attrs: map[string]string{
				"gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": "7",
				"gen_ai.usage.output_tokens": "3", "gen_ai.usage.total_tokens": "10", "gen_ai.response.finish_reasons": `["STOP"]`,
				"gen_ai.prompt": `["Hi"]`, "gen_ai.completion": `["Hello"]`, "gen_ai.request.temperature": "0.7",
			},
			want: map[string]string{"kind": "llm_call", "usage": "7/3", "finishReason": "STOP", "in": "user: Hi", "out": "assistant: Hello"},
		},
		{
			name: "Spring AI: what is around the call", span: `"name":"spring_ai chat_client"`,
			attrs: map[string]string{"gen_ai.operation.name": "framework", "gen_ai.system": "spring_ai", "spring.ai.kind": "chat_client"},
			want:  map[string]string{"kind": "chain"},
		},
		{
			name: "Spring AI: a tool", span: `"name":"tool_call weather"`,
			attrs: map[string]string{
				"gen_ai.operation.name": "framework", "gen_ai.system": "spring_ai", "spring.ai.kind": "tool_call", "spring.ai.tool.definition.name": "weather",
				"spring.ai.tool.call.arguments": `{"city":"Oslo"}`, "spring.ai.tool.call.result": "rain",
			},
			want: map[string]string{"kind": "tool_use", "toolName": "weather", "toolInput": `{"city":"Oslo"}`, "toolResponse": "rain"},
		},
		{
			name: "MLflow", span: `"name":"Completions"`,
			attrs: map[string]string{
				"mlflow.spanType": `"CHAT_MODEL"`, "mlflow.spanInputs": `{"model":"gpt-4o","messages":[{"role":"user","content":"Hi"}],"temperature":0}`,
				"mlflow.spanOutputs":     `{"id":"r1","model":"gpt-4o-2024","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hello"}}],"usage":{"prompt_tokens":3,"completion_tokens":2}}`,
				"mlflow.chat.tokenUsage": `{"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}`, "mlflow.traceRequestId": `"tr-1"`,
			},
			want: map[string]string{
				"kind": "llm_call", "model": "gpt-4o", "modelUsed": "gpt-4o-2024", "usage": "3/2", "in": "user: Hi", "out": "assistant: Hello", "finishReason": "stop",
				"providerRequestId": "r1",
			},
		},
		{
			name: "MLflow: a tool", span: `"name":"weather"`,
			attrs: map[string]string{"mlflow.spanType": `"TOOL"`, "mlflow.spanInputs": `{"city": "Oslo"}`, "mlflow.spanOutputs": `"rain"`},
			want:  map[string]string{"kind": "tool_use", "toolName": "weather", "toolInput": `{"city":"Oslo"}`, "toolResponse": "rain"},
		},
		{
			name: "LiteLLM 2", span: `"name":"chat gpt-4o"`, scope: "litellm",
			attrs: map[string]string{
				"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o", "litellm.cost.total": `={"doubleValue":0.0012}`,
				"litellm.metadata.user_id": "u1", "litellm.metadata.tags": `["a","b"]`, "litellm.metadata.tenant": "acme",
				"gen_ai.input.messages": `[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]`,
			},
			want: map[string]string{"kind": "llm_call", "userId": "u1", "tags": "a,b", "metadata": `{"tenant":"acme"}`, "costCents": "0.12"},
		},
		{
			name: "Genkit", span: `"name":"gemini-2.5-flash"`,
			attrs: map[string]string{
				"genkit:type": "action", "genkit:metadata:subtype": "model", "genkit:name": "googleai/gemini-2.5-flash",
				"genkit:input":  `{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"config":{"temperature":1}}`,
				"genkit:output": `{"message":{"role":"model","content":[{"text":"Hello"}]},"finishReason":"stop","usage":{"inputTokens":3,"outputTokens":2,"thoughtsTokens":0}}`,
			},
			want: map[string]string{"kind": "llm_call", "in": "user: Hi", "out": "assistant: Hello", "usage": "3/2", "model": "gemini-2.5-flash", "provider": "google", "finishReason": "stop"},
		},
		{
			name: "Genkit: a tool's call and result, reasoning and a picture", span: `"name":"openai/gpt-4o-mini"`,
			attrs: map[string]string{
				"genkit:type": "action", "genkit:metadata:subtype": "model", "genkit:name": "openai/gpt-4o-mini",
				"genkit:input": `{"messages":[{"role":"user","content":[{"media":{"url":"https://example.com/a.png","contentType":"image/png"}}]},
					{"role":"model","content":[{"reasoning":"hm"},{"toolRequest":{"name":"calc","ref":"t1","input":{"e":"1+1"}}}]},
					{"role":"tool","content":[{"toolResponse":{"name":"calc","ref":"t1","output":"2"}}]}]}`,
				"genkit:output": `{"message":{"role":"model","content":[{"toolRequest":{"name":"calc","ref":"t2","input":{"e":"2+2"}}}]},"finishReason":"stop"}`,
			},
			want: map[string]string{"in": `user: ; assistant: (hm) calc({"e":"1+1"})#t1; tool: #t1="2"`, "out": `assistant: calc({"e":"2+2"})#t2`, "model": "gpt-4o-mini", "provider": "openai"},
		},
		{
			name: "OpenInference: LangChain says the provider in its metadata alone", span: `"name":"ChatOpenAI"`,
			attrs: map[string]string{"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "metadata": `{"ls_provider":"openai","ls_model_name":"gpt-4o"}`},
			want:  map[string]string{"kind": "llm_call", "model": "gpt-4o", "provider": "openai"},
		},
		{
			name: "OpenInference", span: `"name":"ChatOpenAI"`,
			attrs: map[string]string{
				"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "llm.provider": "openai",
				"llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.contents.0.message_content.type": "text",
				"llm.input_messages.0.message.contents.0.message_content.text": "Hi", "llm.output_messages.0.message.role": "assistant",
				"llm.output_messages.0.message.tool_calls.0.tool_call.id": "t1", "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "f",
				"llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": `{"a":1}`,
				"llm.token_count.prompt": `={"intValue":"3"}`, "llm.token_count.completion": `={"intValue":"2"}`, "session.id": "s", "user.id": "u",
				"tag.tags": `={"arrayValue":{"values":[{"stringValue":"x"}]}}`, "metadata": `{"k": "v"}`,
			},
			want: map[string]string{
				"kind": "llm_call", "model": "gpt-4o", "provider": "openai", "usage": "3/2", "in": "user: Hi", "out": `assistant: f({"a":1})#t1`,
				"sessionId": "s", "userId": "u", "tags": "x", "metadata": `{"k":"v"}`,
			},
		},
		{
			name: "Agno, by OpenInference", span: `"name":"Agent.run"`,
			attrs: map[string]string{"openinference.span.kind": "AGENT", "input.value": "Hi", "output.value": "Hello", "agno.agent.id": "a"},
			want:  map[string]string{"kind": "agent_run", "in": "user: Hi", "out": "assistant: Hello"},
		},
		{
			name: "AgentOps", span: `"name":"openai.chat.completion"`,
			attrs: map[string]string{
				"agentops.span.kind": "llm", "gen_ai.request.model": "gpt-4o", "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "Hi",
				"gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": "Hello", "gen_ai.usage.prompt_tokens": `={"intValue":"3"}`,
				"gen_ai.usage.completion_tokens": `={"intValue":"2"}`,
			},
			want: map[string]string{"kind": "llm_call", "in": "user: Hi", "out": "assistant: Hello", "usage": "3/2"},
		},
		{
			name: "AgentOps: an operation", span: `"name":"plan.agent"`,
			attrs: map[string]string{"agentops.span.kind": "agent", "agentops.entity.input": `{"args": ["Hi"]}`, "agentops.entity.output": `"Hello"`},
			want:  map[string]string{"kind": "agent_run", "out": "assistant: Hello"},
		},
		{
			name: "Alibaba's", span: `"name":"chat qwen"`,
			attrs: map[string]string{
				"gen_ai.span.kind": "LLM", "gen_ai.request.model": "qwen-max", "gen_ai.usage.input_tokens": `={"intValue":"3"}`, "gen_ai.usage.output_tokens": `={"intValue":"2"}`,
				"input.value": `[{"role":"user","content":"Hi"}]`, "output.value": "Hello",
			},
			want: map[string]string{"kind": "llm_call", "in": "user: Hi", "out": "assistant: Hello", "usage": "3/2"},
		},
		{
			name: "Langtrace", span: `"name":"openai.chat.completions.create","events":[
				{"name":"gen_ai.content.prompt","attributes":[{"key":"gen_ai.prompt","value":{"stringValue":"[{\"role\":\"user\",\"content\":\"Hi\"}]"}}]},
				{"name":"gen_ai.content.completion","attributes":[{"key":"gen_ai.completion","value":{"stringValue":"[{\"role\":\"assistant\",\"content\":\"Hello\"}]"}}]}]`,
			attrs: map[string]string{
				"langtrace.service.type": "llm", "langtrace.service.name": "OpenAI", "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o",
				"gen_ai.usage.input_tokens": `={"intValue":"3"}`, "gen_ai.usage.output_tokens": `={"intValue":"2"}`,
			},
			want: map[string]string{"kind": "llm_call", "in": "user: Hi", "out": "assistant: Hello", "usage": "3/2", "provider": "openai"},
		},
		{
			name: "Pipecat", span: `"name":"llm"`,
			attrs: map[string]string{
				"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.operation.name": "chat", "gen_ai.output.type": "text", "stream": `={"boolValue":true}`,
				"input": `[{"role": "system", "content": "S"}, {"role": "user", "content": "Hi"}]`, "output": "Hello",
				"gen_ai.usage.input_tokens": `={"intValue":"3"}`, "gen_ai.usage.output_tokens": `={"intValue":"2"}`, "metrics.ttfb": `={"doubleValue":0.25}`,
			},
			want: map[string]string{"kind": "llm_call", "in": "system: S; user: Hi", "out": "assistant: Hello", "ttft": "250"},
		},
		{
			name: "Haystack's own tracer", span: `"name":"haystack.component.run"`,
			attrs: map[string]string{
				"haystack.component.name": "llm", "haystack.component.type": "OpenAIChatGenerator",
				"haystack.component.input":  `{"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}`,
				"haystack.component.output": `{"replies": [{"role": "assistant", "meta": {"model": "gpt-4o-2024", "finish_reason": "stop", "usage": {"prompt_tokens": 3, "completion_tokens": 2}}, "content": [{"text": "Hello"}]}]}`,
			},
			want: map[string]string{"kind": "llm_call", "in": "user: Hi", "out": "assistant: Hello", "usage": "3/2", "modelUsed": "gpt-4o-2024", "finishReason": "stop"},
		},
		{
			name: "Mastra", span: `"name":"llm: 'gpt-4o'"`,
			attrs: map[string]string{
				"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.provider.name": "openai", "mastra.span.type": "model_generation",
				"mastra.model_generation.input": `{"messages":[{"role":"user","content":"Hi"}]}`, "mastra.model_generation.output": `{"text":"Hello"}`,
			},
			want: map[string]string{"kind": "llm_call", "model": "gpt-4o", "in": "user: Hi", "out": "assistant: Hello"},
		},
		{
			name: "Mastra 1: a step, whose call has no words", span: `"name":"agent_step wx"`,
			attrs: map[string]string{
				"mastra.span.type": "model_step", "mastra.model_step.input": `[{"role":"user","content":"Hi"}]`,
				"mastra.model_step.output": `{"text":"","toolCalls":[{"toolCallId":"t1","toolName":"calc","args":{"e":"1+1"}}]}`,
			},
			want: map[string]string{"kind": "llm_call", "in": "user: Hi", "out": `assistant: calc({"e":"1+1"})#t1`},
		},
		{
			name: "Mastra 1: an agent", span: `"name":"invoke_agent wx"`,
			attrs: map[string]string{"mastra.span.type": "agent_run", "mastra.agent_run.input": "Hi", "mastra.agent_run.output": `{"text":"Hello","files":[]}`},
			want:  map[string]string{"kind": "agent_run", "in": "user: Hi", "out": "assistant: Hello"},
		},
		{
			name: "a message without words is none", span: `"name":"chat m"`,
			attrs: map[string]string{"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.output.messages": `[{"role":"assistant","parts":[{"type":"text","content":""}]}]`},
			want:  map[string]string{"kind": "llm_call", "out": ""},
		},
		{
			name: "Azure's SDKs: contents of events as JSON",
			span: `"name":"chat gpt-4o","events":[
				{"name":"gen_ai.user.message","attributes":[{"key":"gen_ai.system","value":{"stringValue":"az.ai.inference"}},{"key":"gen_ai.event.content","value":{"stringValue":"{\"role\":\"user\",\"content\":\"Hi\"}"}}]},
				{"name":"gen_ai.choice","attributes":[{"key":"gen_ai.event.content","value":{"stringValue":"{\"message\":{\"content\":\"Hello\"},\"finish_reason\":\"stop\",\"index\":0}"}}]}]`,
			attrs: map[string]string{"gen_ai.operation.name": "chat", "gen_ai.system": "az.ai.inference", "gen_ai.request.model": "gpt-4o"},
			want:  map[string]string{"kind": "llm_call", "in": "user: Hi", "out": "assistant: Hello", "finishReason": "stop"},
		},
		{
			name: "a request and its answer, and no word of what they are", span: `"name":"openai.chat.completions.create"`,
			attrs: map[string]string{
				"input.value":  `{"model":"gpt-4o","messages":[{"role":"user","content":"Hi"}]}`,
				"output.value": `{"model":"gpt-4o-2024","choices":[{"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}`,
			},
			want: map[string]string{"kind": "llm_call", "model": "gpt-4o", "modelUsed": "gpt-4o-2024", "in": "user: Hi", "out": "assistant: Hello", "usage": "3/2", "finishReason": "stop"},
		},
		{
			name: "a tool that is given a model's name", span: `"name":"route"`,
			attrs: map[string]string{"input.value": `{"model":"gpt-4o","messages":[]}`, "output.value": `{"choices":["a"]}`},
			want:  map[string]string{"kind": "tool_use"},
		},
		{
			name: "LiveKit: the context of a call", span: `"name":"llm_request"`, scope: "livekit-agents",
			attrs: map[string]string{
				"gen_ai.request.model": "gpt-4o-mini", "lk.response.text": "Hello",
				"lk.chat_ctx": `{"items":[{"id":"item_1","type":"message","role":"system","content":["S"]},{"id":"item_2","type":"message","role":"user","content":["Hi"]}]}`,
			},
			want: map[string]string{"kind": "llm_call", "model": "gpt-4o-mini", "in": "system: S; user: Hi", "out": "assistant: Hello"},
		},
		{
			name: "OpenLLMetry, before the conventions", span: `"name":"openai.chat"`,
			attrs: map[string]string{
				"llm.request.type": "chat", "llm.vendor": "OpenAI", "llm.request.model": "gpt-4", "llm.prompts.0.role": "user", "llm.prompts.0.content": "Hi",
				"llm.completions.0.role": "assistant", "llm.completions.0.content": "Hello", "llm.completions.0.finish_reason": "stop",
				"llm.usage.prompt_tokens": `={"intValue":"3"}`, "llm.usage.completion_tokens": `={"intValue":"2"}`,
			},
			want: map[string]string{"kind": "llm_call", "model": "gpt-4", "in": "user: Hi", "out": "assistant: Hello", "usage": "3/2", "finishReason": "stop"},
		},
		{
			name: "LiveKit: a tool", span: `"name":"function_tool"`, scope: "livekit-agents",
			attrs: map[string]string{"lk.function_tool.name": "weather", "lk.function_tool.arguments": `{"city":"Oslo"}`, "lk.function_tool.output": "rain"},
			want:  map[string]string{"kind": "tool_use", "toolName": "weather", "toolInput": `{"city":"Oslo"}`, "toolResponse": "rain"},
		},
		{
			name: "a vector store, by OpenLLMetry", span: `"name":"pinecone.query"`,
			attrs: map[string]string{"db.system": "pinecone", "db.operation": "query"},
			want:  map[string]string{"kind": "retrieval"},
		},
		{
			name: "Logfire: a span that is still open", span: `"name":"chat m","parentSpanId":"00f067aa0ba902b7"`, scope: "pydantic-ai",
			attrs: map[string]string{
				"logfire.span_type": "pending_span", "logfire.pending_parent_id": "0123456789abcdef", "gen_ai.operation.name": "chat", "gen_ai.request.model": "m",
			},
			want: map[string]string{"kind": "llm_call", "spanId": "00f067aa0ba902b7", "parentSpanId": "0123456789abcdef", "durationMs": ""},
		},
		{
			name: "a program that follows nobody", span: `"name":"my llm call"`,
			attrs: map[string]string{
				"llm.model": "gpt-4o", "llm.prompt": "Hi", "llm.completion": "Hello", "prompt_tokens": `={"intValue":"3"}`, "completion_tokens": `={"intValue":"2"}`,
				"user_id": "u",
			},
			want: map[string]string{"kind": "llm_call", "model": "gpt-4o", "in": "user: Hi", "out": "assistant: Hello", "usage": "3/2", "userId": "u"},
		},
		{
			name: "a program's texts in Python's words", span: `"name":"call"`,
			attrs: map[string]string{
				"model": "gpt-4o", "messages": `[{'role': 'user', 'content': "It's me"}, {'role': 'assistant', 'content': None}]`, "usage": `{'prompt_tokens': 3, 'completion_tokens': 2}`,
			},
			want: map[string]string{"kind": "llm_call", "in": "user: It's me", "usage": "3/2"},
		},
		{
			name: "OpenRouter's broadcast", span: `"name":"LLM Generation"`,
			attrs: map[string]string{
				"span.type": "generation", "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "openai/gpt-4o-mini",
				"gen_ai.response.model": "openai/gpt-4o-mini", "gen_ai.response.id": "gen-1", "gen_ai.response.finish_reason": "stop", "session.id": "s", "user.id": "u",
				"gen_ai.usage.input_tokens": `={"intValue":"13"}`, "gen_ai.usage.output_tokens": `={"intValue":"10"}`, "gen_ai.usage.input_tokens.cached": `={"intValue":"4"}`,
				"gen_ai.usage.output_tokens.reasoning": `={"intValue":"5"}`, "gen_ai.usage.total_cost": `={"doubleValue":0.0012}`,
				"gen_ai.prompt":     `{"messages":[{"role":"user","content":"Hi"}]}`,
				"gen_ai.completion": `{"completion":"Hello","reasoning":"hm","toolCalls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}],"rawRequest":{"model":"openai/gpt-4o-mini"}}`,
				"span.input":        `{"messages":[{"role":"user","content":"Hi"}]}`, "trace.output": `{"completion":"Hello"}`,
				"trace.metadata.openrouter.first_token_ms": `={"doubleValue":12.5}`, "trace.metadata.tenant": "acme",
			},
			want: map[string]string{
				"kind": "llm_call", "provider": "openai", "model": "openai/gpt-4o-mini", "usage": "13/10 read 4 write 0 reasoning 5", "costCents": "0.12", "ttft": "12.5",
				"in": "user: Hi", "out": `assistant: (hm) Hello f({"a":1})#t1`, "sessionId": "s", "userId": "u", "metadata": `{"tenant":"acme"}`, "finishReason": "stop",
			},
		},
		{
			name: "OpenRouter's broadcast: what it tried", span: `"name":"provider attempt 1: OpenAI","parentSpanId":"00f067aa0ba902b7"`,
			attrs: map[string]string{
				"span.type": "span", "gen_ai.request.model": "openai/gpt-4o-mini", "gen_ai.response.id": "gen-1:attempt-0", "trace.metadata.openrouter.provider_name": "OpenAI",
				"gen_ai.usage.input_tokens": `={"intValue":"13"}`,
			},
			want: map[string]string{"kind": "chain"},
		},
		{
			name: "vLLM, which names no model", span: `"name":"llm_request","kind":2`, scope: "vllm.llm_engine",
			attrs: map[string]string{
				"gen_ai.request.id": "chatcmpl-1", "gen_ai.request.temperature": `={"doubleValue":0.5}`, "gen_ai.usage.prompt_tokens": `={"intValue":"3"}`,
				"gen_ai.usage.completion_tokens": `={"intValue":"2"}`, "gen_ai.latency.time_to_first_token": `={"doubleValue":0.125}`, "gen_ai.latency.e2e": `={"doubleValue":0.5}`,
			},
			want: map[string]string{"kind": "llm_call", "provider": "vllm", "usage": "3/2", "ttft": "125", "providerRequestId": "chatcmpl-1", "parameters": `{"temperature":0.5}`},
		},
		{
			name: "Cloudflare's AI Gateway", span: `"name":"chat"`,
			attrs: map[string]string{
				"gen_ai.request.model": "gpt-4o-mini", "gen_ai.model.provider": "openai", "gen_ai.usage.input_tokens": `={"intValue":"3"}`,
				"gen_ai.usage.output_tokens": `={"intValue":"2"}`, "gen_ai.usage.cost": `={"doubleValue":0.001}`,
				"gen_ai.prompt_json":     `[{"role":"user","content":"Hi"}]`,
				"gen_ai.completion_json": `{"id":"c1","model":"gpt-4o-mini-2024","choices":[{"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}]}`,
			},
			want: map[string]string{
				"kind": "llm_call", "provider": "openai", "model": "gpt-4o-mini", "modelUsed": "gpt-4o-mini-2024", "usage": "3/2", "in": "user: Hi", "out": "assistant: Hello",
				"finishReason": "stop", "providerRequestId": "c1", "costCents": "0.1",
			},
		},
		{
			name: "Sentry's names", span: `"name":"chat gpt-4o-mini"`,
			attrs: map[string]string{
				"gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o-mini", "gen_ai.request.messages": `[{"role":"user","content":"Hi"}]`,
				"gen_ai.response.text": "Hello", "gen_ai.response.tool_calls": `[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]`,
				"gen_ai.request.available_tools": `[{"type":"function","name":"f"}]`, "gen_ai.usage.input_tokens": `={"intValue":"13"}`, "gen_ai.usage.output_tokens": `={"intValue":"10"}`,
				"gen_ai.usage.input_tokens.cached": `={"intValue":"4"}`, "gen_ai.usage.input_tokens.cache_write": `={"intValue":"2"}`, "gen_ai.cost.total_tokens": `={"doubleValue":0.002}`,
			},
			want: map[string]string{
				"kind": "llm_call", "in": "user: Hi", "out": `assistant: Hello f({"a":1})#t1`, "tools": `[{"type":"function","name":"f"}]`,
				"usage": "13/10 read 4 write 2 reasoning 0", "costCents": "0.2", "parameters": "",
			},
		},
		{
			name:  "Azure's agents: a message is no call",
			span:  `"name":"create_message","events":[{"name":"gen_ai.user.message","attributes":[{"key":"gen_ai.event.content","value":{"stringValue":"{\"content\":\"Hi\",\"role\":\"user\"}"}}]}]`,
			attrs: map[string]string{"gen_ai.operation.name": "create_message", "gen_ai.system": "az.ai.agents", "gen_ai.thread.id": "thread_1"},
			want:  map[string]string{"kind": "chain", "in": "user: Hi", "sessionId": "thread_1"},
		},
		{
			name: "not about models: HTTP", span: `"name":"GET /users","kind":2`,
			attrs: map[string]string{
				"http.request.method": "GET", "url.path": "/users", "user.id": "u", "session.id": "s", "input": "x", "output": "y", "model": "Tesla 3",
			},
			want: map[string]string{"kind": "generic", "eventType": "generic", "userId": "u", "sessionId": "s", "in": "", "out": ""},
		},
		{
			name: "not about models: a database", span: `"name":"SELECT"`,
			attrs: map[string]string{"db.system": "postgresql", "db.statement": "SELECT 1", "result": "1"},
			want:  map[string]string{"kind": "generic", "attributes": `{"db.statement":"SELECT 1","db.system":"postgresql","result":"1"}`},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			attrs := map[string]any{}
			for k, v := range test.attrs {
				attrs[k] = v
				if text, ok := strings.CutPrefix(v, "="); ok {
					attrs[k] = json.RawMessage(text)
				}
			}
			list, err := json.Marshal(keyValues(attrs))
			if err != nil {
				t.Fatal(err)
			}
			body := `{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{"name":"` + test.scope + `"},"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c",
				"spanId":"b7ad6b7169203331","startTimeUnixNano":"1769342400000000000","endTimeUnixNano":"1769342401000000000",` + test.span + `,"attributes":` + string(list) + `}]}]}]}`
			spans := mapJSON(t, []byte(body))
			got := told(t, &spans[0])
			for k, want := range test.want {
				if got[k] != want {
					t.Errorf("%s: %q, want %q", k, got[k], want)
				}
			}
			if t.Failed() {
				t.Logf("%v", got)
			}
		})
	}
}
