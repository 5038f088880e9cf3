package legacy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// otherProject gives a project of the database of which the truth tells nothing.
func otherProject(t testing.TB, e engine, address string, v truth) account.ProjectID {
	t.Helper()
	for _, p := range projectsOf(t, e, address) {
		if string(p) != v.Accounts[0].Project && string(p) != v.Accounts[1].Project {
			return p
		}
	}
	t.Fatal("every project is told of")
	return ""
}

// TestBothGenerationsInOne upgrades a database of G1 that G2 was started on: its
// table creation adds columns to spans, without service, and leaves traces and
// sessions.
func TestBothGenerationsInOne(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		if f.name == "g2.sqlite" {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			address := f.restore(t)
			number := map[string]string{"sqlite": "real", "postgres": "double precision"}[f.engine.name]
			for _, column := range []string{
				"trace_id text", "provider text", "model_used text", "input_tokens integer",
				"output_tokens integer", "cost_cents " + number, "finish_reason text", "output_text text", "provider_request_id text",
			} {
				f.engine.exec(t, address, "ALTER TABLE spans ADD COLUMN "+column)
			}
			v := f.truth(t)
			project := otherProject(t, f.engine, address, v)
			f.engine.exec(t, address, fmt.Sprintf(`INSERT INTO spans
				(span_id, project_id, session_id, timestamp, source, kind, event_type, status, trace_id, cost_cents, output_text)
				SELECT 'new', '%s', 'x', timestamp, 'sdk', 'llm_call', 'provider_call', 'success', 't', 0.1, 'hello' FROM spans LIMIT 1`, project))

			db, _ := f.engine.upgraded(t, address)
			checkWhole(t, f.engine, db, address)
			checkAnswers(t, db, v)
			got, err := db.Trace(t.Context(), project, "t")
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Spans) != 1 || *got.Spans[0].Payload.OutputText != "hello" || *got.CostNanoUSD != 1_000_000 {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestOddRows upgrades rows that today's limits forbid.
func TestOddRows(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			address := f.restore(t)
			v := f.truth(t)
			project := otherProject(t, f.engine, address, v)
			lite := f.engine.name == "sqlite"
			insert := func(id, columns, values string) {
				at := "1767225600000"
				if !lite {
					at = "to_timestamp(1767225600)"
				}
				if strings.Contains(columns, "timestamp") {
					columns, values = ", "+columns, ", "+values
				} else {
					columns, values = ", timestamp, "+columns, ", "+at+", "+values
				}
				base := map[string]string{
					"project_id": "'" + string(project) + "'", "session_id": "'odd'", "source": "'codex'", "kind": "'session'",
					"event_type": "'e'", "status": "'success'",
				}
				for name, value := range base {
					if !strings.Contains(columns, name) {
						columns, values = columns+", "+name, values+", "+value
					}
				}
				f.engine.exec(t, address, fmt.Sprintf(`INSERT INTO spans (span_id%s) VALUES ('%s'%s)`, columns, id, values))
			}
			insert("long-session", "session_id", "'"+strings.Repeat("s", 600)+"'")
			insert("no-kind", "kind", "'dream'")
			insert("scalar", "tool_input, tool_response, error, is_interrupt", map[bool]string{true: `'5', 'true', '"boom"', 0`, false: `'5', 'true', '"boom"', false`}[lite])
			if lite {
				insert("past", "timestamp", "-62135596800000")
				insert("fraction", "duration_ms", "1.5")
				insert("large", "metadata", `'"' || replace(hex(zeroblob(3000000)), '0', 'x') || '"'`)
				insert("nul", "cwd", "'a' || char(0) || 'b'")
				insert("no-json", "metadata", "'{'")
				insert("no-project", "project_id", "'gone'")
			} else {
				insert("past", "timestamp", "'0001-01-01 00:00:00+00'")
				insert("large", "metadata", `to_jsonb(repeat('x', 6000000))`)
				insert("eternal", "timestamp", "'infinity'")
			}
			taken := 0
			if f.name != "g2.sqlite" { // an agent's event with the id of a model call
				f.engine.exec(t, address, `INSERT INTO spans (span_id, project_id, session_id, timestamp, source, kind, event_type, status)
					SELECT trace_id, project_id, 'odd', timestamp, 'codex', 'session', 'e', 'success' FROM traces LIMIT 1`)
				taken = 1
			}

			db, lines := f.engine.upgraded(t, address)
			checkAnswers(t, db, v)
			for _, p := range projectsOf(t, f.engine, address) {
				if n, err := db.Recount(t.Context(), p, false); err != nil || n != 0 {
					t.Errorf("project %s: %d rows differ from a recount: %v", p, n, err)
				}
			}
			reasons := map[string]string{}
			rows, err := f.engine.raw(t, address).QueryContext(t.Context(), `SELECT span_id, reason FROM legacy_kept_spans`)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			for rows.Next() {
				var id, reason string
				if err := rows.Scan(&id, &reason); err != nil {
					t.Fatal(err)
				}
				if strings.HasSuffix(reason, "has its id") {
					id = "taken"
				}
				reasons[id], _, _ = strings.Cut(reason, " expected")
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			want := map[string]string{
				"long-session": "moved, but changed to fit: session_id", "no-kind": "not moved: kind: Invalid option:",
				"past": "moved, but changed to fit: timestamp",
			}
			if lite {
				want["nul"], want["no-json"] = "moved, but changed to fit: cwd", "moved, but changed to fit: metadata"
				want["no-project"] = "not moved: there is no such project"
			} else {
				want["eternal"] = "moved, but changed to fit: timestamp"
			}
			if taken > 0 {
				want["taken"] = "not moved: another record of the project has its id"
			}
			if diff := cmp.Diff(want, reasons); diff != "" {
				t.Error(diff)
			}
			if told := fmt.Sprintf("%d of them do not fit today's limits", len(want)); !strings.Contains(strings.Join(lines, "\n"), told) {
				t.Errorf("nobody is told that %s: %q", told, lines)
			}

			get := func(id trace.SpanID) trace.Span {
				t.Helper()
				s, err := db.Span(t.Context(), project, id)
				if err != nil {
					t.Fatalf("%s: %v", id, err)
				}
				return s
			}
			if s := get("past"); !s.Start.Equal(trace.MinTime) {
				t.Errorf("past: %v", s.Start)
			}
			if p := get("large").Payload; string(p.Metadata) != `"`+strings.Repeat("x", 6_000_000)+`"` {
				t.Errorf("large: %d bytes", len(p.Metadata))
			}
			if p := get("scalar").Payload; string(p.ToolInput) != "5" || string(p.ToolResponse) != "true" || string(p.Error) != `"boom"` {
				t.Errorf("scalar: %s %s %s", p.ToolInput, p.ToolResponse, p.Error)
			}
			if lite {
				if s := get("fraction"); *s.DurationMS != 1.5 {
					t.Errorf("fraction: %v", *s.DurationMS)
				}
				if p := get("no-json").Payload; string(p.Metadata) != `"{"` {
					t.Errorf("no-json: %s", p.Metadata)
				}
			}
		})
	}
}

// TestOwnersAreAdministrators checks the role that older databases hold.
func TestOwnersAreAdministrators(t *testing.T) {
	t.Parallel()
	f := fixtures()[0]
	address := f.restore(t)
	f.engine.exec(t, address, `UPDATE user_projects SET role = 'owner' WHERE role = 'admin'`)
	db, _ := f.engine.upgraded(t, address)
	checkAnswers(t, db, f.truth(t))
}

// TestCopyIsKept looks at what lies beside an upgraded file.
func TestCopyIsKept(t *testing.T) {
	t.Parallel()
	f := fixtures()[0]
	path := f.restore(t)
	// What a run left that was killed while it copied.
	partial := path + ".before-upgrade-20260101T000000Z.partial"
	if err := os.WriteFile(partial, []byte("part"), 0o600); err != nil {
		t.Fatal(err)
	}
	db, lines := f.engine.upgraded(t, path)
	if err := db.Migrate(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	copies, err := filepath.Glob(path + ".before-upgrade-*")
	if err != nil || len(copies) != 1 {
		t.Fatalf("copies %q, %v", copies, err)
	}
	if !strings.Contains(lines[0], copies[0]) {
		t.Errorf("told %q, not %s", lines[0], copies[0])
	}
	info, err := os.Stat(copies[0])
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	// The copy is the database as it was: it can be upgraded itself.
	again, _ := f.engine.upgraded(t, copies[0])
	checkAnswers(t, again, f.truth(t))
}

// TestNoCopyOfOurs checks that only a legacy file is copied.
func TestNoCopyOfOurs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pulse.db")
	_, lines := sqliteEngine.upgraded(t, path)
	copies, err := filepath.Glob(path + ".before-upgrade-*")
	if err != nil || len(copies) > 0 || strings.Contains(strings.Join(lines, "\n"), "earlier") {
		t.Errorf("copies %q, %v, told %q", copies, err, lines)
	}
}

// TestNoCopyNoChange checks that a file whose copy cannot be written stays as
// it was.
func TestNoCopyNoChange(t *testing.T) {
	t.Parallel()
	f := fixtures()[0]
	path := f.restore(t)
	db := f.engine.opened(t, path)
	// Something of a partial copy's name that cannot be removed stands in the way.
	if err := os.Mkdir(path+".before-upgrade-x.partial", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path+".before-upgrade-x.partial", "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context(), nil); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("got %v", err)
	}
	if n := one[int](t, f.engine, path, `SELECT count(*) FROM traces WHERE latency_ms >= 0`); n != 80 {
		t.Errorf("%d rows in the old table", n)
	}
}

// TestRetentionGoesByStart checks what moves is as old as it was: its rows are
// deleted by their start.
func TestRetentionGoesByStart(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			address := f.restore(t)
			db, _ := f.engine.upgraded(t, address)
			v := f.truth(t)
			oldest := v.Accounts[0].Traces.Traces[len(v.Accounts[0].Traces.Traces)-1]
			start, ok := trace.ParseTime(text(oldest, "timestamp"))
			if !ok {
				t.Fatal(oldest)
			}
			if n, err := db.Retain(t.Context(), start); err != nil || n != 0 {
				t.Fatalf("%d deleted, %v", n, err)
			}
			got, err := db.Trace(t.Context(), account.ProjectID(v.Accounts[0].Project), trace.TraceID(text(oldest, "traceId")))
			if err != nil || got.Spans[0].Payload.Empty() {
				t.Fatalf("%+v, %v", got, err)
			}
			if n, err := db.Retain(t.Context(), start.AddDate(1, 0, 0)); err != nil || n != 160 {
				t.Errorf("%d deleted, %v", n, err)
			}
			list, err := db.ListTraces(t.Context(), account.ProjectID(v.Accounts[0].Project), store.TraceFilter{}, store.Page{Limit: 1})
			if err != nil || list.Total != 0 {
				t.Errorf("%d traces left, %v", list.Total, err)
			}
		})
	}
}
