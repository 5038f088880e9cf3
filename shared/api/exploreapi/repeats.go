package exploreapi

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/api/view"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

const (
	// repeatsPage is how many spans are read at a time, with their payloads.
	repeatsPage = 100
	// repeatsTime is how long a trace is read; what is behind it is left out, and the
	// answer says so.
	repeatsTime = 8 * time.Second
	// maxLoops and maxLoopSpans bound what is answered; counts are of all.
	maxLoops, maxLoopSpans = 50, 100
	maxArgumentChars       = 200
)

// repeatedCall is a model call that was told again what an earlier one was.
type repeatedCall struct {
	SpanID trace.SpanID `json:"spanId"`
	// After is the last call before it that was told the same at the beginning.
	After    trace.SpanID `json:"after"`
	Messages int          `json:"messages"`
	Same     int          `json:"same"` // of them, from the first one on, that After was told too
	// SameInputTokens are estimated: the share of the bytes that were the same.
	SameInputTokens *int64 `json:"sameInputTokens"`
}

// loop is a tool that was called again with the same arguments.
type loop struct {
	Name       string         `json:"name"`
	Arguments  string         `json:"arguments"` // the begin of them, as JSON
	Count      int            `json:"count"`
	Failed     int            `json:"failed"`
	DurationMS float64        `json:"durationMs"` // of all but the first
	SpanIDs    []trace.SpanID `json:"spanIds"`    // in the order of the tree, at most 100
}

// repeats are what a trace did more than once.
type repeats struct {
	Spans           int            `json:"spans"`    // that were looked at
	Complete        bool           `json:"complete"` // they are all of the trace
	InputTokens     *int64         `json:"inputTokens"`
	SameInputTokens *int64         `json:"sameInputTokens"`
	Calls           []repeatedCall `json:"calls"`
	Loops           []loop         `json:"loops"`

	told  map[uint64]trace.SpanID // the last call that was told messages of this hash, from the first one on
	loops map[uint64]*loop
}

// repeats answers which context a trace's model calls were told again, and which
// tools it called again with the same arguments.
func (g *Group) repeats(w http.ResponseWriter, r *http.Request) error {
	id, err := api.PathID(r, noTrace)
	if err != nil {
		return err
	}
	ctx := r.Context()
	g.Barrier(ctx)
	found, err := g.readRepeats(ctx, trace.TraceID(id))
	if err != nil {
		return api.Missing(err, noTrace)
	}
	return api.WriteJSON(w, http.StatusOK, found)
}

func (g *Group) readRepeats(ctx context.Context, id trace.TraceID) (*repeats, error) {
	found := &repeats{Calls: []repeatedCall{}, told: map[uint64]trace.SpanID{}, loops: map[uint64]*loop{}}
	until := g.Now().Add(repeatsTime)
	for page := (store.Page{Limit: repeatsPage, Detail: store.Full}); ; {
		tree, err := g.Trees.TraceSpans(ctx, reqctx.Project(ctx), id, page)
		if err != nil {
			return nil, err
		}
		for i := range tree.Spans {
			found.add(&tree.Spans[i].Span)
		}
		found.Complete, page.Cursor = tree.Next == "", tree.Next
		if found.Complete || g.Now().After(until) {
			break
		}
	}
	found.Loops = make([]loop, 0, len(found.loops))
	for _, l := range found.loops {
		if l.Count > 1 {
			found.Loops = append(found.Loops, *l)
		}
	}
	slices.SortFunc(found.Loops, func(a, b loop) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(b.DurationMS, a.DurationMS), cmp.Compare(a.SpanIDs[0], b.SpanIDs[0]))
	})
	found.Loops = found.Loops[:min(len(found.Loops), maxLoops)]
	return found, nil
}

func (f *repeats) add(s *trace.Span) {
	f.Spans++
	switch {
	case !s.Counts(): // another span tells of the same
	case s.Kind == trace.KindToolUse:
		f.addTool(s)
	case s.Kind == trace.KindLLMCall:
		f.addCall(s)
	}
}

func (f *repeats) addTool(s *trace.Span) {
	name, arguments := view.SpanName(s), canonical(s.Payload.ToolInput)
	if s.ToolName != nil {
		name = *s.ToolName
	}
	hash := xxhash.New()
	_, _ = hash.WriteString(name + "\x00")
	_, _ = hash.Write(arguments)
	l := f.loops[hash.Sum64()]
	if l == nil {
		l = &loop{Name: name, Arguments: text(view.Cut(string(arguments), maxArgumentChars))}
		f.loops[hash.Sum64()] = l
	} else if s.DurationMS != nil {
		l.DurationMS += *s.DurationMS
	}
	l.Count++
	if s.Status == trace.StatusError {
		l.Failed++
	}
	if len(l.SpanIDs) < maxLoopSpans {
		l.SpanIDs = append(l.SpanIDs, s.ID)
	}
}

func (f *repeats) addCall(s *trace.Span) {
	f.InputTokens = sum(f.InputTokens, s.InputTokens)
	messages := toldMessages(&s.Payload)
	var (
		call  = repeatedCall{SpanID: s.ID, Messages: len(messages)}
		hash  = xxhash.New()
		heads = make([]uint64, len(messages))
		all   int
		same  int
	)
	for i, m := range messages {
		_, _ = hash.Write(m)
		_, _ = hash.WriteString("\x00")
		heads[i] = hash.Sum64()
		all += len(m)
		if after, ok := f.told[heads[i]]; ok {
			call.After, call.Same, same = after, i+1, all
		}
	}
	for _, h := range heads {
		f.told[h] = s.ID
	}
	if call.Same == 0 {
		return
	}
	if s.InputTokens != nil {
		n := int64(float64(*s.InputTokens) * float64(same) / float64(all))
		call.SameInputTokens = &n
		f.SameInputTokens = sum(f.SameInputTokens, &n)
	}
	f.Calls = append(f.Calls, call)
}

// toldMessages gives what a model call was told, message by message, in whatever
// shape its sender told it; nothing where that is none that is known.
func toldMessages(p *trace.Payload) []jsontext.Value {
	if len(p.InputMessages) > 0 {
		return elements(canonical(p.InputMessages))
	}
	request := members(canonical(p.Request))
	var messages []jsontext.Value
	for _, name := range []string{"system", "instructions", "systemInstruction", "system_instruction", "tools"} {
		if v := request[name]; len(v) > 0 && v.Kind() != 'n' {
			messages = append(messages, v)
		}
	}
	for _, name := range []string{"messages", "input", "contents", "prompt"} {
		if v := request[name]; len(v) > 0 && v.Kind() != 'n' {
			if v.Kind() != '[' {
				return append(messages, v)
			}
			return append(messages, elements(v)...)
		}
	}
	return nil
}

// canonical gives JSON in the one form that equal values have; what is no JSON
// stays.
func canonical(raw []byte) jsontext.Value {
	v := jsontext.Value(slices.Clone(raw))
	if err := v.Canonicalize(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true), jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)); err != nil {
		return raw
	}
	return v
}

// elements gives the values of an array; nothing if it is none.
func elements(v jsontext.Value) []jsontext.Value {
	var all []jsontext.Value
	if v.Kind() != '[' || json.Unmarshal(v, &all, api.DecodeOptions) != nil {
		return nil
	}
	return all
}

// members gives the values of an object; nothing if it is none.
func members(v jsontext.Value) map[string]jsontext.Value {
	var all map[string]jsontext.Value
	if v.Kind() != '{' || json.Unmarshal(v, &all, api.DecodeOptions) != nil {
		return nil
	}
	return all
}
