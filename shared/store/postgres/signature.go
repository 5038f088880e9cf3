package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// SignChunks implements store.TextIndexer. Chunks that another process works at
// are left to it.
func (db *DB) SignChunks(ctx context.Context, limit int) (signed int, err error) {
	type chunk struct {
		project, day string
		id           []byte
	}
	err = db.inTx(ctx, func(tx pgx.Tx) error {
		chunks, err := collect(ctx, tx, func(row pgx.CollectableRow) (chunk, error) {
			var c chunk
			err := row.Scan(&c.project, &c.day, &c.id)
			return c, err
		}, `SELECT project_id, day::text, chunk_id FROM payload_chunks WHERE signature IS NULL LIMIT $1 FOR UPDATE SKIP LOCKED`, limit)
		if err != nil {
			return err
		}
		for _, c := range chunks { // one at a time: some are large
			key := []any{c.project, c.day, c.id}
			data, err := collectOne(ctx, tx, pgx.RowTo[[]byte],
				`SELECT data FROM payload_chunks WHERE project_id = $1 AND day = $2::text::date AND chunk_id = $3`, key...)
			if err != nil {
				return err
			}
			err = execute(ctx, tx, `UPDATE payload_chunks SET signature = $4 WHERE project_id = $1 AND day = $2::text::date AND chunk_id = $3`,
				append(key, fold.SignChunk(data))...)
			if err != nil {
				return err
			}
		}
		signed = len(chunks)
		return nil
	})
	return signed, err
}

// Signatures implements fold.Searcher.
func (s *searching) Signatures(ctx context.Context, traces []trace.Trace) ([][][]byte, error) {
	chunks := fold.NewTextChunks(len(traces))
	var days []string
	var wanted [][]byte
	want := func(day *time.Time, chunk []byte) {
		days, wanted = append(days, day.Format(time.DateOnly)), append(wanted, chunk)
	}
	spans, err := s.textSpans(ctx, traces)
	if err != nil {
		return nil, err
	}
	for _, span := range spans {
		fresh, err := chunks.Span(span.trace, chunkOf(span.chunk), span.told)
		if err != nil {
			return nil, err
		}
		if fresh {
			want(span.day, span.chunk)
		}
	}
	tellers, err := collect(ctx, s.q, func(row pgx.CollectableRow) (textSpan, error) {
		var span textSpan
		err := row.Scan((*string)(&span.id), &span.day, &span.chunk)
		return span, err
	}, `SELECT span_id, payload_day, payload_chunk FROM spans WHERE project_id = $1 AND span_id = ANY($2)`, string(s.project), texts(chunks.Tellers()))
	if err != nil {
		return nil, err
	}
	for _, span := range tellers {
		if chunks.Teller(span.id, chunkOf(span.chunk)) {
			want(span.day, span.chunk)
		}
	}
	slices.Sort(days)
	signatures := make(map[uuid.UUID][]byte, len(wanted))
	_, err = collect(ctx, s.q, func(row pgx.CollectableRow) (struct{}, error) {
		var id, signature []byte
		err := row.Scan(&id, &signature)
		signatures[chunkOf(id)] = signature
		return struct{}{}, err
	}, `SELECT chunk_id, signature FROM payload_chunks WHERE project_id = $1 AND day = ANY($2::text[]::date[]) AND chunk_id = ANY($3)`,
		string(s.project), slices.Compact(days), wanted)
	return chunks.Signatures(signatures), err
}

// textSpan is a span whose texts are looked for.
type textSpan struct {
	trace int          // its place among those that are searched
	id    trace.SpanID // only of one that tells of others
	day   *time.Time   // nil, as chunk, if it has no payload
	chunk []byte
	told  *string
}

// chunkOf gives a chunk's id; uuid.Nil for none.
func chunkOf(id []byte) (chunk uuid.UUID) {
	copy(chunk[:], id)
	return chunk
}

// textSpans gives the spans that Fill would read, without payloads.
func (s *searching) textSpans(ctx context.Context, traces []trace.Trace) ([]textSpan, error) {
	ids := make([]string, len(traces))
	var mains []string // that the limit may leave out
	var mainOf []int
	for n := range traces {
		ids[n] = string(traces[n].ID)
		if traces[n].SpanCount > store.TextSpans {
			mains, mainOf = append(mains, string(traces[n].Main.SpanID)), append(mainOf, n)
		}
	}
	return collect(ctx, s.q, func(row pgx.CollectableRow) (textSpan, error) {
		var span textSpan
		err := row.Scan(&span.trace, &span.day, &span.chunk, &span.told)
		return span, err
	}, `SELECT t.n::int - 1, s.* FROM unnest($2::text[]) WITH ORDINALITY AS t (id, n)
			CROSS JOIN LATERAL (SELECT payload_day, payload_chunk, told_by FROM spans WHERE project_id = $1 AND form = 'span' AND trace_id = t.id AND trace_id <> ''
				ORDER BY start_time, span_id LIMIT $3) s
		UNION ALL
		SELECT t.n::int - 1, s.payload_day, s.payload_chunk, s.told_by FROM unnest($2::text[]) WITH ORDINALITY AS t (id, n)
			CROSS JOIN LATERAL (SELECT * FROM spans WHERE project_id = $1 AND span_id = t.id OFFSET 0) s WHERE s.form = 'trace'
		UNION ALL
		SELECT t.n, s.payload_day, s.payload_chunk, s.told_by FROM unnest($4::text[], $5::int[]) AS t (id, n)
			CROSS JOIN LATERAL (SELECT * FROM spans WHERE project_id = $1 AND span_id = t.id OFFSET 0) s`,
		string(s.project), ids, store.TextSpans, mains, mainOf)
}
