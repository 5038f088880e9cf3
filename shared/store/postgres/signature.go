package postgres

import (
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

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

// Signatures gives the signatures of chunks.
func (s *searching) Signatures(ctx context.Context, chunks []fold.Chunk, do func(fold.Chunk, []byte) error) error {
	var days []int64
	ids := make([][]byte, len(chunks))
	for i := range chunks {
		days, ids[i] = append(days, chunks[i].Day), chunks[i].ID[:]
	}
	slices.Sort(days)
	type signed struct {
		fold.Chunk
		signature []byte
	}
	return each(ctx, s.q, func(row pgx.CollectableRow) (one signed, err error) {
		var id []byte
		err = row.Scan(&one.Day, &id, (*pgtype.DriverBytes)(&one.signature))
		one.ID = chunkOf(id)
		return one, err
	}, func(one signed) error { return do(one.Chunk, one.signature) }, `SELECT day - DATE '1970-01-01', chunk_id, signature FROM payload_chunks
		WHERE project_id = $1 AND day IN (SELECT DATE '1970-01-01' + unnest($2::int[])) AND chunk_id = ANY($3) AND signature IS NOT NULL`,
		string(s.project), slices.Compact(days), ids)
}

// chunkOf gives a chunk's id; uuid.Nil for none.
func chunkOf(id []byte) (chunk uuid.UUID) {
	copy(chunk[:], id)
	return chunk
}

// TextChunks gives the chunks that the first traces of a window have their texts in.
// Nearly all that it looks at is not what somebody looks for: of traces of one call,
// which are most, it reads the spans side by side as they came, and no more.
func (s *searching) TextChunks(ctx context.Context, w fold.Window, limit int) (*fold.TextChunks, error) {
	const columns = "coalesce(s.payload_day - DATE '1970-01-01', 0), s.payload_chunk, s.told_by"
	chunks := &fold.TextChunks{}
	type numbered struct {
		n   int
		one bool // it has but one span
	}
	left := map[string]numbered{} // traces that have more spans than were read
	c := s.window(w)
	err := each(ctx, s.q, func(row pgx.CollectableRow) (t trace.Trace, err error) {
		err = row.Scan(&t.Start, (*string)(&t.ID), &t.SpanCount)
		return t, err
	}, func(t trace.Trace) error {
		at := fold.Cursor{Start: t.Start.UnixMicro(), ID: string(t.ID)}
		left[at.ID] = numbered{chunks.Trace(at), t.SpanCount == 1}
		return nil
	}, `SELECT start_time, trace_id, span_count`+c.text.String()+inOrder(w)+c.arg(limit), c.args...)
	if err != nil || len(left) == 0 {
		return chunks, err
	}
	type span struct {
		id    string // of its trace
		chunk fold.Chunk
		told  *string
	}
	scan := func(row pgx.CollectableRow) (one span, err error) {
		var chunk []byte
		err = row.Scan(&one.id, &one.chunk.Day, &chunk, &one.told)
		one.chunk.ID = chunkOf(chunk)
		return one, err
	}
	add := func(one span) error {
		t, ok := left[one.id]
		if !ok {
			return nil
		}
		if t.one {
			delete(left, one.id)
		}
		return chunks.Span(t.n, one.chunk, one.told)
	}
	if len(w.Terms) == 0 { // else there are others between them
		oldest, newest := chunks.Ends(w)
		err := each(ctx, s.q, scan, add, `SELECT s.span_id, `+columns+` FROM spans s WHERE s.project_id = $1 AND s.form = 'trace'
			AND (s.start_time, s.span_id) >= ($2, $3) AND (s.start_time, s.span_id) <= ($4, $5)`,
			string(s.project), micros(oldest.Start), oldest.ID, micros(newest.Start), newest.ID)
		if err != nil {
			return nil, err
		}
	}
	if len(left) > 0 {
		err := each(ctx, s.q, scan, add, `SELECT t.id, `+columns+` FROM unnest($2::text[]) AS t (id)
				CROSS JOIN LATERAL (SELECT * FROM spans WHERE project_id = $1 AND span_id = t.id OFFSET 0) s WHERE s.form = 'trace'
			UNION ALL
			SELECT t.id, `+columns+` FROM unnest($2::text[]) AS t (id)
				CROSS JOIN LATERAL (SELECT payload_day, payload_chunk, told_by FROM spans WHERE project_id = $1 AND form = 'span' AND trace_id = t.id AND trace_id <> ''
					ORDER BY start_time, span_id LIMIT $3) s
			UNION ALL
			SELECT t.id, `+columns+` FROM unnest($2::text[]) AS t (id)
				CROSS JOIN LATERAL (SELECT main_span_id FROM traces WHERE project_id = $1 AND trace_id = t.id AND span_count > $3) m
				CROSS JOIN LATERAL (SELECT * FROM spans WHERE project_id = $1 AND span_id = m.main_span_id OFFSET 0) s`,
			string(s.project), slices.Collect(maps.Keys(left)), store.TextSpans)
		if err != nil {
			return nil, err
		}
	}
	tellers := chunks.Tellers()
	if len(tellers) == 0 {
		return chunks, nil
	}
	return chunks, each(ctx, s.q, scan, func(teller span) error {
		chunks.Teller(trace.SpanID(teller.id), teller.chunk)
		return nil
	}, `SELECT s.span_id, `+columns+` FROM spans s WHERE s.project_id = $1 AND s.span_id = ANY($2)`, string(s.project), texts(tellers))
}
