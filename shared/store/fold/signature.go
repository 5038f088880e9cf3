package fold

import (
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/filter"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// SignChunk gives the signature of a chunk as it is stored: one that tells nothing
// of a chunk that cannot be read.
func SignChunk(data []byte) []byte {
	payloads, err := store.UnpackChunk(data)
	if err != nil {
		return []byte{}
	}
	return store.Sign(payloads)
}

// Chunk says where a chunk is.
type Chunk struct {
	Day int64 // of its arrival, since 1970
	ID  uuid.UUID
}

// TextChunks collects the chunks that hold the texts of traces: those of their
// spans, and of others that tell of the same calls.
type TextChunks struct {
	traces []Cursor
	chunks [][]Chunk              // of each trace
	toldOf map[trace.SpanID][]int // by a span that tells: the traces of those that it tells of
}

// Trace adds the next trace and gives its number.
func (c *TextChunks) Trace(at Cursor) int {
	c.traces, c.chunks = append(c.traces, at), append(c.chunks, nil)
	return len(c.traces) - 1
}

// Ends gives the oldest and the newest of the traces, of which there are some, as
// those of w.
func (c *TextChunks) Ends(w Window) (oldest, newest Cursor) {
	first, last := c.traces[0], c.traces[len(c.traces)-1]
	if w.After != nil {
		return first, last
	}
	return last, first
}

// Span adds a span of the n-th trace: its chunk, of uuid.Nil if it has none, and the
// list of the spans that tell of it as it is stored.
func (c *TextChunks) Span(n int, chunk Chunk, told *string) error {
	tellers, err := DecodeList[trace.SpanID](told)
	if err != nil {
		return err
	}
	for _, id := range tellers {
		if c.toldOf == nil {
			c.toldOf = map[trace.SpanID][]int{}
		}
		c.toldOf[id] = append(c.toldOf[id], n)
	}
	c.add(n, chunk)
	return nil
}

// Tellers gives the spans that tell of those that were added.
func (c *TextChunks) Tellers() []trace.SpanID { return slices.Collect(maps.Keys(c.toldOf)) }

// Teller adds the chunk of one of Tellers.
func (c *TextChunks) Teller(id trace.SpanID, chunk Chunk) {
	for _, n := range c.toldOf[id] {
		c.add(n, chunk)
	}
}

func (c *TextChunks) add(n int, chunk Chunk) {
	if chunk.ID != uuid.Nil && !slices.Contains(c.chunks[n], chunk) {
		c.chunks[n] = append(c.chunks[n], chunk)
	}
}

// pruner tells which traces do not meet terms about payloads, by the signatures of
// their chunks.
type pruner struct {
	terms []filter.Term // those that signatures tell of, maxPruning at most
	may   map[Chunk]met // of the chunks that were looked at
}

// met has a bit for each term that may be met.
type met uint64

// maxPruning is how many terms are looked at: others rule nothing out.
const maxPruning = 64

// newPruner gives nil where signatures tell of none of terms.
func newPruner(terms []filter.Term) *pruner {
	p := &pruner{may: map[Chunk]met{}}
	for _, t := range terms {
		if prunes(&t) && len(p.terms) < maxPruning {
			p.terms = append(p.terms, t)
		}
	}
	if len(p.terms) == 0 {
		return nil
	}
	return p
}

// read reads the signatures of those chunks that were not looked at before.
func (p *pruner) read(ctx context.Context, s Searcher, chunks [][]Chunk) error {
	all := met(1)<<len(p.terms) - 1
	var fresh []Chunk
	for _, some := range chunks {
		for _, chunk := range some {
			if _, known := p.may[chunk]; !known {
				p.may[chunk] = all // until a signature says something else
				fresh = append(fresh, chunk)
			}
		}
	}
	return s.Signatures(ctx, fresh, func(chunk Chunk, signature []byte) error {
		var may met
		for i, t := range p.terms {
			if slices.ContainsFunc(t.Values, func(value filter.Value) bool { return store.MayHold(signature, value.Text) }) {
				may |= 1 << i
			}
		}
		p.may[chunk] = may
		return nil
	})
}

// likely gives the traces that may meet all terms.
func (p *pruner) likely(ctx context.Context, s Searcher, c *TextChunks) (ids []trace.TraceID, err error) {
	if err := p.read(ctx, s, c.chunks); err != nil {
		return nil, err
	}
	for n, chunks := range c.chunks {
		var may met
		for _, chunk := range chunks {
			may |= p.may[chunk]
		}
		if may == 1<<len(p.terms)-1 {
			ids = append(ids, trace.TraceID(c.traces[n].ID))
		}
	}
	return ids, nil
}
