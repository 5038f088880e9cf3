package serverless_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/store/postgres"
	"github.com/pulse-traces/pulse/shared/testkit"
	"github.com/pulse-traces/pulse/shared/testkit/serverless"
)

// long tells whether the faults last as long as they may in life: a minute and
// hundreds of kills, under make test-serverless-long.
func long() bool { return os.Getenv("PULSE_LONG") == "1" }

// hidden is how long a message stays hidden that somebody received and then was
// killed.
const hidden = 2 * time.Second

// patience is how long the queues may take to run empty after a fault.
func patience() time.Duration {
	if long() {
		return 6 * time.Minute // pauses grow to five
	}
	return time.Minute
}

// underLoad sends until told to stop, and gives the load once it has.
func underLoad(ctx context.Context, s *serverless.Stack, a testkit.Account) (load *testkit.Load, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	load = testkit.NewLoad()
	done := make(chan struct{})
	go func() {
		defer close(done)
		load.Run(ctx, s.Client, a)
	}()
	return load, func() {
		cancel()
		<-done
	}
}

// check demands that every record which was acknowledged is stored, once, that
// the sums are those of the rows, and that nothing was given up.
func check(t *testing.T, s *serverless.Stack, load *testkit.Load, a testkit.Account) {
	t.Helper()
	s.WaitDrained(patience())
	load.Check(t, s.Client, a)
	if traces, spans := load.Acknowledged(); traces == 0 || spans == 0 {
		t.Error("nothing was acknowledged, so nothing was tested")
	}
	recount(t, s, a)
	if letters := deadLetters(t, s); len(letters) > 0 {
		t.Errorf("%d dead letters: %v", len(letters), letters[0].MessageAttributes)
	}
}

func recount(t *testing.T, s *serverless.Stack, a testkit.Account) {
	t.Helper()
	db, err := postgres.Open(t.Context(), s.Database, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Recount(t, db, a.Project)
}

// deadLetters receives what is in all dead-letter queues.
func deadLetters(t *testing.T, s *serverless.Stack) (letters []types.Message) {
	t.Helper()
	client := serverless.NewClient(s.Proxy.URL)
	for _, q := range s.Template.Queues {
		if q.DeadLetter == "" {
			continue
		}
		url := s.Proxy.URL + "/" + testkit.AccountID + "/" + s.Template.Queues[q.DeadLetter].Name
		for {
			out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
				QueueUrl: aws.String(url), MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"}, VisibilityTimeout: 600,
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(out.Messages) == 0 {
				break
			}
			letters = append(letters, out.Messages...)
		}
	}
	return letters
}

// TestServerlessFaultsKill kills every emulator with its function, at random
// moments under load.
func TestServerlessFaultsKill(t *testing.T) {
	t.Parallel()
	s := serverless.New(t, serverless.Options{
		Window: window, Visibility: hidden, Env: env(nil), Emulators: map[string]int{"Ingest": 3, "Drain": 3, "Query": 2, "Dashboard": 2},
	})
	a := s.SignUp()
	load, stop := underLoad(t.Context(), s, a)
	load.Wait(t, 100)
	rounds := 3
	if long() {
		rounds = 60
	}
	for range rounds {
		var kills []func()
		for _, f := range s.Template.Functions {
			p := s.Pool(f.ID)
			for i := range p.Size() {
				kill := p.Kill
				if rand.IntN(3) == 0 {
					kill = p.KillEmulator // its function finishes, and nobody hears of it
				}
				kills = append(kills, func() { kill(i) })
			}
		}
		rand.Shuffle(len(kills), func(i, j int) { kills[i], kills[j] = kills[j], kills[i] })
		for _, kill := range kills {
			time.Sleep(time.Duration(rand.IntN(120)) * time.Millisecond) // the random moment is the test
			kill()
		}
	}
	traces, spans := load.Acknowledged()
	load.Wait(t, traces+spans+100) // it goes on afterwards
	stop()
	check(t, s, load, a)
}

// TestServerlessFaultsQueue has the queues fail in each of their ways under
// load, in the hands of the functions and of the mappings.
func TestServerlessFaultsQueue(t *testing.T) {
	t.Parallel()
	s := serverless.New(t, serverless.Options{Window: window, Visibility: hidden, Env: env(nil), Emulators: map[string]int{"Ingest": 3, "Drain": 3, "Query": 2}})
	a := s.SignUp()
	load, stop := underLoad(t.Context(), s, a)
	more := 200
	if long() {
		more = 5000
	}
	for name, kind := range map[string]testkit.SQSFaultKind{
		"refuses": testkit.SQSRefuse, "acts without an answer": testkit.SQSLoseAnswer, "stumbles": testkit.SQSError, "throttles": testkit.SQSThrottle,
		"fails single entries": testkit.SQSFailEntries, "delivers twice": testkit.SQSTwice, "delivers out of order": testkit.SQSShuffle,
	} {
		f := s.Proxy.Fault(testkit.SQSFault{Kind: kind, Chance: 0.2, Queue: s.Name})
		traces, spans := load.Acknowledged()
		load.Wait(t, traces+spans+more)
		testkit.Until(t, "the queue "+name, func() bool { return f.Hits() > 0 })
		f.Stop()
	}
	stop()
	check(t, s, load, a)
}

// TestServerlessFaultsQueueAway refuses every send: no record is acknowledged.
func TestServerlessFaultsQueueAway(t *testing.T) {
	t.Parallel()
	s := serverless.New(t, serverless.Options{Window: window, Env: env(nil)})
	a := s.SignUp()
	for _, kind := range []testkit.SQSFaultKind{testkit.SQSRefuse, testkit.SQSThrottle, testkit.SQSFailEntries} {
		f := s.Proxy.Fault(testkit.SQSFault{Kind: kind, Action: "SendMessageBatch", Queue: s.Name})
		id := uuid.NewString()
		resp, body := s.Do(a, http.MethodPost, "/v1/traces/async", testkit.TraceBody(id))
		var answer struct{ Error string }
		if err := json.Unmarshal(body, &answer); err != nil || resp.StatusCode != http.StatusServiceUnavailable || answer.Error == "" || resp.Header.Get("Retry-After") == "" {
			t.Errorf("fault %d: %s, Retry-After %q: %s", kind, resp.Status, resp.Header.Get("Retry-After"), body)
		}
		if f.Hits() == 0 {
			t.Errorf("fault %d did not strike", kind)
		}
		f.Stop()
		s.JSON(a, http.MethodGet, "/v1/traces/"+id, "", http.StatusNotFound, nil)
		s.JSON(a, http.MethodPost, "/v1/traces/async", testkit.TraceBody(id), http.StatusAccepted, nil)
		s.JSON(a, http.MethodGet, "/v1/traces/"+id, "", http.StatusOK, nil)
	}
}

// TestServerlessFaultsDatabaseAway stops Postgres under load: keys that are
// known go on to be accepted, everybody else is told to come back, and nothing
// is lost or given up, however often it was delivered meanwhile.
func TestServerlessFaultsDatabaseAway(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	s := serverless.New(t, serverless.Options{
		Window: window, Visibility: hidden, Database: server.URL(), Env: env(map[string]string{"KEY_CACHE_SECONDS": "1"}), Emulators: map[string]int{"Ingest": 2, "Drain": 2},
	})
	a, stranger := s.SignUp(), s.SignUp()
	for range s.Pool("Ingest").Size() { // each has its own memory, and they take turns
		s.JSON(a, http.MethodPost, "/v1/traces/async", testkit.TraceBody(uuid.NewString()), http.StatusAccepted, nil)
	}
	s.WaitDrained(patience())
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	outage := 5 * time.Second
	if long() {
		outage = time.Minute
	}
	load := testkit.NewLoad()
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for end := time.Now().Add(outage); time.Now().Before(end); {
				id := uuid.NewString()
				resp, body, err := s.Try(t.Context(), a, http.MethodPost, "/v1/traces/async", testkit.TraceBody(id))
				if err != nil || resp.StatusCode != http.StatusAccepted {
					t.Errorf("without the database: %v: %s", err, body)
					return
				}
				load.Acked(id)
			}
		})
	}
	wg.Wait()
	resp, body := s.Do(stranger, http.MethodPost, "/v1/traces/async", testkit.TraceBody(uuid.NewString()))
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("a key that nobody knows: %s, Retry-After %q: %s", resp.Status, resp.Header.Get("Retry-After"), body)
	}
	if n := len(s.Proxy.Open(s.Name + "-")); n == 0 {
		t.Error("nothing waits in the queues, so the database was not away")
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.WaitDrained(patience())
	got := testkit.ReadAll(t, s.Client, a, "/v1/traces", "traces", "traceId")
	acked, _ := load.Acknowledged()
	if len(got) != acked+s.Pool("Ingest").Size() {
		t.Errorf("%d traces are there, %d were acknowledged without the database", len(got), acked)
	}
	load.Check(t, s.Client, a)
	recount(t, s, a)
	if letters := deadLetters(t, s); len(letters) > 0 {
		t.Errorf("%d dead letters", len(letters))
	}
}

// startPostgres gives a server that may be stopped.
func startPostgres(t *testing.T) *testkit.Server {
	t.Helper()
	server, err := testkit.StartPostgres(t.Context(), "")
	if err != nil {
		if os.Getenv("PULSE_TEST_REQUIRE") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// TestServerlessFaultsPoison has two messages among a thousand that can never be
// stored: all others are, once, and the two end in the dead letters with their
// reasons.
func TestServerlessFaultsPoison(t *testing.T) {
	t.Parallel()
	s := serverless.New(t, serverless.Options{Paused: true, Visibility: hidden, Env: env(nil), Emulators: map[string]int{"Ingest": 4}})
	a, gone := s.SignUp(), s.SignUp()
	const good = 998
	load := testkit.NewLoad()
	var sent atomic.Int32
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for n := sent.Add(1); n <= good; n = sent.Add(1) {
				if n == good/2 {
					s.JSON(gone, http.MethodPost, "/v1/traces/async", testkit.TraceBody(uuid.NewString()), http.StatusAccepted, nil)
				}
				id := uuid.NewString()
				s.JSON(a, http.MethodPost, "/v1/traces/async", testkit.TraceBody(id), http.StatusAccepted, nil)
				load.Acked(id)
			}
		})
	}
	wg.Wait()
	// One is of a project that is there no more, the other no record at all.
	conn, err := pgx.Connect(t.Context(), s.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, sql := range []string{"SET session_replication_role = replica", fmt.Sprintf("DELETE FROM projects WHERE id = '%s'", gone.Project)} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	queue := s.Proxy.URL + "/" + testkit.AccountID + "/" + s.Name + "-trace-0"
	if _, err := serverless.NewClient(s.Proxy.URL).SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(queue), MessageBody: aws.String("no record")}); err != nil {
		t.Fatal(err)
	}
	s.StartDrain()
	s.WaitDrained(patience())
	load.Check(t, s.Client, a)
	recount(t, s, a)
	letters := deadLetters(t, s)
	if len(letters) != 2 {
		t.Fatalf("%d dead letters", len(letters))
	}
	for _, l := range letters {
		if reason := aws.ToString(l.MessageAttributes["reason"].StringValue); reason == "" {
			t.Errorf("a dead letter without a reason: %v", l.MessageAttributes)
		} else {
			t.Log(reason)
		}
	}
}

// TestServerlessFaultsBetweenCommitAndAck kills the drain's emulator while its
// transaction waits, and lets that commit then: nobody hears of it, the messages
// come again, and are stored once all the same.
func TestServerlessFaultsBetweenCommitAndAck(t *testing.T) {
	t.Parallel()
	s := serverless.New(t, serverless.Options{Window: window, Visibility: 5 * time.Second, Env: env(nil), Parameters: map[string]string{"TracePartitions": "0"}})
	a := s.SignUp()
	conn, err := pgx.Connect(t.Context(), s.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "LOCK TABLE spans IN SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	load := testkit.NewLoad()
	for range 3 {
		ids := []string{uuid.NewString(), uuid.NewString()}
		s.JSON(a, http.MethodPost, "/v1/traces/async", testkit.TraceBody(ids...), http.StatusAccepted, nil)
		load.Acked(ids...)
	}
	watch, err := pgx.Connect(t.Context(), s.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close(t.Context())
	count := func(sql string) (n int) {
		t.Helper()
		if err := watch.QueryRow(t.Context(), sql).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	testkit.Until(t, "the drain waits", func() bool {
		return count("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") > 0
	})
	s.Pool("Drain").KillEmulator(0)
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "the transaction is committed", func() bool { return count("SELECT count(*) FROM spans") > 0 })
	queue := s.Name + "-trace-0"
	if n := len(s.Proxy.Deleted(queue)); n != 0 {
		t.Errorf("%d messages were acknowledged", n)
	}
	s.WaitDrained(patience())
	load.Check(t, s.Client, a)
	recount(t, s, a)
}

// TestServerlessFaultsLostAnswers loses every second answer of the drain, under
// load.
func TestServerlessFaultsLostAnswers(t *testing.T) {
	t.Parallel()
	var lose atomic.Bool
	lose.Store(true)
	var lost atomic.Int32
	s := serverless.New(t, serverless.Options{Window: window, Visibility: time.Second, Env: env(nil), Emulators: map[string]int{"Ingest": 2, "Drain": 2}, Lost: func() bool {
		if !lose.Load() || rand.IntN(2) == 0 {
			return false
		}
		lost.Add(1)
		return true
	}})
	a := s.SignUp()
	load, stop := underLoad(t.Context(), s, a)
	n := 1000
	if long() {
		n = 50_000
	}
	load.Wait(t, n)
	testkit.Until(t, "answers are lost", func() bool { return lost.Load() > 10 })
	stop()
	lose.Store(false)
	check(t, s, load, a)
}

// TestServerlessKeyRevocation deletes a key in one function: within
// KEY_CACHE_SECONDS the others refuse it.
func TestServerlessKeyRevocation(t *testing.T) {
	t.Parallel()
	const remembered = time.Second
	s := serverless.New(t, serverless.Options{
		Window: window, Env: env(map[string]string{"KEY_CACHE_SECONDS": fmt.Sprint(remembered.Seconds())}), Emulators: map[string]int{"Ingest": 2, "Query": 2},
	})
	a := s.SignUp()
	each := func(write, read int) {
		t.Helper()
		for range s.Pool("Ingest").Size() { // they take turns
			s.JSON(a, http.MethodPost, "/v1/traces/async", testkit.TraceBody(uuid.NewString()), write, nil)
			s.JSON(a, http.MethodGet, "/v1/traces", "", read, nil)
		}
	}
	each(http.StatusAccepted, http.StatusOK)
	var keys struct{ Keys []struct{ ID string } }
	s.JSON(a, http.MethodGet, "/dashboard/api/api-keys", "", http.StatusOK, &keys)
	s.JSON(a, http.MethodDelete, "/dashboard/api/api-keys/"+keys.Keys[0].ID, "", http.StatusOK, nil)
	deleted := time.Now()
	testkit.Until(t, "what was remembered is forgotten", func() bool { return time.Since(deleted) > remembered })
	each(http.StatusUnauthorized, http.StatusUnauthorized)
}

// TestServerlessPaths reads records whose ids hold what paths do not like,
// behind an API as it is documented, and as others have seen it on AWS, where
// ids with "?" and "%" must be encoded twice.
func TestServerlessPaths(t *testing.T) {
	t.Parallel()
	ids := []string{"plain", "a/b", "a b", "a#b", "λ-世界", "a:b+c", `a"b<c>`, "a&b=c", "100%", "a?b", "a%20b", "a%2Fb"}
	for name, twice := range map[string]bool{"Documented": false, "AsSeen": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serverless.New(t, serverless.Options{Window: window, Env: env(nil), PathsDecodedTwice: twice})
			a := s.SignUp()
			var records []string
			for _, id := range ids {
				quoted, err := json.Marshal(id)
				if err != nil {
					t.Fatal(err)
				}
				records = append(records, fmt.Sprintf(`{"span_id":%s,"session_id":%s,"timestamp":"2026-01-25T12:00:00Z","source":"codex","kind":"tool_use",`+
					`"event_type":"post_tool_use","status":"success"}`, quoted, quoted))
			}
			s.JSON(a, http.MethodPost, "/v1/spans/async", "["+strings.Join(records, ",")+"]", http.StatusAccepted, nil)
			for _, id := range ids {
				escaped := url.PathEscape(id)
				if twice && strings.ContainsAny(id, "?%") {
					var other struct{ SpanID string } // there may be one with what is left of the id
					if _, body := s.Do(a, http.MethodGet, "/v1/spans/"+escaped, ""); json.Unmarshal(body, &other) == nil && other.SpanID == id {
						t.Errorf("%q encoded once: %s", id, body)
					}
					escaped = url.PathEscape(escaped)
				}
				var span struct{ SpanID string }
				s.JSON(a, http.MethodGet, "/v1/spans/"+escaped, "", http.StatusOK, &span)
				if span.SpanID != id {
					t.Errorf("%q: span %q", id, span.SpanID)
				}
				var page struct{ Spans []struct{ SpanID string } }
				s.JSON(a, http.MethodGet, "/v1/sessions/"+escaped+"/spans", "", http.StatusOK, &page)
				if len(page.Spans) != 1 || page.Spans[0].SpanID != id {
					t.Errorf("session %q: %v", id, page)
				}
			}
		})
	}
}
