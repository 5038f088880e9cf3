package fold

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/filter"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// signedTraces has traces with the payload and the signature of one chunk each,
// and counts what is read.
type signedTraces struct {
	Searcher
	traces   []trace.Trace
	payloads []trace.Payload
	read     int
}

func (s *signedTraces) Reach(context.Context, Window, int) (Cursor, bool, error) {
	return Cursor{}, false, nil
}

func (s *signedTraces) Page(_ context.Context, w Window, _ store.TraceSort, _ *SortPlace, limit int) ([]trace.Trace, error) {
	from := 0
	for w.Before != nil && from < len(s.traces) && s.traces[from].Start.UnixMicro() >= w.Before.Start {
		from++
	}
	return append([]trace.Trace(nil), s.traces[from:min(from+limit, len(s.traces))]...), nil
}

func (s *signedTraces) ByID(_ context.Context, ids []trace.TraceID) (out []trace.Trace, _ error) {
	for i := range s.traces {
		if slices.Contains(ids, s.traces[i].ID) {
			out = append(out, s.traces[i])
		}
	}
	return out, nil
}

func (s *signedTraces) number(t *trace.Trace) (n int) {
	_, _ = fmt.Sscanf(string(t.ID), "t%d", &n)
	return n
}

func (s *signedTraces) Fill(_ context.Context, traces []trace.Trace) error {
	for i := range traces {
		traces[i].Spans = []trace.Span{{Payload: s.payloads[s.number(&traces[i])]}}
	}
	s.read += len(traces)
	return nil
}

func (s *signedTraces) TextChunks(ctx context.Context, w Window, limit int) (*TextChunks, error) {
	chunks := &TextChunks{}
	page, err := s.Page(ctx, w, store.SortStart, nil, limit)
	for i := range page {
		err = errors.Join(err, chunks.Span(chunks.Trace(cursorOf(&page[i])), Chunk{Day: int64(s.number(&page[i])), ID: chunkID}, nil))
	}
	return chunks, err
}

// chunkID is that of every chunk: their days tell them apart.
var chunkID = uuid.New()

func (s *signedTraces) Signatures(_ context.Context, chunks []Chunk, do func(Chunk, []byte) error) error {
	for _, c := range chunks {
		if n := int(c.Day); n%100 != 99 {
			if err := do(c, store.Sign(s.payloads[n:n+1])); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *signedTraces) Spans(context.Context, []trace.SpanID, int) (map[trace.SpanID]*trace.Span, error) {
	return nil, nil
}

// Only what may hold a text is read, and what has no signature.
func TestSignaturesSparePayloads(t *testing.T) {
	t.Parallel()
	const n = 3 * textPage / 2
	for text, most := range map[string]int{
		`"order 700"`: 1 + n/100 + n/50, `meta.order:"number 700"`: 1 + n/100 + n/50, `"700"`: n, `-meta.order:"number 700"`: n, `meta.order:*70*`: n,
	} {
		s := &signedTraces{}
		for i := range n {
			start := time.Unix(int64(n-i), 0)
			s.traces = append(s.traces, trace.Trace{ID: trace.TraceID(fmt.Sprintf("t%d", i)), Start: &start})
			s.payloads = append(s.payloads, trace.Payload{
				Request:  json.RawMessage(fmt.Sprintf(`{"content":"What became of order %d?"}`, i)),
				Metadata: json.RawMessage(fmt.Sprintf(`{"order":"number %d"}`, i)),
			})
		}
		f, err := filter.Parse(text)
		if err != nil {
			t.Fatal(text, err)
		}
		hits, err := Search(t.Context(), s, store.TraceQuery{Filter: f}, store.SearchPage{Sort: store.SortStart, Limit: 1000})
		if err != nil || len(hits.Hits) == 0 {
			t.Fatalf("%s: %d found, %v", text, len(hits.Hits), err)
		}
		if s.read > most || s.read < most && most == n {
			t.Errorf("%s: %d payloads of %d read", text, s.read, n)
		}
	}
}
