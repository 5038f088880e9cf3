package otlp

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/trace"
)

var ownTraceID = []byte("pulse.trace_id") // a client's own

// TraceID gives the id of the trace that the span belongs to, which is what
// records are spread over queues by. It costs little beside Map.
func (s Span) TraceID() trace.TraceID {
	var own, text []byte
	for b := s.data; len(b) > 0; {
		f, rest, err := next(b)
		if err != nil {
			break
		}
		b = rest
		switch f.num {
		case fieldTraceID:
			own = f.data
		case fieldTextTraceID:
			text = f.data
		case fieldAttributes:
			if keyBegins(f.data, ownTraceID) {
				return s.mappedTraceID()
			}
		}
	}
	if bytes.Contains(s.group.resource, ownTraceID) {
		return s.mappedTraceID()
	}
	if t := id(own, text); t != "" {
		return trace.TraceID(t)
	}
	return s.mappedTraceID()
}

func (s Span) mappedTraceID() trace.TraceID {
	r := s.parse()
	defer r.release()
	r.collect()
	return r.trace()
}

// Raw gives the span's own bytes with its resource and scope, as they are kept
// in trace.Payload.Raw.
func (s Span) Raw() []byte { return s.group.raw(fieldResourceSpans, s.data) }

// Map reads a span with today's dialects. Fields that do not depend on the
// sender are left to the caller: the project, the price. now is the start of a
// span that has none. fault.Invalid says what of the span cannot be stored.
func (s Span) Map(now time.Time) (span trace.Span, err error) {
	err = s.mapInto(&span, now)
	return span, err
}

func (s Span) mapInto(span *trace.Span, now time.Time) error {
	r := s.parse()
	defer r.release()
	r.collect()
	if err := r.span(span, now); err != nil {
		return err
	}
	span.Payload.Raw = s.Raw()
	return nil
}

// Map reads all spans of a request. What cannot be stored is rejected.
func (t *Traces) Map(now time.Time) []trace.Span {
	spans := make([]trace.Span, 0, len(t.Spans))
	for _, s := range t.Spans {
		n := len(spans)
		spans = spans[:n+1]
		if err := s.mapInto(&spans[n], now); err != nil {
			t.reject(rejection(err))
			spans[n] = trace.Span{}
			spans = spans[:n]
		}
	}
	return spans
}

// rejection is the text that a sender is told.
func rejection(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Message
	}
	return "Invalid span"
}

// Remap reads a stored span's raw bytes again with today's dialects, and joins
// what they say: the span as it was sent each time, and what log records told of
// it. start is the span's start where no sender gave one. fault.Invalid means
// that the bytes are damaged, or hold nothing.
func Remap(raw []byte, start time.Time) (trace.Span, error) {
	var (
		span  trace.Span
		found bool
	)
	join := func(s trace.Span, err error) error {
		switch {
		case err != nil:
			return err
		case found:
			span = trace.Merge(&span, &s)
		default:
			span, found = s, true
		}
		return nil
	}
	err := walkRaw(raw,
		func(g *group, data []byte) error {
			if err := checkSpan(data); err != nil {
				return fault.New(fault.Invalid, err.Error())
			}
			return join(Span{g, data}.Map(start))
		},
		func(g *group, data []byte) error {
			if err := checkLogRecord(data); err != nil {
				return fault.New(fault.Invalid, err.Error())
			}
			s, ok, err := LogRecord{g, data}.Map(start)
			if !ok && err == nil {
				return nil
			}
			return join(s, err)
		})
	if err != nil {
		return trace.Span{}, err
	}
	if !found {
		return trace.Span{}, fault.New(fault.Invalid, "The raw bytes of the span are damaged")
	}
	return span, nil
}

// parse reads a checked span.
func (s Span) parse() *reading {
	r := newReading(s.group.read(), s.data)
	var ids struct{ trace, span, parent, traceText, spanText, parentText []byte }
	for b := s.data; len(b) > 0; {
		f, rest, err := next(b)
		if err != nil {
			break
		}
		b = rest
		switch f.num {
		case fieldTraceID:
			ids.trace = f.data
		case fieldSpanID:
			ids.span = f.data
		case fieldParentID:
			ids.parent = f.data
		case fieldTextTraceID:
			ids.traceText = f.data
		case fieldTextSpanID:
			ids.spanText = f.data
		case fieldTextParentID:
			ids.parentText = f.data
		case fieldName:
			r.name = f.data
		case fieldStart:
			r.start, r.hasStart = f.n, f.typ == protowire.Fixed64Type
		case fieldEnd:
			r.end, r.hasEnd = f.n, f.typ == protowire.Fixed64Type
		case fieldAttributes:
			if data, ok := f.bytes(); ok {
				r.attributes = append(r.attributes, parseKeyValue(data))
			}
		case fieldEvents:
			if data, ok := f.bytes(); ok {
				r.events = append(r.events, parseEvent(data))
			}
		case fieldLinks:
			if data, ok := f.bytes(); ok {
				r.links = append(r.links, parseLink(data))
			}
		case fieldStatus:
			for b := f.data; len(b) > 0; {
				f, rest, err := next(b)
				if err != nil {
					break
				}
				b = rest
				switch f.num {
				case fieldStatusMessage:
					r.message = f.data
				case fieldStatusCode:
					r.status = f.n
				}
			}
		}
	}
	r.traceID, r.spanID, r.parentID = id(ids.trace, ids.traceText), id(ids.span, ids.spanText), id(ids.parent, ids.parentText)
	r.withResource()
	return r
}

// withResource puts behind the span's own attributes those of the events that
// tell all of its call, as some write it who have no logs, and the resource's.
func (r *reading) withResource() {
	r.own = len(r.attributes)
	for i := range r.events {
		if e := &r.events[i]; string(e.name) == operationDetails {
			r.attributes = append(r.attributes, e.attributes...)
		}
	}
	r.said = len(r.attributes)
	r.attributes = append(r.attributes, r.common.attributes...)
}

func parseEvent(b []byte) (e event) {
	for len(b) > 0 {
		f, rest, err := next(b)
		if err != nil {
			return e
		}
		b = rest
		switch f.num {
		case fieldEventTime:
			e.time = f.n
		case fieldEventName:
			e.name = f.data
		case fieldEventAttributes:
			if data, ok := f.bytes(); ok {
				e.attributes = append(e.attributes, parseKeyValue(data))
			}
		}
	}
	return e
}

func (e *event) attr(key string) (v value) {
	for i := range e.attributes {
		if string(e.attributes[i].key) == key {
			v = e.attributes[i].value
		}
	}
	return v
}

func parseLink(b []byte) (l link) {
	var traceID, spanID, traceText, spanText []byte
	for len(b) > 0 {
		f, rest, err := next(b)
		if err != nil {
			break
		}
		b = rest
		switch f.num {
		case fieldLinkTraceID:
			traceID = f.data
		case fieldLinkSpanID:
			spanID = f.data
		case fieldTextLinkTrace:
			traceText = f.data
		case fieldTextLinkSpan:
			spanText = f.data
		case fieldLinkAttributes:
			if data, ok := f.bytes(); ok {
				l.attributes = append(l.attributes, parseKeyValue(data))
			}
		}
	}
	l.traceID, l.spanID = id(traceID, traceText), id(spanID, spanText)
	return l
}

// trace gives the trace's id: a G2 client's own, else OTLP's, else one made of
// the span's bytes, so that sending it again makes no second trace.
func (r *reading) trace() trace.TraceID {
	if s, ok := r.str(factTraceID); ok {
		return trace.TraceID(s)
	}
	if r.traceID == "" {
		return trace.TraceID(r.madeID("trace", 2*traceIDSize))
	}
	return trace.TraceID(r.traceID)
}

// madeID makes an id out of what was sent, in whatever encoding.
func (r *reading) madeID(of string, digits int) string {
	dst := append([]byte(of), r.resource...)
	dst = appendQuoted(appendQuoted(dst, r.scopeName), r.name)
	dst = appendQuoted(appendQuoted(appendQuoted(dst, r.traceID), r.parentID), r.event)
	dst = strconv.AppendUint(append(dst, ' '), r.start, 10)
	dst = strconv.AppendUint(append(dst, ' '), r.end, 10)
	dst = appendJSON(dst, r.body)
	for i := range r.own {
		dst = appendJSON(appendQuoted(dst, r.attributes[i].key), r.attributes[i].value)
	}
	for i := range r.events {
		dst = appendPairs(appendQuoted(dst, r.events[i].name), r.events[i].attributes)
	}
	sum := sha256.Sum256(dst)
	return hex.EncodeToString(sum[:])[:digits]
}

// begin puts together what the span is: its ids, kind and times. It refuses what
// Pulse's own clients must not say.
func (r *reading) begin(s *trace.Span, now time.Time) error {
	for i, d := range dialects().dialects {
		if d.before != nil && r.active>>i&1 != 0 {
			d.before(r)
		}
	}
	if err := r.refuse(); err != nil {
		return err
	}
	if r.spanID == "" {
		r.spanID = r.madeID("span", 2*spanIDSize)
	}
	*s = trace.Span{
		TraceID: r.trace(), ID: trace.SpanID(r.spanID), ParentID: trace.SpanID(r.parentID),
		Form: trace.FormSpan, Source: trace.SourceSDK, Status: trace.StatusSuccess, Scope: r.scope, MappingVersion: MappingVersion, Role: r.role,
		Name: r.intern(cutBytes(r.name, trace.MaxNameBytes)),
	}
	if s.ID == s.ParentID { // a parent of itself would be no tree
		s.ParentID = ""
	}
	s.Kind = r.kindOf()
	if s.Kind == trace.KindGeneric {
		r.forgetGuesses()
	}
	r.times(s, now)
	return nil
}

// span puts together all that was read.
func (r *reading) span(s *trace.Span, now time.Time) error {
	if err := r.begin(s, now); err != nil {
		return err
	}
	if isCall(s.Kind) {
		r.readBodies()
	}
	r.identity(s)
	r.model(s)
	r.counted(s)
	r.contents(s)
	r.faults(s)
	r.rest(s)
	for i, d := range dialects().dialects {
		if d.after != nil && r.active>>i&1 != 0 {
			d.after(r, s)
		}
	}
	finish(s)
	if s.CallKey = r.callKey; s.CallKey == "" && isCall(s.Kind) && s.ProviderRequestID != nil {
		s.CallKey = *s.ProviderRequestID
	}
	return invalid(s)
}

// invalid is the fault of a span that no store can hold.
func invalid(s *trace.Span) error {
	issues := s.Check()
	if len(issues) == 0 {
		return nil
	}
	return &fault.Error{Code: fault.Invalid, Message: issues[0].Message, Issues: issues}
}

// isCall reports whether spans of a kind stand for calls of a model.
func isCall(k trace.Kind) bool { return k == trace.KindLLMCall || k == trace.KindEmbedding }

// eventOfCall is what the earlier service called every span of a model call.
const eventOfCall = "provider_call"

// finish sets what follows from other fields.
func finish(s *trace.Span) {
	if s.EventType == "" {
		if s.EventType = string(s.Kind); s.Kind == trace.KindLLMCall {
			s.EventType = eventOfCall
		}
	}
	if s.Operation == "" {
		s.Operation = operations[s.Kind]
	}
	if s.Payload.InputMessages != nil {
		s.Tells |= trace.TellsInput
	}
	if s.Payload.OutputMessages != nil || s.Payload.OutputText != nil {
		s.Tells |= trace.TellsOutput
	}
	if s.Kind == trace.KindToolUse && s.ToolName != nil && trace.EditsFiles(*s.ToolName) {
		if file := parseTree(string(s.Payload.ToolInput)).root().get("file_path").text(); file != "" {
			file = cut(file, trace.MaxPathBytes)
			s.EditedFile = &file
		}
	}
}

// operations names what spans do whose senders do not.
var operations = map[trace.Kind]string{
	trace.KindLLMCall: "chat", trace.KindEmbedding: "embeddings", trace.KindToolUse: "execute_tool", trace.KindAgentRun: "invoke_agent",
	trace.KindRetrieval: "retrieval", trace.KindRerank: "rerank",
}

// kindOf decides what a span is about: by the first dialect that says so, else
// by what it holds.
func (r *reading) kindOf() trace.Kind {
	kind := r.kindSaid()
	if kind == "" {
		kind = r.kindByContents()
	}
	if kind == trace.KindLLMCall && !r.saysChat() && r.embeds() {
		kind = trace.KindEmbedding
	}
	return kind
}

func (r *reading) kindByContents() trace.Kind {
	model := r.has(factModel) || r.has(factModelUsed)
	counts := r.has(factInputTokens) || r.has(factOutputTokens) || r.has(factUsage)
	talk := r.knows(factInput, factInputAt, factOutput, factOutputAt, factOutputText)
	switch {
	case model && (counts || talk || r.knows(factProvider)):
		return trace.KindLLMCall
	case !r.has(factToolName) && r.exchange():
		return trace.KindLLMCall
	case r.has(factToolName) || r.knows(factToolInput, factToolOutput):
		return trace.KindToolUse
	case r.has(factDocumentsAt) || r.has(factQuery):
		return trace.KindRetrieval
	case r.has(factTextsAt):
		return trace.KindEmbedding
	case r.has(factInputAt) && r.has(factOutputAt):
		return trace.KindLLMCall
	}
	for i := range r.events {
		if _, ok := messageEvents[string(r.events[i].name)]; ok {
			return trace.KindLLMCall
		}
	}
	return trace.KindGeneric
}

// exchange reports whether the span holds the request and the answer of a model's
// provider.
func (r *reading) exchange() bool {
	request, answer := r.bodyOf(factRequest), r.bodyOf(factResponse)
	return request.get("model").isText() && request.get("messages", "contents", "input", "prompt").there() &&
		answer.get("usage", "usageMetadata").kind() == kindObject && answer.get("choices", "content", "output", "candidates").kind() == kindList
}

// knows reports whether any attribute tells one of the facts that is not only
// guessed by its name.
func (r *reading) knows(facts ...fact) bool {
	return slices.ContainsFunc(facts, func(f fact) bool {
		return slices.ContainsFunc(r.of(f), func(h hit) bool { return !guessed(h) })
	})
}

// guessed reports whether a rule is one of the last dialect, whose names are
// anybody's.
func guessed(h hit) bool { return int(h.rank&(late-1)>>16) == len(dialects().dialects)-1 }

// forgetGuesses gives back the attributes that only the last dialect read as
// contents, once the span is known to be about something else.
func (r *reading) forgetGuesses() {
	kept := r.hits[:0]
	for _, h := range r.hits {
		if !guessed(h) || h.rule.fact < factKind {
			kept = append(kept, h)
		}
	}
	r.hits = kept
	r.index()
}

// saysChat reports whether the sender named a conversation as the operation.
func (r *reading) saysChat() bool {
	s, _ := r.str(factOperation)
	return s == "chat" || s == "generate_content" || s == "text_completion"
}

// embeds reports whether the model's name is that of an embedding model.
func (r *reading) embeds() bool {
	s, ok := r.str(factModel)
	if !ok {
		s, _ = r.str(factModelUsed)
	}
	s = strings.ToLower(s)
	i := strings.Index(s, "embed")
	return i == 0 || i > 0 && strings.IndexByte("-_/.:", s[i-1]) >= 0
}

// times sets start and duration, cut to what both engines hold.
func (r *reading) times(s *trace.Span, now time.Time) {
	if !r.hasStart {
		s.Start = now.UTC().Truncate(time.Microsecond)
		return
	}
	s.Start = nanos(min(r.start, math.MaxInt64)).Truncate(time.Microsecond)
	if !r.hasEnd || (r.end == 0 && r.start != 0) { // not ended yet
		return
	}
	ns := max(int64(r.end-r.start), 0)         // clocks are set back at times
	d := float64(ns/1e6) + float64(ns%1e6)/1e6 // whole milliseconds stay whole
	s.DurationMS = &d
}

func (r *reading) identity(s *trace.Span) {
	if session, ok := r.str(factSession); ok {
		s.SessionID = trace.SessionID(cut(session, trace.MaxIDBytes))
	}
	s.UserID = cmp.Or(r.short(factUser), name(r.user))
	s.Environment = r.short(factEnvironment)
	s.Release = r.short(factRelease)
	s.Service = r.short(factService)
	s.AgentName = r.short(factAgent)
	s.Tags = r.tags()
	r.identityInMetadata(s)
	if source, ok := r.str(factSource); ok {
		s.Source = trace.Source(source)
	}
	s.EventType, _ = r.str(factEventType)
	if cwd, ok := r.str(factCWD); ok {
		cwd = cut(cwd, trace.MaxPathBytes)
		s.CWD = &cwd
	}
	for _, h := range r.of(factInterrupt) {
		if v := r.value(h); v.kind == valueBool {
			b := v.bool()
			s.IsInterrupt = &b
			break
		}
	}
}

// identityInMetadata reads the session and user that programs put into their
// metadata under the usual names.
func (r *reading) identityInMetadata(s *trace.Span) {
	for _, h := range r.of(factMetadata) {
		root := r.tree(h.at).root()
		if s.SessionID == "" {
			session := root.get("session_id", "sessionId", "thread_id", "threadId", "conversation_id", "conversationId").text()
			s.SessionID = trace.SessionID(cut(clean([]byte(session)), trace.MaxIDBytes))
		}
		if s.UserID == nil {
			s.UserID = name(root.get("user_id", "userId").text())
		}
		if len(s.Tags) == 0 {
			root.get("labels", "tags").each(func(e ref) bool {
				if t := name(e.text()); t != nil && len(s.Tags) < maxTags && !slices.Contains(s.Tags, *t) {
					s.Tags = append(s.Tags, *t)
				}
				return true
			})
		}
	}
}

// maxTags bounds a row: tags are for filters, what is longer belongs into
// metadata.
const maxTags = 100

// tags joins what all dialects call tags: lists, JSON lists, and lists parted by
// commas.
func (r *reading) tags() []string {
	var tags []string
	add := func(b string) {
		if b = cut(strings.TrimSpace(b), trace.MaxNameBytes); b != "" && len(tags) < maxTags && !slices.Contains(tags, b) {
			tags = append(tags, b)
		}
	}
	for _, h := range r.of(factTags) {
		v := r.value(h)
		if v.kind == valueString && len(v.data) > 0 && v.data[0] != '[' {
			for part := range strings.SplitSeq(clean(v.data), ",") {
				add(part)
			}
			continue
		}
		r.tree(h.at).root().each(func(e ref) bool {
			add(clean([]byte(e.text())))
			return true
		})
	}
	return tags
}

// model sets what names the model and what it answered by.
func (r *reading) model(s *trace.Span) {
	for _, h := range r.of(factProvider) {
		v := r.value(h)
		if v.kind != valueString || len(v.data) == 0 || s.Provider != nil {
			continue
		}
		text := r.intern(cutBytes(v.data, trace.MaxNameBytes))
		if h.rule.quoted {
			text = strings.Trim(text, `"`)
		}
		if !isCall(s.Kind) || !frameworks[text] {
			s.Provider = r.optional(provider(text))
		}
	}
	b := &r.bodyFacts
	s.Model = cmp.Or(r.short(factModel), name(b.model))
	s.ModelUsed = cmp.Or(r.short(factModelUsed), name(b.modelUsed))
	if s.Model == nil {
		s.Model = s.ModelUsed
	}
	if b.modelUsed != "" && s.Model != nil && *s.ModelUsed == *s.Model { // only the asked one again
		s.ModelUsed = name(b.modelUsed)
	}
	if s.Provider == nil && isCall(s.Kind) {
		s.Provider = cmp.Or(name(b.provider), r.guessProvider(s))
	}
	s.ProviderRequestID = cmp.Or(r.short(factResponseID), name(b.responseID))
	if operation, ok := r.str(factOperation); ok {
		s.Operation = cut(operation, trace.MaxNameBytes)
	}
	s.ServiceTier = cmp.Or(r.short(factTier), name(b.tier))
	s.FinishReason = r.finishReason()
	s.TimeToFirstTokenMS = r.firstToken(s.Start)
}

// name gives a text as an optional field; nil for none.
func name(s string) *string {
	if s == "" {
		return nil
	}
	s = cut(clean([]byte(s)), trace.MaxNameBytes)
	return &s
}

// guessProvider names the provider of a call whose sender does not: by the host
// that was called, by LangChain's metadata, by the vendor that some put before the model's name, or by the
// client that failed.
func (r *reading) guessProvider(s *trace.Span) *string {
	for _, key := range []string{"server.address", "gen_ai.request.base_url", "gen_ai.openai.api_base", "url.full", "http.url"} {
		host := strings.TrimSuffix(r.attrText(key), "/")
		if _, rest, ok := strings.Cut(host, "://"); ok {
			host, _, _ = strings.Cut(rest, "/")
		}
		for _, h := range hosts {
			if strings.HasSuffix(host, h.suffix) {
				return &h.provider
			}
		}
	}
	for _, h := range r.of(factMetadata) {
		if text := r.tree(h.at).root().get("ls_provider").text(); text != "" {
			return name(text)
		}
	}
	if s.Model != nil {
		if vendor, _, ok := strings.Cut(*s.Model, "/"); ok && knownProviders[strings.ToLower(vendor)] {
			return name(strings.ToLower(vendor))
		}
	}
	for i := range r.events { // the exception that the provider's client has thrown
		library, _, ok := strings.Cut(clean(r.events[i].attr("exception.type").data), ".")
		if ok && knownProviders[library] {
			return name(library)
		}
	}
	return nil
}

// frameworks are what some name as the system of a call, though they call
// somebody else.
var frameworks = map[string]bool{"langchain": true, "langgraph": true, "llamaindex": true, "llama_index": true, "autogen": true, "crewai": true, "strands-agents": true}

// knownProviders are the names that some senders write in capitals.
var knownProviders = map[string]bool{
	"openai": true, "anthropic": true, "cohere": true, "google": true, "mistralai": true, "azure": true, "aws": true, "groq": true,
	"deepseek": true, "xai": true, "perplexity": true, "ollama": true, "openrouter": true, "together": true, "fireworks": true, "replicate": true,
	"huggingface": true, "bedrock": true, "gemini": true, "vertexai": true, "watsonx": true, "cerebras": true, "moonshot": true,
}

// provider gives a provider's name without what the AI SDK puts behind it: the
// part of its interface that was called.
func provider(s string) string {
	lower := strings.ToLower(s)
	if knownProviders[lower] {
		return lower
	}
	if name, part, ok := strings.Cut(s, "."); ok {
		switch part {
		case "chat", "responses", "messages", "completion", "completions", "embedding", "embeddings", "generative-ai", "image", "textEmbedding", "speech", "transcription":
			return name
		}
	}
	return s
}

// finishReason reads why the answer ended: the first of several answers' if
// there are several.
func (r *reading) finishReason() *string {
	for _, h := range r.of(factFinish) {
		v := r.value(h)
		reason := ""
		switch {
		case v.kind == valueString && len(v.data) > 0 && v.data[0] == '[':
			if reason = r.tree(h.at).root().first().text(); reason == "" {
				reason = clean(v.data)
			}
		case v.kind == valueString && len(v.data) > 0 && v.data[0] == '{':
			if reason = finishOf(r.tree(h.at).root()); reason == "" {
				reason = r.tree(h.at).root().get("unified", "raw").text()
			}
		case v.kind == valueString:
			if reason = clean(v.data); h.rule.quoted {
				reason = strings.Trim(reason, `"`)
			}
		case v.kind == valueArray:
			reason = clean([]byte(r.tree(h.at).root().first().text()))
		}
		if reason != "" {
			return finishText(reason)
		}
	}
	return nil
}

// finishText takes an enumeration's name off: FinishReason.STOP.
func finishText(s string) *string {
	if i := strings.LastIndex(s, "FinishReason."); i >= 0 {
		s = strings.ToLower(s[i+len("FinishReason."):])
	}
	s = cut(s, trace.MaxNameBytes)
	return &s
}

// firstToken reads when the answer began.
func (r *reading) firstToken(start time.Time) *float64 {
	ok := func(ms float64) *float64 {
		if ms < 0 || ms > trace.MaxDurationMS {
			return nil
		}
		return &ms
	}
	if n, scale, is := r.num(factFirstToken); is {
		return ok(n * scale)
	}
	for _, h := range r.of(factFirstTokenAt) {
		if t, is := trace.ParseTime(r.root(h.at).text()); is {
			return ok(float64(t.Sub(start).Microseconds()) / 1e3)
		}
	}
	for i := range r.events {
		if e := &r.events[i]; firstTokenEvents[string(e.name)] && e.time >= r.start && r.hasStart {
			return ok(float64(e.time-r.start) / 1e6)
		}
	}
	return nil
}

// firstTokenEvents mark the moment of the first token.
var firstTokenEvents = map[string]bool{
	"First Token Stream Event": true, "ai.stream.firstChunk": true, "gen_ai.first_token": true,
	"gen_ai.content.completion.chunk": true, "llm.content.completion.chunk": true, // of which the first is the first
}

// counted sets tokens and cost.
func (r *reading) counted(s *trace.Span) {
	if s.Usage = r.usage(); s.Usage != nil {
		in, out := s.Usage.InputTokens(), s.Usage.OutputTokens()
		s.InputTokens, s.OutputTokens = &in, &out
		if in == 0 && !r.countsInput() {
			s.InputTokens = nil
		}
		if out == 0 && !r.countsOutput() {
			s.OutputTokens = nil
		}
	}
	if nano, ok := r.cost(); ok {
		s.CostNanoUSD, s.CostSource = &nano, trace.CostOfSender
	}
}

func (r *reading) countsInput() bool  { return r.has(factInputTokens) || r.has(factUsage) }
func (r *reading) countsOutput() bool { return r.has(factOutputTokens) || r.has(factUsage) }

const nanoPerUSD = 100 * trace.NanoUSDPerCent

// cost reads what the sender says that the call cost. Instrumentations without a
// price write 0, so only Pulse's own clients can say that a call was free.
func (r *reading) cost() (int64, bool) {
	valid := func(usd float64, free bool) (int64, bool) {
		if usd < 0 || usd*100 > trace.MaxCostCents || (usd == 0 && !free) {
			return 0, false
		}
		return int64(usd*nanoPerUSD + 0.5), true
	}
	if n, scale, ok := r.num(factCost); ok {
		return valid(n*cmp.Or(scale, 1), scale == usdPerCent)
	}
	for _, h := range r.of(factCosts) {
		root := r.tree(h.at).root()
		if n, ok := root.get("total", "total_cost", "totalCost", "response_cost", "cost").number(); ok {
			if nano, ok := valid(n, false); ok {
				return nano, true
			}
			continue
		}
		sum := 0.0
		root.each(func(e ref) bool {
			if n, ok := e.number(); ok {
				sum += n
			}
			return true
		})
		if nano, ok := valid(sum, false); ok {
			return nano, true
		}
	}
	in, _, okIn := r.num(factCostIn)
	out, _, okOut := r.num(factCostOut)
	if okIn || okOut {
		return valid(in+out, false)
	}
	return r.bodyCost()
}

const usdPerCent = 0.01

// faults sets status and error.
func (r *reading) faults(s *trace.Span) {
	failed := r.status == statusError
	for _, h := range r.of(factLevel) {
		if v := r.value(h); v.kind == valueString && (string(v.data) == "ERROR" || string(v.data) == "error") {
			failed = true
		}
	}
	if said := r.of(factSuccess); len(said) > 0 {
		v := r.value(said[0])
		failed = failed || v.kind == valueBool && !v.bool() || v.kind == valueString && string(v.data) == "false"
	}
	if failed {
		s.Status = trace.StatusError
	}
	message := payloadText(r.message)
	if message == "" {
		message, _ = r.str(factStatusMessage)
	}
	if message != "" {
		s.Payload.StatusMessage = &message
	}
	for _, h := range r.of(factError) {
		if s.Payload.Error = r.json(h.at); s.Payload.Error != nil {
			return
		}
	}
	o := objectWriter{}
	for i := len(r.events) - 1; i >= 0 && len(o.list) == 0; i-- { // the last is the one that got out
		e := &r.events[i]
		if string(e.name) != "exception" {
			continue
		}
		for _, name := range []string{"type", "message", "stacktrace"} {
			if v := e.attr("exception." + name); v.kind == valueString && len(v.data) > 0 {
				o.attribute([]byte(name), v)
			}
		}
	}
	if len(o.list) == 0 && (failed || r.has(factErrorMessage)) {
		if text, ok := r.str(factErrorType); ok {
			o.raw([]byte("type"), appendQuoted(nil, text))
		}
		if text, ok := r.str(factErrorMessage); ok {
			o.raw([]byte("message"), appendQuoted(nil, text))
		} else if message != "" {
			o.raw([]byte("message"), appendQuoted(nil, message))
		}
	}
	s.Payload.Error = o.end()
}

// rest sets metadata, attributes, events and links.
func (r *reading) rest(s *trace.Span) {
	s.Payload.Resource = r.resource
	s.Payload.Metadata = r.metadata()
	attributes := objectWriter{}
	for i := range r.own {
		if !r.taken[i] {
			attributes.attribute(r.attributes[i].key, r.attributes[i].value)
		}
	}
	s.Payload.Attributes = attributes.end()
	s.Payload.Events = r.eventsJSON()
	s.Payload.Links = r.linksJSON()
}

// metadata joins what the program that was traced says for itself.
func (r *reading) metadata() []byte {
	o := objectWriter{}
	for _, h := range r.of(factMetadataEntry) {
		if r.ofSDK() && (h.rule.key == "pulse.request" || h.rule.key == "pulse.response") { // they have fields of their own
			continue
		}
		name := h.name
		if name == nil {
			name = bytes.TrimPrefix(r.attributes[h.at].key, []byte(clientMetadata))
		}
		o.raw(name, r.json(h.at))
	}
	for _, h := range r.of(factMetadata) {
		root := r.tree(h.at).root()
		text := r.value(h).kind != valueKVs && h.rule.key == "pulse.metadata" && !r.ofSDK() // which earlier clients meant as one value
		if root.kind() != kindObject || text {
			o.raw(r.attributes[h.at].key, r.json(h.at))
			continue
		}
		root.each(func(e ref) bool {
			o.raw([]byte(e.node().key), e.append(nil))
			return true
		})
	}
	if name, ok := r.str(factSessionName); ok {
		o.raw([]byte("session_name"), appendQuoted(nil, name))
	}
	r.ownMetadata(&o)
	return o.end()
}

func (r *reading) eventsJSON() []byte {
	if len(r.events) == 0 {
		return nil
	}
	dst := []byte{'['}
	for i := range r.events {
		e := &r.events[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendQuoted(append(dst, `{"name":`...), e.name)
		dst = nanos(min(e.time, math.MaxInt64)).AppendFormat(append(dst, `,"time":"`...), timeFormat)
		dst = append(dst, `","attributes":`...)
		dst = append(appendPairs(dst, e.attributes), '}')
	}
	return append(dst, ']')
}

func (r *reading) linksJSON() []byte {
	if len(r.links) == 0 {
		return nil
	}
	dst := []byte{'['}
	for i := range r.links {
		l := &r.links[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendQuoted(append(dst, `{"traceId":`...), l.traceID)
		dst = appendQuoted(append(dst, `,"spanId":`...), l.spanID)
		dst = append(appendPairs(append(dst, `,"attributes":`...), l.attributes), '}')
	}
	return append(dst, ']')
}

func appendPairs(dst []byte, attributes []attribute) []byte {
	o := objectWriter{}
	for _, a := range attributes {
		o.attribute(a.key, a.value)
	}
	if out := o.end(); out != nil {
		return append(dst, out...)
	}
	return append(dst, "{}"...)
}

// hasPrefix reports whether any attribute, the resource's included, begins so.
func (r *reading) hasPrefix(prefix string) bool {
	return slices.ContainsFunc(r.attributes, func(a attribute) bool { return bytes.HasPrefix(a.key, []byte(prefix)) })
}
