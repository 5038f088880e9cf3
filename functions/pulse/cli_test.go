package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/testkit"
)

// call runs the program without a server, in an environment that holds nothing
// but env, a home of its own and where programs are.
func call(t *testing.T, env []string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), testkit.Binary(t), args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestCalls(t *testing.T) {
	t.Parallel()
	const short = "BETTER_AUTH_SECRET must be at least 32 characters"
	const migrated = `(?:applied migration .*\n)+Database: .*/\.pulse/\.data/pulse\.db, which is new: .*\n` // a new home
	for name, tc := range map[string]struct {
		env            []string
		args           []string
		status         int
		stdout, stderr string // regular expressions for the whole output
	}{
		"Help":           {nil, []string{"--help"}, 0, `(?s)Pulse dev .*Usage:.*pulse migrate .*pulse keys create .*pulse health .*pulse dlq replay .*pulse dlq discard .*PULSE_HOME.*`, ``},
		"ServeHelp":      {nil, []string{"serve", "--help"}, 0, `Start the server\.(?s:.*)Usage: pulse \[serve\]\n`, ``},
		"KeysHelp":       {nil, []string{"keys", "create", "--help"}, 0, `(?s)Make an API key.*PULSE_PASSWORD.*-email.*`, ``},
		"ServeExtra":     {nil, []string{"serve", "extra"}, 2, ``, `pulse: serve takes no arguments, and got extra\nTry: .*\n`},
		"MigrateHelp":    {nil, []string{"migrate", "--help"}, 0, `Bring the database(?s:.*)Usage: pulse migrate\n`, ``},
		"MigrateFlag":    {nil, []string{"migrate", "--dry-run"}, 2, ``, `pulse: migrate takes no arguments, and got --dry-run\nTry: .*\n`},
		"MigrateExtra":   {nil, []string{"migrate", "extra"}, 2, ``, `pulse: migrate takes no arguments, and got extra\nTry: .*\n`},
		"HealthHelp":     {nil, []string{"health", "-h"}, 0, `Ask the server(?s:.*)Usage: pulse health\n`, ``},
		"HealthExtra":    {nil, []string{"health", "--url", "x"}, 2, ``, `pulse: health takes no arguments, and got --url\nTry: .*\n`},
		"VersionHelp":    {nil, []string{"version", "--help"}, 0, `Print the version\.\n\nUsage: pulse version\n`, ``},
		"VersionExtra":   {nil, []string{"version", "extra"}, 2, ``, `pulse: version takes no arguments, and got extra\nTry: .*\n`},
		"KeysOwnHelp":    {nil, []string{"keys", "--help"}, 0, `(?s)Make an API key.*PULSE_PASSWORD.*-email.*`, ``},
		"KeysOther":      {nil, []string{"keys", "list"}, 2, ``, `pulse: keys takes: create; not list\nTry: .*\n`},
		"KeysExtra":      {nil, []string{"keys", "create", "--email", "ann@example.com", "extra"}, 2, ``, `pulse: keys create takes flags only, not extra; .*\nTry: .*\n`},
		"KeysFlag":       {nil, []string{"keys", "create", "--mail", "x"}, 2, ``, `pulse: keys create: [^\n]*-mail\nTry: .*\n`},
		"DLQHelp":        {nil, []string{"dlq", "--help"}, 0, `(?s)Look at the records.*Usage:\n.*pulse dlq discard ID.*`, ``},
		"DLQListHelp":    {nil, []string{"dlq", "list", "--help"}, 0, `(?s)Look at the records.*`, ``},
		"DLQOther":       {nil, []string{"dlq", "purge"}, 2, ``, `pulse: dlq takes: list, .*; not purge\nTry: .*\n`},
		"DLQListExtra":   {nil, []string{"dlq", "list", "extra"}, 2, ``, `pulse: dlq takes: list, .*; not also extra\nTry: .*\n`},
		"HelpOf":         {nil, []string{"help", "migrate"}, 0, `Bring the database(?s:.*)`, ``},
		"HelpOfNone":     {nil, []string{"help", "sevre"}, 2, ``, `pulse: there is no command sevre\nTry: .*\n`},
		"ImportTwo":      {nil, []string{"import", "a.jsonl", "b.jsonl"}, 2, ``, `pulse: import takes one file, not also b\.jsonl; .*\nTry: .*\n`},
		"Version":        {nil, []string{"version"}, 0, `dev\n`, ``},
		"Unknown":        {nil, []string{"sevre"}, 2, ``, `pulse: there is no command sevre\nTry: pulse --help\n`},
		"KeysNothing":    {nil, []string{"keys"}, 2, ``, `pulse: keys takes: create\nTry: pulse --help\n`},
		"KeysNoEmail":    {nil, []string{"keys", "create"}, 2, ``, `pulse: keys create needs --email; .*\nTry: pulse --help\n`},
		"KeysBadEmail":   {[]string{"PULSE_PASSWORD=long enough"}, []string{"keys", "create", "--email", "ann"}, 2, ``, `pulse: --email is no e-mail address\nTry: .*\n`},
		"KeysNoPass":     {nil, []string{"keys", "create", "--email", "ann@example.com"}, 2, ``, migrated + `pulse: there is no account .* set PULSE_PASSWORD to make one\nTry: .*\n`},
		"KeysShortPass":  {[]string{"PULSE_PASSWORD=hunter2"}, []string{"keys", "create", "--email", "ann@example.com"}, 1, ``, migrated + `pulse: PULSE_PASSWORD: Password too short: it takes 8 to 128 characters\n`},
		"RemapHelp":      {nil, []string{"remap", "--help"}, 0, `(?s)Read spans .*pulse remap .*-dry-run.*`, ``},
		"RemapBadTime":   {nil, []string{"remap", "--from", "yesterday"}, 2, ``, `pulse: --from is no time: .*\nTry: .*\n`},
		"RemapNowhere":   {nil, []string{"remap", "--dry-run"}, 1, ``, `pulse: remap: there is no database /[^ ]*/\.pulse/\.data/pulse\.db: set PULSE_HOME[^\n]*\n`},
		"RepriceNowhere": {nil, []string{"reprice"}, 1, ``, `pulse: reprice: there is no database /[^ ]*/\.pulse/\.data/pulse\.db: set PULSE_HOME[^\n]*\n`},
		"RemapBackwards": {nil, []string{"remap", "--from", "2026-02-01", "--to", "2026-01-01T00:00:00Z"}, 2, ``, `pulse: --from 2026-02-01 is not before --to 2026-01-01T00:00:00Z\nTry: .*\n`},
		"RemapHelpLate":  {nil, []string{"remap", "everything", "--help"}, 0, `(?s)Read spans .*`, ``},
		"RepriceExtra":   {nil, []string{"reprice", "everything"}, 2, ``, `pulse: reprice takes flags only, not everything; .*\nTry: .*\n`},
		"ImportHelp":     {nil, []string{"import", "--help"}, 0, `(?s)Store the traces .*pulse import .*-project.*`, ``},
		"ImportNothing":  {nil, []string{"import"}, 2, ``, `pulse: import takes one file, .*\nTry: .*\n`},
		"ImportNoFile":   {nil, []string{"import", "nowhere.jsonl"}, 1, ``, `pulse: import: open nowhere\.jsonl: .*\n`},
		"ImportNowhere":  {nil, []string{"import", "-"}, 1, ``, `pulse: import: there is no database /[^ ]*/pulse\.db: set PULSE_HOME[^\n]*\n`},
		"DLQNothing":     {nil, []string{"dlq"}, 2, ``, `pulse: dlq takes: list, .*\nTry: .*\n`},
		"DLQEmpty":       {nil, []string{"dlq", "list"}, 0, `No dead letters in /[^ ]*/wal and /[^ ]*/wal-spans, which do not exist: set [^\n]*\n`, ``},
		"DLQDiscard":     {nil, []string{"dlq", "discard", "traces/p01-0000000000000001-00000000"}, 1, ``, `pulse: there is no such dead letter\n`},
		"DLQDiscardAll":  {nil, []string{"dlq", "discard"}, 2, ``, `pulse: dlq takes: list, .*\nTry: .*\n`},
		"DLQNATSAway":    {[]string{"WAL_URL=nats://u:hunter2@127.0.0.1:1"}, []string{"dlq", "list"}, 1, ``, `pulse: dlq: [^\n]*127\.0\.0\.1:1[^\n]*\n`},
		"DLQSQSAway": {[]string{
			"AWS_REGION=r", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=hunter2", "TRACE_QUEUE_URL_PREFIX=http://127.0.0.1:1/1/t-", "SPAN_QUEUE_URL_PREFIX=http://127.0.0.1:1/1/s-",
		}, []string{"dlq", "list"}, 1, ``, `pulse: dlq: [^\n]*127\.0\.0\.1:1[^\n]*\n`},
		"DLQBadID":      {nil, []string{"dlq", "show", "x"}, 2, ``, `pulse: an id looks like .*\nTry: .*\n`},
		"Migrate":       {nil, []string{"migrate"}, 0, `(?s).*The database is up to date.\n`, ``},
		"HealthNobody":  {[]string{"PORT=1"}, []string{"health"}, 1, ``, `pulse: health: [^\n]*connection refused\n`},
		"HealthNoPort":  {[]string{"PORT=0"}, []string{"health"}, 1, ``, `pulse: health: only a server that listens on a known PORT can be asked\n`},
		"HostIsNone":    {[]string{"PULSE_HOST=300.1.1.1"}, nil, 1, ``, `pulse: listen on PULSE_HOST 300\.1\.1\.1 \(set PULSE_HOST [^\n]*\n`},
		"HostElsewhere": {[]string{"PULSE_HOST=192.0.2.1"}, nil, 1, ``, `pulse: listen on PULSE_HOST 192\.0\.2\.1 \(set PULSE_HOST [^\n]*\n`},
		"InvalidConfiguration": {
			[]string{"PORT=http", "BETTER_AUTH_SECRET=short"},
			nil, 1, ``,
			`Invalid environment configuration:\n  PORT: Invalid input: expected number, received NaN\n  BETTER_AUTH_SECRET: ` + short + `\n`,
		},
		"ScaleWithoutURL": {
			[]string{"PULSE_MODE=scale", "BETTER_AUTH_SECRET=0123456789abcdef0123456789abcdef", "ENCRYPTION_KEY=0123456789abcdef0123456789abcdef"},
			nil, 1, ``, `Invalid environment configuration: DATABASE_URL is required in scale mode\n`,
		},
		"ScaleWrongURL": {[]string{
			"PULSE_MODE=scale", "DATABASE_URL=mysql://root:hunter2@db", "BETTER_AUTH_SECRET=0123456789abcdef0123456789abcdef",
			"ENCRYPTION_KEY=0123456789abcdef0123456789abcdef",
		}, nil, 1, ``, `Invalid DATABASE_URL: PostgreSQL URL required \(expected postgres:// or postgresql://\)\n`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, status := call(t, tc.env, tc.args...)
			if status != tc.status {
				t.Errorf("status %d, want %d", status, tc.status)
			}
			for _, c := range []struct{ what, got, want string }{{"stdout", stdout, tc.stdout}, {"stderr", stderr, tc.stderr}} {
				if !regexp.MustCompile(`^(?:` + c.want + `)$`).MatchString(c.got) {
					t.Errorf("%s is\n%s\nwant\n%s", c.what, c.got, c.want)
				}
			}
			if strings.Contains(stdout+stderr, "hunter2") {
				t.Error("a secret was printed")
			}
		})
	}
}

// TestReplayPassesDamagedLetters: what cannot be replayed holds up nothing else.
func TestReplayPassesDamagedLetters(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	env := []string{"WAL_DIR=" + home + "/wal", "WAL_SPAN_DIR=" + home + "/wal-spans"}
	for _, dir := range []string{"wal/dead-letter", "wal/replay", "wal-spans/dead-letter", "wal-spans/replay"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	letter := func(log string, n int, content string) string {
		id := fmt.Sprintf("p01-%016d-00000000", n)
		path := filepath.Join(home, log, "dead-letter", id+".json")
		at := time.Unix(1_700_000_000+int64(n), 0)
		if err := errors.Join(os.WriteFile(path, []byte(content), 0o600), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
		return id
	}
	const sound, damaged = `{"reason":"x","data":"eA=="}`, `{"reason":"x","damaged":true,"data":"eA=="}`
	first, second := letter("wal", 1, damaged), letter("wal", 2, "{")
	letter("wal", 3, sound)
	letter("wal-spans", 4, sound)

	line := func(id, why string) string {
		return "pulse: traces/" + id + ": " + why + "; to remove it: pulse dlq discard traces/" + id + "\n"
	}
	const remains, unreadable = "the remains of a damaged record cannot be replayed", "the dead letter's file is not readable"
	for _, tc := range []struct{ id, stdout, stderr string }{
		{"traces/" + first, "", line(first, remains)},
		{"traces/" + second, "", line(second, unreadable)},
		{"--all", "Replayed 2 dead letters.\n", line(first, remains) + line(second, unreadable) + "pulse: 2 dead letters cannot be replayed\n"},
	} {
		if stdout, stderr, status := call(t, env, "dlq", "replay", tc.id); status != 1 || stdout != tc.stdout || stderr != tc.stderr {
			t.Errorf("replay %s: status %d\n%s%s\nwant\n%s%s", tc.id, status, stdout, stderr, tc.stdout, tc.stderr)
		}
	}
	for _, id := range []string{first, second} {
		if _, stderr, status := call(t, env, "dlq", "discard", "traces/"+id); status != 0 {
			t.Errorf("discard %s: status %d: %s", id, status, stderr)
		}
	}
	if stdout, stderr, status := call(t, env, "dlq", "replay", "--all"); status != 0 || stdout != "Replayed 0 dead letters.\n" || stderr != "" {
		t.Errorf("replay of nothing: status %d\n%s%s", status, stdout, stderr)
	}
}

// TestPortInUse demands one clear line, before anything is made.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	stdout, stderr, status := call(t, []string{"PULSE_HOST=127.0.0.1", "PORT=" + port})
	if status != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, port) || !strings.Contains(stderr, "address already in use") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
}

// TestKeysCreate makes keys beside a running server, which takes each at once.
func TestKeysCreate(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			p := testkit.NewPulse(t, e.env(t)...)
			database := "Database: the one of DATABASE_URL\n"
			if e.name == "SQLite" {
				database = "Database: " + filepath.Join(p.Home, ".data", "pulse.db") + "\n"
			}
			create := func(env []string, args ...string) string {
				t.Helper()
				cmd := p.Command(append([]string{"keys", "create", "--email", "Ann@Example.com"}, args...)...)
				cmd.Env = append(cmd.Env, env...)
				var notes bytes.Buffer
				cmd.Stderr = &notes
				out, err := cmd.Output()
				if err != nil {
					t.Fatalf("%v: %s%s", err, out, &notes)
				}
				if !strings.HasPrefix(notes.String(), database) {
					t.Errorf("no %q in\n%s", database, &notes)
				}
				return strings.TrimSuffix(string(out), "\n")
			}
			projectOf := func(key string) string {
				t.Helper()
				a, id := testkit.Account{Key: key}, uuid.NewString()
				p.JSON(a, http.MethodPost, "/v1/traces/async", testkit.TraceBody(id), http.StatusAccepted, nil)
				var trace struct{ ProjectID string }
				p.JSON(a, http.MethodGet, "/v1/traces/"+id, "", http.StatusOK, &trace)
				return trace.ProjectID
			}
			first := create([]string{"PULSE_PASSWORD=correct horse"})
			again := create(nil, "--name", "another") // an account that is there needs no password
			other := create(nil, "--project", "Other")
			if a, b, c := projectOf(first), projectOf(again), projectOf(other); a == "" || first == again || a != b || a == c {
				t.Errorf("keys of projects %s, %s and %s", a, b, c)
			}
			// The account is a whole one.
			p.JSON(testkit.Account{}, http.MethodPost, "/api/auth/sign-in/email", `{"email":"ann@example.com","password":"correct horse"}`, http.StatusOK, nil)
			if out, err := p.Command("health").CombinedOutput(); err != nil {
				t.Errorf("health: %v\n%s", err, out)
			}
		})
	}
}

// TestServeOnAnyPort has the system choose the port, and runs the commands that
// the server prints as they are printed: in a bare shell somewhere else.
func TestServeOnAnyPort(t *testing.T) {
	t.Parallel()
	for name, relative := range map[string]bool{"Absolute": false, "RelativeHomeWithBlank": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			cmd := exec.CommandContext(t.Context(), testkit.Binary(t), "serve")
			cmd.Dir = home
			cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "PULSE_HOST=127.0.0.1", "PORT=0", "PULSE_HOME=" + home}
			if relative {
				cmd.Env = append(cmd.Env, "PULSE_HOME=it's my home")
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
			var text strings.Builder
			for buf := make([]byte, 4096); !strings.Contains(text.String(), "traces?limit=1"); {
				n, err := out.Read(buf)
				text.Write(buf[:n])
				if err != nil {
					t.Fatalf("%v\n%s", err, text.String())
				}
			}
			var script strings.Builder
			for line := range strings.Lines(text.String()) {
				if strings.HasPrefix(line, "   ") {
					script.WriteString(line)
				}
			}
			shell := exec.CommandContext(t.Context(), "sh", "-euc", script.String())
			shell.Dir = t.TempDir()
			shell.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
			answer, err := shell.CombinedOutput()
			if err != nil || !strings.Contains(string(answer), `"total":1`) || !strings.Contains(string(answer), `"outputText":"Hi!"`) {
				t.Errorf("%v\n%s\n%s", err, script.String(), answer)
			}
		})
	}
}

// TestStopWhileTheDatabaseIsAway stops a server that waits for its database.
func TestStopWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "postgres://pulse:hidden@" + l.Addr().String() + "/pulse?sslmode=disable"
	if err := l.Close(); err != nil { // nobody answers there now
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), testkit.Binary(t))
	cmd.Env = append(os.Environ(), append(scaleEnv(url), "PULSE_HOME="+t.TempDir(), "PORT=0", "OTLP_GRPC_PORT=0")...)
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.Contains(lines.Text(), "does not answer yet") {
		continue
	}
	if !strings.Contains(lines.Text(), "level=WARN") {
		t.Errorf("waiting is told as %s", lines.Text())
	}
	if strings.Contains(lines.Text(), "hidden") {
		t.Errorf("the password is in the log: %s", lines.Text())
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	n := 0
	for lines.Scan() {
		n++
	}
	if err := cmd.Wait(); err != nil || n > 3 {
		t.Errorf("stopped with %v after %d more lines", err, n)
	}
}

// TestDatabaseRefuses: a start against a database that refuses what DATABASE_URL
// says ends at once, with one line.
func TestDatabaseRefuses(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(testkit.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/hunter2"
	for _, command := range []string{"migrate", "serve"} {
		stdout, stderr, status := call(t, append(scaleEnv(u.String()), "PORT=0", "OTLP_GRPC_PORT=0", "PULSE_HOST=127.0.0.1"), command)
		if status != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "DATABASE_URL names does not exist") || strings.Contains(stderr, "hunter2") {
			t.Errorf("%s: status %d\n%s%s", command, status, stdout, stderr)
		}
	}
}

// TestNoSecrets: a job that migrates, or looks into the log, need not hold the
// server's secrets. The server names all that it misses.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	env := []string{"PULSE_MODE=scale", "DATABASE_URL=" + testkit.Postgres(t), "PULSE_HOME=" + t.TempDir()}
	for _, args := range [][]string{{"migrate"}, {"dlq", "list"}, {"remap", "--dry-run"}} {
		if _, stderr, status := call(t, env, args...); status != 0 {
			t.Errorf("%s: status %d: %s", args, status, stderr)
		}
	}
	_, stderr, status := call(t, env, "serve")
	if want := "Invalid environment configuration:\n  BETTER_AUTH_SECRET: BETTER_AUTH_SECRET is required in scale mode\n  ENCRYPTION_KEY: ENCRYPTION_KEY is required in scale mode\n"; status != 1 || stderr != want {
		t.Errorf("serve: status %d: %s", status, stderr)
	}
	home := t.TempDir()
	if _, stderr, status := call(t, []string{"PULSE_HOME=" + home}, "migrate"); status != 0 {
		t.Error(stderr)
	}
	if _, err := os.Stat(filepath.Join(home, "server-secrets.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("migrate made secrets: %v", err)
	}
}

// TestLookMakesNothing: a command that has nothing to do in a new place leaves no
// trace in the wrong one.
func TestLookMakesNothing(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"dlq", "list"}, {"remap", "--dry-run"}, {"remap"}, {"reprice"}, {"import", "-"}} {
		home := t.TempDir()
		call(t, []string{"PULSE_HOME=" + home}, args...)
		if made, err := os.ReadDir(home); err != nil || len(made) > 0 {
			t.Errorf("%s made %v, %v", args, made, err)
		}
	}
}

// TestRewriteCalls: remap and reprice say which database they work on, and take
// only projects and places that there are.
func TestRewriteCalls(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	env := []string{"PULSE_HOME=" + home, "PULSE_PASSWORD=correct horse"}
	for _, who := range []struct{ email, project string }{{"ann@example.com", "One"}, {"ann@example.com", "Two"}, {"bob@example.com", "Two"}} {
		if _, stderr, status := call(t, env, "keys", "create", "--email", who.email, "--project", who.project); status != 0 {
			t.Fatal(stderr)
		}
	}
	database := "Database: " + regexp.QuoteMeta(filepath.Join(home, ".data", "pulse.db")) + `\n`
	for _, tc := range []struct {
		flags          []string
		status         int
		stdout, stderr string
	}{
		{nil, 0, `0 of 0 spans changed\.\n`, ``},
		{[]string{"--dry-run", "--from", "2026-01-01", "--to", "2026-02-01T00:00:00Z"}, 0, `0 of 0 spans would change\.\n`, ``},
		{[]string{"--project", "One"}, 0, `0 of 0 spans changed\.\n`, ``},
		{[]string{"--project", "Three"}, 2, ``, `pulse: there is no project with the name or id of --project\nTry: .*\n`},
		{[]string{"--project", "Two"}, 2, ``, `pulse: there are 2 projects of this name: give the id, as .*\nTry: .*\n`},
		{[]string{"--resume", "garbage"}, 2, ``, `pulse: --resume garbage: [^\n]* none of this command [^\n]*\nTry: .*\n`},
	} {
		for _, name := range []string{"remap", "reprice"} {
			stdout, stderr, status := call(t, env, append([]string{name}, tc.flags...)...)
			if status != tc.status || !regexp.MustCompile(`^`+tc.stdout+`$`).MatchString(stdout) || !regexp.MustCompile(`^`+database+tc.stderr+`$`).MatchString(stderr) {
				t.Errorf("%s %s: status %d\n%s%s", name, tc.flags, status, stdout, stderr)
			}
		}
	}
}

// TestDamagedDatabase: a file that is no database is named once, with what to do,
// and is left as it is.
func TestDamagedDatabase(t *testing.T) {
	t.Parallel()
	torn := func(t *testing.T, file string) { // the header is whole, the schema is not
		t.Helper()
		home := filepath.Dir(file)
		if _, stderr, status := call(t, []string{"PULSE_HOME=" + home, "DATABASE_PATH=" + file}, "migrate"); status != 0 {
			t.Fatal(stderr)
		}
		f, err := os.OpenFile(file, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, 4096-100), 100); err != nil {
			t.Fatal(err)
		}
	}
	for name, damage := range map[string]func(*testing.T, string){
		"NoDatabase": func(t *testing.T, file string) {
			t.Helper()
			if err := os.WriteFile(file, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"Torn": torn,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			file := filepath.Join(home, "pulse.db")
			damage(t, file)
			before, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			stdout, stderr, status := call(t, []string{"PULSE_HOME=" + home, "DATABASE_PATH=" + file, "PULSE_HOST=127.0.0.1", "PORT=0", "OTLP_GRPC_PORT=0"}, "serve")
			want := `^pulse: ` + regexp.QuoteMeta(file) + ` is damaged, or no database of SQLite: restore a copy of it, or move it away, [^:\n]*: [^:\n]*\n$`
			if status != 1 || stdout != "" || !regexp.MustCompile(want).MatchString(stderr) {
				t.Errorf("status %d\n%s%s", status, stdout, stderr)
			}
			if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
				t.Errorf("the file changed: %v", err)
			}
		})
	}
}
