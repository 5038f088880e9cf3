package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// The limits that results are measured against hold the rows as the earlier
// service did: one wide row with its JSON in columns, three indexes.
const (
	wideColumns = `trace_id, project_id, session_id, timestamp, latency_ms, provider, model_requested, model_used, request_body,
		response_body, input_tokens, output_tokens, output_text, finish_reason, status, cost_cents, metadata`
	wideCount = 17
)

func wideRow(r *record) []any {
	raw := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err) // plain values always encode
		}
		return string(b)
	}
	return []any{
		r.TraceID, "5b3f6c1e-0000-4000-8000-000000000000", r.SessionID, r.Timestamp, r.LatencyMS, r.Provider, r.ModelRequested,
		r.ModelUsed, raw(r.RequestBody), raw(r.ResponseBody), r.InputTokens, r.OutputTokens, r.OutputText, r.FinishReason, r.Status,
		r.CostCents, raw(r.Metadata),
	}
}

// rawSQLite gives the rows a second of n plain inserts, perTx in a transaction:
// as many as they are compared with, since an index with random keys gets slower
// as it grows. The texts repeat, the ids do not.
func rawSQLite(dir string, records []record, n, perTx int) (rate float64, err error) {
	path := filepath.Join(dir, "raw.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=busy_timeout(5000)")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close(), os.Remove(path)) }()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`CREATE TABLE traces (trace_id TEXT PRIMARY KEY, project_id TEXT NOT NULL, session_id TEXT, timestamp TEXT NOT NULL,
		latency_ms INTEGER, provider TEXT, model_requested TEXT, model_used TEXT, request_body TEXT, response_body TEXT, input_tokens INTEGER,
		output_tokens INTEGER, output_text TEXT, finish_reason TEXT, status TEXT, cost_cents REAL, metadata TEXT);
		CREATE INDEX by_time ON traces (project_id, timestamp); CREATE INDEX by_session ON traces (project_id, session_id)`); err != nil {
		return 0, err
	}
	rows := make([][]any, len(records))
	for i := range records {
		rows[i] = wideRow(&records[i])
	}
	insert := `INSERT INTO traces (` + wideColumns + `) VALUES (?` + strings.Repeat(",?", wideCount-1) + `)`
	var spent time.Duration
	for at := 0; at < n; at += perTx {
		part := make([][]any, min(perTx, n-at))
		for i := range part {
			part[i] = slices.Clone(rows[(at+i)%len(rows)])
			part[i][0] = uuid.NewString()
		}
		start := time.Now()
		if err := insertWide(db, insert, part); err != nil {
			return 0, err
		}
		spent += time.Since(start)
	}
	return float64(n) / spent.Seconds(), nil
}

// insertWide inserts rows in one transaction.
func insertWide(db *sql.DB, insert string, rows [][]any) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() // after the commit it does nothing
	stmt, err := tx.Prepare(insert)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for _, row := range rows {
		if _, err := stmt.Exec(row...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// rawCopy gives the rows a second of COPY into a table with JSONB columns, on
// one connection, perTx in a transaction.
func rawCopy(ctx context.Context, url string, records []record, perTx int) (rate float64, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if _, err := conn.Exec(ctx, `CREATE TABLE raw_traces (trace_id text PRIMARY KEY, project_id text NOT NULL, session_id text,
		timestamp timestamptz NOT NULL, latency_ms integer, provider text, model_requested text, model_used text, request_body jsonb,
		response_body jsonb, input_tokens integer, output_tokens integer, output_text text, finish_reason text, status text,
		cost_cents double precision, metadata jsonb);
		CREATE INDEX ON raw_traces (project_id, timestamp); CREATE INDEX ON raw_traces (project_id, session_id)`); err != nil {
		return 0, err
	}
	columns := strings.Split(strings.Join(strings.Fields(wideColumns), ""), ",")
	rows := make([][]any, len(records))
	for i := range records {
		rows[i] = wideRow(&records[i])
		at, err := time.Parse(time.RFC3339, records[i].Timestamp)
		if err != nil {
			return 0, err
		}
		rows[i][3] = at
	}
	start := time.Now()
	for at := 0; at < len(rows); at += perTx {
		if _, err := conn.CopyFrom(ctx, pgx.Identifier{"raw_traces"}, columns, pgx.CopyFromRows(rows[at:min(at+perTx, len(rows))])); err != nil {
			return 0, err
		}
	}
	rate = float64(len(rows)) / time.Since(start).Seconds()
	_, err = conn.Exec(ctx, `DROP TABLE raw_traces`)
	return rate, err
}
