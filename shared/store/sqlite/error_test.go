package sqlite

import (
	"context"
	"database/sql"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/filter"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

func migrated(t *testing.T) *DB {
	t.Helper()
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "pulse.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Migrate(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return db
}

func insertTestProject(t *testing.T, db *DB) account.ProjectID {
	t.Helper()
	if _, err := db.w.ExecContext(t.Context(), `INSERT INTO projects (id, name) VALUES ('p', 'p')`); err != nil {
		t.Fatal(err)
	}
	return "p"
}

func testBatch(p account.ProjectID, n int) []store.Batch {
	spans := make([]trace.Span, n)
	for i := range spans {
		id := strings.Repeat("x", i+1)
		spans[i] = trace.Span{
			ID: trace.SpanID(id), TraceID: trace.TraceID(id), Form: trace.FormTrace, Start: time.Unix(1e9, 0),
			Source: trace.SourceSDK, Kind: trace.KindLLMCall, Status: trace.StatusSuccess,
		}
	}
	return []store.Batch{store.Pack(p, time.Now(), spans)}
}

// A full disk loses nothing and heals: the write fails whole, and the same call
// works once there is room.
func TestFullIsUnavailableAndRecovers(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	p := insertTestProject(t, db)
	var pages int
	if err := db.w.QueryRowContext(t.Context(), `PRAGMA page_count`).Scan(&pages); err != nil {
		t.Fatal(err)
	}
	limit := func(n int) {
		if _, err := db.w.ExecContext(t.Context(), `PRAGMA max_page_count = `+strconv.Itoa(n)); err != nil {
			t.Fatal(err)
		}
	}
	limit(pages + 2)
	batch := testBatch(p, 300)
	if _, err := db.WriteBatches(t.Context(), batch); !fault.Is(err, fault.Unavailable) {
		t.Fatal(err)
	}
	if list, err := db.ListTraces(t.Context(), p, store.TraceFilter{}, store.Page{Limit: 1}); err != nil || list.Total != 0 {
		t.Fatal(list.Total, err)
	}
	limit(pages + 10_000)
	if _, err := db.WriteBatches(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if list, err := db.ListTraces(t.Context(), p, store.TraceFilter{}, store.Page{Limit: 1}); err != nil || list.Total != 300 {
		t.Fatal(list.Total, err)
	}
}

func TestToFault(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	insertTestProject(t, db)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		db   *sql.DB
		text string
		want fault.Code
	}{
		"Unique":     {t.Context(), db.w, `INSERT INTO projects (id, name) VALUES ('p', 'p')`, fault.Conflict},
		"NotNull":    {t.Context(), db.w, `INSERT INTO projects (id, name) VALUES ('q', NULL)`, fault.Invalid},
		"ForeignKey": {t.Context(), db.w, `INSERT INTO user_projects (id, user_id, project_id) VALUES ('m', 'u', 'p')`, fault.Invalid},
		"ReadOnly":   {t.Context(), db.r, `INSERT INTO projects (id, name) VALUES ('q', 'q')`, fault.Unavailable},
		"Cancelled":  {ended, db.w, `SELECT 1`, fault.Unavailable},
		"Bug":        {t.Context(), db.w, `SELECT nonsense`, fault.Internal},
	} {
		_, err := c.db.ExecContext(c.ctx, c.text)
		if got := fault.CodeOf(toFault("test", err)); got != c.want {
			t.Errorf("%s: %v is %q, want %q", name, err, got, c.want)
		}
	}
	if toFault("test", nil) != nil || fault.CodeOf(toFault("test", sql.ErrNoRows)) != fault.NotFound {
		t.Error("nil or no rows")
	}
}

// Lists and look-ups must never sort or scan: at ten million rows that is the
// difference between milliseconds and minutes.
func TestPlans(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	p := store.Page{Limit: 50, Cursor: ""}
	for name, c := range map[string]struct {
		text, id   string
		conditions string
		descending bool
	}{
		"ListTraces":    {selectTrace + tracesByStart, "trace_id", "start_time >= 1 AND start_time < 2", true},
		"SessionTraces": {selectTrace + tracesBySession, "trace_id", "session_id <> '' AND session_id = 'x' AND start_time IS NOT NULL", false},
		"ListSpans":     {selectSpan + spansByStart, "span_id", "form = 'span' AND start_time >= 1 AND start_time < 2", true},
		"ByTool":        {selectSpan + spansByTool, "span_id", "form = 'span' AND tool_name IS NOT NULL AND tool_name = 'x'", true},
		"OfTrace":       {selectSpan + spansByTrace, "span_id", "form = 'span' AND trace_id <> '' AND trace_id = 'x'", true},
		"SessionSpans":  {selectSpan + spansBySession, "span_id", "form = 'span' AND session_id <> '' AND session_id = 'x'", false},
	} {
		w := newWhere(1)
		w.and(c.conditions)
		if err := w.page(p, c.id, c.descending); err != nil {
			t.Fatal(err)
		}
		err := query(t.Context(), db.r, "explain", func(rows *sql.Rows) error {
			var id, parent, unused int
			var detail string
			err := rows.Scan(&id, &parent, &unused, &detail)
			if strings.Contains(detail, "TEMP B-TREE") || strings.HasPrefix(detail, "SCAN") {
				t.Errorf("%s: %s", name, detail)
			}
			return err
		}, `EXPLAIN QUERY PLAN `+c.text+w.text.String(), w.args...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The earlier service's data tables are put aside under other names with all
// their rows; its accounts stay where they are.
func TestMigrateSetsLegacyTablesAside(t *testing.T) {
	t.Parallel()
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "pulse.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, text := range []string{
		`CREATE TABLE projects (id text PRIMARY KEY NOT NULL, name text NOT NULL, created_at integer DEFAULT 7 NOT NULL)`,
		`CREATE TABLE sessions (id text PRIMARY KEY NOT NULL, project_id text NOT NULL, created_at integer NOT NULL, metadata text)`,
		`CREATE TABLE traces (trace_id text PRIMARY KEY NOT NULL, project_id text NOT NULL REFERENCES projects(id),
			session_id text REFERENCES sessions(id), timestamp integer NOT NULL)`,
		`CREATE TABLE spans (span_id text PRIMARY KEY NOT NULL, project_id text NOT NULL, timestamp integer NOT NULL)`,
		`CREATE INDEX traces_session_idx ON traces (session_id)`, // a name that is ours now
		`INSERT INTO projects (id, name) VALUES ('p', 'old')`,
		`INSERT INTO sessions VALUES ('s', 'p', 1, NULL)`,
		`INSERT INTO traces VALUES ('t', 'p', 's', 2)`,
		`INSERT INTO spans VALUES ('x', 'p', 3)`,
	} {
		if _, err := db.w.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	var lines []string
	for range 2 { // the second finds nothing to do
		if err := db.setAsideLegacy(t.Context(), func(line string) { lines = append(lines, line) }); err != nil {
			t.Fatal(err)
		}
	}
	if len(lines) != 3 {
		t.Fatal(lines)
	}
	var rows int
	err = db.r.QueryRowContext(t.Context(),
		`SELECT (SELECT count(*) FROM legacy_traces) + (SELECT count(*) FROM legacy_spans) + (SELECT count(*) FROM legacy_sessions)`).Scan(&rows)
	if err != nil || rows != 3 {
		t.Fatal(rows, err)
	}
}

// Orders, filters and sums over the traces of a range read no row of the table
// for those that they do not give.
func TestFactsAreInTheIndex(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	var facts []string
	for _, f := range []fold.Fact{
		filter.FieldTrace, filter.FieldStatus, filter.FieldProvider, filter.FieldModel, filter.FieldSource, filter.FieldLatency, filter.FieldCost,
		filter.FieldTokens, filter.FieldIn, filter.FieldOut,
	} {
		facts = append(facts, factColumns[f])
	}
	w := newWhere(1)
	w.andStart(fold.Interval{From: 1, To: 2})
	err := query(t.Context(), db.r, "explain", func(rows *sql.Rows) error {
		var id, parent, unused int
		var detail string
		err := rows.Scan(&id, &parent, &unused, &detail)
		if !strings.Contains(detail, "USING COVERING INDEX traces_start_idx (project=? AND start_time>? AND start_time<?)") {
			t.Error(detail)
		}
		return err
	}, `EXPLAIN QUERY PLAN SELECT `+strings.Join(facts, ", ")+` FROM traces `+tracesByStart+w.text.String(), w.args...)
	if err != nil {
		t.Fatal(err)
	}
}
