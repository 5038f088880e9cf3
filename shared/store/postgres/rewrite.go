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

// Projects gives the ids of all projects.
func (db *DB) Projects(ctx context.Context) ([]account.ProjectID, error) {
	return collect(ctx, db.pool, func(row pgx.CollectableRow) (account.ProjectID, error) {
		var id string
		err := row.Scan(&id)
		return account.ProjectID(id), err
	}, `SELECT id FROM projects ORDER BY id COLLATE "C"`)
}

// RewriteSpans implements store.Maintainer.
func (db *DB) RewriteSpans(ctx context.Context, project account.ProjectID, r store.Rewrite) (store.Rewritten, error) {
	var out store.Rewritten
	step, err := fold.FirstStep(&r)
	if err != nil {
		return out, err
	}
	in := db.inTx
	if r.DryRun {
		in = db.inSnapshot
	}
	err = in(ctx, func(tx pgx.Tx) error {
		if !r.DryRun {
			if err := lockProject(ctx, tx, project); err != nil {
				return err
			}
		}
		out, err = newWriting(tx, project).rewrite(ctx, step, r)
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
		spans[i], last = row.says(), &row.Span
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
		joined.Items = append(joined.Items, fold.Item{Content: row.contentOf()})
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
func (w *writing) readStep(ctx context.Context, step fold.Step, r *store.Rewrite) (rows []*spanRow, more bool, err error) {
	condition := `s.form = 'span'`
	if step.Form == trace.FormTrace {
		condition = `s.form = 'trace'`
	}
	if r.Mapped {
		condition += ` AND s.mapping_version > 0`
	}
	bounds := fold.Bounds(r.Time)
	rows, err = collect(ctx, w.tx, scanSpan, `SELECT `+spanColumns+` FROM spans s WHERE s.project_id = $1 AND `+condition+`
		AND (s.start_time, s.span_id) > ($2, $3) AND s.start_time >= $4 AND s.start_time < $5 ORDER BY s.start_time, s.span_id LIMIT $6`,
		string(w.project), micros(step.Start), string(step.ID), micros(bounds.From), micros(bounds.To), r.Limit)
	if err != nil || r.Detail != store.Full {
		return rows, len(rows) >= r.Limit, err
	}
	const some = 64 // rows whose payloads are read at a time
	for size, i := 0, 0; i < len(rows); i += some {
		part := rows[i:min(i+some, len(rows))]
		if err := fillPayloads(ctx, w.tx, w.project, part, anySize); err != nil {
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
	type chunk struct {
		day time.Time
		id  uuid.UUID
	}
	changed := map[chunk]map[int]*trace.Payload{}
	for i := range changes {
		c := &changes[i]
		row := w.rows[c.Now.ID]
		if at := row.payloadAt(); at.Chunk != uuid.Nil && c.PayloadChanged() {
			k := chunk{*row.payloadDay, at.Chunk}
			if changed[k] == nil {
				changed[k] = map[int]*trace.Payload{}
			}
			changed[k][at.Index] = &c.Now.Payload
		}
	}
	for at, payloads := range changed {
		key := []any{string(w.project), at.day.Format(time.DateOnly), at.id[:]}
		data, err := collectOne(ctx, w.tx, pgx.RowTo[[]byte],
			`SELECT data FROM payload_chunks WHERE project_id = $1 AND day = $2::text::date AND chunk_id = $3`, key...)
		if err != nil {
			return err
		}
		if data, err = store.RepackChunk(data, payloads); err != nil {
			return err
		}
		err = execute(ctx, w.tx, `UPDATE payload_chunks SET data = $4 WHERE project_id = $1 AND day = $2::text::date AND chunk_id = $3`, append(key, data)...)
		if err != nil {
			return err
		}
	}
	return nil
}
