package otlp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/pulse-traces/pulse/shared/trace"
)

// contents sets what was said, asked and answered, in the way of the span's
// kind.
func (r *reading) contents(s *trace.Span) {
	p := &s.Payload
	p.Tools = r.tools()
	switch s.Kind {
	case trace.KindToolUse:
		r.tool(s)
		return
	case trace.KindRetrieval, trace.KindRerank:
		r.retrieval(s)
	case trace.KindEmbedding:
		set(&p.InputMessages, r.embedded())
	default:
		in, out := r.talk(s)
		set(&p.InputMessages, in)
		set(&p.OutputMessages, out)
		r.answer(s, out)
		if s.Kind == trace.KindLLMCall {
			p.Parameters = r.parameters()
			r.bodies(s)
		} else {
			r.passedOn(s)
		}
		return
	}
	if s.Kind == trace.KindEmbedding {
		p.Parameters = r.parameters()
		r.bodies(s)
	}
}

// set writes messages, if any of them says anything.
func set(dst *json.RawMessage, messages []trace.Message) {
	if slices.ContainsFunc(messages, func(m trace.Message) bool { return slices.ContainsFunc(m.Parts, says) }) {
		*dst = appendMessages(make([]byte, 0, sizeOf(messages)), messages)
	}
}

// says reports whether a part is more than a text without letters.
func says(p trace.Part) bool { return p.Type != trace.PartText || p.Text != "" }

// answer sets what follows from the messages that came back.
func (r *reading) answer(s *trace.Span, out []trace.Message) {
	text, ok := r.str(factOutputText)
	if ok {
		text = r.fullText(factOutputText)
	}
	if isCall(s.Kind) && s.FinishReason == nil && r.finish != "" {
		s.FinishReason = finishText(r.finish)
	}
	for i := range out {
		if s.FinishReason == nil && out[i].FinishReason != "" {
			s.FinishReason = finishText(out[i].FinishReason)
		}
		if text == "" {
			text = textOf(&out[i])
		}
	}
	if text != "" {
		s.Payload.OutputText = &text
	}
}

// fullText gives the first text of a fact as payloads keep it.
func (r *reading) fullText(f fact) string {
	for _, h := range r.of(f) {
		if v := r.value(h); v.kind == valueString && len(v.data) > 0 {
			return payloadText(v.data)
		}
	}
	return ""
}

// sources gives the attributes that hold messages, whole or flattened, best
// first; flattened ones as the run of all that one rule found.
func (r *reading) sources(whole, flattened fact, yield func(ref) bool) {
	single, flat := r.of(whole), r.of(flattened)
	for len(single) > 0 || len(flat) > 0 {
		if len(flat) == 0 || len(single) > 0 && single[0].rank < flat[0].rank {
			if !yield(r.root(single[0].at)) {
				return
			}
			single = single[1:]
			continue
		}
		n := 1
		for n < len(flat) && flat[n].rank == flat[0].rank {
			n++
		}
		if !yield(r.unflatten(flat[:n]).root()) {
			return
		}
		flat = flat[n:]
	}
}

// talk reads the messages of a call, an agent or a step.
func (r *reading) talk(s *trace.Span) (in, out []trace.Message) {
	in = r.best(factInput, factInputAt, input, false)
	out = r.best(factOutput, factOutputAt, output, s.Usage != nil && s.Usage.Reasoning > 0)
	if r.streamed {
		out = whole(out)
	}
	if isCall(s.Kind) && !slices.ContainsFunc(in, isSystem) { // beside the messages of a provider's request
		c := conversation{role: roleUser}
		c.system(r.bodyOf(factRequest))
		in = append(c.messages, in...)
	}
	if !slices.ContainsFunc(in, isSystem) {
		for _, h := range r.of(factSystem) {
			if parts := partsOf(r.root(h.at)); len(parts) > 0 {
				in = slices.Insert(in, 0, trace.Message{Role: roleSystem, Parts: parts})
				break
			}
		}
	}
	// What a dialect put together of a call's own attributes.
	if len(in) == 0 && r.response.get("messages", "contents", "input", "prompt").there() {
		in = input(r.response)
	}
	if len(out) == 0 && r.response.get("choices", "candidates", "content", "output").there() {
		out = output(r.response)
	}
	if r.system != "" && !slices.ContainsFunc(in, isSystem) {
		in = slices.Insert(in, 0, trace.Message{Role: roleSystem, Parts: textParts(r.system)})
	}
	if len(out) == 0 {
		out = r.composed()
	}
	if told, answered := r.told(); len(in) == 0 || len(out) == 0 {
		if len(in) == 0 {
			in = told
		}
		if len(out) == 0 {
			out = answered
		}
	}
	return in, out
}

func isSystem(m trace.Message) bool { return m.Role == roleSystem }

// best reads the messages of the first source that has some. Where an
// instrumentation took them apart and left something out, the whole that stands
// beside tells more. reasoned says that there was reasoning.
func (r *reading) best(wholeFact, flattened fact, read func(ref) []trace.Message, reasoned bool) (messages []trace.Message) {
	var more bool
	r.sources(wholeFact, flattened, func(v ref) bool {
		found := read(v)
		if len(messages) > 0 {
			if lacking(found, 0, reasoned) || !holds(found, messages) {
				return true
			}
			messages = found
			return false
		}
		messages = found
		more = len(found) == 0 || v.kind() == kindList && v.t.src == "" && lacking(found, v.count(), reasoned)
		return more
	})
	return messages
}

// lacking reports whether something is missing in what is told of n messages: one
// of them, what a call of a tool or its result is known by, where a picture is,
// or the reasoning.
func lacking(messages []trace.Message, n int, reasoned bool) bool {
	if len(messages) < n {
		return true
	}
	for i := range messages {
		for j := range messages[i].Parts {
			switch p := &messages[i].Parts[j]; p.Type {
			case trace.PartToolCall, trace.PartToolResult:
				if p.ID == "" {
					return true
				}
			case trace.PartImage, trace.PartAudio, trace.PartFile:
				if p.ID == "" && p.URI == "" {
					return true
				}
			case trace.PartReasoning:
				reasoned = false
			}
		}
	}
	return reasoned
}

// holds reports whether the messages of others, by their roles, are among some.
func holds(messages, others []trace.Message) bool {
	for i := range messages {
		if len(others) > 0 && messages[i].Role == others[0].Role {
			others = others[1:]
		}
	}
	return len(others) == 0
}

// whole makes one message of the pieces of each that was streamed: of those in a
// row, up to one that says why it ended.
func whole(pieces []trace.Message) []trace.Message {
	var messages []trace.Message
	for _, m := range pieces {
		last := len(messages) - 1
		if last < 0 || messages[last].FinishReason != "" || messages[last].Role != m.Role {
			messages = append(messages, m)
			continue
		}
		to := &messages[last]
		to.FinishReason = m.FinishReason
		for _, p := range m.Parts {
			if n := len(to.Parts); n > 0 && p.Type == to.Parts[n-1].Type && (p.Type == trace.PartText || p.Type == trace.PartReasoning) {
				to.Parts[n-1].Text += p.Text
			} else {
				to.Parts = append(to.Parts, p)
			}
		}
	}
	return messages
}

// composed makes an answer of the parts that some senders have attributes for.
func (r *reading) composed() []trace.Message {
	m := trace.Message{Role: roleAssistant}
	for _, h := range r.of(factReasoning) {
		if text := textOfParts(r.root(h.at)); text != "" {
			m.Parts = append(m.Parts, trace.Part{Type: trace.PartReasoning, Text: text})
			break
		}
	}
	m.Parts = append(m.Parts, textParts(r.fullText(factOutputText))...)
	for _, h := range r.of(factToolCalls) {
		r.tree(h.at).root().each(func(e ref) bool {
			if p, ok := callOf(e); ok && !hasCall(m.Parts, p) {
				m.Parts = append(m.Parts, p)
			}
			return true
		})
	}
	if len(m.Parts) == 0 {
		return nil
	}
	return []trace.Message{m}
}

// textOfParts gives a text, or the joined text of a list of parts.
func textOfParts(r ref) string {
	if r.isText() {
		return r.text()
	}
	var text strings.Builder
	for _, p := range partsOf(r) {
		text.WriteString(p.Text)
	}
	return text.String()
}

// messageEvents are the events that tell of one message each, by the role that
// it has; "" where the event says so itself.
var messageEvents = map[string]string{
	"gen_ai.system.message": roleSystem, "gen_ai.user.message": roleUser, "gen_ai.assistant.message": roleAssistant,
	"gen_ai.tool.message": roleTool, "gen_ai.choice": roleAssistant,
	"gen_ai.content.prompt": roleUser, "gen_ai.content.completion": roleAssistant,
}

// told reads messages out of the span's events.
func (r *reading) told() (in, out []trace.Message) {
	for i := range r.events {
		e := &r.events[i]
		role, ok := messageEvents[string(e.name)]
		if !ok {
			continue
		}
		body := parseTree(string(appendPairs(nil, e.attributes))).root()
		if content := textTree(body.get("gen_ai.event.content")); content.kind() == kindObject { // Azure's SDKs
			body = content
		}
		messages := toldMessage(string(e.name), role, body)
		if strings.HasSuffix(string(e.name), "choice") || strings.HasSuffix(string(e.name), "completion") {
			out = append(out, messages...)
		} else {
			in = append(in, messages...)
		}
	}
	return in, out
}

// toldMessage reads the body of an event that tells of a message.
func toldMessage(event, role string, body ref) []trace.Message {
	switch event {
	case "gen_ai.content.prompt":
		return input(textTree(body.get("gen_ai.prompt")))
	case "gen_ai.content.completion":
		return output(textTree(body.get("gen_ai.completion")))
	case "gen_ai.choice":
		message := body.get("message")
		if message.isText() {
			message = textTree(message)
		}
		m, ok := messageOf(message)
		if !ok {
			if m, ok = messageBody(message); !ok {
				m, _ = messageBody(body)
			}
			if message.isText() {
				m.Parts = textParts(message.text())
			} else if parts := blocks(message); parts != nil {
				m.Parts = parts
			}
		}
		m.Role = cmp.Or(m.Role, roleAssistant)
		if reason := finishOf(body); reason != "" {
			m.FinishReason = reason
		}
		return []trace.Message{m}
	}
	parts := blocks(textTree(body.get("content")))
	m, ok := messageOf(body)
	if ok && parts != nil && body.get("content").isText() { // Strands: the blocks as a text
		m.Parts = parts
	} else if !ok {
		m, _ = messageBody(body)
		m.Role = role
		if parts != nil {
			m.Parts = parts
		} else if call := body.get("id").text(); role == roleTool && call != "" {
			p := trace.Part{Type: trace.PartToolResult, ID: call}
			if content := body.get("content"); content.isText() {
				p.Result = appendQuoted(nil, content.text())
			} else {
				p.Result = resultOf(content)
			}
			m.Parts = []trace.Part{p}
		}
	}
	if len(m.Parts) == 0 {
		return nil
	}
	return []trace.Message{m}
}

// blocks gives the parts that a list is made of; nil if it is not, or not only,
// made of parts.
func blocks(list ref) []trace.Part {
	if list.kind() != kindList {
		return nil
	}
	parts := partsOf(list)
	for i := range parts {
		switch parts[i].Type {
		case trace.PartText, trace.PartReasoning, trace.PartToolCall, trace.PartToolResult, trace.PartImage, trace.PartAudio, trace.PartFile:
		default:
			return nil
		}
	}
	return parts
}

// textTree parses a text that holds JSON; the text itself if it holds none.
func textTree(r ref) ref {
	if r.isText() {
		if t := parseTree(r.text()); t != nil {
			return t.root()
		}
		if t := parseObject(r.text()); t != nil {
			return t.root()
		}
	}
	return r
}

// tools gives the definitions that a model was offered, as a JSON array.
func (r *reading) tools() json.RawMessage {
	var list []byte
	r.sources(factTools, factToolsAt, func(v ref) bool {
		list = definitions(v)
		return list == nil
	})
	return list
}

// definitions opens what is around a list of tools, and texts that hold one.
func definitions(v ref) []byte {
	if v.kind() == kindObject {
		v = v.get("tools", "functions", "function_tools")
	}
	if v.kind() != kindList || v.count() == 0 {
		return nil
	}
	dst := []byte{'['}
	v.each(func(e ref) bool {
		e = textTree(e)
		if schema := e.get("tool").get("json_schema"); schema.there() { // OpenInference
			e = textTree(schema)
		}
		if tool := offered(e); tool.there() {
			e = tool
		}
		if e.kind() != kindObject || e.has("role") { // a list of something else
			return true
		}
		if len(dst) > 1 {
			dst = append(dst, ',')
		}
		dst = e.append(dst)
		return true
	})
	if len(dst) == 1 {
		return nil
	}
	return append(dst, ']')
}

// notParameters are members of a request that have fields of their own.
var notParameters = map[string]bool{
	"model": true, "model_name": true, "messages": true, "input": true, "prompt": true, "contents": true, "system": true, "instructions": true,
	"tools": true, "functions": true, "user": true, "_type": true, "id": true, "created_at": true, "output": true, "usage": true, "error": true,
	"object": true, "status": true, "metadata": true, "context_window": true, "is_chat_model": true, "is_function_calling_model": true,
	"num_output": true, "base_url": true, "response_format": false,
}

// parameters gives what the call was set to, as an object.
func (r *reading) parameters() json.RawMessage {
	o := objectWriter{}
	has := func(name string) bool {
		return slices.ContainsFunc(o.list, func(p pair) bool { return string(p.key) == name })
	}
	for _, h := range r.of(factParameter) {
		name := string(h.name)
		if h.name == nil {
			name = r.key(h)[strings.LastIndexByte(r.key(h), '.')+1:]
		}
		v := r.value(h)
		empty := v.kind == valueAbsent || v.kind == valueString && len(v.data) == 0
		switch {
		case empty || has(name) || notParameters[name]:
		case v.kind == valueString && v.data[0] == '{':
			o.raw([]byte(name), r.json(h.at))
		default:
			o.attribute([]byte(name), v)
		}
	}
	for _, h := range r.of(factParameters) {
		r.tree(h.at).root().each(func(e ref) bool {
			empty := e.isText() && e.text() == ""
			if name := e.node().key; e.there() && !empty && name != "" && !notParameters[name] && !has(name) {
				o.raw([]byte(name), e.json())
			}
			return true
		})
	}
	return o.end()
}

func (r *reading) key(h hit) string { return string(r.attributes[h.at].key) }

// bodies sets the provider's own request and response where the sender has them.
// Where it has not, they can be made of the rest: trace.ChatRequest.
func (r *reading) bodies(s *trace.Span) {
	s.Payload.Request, s.Payload.Response = r.bodyOf(factRequest).json(), r.bodyOf(factResponse).json()
}

// bodyOf gives the first object that a fact has.
func (r *reading) bodyOf(f fact) ref {
	if f == factResponse && r.response.there() {
		return r.response
	}
	for _, h := range r.of(f) {
		if root := r.tree(h.at).root(); root.kind() == kindObject {
			return root
		}
	}
	return ref{}
}

// tool sets what a tool was given and gave.
func (r *reading) tool(s *trace.Span) {
	p := &s.Payload
	s.ToolUseID = r.id(factToolID)
	if s.ToolName = r.short(factToolName); s.ToolName == nil && s.Name != "" {
		name := cut(strings.TrimPrefix(s.Name, "execute_tool "), trace.MaxNameBytes)
		s.ToolName = &name
	}
	for _, f := range []fact{factToolInput, factInput} {
		for _, h := range r.of(f) {
			if p.ToolInput == nil {
				p.ToolInput = toolInput(r.root(h.at), r.json(h.at))
			}
		}
	}
	if p.ToolInput == nil {
		p.ToolInput = r.toldOf("gen_ai.tool.message", "content")
	}
	for _, f := range []fact{factToolOutput, factOutput} {
		for _, h := range r.of(f) {
			if p.ToolResponse == nil {
				var call string
				if p.ToolResponse, call = toolOutput(r.root(h.at), r.json(h.at)); s.ToolUseID == nil && call != "" {
					call = cut(call, trace.MaxIDBytes)
					s.ToolUseID = &call
				}
			}
		}
	}
	if p.ToolResponse == nil {
		p.ToolResponse = r.toldOf("gen_ai.choice", "message")
	}
}

// toldOf gives what an event tells of a tool.
func (r *reading) toldOf(event, name string) json.RawMessage {
	for i := range r.events {
		if e := &r.events[i]; string(e.name) == event {
			return resultOf(textTree(parseTree(string(appendPairs(nil, e.attributes))).root().get(name)))
		}
	}
	return nil
}

// first gives the JSON of the first attribute that tells a fact.
func (r *reading) first(f fact) json.RawMessage {
	for _, h := range r.of(f) {
		if v := r.json(h.at); v != nil {
			return v
		}
	}
	return nil
}

// id is short for identifiers.
func (r *reading) id(f fact) *string {
	s, ok := r.str(f)
	if !ok {
		return nil
	}
	s = cut(s, trace.MaxIDBytes)
	return &s
}

// toolInput takes off what frameworks put around a tool's arguments.
func toolInput(v ref, own []byte) json.RawMessage {
	for range maxWrappers {
		if v = only(v); v.kind() != kindObject {
			break
		}
		var inner ref
		switch {
		case isToolMessage(v):
			inner = textTree(v.get("content"))
		case v.has("args") && v.has("kwargs"):
			if inner = v.get("kwargs"); inner.count() == 0 {
				inner = v.get("args")
			}
		case v.has("kwargs") && v.count() == 1:
			inner = v.get("kwargs")
		case v.has("input_str") && v.has("inputs"):
			inner = v.get("inputs")
		case v.has("input_str"):
			inner = textTree(v.get("input_str"))
		case v.get("type").isText() && v.has("value") && v.count() == 2:
			inner = v.get("value")
		}
		if !inner.there() || inner.kind() == kindList && inner.count() == 0 {
			break
		}
		v, own = inner, inner.json()
	}
	return own
}

// toolOutput takes off what frameworks put around a tool's result, which may say
// what call it answers.
func toolOutput(v ref, own []byte) (result json.RawMessage, call string) {
	for range maxWrappers {
		if v = only(v); v.kind() != kindObject {
			break
		}
		var inner ref
		switch {
		case isToolMessage(v):
			inner = textTree(v.get("content"))
		case v.has("lc") && v.has("kwargs"):
			inner = v.get("kwargs")
		case v.has("data") && v.get("type").text() == roleTool:
			inner = v.get("data")
		case v.has("content") && v.has("tool_call_id"):
			call = v.get("tool_call_id").text()
			inner = v.get("content")
		case v.has("raw_output") && v.has("tool_name"): // LlamaIndex
			inner = v.get("raw_output")
		case v.has("output") && (v.count() == 1 || onlyHousekeeping(v, "output")):
			inner = v.get("output")
		case v.get("type").isText() && v.has("value") && v.count() == 2:
			inner = v.get("value")
		}
		if !inner.there() {
			break
		}
		v, own = inner, inner.json()
	}
	return own, call
}

// only gives the message that a list is made of, if it is that of a tool.
func only(v ref) ref {
	if first := v.first(); v.kind() == kindList && v.count() == 1 && isToolMessage(first) {
		return first
	}
	return v
}

// isToolMessage reports whether a value is what a tool was told or told, made a
// message that does not name the call.
func isToolMessage(v ref) bool {
	return v.kind() == kindObject && v.get("role").text() == roleTool && v.has("content") && !v.has("tool_call_id")
}

// embedded reads the texts that were embedded: one message of as many parts.
func (r *reading) embedded() []trace.Message {
	var m trace.Message
	for _, flattened := range []fact{factTextsAt, factInputAt} {
		if len(m.Parts) == 0 {
			r.sources(factInput, flattened, func(v ref) bool {
				m = trace.Message{Role: roleUser}
				embeddedTexts(v, func(text string) { m.Parts = append(m.Parts, textParts(text)...) })
				return len(m.Parts) == 0
			})
		}
	}
	if len(m.Parts) == 0 {
		return nil
	}
	return []trace.Message{m}
}

// embeddedTexts finds the texts in a list of texts, of messages, or of what the
// flattened form has; in a request or in what a framework put around it.
func embeddedTexts(v ref, yield func(string)) {
	switch v.kind() {
	case kindText:
		text := v.text()
		if len(text) > 0 && text[0] == '"' { // the AI SDK quotes each
			text = textTree(v).text()
		}
		yield(text)
	case kindList:
		v.each(func(e ref) bool {
			embeddedTexts(e, yield)
			return true
		})
	case kindObject:
		if inner := v.get("embedding").get("text"); inner.isText() { // OpenInference
			yield(inner.text())
			return
		}
		if inner := v.get("input", "inputs", "texts", "text", "query", "values", "value", "content", "contents", "parts", "args"); inner.there() {
			embeddedTexts(inner, yield)
		}
	}
}

// retrieval sets the question and the documents that were found.
func (r *reading) retrieval(s *trace.Span) {
	p := &s.Payload
	for _, f := range []fact{factQuery, factInput} {
		for _, h := range r.of(f) {
			if p.InputMessages == nil {
				set(&p.InputMessages, input(r.root(h.at)))
			}
		}
	}
	r.sources(factOutput, factDocumentsAt, func(v ref) bool {
		if parts := documents(v); len(parts) > 0 {
			set(&p.OutputMessages, []trace.Message{{Role: roleTool, Parts: parts}})
		}
		return p.OutputMessages == nil
	})
}

// documents reads a list of documents; text for what is none.
func documents(v ref) (parts []trace.Part) {
	for range maxWrappers {
		inner := v.get("documents", "output", "outputs", "results", "value", "nodes", "source_nodes")
		if !inner.there() {
			break
		}
		v = textTree(inner)
	}
	if v.kind() != kindList {
		if v.there() {
			return textParts(v.asText())
		}
		return nil
	}
	v.each(func(e ref) bool {
		if p, ok := document(e); ok {
			parts = append(parts, p)
		}
		return true
	})
	return parts
}

func document(e ref) (trace.Part, bool) {
	p := trace.Part{Type: trace.PartDocument}
	switch e.kind() {
	case kindText:
		p.Text = e.text()
		return p, p.Text != ""
	case kindList: // (id, text)
		e.each(func(v ref) bool {
			if v.isText() && len(v.text()) >= len(p.Text) {
				p.ID, p.Text = p.Text, v.text()
			} else if v.isText() {
				p.ID = v.text()
			}
			return true
		})
		return p, p.Text != ""
	case kindObject:
		if inner := e.get("document", "node", "kwargs"); inner.kind() == kindObject {
			p, _ = document(inner)
		}
		if text := e.get("content", "text", "page_content", "pageContent", "document", "body"); text.isText() {
			p.Text = text.text()
		}
		if id := e.get("id", "document_id", "doc_id", "id_"); id.isText() {
			p.ID = id.text()
		}
		o := objectWriter{}
		for _, name := range []string{"score", "metadata"} {
			if v := e.get(name); v.there() {
				o.raw([]byte(name), textTree(v).json())
			}
		}
		if data := o.end(); data != nil {
			p.Data = data
		}
		if p.Text == "" && p.ID == "" {
			p.Data = e.json()
		}
		return p, true
	}
	return p, false
}

// asText gives a string's content, and any other value as JSON.
func (r ref) asText() string {
	if r.isText() {
		return r.text()
	}
	return string(r.append(nil))
}

// ownMetadata keeps what the earlier service kept: attributes of Pulse's and of
// OTel's names that have no field, and, of spans of its own clients, all.
func (r *reading) ownMetadata(o *objectWriter) {
	client := r.hasPrefix("pulse.")
	for i := range r.attributes {
		key := r.attributes[i].key
		span := i < r.own
		switch {
		case span && r.taken[i]:
		case bytes.HasPrefix(key, []byte("pulse.")):
			if span || !r.resourceTakes(i) {
				o.raw(key, r.json(int32(i)))
			}
		case bytes.HasPrefix(key, []byte("gen_ai.")), client && span:
			if span || !r.resourceTakes(i) {
				o.raw(key, r.json(int32(i)))
			}
		}
	}
}

// resourceTakes reports whether a fact tells a resource's attribute.
func (r *reading) resourceTakes(i int) bool {
	return slices.ContainsFunc(r.hits, func(h hit) bool { return int(h.at) == i })
}
