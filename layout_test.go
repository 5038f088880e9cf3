// Package pulse holds no code: its tests hold the layout of the repository, as
// docs/architecture.md describes it, against what the packages really import.
package pulse

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/scanner"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/pulse-traces/pulse"

// pkg is what the tests read of `go list -json`.
type pkg struct {
	ImportPath string
	Dir        string
	Name       string
	GoFiles    []string
	Imports    []string // without those of its tests
	Deps       []string // Imports, and theirs
}

// rel is a package's path within the module, or "" if it is none of ours.
func rel(importPath string) string {
	r, ok := strings.CutPrefix(importPath, module+"/")
	if !ok {
		return ""
	}
	return r
}

var listPackages = sync.OnceValues(func() ([]pkg, error) {
	// A test's working directory is its package's: here, the module's root.
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Name,GoFiles,Imports,Deps", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var list []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, err
		}
		if len(p.GoFiles) > 0 {
			list = append(list, p)
		}
	}
})

func packages(t *testing.T) []pkg {
	t.Helper()
	list, err := listPackages()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 10 {
		t.Fatalf("go list found %d packages only", len(list))
	}
	return list
}

// match reports whether a path is named by a pattern: a path, a path.Match
// pattern, or a path and all below it ("x/...").
func match(pattern, name string) bool {
	if dir, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == dir || strings.HasPrefix(name, dir+"/")
	}
	ok, err := path.Match(pattern, name)
	if err != nil {
		panic(err)
	}
	return ok
}

func matchAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, name) })
}

var (
	domain = []string{"shared/fault", "shared/trace", "shared/account", "shared/sketch", "shared/pricing", "shared/filter"}
	// testOnly is what only tests may import.
	testOnly = []string{"shared/testkit/...", "shared/store/storetest", "shared/wal/waltest", "shared/api/apitest", "shared/otlp/otlptest"}
)

func with(base []string, more ...string) []string { return slices.Concat(base, more) }

// arrows says which packages of this module each package may import. The first
// row that matches counts; a package without a row fails the test, so that its
// place is decided when it is made.
var arrows = []struct {
	pattern   string
	mayImport []string
}{
	{"shared/fault", nil},
	{"shared/trace", []string{"shared/fault"}},
	{"shared/account", []string{"shared/fault"}},
	{"shared/sketch", []string{"shared/trace"}},
	{"shared/pricing", []string{"shared/fault", "shared/trace"}},
	{"shared/pricing/generate", []string{"shared/pricing"}},
	{"shared/otlp", []string{"shared/fault", "shared/trace"}},
	{"shared/otlp/otlptest", nil},
	{"shared/filter", nil},
	{"shared/config", nil},
	{"shared/logging", nil},
	{"shared/buildinfo", nil},

	// What is stored, and where.
	{"shared/store", domain},
	{"shared/store/fold", with(domain, "shared/store")},
	{"shared/store/legacy", with(domain, "shared/store")},
	{"shared/store/postgres", with(domain, "shared/store", "shared/store/fold", "shared/store/legacy", "migrations")},
	{"shared/store/sqlite", with(domain, "shared/store", "shared/store/fold", "shared/store/legacy", "migrations")},
	{"migrations", nil},

	// The log, which never looks inside a record.
	{"shared/wal", []string{"shared/fault"}},
	{"shared/wal/*wal", []string{"shared/fault", "shared/wal", "shared/logging"}},

	// The rules between the edge and the store.
	{"shared/record", with(domain, "shared/store", "shared/otlp")},
	{"shared/ingest", with(domain, "shared/store", "shared/otlp", "shared/record", "shared/wal", "shared/logging")},
	{"shared/drain", with(domain, "shared/store", "shared/record", "shared/wal", "shared/logging")},
	{"shared/betterauth", with(domain, "shared/store", "shared/logging")},
	{"shared/history", with(domain, "shared/store", "shared/otlp", "shared/pricebook")},
	{"shared/keyring", with(domain, "shared/store", "shared/logging")},
	{"shared/pricebook", with(domain, "shared/store", "shared/logging")},
	{"shared/rejection", with(domain, "shared/store", "shared/logging")},
	{"shared/metrics", with(domain, "shared/wal")},

	// The edge. Groups never meet: what two of them need is below them.
	{"shared/api/reqctx", domain},
	{"shared/api/view", with(domain, "shared/store")},
	{"shared/api", with(domain, "shared/api/reqctx", "shared/logging")},
	{"shared/api/*api", with(domain, "shared/api", "shared/api/reqctx", "shared/api/view", "shared/store", "shared/ingest", "shared/otlp",
		"shared/betterauth", "shared/keyring", "shared/logging", "shared/filter", "dashboard", "docs")},

	// What chooses and connects.
	{"shared/host/...", []string{"shared/...", "migrations", "dashboard", "docs"}},
	{"functions/*", []string{"shared/host/...", "shared/api/...", "shared/config", "shared/buildinfo"}},

	// Assets.
	{"dashboard", nil},
	{"docs", nil},

	// Tests and measurements.
	{"shared/testkit/...", []string{"shared/...", "migrations"}},
	{"shared/store/storetest", []string{"shared/...", "migrations"}},
	{"shared/wal/waltest", []string{"shared/..."}},
	{"shared/api/apitest", []string{"shared/...", "docs"}},
	{"bench/...", []string{"shared/...", "migrations", "bench/..."}},
	{"sdk/testserver", nil},
	{"sdk/bench", nil},
}

// TestArrowsNeverTurnBack checks every import between packages of the module.
func TestArrowsNeverTurnBack(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		name := rel(p.ImportPath)
		row := slices.IndexFunc(arrows, func(r struct {
			pattern   string
			mayImport []string
		},
		) bool {
			return match(r.pattern, name)
		})
		if row < 0 {
			t.Errorf("%s has no row in arrows: say what it may import", name)
			continue
		}
		for _, imported := range p.Imports {
			to := rel(imported)
			switch {
			case to == "":
			case !matchAny(arrows[row].mayImport, to):
				t.Errorf("%s imports %s, which the layout does not allow", name, to)
			case matchAny(testOnly, to) && !matchAny(with(testOnly, "bench/..."), name):
				t.Errorf("%s imports %s, which is for tests only", name, to)
			}
		}
	}
}

// TestBadDependencies checks what packages link, directly or through others.
func TestBadDependencies(t *testing.T) {
	t.Parallel()
	const (
		sqlite = "modernc.org/sqlite/..."
		pgx    = "github.com/jackc/pgx/v5/..."
		aws    = "github.com/aws/..."
		awsSDK = "github.com/aws/aws-sdk-go-v2/..."
		nats   = "github.com/nats-io/..."
	)
	// logged are the programs that append to the log or drain it, or make its queues.
	logged := []string{"functions/pulse", "functions/ingest", "functions/dashboard", "functions/drain", "functions/migrate"}
	for _, rule := range []struct {
		pattern string
		except  []string
		bad     map[string]string // pattern of a dependency → why not
	}{
		{pattern: "functions/*", except: []string{"functions/pulse"}, bad: map[string]string{
			sqlite: "SQLite is 8 MB of a Lambda's 20, and no Lambda has a disk to keep it on",
		}},
		{pattern: "functions/*", except: []string{"functions/pulse", "functions/web"}, bad: map[string]string{
			module + "/dashboard": "only web and pulse serve the dashboard",
		}},
		{pattern: "functions/*", bad: map[string]string{
			"testing":                           "it adds flags and weight, and means that a test helper leaked",
			module + "/shared/testkit/...":      "test helpers start servers",
			module + "/shared/store/storetest":  "it is for tests",
			"github.com/google/go-cmp/...":      "it panics on what it does not expect: for tests only",
			"github.com/getkin/kin-openapi/...": "the OpenAPI document is checked in tests, not while serving",
			"github.com/stretchr/testify/...":   "the tests use the standard library",
			"github.com/mattn/go-sqlite3/...":   "it needs cgo",
		}},
		{pattern: "functions/*", except: logged, bad: map[string]string{
			awsSDK: "it needs no queue, and the SDK is 3 MB",
			nats:   "it needs no queue",
		}},
		{pattern: "functions/*", except: []string{"functions/migrate", "functions/pulse"}, bad: map[string]string{
			"github.com/go-playground/validator/v10": "it calls methods by name, so the linker keeps them all: 5 MB of a program; " +
				"migrate, which nobody waits for, may",
		}},
		{pattern: "functions/pulse", bad: map[string]string{
			"github.com/aws/aws-lambda-go/...": "it does not run on Lambda, though with WAL_URL=sqs:// its log may be there",
		}},
		{pattern: "shared/fault", bad: map[string]string{"net/http": "it has no transport"}},
		{pattern: "shared/trace", bad: map[string]string{"net/http": "the domain has no transport", "database/sql": "nor storage", pgx: "nor a driver", sqlite: "nor a driver"}},
		{pattern: "shared/pricing", bad: map[string]string{"net/http": "the domain has no transport", "database/sql": "nor storage", "os/exec": "only its generator runs pip"}},
		{pattern: "shared/account", bad: map[string]string{"net/http": "the domain has no transport", pgx: "nor a driver", sqlite: "nor a driver"}},
		{pattern: "shared/store", bad: map[string]string{"net/http": "roles have no transport", pgx: "roles have no engine", sqlite: "roles have no engine"}},
		{pattern: "shared/store/postgres", bad: map[string]string{sqlite: "engines never meet"}},
		{pattern: "shared/store/sqlite", bad: map[string]string{pgx: "engines never meet"}},
		{pattern: "shared/wal/*wal", except: []string{"shared/wal/sqswal"}, bad: map[string]string{aws: "only sqswal speaks to AWS"}},
		{pattern: "shared/api/...", except: []string{"shared/api/apitest"}, bad: map[string]string{
			pgx: "handlers ask roles, not an engine", sqlite: "handlers ask roles, not an engine", aws: "handlers do not know their host",
		}},
		{pattern: "shared/ingest", bad: map[string]string{"net/http": "it does not know which host it runs on", aws: "it does not know which host it runs on"}},
	} {
		for _, p := range packages(t) {
			name := rel(p.ImportPath)
			if !match(rule.pattern, name) || matchAny(rule.except, name) {
				continue
			}
			for bad, why := range rule.bad {
				for _, dep := range p.Deps {
					if match(bad, dep) {
						t.Errorf("%s links %s: %s", name, dep, why)
					}
				}
			}
		}
	}
}

// TestMainsAreSmall holds the deployables to a main package that decides
// nothing: at most 25 lines of code.
func TestMainsAreSmall(t *testing.T) {
	t.Parallel()
	const maxLines = 25
	found := false
	for _, p := range packages(t) {
		name := rel(p.ImportPath)
		if !match("functions/...", name) {
			continue
		}
		found = true
		if p.Name != "main" || !match("functions/*", name) {
			t.Errorf("%s: everything in functions/ is a package main of its own directory", name)
		}
		lines := 0
		for _, file := range p.GoFiles {
			lines += linesOfCode(t, filepath.Join(p.Dir, file))
		}
		if lines > maxLines {
			t.Errorf("%s has %d lines of code, more than %d: move decisions to shared/host", name, lines, maxLines)
		}
	}
	if !found {
		t.Error("there is nothing in functions/")
	}
}

// linesOfCode counts the lines that hold more than blanks and comments.
func linesOfCode(t *testing.T, file string) int {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	f := fset.AddFile(file, -1, len(src))
	var s scanner.Scanner
	s.Init(f, src, nil, 0)
	lines := map[int]bool{}
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return len(lines)
		}
		if tok == token.SEMICOLON && lit == "\n" {
			continue // put there by the scanner
		}
		first := fset.Position(pos).Line
		for n := range 1 + strings.Count(lit, "\n") {
			lines[first+n] = true
		}
	}
}

// TestDecisionsAreListed compares the index of docs/adr with its files.
func TestDecisionsAreListed(t *testing.T) {
	t.Parallel()
	index, err := os.ReadFile("docs/adr/README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("docs/adr/[0-9][0-9][0-9]-*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := filepath.Base(file); !strings.Contains(string(index), "("+name+")") {
			t.Errorf("docs/adr/README.md does not list %s", name)
		}
	}
	for _, link := range regexp.MustCompile(`\((\d{3}-[^)]*\.md)\)`).FindAllStringSubmatch(string(index), -1) {
		if !slices.Contains(files, filepath.Join("docs", "adr", link[1])) {
			t.Errorf("docs/adr/README.md lists %s, which is not there", link[1])
		}
	}
}
