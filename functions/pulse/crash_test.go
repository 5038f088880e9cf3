package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/postgres"
	"github.com/pulse-traces/pulse/shared/store/sqlite"
	"github.com/pulse-traces/pulse/shared/testkit"
)

// crashRounds is how often a process is killed: a few times in every run,
// PULSE_CRASH_ROUNDS times under make test-crash.
func crashRounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv("PULSE_CRASH_ROUNDS")
	if text == "" {
		return 3
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// engine is where a server stores.
type engine struct {
	name string
	env  func(t *testing.T) []string
	open func(t *testing.T, p *testkit.Pulse) store.Store
}

var engines = []engine{
	{
		"SQLite", func(*testing.T) []string { return []string{"TRACE_WAL_PARTITIONS=2"} },
		func(t *testing.T, p *testkit.Pulse) store.Store {
			db, err := sqlite.Open(t.Context(), filepath.Join(p.Home, ".data", "pulse.db"))
			if err != nil {
				t.Fatal(err)
			}
			return db
		},
	},
	{
		"Postgres", func(t *testing.T) []string { return scaleEnv(testkit.Postgres(t)) },
		func(t *testing.T, p *testkit.Pulse) store.Store { return openPostgres(t, p) },
	},
}

func scaleEnv(url string) []string {
	return []string{"PULSE_MODE=scale", "DATABASE_URL=" + url, "BETTER_AUTH_SECRET=0123456789abcdef0123456789abcdef", "ENCRYPTION_KEY=0123456789abcdef0123456789abcdef"}
}

func openPostgres(t *testing.T, p *testkit.Pulse) store.Store {
	t.Helper()
	for _, e := range p.Env {
		if url, ok := strings.CutPrefix(e, "DATABASE_URL="); ok {
			db, err := postgres.Open(t.Context(), url, postgres.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return db
		}
	}
	t.Fatal("no DATABASE_URL")
	return nil
}

// TestCrash kills the real process under load at random moments.
func TestCrash(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			p := testkit.NewPulse(t, e.env(t)...)
			a := p.SignUp()
			s := testkit.NewLoad()
			for range crashRounds(t) {
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { defer close(done); s.Run(ctx, p.Client, a) }()
				time.Sleep(time.Duration(50+rand.IntN(500)) * time.Millisecond) // the random moment is the test
				p.Kill()
				stop()
				<-done
				tearLogs(t, p)
				p.Start()
			}
			s.Check(t, p.Client, a)
			if traces, spans := s.Acknowledged(); traces == 0 || spans == 0 {
				t.Error("nothing was acknowledged, so nothing was tested")
			}
			if err := p.Stop(); err != nil {
				t.Errorf("stop: %v", err)
			}
			testkit.Recount(t, e.open(t, p), a.Project)
		})
	}
}

// tearLogs leaves at the end of the logs of a killed server what a power cut may
// leave there: a part of something that was never acknowledged, or zeros.
func tearLogs(t *testing.T, p *testkit.Pulse) {
	t.Helper()
	partitions, err := filepath.Glob(filepath.Join(p.Home, ".data", "wal*", "p*"))
	if err != nil || len(partitions) == 0 {
		t.Fatalf("partitions: %v, %v", partitions, err)
	}
	for _, dir := range partitions {
		segments, err := filepath.Glob(filepath.Join(dir, "*.wal"))
		if err != nil {
			t.Fatal(err)
		}
		if len(segments) == 0 {
			continue
		}
		last := segments[len(segments)-1]
		raw, err := os.ReadFile(last)
		if err != nil {
			t.Fatal(err)
		}
		torn := make([]byte, rand.IntN(4096))
		if len(raw) > 0 && rand.IntN(2) == 0 {
			torn = torn[:copy(torn, raw[rand.IntN(len(raw)):])]
		}
		if err := os.WriteFile(last, append(raw, torn...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDamagedLog damages the log of a server that is down: what is not damaged
// is stored, what is damaged is kept aside.
func TestDamagedLog(t *testing.T) {
	t.Parallel()
	p := testkit.NewPulse(t)
	a := p.SignUp()
	p.Kill()
	p.Env = []string{"PULSE_RUNTIME_MODE=api"} // accepts, drains nothing
	p.Start()
	var ids []string
	for range 8 {
		id := uuid.NewString()
		ids = append(ids, id)
		p.JSON(a, http.MethodPost, "/v1/traces/async", testkit.TraceBody(id), http.StatusAccepted, nil)
	}
	p.Kill()
	segments, err := filepath.Glob(filepath.Join(p.Home, ".data", "wal", "p01", "*.wal"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("segments: %v, %v", segments, err)
	}
	last := segments[len(segments)-1]
	raw, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(raw, []byte(ids[3]))
	if at < 0 {
		t.Fatal("the log does not hold the record")
	}
	raw[at] ^= 0x40                         // a bit flips in the fourth record
	raw = append(raw, raw[len(raw)-50:]...) // and the end is torn
	if err := os.WriteFile(last, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	p.Env = nil
	p.Start()
	got := testkit.ReadAll(t, p.Client, a, "/v1/traces", "traces", "traceId")
	for i, id := range ids {
		want := 1
		if i == 3 {
			want = 0
		}
		if got[id] != want {
			t.Errorf("record %d is there %d times, want %d", i, got[id], want)
		}
	}
	out, err := p.Command("dlq", "list").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("traces/")) {
		t.Errorf("pulse dlq list: %v\n%s", err, out)
	}
}

// TestPostgresAway stops the database under load: acknowledged records wait in
// the log and none goes to the dead letters.
func TestPostgresAway(t *testing.T) {
	t.Parallel()
	server, err := testkit.StartPostgres(t.Context(), "")
	if err != nil {
		if os.Getenv("PULSE_TEST_REQUIRE") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	p := testkit.NewPulse(t, scaleEnv(server.URL())...)
	a := p.SignUp()
	s := testkit.NewLoad()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx, p.Client, a) }()
	for range 2 {
		time.Sleep(400 * time.Millisecond)
		if err := server.Stop(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := server.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(300 * time.Millisecond)
	stop()
	<-done
	waitDrained(t, p)
	s.Check(t, p.Client, a)
	if letters, err := filepath.Glob(filepath.Join(p.Home, ".data", "wal*", "dead-letter", "*")); err != nil || len(letters) > 0 {
		t.Errorf("dead letters: %v, %v", letters, err)
	}
	testkit.Recount(t, openPostgres(t, p), a.Project)
}

// waitDrained waits until the log has nothing left.
func waitDrained(t *testing.T, p *testkit.Pulse) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		resp, b := p.Do(testkit.Account{}, http.MethodGet, "/metrics", "")
		if resp.StatusCode == http.StatusOK && bytes.Contains(b, []byte(`pulse_log_pending{log="traces"} 0`)) &&
			bytes.Contains(b, []byte(`pulse_log_pending{log="spans"} 0`)) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the log is not drained:\n%s", b)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// listener is a drain beside p, which serves with PULSE_RUNTIME_MODE=api.
func listener(t *testing.T, p *testkit.Pulse) *exec.Cmd {
	t.Helper()
	cmd := p.Command()
	cmd.Env = append(cmd.Env, "PULSE_RUNTIME_MODE=listener")
	said := &testkit.Buffer{}
	cmd.Stderr = said
	t.Cleanup(func() {
		if strings.Contains(said.String(), "port=") {
			t.Errorf("a listener, which serves nothing, names a port: %s", said)
		}
	})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return cmd
}

// TestSplit runs the API and the drain as two processes over one log, and
// stops each under load.
func TestSplit(t *testing.T) {
	t.Parallel()
	p := testkit.NewPulse(t, "PULSE_RUNTIME_MODE=api")
	drain := listener(t, p)
	a := p.SignUp()
	for range 20 {
		id := uuid.NewString()
		p.JSON(a, http.MethodPost, "/v1/traces/async", testkit.TraceBody(id), http.StatusAccepted, nil)
		p.JSON(a, http.MethodGet, "/v1/traces/"+id, "", http.StatusOK, nil) // reads wait for the other process, too
	}
	s := testkit.NewLoad()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx, p.Client, a) }()
	s.Wait(t, 20)
	if err := drain.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := drain.Wait(); err != nil {
		t.Errorf("the drain stopped with %v", err)
	}
	s.Wait(t, 20) // accepted without it
	stopWithin(t, p, stopPatience)
	stop()
	<-done
	p.Env = nil
	p.Start()
	waitDrained(t, p)
	acked, _ := s.Acknowledged()
	if n := len(testkit.ReadAll(t, p.Client, a, "/v1/traces", "traces", "traceId")); n < acked {
		t.Errorf("%d traces are there, %d were acknowledged", n, acked)
	}
}

// stopPatience is longer than a stop under these tests' load takes, and shorter
// than SHUTDOWN_TIMEOUT_SECONDS.
const stopPatience = 20 * time.Second

// stopWithin demands an exit with status 0.
func stopWithin(t *testing.T, p *testkit.Pulse, limit time.Duration) {
	t.Helper()
	begun := time.Now()
	if err := p.Stop(); err != nil {
		t.Errorf("stopped with %v", err)
	}
	if took := time.Since(begun); took > limit {
		t.Errorf("the stop took %s", took)
	}
}

// TestGracefulStop stops the server under load, with a request half sent.
func TestGracefulStop(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			p := testkit.NewPulse(t, e.env(t)...)
			a := p.SignUp()
			s := testkit.NewLoad()
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); s.Run(ctx, p.Client, a) }()
			s.Wait(t, 100)

			id := uuid.NewString()
			body := testkit.TraceBody(id)
			address := strings.TrimPrefix(p.URL, "http://")
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST /v1/traces/async HTTP/1.1\r\nHost: pulse\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"+
				"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n", a.Key, len(body))
			answers := bufio.NewReader(conn)
			// The handler asks for the body, so the request is under way.
			if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, " 100 ") {
				t.Fatalf("%q, %v", line, err)
			}
			stopped := make(chan struct{})
			go func() { defer close(stopped); stopWithin(t, p, stopPatience) }()
			testkit.Until(t, "no connection is taken", func() bool {
				c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
				if err == nil {
					_ = c.Close()
				}
				return err != nil
			})
			if _, err := io.WriteString(conn, body); err != nil {
				t.Fatal(err)
			}
			if _, err := answers.ReadString('\n'); err != nil { // ends the 100
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusAccepted {
				t.Errorf("the request under way is answered %s", resp.Status)
			}
			s.Acked(id)
			<-stopped
			stop()
			<-done
			p.Start()
			s.Check(t, p.Client, a)
		})
	}
}

// TestSecondServer starts another server on the same home.
func TestSecondServer(t *testing.T) {
	t.Parallel()
	p := testkit.NewPulse(t)
	a := p.SignUp()
	second := p.Command()
	second.Env = append(second.Env, "PORT=0")
	out, err := second.CombinedOutput()
	if second.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "is in use: another process holds its") {
		t.Errorf("the second server: %v\n%s", err, out)
	}
	id := uuid.NewString()
	p.JSON(a, http.MethodPost, "/v1/traces/async", testkit.TraceBody(id), http.StatusAccepted, nil)
	p.JSON(a, http.MethodGet, "/v1/traces/"+id, "", http.StatusOK, nil)
}

// TestDiskFull fills the disk of the log, then that of the database.
func TestDiskFull(t *testing.T) {
	for name, variable := range map[string]string{"Log": "WAL_DIR", "Database": "DATABASE_PATH"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk := t.TempDir()
			if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk).CombinedOutput(); err != nil {
				t.Skipf("a small disk needs the right to mount one: %v: %s", err, out)
			}
			t.Cleanup(func() {
				if out, err := exec.Command("umount", disk).CombinedOutput(); err != nil {
					t.Errorf("umount: %v: %s", err, out)
				}
			})
			place := filepath.Join(disk, "wal")
			if variable == "DATABASE_PATH" {
				place = filepath.Join(disk, "pulse.db")
			}
			p := testkit.NewPulse(t, variable+"="+place, "PULSE_DATA_DIR="+t.TempDir(), "READ_AFTER_WRITE_TIMEOUT_MS=100")
			t.Cleanup(p.Kill) // before the disk goes
			a := p.SignUp()
			var acked []string
			post := func() (*http.Response, []byte) {
				id := uuid.NewString()
				// Larger than what is free in a block, and not to be compressed.
				noise := make([]byte, 64<<10)
				for i := range noise {
					noise[i] = byte('!' + rand.IntN(90))
				}
				text, err := json.Marshal(string(noise))
				if err != nil {
					t.Fatal(err)
				}
				resp, body := p.Do(a, http.MethodPost, "/v1/traces/async", strings.Replace(testkit.TraceBody(id), `"Hi"`, string(text), 1))
				if resp.StatusCode == http.StatusAccepted {
					acked = append(acked, id)
				}
				return resp, body
			}
			accepted := func(when string) {
				t.Helper()
				if resp, body := post(); resp.StatusCode != http.StatusAccepted {
					t.Fatalf("%s: %s: %s", when, resp.Status, body)
				}
			}
			accepted("with room")
			ballast := filepath.Join(disk, "ballast")
			// The drain frees what it has finished with at any moment, so each
			// question to a full disk fills it again first.
			fill := func() {
				f, err := os.OpenFile(ballast, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				if _, err := f.Write(make([]byte, 16<<20)); !errors.Is(err, syscall.ENOSPC) {
					t.Fatalf("the disk is not full: %v", err)
				}
			}
			fill()
			if variable == "WAL_DIR" {
				refused := 0
				testkit.Until(t, "three traces are refused", func() bool {
					fill()
					resp, body := post()
					if resp.StatusCode == http.StatusAccepted {
						return false
					}
					var answer struct{ Error string }
					if err := json.Unmarshal(body, &answer); err != nil || resp.StatusCode != http.StatusServiceUnavailable ||
						resp.Header.Get("Retry-After") == "" || answer.Error == "" {
						t.Errorf("on a full disk: %s, Retry-After %q: %s", resp.Status, resp.Header.Get("Retry-After"), body)
					}
					refused++
					return refused == 3
				})
				testkit.Until(t, "not ready on a full disk", func() bool {
					fill()
					resp, _ := p.Do(testkit.Account{}, http.MethodGet, "/health/ready", "")
					return resp.StatusCode == http.StatusServiceUnavailable
				})
				testkit.Until(t, "not healthy on a full disk", func() bool {
					fill()
					return p.Command("health").Run() != nil
				})
			} else {
				for range 40 { // more than the database has left in its own files
					accepted("with a full database")
				}
				testkit.Until(t, "the drain fails", func() bool {
					return strings.Contains(p.Output(), "disk is full")
				})
			}
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			accepted("with room again")
			waitDrained(t, p)
			got := testkit.ReadAll(t, p.Client, a, "/v1/traces", "traces", "traceId")
			for _, id := range acked {
				if got[id] != 1 {
					t.Errorf("acknowledged trace %s is there %d times", id, got[id])
				}
			}
			if len(got) != len(acked) {
				t.Errorf("%d traces are there, %d were acknowledged", len(got), len(acked))
			}
			if out, err := p.Command("dlq", "list").CombinedOutput(); err != nil || !strings.Contains(string(out), "No dead letters") {
				t.Errorf("dead letters: %v\n%s", err, out)
			}
		})
	}
}

// TestClockJumps sends records whose clocks jump years, on both sides of a kill.
func TestClockJumps(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			p := testkit.NewPulse(t, e.env(t)...)
			a := p.SignUp()
			s := testkit.NewLoad()
			for i, day := range []string{"2026-01-25", "2020-02-29", "2026-12-31", "1999-12-31", "2026-01-24", "2026-01-25"} {
				ids := []string{uuid.NewString(), uuid.NewString()}
				s.Acked(ids...)
				body := strings.ReplaceAll(testkit.TraceBody(ids...), "2026-01-25", day)
				p.JSON(a, http.MethodPost, "/v1/traces/async", body, http.StatusAccepted, nil)
				if i == 2 {
					p.Kill()
					p.Start()
				}
			}
			s.Check(t, p.Client, a)
			stopWithin(t, p, stopPatience)
			testkit.Recount(t, e.open(t, p), a.Project)
		})
	}
}

// renameProject gives a project another id behind the server's back, with
// everything that refers to it left as it is.
func renameProject(t *testing.T, p *testkit.Pulse, from, to string) {
	t.Helper()
	for _, e := range p.Env {
		if url, ok := strings.CutPrefix(e, "DATABASE_URL="); ok {
			conn, err := pgx.Connect(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(t.Context())
			if _, err := conn.Exec(t.Context(), "SET session_replication_role = replica"); err != nil {
				t.Fatal(err)
			}
			if tag, err := conn.Exec(t.Context(), "UPDATE projects SET id = $2 WHERE id = $1", from, to); err != nil || tag.RowsAffected() != 1 {
				t.Fatalf("%d projects renamed: %v", tag.RowsAffected(), err)
			}
			return
		}
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(p.Home, ".data", "pulse.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	result, err := db.ExecContext(t.Context(), "UPDATE projects SET id = ? WHERE id = ?", to, from)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		t.Fatalf("%d projects renamed: %v", n, err)
	}
}

// queues are the logs that are no files, as the environment names them.
var queues = map[string]func(t *testing.T) []string{
	"SQS": func(t *testing.T) []string {
		endpoint := testkit.SQS(t)
		return []string{
			"WAL_URL=sqs://" + strings.TrimPrefix(endpoint, "http://") + "/" + testkit.AccountID + "/pulse-" + uuid.NewString()[:8] + "-",
			"SQS_ENDPOINT=" + endpoint, "SQS_CREATE_QUEUES=on", "AWS_REGION=" + testkit.Region,
			"AWS_ACCESS_KEY_ID=" + testkit.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + testkit.SecretAccessKey,
		}
	},
	"NATS": func(t *testing.T) []string { return []string{"WAL_URL=" + testkit.NATS(t).URL} },
}

// TestDeadLetters poisons a record, looks at it, mends the cause and replays
// it, and discards another one.
func TestDeadLetters(t *testing.T) {
	all := slices.Clone(engines)
	for name, log := range queues {
		for _, e := range engines {
			env := e.env
			e.name, e.env = e.name+name, func(t *testing.T) []string { return append(env(t), log(t)...) }
			all = append(all, e)
		}
	}
	for _, e := range all {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			env := e.env(t)
			p := testkit.NewPulse(t, append(slices.Clone(env), "PULSE_RUNTIME_MODE=api")...)
			a := p.SignUp()
			id := uuid.NewString()
			for _, id := range []string{id, uuid.NewString()} {
				p.JSON(a, http.MethodPost, "/v1/traces/async", testkit.TraceBody(id), http.StatusAccepted, nil)
			}
			stopWithin(t, p, stopPatience)
			renameProject(t, p, a.Project, "away")
			p.Env = env
			p.Start()
			dlq := func(args ...string) string {
				t.Helper()
				out, err := p.Command(append([]string{"dlq"}, args...)...).CombinedOutput()
				if err != nil {
					t.Fatalf("dlq %v: %v\n%s", args, err, out)
				}
				return string(out)
			}
			var letters []string
			testkit.Until(t, "there are dead letters", func() bool {
				letters = regexp.MustCompile(`(?m)^traces/\S+`).FindAllString(dlq("list"), -1)
				return len(letters) == 2
			})
			letter, other := letters[0], letters[1]
			out := dlq("show", letter)
			if !strings.Contains(out, id) {
				letter, other = other, letter
				out = dlq("show", letter)
			}
			for _, want := range []string{letter, id, a.Project, "project"} {
				if !strings.Contains(out, want) {
					t.Errorf("show does not tell %q:\n%s", want, out)
				}
			}
			if strings.Contains(out, "Hello 0") {
				t.Errorf("show tells the prompt:\n%s", out)
			}
			renameProject(t, p, "away", a.Project)
			if out := dlq("replay", letter); !strings.Contains(out, "Replayed 1") {
				t.Error(out)
			}
			testkit.Until(t, "the record is stored", func() bool {
				resp, _ := p.Do(a, http.MethodGet, "/v1/traces/"+id, "")
				return resp.StatusCode == http.StatusOK
			})
			if out := dlq("list"); strings.Contains(out, letter) || !strings.Contains(out, other) {
				t.Errorf("of %s, replayed, and %s these are there:\n%s", letter, other, out)
			}
			// The log names each by the id that dlq takes, with the reason.
			if !regexp.MustCompile(`level=ERROR .*dead_letter=` + regexp.QuoteMeta(strings.TrimPrefix(letter, "traces/")) + ` .*reason=`).MatchString(p.Output()) {
				t.Errorf("the log does not tell of %s", letter)
			}
			if out := dlq("discard", other); !strings.Contains(out, "Discarded 1") {
				t.Error(out)
			}
			if out := dlq("list"); !strings.Contains(out, "No dead letters in ") {
				t.Errorf("a discarded letter is still there:\n%s", out)
			}
		})
	}
}
