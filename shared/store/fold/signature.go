package fold

import (
	"github.com/google/uuid"

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

// TextChunks collects the chunks that hold the texts of traces: those of their
// spans, and of others that tell of the same calls.
type TextChunks struct {
	chunks []map[uuid.UUID]bool // of each trace
	known  map[uuid.UUID]bool
	toldOf map[trace.SpanID][]int // by a span that tells: the traces of those that it tells of
}

// NewTextChunks makes them for n traces.
func NewTextChunks(n int) *TextChunks {
	return &TextChunks{chunks: make([]map[uuid.UUID]bool, n), known: map[uuid.UUID]bool{}, toldOf: map[trace.SpanID][]int{}}
}

// Span adds a span of the n-th trace: its chunk, uuid.Nil if it has none, and the
// list of the spans that tell of it as it is stored. fresh says that the chunk was
// in no call before.
func (c *TextChunks) Span(n int, chunk uuid.UUID, told *string) (fresh bool, err error) {
	tellers, err := DecodeList[trace.SpanID](told)
	if err != nil {
		return false, err
	}
	for _, id := range tellers {
		c.toldOf[id] = append(c.toldOf[id], n)
	}
	return c.add(n, chunk), nil
}

// Tellers gives the spans that tell of those that were added.
func (c *TextChunks) Tellers() []trace.SpanID {
	ids := make([]trace.SpanID, 0, len(c.toldOf))
	for id := range c.toldOf {
		ids = append(ids, id)
	}
	return ids
}

// Teller adds the chunk of one of Tellers; fresh as of Span.
func (c *TextChunks) Teller(id trace.SpanID, chunk uuid.UUID) (fresh bool) {
	for _, n := range c.toldOf[id] {
		fresh = c.add(n, chunk) || fresh
	}
	return fresh
}

func (c *TextChunks) add(n int, chunk uuid.UUID) (fresh bool) {
	if chunk == uuid.Nil {
		return false
	}
	if c.chunks[n] == nil {
		c.chunks[n] = map[uuid.UUID]bool{}
	}
	c.chunks[n][chunk] = true
	fresh = !c.known[chunk]
	c.known[chunk] = true
	return fresh
}

// Signatures is the answer of Searcher.Signatures, from those of all chunks.
func (c *TextChunks) Signatures(of map[uuid.UUID][]byte) [][][]byte {
	out := make([][][]byte, len(c.chunks))
	for n, chunks := range c.chunks {
		for chunk := range chunks {
			out[n] = append(out[n], of[chunk])
		}
	}
	return out
}
