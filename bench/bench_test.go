package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/testkit"
)

// TestMain lets the test be started once more as the bare server, as the program
// is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-bare" {
		main()
	}
	os.Exit(m.Run())
}

// TestBenchRuns keeps the benchmarks from rotting: each runs once, small.
func TestBenchRuns(t *testing.T) {
	b := bench{binary: testkit.Binary(t), dir: t.TempDir(), traces: 2000, seconds: 200 * time.Millisecond, postgres: testkit.Postgres(t)}
	if err := b.ingestLocal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.otlp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.drainPostgres(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.functions(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.readsSQLite(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.readsPostgres(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := len(b.rows) + 1
	if len(b.costs) > 0 { // where a queue server is installed
		want += len(b.costs) + 1
	}
	if report := b.report(); strings.Count(report, "\n| ") != want || len(b.rows) < 20 {
		t.Errorf("the report holds %d rows:\n%s", len(b.rows), report)
	}
}
