package postgres

import (
	"cmp"
	"context"
	"slices"
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

// RewriteSpans implements store.Maintainer. It looks for what changes in a
// snapshot, so that no writer waits while most of a step is read and nothing
// comes of it, and changes that under the lock, of what is stored then.
func (db *DB) RewriteSpans(ctx context.Context, project account.ProjectID, r store.Rewrite) (store.Rewritten, error) {
	step, err := fold.FirstStep(&r)
	if err != nil {
		return store.Rewritten{}, err
	}
	var found fold.Found
	if err := db.inSnapshot(ctx, func(tx pgx.Tx) error {
		found, err = newWriting(tx, project).look(ctx, step, &r)
		return err
	}); err != nil || r.DryRun {
		return found.Rewritten, err
	}
	locked := func(do func(w *writing) error) error {
		return db.inTx(ctx, func(tx pgx.Tx) error {
			if err := lockProject(ctx, tx, project); err != nil {
				return err
			}
			return do(newWriting(tx, project))
		})
	}
	for some := range slices.Chunk(found.Versions, fold.RenumberAtOnce) {
		if err := locked(func(w *writing) error { return w.renumber(ctx, some) }); err != nil {
			return store.Rewritten{}, err
		}
	}
	for some := range slices.Chunk(found.IDs, fold.RewriteAtOnce) {
		if err := locked(func(w *writing) error {
			n, err := w.rewrite(ctx, some, &r)
			found.Changed += n
			return err
		}); err != nil {
			return store.Rewritten{}, err
		}
	}
	return found.Rewritten, nil
}

// look finds what a step changes. It first finds where the step's payloads are,
// and then reads rows and payloads part by part: a step may have many more rows
// than should be in memory.
func (w *writing) look(ctx context.Context, step fold.Step, r *store.Rewrite) (found fold.Found, err error) {
	condition := `form = 'span'`
	if step.Form == trace.FormTrace {
		condition = `form = 'trace'`
	}
	if r.Mapped {
		condition += ` AND mapping_version > 0`
	}
	bounds := fold.Bounds(r.Time)
	var ids []string
	var last fold.Step
	scan := func(row pgx.CollectableRow) (at fold.PayloadAt, err error) {
		var start time.Time
		var chunk []byte
		err = row.Scan(&start, &last.ID, &chunk)
		last.Start = start.UnixMicro()
		copy(at.Chunk[:], chunk)
		ids = append(ids, string(last.ID))
		return at, err
	}
	places, err := collect(ctx, w.tx, scan, `SELECT start_time, span_id, payload_chunk FROM spans WHERE project_id = $1 AND `+condition+`
		AND (start_time, span_id) > ($2, $3) AND start_time >= $4 AND start_time < $5 ORDER BY start_time, span_id LIMIT $6`,
		string(w.project), micros(step.Start), string(step.ID), micros(bounds.From), micros(bounds.To), r.Limit)
	if err != nil {
		return found, err
	}
	found.Rewritten = store.Rewritten{Read: int64(len(ids)), Next: step.Next(len(ids) >= r.Limit, last)}
	read := func(ctx context.Context, part []int) ([]*spanRow, error) {
		mine := make([]string, len(part))
		for i, n := range part {
			mine[i] = ids[n]
		}
		rows, err := collect(ctx, w.tx, scanSpan, `SELECT `+spanColumns+` FROM spans s WHERE s.project_id = $1 AND s.span_id = ANY($2)`, string(w.project), mine)
		if err != nil {
			return nil, err
		}
		slices.SortFunc(rows, func(a, b *spanRow) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID)) })
		if r.Detail == store.Full {
			err = w.fillAll(ctx)(rows)
		}
		return rows, err
	}
	err = fold.ChangeParts(ctx, r, fold.RewriteParts(r.Detail, places), read, func(changes []rowChange) error {
		for i := range changes {
			c := &changes[i]
			found.Add(r, &c.Change, c.Row.contentOf(), c.Row.said != nil)
		}
		return nil
	})
	return found, err
}

// renumber writes the version of the mapping into rows that are as they were
// found.
func (w *writing) renumber(ctx context.Context, versions []fold.Version) error {
	var ids []string
	var contents, olds, nows []int64
	for _, v := range versions {
		ids, contents = append(ids, string(v.ID)), append(contents, int64(v.Content))
		olds, nows = append(olds, int64(v.Old)), append(nows, int64(v.Now))
	}
	return execute(ctx, w.tx, `UPDATE spans SET mapping_version = v.now FROM unnest($2::text[], $3::bigint[], $4::int[], $5::int[]) AS v (id, content, old, now)
		WHERE project_id = $1 AND span_id = v.id AND mapping_version = v.old AND spans.content = v.content AND own IS NULL`,
		string(w.project), ids, contents, olds, nows)
}

// rewrite changes spans, and tells how many changed.
func (w *writing) rewrite(ctx context.Context, ids []trace.SpanID, r *store.Rewrite) (int64, error) {
	rows, err := w.read(ctx, `s.span_id = ANY($2)`, texts(ids))
	if err != nil {
		return 0, err
	}
	var joined fold.Joined
	err = fold.EachChange(r, rows, w.fillAll(ctx), func(changes []rowChange) error {
		for i := range changes {
			c := &changes[i]
			r.Tell(c.Old, c.Now)
			joined.Changes = append(joined.Changes, fold.Change{Old: c.Row.peer().Shown, Now: c.Now})
			joined.Items = append(joined.Items, fold.Item{Content: c.Row.contentOf()})
		}
		return w.repack(ctx, changes)
	})
	if err != nil {
		return 0, err
	}
	return int64(len(joined.Changes)), w.store(ctx, nil, nil, joined)
}

type rowChange = fold.RowChange[*spanRow]

// fillAll reads the payloads of rows, of whatever size.
func (w *writing) fillAll(ctx context.Context) func([]*spanRow) error {
	return func(rows []*spanRow) error { return fillPayloads(ctx, w.tx, w.project, rows, anySize) }
}

// repack writes changed payloads in the place of what they were.
func (w *writing) repack(ctx context.Context, changes []rowChange) error {
	type chunk struct {
		day time.Time
		id  uuid.UUID
	}
	changed := map[chunk]map[int]*trace.Payload{}
	for i := range changes {
		c := &changes[i]
		if at := c.Row.At(); at.Chunk != uuid.Nil && c.PayloadChanged() {
			k := chunk{*c.Row.payloadDay, at.Chunk}
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
		err = execute(ctx, w.tx, `UPDATE payload_chunks SET data = $4, signature = NULL WHERE project_id = $1 AND day = $2::text::date AND chunk_id = $3`, append(key, data)...)
		if err != nil {
			return err
		}
	}
	return nil
}
