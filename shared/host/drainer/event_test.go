package drainer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/host"
	"github.com/pulse-traces/pulse/shared/host/lambda"
	"github.com/pulse-traces/pulse/shared/host/queue"
	"github.com/pulse-traces/pulse/shared/host/stream"
	"github.com/pulse-traces/pulse/shared/ingest"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/testkit"
	"github.com/pulse-traces/pulse/shared/testkit/serverless"
	"github.com/pulse-traces/pulse/shared/trace"
	"github.com/pulse-traces/pulse/shared/wal"
	"github.com/pulse-traces/pulse/shared/wal/filewal"
)

const project account.ProjectID = "project"

// fixture is the function over a database and queues of its own.
type fixture struct {
	deps    *host.Deps
	handler lambda.Handler
	accept  *ingest.Service
	logs    stream.Logs
	sqs     *testkit.SQSProxy
	name    string // of the queues, before -trace-0
	url     string // of the database
}

func setup(t *testing.T) *fixture {
	f := &fixture{sqs: testkit.NewSQSProxy(t, testkit.SQS(t)), name: "drain-" + uuid.NewString()[:8], url: testkit.Postgres(t)}
	f.deps, f.handler = f.function(t, f.url)
	ctx, st := t.Context(), f.deps.Store
	if err := st.Migrate(ctx, nil); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	err := st.CreateUser(ctx, store.NewUser{
		User: account.User{ID: "user", Name: "u", Email: "u@example.com", CreatedAt: now, UpdatedAt: now}, CredentialID: "c", PasswordHash: "x",
		Project: &store.NewProject{
			Project: account.Project{ID: project, Name: "p", CreatedAt: now},
			Key:     account.APIKey{ID: "key", ProjectID: project, Hash: "h", Name: "k", CreatedAt: now},
			Member:  account.Membership{ID: "m", UserID: "user", ProjectID: project, Role: account.RoleAdmin, CreatedAt: now},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := queue.Ensure(ctx, f.deps.Config, f.deps.Log); err != nil {
		t.Fatal(err)
	}
	if f.logs, err = stream.Open(ctx, f.deps.Config, filewal.RoleAppend, f.deps.Log); err != nil {
		t.Fatal(err)
	}
	f.accept = f.logs.Ingest(f.deps)
	return f
}

// function makes the function as a process on Lambda does.
func (f *fixture) function(t *testing.T, databaseURL string) (*host.Deps, lambda.Handler) {
	t.Helper()
	prefix := f.sqs.URL + "/" + testkit.AccountID + "/" + f.name
	fn := Function()
	cfg, _, err := config.Load([]string{
		"AWS_LAMBDA_RUNTIME_API=127.0.0.1:1", "DATABASE_URL=" + databaseURL, "SQS_ENDPOINT=" + f.sqs.URL,
		"TRACE_QUEUE_URL_PREFIX=" + prefix + "-trace-", "SPAN_QUEUE_URL_PREFIX=" + prefix + "-span-", "TRACE_WAL_PARTITIONS=1", "SPAN_WAL_PARTITIONS=1", "SQS_CREATE_QUEUES=on",
		"AWS_REGION=" + testkit.Region, "AWS_ACCESS_KEY_ID=" + testkit.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + testkit.SecretAccessKey,
	}, config.Defaults{Function: true, Needs: fn.Needs, LambdaConns: fn.LambdaConns, WorkDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.DatabaseMaxConns != 1 {
		t.Errorf("%d connections, want 1", cfg.DatabaseMaxConns)
	}
	st, err := host.OpenPostgres(t.Context(), &cfg)
	if err != nil {
		t.Fatal(err)
	}
	deps, err := host.NewDeps(&cfg, slog.New(slog.NewTextHandler(t.Output(), nil)), st)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := deps.Close(); err != nil {
			t.Error(err)
		}
	})
	h, err := fn.Lambda(t.Context(), deps)
	if err != nil {
		t.Fatal(err)
	}
	return deps, h
}

func span(id string, form trace.Form) trace.Span {
	return trace.Span{
		ID: trace.SpanID(id), TraceID: trace.TraceID("t-" + id), SessionID: "s", Form: form, Start: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Kind: trace.KindToolUse, Source: trace.SourceSDK, Status: trace.StatusSuccess, Payload: trace.Payload{ToolInput: []byte(`{"id":"` + id + `"}`)},
	}
}

// put accepts spans, each in a message of its own.
func (f *fixture) put(t *testing.T, to account.ProjectID, form trace.Form, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := f.accept.Accept(t.Context(), account.Sender{Project: to}, []trace.Span{span(id, form)}); err != nil {
			t.Fatal(err)
		}
	}
}

// query asks the database for a number.
func (f *fixture) query(t *testing.T, sql string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), f.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// invocation is what a mapping has sent and got.
type invocation struct {
	messages int
	failed   []string
	err      error
}

// drain maps a queue to a handler until it is settled or, with times, for so many
// invocations.
func (f *fixture) drain(t *testing.T, queue string, h lambda.Handler, times int) []invocation {
	t.Helper()
	made := make(chan invocation, 100)
	m := &serverless.Mapping{
		Queue: f.name + queue, BatchSize: 1000, Window: 500 * time.Millisecond, PartialFails: true,
		Invoke: func(ctx context.Context, event []byte) ([]byte, error) {
			ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
			defer cancel()
			out, err := h.Invoke(ctx, event)
			i := invocation{messages: bytes.Count(event, []byte(`"messageId"`)), err: err}
			var report struct {
				BatchItemFailures []struct{ ItemIdentifier string }
			}
			if err == nil {
				if err := json.Unmarshal(out, &report); err != nil {
					t.Error(err)
				}
			}
			for _, failure := range report.BatchItemFailures {
				i.failed = append(i.failed, failure.ItemIdentifier)
			}
			made <- i
			return out, err
		},
	}
	m.Start(f.sqs.URL)
	testkit.Until(t, "the queue is drained", func() bool {
		if times > 0 {
			return len(made) >= times
		}
		return len(f.sqs.Open(f.name+queue)) == 0
	})
	m.Stop()
	close(made)
	var all []invocation
	for i := range made {
		all = append(all, i)
	}
	return all
}

func ids(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("id-%03d", i))
	}
	return ids
}

func TestStoresAnEventInOneTransaction(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.put(t, project, trace.FormSpan, ids(60)...)
	calls := f.drain(t, "-span-0", f.handler, 0)
	if n := f.query(t, `SELECT count(*) FROM spans`); n != 60 {
		t.Errorf("%d spans are stored, want 60", n)
	}
	// xmin is the transaction that made a row.
	if n := f.query(t, `SELECT count(DISTINCT xmin::text) FROM spans`); n != len(calls) {
		t.Errorf("%d transactions for %d events", n, len(calls))
	}
	if calls[0].messages < 20 {
		t.Errorf("the first event had %d messages only", calls[0].messages)
	}
	if n, unsigned := f.query(t, `SELECT count(*) FROM payload_chunks`), f.query(t, `SELECT count(*) FROM payload_chunks WHERE signature IS NULL`); n == 0 || unsigned > 0 {
		t.Errorf("%d of %d chunks have no signature", unsigned, n)
	}
}

func TestFindsTheLogOfAQueue(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.put(t, project, trace.FormTrace, "a", "b")
	f.put(t, project, trace.FormSpan, "c")
	f.drain(t, "-trace-0", f.handler, 0)
	f.drain(t, "-span-0", f.handler, 0)
	if n := f.query(t, `SELECT count(*) FROM spans`); n != 3 {
		t.Errorf("%d spans are stored, want 3", n)
	}
}

// TestPoisonHoldsNobodyUp: what can never be stored goes to the dead letters with
// its reason, and its neighbours are stored.
func TestPoisonHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.put(t, project, trace.FormSpan, "a", "b")
	f.put(t, "no-such-project", trace.FormSpan, "c")
	if err := f.logs.Spans.Append(t.Context(), []wal.Record{{Data: []byte("no batch")}}); err != nil {
		t.Fatal(err)
	}
	f.put(t, project, trace.FormSpan, "d")
	for _, i := range f.drain(t, "-span-0", f.handler, 0) {
		if i.err != nil || len(i.failed) > 0 {
			t.Errorf("%v, failed %v", i.err, i.failed)
		}
	}
	if n := f.query(t, `SELECT count(*) FROM spans`); n != 3 {
		t.Errorf("%d spans are stored, want 3", n)
	}
	letters, err := f.logs.Spans.DeadLetters().List(t.Context(), 10)
	if err != nil || len(letters) != 2 {
		t.Fatalf("%d dead letters, want 2: %v", len(letters), err)
	}
	if !slices.ContainsFunc(letters, func(d wal.DeadLetter) bool { return strings.Contains(d.Reason, "decode record") }) {
		t.Errorf("no dead letter says that its record cannot be read: %+v", letters)
	}
}

// TestDatabaseAway: an event fails as a whole and costs no record its life.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.put(t, project, trace.FormSpan, "a", "b")
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	for name, address := range map[string]string{"Refused": "127.0.0.1:1", "Silent": silent.Addr().String()} {
		_, h := f.function(t, "postgres://x:y@"+address+"/x?sslmode=disable")
		for _, i := range f.drain(t, "-span-0", h, 1) {
			if i.err != nil || len(i.failed) != i.messages || i.messages == 0 {
				t.Errorf("%s: %d of %d messages failed, %v", name, len(i.failed), i.messages, i.err)
			}
		}
	}
	f.drain(t, "-span-0", f.handler, 0)
	if n := f.query(t, `SELECT count(*) FROM spans`); n != 2 {
		t.Errorf("%d spans are stored once the database is back, want 2", n)
	}
	if letters, err := f.logs.Spans.DeadLetters().List(t.Context(), 10); err != nil || len(letters) > 0 {
		t.Errorf("dead letters %v, %v", letters, err)
	}
}

// TestEndsBeforeTheInvocation: a database that hangs is given up early enough to
// say which messages failed.
func TestEndsBeforeTheInvocation(t *testing.T) {
	t.Parallel()
	f := setup(t)
	conn, err := pgx.Connect(t.Context(), f.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), `BEGIN; LOCK TABLE spans`); err != nil { // writers wait
		t.Fatal(err)
	}
	b := store.Pack(project, time.Now(), []trace.Span{span("a", trace.FormSpan)})
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	out, err := f.handler.Invoke(ctx, event(t, record(f.name+"-span-0", "m1", store.AppendBatch(nil, &b))))
	if err != nil || ctx.Err() != nil || string(out) != `{"batchItemFailures":[{"itemIdentifier":"m1"}]}` {
		t.Errorf("%s, %v, %v", out, err, ctx.Err())
	}
}

type object = map[string]any

// record is a message in an event.
func record(queue, id string, data []byte) object {
	return object{
		"messageId": id, "receiptHandle": "handle-" + id, "body": string(base64Of(wal.Seal(nil, data))), "attributes": object{"ApproximateReceiveCount": "1"},
		"messageAttributes": object{}, "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:" + queue, "awsRegion": "us-east-1",
	}
}

func base64Of(b []byte) []byte {
	raw, err := json.Marshal(b)
	if err != nil {
		panic(err)
	}
	return bytes.Trim(raw, `"`)
}

func event(t testing.TB, records ...object) []byte {
	t.Helper()
	raw, err := json.Marshal(object{"Records": records})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestForeignEvents(t *testing.T) {
	t.Parallel()
	f := setup(t)
	foreign := record("other-queue-0", "m1", nil)
	noARN := record(f.name+"-span-0", "m2", nil)
	delete(noARN, "eventSourceARN")
	dead := record(f.name+"-span-0-dlq", "m3", nil)
	got := map[string]bool{}
	out, err := f.handler.Invoke(t.Context(), event(t, foreign, noARN, dead))
	var report struct {
		BatchItemFailures []struct {
			ItemIdentifier string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err == nil {
		err = json.Unmarshal(out, &report)
	}
	for _, failure := range report.BatchItemFailures {
		got[failure.ItemIdentifier] = true
	}
	if err != nil || len(got) != 3 || !got["m1"] || !got["m2"] || !got["m3"] {
		t.Errorf("%s, %v, want all three reported", out, err)
	}
	for _, raw := range []string{`{"Records":[]}`, `{}`, `{"Records":null}`} {
		if out, err := f.handler.Invoke(t.Context(), []byte(raw)); err != nil || string(out) != `{"batchItemFailures":[]}` {
			t.Errorf("%s: %s, %v", raw, out, err)
		}
	}
	anonymous := record(f.name+"-span-0", "", nil)
	for _, raw := range []string{``, `x`, `[]`, `{"Records":{}}`, `{"Records":[1]}`, string(event(t, anonymous))} {
		if out, err := f.handler.Invoke(t.Context(), []byte(raw)); err == nil {
			t.Errorf("%s: %s and no error", raw, out)
		}
	}
}

func TestOnlySQSOnLambda(t *testing.T) {
	t.Parallel()
	cfg, _, err := config.Load([]string{"DATABASE_URL=postgres://127.0.0.1:1/x", "WAL_URL=file://" + t.TempDir()}, config.Defaults{Function: true, Needs: config.NeedLog, WorkDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	st, err := host.OpenPostgres(t.Context(), &cfg)
	if err != nil {
		t.Fatal(err)
	}
	deps, err := host.NewDeps(&cfg, slog.New(slog.DiscardHandler), st)
	if err != nil {
		t.Fatal(err)
	}
	defer deps.Close()
	if _, err := Function().Lambda(t.Context(), deps); err == nil || !strings.Contains(err.Error(), "SQS") {
		t.Errorf("%v, want an error that says that Lambda takes SQS alone", err)
	}
}

// FuzzRead: whatever the event, every message of it comes out once, or none.
func FuzzRead(f *testing.F) {
	f.Add(event(f, record("q-trace-0", "a", []byte("x")), record("q-span-1", "b", nil)))
	f.Add([]byte(`{"Records":[{"messageId":"a","messageAttributes":{"x":{"stringValue":"y"},"z":{"binaryValue":"AA=="}}}]}`))
	f.Add([]byte(`{"Records":null}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		queues, err := read(raw)
		var e struct{ Records []jsontext.Value }
		if lambda.Decode(raw, &e) != nil || err != nil {
			return
		}
		n := 0
		for queue, messages := range queues {
			if strings.Contains(queue, ":") {
				t.Errorf("queue %q", queue)
			}
			n += len(messages)
			for _, m := range messages {
				if m.ID == "" {
					t.Error("a message without an id")
				}
			}
		}
		if n != len(e.Records) {
			t.Errorf("%d messages of %d", n, len(e.Records))
		}
	})
}
