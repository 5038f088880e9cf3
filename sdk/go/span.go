package pulse

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// OTLP's numbers for what kind of span it is, and for the status of one that
// failed.
const (
	kindInternal = 1
	kindClient   = 3
	statusError  = 2
)

// Span is a step or a call that runs. A nil Span takes everything and does
// nothing.
type Span struct {
	client *Client
	kind   int
	tool   bool
	start  time.Time

	mu                  sync.Mutex
	name                string
	traceID, id, parent string
	attributes          []attribute
	exception           []attribute
	failedAt            time.Time
	message             string
	stopped             time.Time // when it ended, if that was before End
	ended               bool
}

// attribute is one of a span. Its value is a string, a bool, an int, a float64 or
// a list of strings.
type attribute struct {
	key   string
	value any
}

// MarshalJSON writes it as OTLP has it.
func (a attribute) MarshalJSON() ([]byte, error) {
	return []byte(toJSON(map[string]any{"key": a.key, "value": otlpValue(a.value)})), nil
}

func otlpValue(v any) map[string]any {
	switch v := v.(type) {
	case bool:
		return map[string]any{"boolValue": v}
	case int:
		return map[string]any{"intValue": strconv.Itoa(v)}
	case float64:
		return map[string]any{"doubleValue": v}
	case []string:
		values := make([]any, len(v))
		for i := range v {
			values[i] = otlpValue(v[i])
		}
		return map[string]any{"arrayValue": map[string]any{"values": values}}
	}
	text, _ := v.(string)
	return map[string]any{"stringValue": strings.ToValidUTF8(text, "\uFFFD")}
}

type (
	contextKey int
	about      struct {
		session, provider string
		metadata          map[string]any
	}
)

const (
	spanKey contextKey = iota
	aboutKey
)

func aboutOf(ctx context.Context) about {
	a, _ := ctx.Value(aboutKey).(about)
	return a
}

// Session makes the calls and steps of a context belong to a session.
func Session(ctx context.Context, id string) context.Context {
	a := aboutOf(ctx)
	a.session = id
	return context.WithValue(ctx, aboutKey, a)
}

// Metadata says what the calls of a context are about. userId is the end user.
func Metadata(ctx context.Context, metadata map[string]any) context.Context {
	a := aboutOf(ctx)
	a.metadata = metadata
	return context.WithValue(ctx, aboutKey, a)
}

// WithProvider names the provider that the calls of a context go to.
func WithProvider(ctx context.Context, name string) context.Context {
	a := aboutOf(ctx)
	a.provider = name
	return context.WithValue(ctx, aboutKey, a)
}

// Trace begins a step at the top, whatever runs in ctx: what runs in the context
// that it gives is one trace. End it.
func Trace(ctx context.Context, name string) (context.Context, *Span) {
	return std().step(context.WithValue(ctx, spanKey, (*Span)(nil)), name, "chain")
}

// StartSpan begins a step of a kind, such as "chain", "retrieval" or "agent_run",
// within what runs in ctx. End it.
func StartSpan(ctx context.Context, name, kind string) (context.Context, *Span) {
	return std().step(ctx, name, kind)
}

// Tool begins the run of a tool with its arguments, of the call of a model that
// has an id, or "". Give SetOutput its result and End it, or use RunTool.
func Tool(ctx context.Context, name, callID string, arguments any) (context.Context, *Span) {
	ctx, s := std().step(ctx, name, "tool_use")
	if s != nil {
		defer s.client.settings.guard()
		s.tool = true
		s.set("gen_ai.tool.name", name)
		s.set("gen_ai.tool.call.id", callID)
		s.set("gen_ai.tool.call.arguments", s.client.settings.content(arguments, nil))
	}
	return ctx, s
}

// RunTool runs a tool as Tool records it.
func RunTool[A, R any](ctx context.Context, name, callID string, arguments A, run func(context.Context, A) (R, error)) (R, error) {
	ctx, s := Tool(ctx, name, callID, arguments)
	ended := false
	defer func() {
		if !ended { // a panic goes on as it was
			s.SetError(fmt.Errorf("the tool %s panicked", name))
			s.End()
		}
	}()
	result, err := run(ctx, arguments)
	ended = true
	if err != nil {
		s.SetError(err)
	} else {
		s.SetOutput(result)
	}
	s.End()
	return result, err
}

func (c *Client) step(ctx context.Context, name, kind string) (context.Context, *Span) {
	if !c.recording() {
		return ctx, nil
	}
	defer c.settings.guard()
	s := c.start(ctx, name, kindInternal)
	s.set("pulse.kind", kind)
	return context.WithValue(ctx, spanKey, s), s
}

func (c *Client) start(ctx context.Context, name string, kind int) *Span {
	s := &Span{client: c, kind: kind, start: time.Now(), name: name, id: randomHex(8)}
	if parent, _ := ctx.Value(spanKey).(*Span); parent != nil {
		s.traceID, s.parent = parent.traceID, parent.id
	} else {
		s.traceID = randomHex(16)
	}
	s.set("session.id", aboutOf(ctx).session)
	return s
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails since Go 1.24, and before only where nothing works
	return hex.EncodeToString(b)
}

// SetInput says what the step was given.
func (s *Span) SetInput(v any) { s.setContent("input.value", v) }

// SetOutput says what the step made.
func (s *Span) SetOutput(v any) {
	if s != nil && s.tool {
		s.setContent("gen_ai.tool.call.result", v)
		return
	}
	s.setContent("output.value", v)
}

func (s *Span) setContent(key string, v any) {
	if s == nil {
		return
	}
	defer s.client.settings.guard()
	text := s.client.settings.content(v, nil)
	var plain string
	if json.Unmarshal([]byte(text), &plain) == nil {
		text = plain // a text stays itself
	}
	s.set(key, text)
}

// SetError says why the step failed. nil is no error.
func (s *Span) SetError(err error) {
	if s == nil || err == nil {
		return
	}
	defer s.client.settings.guard()
	s.fail(strings.TrimPrefix(fmt.Sprintf("%T", err), "*"), err.Error())
}

func (s *Span) fail(kind, message string) {
	message = s.client.settings.message(message)
	s.set("error.type", kind)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failedAt, s.message = s.now(), message
	s.exception = []attribute{{"exception.type", kind}, {"exception.message", message}}
}

// set adds an attribute; "", nil and an empty list are none.
func (s *Span) set(key string, v any) {
	switch v := v.(type) {
	case nil:
		return
	case string:
		if v == "" {
			return
		}
	case []string:
		if len(v) == 0 {
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.attributes {
		if s.attributes[i].key == key {
			s.attributes[i].value = v
			return
		}
	}
	s.attributes = append(s.attributes, attribute{key, v})
}

// now goes on from the start by the monotonic clock, until the span ended.
func (s *Span) now() time.Time {
	if !s.stopped.IsZero() {
		return s.stopped
	}
	return s.start.Add(time.Since(s.start))
}

// stop says that the span ends now, although more will be said of it.
func (s *Span) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = s.now()
}

func (s *Span) rename(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.name = name
}

// End queues the span. What is said of it after that is ignored.
func (s *Span) End() {
	if s == nil {
		return
	}
	defer s.client.settings.guard()
	if data := s.marshal(); data != nil {
		s.client.take(data)
	}
}

// marshal writes the span as OTLP's JSON, the first time.
func (s *Span) marshal() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil
	}
	s.ended = true
	out := map[string]any{
		"traceId": s.traceID, "spanId": s.id, "name": s.name, "kind": s.kind,
		"startTimeUnixNano": nanos(s.start), "endTimeUnixNano": nanos(s.now()), "attributes": s.attributes,
	}
	if s.parent != "" {
		out["parentSpanId"] = s.parent
	}
	if s.exception != nil {
		out["status"] = map[string]any{"code": statusError, "message": strings.ToValidUTF8(s.message, "\uFFFD")}
		out["events"] = []any{map[string]any{"name": "exception", "timeUnixNano": nanos(s.failedAt), "attributes": s.exception}}
	}
	return []byte(toJSON(out))
}

func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }
