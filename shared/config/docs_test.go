package config

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/configuration.md")

// TestDocumentation holds docs/configuration.md equal to the table.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	file := filepath.Join("..", "..", "docs", "configuration.md")
	want := documentation()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/configuration.md is stale: run make generate")
	}
}

// TestTable checks that the rows are complete and the sections in one piece.
func TestTable(t *testing.T) {
	t.Parallel()
	names, sections, last := map[string]bool{}, map[string]bool{}, ""
	for _, name := range withoutEffect {
		names[name] = true
	}
	for _, v := range variables {
		if names[v.Name] {
			t.Errorf("%s is there twice", v.Name)
		}
		names[v.Name] = true
		if v.Section != last && sections[v.Section] {
			t.Errorf("%s: section %q is torn apart", v.Name, v.Section)
		}
		last, sections[v.Section] = v.Section, true
		if v.Effect == "" || (v.Default == "") == (v.Derived == "") {
			t.Errorf("%s: needs an effect, and either a default or where it comes from", v.Name)
		}
		if strings.Contains(v.Effect+v.Derived, "|") {
			t.Errorf("%s: a | would end the table's cell", v.Name)
		}
	}
}

func documentation() string {
	var b strings.Builder
	b.WriteString(`<!-- Made by make generate from shared/config. Do not edit. -->

# Configuration

Pulse is configured by environment variables only. With none at all, ` + "`pulse`" + ` runs in single mode on port 3000.

- A variable that is empty counts as not set, except ` + "`PORT`" + `.
- ` + "`.env`, `.env.<NODE_ENV>` and `.env.local`" + ` in the working directory are read too, a later one of these outranking the ones before it.
  A variable of the real environment outranks them all.
- Paths may begin with ` + "`~/`" + `; relative ones start from the working directory.
- Numbers are decimal, or as JavaScript writes them (` + "`1e6`, `0x10`" + `); a fraction is dropped.
- Every fault is reported at once, one a line, on standard error, and the process exits with status 1 before it opens anything:

  ` + "```" + `
  Invalid environment configuration:
    PORT: Invalid input: expected number, received NaN
    BETTER_AUTH_SECRET: BETTER_AUTH_SECRET must be at least 32 characters
  ` + "```" + `

Variables marked ◦ are new in Pulse 0.1; the others mean what they meant to the earlier service.
`)
	section := ""
	for _, v := range variables {
		if v.Section != section {
			section = v.Section
			fmt.Fprintf(&b, "\n## %s\n\n| Variable | Values | Default | Effect |\n|---|---|---|---|\n", section)
		}
		fallback := v.Derived
		if v.Default != "" {
			fallback = "`" + v.Default + "`"
		}
		mark := ""
		if v.New {
			mark = " ◦"
		}
		fmt.Fprintf(&b, "| `%s`%s | %s | %s | %s |\n", v.Name, mark, v.bind(&loader{}).accepts(), fallback, v.Effect)
	}
	b.WriteString(`
## Generated secrets

In single mode ` + "`BETTER_AUTH_SECRET` and `ENCRYPTION_KEY`" + ` need not be set: what is missing is made once and kept in
` + "`$PULSE_HOME/server-secrets.json`" + `, readable by its owner only. A variable that is set wins over the file, and the file
then holds it. If both are set the file is not touched. Keep a copy of the file with your backups: without it everybody is
signed out and the copies of API keys cannot be shown (the keys themselves go on working).
In scale mode nothing is generated, because all processes of a deployment must have the same secrets.

## Accepted without effect

The earlier service read these. Pulse takes them without complaint and names those that are set once in the log.

| Variable | Why it is not needed |
|---|---|
`)
	for _, name := range withoutEffect {
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, whyWithoutEffect[name])
	}
	return b.String()
}

// whyWithoutEffect must have a text for each name; an empty cell would show in
// the review of the generated page.
var whyWithoutEffect = map[string]string{
	"ADMIN_KEY":                  "There is no admin router; `pulse keys` works on the database.",
	"FRONTEND_URL":               "`BETTER_AUTH_URL` and `PULSE_ALLOWED_ORIGINS` say where the dashboard is.",
	"WAL_DLQ_DIR":                "Dead letters are kept in the log's own directory.",
	"WAL_FSYNC_EVERY":            "Every accepted record is on the disk before it is acknowledged.",
	"WAL_MAX_RETENTION_AGE":      "Segments are removed once they are stored, never before.",
	"WAL_MAX_RETRIES":            "Faults that may pass are retried for ever; only what can never be stored becomes a dead letter.",
	"WAL_MAX_SEGMENTS":           "Segments are removed once they are stored, never before.",
	"WAL_MAX_SEGMENT_AGE":        "Segments are cut by `WAL_MAX_SEGMENT_SIZE`.",
	"WAL_MAX_SEGMENT_LINES":      "Segments are cut by `WAL_MAX_SEGMENT_SIZE`.",
	"WAL_PROCESSING_BATCH_SIZE":  "See `DRAIN_BATCH_RECORDS`.",
	"WAL_PROCESSING_INTERVAL_MS": "The drain does not poll: an append wakes it.",
}
