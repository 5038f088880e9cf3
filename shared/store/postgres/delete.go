package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// DeleteTraces implements store.TraceDeleter.
func (db *DB) DeleteTraces(ctx context.Context, project account.ProjectID, ids []trace.TraceID) (out store.Deleted, err error) {
	err = db.inTx(ctx, func(tx pgx.Tx) error {
		if err := lockProject(ctx, tx, project); err != nil {
			return err
		}
		out, err = newWriting(tx, project).deleteTraces(ctx, ids)
		return err
	})
	return out, err
}

func (w *writing) deleteTraces(ctx context.Context, ids []trace.TraceID) (store.Deleted, error) {
	counts, err := w.spanCounts(ctx, ids)
	if err != nil {
		return store.Deleted{}, err
	}
	step := fold.NewDeletion(ids, counts)
	rows, err := w.doomed(ctx, &step)
	if err != nil || len(rows) == 0 {
		return step.Done(0), err
	}
	gone := make([]string, len(rows))
	shown := make([]*trace.Span, len(rows))
	var own []*trace.Span // that may have told of calls
	for i, row := range rows {
		gone[i], shown[i] = string(row.ID), &row.Span
		if row.Mapped() {
			own = append(own, row.peer().Own)
		}
	}
	if err := execute(ctx, w.tx, `DELETE FROM spans WHERE project_id = $1 AND span_id = ANY($2)`, string(w.project), gone); err != nil {
		return store.Deleted{}, err
	}
	if err := w.dropPayloads(ctx, rows); err != nil {
		return store.Deleted{}, err
	}
	state, stored, err := w.recall(ctx, fold.KeysOf(shown), own)
	if err != nil {
		return store.Deleted{}, err
	}
	state.Remove(shown)
	return step.Done(int64(len(rows))), w.saveState(ctx, state, stored)
}

// spanCounts tells how many spans traces have.
func (w *writing) spanCounts(ctx context.Context, ids []trace.TraceID) (map[trace.TraceID]int64, error) {
	out := make(map[trace.TraceID]int64, len(ids))
	rows, err := w.tx.Query(ctx, `SELECT trace_id, span_count FROM traces WHERE project_id = $1 AND trace_id = ANY($2)`, string(w.project), texts(ids))
	if err != nil {
		return nil, faultOf(err)
	}
	var id string
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&id, &n}, func() error {
		out[trace.TraceID(id)] = n
		return nil
	})
	return out, faultOf(err)
}

// doomed reads the spans that a step deletes.
func (w *writing) doomed(ctx context.Context, step *fold.Deletion) ([]*spanRow, error) {
	if step.Part != "" {
		// Of an LLM trace's span, which has no place among the others, the last step
		// takes care.
		return collect(ctx, w.tx, scanSpan, `SELECT `+spanColumns+` FROM spans s WHERE s.project_id = $1 AND s.form = 'span'
			AND s.trace_id = $2 AND s.trace_id <> '' ORDER BY s.start_time DESC, s.span_id DESC LIMIT $3`, string(w.project), string(step.Part), step.PartSpans)
	}
	return collect(ctx, w.tx, scanSpan, `SELECT `+spanColumns+` FROM spans s WHERE s.project_id = $1 AND s.form = 'span' AND s.trace_id <> '' AND s.trace_id = ANY($2)
		UNION ALL SELECT `+spanColumns+` FROM (SELECT * FROM spans WHERE project_id = $1 AND span_id = ANY($2) OFFSET 0) s WHERE s.form = 'trace'`,
		string(w.project), texts(step.Whole))
}

// dropPayloads takes the payloads of deleted spans out of their chunks, and
// deletes chunks that hold nothing else.
func (w *writing) dropPayloads(ctx context.Context, rows []*spanRow) error {
	type chunkAt struct {
		day string
		id  uuid.UUID
	}
	dropped := map[chunkAt][]int{}
	for _, row := range rows {
		if at := row.At(); at.Chunk != uuid.Nil {
			k := chunkAt{row.payloadDay.Format(time.DateOnly), at.Chunk}
			dropped[k] = append(dropped[k], at.Index)
		}
	}
	for at, indexes := range dropped {
		key := []any{string(w.project), at.day, at.id[:]}
		found, err := collect(ctx, w.tx, pgx.RowTo[[]byte], `SELECT data FROM payload_chunks WHERE project_id = $1 AND day = $2::text::date AND chunk_id = $3`, key...)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			continue // retention was here
		}
		left, err := store.DropFromChunk(found[0], indexes)
		if err != nil {
			return err
		}
		if left == nil {
			err = execute(ctx, w.tx, `DELETE FROM payload_chunks WHERE project_id = $1 AND day = $2::text::date AND chunk_id = $3`, key...)
		} else {
			err = execute(ctx, w.tx, `UPDATE payload_chunks SET data = $4, signature = NULL WHERE project_id = $1 AND day = $2::text::date AND chunk_id = $3`, append(key, left)...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
