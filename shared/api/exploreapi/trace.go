package exploreapi

import (
	"cmp"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/api/view"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// columns are the spans of a tree, one array for each field: 10,000 spans
// compress to a third of what objects do.
type columns struct {
	ID      []trace.SpanID `json:"id"`
	Parent  []int          `json:"parent"` // place among all spans; -1 for a root
	Depth   []int          `json:"depth"`
	Name    []string       `json:"name"`
	Kind    []trace.Kind   `json:"kind"`
	Start   []int64        `json:"start"` // microseconds since startTime
	Dur     []*float64     `json:"dur"`   // milliseconds; null while it runs
	TTFT    []*float64     `json:"ttft"`
	Status  []trace.Status `json:"status"`
	Model   []*string      `json:"model"`
	Tokens  []*int64       `json:"tokens"`
	In      []*int64       `json:"in"`
	Out     []*int64       `json:"out"`
	Cost    []*string      `json:"cost"`    // nano-dollars
	Counted []bool         `json:"counted"` // false: another span stands for the call that this one repeats
}

func (c *columns) add(s *store.TreeSpan, base time.Time) {
	c.ID, c.Parent, c.Depth = append(c.ID, s.ID), append(c.Parent, s.Parent), append(c.Depth, s.Depth)
	c.Name, c.Kind = append(c.Name, view.SpanName(&s.Span)), append(c.Kind, s.Kind)
	c.Start, c.Dur, c.TTFT = append(c.Start, s.Start.Sub(base).Microseconds()), append(c.Dur, s.DurationMS), append(c.TTFT, s.TimeToFirstTokenMS)
	c.Status, c.Model = append(c.Status, s.Status), append(c.Model, cmp.Or(s.ModelUsed, s.Model))
	c.Tokens, c.In, c.Out = append(c.Tokens, sum(s.InputTokens, s.OutputTokens)), append(c.In, s.InputTokens), append(c.Out, s.OutputTokens)
	c.Cost, c.Counted = append(c.Cost, view.Digits(s.CostNanoUSD)), append(c.Counted, s.Counts())
}

// sum adds what is known; nil if nothing is.
func sum(a, b *int64) *int64 {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	n := trace.Plus(*a, *b)
	return &n
}

// failure is a span that failed.
type failure struct {
	SpanID trace.SpanID `json:"spanId"`
	Name   string       `json:"name"`
	Kind   trace.Kind   `json:"kind"`
	Start  int64        `json:"start"` // as in columns
	Error  *string      `json:"error"`
	// Cause is true of the one that the trace is as bad as.
	Cause bool `json:"cause"`
}

const maxErrorChars = 2000

// receipt is what became of a trace, by the clock of whoever took it.
type receipt struct {
	FirstAcceptedAt string `json:"firstAcceptedAt"`
	AcceptedAt      string `json:"acceptedAt"` // the last of it
	StoredAt        string `json:"storedAt"`   // the last of it
}

// receiptOf gives null for a trace that nothing is known of.
func receiptOf(r store.Receipt) *receipt {
	if r.Stored.IsZero() {
		return nil
	}
	return &receipt{view.Exactly(r.FirstAccepted), view.Exactly(r.LastAccepted), view.Exactly(r.Stored)}
}

func (g *Group) tree(w http.ResponseWriter, r *http.Request) error {
	id, err := api.PathID(r, noTrace)
	if err != nil {
		return err
	}
	in := queryInput(r)
	page := store.Page{Cursor: in.text("cursor", 4*maxTextChars), Limit: in.digits("limit", 1, store.MaxTraceSpans, store.MaxTraceSpans), Detail: store.Outline}
	if err := in.err(); err != nil {
		return err
	}
	ctx := r.Context()
	project := reqctx.Project(ctx)
	g.Barrier(ctx)
	hit, failed, err := g.Traces.FindTrace(ctx, project, trace.TraceID(id))
	if err != nil {
		return api.Missing(err, noTrace)
	}
	tree, err := g.Trees.TraceSpans(ctx, project, trace.TraceID(id), page)
	if err != nil {
		return api.Missing(queryFault(err), noTrace)
	}
	var came store.Receipt
	if tree.First == 0 { // the pages behind it have the same
		if came, err = g.Traces.Receipt(ctx, project, trace.TraceID(id)); err != nil {
			return err
		}
	}
	base := hit.Main.Start
	if hit.Start != nil {
		base = *hit.Start
	}
	row := view.TraceRowOf(&hit)
	row.StartTime = view.Exactly(base)
	answer := struct {
		N         int           `json:"n"`     // spans of this page
		First     int           `json:"first"` // the place of the first of them among all
		Total     int64         `json:"total"` // spans of the trace
		StartTime string        `json:"startTime"`
		Cols      columns       `json:"cols"`
		Errors    []failure     `json:"errors"` // of the whole trace, at most 100
		Totals    view.TraceRow `json:"totals"`
		Receipt   *receipt      `json:"receipt"` // null where nobody knows, and on the pages behind the first
		Next      *string       `json:"next"`
	}{Receipt: receiptOf(came), N: len(tree.Spans), First: tree.First, Total: tree.Total, StartTime: row.StartTime, Errors: []failure{}, Totals: row, Next: orNull(tree.Next)}
	for i := range tree.Spans {
		answer.Cols.add(&tree.Spans[i], base)
	}
	for i := range failed {
		s := &failed[i]
		answer.Errors = append(answer.Errors, failure{
			s.ID, view.SpanName(s), s.Kind, s.Start.Sub(base).Microseconds(), view.Cut(trace.ErrorText(s), maxErrorChars), hit.Failed != nil && hit.Failed.ID == s.ID,
		})
	}
	return api.WriteJSON(w, http.StatusOK, answer)
}

// digits is integer for a parameter of a URL.
func (in *input) digits(name string, low, high, absent int) int {
	if v, ok := in.member(name); ok {
		text, _ := jsontext.AppendUnquote(nil, v)
		if n, ok := api.ParseUint(string(text)); ok {
			in.members[name], _ = json.Marshal(n) // numbers always can
		} else {
			in.members[name] = jsontext.Value("true") // is none
		}
	}
	return in.integer(name, low, high, absent)
}

// parts are what of a payload can be asked for: JSON, or else text.
var parts = map[string]func(s *trace.Span) (body []byte, text *string){
	"request":  func(s *trace.Span) ([]byte, *string) { return view.RequestBody(s), nil },
	"response": func(s *trace.Span) ([]byte, *string) { return view.ResponseBody(s), nil },
	"input": func(s *trace.Span) ([]byte, *string) {
		return firstOf(s.Payload.InputMessages, s.Payload.ToolInput), nil
	},
	"output": func(s *trace.Span) ([]byte, *string) {
		return firstOf(s.Payload.OutputMessages, s.Payload.ToolResponse), s.Payload.OutputText
	},
	"error":      func(s *trace.Span) ([]byte, *string) { return s.Payload.Error, s.Payload.StatusMessage },
	"metadata":   func(s *trace.Span) ([]byte, *string) { return s.Payload.Metadata, nil },
	"attributes": func(s *trace.Span) ([]byte, *string) { return s.Payload.Attributes, nil },
	"resource":   func(s *trace.Span) ([]byte, *string) { return s.Payload.Resource, nil },
	"events":     func(s *trace.Span) ([]byte, *string) { return s.Payload.Events, nil },
	"links":      func(s *trace.Span) ([]byte, *string) { return s.Payload.Links, nil },
	"parameters": func(s *trace.Span) ([]byte, *string) { return s.Payload.Parameters, nil },
	"tools":      func(s *trace.Span) ([]byte, *string) { return s.Payload.Tools, nil },
}

func firstOf(values ...[]byte) []byte {
	for _, v := range values {
		if len(v) > 0 {
			return v
		}
	}
	return nil
}

// payload answers a part of a span's payload as it is stored.
func (g *Group) payload(w http.ResponseWriter, r *http.Request) error {
	const (
		noSpan = "Span not found"
		noPart = "The span has no such part"
	)
	id, err := api.PathID(r, noSpan)
	if err != nil {
		return err
	}
	part := r.PathValue("part")
	read := parts[part]
	if read == nil {
		return fault.New(fault.NotFound, noPart)
	}
	ctx := r.Context()
	g.Barrier(ctx)
	s, err := g.Traces.AnySpan(ctx, reqctx.Project(ctx), trace.SpanID(id))
	if err != nil {
		return api.Missing(err, noSpan)
	}
	contentType, extension := "application/json", ".json"
	body, text := read(&s)
	if len(body) == 0 && text != nil {
		body, contentType, extension = []byte(*text), "text/plain; charset=utf-8", ".txt"
	}
	switch {
	case len(body) == 0:
		return fault.New(fault.NotFound, noPart)
	case g.MaxPayloadBytes > 0 && len(body) > g.MaxPayloadBytes && r.Header.Get("Range") == "":
		return fault.Newf(fault.TooLarge, "The part has %d bytes: ask for at most %d at once, with Range", len(body), g.MaxPayloadBytes)
	}
	name := ""
	if r.URL.Query().Has("download") {
		name = part + extension
	}
	api.ServeBody(w, r, contentType, name, body)
	return nil
}
