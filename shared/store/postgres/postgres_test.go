package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/migrations"
	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/testkit"
	"github.com/pulse-traces/pulse/shared/trace"
)

func ptr[T any](v T) *T { return &v }

// withParam adds a parameter to a database URL.
func withParam(t testing.TB, address, name, value string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// openURL opens a database without migrating it.
func openURL(t testing.TB, address string) *DB {
	t.Helper()
	db, err := Open(t.Context(), address, Options{MaxConns: 8})
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

func setup(t testing.TB) *DB {
	t.Helper()
	db := openURL(t, testkit.Postgres(t))
	if err := db.Migrate(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return db
}

// newProject makes an account with a project.
func newProject(t testing.TB, db *DB, id account.ProjectID) account.ProjectID {
	t.Helper()
	now := time.Date(2026, 1, 25, 12, 0, 0, 0, time.UTC)
	user := account.User{ID: account.UserID("u-" + id), Name: "n", Email: string(id) + "@example.com", CreatedAt: now, UpdatedAt: now}
	err := db.CreateUser(t.Context(), store.NewUser{
		User: user, CredentialID: "c-" + string(id), PasswordHash: "h",
		Project: &store.NewProject{
			Project: account.Project{ID: id, Name: "p", CreatedAt: now},
			Key:     account.APIKey{ID: account.KeyID("k-" + id), ProjectID: id, Hash: account.HashKey(string(id)), Name: "k", CreatedAt: now},
			Member:  account.Membership{ID: "m-" + string(id), UserID: user.ID, ProjectID: id, Role: account.RoleAdmin, CreatedAt: now},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

var testStart = time.Date(2026, 1, 25, 12, 0, 0, 0, time.UTC)

// testSpans makes n LLM traces whose ids begin with prefix.
func testSpans(prefix string, n int) []trace.Span {
	spans := make([]trace.Span, n)
	for i := range spans {
		id := fmt.Sprintf("%s-%06d", prefix, i)
		spans[i] = trace.Span{
			ID: trace.SpanID(id), TraceID: trace.TraceID(id), SessionID: trace.SessionID(fmt.Sprint("s", i%7)), Form: trace.FormTrace,
			Start: testStart.Add(time.Duration(i) * time.Second), Source: trace.SourceSDK, Kind: trace.KindLLMCall,
			EventType: "llm_call", Status: trace.StatusSuccess, DurationMS: ptr(float64(100 + i%50)), Model: ptr("m"), Provider: ptr("p"),
			InputTokens: ptr(int64(10)), OutputTokens: ptr(int64(20)), CostNanoUSD: ptr(int64(30)),
			Payload: trace.Payload{OutputText: ptr("hello " + id)},
		}
	}
	return spans
}

// exact fails unless all sums equal a recount, and n traces are counted.
func exact(t *testing.T, db *DB, project account.ProjectID, n int64) {
	t.Helper()
	differing, err := db.Recount(t.Context(), project, false)
	if err != nil {
		t.Fatal(err)
	}
	if differing != 0 {
		t.Errorf("%d rows differ from a recount", differing)
	}
	list, err := db.ListTraces(t.Context(), project, store.TraceFilter{}, store.Page{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if list.Total != n {
		t.Errorf("%d traces, want %d", list.Total, n)
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	t.Run("Twice", func(t *testing.T) {
		t.Parallel()
		db := openURL(t, testkit.Postgres(t))
		files, err := fs.Glob(migrations.Postgres(), "*.sql")
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []int{len(files), 0} {
			applied := 0
			if err := db.Migrate(t.Context(), func(string) { applied++ }); err != nil {
				t.Fatal(err)
			}
			if applied != want {
				t.Errorf("%d migrations applied, want %d", applied, want)
			}
		}
	})
	t.Run("AtOnce", func(t *testing.T) {
		t.Parallel()
		address := testkit.Postgres(t)
		var wg sync.WaitGroup
		for range 4 {
			db := openURL(t, address)
			wg.Go(func() {
				if err := db.Migrate(t.Context(), nil); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
	t.Run("PoolOfOne", func(t *testing.T) {
		t.Parallel()
		db := openURL(t, withParam(t, testkit.Postgres(t), "pool_max_conns", "1"))
		if err := db.Migrate(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("ErrNewerSchema", func(t *testing.T) {
		t.Parallel()
		db := setup(t)
		if _, err := db.pool.Exec(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)`); err != nil {
			t.Fatal(err)
		}
		if err := db.Migrate(t.Context(), nil); !fault.Is(err, fault.Invalid) {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("EarlierServiceIsTakenOver", func(t *testing.T) {
		t.Parallel()
		db := openURL(t, testkit.Postgres(t))
		_, err := db.pool.Exec(t.Context(), `
			CREATE TABLE "user" (id text PRIMARY KEY, name text NOT NULL, email text NOT NULL, email_verified boolean NOT NULL DEFAULT false,
				image text, created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
			CREATE UNIQUE INDEX user_email_unique ON "user" (email);
			INSERT INTO "user" (id, name, email, created_at) VALUES ('u1', 'n', 'a@example.com', '2026-01-02 03:04:05.678912+00');
			CREATE TABLE spans (span_id text PRIMARY KEY, "timestamp" timestamptz NOT NULL);
			CREATE INDEX spans_session_idx ON spans ("timestamp");
			INSERT INTO spans VALUES ('s1', now());
			CREATE TABLE sessions (id text PRIMARY KEY, created_at timestamptz NOT NULL)`)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := db.Migrate(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		// The row is of no project; store/legacy tests those that are.
		n, err := collectOne(t.Context(), db.pool, pgx.RowTo[int64], `SELECT count(*) FROM legacy_kept_spans WHERE reason LIKE 'not moved: %'`)
		if err != nil || n != 1 {
			t.Errorf("%d rows kept, want 1: %v", n, err)
		}
		left, err := collect(t.Context(), db.pool, pgx.RowTo[string], `SELECT relname::text FROM pg_class
			WHERE relname LIKE 'legacy%' AND relname <> 'legacy_kept_spans' AND relnamespace = current_schema()::regnamespace`)
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		u, err := db.UserByEmail(t.Context(), "a@example.com")
		if err != nil {
			t.Fatal(err)
		}
		if want := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC); u.CreatedAt != want {
			t.Errorf("created at %v, want %v", u.CreatedAt, want)
		}
	})
}

func TestWriteBatchesAtOnce(t *testing.T) {
	t.Parallel()
	address := testkit.Postgres(t)
	first := openURL(t, address)
	if err := first.Migrate(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	projects := []account.ProjectID{newProject(t, first, "p1"), newProject(t, first, "p2")}
	// Every writer sends the same spans, in another order of projects, into
	// days whose partition nobody has made yet.
	const writers, records, each = 4, 6, 50
	var inserted [writers]int
	var wg sync.WaitGroup
	for w := range writers {
		db := openURL(t, address)
		wg.Go(func() {
			for r := range records {
				arrived := testStart.AddDate(0, 0, r)
				var batches []store.Batch
				for i := range projects {
					batches = append(batches, store.Pack(projects[(i+w)%2], arrived, testSpans(fmt.Sprint("r", r), each)))
				}
				outcomes, err := db.WriteBatches(t.Context(), batches)
				if err != nil {
					t.Error(err)
					return
				}
				for _, o := range outcomes {
					for _, new := range o.Inserted {
						if new {
							inserted[w]++
						}
					}
				}
			}
		})
	}
	wg.Wait()
	total := 0
	for _, n := range inserted {
		total += n
	}
	if want := len(projects) * records * each; total != want {
		t.Errorf("%d spans reported as new, want %d", total, want)
	}
	for _, p := range projects {
		exact(t, first, p, records*each)
	}
}

func TestWriteBatchesMakesADroppedDayAnew(t *testing.T) {
	t.Parallel()
	address := testkit.Postgres(t)
	writer, other := openURL(t, address), openURL(t, address)
	if err := writer.Migrate(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	p := newProject(t, writer, "p")
	write := func(prefix string) error {
		_, err := writer.WriteBatches(t.Context(), []store.Batch{store.Pack(p, testStart, testSpans(prefix, 3))})
		return err
	}
	if err := write("a"); err != nil {
		t.Fatal(err)
	}
	if n, err := other.Retain(t.Context(), testStart.AddDate(0, 0, 2)); n != 3 || err != nil {
		t.Fatalf("%d spans deleted: %v", n, err)
	}
	if err := write("b"); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("got %v", err)
	}
	if err := write("b"); err != nil {
		t.Fatal(err)
	}
	exact(t, writer, p, 3)
}

func TestServerStopsDuringWrites(t *testing.T) {
	t.Parallel()
	testkit.Postgres(t) // skips if there is none
	server, err := testkit.StartPostgres(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	db := openURL(t, server.URL())
	if err := db.Migrate(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	p := newProject(t, db, "p")
	const records, each = 60, 40
	started := make(chan struct{}, records)
	done := make(chan int)
	go func() {
		failures := 0
		for r := range records {
			batch := store.Pack(p, testStart, testSpans(fmt.Sprint("r", r), each))
			started <- struct{}{}
			for {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				_, err := db.WriteBatches(ctx, []store.Batch{batch})
				cancel()
				if err == nil {
					break
				}
				failures++
				if !fault.Is(err, fault.Unavailable) {
					t.Errorf("a stopped server gives %v", err)
					break
				}
			}
		}
		done <- failures
	}()
	for i, end := range []func() error{server.Stop, server.Kill, server.Stop} {
		for range 10 + i { // let the writer get on
			<-started
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if err := db.Ping(t.Context()); !fault.Is(err, fault.Unavailable) {
			t.Errorf("ping of a stopped server gives %v", err)
		}
		if err := server.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if failures := <-done; failures == 0 {
		t.Error("no write met a stopped server: the test tests nothing")
	}
	exact(t, db, p, records*each)
}

func TestErrorsHoldNoValues(t *testing.T) {
	t.Parallel()
	db := setup(t)
	newProject(t, db, "p")
	const secret = "hunter2"
	for _, c := range []struct {
		name, sql string
		args      []any
		want      fault.Code
	}{
		{"NUL", `INSERT INTO projects (id, name) VALUES ($1, $2)`, []any{"x", secret + "\x00"}, fault.Invalid},
		{"Duplicate", `INSERT INTO projects (id, name) VALUES ($1, $2)`, []any{"p", secret}, fault.Conflict},
		{"NoSuchProject", `INSERT INTO user_projects (id, user_id, project_id) VALUES ($1, 'u-p', $2)`, []any{"x", secret}, fault.Invalid},
		{"NotANumber", `SELECT $1::text::int`, []any{secret}, fault.Invalid},
		{"NoTable", `SELECT * FROM no_such_table`, nil, fault.Unavailable},
		{"NoSchema", `CREATE TABLE no_such_schema.t ()`, nil, fault.Unavailable},
		{"Bug", `SELECT ` + secret, nil, fault.Internal},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := execute(t.Context(), db.pool, c.sql, c.args...)
			if !fault.Is(err, c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("error holds the value: %v", err)
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := execute(ctx, db.pool, `SELECT pg_sleep(10)`); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a deadline gives %v", err)
	}
}

// withoutTLS listens as a server does that has no TLS: it says so and ends the
// connection. The tests' own server may be on a socket, where TLS is not asked for.
func withoutTLS(t *testing.T) (address string) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			var request [8]byte
			if _, err := io.ReadFull(conn, request[:]); err == nil {
				_, _ = conn.Write([]byte("N"))
			}
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

// TestRefusals: what waiting does not mend is told from an outage, in words that
// show nothing of the URL.
func TestRefusals(t *testing.T) {
	t.Parallel()
	given, err := url.Parse(testkit.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(u *url.URL)
		want   string
	}{
		"User":     {func(u *url.URL) { u.User = url.UserPassword("hunter2", "hunter2") }, "user"},
		"Database": {func(u *url.URL) { u.Path = "/hunter2" }, "does not exist"},
		"TLS": {func(u *url.URL) {
			*u = url.URL{Scheme: "postgres", User: url.User("hunter2"), Host: withoutTLS(t), Path: "/x", RawQuery: "sslmode=require"}
		}, "sslmode"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := *given
			c.change(&u)
			db, err := Open(t.Context(), u.String(), Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			for _, err := range []error{db.Ping(t.Context()), db.Migrate(t.Context(), nil)} {
				if !fault.Is(err, fault.Unavailable) || !errors.Is(err, store.ErrRefused) {
					t.Errorf("got %v", err)
				}
				text := err.Error()
				if !strings.Contains(text, c.want) || !strings.Contains(text, "DATABASE_URL") || strings.Contains(text, "hunter2") {
					t.Errorf("the text is %q", text)
				}
			}
		})
	}
	t.Run("Unmigrated", func(t *testing.T) {
		t.Parallel()
		db, err := Open(t.Context(), testkit.Postgres(t), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		err = db.Ping(t.Context())
		if !fault.Is(err, fault.Unavailable) || errors.Is(err, store.ErrRefused) || !strings.Contains(err.Error(), "run migrate") {
			t.Errorf("an empty database gives %v", err)
		}
	})
	t.Run("Away", func(t *testing.T) {
		t.Parallel()
		u := *given
		u.Host = "127.0.0.1:1"
		db, err := Open(t.Context(), u.String(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.Ping(t.Context()); !fault.Is(err, fault.Unavailable) || errors.Is(err, store.ErrRefused) {
			t.Errorf("a server that is away gives %v", err)
		}
	})
}
