package sqlite

import (
	"context"
	"database/sql"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Projects implements store.Maintainer.
func (db *DB) Projects(ctx context.Context) ([]account.ProjectID, error) {
	var out []account.ProjectID
	err := query(ctx, db.r, "list projects", func(rows *sql.Rows) error {
		var id account.ProjectID
		err := rows.Scan(&id)
		out = append(out, id)
		return err
	}, `SELECT id FROM projects ORDER BY id`)
	return out, err
}

// RewriteSpans implements store.Maintainer.
func (db *DB) RewriteSpans(ctx context.Context, project account.ProjectID, r store.Rewrite) (store.Rewritten, error) {
	var out store.Rewritten
	step, err := fold.FirstStep(&r)
	if err != nil {
		return out, err
	}
	b, err := db.writers(ctx)
	if err != nil {
		return out, err
	}
	in := db.inTx
	if r.DryRun {
		in = db.inReadTx
	}
	err = in(ctx, func(tx *sql.Tx) error {
		w := newWriting(b, tx, 0)
		if w.project, err = numberOf(ctx, tx, project); err != nil {
			return err
		}
		out, err = w.rewrite(ctx, step, r)
		return err
	})
	return out, err
}

func (w *writing) rewrite(ctx context.Context, step fold.Step, r store.Rewrite) (store.Rewritten, error) {
	rows, more, err := w.readStep(ctx, step, &r)
	if err != nil {
		return store.Rewritten{}, err
	}
	out := store.Rewritten{Read: int64(len(rows))}
	spans := make([]*trace.Span, len(rows)) // what they say themselves
	var last *trace.Span
	for i, row := range rows {
		spans[i], last = row.said(), &row.Span
	}
	changes, err := fold.Rewrite(&r, spans)
	if err != nil {
		return out, err
	}
	var joined fold.Joined
	var said []fold.Change
	for i, row := range rows {
		change := changes[i]
		if change == nil {
			continue
		}
		out.Changed++
		w.rows[row.ID] = row
		said = append(said, *change)
		joined.Changes = append(joined.Changes, fold.Change{Old: row.peer().Shown, Now: change.Now})
		joined.Items = append(joined.Items, fold.Item{Content: row.content})
	}
	out.Next = step.Next(more, last)
	if r.DryRun || out.Changed == 0 {
		return out, nil
	}
	if err := w.repack(ctx, said); err != nil {
		return out, err
	}
	return out, w.store(ctx, nil, nil, joined)
}

// readStep reads the spans of a step; more says that others may follow.
func (w *writing) readStep(ctx context.Context, step fold.Step, r *store.Rewrite) (rows []*storedSpan, more bool, err error) {
	index := spansByStart + "WHERE form = 'span'"
	if step.Form == trace.FormTrace {
		index = "INDEXED BY spans_call_start_idx WHERE form = 'trace'"
	}
	if r.Mapped {
		index += " AND mapping_version > 0"
	}
	bounds := fold.Bounds(r.Time)
	rows, err = readStored(ctx, w.tx, w.project, store.Summary, index+` AND project = ? AND (start_time, span_id) > (?, ?) AND start_time >= ? AND start_time < ?
		ORDER BY start_time, span_id LIMIT ?`, int64(w.project), step.Start, string(step.ID), bounds.From, bounds.To, r.Limit)
	if err != nil || r.Detail != store.Full {
		return rows, len(rows) >= r.Limit, err
	}
	const some = 64 // rows whose payloads are read at a time
	for size, i := 0, 0; i < len(rows); i += some {
		part := rows[i:min(i+some, len(rows))]
		if err := fillStored(ctx, w.tx, w.project, part, anySize); err != nil {
			return nil, false, err
		}
		for _, row := range part {
			size += row.Payload.Bytes()
		}
		if end := i + len(part); size > fold.RewriteBytes && end < len(rows) {
			return rows[:end], true, nil
		}
	}
	return rows, len(rows) >= r.Limit, nil
}

// repack writes changed payloads in the place of what they were.
func (w *writing) repack(ctx context.Context, changes []fold.Change) error {
	type chunkAt struct {
		day int64
		id  uuid.UUID
	}
	changed := map[chunkAt]map[int]*trace.Payload{}
	for i := range changes {
		c := &changes[i]
		if at := w.rows[c.Now.ID].payloadAt(); at != nil && c.PayloadChanged() {
			k := chunkAt{at.day, at.Chunk}
			if changed[k] == nil {
				changed[k] = map[int]*trace.Payload{}
			}
			changed[k][at.Index] = &c.Now.Payload
		}
	}
	for at, payloads := range changed {
		var data []byte
		err := w.tx.QueryRowContext(ctx, `SELECT data FROM payload_chunks WHERE project = ? AND day = ? AND chunk_id = ?`,
			int64(w.project), at.day, at.id[:]).Scan(&data)
		if err != nil {
			return toFault("read payload chunk", err)
		}
		if data, err = store.RepackChunk(data, payloads); err != nil {
			return err
		}
		err = exec(ctx, w.tx, "replace payload chunk", true, `UPDATE payload_chunks SET data = ? WHERE project = ? AND day = ? AND chunk_id = ?`,
			data, int64(w.project), at.day, at.id[:])
		if err != nil {
			return err
		}
	}
	return nil
}
