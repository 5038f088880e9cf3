package sqlite_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/sqlite"
	"github.com/pulse-traces/pulse/shared/store/storetest"
)

// opened is a store that a test can damage.
type opened struct {
	*sqlite.DB
	path string
}

func open(t *testing.T) store.Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pulse.db")
	db, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return opened{db, path}
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Exercise(t, open)
}

// TestKeysBeginWithTheProject: an index of what projects send serves one project.
func TestKeysBeginWithTheProject(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", open(t).(opened).path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, table := range []string{"spans", "traces", "sessions", "rollups", "rollup_sessions", "trace_counts", "payload_chunks", "payload_signatures"} {
		var keys, others int
		err := db.QueryRowContext(t.Context(), `SELECT count(*), coalesce(sum(c.name <> 'project'), 0) FROM (
			SELECT x.name FROM pragma_index_list(?) i, pragma_index_info(i.name) x WHERE x.seqno = 0
			UNION ALL SELECT name FROM pragma_table_info(?) WHERE pk = 1) c`, table, table).Scan(&keys, &others)
		if err != nil || keys == 0 || others > 0 {
			t.Errorf("%s: %d of %d keys begin with another column, %v", table, others, keys, err)
		}
	}
}

// raw runs statements on a connection of their own.
func raw(ctx context.Context, t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(ctx, s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func TestRecount(t *testing.T) {
	t.Parallel()
	damage := map[string]func(t *testing.T, s store.Store){}
	for name, text := range map[string]string{
		"TraceChanged":   `UPDATE traces SET error_count = error_count + 1 WHERE rowid % 3 = 0`,
		"TraceMissing":   `DELETE FROM traces WHERE rowid % 3 = 0`,
		"TraceInvented":  `INSERT INTO traces (project, trace_id, session_id, start_time, end_time, main_span_id, main_start, main_llm, form, span_count, llm_count, error_count, duration_us, sources, input_tokens, output_tokens, cost_nano_usd, provider_key, model_key) SELECT project, 'invented', session_id, start_time, end_time, main_span_id, main_start, main_llm, form, span_count, llm_count, error_count, duration_us, sources, input_tokens, output_tokens, cost_nano_usd, provider_key, model_key FROM traces LIMIT 1`,
		"SessionChanged": `UPDATE sessions SET span_count = 0`,
		"SessionMissing": `DELETE FROM sessions WHERE rowid % 2 = 0`,
		"RollupChanged":  `UPDATE rollups SET cost_nano_usd = 1 WHERE grain = 'hour'`,
		"RollupMissing":  `DELETE FROM rollups WHERE grain = 'day'`,
		"SketchMissing":  `DELETE FROM rollup_sessions`,
		"CountsMissing":  `DELETE FROM trace_counts`,
		"CountsChanged":  `UPDATE trace_counts SET count = count + 1`,
		"CostsChanged":   `UPDATE trace_counts SET cost_nano_usd = cost_nano_usd + 1`,
		"SketchesLost":   `UPDATE trace_counts SET latency = x''`,
		"AllMissing":     `DELETE FROM traces`,
		"MarksMissing":   `UPDATE spans SET mixed = 0`,
		"RepeatsMissing": `UPDATE spans SET repeats = 0`,
		"LentChanged":    `UPDATE spans SET input_tokens = 1 WHERE own IS NOT NULL`,
		"LenderMissing":  `UPDATE spans SET told_by = NULL`,
		"RootChanged":    `UPDATE traces SET name = 'x' WHERE root_span_id IS NOT NULL`,
	} {
		damage[name] = func(t *testing.T, s store.Store) { raw(t.Context(), t, s.(opened).path, text) }
	}
	storetest.ExerciseRecount(t, open, damage)
}

func TestErasure(t *testing.T) {
	t.Parallel()
	storetest.ExerciseErasure(t, open, func(t *testing.T, s store.Store) (out [][]byte) {
		t.Helper()
		db, err := sql.Open("sqlite", s.(opened).path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		rows, err := db.QueryContext(t.Context(), `SELECT data FROM payload_chunks`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var data []byte
			if err := rows.Scan(&data); err != nil {
				t.Fatal(err)
			}
			out = append(out, data)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return out
	})
}

func TestUpgradeOfVersion2(t *testing.T) {
	t.Parallel()
	storetest.ExerciseUpgrade(t, open, func(t *testing.T, s store.Store) {
		statements := []string{
			`DROP INDEX spans_key_idx`, `DROP INDEX spans_service_start_idx`, `DROP INDEX spans_service_idx`,
			`CREATE INDEX spans_service_idx ON spans (project, service, trace_id, start_time) WHERE service IS NOT NULL`,
			`DROP TRIGGER payload_chunks_added`, `DROP TRIGGER payload_chunks_changed`, `DROP TRIGGER payload_chunks_gone`, `DROP TABLE payload_signatures`,
			`DROP TABLE rejections`, `ALTER TABLE payload_chunks DROP COLUMN stored_at`, `DROP TABLE invites`, `DROP TABLE views`, `DROP TABLE project_settings`, `DROP TABLE removed_projects`,
			`DROP TABLE prices`, `ALTER TABLE spans DROP COLUMN cost_source`, `ALTER TABLE spans DROP COLUMN api_key`, `DROP TABLE api_key_numbers`,
			`ALTER TABLE traces DROP COLUMN first_token_ms`, `DROP TABLE trace_counts_due`,
			`DELETE FROM goose_db_version WHERE version_id > 2`,
		}
		for table, columns := range map[string][]string{
			"spans": sqlite.MappedColumns, "traces": sqlite.MappedTraceColumns,
			"trace_counts": {"input_tokens", "output_tokens", "cost_nano_usd", "latency", "first_token"},
			"sessions":     {"turn_spans", "turn_errors", "turn_input_tokens", "turn_output_tokens", "turn_cost_nano_usd"},
		} {
			for _, c := range columns {
				statements = append(statements, `ALTER TABLE `+table+` DROP COLUMN "`+c+`"`)
			}
		}
		raw(t.Context(), t, s.(opened).path, statements...)
	})
}

func TestUpgradeOfVersion10(t *testing.T) {
	t.Parallel()
	storetest.ExerciseTokensUpgrade(t, open, func(t *testing.T, s store.Store) {
		raw(t.Context(), t, s.(opened).path,
			`UPDATE traces SET input_tokens = (SELECT sum(input_tokens) FROM spans s WHERE s.project = traces.project AND s.trace_id = traces.trace_id
				AND kind = 'llm_call' AND NOT repeats AND NOT patch), output_tokens = (SELECT sum(output_tokens) FROM spans s WHERE s.project = traces.project
				AND s.trace_id = traces.trace_id AND kind = 'llm_call' AND NOT repeats AND NOT patch)`,
			`UPDATE trace_counts SET input_tokens = 0, output_tokens = 0`, `UPDATE sessions SET turn_input_tokens = 0, turn_output_tokens = 0`,
			`ALTER TABLE traces DROP COLUMN embedding_tokens`, `DELETE FROM goose_db_version WHERE version_id > 10`)
	})
}

func TestMigrateRefusesNewerSchema(t *testing.T) {
	t.Parallel()
	s := open(t).(opened)
	raw(t.Context(), t, s.path, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	if err := s.Migrate(t.Context(), nil); !fault.Is(err, fault.Invalid) {
		t.Fatal(err)
	}
}

func TestOpenUnavailable(t *testing.T) {
	t.Parallel()
	if _, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "absent", "pulse.db")); !fault.Is(err, fault.Unavailable) {
		t.Fatal(err)
	}
}

// A path is no URL: nothing in it may be taken for a parameter.
func TestOpenAnyFileName(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pulse #1?mode=memory&%41.db")
	db, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		t.Fatal(info, err)
	}
}
