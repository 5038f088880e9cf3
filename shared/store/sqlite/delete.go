package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// DeleteTraces implements store.TraceDeleter.
func (db *DB) DeleteTraces(ctx context.Context, project account.ProjectID, ids []trace.TraceID) (out store.Deleted, err error) {
	b, err := db.writers(ctx)
	if err != nil {
		return out, err
	}
	err = db.inTx(ctx, func(tx *sql.Tx) error {
		number, err := numberOf(ctx, tx, project)
		if err != nil {
			return err
		}
		out, err = newWriting(b, tx, number).deleteTraces(ctx, ids)
		return err
	})
	return out, err
}

func (w *writing) deleteTraces(ctx context.Context, ids []trace.TraceID) (store.Deleted, error) {
	traces, err := tracesByID(ctx, w.tx, w.project, ids)
	if err != nil {
		return store.Deleted{}, err
	}
	counts := make(map[trace.TraceID]int64, len(traces))
	for i := range traces {
		counts[traces[i].ID] = traces[i].SpanCount
	}
	step := fold.NewDeletion(ids, counts)
	rows, err := w.doomed(ctx, &step)
	if err != nil || len(rows) == 0 {
		return step.Done(0), err
	}
	gone := make([]trace.SpanID, len(rows))
	shown := make([]*trace.Span, len(rows))
	var own []*trace.Span // that may have told of calls
	for i, row := range rows {
		gone[i], shown[i] = row.ID, &row.Span
		if row.Mapped() {
			own = append(own, row.peer().Own)
		}
	}
	list, err := jsonList(gone)
	if err != nil {
		return store.Deleted{}, err
	}
	if err := exec(ctx, w.tx, "delete spans", true, `DELETE FROM spans WHERE project = ? AND span_id IN (SELECT value FROM json_each(?))`, int64(w.project), list); err != nil {
		return store.Deleted{}, err
	}
	if err := w.dropPayloads(ctx, rows); err != nil {
		return store.Deleted{}, err
	}
	keys := fold.KeysOf(shown)
	state, err := w.recall(ctx, keys, own)
	if err != nil {
		return store.Deleted{}, err
	}
	state.Remove(shown)
	return step.Done(int64(len(rows))), w.writeState(ctx, state)
}

// doomed reads the spans that a step deletes.
func (w *writing) doomed(ctx context.Context, step *fold.Deletion) ([]*storedSpan, error) {
	if step.Part != "" {
		// Of an LLM trace's span, which has no place among the others, the last step
		// takes care.
		return readStored(ctx, w.tx, w.project, store.Summary, traceSpans+` ORDER BY start_time DESC, span_id DESC LIMIT ?3`,
			int64(w.project), string(step.Part), step.PartSpans)
	}
	list, err := jsonList(step.Whole)
	if err != nil {
		return nil, err
	}
	var out []*storedSpan
	for _, rest := range []string{
		spansByTrace + `WHERE project = ? AND trace_id <> '' AND form = 'span' AND trace_id IN (SELECT value FROM json_each(?))`,
		`WHERE project = ? AND form = 'trace' AND span_id IN (SELECT value FROM json_each(?))`,
	} {
		rows, err := readStored(ctx, w.tx, w.project, store.Summary, rest, int64(w.project), list)
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
	}
	return out, nil
}

// dropPayloads takes the payloads of deleted spans out of their chunks, and
// deletes chunks that hold nothing else.
func (w *writing) dropPayloads(ctx context.Context, rows []*storedSpan) error {
	type chunkAt struct {
		day int64
		id  uuid.UUID
	}
	dropped := map[chunkAt][]int{}
	for _, row := range rows {
		if at := row.payloadAt(); at != nil {
			k := chunkAt{at.day, at.Chunk}
			dropped[k] = append(dropped[k], at.Index)
		}
	}
	for at, indexes := range dropped {
		key := []any{int64(w.project), at.day, at.id[:]}
		var data []byte
		err := w.tx.QueryRowContext(ctx, `SELECT data FROM payload_chunks WHERE project = ? AND day = ? AND chunk_id = ?`, key...).Scan(&data)
		if errors.Is(err, sql.ErrNoRows) {
			continue // retention was here
		}
		if err != nil {
			return toFault("read payload chunk", err)
		}
		left, err := store.DropFromChunk(data, indexes)
		if err != nil {
			return err
		}
		if left == nil {
			err = exec(ctx, w.tx, "delete payload chunk", true, `DELETE FROM payload_chunks WHERE project = ? AND day = ? AND chunk_id = ?`, key...)
		} else {
			err = exec(ctx, w.tx, "replace payload chunk", true, `UPDATE payload_chunks SET data = ? WHERE project = ? AND day = ? AND chunk_id = ?`, append([]any{left}, key...)...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
