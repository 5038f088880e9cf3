package postgres

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/storetest"
	"github.com/pulse-traces/pulse/shared/testkit"
)

// migrated gives an empty store.
func migrated(t *testing.T) store.Store { return setup(t) }

// damaging runs SQL on an open store.
func damaging(text string) func(t *testing.T, s store.Store) {
	return func(t *testing.T, s store.Store) {
		t.Helper()
		if _, err := s.(*DB).pool.Exec(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

func TestRecount(t *testing.T) {
	t.Parallel()
	damage := map[string]func(t *testing.T, s store.Store){}
	for name, text := range map[string]string{
		"TraceChanged":   `UPDATE traces SET error_count = error_count + 1`,
		"TraceMissing":   `DELETE FROM traces WHERE span_count > 1`,
		"SessionChanged": `UPDATE sessions SET span_count = 0`,
		"SessionMissing": `DELETE FROM sessions WHERE session_id < 'x3'`,
		"RollupChanged":  `UPDATE rollups SET cost_nano_usd = 1 WHERE grain = 'hour'`,
		"RollupMissing":  `DELETE FROM rollups WHERE grain = 'day'`,
		"SketchMissing":  `DELETE FROM rollup_sessions`,
		"CountsMissing":  `DELETE FROM trace_counts`,
		"CountsChanged":  `UPDATE trace_counts SET count = count + 1`,
		"CostsChanged":   `UPDATE trace_counts SET cost_nano_usd = cost_nano_usd + 1`,
		"SketchesLost":   `UPDATE trace_counts SET latency = ''`,
		"RepeatsMissing": `UPDATE spans SET repeats = false`,
		"LentChanged":    `UPDATE spans SET input_tokens = 1 WHERE own IS NOT NULL`,
		"LenderMissing":  `UPDATE spans SET told_by = NULL`,
		"RootChanged":    `UPDATE traces SET name = 'x' WHERE root_span_id IS NOT NULL`,
	} {
		damage[name] = damaging(text)
	}
	storetest.ExerciseRecount(t, migrated, damage)
}

func TestErasure(t *testing.T) {
	t.Parallel()
	storetest.ExerciseErasure(t, migrated, func(t *testing.T, s store.Store) [][]byte {
		t.Helper()
		out, err := collect(t.Context(), s.(*DB).pool, pgx.RowTo[[]byte], `SELECT data FROM payload_chunks`)
		if err != nil {
			t.Fatal(err)
		}
		return out
	})
}

func TestUpgradeOfVersion2(t *testing.T) {
	t.Parallel()
	storetest.ExerciseUpgrade(t, migrated, func(t *testing.T, s store.Store) {
		text := `ALTER TABLE payload_chunks DROP COLUMN stored_at, DROP COLUMN signature; DROP TABLE rejections, invites, views, project_settings, removed_projects; DROP INDEX spans_key_idx; DROP TABLE prices; ALTER TABLE spans DROP COLUMN cost_source, DROP COLUMN api_key;
			ALTER TABLE sessions DROP COLUMN turn_spans, DROP COLUMN turn_errors, DROP COLUMN turn_input_tokens, DROP COLUMN turn_output_tokens,
			DROP COLUMN turn_cost_nano_usd; ALTER TABLE traces DROP COLUMN first_token_ms; DROP TABLE trace_counts_due; ALTER TABLE trace_counts
			DROP COLUMN input_tokens, DROP COLUMN output_tokens, DROP COLUMN cost_nano_usd, DROP COLUMN latency, DROP COLUMN first_token; DELETE FROM goose_db_version WHERE version_id > 2;`
		for _, c := range spanTable.columns[len(plainSpanTable.columns):] {
			text += `ALTER TABLE spans DROP COLUMN ` + c.name + `;`
		}
		for _, c := range traceTable.columns[len(plainTraceTable.columns):] {
			text += `ALTER TABLE traces DROP COLUMN ` + c.name + `;`
		}
		damaging(text)(t, s)
	})
}

func TestUpgradeOfVersion10(t *testing.T) {
	t.Parallel()
	storetest.ExerciseTokensUpgrade(t, migrated, damaging(`UPDATE traces SET input_tokens = (SELECT sum(input_tokens) FROM spans s WHERE s.project_id = traces.project_id AND s.trace_id = traces.trace_id
		AND kind = 'llm_call' AND NOT repeats AND NOT patch), output_tokens = (SELECT sum(output_tokens) FROM spans s WHERE s.project_id = traces.project_id
		AND s.trace_id = traces.trace_id AND kind = 'llm_call' AND NOT repeats AND NOT patch);
		UPDATE trace_counts SET input_tokens = 0, output_tokens = 0; UPDATE sessions SET turn_input_tokens = 0, turn_output_tokens = 0;
		ALTER TABLE traces DROP COLUMN embedding_tokens; DELETE FROM goose_db_version WHERE version_id > 10`))
}

func TestStore(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"cache_describe", "exec"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			storetest.Exercise(t, func(t *testing.T) store.Store {
				db := openURL(t, withParam(t, testkit.Postgres(t), "default_query_exec_mode", mode))
				if err := db.Migrate(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				return db
			})
		})
	}
}

// TestKeysBeginWithTheProject: the tables of what projects send can be distributed by
// project_id as they are, for which each key must hold it, and begins with it so that
// an index serves one project.
func TestKeysBeginWithTheProject(t *testing.T) {
	t.Parallel()
	db := setup(t)
	for _, table := range []string{"spans", "traces", "sessions", "rollups", "rollup_sessions", "trace_counts", "payload_chunks"} {
		rows, err := db.pool.Query(t.Context(), `SELECT i.relname, a.attname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
			JOIN pg_attribute a ON a.attrelid = x.indexrelid AND a.attnum = 1 WHERE x.indrelid = $1::regclass`, table)
		if err != nil {
			t.Fatal(err)
		}
		var index, column string
		tag, err := pgx.ForEachRow(rows, []any{&index, &column}, func() error {
			if column != "project_id" {
				t.Errorf("%s of %s begins with %s", index, table, column)
			}
			return nil
		})
		if err != nil || tag.RowsAffected() == 0 {
			t.Errorf("%s: %s, %v", table, tag, err)
		}
		var foreign int
		if err := db.pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid = $1::regclass`, table).Scan(&foreign); err != nil || foreign > 0 {
			t.Errorf("%s refers to %d tables that may be elsewhere, %v", table, foreign, err)
		}
	}
}
