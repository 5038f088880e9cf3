package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"
)

// bulkSizes are the numbers of rows that one statement inserts, descending to
// 1, so that any number of rows needs few executions of few statements.
var bulkSizes = [...]int{64, 8, 1}

// bulk inserts many rows of one table with few statements.
type bulk struct {
	columns int
	texts   [len(bulkSizes)]string
	stmts   [len(bulkSizes)]*sql.Stmt
}

// newBulk makes a bulk for "INSERT … INTO table (a, b)" and a conflict clause.
func newBulk(insert string, columns []string, conflict string) bulk {
	b := bulk{columns: len(columns)}
	row := "(" + strings.TrimSuffix(strings.Repeat("?,", b.columns), ",") + ")"
	names := `"` + strings.Join(columns, `", "`) + `"` // one is a keyword
	for i, n := range bulkSizes {
		b.texts[i] = insert + " (" + names + ") VALUES " +
			strings.TrimSuffix(strings.Repeat(row+",", n), ",") + " " + conflict
	}
	return b
}

// upsert gives the conflict clause that replaces all columns but the keys.
func upsert(columns []string, keys int) string {
	var set []string
	for _, c := range columns[keys:] {
		set = append(set, `"`+c+`" = excluded."`+c+`"`)
	}
	return "ON CONFLICT (" + strings.Join(columns[:keys], ", ") + ") DO UPDATE SET " + strings.Join(set, ", ")
}

func (b *bulk) prepare(ctx context.Context, w *sql.DB) error {
	for i, text := range b.texts {
		s, err := w.PrepareContext(ctx, text) //nolint:sqlclosecheck // kept as long as the database is open
		if err != nil {
			return toFault("prepare", err)
		}
		b.stmts[i] = s
	}
	return nil
}

// insert inserts the rows that lie one after the other in args.
func (b *bulk) insert(ctx context.Context, tx *sql.Tx, what string, args []any) error {
	for i, n := range bulkSizes {
		n *= b.columns
		for len(args) >= n {
			if _, err := tx.StmtContext(ctx, b.stmts[i]).ExecContext(ctx, args[:n]...); err != nil { //nolint:sqlclosecheck // ends with the transaction
				return toFault(what, err)
			}
			args = args[n:]
		}
	}
	return nil
}

// bulks are the tables that a write fills.
type bulks struct {
	plain, mapped, changed                           bulk // spans: new ones, and over what is stored
	traces, mappedTraces                             bulk
	chunks, sessions, rollups, distinct, traceCounts bulk
	findKey, setVersion                              *sql.Stmt // selectByKey, updateVersion
}

var (
	chunkColumns    = []string{"project", "day", "chunk_id", "data", "stored_at"}
	distinctColumns = []string{"project", "grain", "bucket", "data"}
)

// writers gives the prepared statements of a write, prepared on first use:
// outside of a transaction, which holds the only connection that can prepare
// them, and after Migrate.
func (db *DB) writers(ctx context.Context) (*bulks, error) {
	db.bulk.mu.Lock()
	defer db.bulk.mu.Unlock()
	if db.bulk.plain.columns > 0 {
		return &db.bulk.bulks, nil
	}
	b := bulks{
		plain:   newBulk("INSERT INTO spans", plainColumns, ""),
		mapped:  newBulk("INSERT INTO spans", spanColumns, ""),
		changed: newBulk("INSERT INTO spans", spanColumns, upsert(spanColumns, 2)),
		// A chunk is there already if its record came before and retention has
		// deleted its spans since.
		chunks:       newBulk("INSERT INTO payload_chunks", chunkColumns, "ON CONFLICT DO NOTHING"),
		traces:       newBulk("INSERT INTO traces", plainTraceColumns, upsert(plainTraceColumns, 2)),
		mappedTraces: newBulk("INSERT INTO traces", traceColumns, upsert(traceColumns, 2)),
		sessions:     newBulk("INSERT INTO sessions", sessionColumns, upsert(sessionColumns, 2)),
		rollups:      newBulk("INSERT INTO rollups", rollupColumns, upsert(rollupColumns, rollupKeys)),
		distinct:     newBulk("INSERT INTO rollup_sessions", distinctColumns, upsert(distinctColumns, 3)),
		traceCounts:  newBulk("INSERT INTO trace_counts", traceCountColumns, upsert(traceCountColumns, traceCountKeys)),
	}
	for _, one := range []*bulk{
		&b.plain, &b.mapped, &b.changed, &b.traces, &b.mappedTraces, &b.chunks, &b.sessions, &b.rollups, &b.distinct, &b.traceCounts,
	} {
		if err := one.prepare(ctx, db.w); err != nil {
			return nil, err
		}
	}
	for text, to := range map[string]**sql.Stmt{selectByKey: &b.findKey, updateVersion: &b.setVersion} {
		var err error
		if *to, err = db.w.PrepareContext(ctx, text); err != nil { //nolint:sqlclosecheck // as above
			return nil, toFault("prepare", err)
		}
	}
	db.bulk.bulks = b
	return &db.bulk.bulks, nil
}

// jsonList encodes values for json_each: one parameter however many there are.
func jsonList[T ~string | ~int64](values []T) (string, error) {
	b, err := json.Marshal(values)
	return string(b), err
}
