package otlp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/pulse-traces/pulse/shared/trace"
)

// operationDetails is the event that tells all of a call.
const operationDetails = "gen_ai.client.inference.operation.details"

// errNoHome is why a log record is rejected that belongs to nothing.
const errNoHome = "Log record of no span and no session"

// Map reads all log records of a request. A record of generative AI's events
// becomes a patch of the span that it names (trace.Span.Patch); records of coding
// agents become spans of their session, below the span that they name if they
// name one; any other record becomes an event of the span that it names. What
// names neither span nor session is rejected.
func (l *Logs) Map(now time.Time) []trace.Span {
	spans := make([]trace.Span, 0, len(l.Records))
	for _, rec := range l.Records {
		s, ok, err := rec.Map(now)
		switch {
		case err != nil:
			l.reject(rejection(err))
		case !ok:
			l.reject(errNoHome)
		default:
			spans = append(spans, s)
		}
	}
	return spans
}

// Raw gives the record's own bytes with its resource and scope, as they are kept
// in trace.Payload.Raw.
func (l LogRecord) Raw() []byte { return l.group.raw(fieldRawLogs, l.data) }

// Map reads a log record; false if it belongs to no span and no session.
func (l LogRecord) Map(now time.Time) (trace.Span, bool, error) {
	r := l.parse()
	defer r.release()
	r.collect()
	if r.spanID == "" && !r.has(factSession) && !r.has(factResponseID) {
		return trace.Span{}, false, nil
	}
	span, err := r.logSpan(now)
	if err != nil {
		return trace.Span{}, false, err
	}
	span.Payload.Raw = l.Raw()
	return span, true, nil
}

// logFields are what a log record has that a span has not.
type logFields struct {
	event    string // what happened
	body     value
	severity []byte
}

// parse reads a checked record as if it were a span of no duration: name, time
// and ids are where those of spans are.
func (l LogRecord) parse() *reading {
	r := newReading(l.group.read(), l.data)
	var (
		ids            struct{ trace, span, traceText, spanText []byte }
		time, observed uint64
		eventName      []byte
	)
	for b := l.data; len(b) > 0; {
		f, rest, err := next(b)
		if err != nil {
			break
		}
		b = rest
		switch f.num {
		case fieldLogTime:
			time = f.n
		case fieldLogObserved:
			observed = f.n
		case fieldLogSeverityTx:
			r.severity = f.data
		case fieldLogBody:
			r.body = parseValue(f.data)
		case fieldLogAttributes:
			if data, ok := f.bytes(); ok {
				r.attributes = append(r.attributes, parseKeyValue(data))
			}
		case fieldLogTraceID:
			ids.trace = f.data
		case fieldLogSpanID:
			ids.span = f.data
		case fieldTextLogTraceID:
			ids.traceText = f.data
		case fieldTextLogSpanID:
			ids.spanText = f.data
		case fieldLogEventName:
			eventName = f.data
		}
	}
	r.traceID, r.spanID = id(ids.trace, ids.traceText), id(ids.span, ids.spanText)
	r.start = cmp.Or(time, observed)
	r.hasStart = r.start != 0
	r.withResource()
	r.event = clean(eventName)
	if name := r.attrText("event.name"); name != "" && (r.event == "" || strings.HasPrefix(r.event, "event ")) {
		r.event = name // Rust names events after places in its source
	}
	return r
}

// logSpan makes a span, or a patch of one, out of a record.
func (r *reading) logSpan(now time.Time) (trace.Span, error) {
	if at, ok := r.str(factTime); ok { // more exact than what some exporters make of it
		if t, ok := trace.ParseTime(at); ok {
			r.start, r.hasStart = uint64(t.UnixNano()), true
		}
	}
	if !r.hasStart {
		r.start, r.hasStart = uint64(now.UnixNano()), true
	}
	var s trace.Span
	named := r.spanID
	role, isMessage := messageEvents[r.event]
	switch {
	case r.has(factEvent) && r.active&^dialects().anywhere != 0: // a coding agent's
		r.parentID, r.spanID = named, ""
		if err := r.span(&s, now); err != nil {
			return s, err
		}
		r.finishEvent(&s)
		return s, nil
	case isMessage && named != "":
		return r.messagePatch(role, now)
	case r.event == operationDetails:
		if named == "" {
			r.spanID, r.role = "", trace.RoleReport
			err := r.span(&s, now)
			if r.traceID == "" {
				s.TraceID = ""
			}
			return s, err
		}
		err := r.span(&s, now)
		s.Patch, s.Name, s.Role = true, "", trace.RoleReport
		s.Payload.Resource = nil // the span has it
		return s, err
	case named == "":
		r.kind = trace.KindEvent
		err := r.span(&s, now)
		r.finishEvent(&s)
		return s, err
	}
	return r.eventPatch(now)
}

// finishEvent completes a span that was a record: it has a name, belongs to a
// trace only if it says so, and ended when it was written.
func (r *reading) finishEvent(s *trace.Span) {
	if r.traceID == "" && !r.has(factTraceID) {
		s.TraceID = ""
	}
	if s.Name == "" {
		s.Name = cut(cmp.Or(r.event, r.bodyText()), trace.MaxNameBytes)
	}
	if s.EventType == "" || s.EventType == string(s.Kind) {
		s.EventType = cmp.Or(cut(r.event, trace.MaxNameBytes), string(s.Kind))
	}
	if ms, _, ok := r.num(factDuration); ok && ms >= 0 && ms <= trace.MaxDurationMS {
		s.DurationMS = &ms
		if isCall(s.Kind) || s.Kind == trace.KindToolUse { // the record is written at the end
			if start := s.Start.Add(-time.Duration(ms * float64(time.Millisecond))).Truncate(time.Microsecond); !start.Before(trace.MinTime) {
				s.Start = start
			}
		}
	}
	if body := r.body; s.Payload.InputMessages == nil && s.Payload.OutputMessages == nil && body.kind != valueAbsent && r.bodyText() != s.Name {
		o := objectWriter{}
		o.attribute([]byte("body"), body)
		s.Payload.Metadata = mergeMembers(s.Payload.Metadata, o.end())
	}
	finish(s)
}

// mergeMembers appends the members of one object to another.
func mergeMembers(a, b []byte) []byte {
	if a == nil {
		return b
	}
	return append(append(a[:len(a)-1:len(a)-1], ','), b[1:]...)
}

// bodyText gives the body if it is a text.
func (r *reading) bodyText() string {
	if r.body.kind == valueString {
		return clean(r.body.data)
	}
	return ""
}

// patch is what every patch of a span has.
func (r *reading) patch(now time.Time) trace.Span {
	s := trace.Span{
		TraceID: r.trace(), ID: trace.SpanID(r.spanID), Form: trace.FormSpan, Source: trace.SourceSDK, Status: trace.StatusSuccess,
		Kind: trace.KindEvent, EventType: string(trace.KindEvent), Scope: r.scope, MappingVersion: MappingVersion, Role: trace.RoleReport, Patch: true,
	}
	r.times(&s, now)
	return s
}

// turns are the roles in the order in which a conversation begins.
var turns = []string{roleSystem, roleUser, roleAssistant, roleTool}

// messagePatch makes a patch of one message. Its time puts it among the others.
func (r *reading) messagePatch(role string, now time.Time) (trace.Span, error) {
	s := r.patch(now)
	body := appendJSON(nil, r.body)
	if r.body.kind != valueKVs { // newer exporters put it into attributes
		body = appendPairs(nil, r.attributes[:r.own])
	}
	messages := toldMessage(r.event, role, parseTree(string(body)).root())
	at := nanos(min(r.start, math.MaxInt64))
	if len(messages) > 0 && r.start%1e6 == 0 {
		// A clock of milliseconds gives a whole conversation the same time. In most
		// that begin it is this order.
		at = at.Add(time.Duration(slices.Index(turns, messages[0].Role)))
	}
	for i := range messages {
		messages[i].Time = &at
	}
	if strings.HasSuffix(r.event, "choice") || strings.HasSuffix(r.event, "completion") {
		set(&s.Payload.OutputMessages, messages)
		for i := range messages {
			if reason := messages[i].FinishReason; reason != "" {
				s.FinishReason = finishText(reason)
			}
			if text := textOf(&messages[i]); text != "" && s.Payload.OutputText == nil {
				s.Payload.OutputText = &text
			}
		}
	} else {
		set(&s.Payload.InputMessages, messages)
	}
	s.Kind = trace.KindLLMCall
	finish(&s)
	s.Provider = r.short(factProvider)
	return s, invalid(&s)
}

// eventPatch makes a patch that adds an event to a span.
func (r *reading) eventPatch(now time.Time) (trace.Span, error) {
	s := r.patch(now)
	attributes := objectWriter{}
	for i := range r.own {
		attributes.attribute(r.attributes[i].key, r.attributes[i].value)
	}
	if len(r.severity) > 0 {
		attributes.attribute([]byte("severity"), value{kind: valueString, data: r.severity})
	}
	if r.body.kind != valueAbsent {
		attributes.attribute([]byte("body"), r.body)
	}
	dst := appendQuoted([]byte(`[{"name":`), cmp.Or(r.event, "log"))
	dst = nanos(min(r.start, math.MaxInt64)).AppendFormat(append(dst, `,"time":"`...), timeFormat)
	dst = append(dst, `","attributes":`...)
	if out := attributes.end(); out != nil {
		dst = append(dst, out...)
	} else {
		dst = append(dst, "{}"...)
	}
	s.Payload.Events = json.RawMessage(append(dst, '}', ']'))
	if bytes.HasPrefix([]byte(r.event), []byte("gen_ai.client.operation.exception")) {
		s.Status = trace.StatusError
	}
	finish(&s)
	return s, invalid(&s)
}
