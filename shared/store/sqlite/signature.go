package sqlite

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"

	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// SignChunks implements store.TextIndexer. It reads the chunks in the transaction
// that it writes in, so that none becomes another one between the two.
func (db *DB) SignChunks(ctx context.Context, limit int) (signed int, err error) {
	type chunk struct {
		project, day int64
		id           []byte
	}
	err = db.inTx(ctx, func(tx *sql.Tx) error {
		signed = 0
		var chunks []chunk
		err := query(ctx, tx, "find chunks without signature", func(rows *sql.Rows) error {
			var c chunk
			err := rows.Scan(&c.project, &c.day, &c.id)
			chunks = append(chunks, c)
			return err
		}, `SELECT project, day, chunk_id FROM payload_signatures INDEXED BY payload_signatures_none_idx WHERE signature IS NULL LIMIT ?`, limit)
		if err != nil {
			return err
		}
		for _, c := range chunks {
			var data []byte
			if err := tx.QueryRowContext(ctx, `SELECT data FROM payload_chunks WHERE project = ? AND day = ? AND chunk_id = ?`, c.project, c.day, c.id).Scan(&data); err != nil {
				return toFault("read payload chunk", err)
			}
			err = exec(ctx, tx, "sign payload chunk", true, `UPDATE payload_signatures SET signature = ? WHERE project = ? AND day = ? AND chunk_id = ?`,
				fold.SignChunk(data), c.project, c.day, c.id)
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
func (s *searching) Signatures(ctx context.Context, chunks []fold.Chunk, do func(fold.Chunk, []byte) error) error {
	for some := range slices.Chunk(chunks, chunksAtOnce) {
		args := make([]any, 0, 2*len(some)+1)
		for i := range some {
			args = append(args, some[i].Day, some[i].ID[:])
		}
		err := query(ctx, s.q, "read signatures", func(rows *sql.Rows) error {
			var c fold.Chunk
			var signature sql.RawBytes
			if err := rows.Scan(&c.Day, &c.ID, &signature); err != nil {
				return err
			}
			return do(c, signature)
		}, `WITH wanted(day, id) AS (VALUES (?, ?)`+strings.Repeat(`, (?, ?)`, len(some)-1)+`)
			SELECT p.day, chunk_id, signature FROM wanted CROSS JOIN payload_signatures p WHERE project = ? AND p.day = wanted.day AND chunk_id = wanted.id`,
			append(args, int64(s.project))...)
		if err != nil {
			return err
		}
	}
	return nil
}

// TextChunks implements fold.Searcher. Nearly all that it looks at is not what
// somebody looks for: of traces of one call, which are most, it reads the index
// and, side by side as they came, their spans.
func (s *searching) TextChunks(ctx context.Context, w fold.Window, limit int) (*fold.TextChunks, error) {
	const what, columns = "find chunks of traces", "coalesce(payload_day, 0), payload_chunk, told_by"
	chunks := &fold.TextChunks{}
	left := map[trace.TraceID]int{} // numbers of traces that have more spans than were read
	c := s.window(w)
	err := query(ctx, s.q, what, func(rows *sql.Rows) error {
		var at fold.Cursor
		err := rows.Scan(&at.Start, &at.ID)
		left[trace.TraceID(at.ID)] = chunks.Trace(at)
		return err
	}, `SELECT start_time, trace_id FROM traces `+tracesByStart+c.text.String()+inOrder(w), append(c.args, limit)...)
	if err != nil || len(left) == 0 {
		return chunks, err
	}
	spans := func(text string, args ...any) error {
		return query(ctx, s.q, what, func(rows *sql.Rows) error {
			var id trace.TraceID
			var chunk fold.Chunk
			var told *string
			var all bool
			if err := rows.Scan(&id, &chunk.Day, &chunk.ID, &told, &all); err != nil {
				return err
			}
			n, ok := left[id]
			if !ok {
				return nil
			}
			if all {
				delete(left, id)
			}
			return chunks.Span(n, chunk, told)
		}, text, args...)
	}
	if len(w.Terms) == 0 { // else there are others between them
		oldest, newest := chunks.Ends(w)
		err := spans(`SELECT span_id, `+columns+`, NOT mixed FROM spans INDEXED BY spans_call_start_idx WHERE project = ? AND form = 'trace' AND start_time BETWEEN ? AND ?
			AND (start_time, span_id) >= (?, ?) AND (start_time, span_id) <= (?, ?)`,
			int64(s.project), oldest.Start, newest.Start, oldest.Start, oldest.ID, newest.Start, newest.ID)
		if err != nil {
			return nil, err
		}
	}
	if len(left) > 0 {
		list, err := jsonList(slices.Collect(maps.Keys(left)))
		if err != nil {
			return nil, err
		}
		err = spans(`SELECT t.value, `+columns+`, 0 FROM json_each(?2) t CROSS JOIN spans WHERE project = ?1 AND span_id = t.value AND form = 'trace'
			UNION ALL SELECT t.value, `+columns+`, 0 FROM json_each(?2) t CROSS JOIN spans WHERE spans.rowid IN (SELECT rowid FROM spans `+spansByTrace+`
				WHERE project = ?1 AND trace_id = t.value AND trace_id <> '' AND form = 'span' ORDER BY start_time, span_id LIMIT ?3)
			UNION ALL SELECT t.value, `+columns+`, 0 FROM json_each(?2) t CROSS JOIN traces ON traces.project = ?1 AND traces.trace_id = t.value AND span_count > ?3
				CROSS JOIN spans ON spans.project = ?1 AND span_id = main_span_id`, int64(s.project), list, store.TextSpans)
		if err != nil {
			return nil, err
		}
	}
	tellers := chunks.Tellers()
	if len(tellers) == 0 {
		return chunks, nil
	}
	list, err := jsonList(tellers)
	if err != nil {
		return nil, err
	}
	return chunks, query(ctx, s.q, what, func(rows *sql.Rows) error {
		var id trace.SpanID
		var chunk fold.Chunk
		err := rows.Scan(&id, &chunk.Day, &chunk.ID)
		chunks.Teller(id, chunk)
		return err
	}, `SELECT span_id, payload_day, payload_chunk FROM spans
		WHERE project = ? AND span_id IN (SELECT value FROM json_each(?)) AND payload_chunk IS NOT NULL`, int64(s.project), list)
}
