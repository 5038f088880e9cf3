package otlp

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/pulse-traces/pulse/shared/trace"
)

// The readers in this file bring the conversations of all senders to one form.
// They go by what a value looks like, not by who sent it: providers' requests
// and answers, OTel's parts, and the serialised messages of frameworks differ
// enough to be told apart, and each turns up in the attributes of many
// instrumentations.

const (
	roleSystem    = "system"
	roleUser      = "user"
	roleAssistant = "assistant"
	roleTool      = "tool"
)

// roles maps what senders call the sides of a conversation.
var roles = map[string]string{
	"human": roleUser, "HumanMessage": roleUser, "HumanMessageChunk": roleUser,
	"ai": roleAssistant, "model": roleAssistant, "AIMessage": roleAssistant, "AIMessageChunk": roleAssistant, "bot": roleAssistant,
	"SystemMessage": roleSystem, "SystemMessageChunk": roleSystem,
	"tool-call": roleAssistant, "tool-response": roleUser, // smolagents, which sends them as such
	"function": roleTool, "ToolMessage": roleTool, "ToolMessageChunk": roleTool, "FunctionMessage": roleTool,
}

func roleOf(s string) string {
	if role, ok := roles[s]; ok {
		return role
	}
	if role, ok := roles[s[strings.LastIndexByte(s, '.')+1:]]; ok { // MessageRole.USER and its like
		return role
	}
	return strings.ToLower(strings.TrimPrefix(s, "MessageRole."))
}

// A conversation is read into; role is whose words a bare text is.
type conversation struct {
	role     string
	messages []trace.Message
}

// input reads what a model, an agent or a tool was given.
func input(r ref) []trace.Message {
	c := conversation{role: roleUser}
	c.value(r, 0)
	return c.messages
}

// output reads what came back.
func output(r ref) []trace.Message {
	c := conversation{role: roleAssistant}
	c.value(r, 0)
	return c.messages
}

// maxWrappers bounds how many objects around a conversation are opened.
const maxWrappers = 8

// add puts a message behind the others, unless nothing is in it. Why an answer
// ended is something, of an answer.
func (c *conversation) add(m trace.Message) {
	if len(m.Parts) > 0 || m.FinishReason != "" && c.role != roleUser {
		if m.Role == "" {
			m.Role = c.role
		}
		c.messages = append(c.messages, m)
	}
}

func (c *conversation) addText(role, text string) {
	if text != "" {
		c.add(trace.Message{Role: role, Parts: []trace.Part{{Type: trace.PartText, Text: text}}})
	}
}

// value reads any value.
func (c *conversation) value(r ref, depth int) {
	switch r.kind() {
	case kindText:
		c.addText("", r.text())
	case kindNumber, kindTrue, kindFalse:
		c.addText("", string(r.append(nil)))
	case kindList:
		c.list(r, depth)
	case kindObject:
		if depth > maxWrappers || !c.object(r, depth) {
			c.addText("", string(r.append(nil)))
		}
	}
}

// list reads messages, or the parts of one.
func (c *conversation) list(r ref, depth int) {
	if depth > maxWrappers {
		return
	}
	var loose []trace.Part // parts without a message of their own
	flush := func() {
		c.add(trace.Message{Parts: loose})
		loose = nil
	}
	r.each(func(e ref) bool {
		if e.isText() {
			if t := parseObject(e.text()); t != nil {
				e = t.root()
			}
		}
		switch e.kind() {
		case kindText:
			loose = append(loose, trace.Part{Type: trace.PartText, Text: e.text()})
		case kindList:
			flush()
			c.list(e, depth+1)
		case kindObject:
			if m, ok := messageOf(e); ok {
				flush()
				c.add(m)
			} else if offered(e).there() {
				return true
			} else if p, ok := partOf(e); ok {
				loose = append(loose, p)
			} else {
				flush()
				c.value(e, depth+1)
			}
		case kindNumber, kindTrue, kindFalse:
			loose = append(loose, trace.Part{Type: trace.PartText, Text: string(e.append(nil))})
		}
		return true
	})
	flush()
}

// object reads a request, an answer, a message, or what somebody put around one;
// false if it is none of them.
func (c *conversation) object(r ref, depth int) bool {
	before := len(c.messages)
	if args, kwargs := r.get("args"), r.get("kwargs"); r.count() == 2 && args.there() && kwargs.there() && args.count()+kwargs.count() == 0 {
		return true // a call of a function that takes nothing
	}
	if r.get("type").isText() && r.has("value") && r.count() == 2 { // LangWatch
		c.value(r.get("value"), depth+1)
		return true
	}
	c.system(r)
	if c.role == roleUser {
		c.request(r, depth)
	} else {
		c.answer(r, depth)
	}
	if len(c.messages) > before {
		return true
	}
	if m, ok := messageOf(r); ok {
		c.add(m)
		return true
	}
	if p, ok := partOf(r); ok {
		c.add(trace.Message{Parts: []trace.Part{p}})
		return true
	}
	if inner := unwrap(r); inner.there() {
		c.value(inner, depth+1)
		return len(c.messages) > before
	}
	return false
}

// system reads the instructions that requests have beside their messages.
func (c *conversation) system(r ref) {
	if c.role != roleUser || r.has("role") {
		return
	}
	for _, s := range []ref{
		r.get("system", "instructions", "systemInstruction", "system_instruction", "systemPrompt", "system_prompt"),
		r.get("config", "generation_config").get("system_instruction", "systemInstruction"),
	} {
		if parts := partsOf(s); len(parts) > 0 {
			c.add(trace.Message{Role: roleSystem, Parts: parts})
		}
	}
}

// request reads the messages of a provider's request.
func (c *conversation) request(r ref, depth int) {
	if r.has("role") {
		return
	}
	for _, name := range []string{"messages", "contents", "input", "prompt", "chat_history", "history"} {
		v := r.get(name)
		if !v.there() {
			continue
		}
		if v.kind() == kindObject && name != "messages" && name != "contents" {
			continue // {"input": {…}} is a wrapper
		}
		c.value(v, depth+1)
		return
	}
	if items := r.get("items"); items.kind() == kindList { // LiveKit
		if _, ok := messageOf(items.first()); ok {
			c.list(items, depth+1)
		}
	}
}

// answer reads the messages of a provider's answer.
func (c *conversation) answer(r ref, depth int) {
	if r.has("role") {
		return
	}
	if choices := r.get("choices", "candidates"); choices.kind() == kindList {
		choices.each(func(choice ref) bool {
			m, ok := messageOf(choice)
			if !ok {
				m, ok = messageOf(choice.get("content"))
			}
			if !ok { // a completion's
				if text := choice.get("text").text(); text != "" {
					m = trace.Message{Parts: []trace.Part{{Type: trace.PartText, Text: text}}}
				}
			}
			if reason := finishOf(choice); reason != "" {
				m.FinishReason = reason
			}
			if m.Role == "" {
				m.Role = roleAssistant
			}
			c.add(m)
			return true
		})
		return
	}
	if generations := r.get("generations"); generations.kind() == kindList { // LangChain's LLMResult
		generations.each(func(g ref) bool {
			if g.kind() == kindList {
				g = g.first()
			}
			m, ok := messageOf(g.get("message"))
			if !ok {
				m = trace.Message{Role: roleAssistant, Parts: textParts(g.get("text").text())}
			}
			if reason := finishOf(g.get("generation_info")); reason != "" {
				m.FinishReason = reason
			}
			c.add(m)
			return true
		})
		return
	}
	if items := r.get("output"); items.kind() == kindList {
		c.list(items, depth+1)
		return
	}
	// An answer of which an SDK made something of its own.
	if r.has("content") && (finishOf(r) != "" || r.has("finish_reason") || r.has("stop_reason") || r.has("model") || r.has("usageMetadata")) && !r.has("type") {
		if m, ok := messageBody(r); ok {
			m.Role = roleAssistant
			c.add(m)
			return
		}
	}
	if calls := r.get("toolCalls"); r.get("text").isText() && (calls.kind() == kindList || r.get("files").kind() == kindList) { // Mastra, the AI SDK
		m := trace.Message{Role: roleAssistant, Parts: textParts(r.get("text").text())}
		calls.each(func(e ref) bool {
			if p, ok := callOf(e); ok {
				m.Parts = append(m.Parts, p)
			}
			return true
		})
		c.add(m)
		return
	}
	if text := r.get("completion"); text.isText() && (r.has("reasoning") || r.has("rawRequest")) { // OpenRouter
		m := trace.Message{Role: roleAssistant}
		if reasoning := r.get("reasoning").text(); reasoning != "" {
			m.Parts = []trace.Part{{Type: trace.PartReasoning, Text: reasoning}}
		}
		m.Parts = append(m.Parts, textParts(text.text())...)
		r.get("toolCalls").each(func(e ref) bool {
			if p, ok := callOf(e); ok {
				m.Parts = append(m.Parts, p)
			}
			return true
		})
		c.add(m)
		return
	}
	// The state that an agent ends with: its last word is the answer.
	if messages := r.get("messages"); messages.kind() == kindList {
		c.last(messages, depth)
	}
}

// last reads the last message of a list.
func (c *conversation) last(messages ref, depth int) {
	all := conversation{role: c.role}
	all.list(messages, depth+1)
	if n := len(all.messages); n > 0 {
		c.add(all.messages[n-1])
	}
}

// wrappers are the names under which programs pass one value on.
var wrappers = []string{
	"inputs", "outputs", "input", "output", "question", "query", "q", "prompt", "text", "answer", "result", "response", "message", "content", "value",
	"task", "input_str", "query_str", "query_bundle", "replies", "update", "data", "texts", "kwargs",
}

// unwrap opens what is put around one value: the arguments of a call, or an
// object whose one member that says something has a usual name.
func unwrap(r ref) ref {
	if args, kwargs := r.get("args"), r.get("kwargs"); args.kind() == kindList && r.has("kwargs") {
		switch {
		case kwargs.count() == 0 && args.count() == 1:
			return args.first()
		case kwargs.count() > 0 && args.count() == 0:
			return kwargs
		case args.count() > 0 && kwargs.count() == 0:
			return args
		}
		return ref{}
	}
	for _, name := range wrappers {
		if v := r.get(name); v.there() && (r.count() == 1 || onlyHousekeeping(r, name)) {
			return v
		}
	}
	return ref{}
}

// onlyHousekeeping reports whether the other members of an object are what
// frameworks add to every value.
func onlyHousekeeping(r ref, name string) bool {
	ok := true
	r.each(func(e ref) bool {
		switch key := e.node().key; key {
		case name, "tags", "metadata", "kwargs", "inputs", "run_id", "parent_run_id", "stream", "reset", "images", "additional_args", "max_steps",
			"return_full_result", "graph", "resume", "goto", "sanitize_inputs_outputs", "args", "image_path", "custom_embedding_strs", "embedding",
			"show_progress", "config", "lg_name":
		default:
			ok = e.kind() == kindNull
		}
		return ok
	})
	return ok
}

// textParts gives one part, or none for no text.
func textParts(text string) []trace.Part {
	if text == "" {
		return nil
	}
	return []trace.Part{{Type: trace.PartText, Text: text}}
}

// finishOf reads why an answer ended.
func finishOf(r ref) string {
	v := r.get("finish_reason", "finishReason", "stop_reason", "stopReason")
	if v.kind() == kindObject { // AI SDK 6 and later: {unified, raw}
		v = v.get("raw", "unified")
	}
	return v.text()
}

// messageOf reads an object that is one message.
func messageOf(r ref) (m trace.Message, ok bool) {
	if r.kind() != kindObject {
		return m, false
	}
	// What is around it.
	if inner := r.get("kwargs"); inner.there() && r.has("lc") { // LangChain, serialised
		name := ""
		r.get("id").each(func(e ref) bool { name = e.text(); return true })
		if m, ok = messageBody(inner); !ok {
			return m, false
		}
		m.Role = roleOf(name)
		return fold(m, inner), true
	}
	if inner := r.get("data"); inner.there() && r.get("type").isText() { // LangChain, as a dict
		if _, known := roles[r.get("type").text()]; known || r.get("type").text() == roleSystem || r.get("type").text() == roleTool {
			if m, ok = messageBody(inner); !ok {
				return m, false
			}
			m.Role = roleOf(r.get("type").text())
			return fold(m, inner), true
		}
	}
	if inner := r.get("message"); inner.kind() == kindObject { // a choice
		if m, ok = messageOf(inner); !ok {
			m, ok = messageBody(inner)
		}
		if ok && m.FinishReason == "" {
			m.FinishReason = finishOf(r)
		}
		return m, ok
	}
	role := r.get("role", "author", "_role")
	if role.isText() && (role.text() != roleTool || !offered(r).there()) {
		m, _ = messageBody(r)
		m.Role = roleOf(role.text())
		if m.FinishReason == "" && r.get("type").text() == "message" && m.Role == roleAssistant { // of OpenAI's Responses API
			m.FinishReason = r.get("status").text()
		}
		return fold(m, r), true
	}
	if typ := r.get("type").text(); typ != "" {
		if _, known := roles[typ]; (known || typ == roleSystem || typ == roleTool) && r.has("content") { // LangChain, flat
			m, _ = messageBody(r)
			m.Role = roleOf(typ)
			return fold(m, r), true
		}
		return item(r, typ)
	}
	if r.get("tool_calls").kind() == kindList { // a message whose role goes without saying
		m, ok = messageBody(r)
		m.Role = roleAssistant
		return m, ok
	}
	return m, false
}

// offered gives the definition of a tool that Langfuse puts among the messages:
// what a tool would have answered.
func offered(r ref) ref {
	if r.get("role").text() != roleTool || r.has("tool_call_id") {
		return ref{}
	}
	if tool := r.get("content"); tool.get("function").get("name").isText() || tool.get("name").isText() && tool.has("input_schema") {
		return tool
	}
	return ref{}
}

// fold turns the content of a tool's message into the result that it is.
func fold(m trace.Message, r ref) trace.Message {
	call := r.get("tool_call_id", "toolCallId").text()
	if call == "" && m.Role != roleTool {
		return m
	}
	if slices.ContainsFunc(m.Parts, func(p trace.Part) bool { return p.Type == trace.PartToolResult }) {
		return m
	}
	if call == "" && !r.has("content") {
		return m
	}
	p := trace.Part{Type: trace.PartToolResult, ID: call, Name: m.Name}
	if content := r.get("content", "contents"); content.kind() == kindText {
		p.Result = appendQuoted(nil, content.text())
	} else {
		p.Result = resultOf(content)
	}
	m.Role, m.Parts = roleTool, []trace.Part{p}
	return m
}

// resultOf gives a tool's result as JSON: a single text for a list of text
// parts, any other value as it is.
func resultOf(r ref) json.RawMessage {
	if r.kind() == kindList {
		var text strings.Builder
		all := r.count() > 0
		r.each(func(e ref) bool {
			p, ok := partOf(e)
			if all = ok && p.Type == trace.PartText; all {
				text.WriteString(p.Text)
			}
			return all
		})
		if all {
			return appendQuoted(nil, text.String())
		}
	}
	return r.json()
}

// messageBody reads what a message says; its role is the caller's to know.
func messageBody(r ref) (m trace.Message, ok bool) {
	m.Name = r.get("name").text()
	m.FinishReason = finishOf(r)
	if m.FinishReason == "" {
		m.FinishReason = finishOf(r.get("response_metadata", "_meta"))
	}
	if s := r.get("reasoning_content", "reasoning", "thinking"); s.text() != "" {
		m.Parts = append(m.Parts, trace.Part{Type: trace.PartReasoning, Text: s.text()})
	}
	for _, name := range []string{"parts", "content", "contents", "blocks", "_content"} {
		if v := r.get(name); v.there() {
			m.Parts = append(m.Parts, partsOf(v)...)
			break
		}
	}
	if s := r.get("refusal").text(); s != "" {
		m.Parts = append(m.Parts, trace.Part{Type: "refusal", Text: s})
	}
	calls := r.get("tool_calls", "toolCalls")
	if !calls.there() || calls.count() == 0 {
		calls = r.get("additional_kwargs").get("tool_calls")
	}
	calls.each(func(e ref) bool {
		if p, is := callOf(e); is && !hasCall(m.Parts, p) {
			m.Parts = append(m.Parts, p)
		}
		return true
	})
	if call := r.get("function_call", "functionCall"); call.kind() == kindObject {
		if p, is := callOf(call); is && !hasCall(m.Parts, p) {
			m.Parts = append(m.Parts, p)
		}
	}
	if name := r.get("function_call_name").text(); name != "" {
		m.Parts = append(m.Parts, trace.Part{
			Type: trace.PartToolCall, Name: name, Arguments: argumentsOf(r.get("function_call_arguments_json")),
		})
	}
	return m, len(m.Parts) > 0 || m.FinishReason != "" || r.has("content")
}

// hasCall reports whether a call is there already: some senders tell of it both
// among the parts and beside them.
func hasCall(parts []trace.Part, call trace.Part) bool {
	return slices.ContainsFunc(parts, func(p trace.Part) bool {
		return p.Type == trace.PartToolCall && p.ID == call.ID && p.Name == call.Name && (p.ID != "" || string(p.Arguments) == string(call.Arguments))
	})
}

// callOf reads one call of a tool in any provider's form.
func callOf(r ref) (p trace.Part, ok bool) {
	if inner := r.get("tool_call", "toolUse", "functionCall", "function_call", "toolRequest"); inner.kind() == kindObject {
		r = inner
	}
	f := r
	if inner := r.get("function"); inner.kind() == kindObject {
		f = inner
	}
	p = trace.Part{
		Type: trace.PartToolCall,
		ID:   r.get("call_id", "toolCallId", "tool_call_id", "toolUseId", "tool_use_id", "id", "ref").text(),
		Name: f.get("name", "toolName", "tool_name").text(),
	}
	p.Arguments = argumentsOf(f.get("arguments", "args", "input", "parameters", "tool_kwargs", "kwargs"))
	return p, p.Name != "" || p.ID != ""
}

// argumentsOf gives arguments as JSON; text that holds JSON is taken for it.
func argumentsOf(r ref) json.RawMessage {
	if r.isText() {
		if t := parseTree(r.text()); t != nil {
			return t.root().json()
		}
	}
	return r.json()
}

// item reads an entry of OpenAI's Responses API that is no message but stands
// where messages do.
func item(r ref, typ string) (m trace.Message, ok bool) {
	switch typ {
	case "message":
		if m, ok = messageBody(r); m.FinishReason == "" {
			m.FinishReason = r.get("status").text()
		}
		return m, ok
	case "function_call", "custom_tool_call", "tool_call":
		p, is := callOf(r)
		return trace.Message{Role: roleAssistant, Parts: []trace.Part{p}}, is
	case "function_call_output", "custom_tool_call_output":
		p := trace.Part{Type: trace.PartToolResult, ID: r.get("call_id").text(), Result: resultOf(r.get("output"))}
		return trace.Message{Role: roleTool, Parts: []trace.Part{p}}, true
	case "reasoning":
		if !r.has("summary") {
			return m, false
		}
		var text strings.Builder
		for _, list := range []ref{r.get("summary"), r.get("content")} {
			list.each(func(e ref) bool { text.WriteString(e.get("text").text()); return true })
		}
		return trace.Message{Role: roleAssistant, Parts: []trace.Part{{Type: trace.PartReasoning, Text: text.String(), Data: encrypted(r)}}}, true
	}
	if strings.HasSuffix(typ, "_call") {
		return trace.Message{Role: roleAssistant, Parts: []trace.Part{{Type: trace.PartType(typ), ID: r.get("id", "call_id").text(), Data: r.json()}}}, true
	}
	return m, false
}

// thoughts gives the text of reasoning, which OpenLLMetry prints as the list of
// its summaries.
func thoughts(r ref) string {
	s := r.text()
	if strings.HasPrefix(s, "[{") {
		if list := textTree(r); list.kind() == kindList {
			return textOfParts(list)
		}
	}
	return s
}

// encrypted keeps what a provider says of reasoning that it does not show.
func encrypted(r ref) json.RawMessage { return r.get("encrypted_content", "signature").json() }

// partsOf reads the content of a message: a text, a part, or a list of them.
func partsOf(r ref) []trace.Part {
	switch r.kind() {
	case kindText:
		return textParts(r.text())
	case kindList:
		var parts []trace.Part
		r.each(func(e ref) bool {
			if e.isText() {
				parts = append(parts, textParts(e.text())...)
			} else if p, ok := partOf(e); ok {
				if p.Type != trace.PartToolCall || !hasCall(parts, p) {
					parts = append(parts, p)
				}
			} else if e.there() {
				parts = append(parts, trace.Part{Type: "unknown", Data: e.json()})
			}
			return true
		})
		return parts
	case kindObject:
		if p, ok := partOf(r); ok {
			return []trace.Part{p}
		}
		if inner := r.get("parts", "content"); inner.there() { // Gemini's content as a part
			return partsOf(inner)
		}
		return []trace.Part{{Type: trace.PartText, Text: string(r.append(nil))}}
	case kindNumber, kindTrue, kindFalse:
		return textParts(string(r.append(nil)))
	}
	return nil
}

// partOf reads one part of a message.
func partOf(r ref) (p trace.Part, ok bool) {
	if r.kind() != kindObject {
		return p, false
	}
	if inner := r.get("message_content"); inner.kind() == kindObject { // OpenInference
		if call := r.get("tool_call"); call.kind() == kindObject {
			return callOf(call)
		}
		return partOf(inner)
	}
	typ := r.get("type", "block_type", "part_kind").text()
	switch typ {
	case "text":
		if text := r.get("text", "content"); text.isText() {
			if t := parseObject(text.text()); t != nil && t.root().get("type").text() == "function_call" { // what some print of a call
				return callOf(t.root())
			}
		}
		return trace.Part{Type: trace.PartText, Text: r.get("text", "content").text()}, true
	case "input_text", "output_text", "summary_text", "TextBlock":
		return trace.Part{Type: trace.PartText, Text: r.get("text", "content").text()}, true
	case "reasoning", "thinking", "redacted_thinking", "reasoning_text":
		return trace.Part{Type: trace.PartReasoning, Text: thoughts(r.get("text", "content", "thinking", "reasoning")), Data: encrypted(r)}, true
	case "refusal":
		return trace.Part{Type: "refusal", Text: r.get("refusal", "content", "text").text()}, true
	case "tool_call", "tool-call", "tool_use", "function", "server_tool_use", "function_call", "mcp_tool_use":
		return callOf(r)
	case "tool_call_response", "tool-result", "tool_result", "tool-response", "web_search_tool_result":
		return toolResult(r), true
	case "image_url", "input_image", "image", "image-url", "image_file":
		return media(trace.PartImage, r), true
	case "input_audio", "audio", "audio-url":
		return media(trace.PartAudio, r), true
	case "document", "document-url", "video", "video_url", "video-url":
		return media(trace.PartFile, r), true
	case "blob", "uri", "binary", "file", "input_file":
		return media(modality(r), r), true
	case "":
		return untyped(r)
	}
	if r.count() == 1 {
		return p, false
	}
	if text := r.get("text", "content"); text.isText() && r.count() <= 3 {
		return trace.Part{Type: trace.PartType(typ), Text: text.text()}, true
	}
	return trace.Part{Type: trace.PartType(typ), ID: r.get("id").text(), Data: r.json()}, true
}

// untyped reads the parts of Gemini, Bedrock and Genkit, whose one member says
// what they are.
func untyped(r ref) (p trace.Part, ok bool) {
	if text := r.get("text"); text.isText() && (r.count() == 1 || r.has("thought") || r.has("thoughtSignature") || r.has("thought_signature") || allNullBut(r, "text")) {
		typ := trace.PartText
		if r.get("thought").kind() == kindTrue {
			typ = trace.PartReasoning
		}
		return trace.Part{Type: typ, Text: text.text()}, true
	}
	if r.get("functionCall", "function_call", "toolUse", "toolRequest").kind() == kindObject || r.get("tool_name").isText() && r.has("arguments") {
		return callOf(r)
	}
	if text := r.get("completion").get("text"); text.isText() { // OpenInference's choices
		return trace.Part{Type: trace.PartText, Text: text.text()}, true
	}
	if response := r.get("functionResponse", "function_response", "toolResult", "toolResponse"); response.kind() == kindObject {
		return toolResult(response), true
	}
	if inline := r.get("inlineData", "inline_data", "fileData", "file_data"); inline.kind() == kindObject {
		return media(modality(inline), inline), true
	}
	if reasoning := r.get("reasoningContent").get("reasoningText"); reasoning.there() {
		return trace.Part{Type: trace.PartReasoning, Text: reasoning.get("text").text()}, true
	}
	if reasoning := r.get("reasoning"); reasoning.isText() {
		return trace.Part{Type: trace.PartReasoning, Text: reasoning.text()}, true
	}
	if file := r.get("media"); file.get("url").isText() {
		return media(modality(file), file), true
	}
	if image := r.get("image"); image.kind() == kindObject && r.count() == 1 {
		return media(trace.PartImage, image), true
	}
	if call := r.get("tool_call"); call.kind() == kindObject {
		return callOf(call)
	}
	return p, false
}

func allNullBut(r ref, name string) bool {
	ok := true
	r.each(func(e ref) bool {
		ok = e.node().key == name || e.kind() == kindNull
		return ok
	})
	return ok
}

func toolResult(r ref) trace.Part {
	p := trace.Part{
		Type: trace.PartToolResult,
		ID:   r.get("id", "tool_use_id", "toolCallId", "toolUseId", "call_id", "tool_call_id", "ref").text(),
		Name: r.get("name", "toolName").text(),
	}
	v := r.get("response", "result", "output", "content")
	if v.kind() == kindObject && v.get("type").isText() && v.has("value") { // AI SDK 5 and later
		v = v.get("value")
	}
	if v.kind() == kindList {
		p.Result = resultOf(v)
	} else {
		p.Result = v.json()
	}
	return p
}

// modality says what a blob or a link is.
func modality(r ref) trace.PartType {
	s := r.get("modality", "mime_type", "mimeType", "media_type", "mediaType", "contentType").text()
	for _, typ := range []trace.PartType{trace.PartImage, trace.PartAudio} {
		if strings.HasPrefix(s, string(typ)) {
			return typ
		}
	}
	return trace.PartFile
}

// media reads an image, audio or file: a reference, or the content itself as a
// data: URI.
func media(typ trace.PartType, r ref) trace.Part {
	p := trace.Part{Type: typ}
	v := r
	for range maxWrappers {
		inner := v.get("image_url", "image", "input_audio", "audio", "file", "source", "document", "video_url", "uri", "url", "file_uri", "fileUri")
		if inner.isText() {
			p.URI = inner.text()
			break
		}
		if inner.kind() != kindObject {
			break
		}
		v = inner
	}
	for _, from := range []ref{v, r} {
		if p.MIMEType == "" {
			p.MIMEType = from.get("media_type", "mime_type", "mimeType", "mediaType", "contentType").text()
		}
		if p.Name == "" {
			p.Name = from.get("filename", "name", "file_name").text()
		}
		if p.ID == "" {
			p.ID = from.get("file_id", "id").text()
		}
		if p.URI == "" {
			if data := from.get("data", "bytes", "content", "file_data").text(); data != "" {
				p.URI = data
				if !strings.Contains(data[:min(len(data), 64)], ":") {
					if format := from.get("format").text(); p.MIMEType == "" && format != "" {
						p.MIMEType = string(typ) + "/" + format
					}
					p.URI = "data:" + p.MIMEType + ";base64," + data
				}
			}
		}
	}
	if p.URI == "" && p.ID == "" {
		p.Data = r.json()
	}
	return p
}

// textOf joins the text of a message.
func textOf(m *trace.Message) string {
	var text string
	for i := range m.Parts {
		if p := &m.Parts[i]; p.Type == trace.PartText {
			text += p.Text
		}
	}
	return text
}

// sizeOf is about how long messages are as JSON.
func sizeOf(messages []trace.Message) int {
	n := 16
	for i := range messages {
		n += 64
		for j := range messages[i].Parts {
			p := &messages[i].Parts[j]
			n += 48 + len(p.Text) + len(p.Text)/16 + len(p.ID) + len(p.Name) + len(p.Arguments) + len(p.Result) + len(p.URI) + len(p.Data)
		}
	}
	return n
}

// appendMessages writes messages as JSON.
func appendMessages(dst []byte, messages []trace.Message) []byte {
	dst = append(dst, '[')
	for i := range messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendMessage(dst, &messages[i])
	}
	return append(dst, ']')
}

func appendMessage(dst []byte, m *trace.Message) []byte {
	text := func(name, s string) {
		if s != "" {
			dst = appendQuoted(append(append(append(dst, ',', '"'), name...), '"', ':'), s)
		}
	}
	raw := func(name string, v json.RawMessage) {
		if len(v) > 0 {
			dst = append(append(append(append(dst, ',', '"'), name...), '"', ':'), v...)
		}
	}
	dst = appendQuoted(append(dst, `{"role":`...), m.Role)
	text("name", m.Name)
	dst = append(dst, `,"parts":[`...)
	for i := range m.Parts {
		p := &m.Parts[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendQuoted(append(dst, `{"type":`...), string(p.Type))
		text("text", p.Text)
		text("id", p.ID)
		text("name", p.Name)
		raw("arguments", p.Arguments)
		raw("result", p.Result)
		text("uri", p.URI)
		text("mimeType", p.MIMEType)
		raw("data", p.Data)
		dst = append(dst, '}')
	}
	dst = append(dst, ']')
	text("finishReason", m.FinishReason)
	if m.Time != nil {
		dst = m.Time.AppendFormat(append(dst, `,"time":"`...), timeFormat)
		dst = append(dst, '"')
	}
	return append(dst, '}')
}

// timeFormat keeps the nanoseconds that senders give.
const timeFormat = "2006-01-02T15:04:05.999999999Z07:00"
