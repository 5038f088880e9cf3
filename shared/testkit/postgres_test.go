package testkit_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/testkit"
)

func start(t *testing.T) *testkit.Server {
	t.Helper()
	s, err := testkit.StartPostgres(t.Context(), "")
	if errors.Is(err, testkit.ErrNoPostgres) && os.Getenv("PULSE_TEST_REQUIRE") != "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func exec1(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestServerKeepsDataOverStopAndKill(t *testing.T) {
	s := start(t)
	exec1(t, s.URL(), "CREATE TABLE t (id int)")
	for _, end := range []func() error{s.Stop, s.Kill} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if conn, err := pgx.Connect(t.Context(), s.URL()); err == nil {
			conn.Close(t.Context())
			t.Fatal("a stopped server answers")
		}
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		exec1(t, s.URL(), "INSERT INTO t VALUES (1)")
	}
}

// guardedURL is what the child of TestServerEndsWithItsProcess prints.
const guardedURL = "url: "

func TestServerEndsWithItsProcess(t *testing.T) {
	if os.Getenv("TESTKIT_CHILD") == "1" {
		s, err := testkit.StartPostgres(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString(guardedURL + s.URL() + "\n")
		<-t.Context().Done() // killed before that
		return
	}
	start(t) // skips if there is no Postgres
	child := exec.Command(os.Args[0], "-test.run=^TestServerEndsWithItsProcess$")
	child.Env = append(os.Environ(), "TESTKIT_CHILD=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	url := ""
	for lines := bufio.NewScanner(out); url == "" && lines.Scan(); {
		if _, after, ok := strings.Cut(lines.Text(), guardedURL); ok {
			url = after
		}
	}
	exec1(t, url, "SELECT 1")
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, url)
		if ctx.Err() != nil {
			t.Fatal("the server outlived the process that started it")
		}
		if err != nil {
			return
		}
		conn.Close(ctx)
	}
}

func TestPostgresGivesEachTestItsOwnDatabase(t *testing.T) {
	a, b := testkit.Postgres(t), testkit.Postgres(t)
	exec1(t, a, "CREATE TABLE t (id int)")
	exec1(t, b, "CREATE TABLE t (id int)")
}
