package fold

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/filter"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Searcher is what an engine does for a search in one project, on one snapshot.
type Searcher interface {
	// Reach gives the n-th trace of w, newest first, and whether there are older
	// ones; w's Low and Terms do not count. The zero Cursor if there is no n-th.
	Reach(ctx context.Context, w Window, n int) (last Cursor, more bool, err error)
	// Page gives the first traces of w in an order, without spans. after, if set,
	// is the place that they come behind.
	Page(ctx context.Context, w Window, sort store.TraceSort, after *SortPlace, limit int) ([]trace.Trace, error)
	// CountRows counts the traces of w.
	CountRows(ctx context.Context, w Window) (int64, error)
	// CountWhole counts them in a part, from counts of traces. Counted says which
	// terms these know.
	CountWhole(ctx context.Context, p Part, terms []filter.Term) (int64, error)
	// Spans gives spans by id as a list shows them, without payloads in chunks
	// that take more than maxBytes.
	Spans(ctx context.Context, ids []trace.SpanID, maxBytes int) (map[trace.SpanID]*trace.Span, error)
	// Failed gives the spans that failed of each trace, by start, then id: the
	// first MaxFailed among the first MaxFailedIn.
	Failed(ctx context.Context, ids []trace.TraceID) (map[trace.TraceID][]Failed, error)
	// Fill reads the first store.TextSpans spans of traces with their payloads.
	Fill(ctx context.Context, traces []trace.Trace) error
	// TextChunks gives the first traces of w, in the order of Page by start, and the
	// chunks that Fill would read for each, and maybe more.
	TextChunks(ctx context.Context, w Window, limit int) (*TextChunks, error)
	// Signatures calls do with the signature of each of chunks that has one, which do
	// must not keep.
	Signatures(ctx context.Context, chunks []Chunk, do func(chunk Chunk, signature []byte) error) error
	// ByID gives the traces that there are of ids, in no order, without spans.
	ByID(ctx context.Context, ids []trace.TraceID) ([]trace.Trace, error)
}

// Failed is what tells which of the spans that failed did so first.
type Failed struct {
	Branch
	Start      int64
	DurationMS *float64
}

// Bounds of what is read of a trace to find what failed in it.
const (
	MaxFailed   = store.MaxFailures
	MaxFailedIn = 10_000
)

// previewBytes bounds the chunks that are inflated for a row of a list.
const previewBytes = 1 << 20

// Bounds of reading for texts.
const (
	textPage  = 500      // traces that are asked for at once, to begin with
	signPage  = 4_000    // traces whose signatures are looked at, in the end
	textBatch = 8        // traces whose payloads are in memory at once
	textBytes = 16 << 20 // payloads that one call reads
)

// Window is a part of a project's traces: those that start in Interval, before
// Before and not before Low (in the order of lists), and meet all terms. With
// After it is looked at from there to the newer ones: the first are the oldest,
// and Low is its newest.
type Window struct {
	Interval
	After  *Cursor // excluded; nil: no bound
	Before *Cursor // excluded; nil: no bound
	Low    *Cursor // included; nil: no bound
	Terms  []filter.Term
}

// Starts bounds the starts of w's traces by its Interval and its cursors. An engine
// that compares starts and ids together finds no place in an index by that, and
// would walk the whole Interval.
func (w *Window) Starts() Interval {
	i := w.Interval
	atLeast := func(c *Cursor) {
		if c != nil {
			i.From = max(i.From, c.Start)
		}
	}
	atMost := func(c *Cursor) {
		if c != nil {
			i.To = min(i.To, c.Start+1)
		}
	}
	atMost(w.Before)
	if atLeast(w.After); w.After != nil {
		atMost(w.Low)
	} else {
		atLeast(w.Low)
	}
	return i
}

// SortPlace is the place of a trace in an order.
type SortPlace struct {
	Key int64 // see SortKey; not of store.SortStart
	Cursor
}

// SortKey is what a trace is ordered by: whole numbers, -1 if unknown. The SQL
// of the engines says the same.
func SortKey(t *trace.Trace, sort store.TraceSort) int64 {
	switch sort {
	case store.SortLatency:
		return t.End.UnixMicro() - t.Start.UnixMicro()
	case store.SortCost:
		if t.CostNanoUSD == nil {
			return -1
		}
		return *t.CostNanoUSD
	case store.SortTokens:
		if t.InputTokens == nil && t.OutputTokens == nil {
			return -1
		}
		return min(value(t.InputTokens), MaxAddend) + min(value(t.OutputTokens), MaxAddend)
	case store.SortFailures:
		return t.ErrorCount
	}
	return 0
}

// MaxAddend is what two numbers are cut to before they are added in SQL.
const MaxAddend = math.MaxInt64 / 2

func cursorOf(t *trace.Trace) Cursor { return Cursor{Start: t.Start.UnixMicro(), ID: string(t.ID)} }

// ofSpans reports whether a term asks for what single spans say.
func ofSpans(t *filter.Term) bool {
	if t.Field == filter.FieldHas {
		return slices.ContainsFunc(t.Values, func(v filter.Value) bool { return probed(filter.Field(v.Text)) })
	}
	return probed(t.Field)
}

// Counted reports whether counts of traces know a field.
func Counted(f filter.Field) bool {
	switch f {
	case filter.FieldStatus, filter.FieldProvider, filter.FieldModel, filter.FieldSource:
		return true
	}
	return false
}

func allCounted(terms []filter.Term) bool {
	return !slices.ContainsFunc(terms, func(t filter.Term) bool { return !Counted(t.Field) })
}

// plan takes a query apart: what SQL answers, what payloads do, and how many
// traces are looked at.
func plan(q *store.TraceQuery) (rows, texts []filter.Term, bound int) {
	bound = store.MaxScanned
	for _, t := range q.Filter.Terms {
		if t.Field.OfPayloads() {
			texts = append(texts, t)
			continue
		}
		if rows = append(rows, t); ofSpans(&t) {
			bound = store.MaxProbed
		}
	}
	switch {
	case slices.ContainsFunc(texts, func(t filter.Term) bool { return prunes(&t) }):
		bound = min(bound, store.MaxSought)
	case len(texts) > 0:
		bound = store.MaxRead
	}
	return rows, texts, cmp.Or(q.Bound, bound)
}

// Search finds traces: the same for both engines.
func Search(ctx context.Context, e Searcher, q store.TraceQuery, p store.SearchPage) (store.TraceHits, error) {
	rows, texts, bound := plan(&q)
	place, err := parsePlace(p.Cursor, searchCursorVersion, slices.Index(store.TraceSorts(), p.Sort))
	if err != nil {
		return store.TraceHits{}, err
	}
	if p.Behind != nil {
		place = &searchPlace{SortPlace: SortPlace{Cursor: Cursor{Start: p.Behind.Start.UnixMicro(), ID: string(p.Behind.ID)}}}
		if p.Sort != store.SortStart || p.Cursor != "" || !storable(place.Cursor) {
			return store.TraceHits{}, errCursor()
		}
	}
	s := search{Searcher: e, texts: texts, bound: bound, page: p, place: place}
	s.w = Window{Interval: Bounds(q.Time), Terms: rows}
	switch {
	case len(texts) > 0 && p.Sort != store.SortStart:
		return store.TraceHits{}, &fault.Error{Code: fault.Invalid, Message: "Invalid sort", Issues: []fault.Issue{{
			Path: []any{"sort"}, Code: "invalid_value", Message: "What is looked for in texts, errors and metadata comes by start only",
		}}}
	case p.Sort == store.SortStart:
		err = s.byStart(ctx)
	default:
		err = s.bySort(ctx)
	}
	if err == nil && place == nil {
		err = s.count(ctx)
	}
	if err == nil {
		err = s.show(ctx)
	}
	return s.out, err
}

type search struct {
	Searcher
	w     Window
	texts []filter.Term
	bound int
	page  store.SearchPage
	place *searchPlace // where an earlier page ended
	found []trace.Trace
	// visit, if set, sees what byText finds, with the spans that were read.
	visit func(*trace.Trace)
	// branches are the spans that failed of what was found; show reads them.
	branches map[trace.TraceID][]Failed
	out      store.TraceHits
}

// reach sets how far this call looks.
func (s *search) reach(ctx context.Context) (last Cursor, more bool, err error) {
	if last, more, err = s.Reach(ctx, s.w, s.bound); more {
		s.w.Low = &last
	}
	return last, more, err
}

func (s *search) scannedTo(c Cursor) {
	at := time.UnixMicro(c.Start).UTC()
	s.out.ScannedTo = &at
}

func (s *search) byStart(ctx context.Context) error {
	if s.place != nil {
		s.w.Before = &s.place.Cursor
	}
	last, more, err := s.reach(ctx)
	if err != nil {
		return err
	}
	if len(s.texts) > 0 {
		return s.byText(ctx, last, more)
	}
	if s.found, err = s.Page(ctx, s.w, store.SortStart, nil, s.page.Limit+1); err != nil {
		return err
	}
	switch {
	case len(s.found) > s.page.Limit:
		s.found = s.found[:s.page.Limit]
		s.out.Next = searchPlace{SortPlace: SortPlace{Cursor: cursorOf(&s.found[s.page.Limit-1])}}.String(store.SortStart)
	case more:
		s.out.Next = searchPlace{SortPlace: SortPlace{Cursor: last}}.String(store.SortStart)
		s.scannedTo(last)
	}
	return nil
}

// byText reads the payloads of traces that may hold what is looked for until the
// page is full, or enough was read. last is how far it looks, if more traces are
// beyond.
func (s *search) byText(ctx context.Context, last Cursor, more bool) error {
	w, size, page := s.w, 0, textPage
	pruner := newPruner(s.texts)
	for {
		likely, looked, at, err := s.likely(ctx, pruner, w, page)
		if err != nil {
			return err
		}
		for some := range slices.Chunk(likely, textBatch) {
			read, full, err := s.read(ctx, some)
			if size += read; err != nil || full {
				return err
			}
			if size > textBytes {
				at := cursorOf(&some[len(some)-1])
				s.out.Next = searchPlace{SortPlace: SortPlace{Cursor: at}}.String(store.SortStart)
				s.scannedTo(at)
				return nil
			}
		}
		switch {
		case looked < page && more:
			s.out.Next = searchPlace{SortPlace: SortPlace{Cursor: last}}.String(store.SortStart)
			s.scannedTo(last)
			return nil
		case looked < page:
			return nil
		}
		if w.After != nil {
			w.After = &at
		} else {
			w.Before = &at
		}
		if pruner != nil && len(likely) == 0 {
			page = min(2*page, signPage) // what is rare is far
		}
	}
}

// read reads the payloads of traces and keeps those that are found. full says that
// there is one more than the page has room for.
func (s *search) read(ctx context.Context, traces []trace.Trace) (size int, full bool, err error) {
	if err := s.Fill(ctx, traces); err != nil {
		return 0, false, err
	}
	for i := range traces {
		t := &traces[i]
		hit := matchTexts(t, s.texts)
		for j := range t.Spans {
			size += t.Spans[j].Payload.Bytes()
		}
		if hit && len(s.found) == s.page.Limit {
			before := cursorOf(&s.found[len(s.found)-1])
			s.out.Next = searchPlace{SortPlace: SortPlace{Cursor: before}}.String(store.SortStart)
			return size, true, nil
		}
		if hit && s.visit != nil {
			s.visit(t)
		}
		if t.Spans = nil; hit {
			s.found = append(s.found, *t)
		}
	}
	return size, false, nil
}

// likely gives those of the first traces of w whose payloads may hold what is
// looked for, in their order. It looked at so many, up to at.
func (s *search) likely(ctx context.Context, p *pruner, w Window, limit int) (likely []trace.Trace, looked int, at Cursor, err error) {
	if p == nil {
		if likely, err = s.Page(ctx, w, store.SortStart, nil, limit); len(likely) > 0 {
			at = cursorOf(&likely[len(likely)-1])
		}
		return likely, len(likely), at, err
	}
	chunks, err := s.TextChunks(ctx, w, limit)
	if err != nil || len(chunks.traces) == 0 {
		return nil, 0, at, err
	}
	at = chunks.traces[len(chunks.traces)-1]
	ids, err := p.likely(ctx, s.Searcher, chunks)
	if err != nil || len(ids) == 0 {
		return nil, len(chunks.traces), at, err
	}
	likely, err = s.ByID(ctx, ids)
	place := make(map[trace.TraceID]int, len(ids))
	for i, id := range ids {
		place[id] = i
	}
	slices.SortFunc(likely, func(a, b trace.Trace) int { return place[a.ID] - place[b.ID] })
	return likely, len(chunks.traces), at, err
}

// prunes reports whether signatures can tell that a trace does not meet a term
// about payloads: whichever of its values is met, they hold its text.
func prunes(t *filter.Term) bool {
	_, meta := t.Field.Meta()
	return !t.Not && !slices.ContainsFunc(t.Values, func(v filter.Value) bool {
		// A value that is no text is compared as JSON, whose escapes signatures do not have.
		return v.Glob || !store.Prunes(v.Text) || meta && strings.Contains(v.Text, `\`)
	})
}

// bySort orders the traces that are looked at. Later pages look at no older
// ones, so that they neither repeat nor skip what the first one saw.
func (s *search) bySort(ctx context.Context) error {
	var after *SortPlace
	if s.place != nil {
		after, s.w.Low = &s.place.SortPlace, s.place.low
	} else if _, _, err := s.reach(ctx); err != nil {
		return err
	}
	var err error
	if s.found, err = s.Page(ctx, s.w, s.page.Sort, after, s.page.Limit+1); err != nil {
		return err
	}
	if s.w.Low != nil {
		s.scannedTo(*s.w.Low)
	}
	if len(s.found) > s.page.Limit {
		s.found = s.found[:s.page.Limit]
		t := &s.found[s.page.Limit-1]
		s.out.Next = searchPlace{SortPlace: SortPlace{SortKey(t, s.page.Sort), cursorOf(t)}, low: s.w.Low}.String(s.page.Sort)
	}
	return nil
}

// count fills in the total.
func (s *search) count(ctx context.Context) (err error) {
	switch {
	case len(s.texts) > 0:
		s.out.Total, s.out.Exact = int64(len(s.found)), s.out.Next == ""
	case len(s.found) < s.page.Limit && s.w.Low == nil: // all there are
		s.out.Total, s.out.Exact = int64(len(s.found)), true
	case allCounted(s.w.Terms):
		s.out.Total, err = countTraces(ctx, s, Window{Interval: s.w.Interval, Terms: s.w.Terms})
		s.out.Exact = true
	case len(s.found) < s.page.Limit: // all that were looked at
		s.out.Total = int64(len(s.found))
	default:
		s.out.Total, err = s.CountRows(ctx, s.w)
		s.out.Exact = s.w.Low == nil
	}
	return err
}

// countTraces counts a range from counts of traces, and from rows in the buckets
// that it cuts.
func countTraces(ctx context.Context, e Searcher, w Window) (total int64, err error) {
	p := NewPlan(w.Interval)
	for _, part := range p.Parts {
		n, err := e.CountWhole(ctx, part, w.Terms)
		if err != nil {
			return 0, err
		}
		total += n
	}
	for _, cut := range p.Cuts {
		n, err := e.CountRows(ctx, Window{Interval: cut.Rows, Terms: w.Terms})
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// show reads the spans that rows show something of.
func (s *search) show(ctx context.Context) error {
	var failed []trace.TraceID
	var ids []trace.SpanID
	for i := range s.found {
		t := &s.found[i]
		ids = append(ids, t.Main.SpanID)
		if t.Root.SpanID != "" {
			ids = append(ids, t.Root.SpanID)
		}
		if t.ErrorCount > 0 {
			failed = append(failed, t.ID)
		}
	}
	causes := map[trace.TraceID]trace.SpanID{}
	if len(failed) > 0 {
		var err error
		if s.branches, err = s.Failed(ctx, failed); err != nil {
			return err
		}
		for i := range s.found {
			t := &s.found[i]
			if t.ErrorCount == 0 {
				continue
			}
			causes[t.ID] = cmp.Or(causeOf(s.branches[t.ID]), t.Failure.SpanID)
			ids = append(ids, causes[t.ID])
		}
	}
	spans, err := s.Spans(ctx, ids, previewBytes)
	if err != nil {
		return err
	}
	s.out.Hits = make([]store.TraceHit, len(s.found))
	for i, t := range s.found {
		h := store.TraceHit{Trace: t, Failed: spans[causes[t.ID]]}
		if main := spans[t.Main.SpanID]; main != nil {
			h.MainSpan = *main
		}
		if t.Root.SpanID != t.Main.SpanID {
			h.RootSpan = spans[t.Root.SpanID]
		}
		s.out.Hits[i] = h
	}
	return nil
}

// FindTrace gives one trace, and what failed in it.
func FindTrace(ctx context.Context, e Searcher, t *trace.Trace) (store.TraceHit, []trace.Span, error) {
	s := search{Searcher: e, found: []trace.Trace{*t}}
	if err := s.show(ctx); err != nil {
		return store.TraceHit{}, nil, err
	}
	hit := s.out.Hits[0]
	if t.ErrorCount == 0 {
		return hit, nil, nil
	}
	ids := make([]trace.SpanID, len(s.branches[t.ID]))
	for i, b := range s.branches[t.ID] {
		ids[i] = b.ID
	}
	spans, err := e.Spans(ctx, ids, previewBytes)
	if err != nil {
		return hit, nil, err
	}
	var failed []trace.Span
	for _, id := range ids {
		if span := spans[id]; span != nil {
			failed = append(failed, *span)
		}
	}
	return hit, failed, nil
}

// causeOf gives the span that failed of itself: the first that ended so, as
// failures go up from those below to those around them. What has not ended, and
// what has a child that failed, comes after all others.
func causeOf(failed []Failed) trace.SpanID {
	if len(failed) == 0 {
		return ""
	}
	parents := map[trace.SpanID]bool{}
	for _, f := range failed {
		if f.Parent != f.ID {
			parents[f.Parent] = true
		}
	}
	rank := func(f Failed) int {
		switch {
		case parents[f.ID]:
			return 2
		case f.DurationMS == nil:
			return 1
		}
		return 0
	}
	end := func(f Failed) float64 {
		if f.DurationMS == nil {
			return float64(f.Start)
		}
		return float64(f.Start) + *f.DurationMS*1000
	}
	return slices.MinFunc(failed, func(a, b Failed) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(end(a), end(b)), cmp.Compare(b.Start, a.Start), cmp.Compare(a.ID, b.ID))
	}).ID
}

// searchPlace is where a page of a search ended.
type searchPlace struct {
	SortPlace
	low *Cursor // how far the first page looked, of orders but by start
}

const searchCursorVersion = 3 // trees have 2

// String encodes a place for store.SearchPage.
func (p searchPlace) String(sort store.TraceSort) string {
	return p.encode(searchCursorVersion, slices.Index(store.TraceSorts(), sort))
}

// encode writes a place for cursors of a kind, and an order.
func (p searchPlace) encode(version byte, sort int) string {
	b := []byte{version, byte(sort)}
	b = binary.AppendVarint(binary.AppendVarint(b, p.Key), p.Start)
	b = append(binary.AppendUvarint(b, uint64(len(p.ID))), p.ID...)
	if p.low != nil {
		b = append(binary.AppendVarint(b, p.low.Start), p.low.ID...)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// parsePlace reads what encode wrote; nil for no cursor.
func parsePlace(s string, version byte, sort int) (*searchPlace, error) {
	if s == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) < 2 || b[0] != version || int(b[1]) != sort {
		return nil, errCursor()
	}
	b = b[2:]
	number := func() int64 {
		v, n := binary.Varint(b)
		if n <= 0 {
			b = nil
			return 0
		}
		b = b[n:]
		return v
	}
	var p searchPlace
	p.Key, p.Start = number(), number()
	size, n := binary.Uvarint(b)
	if n <= 0 || size == 0 || size > trace.MaxIDBytes || uint64(len(b)-n) < size {
		return nil, errCursor()
	}
	p.ID, b = string(b[n:n+int(size)]), b[n+int(size):]
	if len(b) > 0 {
		low := Cursor{Start: number()}
		if low.ID = string(b); low.ID == "" || len(b) > trace.MaxIDBytes {
			return nil, errCursor()
		}
		p.low = &low
	}
	if !storable(p.Cursor) || p.low != nil && !storable(*p.low) {
		return nil, errCursor()
	}
	return &p, nil
}

// storable reports whether every engine can compare with c.
func storable(c Cursor) bool {
	return c.Start >= trace.MinTime.UnixMicro() && c.Start <= trace.MaxTime.UnixMicro() && !strings.ContainsRune(c.ID, 0) && strings.ToValidUTF8(c.ID, "") == c.ID
}

// matchTexts reports whether the spans that were read of a trace are what terms
// about their payloads say.
func matchTexts(t *trace.Trace, terms []filter.Term) bool {
	for i := range terms {
		term := &terms[i]
		hit := slices.ContainsFunc(term.Values, func(v filter.Value) bool {
			return slices.ContainsFunc(t.Spans, func(s trace.Span) bool { return matchText(&s, term.Field, v) })
		})
		if hit == term.Not {
			return false
		}
	}
	return true
}

func matchText(s *trace.Span, field filter.Field, v filter.Value) bool {
	if key, ok := field.Meta(); ok {
		return slices.ContainsFunc(saidOf(s), func(raw json.RawMessage) bool {
			value, ok := members(raw)[key]
			return ok && v.Match(memberText(value))
		})
	}
	if field == filter.FieldError {
		if s.Status != trace.StatusError {
			return false
		}
		text := strings.ToLower(trace.ErrorText(s))
		if lower := (filter.Value{Text: strings.ToLower(v.Text), Glob: v.Glob}); v.Glob {
			return lower.Match(text)
		}
		return text != "" && strings.Contains(text, strings.ToLower(v.Text))
	}
	needle := strings.ToLower(v.Text)
	texts, values := store.Searched(&s.Payload)
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(strings.ToLower(text), needle) }) ||
		slices.ContainsFunc(values, func(value json.RawMessage) bool { return jsonHas(value, needle) })
}

// saidOf gives where a span says what is asked for as metadata.
func saidOf(s *trace.Span) []json.RawMessage {
	return []json.RawMessage{s.Payload.Metadata, s.Payload.Attributes}
}

// jsonHas reports whether some name or value in JSON holds a text that is in
// lower case. What has neither the text nor an escape that could hide it is not
// taken apart.
func jsonHas(raw json.RawMessage, needle string) bool {
	if len(raw) == 0 {
		return false
	}
	plain := !strings.ContainsFunc(needle, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' })
	if plain && !bytes.Contains(raw, []byte(`\u`)) && !bytes.Contains(raw, []byte(`\/`)) && !bytes.Contains(bytes.ToLower(raw), []byte(needle)) {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	for {
		t, err := d.Token()
		if err != nil {
			return false // the end, or damage
		}
		switch v := t.(type) {
		case string:
			if strings.Contains(strings.ToLower(v), needle) {
				return true
			}
		case json.Number:
			if strings.Contains(strings.ToLower(v.String()), needle) {
				return true
			}
		}
	}
}

// members gives those of an object; nil of anything else.
func members(raw json.RawMessage) map[string]json.RawMessage {
	var object map[string]json.RawMessage
	if len(raw) == 0 || json.Unmarshal(raw, &object) != nil {
		return nil
	}
	return object
}

// memberText gives a member's value as text: a string's content, or any other
// value's JSON.
func memberText(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}
