package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/google/uuid"

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
func (s *searching) Signatures(ctx context.Context, traces []trace.Trace) ([][][]byte, error) {
	chunks, wanted, err := s.textChunks(ctx, traces)
	if err != nil {
		return nil, err
	}
	signatures := make(map[uuid.UUID][]byte, len(wanted))
	for some := range slices.Chunk(wanted, chunksAtOnce) {
		args := make([]any, 0, 2*len(some)+1)
		for _, p := range some {
			args = append(args, p.day, p.Chunk[:])
		}
		err := query(ctx, s.q, "read signatures", func(rows *sql.Rows) error {
			var id uuid.UUID
			var signature []byte
			err := rows.Scan(&id, &signature)
			signatures[id] = signature
			return err
		}, `WITH wanted(day, id) AS (VALUES (?, ?)`+strings.Repeat(`, (?, ?)`, len(some)-1)+`)
			SELECT chunk_id, signature FROM wanted CROSS JOIN payload_signatures p WHERE project = ? AND p.day = wanted.day AND chunk_id = wanted.id`,
			append(args, int64(s.project))...)
		if err != nil {
			return nil, err
		}
	}
	return chunks.Signatures(signatures), nil
}

// textChunks finds the chunks of traces, and where each is.
func (s *searching) textChunks(ctx context.Context, traces []trace.Trace) (chunks *fold.TextChunks, wanted []place, err error) {
	chunks = fold.NewTextChunks(len(traces))
	const what = "find chunks of traces"
	spans := func(text string, args ...any) error {
		return query(ctx, s.q, what, func(rows *sql.Rows) error {
			var n int
			var p place
			var told *string
			err := rows.Scan(&n, &p.day, &p.Chunk, &told)
			if err != nil {
				return err
			}
			fresh, err := chunks.Span(n, p.Chunk, told)
			if fresh {
				wanted = append(wanted, p)
			}
			return err
		}, text, args...)
	}
	const columns = "coalesce(payload_day, 0), payload_chunk, told_by"
	ids := make([]trace.TraceID, len(traces)) // "" for those of many spans
	for n := range traces {
		if traces[n].SpanCount <= store.TextSpans {
			ids[n] = traces[n].ID
			continue
		}
		err := spans(`SELECT ?4, * FROM (SELECT `+columns+` FROM spans `+traceSpans+` ORDER BY start_time, span_id LIMIT ?3)
			UNION ALL SELECT ?4, `+columns+` FROM spans WHERE project = ?1 AND span_id IN (?2, ?5) AND (form = 'trace' OR span_id = ?5)`,
			int64(s.project), string(traces[n].ID), store.TextSpans, n, string(traces[n].Main.SpanID))
		if err != nil {
			return nil, nil, err
		}
	}
	list, err := jsonList(ids)
	if err != nil {
		return nil, nil, err
	}
	err = spans(`SELECT t.key, `+columns+` FROM json_each(?2) t CROSS JOIN spans `+spansByTrace+`
			WHERE project = ?1 AND trace_id = t.value AND trace_id <> '' AND form = 'span'
		UNION ALL SELECT t.key, `+columns+` FROM json_each(?2) t CROSS JOIN spans WHERE project = ?1 AND span_id = t.value AND form = 'trace'`,
		int64(s.project), list)
	if err != nil {
		return nil, nil, err
	}
	tellers := chunks.Tellers()
	if len(tellers) == 0 {
		return chunks, wanted, nil
	}
	if list, err = jsonList(tellers); err != nil {
		return nil, nil, err
	}
	err = query(ctx, s.q, what, func(rows *sql.Rows) error {
		var id trace.SpanID
		var p place
		err := rows.Scan(&id, &p.day, &p.Chunk)
		if err == nil && chunks.Teller(id, p.Chunk) {
			wanted = append(wanted, p)
		}
		return err
	}, `SELECT span_id, payload_day, payload_chunk FROM spans
		WHERE project = ? AND span_id IN (SELECT value FROM json_each(?)) AND payload_chunk IS NOT NULL`, int64(s.project), list)
	return chunks, wanted, err
}
