package legacy_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/legacy"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Variables that make the test binary upgrade a database and end.
const (
	childEngine  = "PULSE_TEST_UPGRADE_ENGINE"
	childAddress = "PULSE_TEST_UPGRADE_ADDRESS"
)

func TestMain(m *testing.M) {
	if address := os.Getenv(childAddress); address != "" {
		if err := upgradeInChild(os.Getenv(childEngine), address); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func upgradeInChild(name, address string) error {
	e := sqliteEngine
	if name == postgresEngine.name {
		e = postgresEngine
	}
	ctx := context.Background()
	db, err := e.open(ctx, address)
	if err != nil {
		return err
	}
	return errors.Join(db.Migrate(ctx, func(string) {}), db.Close())
}

func child(t *testing.T, e engine, address string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), childEngine+"="+e.name, childAddress+"="+address)
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// grow copies the rows of the old tables into a project, times over, with other
// ids and later times. It gives the number of rows there are then.
func grow(t testing.TB, e engine, address string, project account.ProjectID, times int) int64 {
	t.Helper()
	series, later := `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)`, `timestamp + i * 60000`
	if e.name == "postgres" {
		series, later = `WITH n(i) AS (SELECT generate_series(1, %d))`, `timestamp + i * interval '1 minute'`
	}
	total := int64(0)
	for _, table := range []legacy.Table{legacy.Traces, legacy.Spans} {
		found := columns(t, e, address, string(table))
		var names, values []string
		for _, c := range legacy.Columns(table) {
			if !found[c.Name] {
				continue
			}
			value := c.Name
			switch c.Name {
			case "timestamp":
				value = later
			case "project_id":
				value = "'" + string(project) + "'"
			case "trace_id", "span_id":
				value += " || '-' || i"
			}
			names, values = append(names, c.Name), append(values, value)
		}
		if len(names) == 0 {
			continue
		}
		e.exec(t, address, fmt.Sprintf(series+` INSERT INTO %s (%s) SELECT %s FROM %[2]s, n`, times, table,
			strings.Join(names, ", "), strings.Join(values, ", ")))
		total += one[int64](t, e, address, `SELECT count(*) FROM `+string(table))
	}
	return total
}

func columns(t testing.TB, e engine, address, table string) map[string]bool {
	t.Helper()
	query := `SELECT name FROM pragma_table_info('` + table + `')`
	if e.name == "postgres" {
		query = `SELECT column_name FROM information_schema.columns WHERE table_name = '` + table + `'`
	}
	rows, err := e.raw(t, address).QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names[name] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return names
}

// left gives how many rows wait in tables that were set aside.
func left(t *testing.T, e engine, address string) int64 {
	t.Helper()
	n := int64(0)
	for _, table := range []legacy.Table{legacy.Traces, legacy.Spans} {
		if len(columns(t, e, address, table.Aside())) > 0 {
			n += one[int64](t, e, address, `SELECT count(*) FROM `+table.Aside())
		}
	}
	return n
}

// TestKilledUpgrade kills upgrades at random moments, starts them again, and
// compares what comes of it with an upgrade that nobody disturbed.
func TestKilledUpgrade(t *testing.T) {
	t.Parallel()
	const (
		times    = 60 // so that an upgrade takes several steps
		wantKill = 2  // in the midst of moving
		maxRuns  = 60
	)
	for _, f := range fixtures() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			v := f.truth(t)
			prepared := func() (string, int64) {
				address := f.restore(t)
				return address, grow(t, f.engine, address, otherProject(t, f.engine, address, v), times)
			}
			calm, total := prepared()
			begin := time.Now()
			if err := child(t, f.engine, calm).Wait(); err != nil {
				t.Fatal(err)
			}
			whole := time.Since(begin)
			want := snapshot(t, f.engine, calm)

			killed := 0
			for run := 0; killed < wantKill; {
				address, _ := prepared()
				for done := false; !done; run++ {
					if run == maxRuns {
						t.Fatalf("%d of %d upgrades were killed while they moved rows", killed, run)
					}
					c := child(t, f.engine, address)
					timer := time.AfterFunc(time.Duration(rand.Int64N(int64(whole))), func() { _ = c.Process.Kill() }) // it may have ended
					err := c.Wait()
					timer.Stop()
					done = err == nil
					if exit, ok := errors.AsType[*exec.ExitError](err); !done && (!ok || exit.Exited()) {
						t.Fatal(err) // it failed by itself
					}
					if n := left(t, f.engine, address); 0 < n && n < total {
						killed++
					}
				}
				if got := snapshot(t, f.engine, address); !reflect.DeepEqual(got, want) {
					t.Fatalf("killed upgrades differ from a calm one:\n%s", cmp.Diff(want, got))
				}
				db := f.engine.opened(t, address)
				checkWhole(t, f.engine, db, address)
				checkAnswers(t, db, v)
			}
		})
	}
}

// content is all that can be read of a project.
type content struct {
	Traces   []trace.Trace
	Spans    []trace.Span
	Sessions []trace.Session
	Calls    store.CallAnalytics
	Events   store.SpanAnalytics
}

// snapshot reads everything of every project.
func snapshot(t *testing.T, e engine, address string) map[account.ProjectID]content {
	t.Helper()
	ctx := t.Context()
	db := e.opened(t, address)
	out := map[account.ProjectID]content{}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range projectsOf(t, e, address) {
		var c content
		for page, more := (store.Page{Limit: 1000, Detail: store.Full}), true; more; more = page.Cursor != "" {
			list, err := db.ListTraces(ctx, p, store.TraceFilter{}, page)
			check(err)
			c.Traces, page.Cursor = append(c.Traces, list.Traces...), list.Next
		}
		for page, more := (store.Page{Limit: 1000, Detail: store.Full}), true; more; more = page.Cursor != "" {
			list, err := db.ListSpans(ctx, p, store.SpanFilter{}, page)
			check(err)
			c.Spans, page.Cursor = append(c.Spans, list.Spans...), list.Next
		}
		sessions, err := db.ListSessions(ctx, p, store.SessionFilter{}, store.Page{Limit: 1000})
		check(err)
		c.Sessions = sessions.Sessions
		c.Calls, err = db.CallAnalytics(ctx, p, store.TimeRange{}, store.PeriodHour)
		check(err)
		c.Events, err = db.SpanAnalytics(ctx, p, store.TimeRange{}, store.PeriodHour)
		check(err)
		out[p] = c
	}
	return out
}

// BenchmarkUpgrade measures how fast rows move: 200,000 of them, each of about
// the size of a small model call.
func BenchmarkUpgrade(b *testing.B) {
	for _, f := range fixtures() {
		b.Run(f.name, func(b *testing.B) {
			rows := int64(0)
			for b.Loop() {
				b.StopTimer()
				address := f.restore(b)
				rows += grow(b, f.engine, address, otherProject(b, f.engine, address, f.truth(b)), 1250)
				b.StartTimer()
				f.engine.upgraded(b, address)
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
