// Package testkit gives tests the real services that they run against. It is
// imported by tests and by commands that run tests, by nothing else.
package testkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// startTimeout bounds the making of a cluster: a second or two, but a container
// may have to be fetched first.
const startTimeout = 3 * time.Minute

// shared keeps the cluster of this process reachable: its guard ends it when
// the pipe is closed, which the collector does too.
var shared *Server

// sharedServer gives the server that all tests of this process use. A cluster
// that was started for it lives until the process ends.
var sharedServer = sync.OnceValues(func() (string, error) {
	if u := os.Getenv("TEST_DATABASE_URL"); u != "" {
		return u, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	var err error
	if shared, err = StartPostgres(ctx, ""); err != nil {
		return "", err
	}
	return shared.URL(), nil
})

// Postgres gives the URL of a new, empty database, which is dropped when the
// test ends. It sorts text as people do where the server can (ICU), so that a
// query that forgets to ask for bytewise order fails its test. The server is
// that of TEST_DATABASE_URL or else a private one. If there is none the test
// is skipped, or fails if PULSE_TEST_REQUIRE=1.
func Postgres(t testing.TB) string {
	t.Helper()
	server, err := sharedServer()
	if errors.Is(err, ErrNoPostgres) && os.Getenv("PULSE_TEST_REQUIRE") != "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	name := "pulse_test_" + uuid.NewString()[:13]
	address, err := databaseURL(server, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := createDatabase(t.Context(), server, name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		if err := dropDatabase(context.WithoutCancel(t.Context()), server, name); err != nil {
			t.Error(err)
		}
	})
	return address
}

func createDatabase(ctx context.Context, server, name string) error {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return fmt.Errorf("connect to the test server: %w", err)
	}
	defer conn.Close(ctx)
	var icu bool
	err = conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int >= 150000
		AND EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i')`).Scan(&icu)
	if err != nil {
		return err
	}
	create := "CREATE DATABASE " + pgx.Identifier{name}.Sanitize() + " TEMPLATE template0 ENCODING 'UTF8'"
	if icu {
		create += " LOCALE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
	}
	_, err = conn.Exec(ctx, create)
	return err
}

func dropDatabase(ctx context.Context, server, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
	return err
}
