package legacy_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/postgres"
	"github.com/pulse-traces/pulse/shared/store/sqlite"
	"github.com/pulse-traces/pulse/shared/testkit"
)

// The secrets that were in force where testdata was made.
const (
	oldSecret        = "old-secret-0123456789-0123456789-abcdef"
	oldEncryptionKey = "8d2a52c8333cabd7d3e49fd6a60da5574f5722d64fc4a2b211390a1634553a03"
)

// then is a moment at which the sessions of testdata were live.
var then = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// truth is what the earlier service answered right before it stopped.
type truth struct {
	Password string
	Accounts []accountTruth
}

type accountTruth struct {
	Email, Name, Project, Key, SessionCookie string

	UserProjects any // GET /dashboard/api/projects
	Keys         any // GET /dashboard/api/api-keys
	Analytics    any // GET /v1/analytics
	Traces       list
	Spans        list
}

// list is an answer of GET /v1/traces or /v1/spans.
type list struct {
	Traces []map[string]any
	Spans  []map[string]any
	Total  float64
}

// A fixture is a database of the earlier service.
type fixture struct {
	name string // of the files in testdata
	// restore gives a new copy of the database, by its path or URL.
	restore func(t testing.TB) string
	engine  engine
}

func fixtures() []fixture {
	return []fixture{
		{"g1.sqlite", func(t testing.TB) string { return copyOf(t, "g1.sqlite") }, sqliteEngine},
		{"g2.sqlite", func(t testing.TB) string { return copyOf(t, "g2.sqlite") }, sqliteEngine},
		{"g1.postgres", func(t testing.TB) string { return restoredDump(t, "g1.postgres.sql") }, postgresEngine},
	}
}

func (f fixture) truth(t testing.TB) truth {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", f.name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var v truth
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// engine is how a test reaches databases of a kind.
type engine struct {
	name string
	open func(ctx context.Context, address string) (store.Store, error)
	// raw gives a connection for a test's own SQL.
	raw func(t testing.TB, address string) *sql.DB
}

var sqliteEngine = engine{
	name: "sqlite",
	open: func(ctx context.Context, path string) (store.Store, error) { return sqlite.Open(ctx, path) },
	raw:  func(t testing.TB, path string) *sql.DB { return rawDB(t, "sqlite", "file:"+url.PathEscape(path)) },
}

var postgresEngine = engine{
	name: "postgres",
	open: func(ctx context.Context, address string) (store.Store, error) {
		return postgres.Open(ctx, address, postgres.Options{})
	},
	raw: func(t testing.TB, address string) *sql.DB { return rawDB(t, "pgx", address) },
}

func rawDB(t testing.TB, driver, source string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// exec runs SQL on a database of the engine.
func (e engine) exec(t testing.TB, address string, statements ...string) {
	t.Helper()
	db := e.raw(t, address)
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%.100s: %v", s, err)
		}
	}
}

// one reads one value.
func one[T any](t testing.TB, e engine, address, query string) T {
	t.Helper()
	var v T
	if err := e.raw(t, address).QueryRowContext(t.Context(), query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

// opened opens a database for the length of the test.
func (e engine) opened(t testing.TB, address string) store.Store {
	t.Helper()
	db, err := e.open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// upgraded opens a database and migrates it. It gives what the person is told.
func (e engine) upgraded(t testing.TB, address string) (store.Store, []string) {
	t.Helper()
	db := e.opened(t, address)
	var lines []string
	if err := db.Migrate(t.Context(), func(line string) { lines = append(lines, line) }); err != nil {
		t.Fatalf("%v, after:\n%s", err, strings.Join(lines, "\n"))
	}
	return db, lines
}

func copyOf(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "pulse.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// restoredDump runs what pg_dump wrote: statements that end with a line's
// semicolon, COPY with its data up to a line "\.", and commands of psql, which
// begin with a backslash too.
func restoredDump(t testing.TB, name string) string {
	t.Helper()
	ctx := t.Context()
	address := testkit.Postgres(t)
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text))
	statement := ""
	for lines.Scan() {
		line := lines.Text()
		if statement == "" && (line == "" || strings.HasPrefix(line, "--") || strings.HasPrefix(line, `\`)) {
			continue
		}
		statement += line + "\n"
		if !strings.HasSuffix(line, ";") {
			continue
		}
		if strings.HasPrefix(statement, "COPY ") {
			var data bytes.Buffer
			for lines.Scan() && lines.Text() != `\.` {
				fmt.Fprintln(&data, lines.Text())
			}
			_, err = conn.PgConn().CopyFrom(ctx, &data, statement)
		} else {
			_, err = conn.Exec(ctx, statement)
		}
		if err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
		statement = ""
	}
	return address
}
