package migrator

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/host"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/testkit"
	"github.com/pulse-traces/pulse/shared/testkit/serverless"
	"github.com/pulse-traces/pulse/shared/trace"
)

// setup makes the function over a database.
func setup(t *testing.T, databaseURL string, env ...string) (*eventHandler, *host.Deps) {
	t.Helper()
	fn := Function()
	cfg, _, err := config.Load(append([]string{"DATABASE_URL=" + databaseURL}, env...),
		config.Defaults{Function: true, Needs: fn.Needs, WorkDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
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
	h, err := newEventHandler(t.Context(), deps)
	if err != nil {
		t.Fatal(err)
	}
	return h.(*eventHandler), deps
}

const nowhere = "postgres://x:y@127.0.0.1:1/x?sslmode=disable"

func TestInvokedByHand(t *testing.T) {
	t.Parallel()
	h, deps := setup(t, testkit.Postgres(t), "RETENTION_DAYS=30")
	ctx := t.Context()
	for _, raw := range []string{`{}`, `{"action":"migrate"}`, `{"action":"","other":1}`} { // the second and third have nothing to do
		if out, err := h.Invoke(ctx, []byte(raw)); err != nil || string(out) != `{"status":"ok"}` {
			t.Fatalf("%s: %s, %v", raw, out, err)
		}
	}
	if err := deps.Store.Ping(ctx); err != nil {
		t.Errorf("the database is not ready: %v", err)
	}
	ended := time.Now().Add(-time.Hour).UTC().Truncate(time.Millisecond)
	user := account.User{ID: "user", Name: "u", Email: "u@example.com", CreatedAt: ended, UpdatedAt: ended}
	if err := deps.Store.CreateUser(ctx, store.NewUser{User: user, CredentialID: "c", PasswordHash: "x"}); err != nil {
		t.Fatal(err)
	}
	if err := deps.Store.CreateSession(ctx, account.Session{ID: "s", Token: "t", UserID: "user", ExpiresAt: ended, CreatedAt: ended, UpdatedAt: ended}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`{"status":"ok","removed":{"spans":0,"sessions":1}}`, `{"status":"ok","removed":{"spans":0,"sessions":0}}`} {
		if out, err := h.Invoke(ctx, []byte(`{"action":"maintain"}`)); err != nil || string(out) != want {
			t.Errorf("maintain: %s, %v, want %s", out, err, want)
		}
	}
	for _, raw := range []string{``, `x`, `[]`, `"migrate"`, `{"action":"drop"}`, `{"action":1}`} {
		if out, err := h.Invoke(ctx, []byte(raw)); err == nil {
			t.Errorf("%s: %s and no error", raw, out)
		}
	}
}

// TestMaintainsProjects is about projects that keep less than the server does,
// and one that was deleted by somebody who did not wait for the end.
func TestMaintainsProjects(t *testing.T) {
	t.Parallel()
	h, deps := setup(t, testkit.Postgres(t), "RETENTION_DAYS=30")
	ctx, now := t.Context(), time.Now().UTC().Truncate(time.Millisecond)
	if _, err := h.Invoke(ctx, []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	user := account.User{ID: "user", Name: "u", Email: "u@example.com", CreatedAt: now, UpdatedAt: now}
	if err := deps.Store.CreateUser(ctx, store.NewUser{User: user, CredentialID: "c", PasswordHash: "x"}); err != nil {
		t.Fatal(err)
	}
	var batches []store.Batch
	for _, name := range []string{"short", "long", "all", "gone"} {
		id := account.ProjectID(name)
		err := deps.Store.CreateProject(ctx, store.NewProject{
			Project: account.Project{ID: id, Name: name, CreatedAt: now},
			Key:     account.APIKey{ID: account.KeyID(name), ProjectID: id, Hash: name, CreatedAt: now},
			Member:  account.Membership{ID: name, UserID: "user", ProjectID: id, Role: account.RoleAdmin, CreatedAt: now},
		})
		if err != nil {
			t.Fatal(err)
		}
		var spans []trace.Span
		for _, days := range []int{0, 5, 40} {
			spans = append(spans, trace.Span{
				ID: trace.SpanID(fmt.Sprint(days)), Form: trace.FormSpan, Start: now.AddDate(0, 0, -days), Source: trace.SourceSDK, Kind: trace.KindToolUse, Status: trace.StatusSuccess,
			})
		}
		batches = append(batches, store.Pack(id, now, spans))
	}
	if _, err := deps.Store.WriteBatches(ctx, batches); err != nil {
		t.Fatal(err)
	}
	for project, days := range map[account.ProjectID]int{"short": 2, "long": 50} {
		if err := deps.Store.PutSettings(ctx, project, store.Settings{Name: "p", RetentionDays: days}, now); err != nil {
			t.Fatal(err)
		}
	}
	if err := deps.Store.RemoveProject(ctx, "gone", "user", now); err != nil {
		t.Fatal(err)
	}
	const want = `{"status":"ok","removed":{"spans":7,"sessions":0}}` // 2 of short, 1 each of long and all, 3 of gone
	if out, err := h.Invoke(ctx, []byte(`{"action":"maintain"}`)); err != nil || string(out) != want {
		t.Errorf("%s, %v, want %s", out, err, want)
	}
	for project, left := range map[account.ProjectID]int64{"short": 1, "long": 2, "all": 2} {
		list, err := deps.Store.ListSpans(ctx, project, store.SpanFilter{}, store.Page{Limit: 10})
		if err != nil || list.Total != left {
			t.Errorf("%s has %d spans, %v, want %d", project, list.Total, err, left)
		}
	}
}

func TestFailsAloud(t *testing.T) {
	t.Parallel()
	h, _ := setup(t, nowhere)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	for _, action := range []string{"migrate", "maintain"} {
		if out, err := h.Invoke(ctx, []byte(`{"action":"`+action+`"}`)); err == nil {
			t.Errorf("%s: %s without a database", action, out)
		}
	}
}

// cloudFormation takes answers, after a number of failures.
type cloudFormation struct {
	url string

	mu       sync.Mutex
	failures int
	answers  []map[string]any
}

func newCloudFormation(t *testing.T, h *eventHandler, failures int) *cloudFormation {
	c := &cloudFormation{failures: failures}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		body, err := io.ReadAll(r.Body)
		var answer map[string]any
		if err == nil {
			err = json.Unmarshal(body, &answer)
		}
		// S3 checks a signature that was made without a type.
		if err != nil || r.Method != http.MethodPut || r.Header.Get("Content-Type") != "" || r.URL.Query().Get("Signature") != "a/b+c" || len(body) > 4096 {
			t.Errorf("%s %s with type %q and %d bytes, %v", r.Method, r.URL, r.Header.Get("Content-Type"), len(body), err)
		}
		if c.failures > 0 {
			c.failures--
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		c.answers = append(c.answers, answer)
	}))
	t.Cleanup(server.Close)
	h.client = server.Client()
	c.url = server.URL + "/bucket/key?Signature=a%2Fb%2Bc"
	return c
}

func (c *cloudFormation) request(kind string, more string) []byte {
	return fmt.Appendf(nil, `{"RequestType":%q,"ResponseURL":%q,"StackId":"arn:stack","RequestId":"r1","LogicalResourceId":"Migration",`+
		`"ResourceType":"Custom::Migration","ResourceProperties":{"ServiceToken":"arn:x","Version":"1"}%s}`, kind, c.url, more)
}

func TestCustomResource(t *testing.T) {
	t.Parallel()
	h, deps := setup(t, testkit.Postgres(t))
	c := newCloudFormation(t, h, 1)
	const same = `,"PhysicalResourceId":"an-older-id"`
	for _, request := range [][]byte{c.request("Create", ""), c.request("Update", same), c.request("Delete", same)} {
		if _, err := h.Invoke(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
	want := func(id string) map[string]any {
		return map[string]any{"Status": "SUCCESS", "RequestId": "r1", "LogicalResourceId": "Migration", "StackId": "arn:stack", "PhysicalResourceId": id}
	}
	if diff := cmp.Diff([]map[string]any{want("pulse-database"), want("an-older-id"), want("an-older-id")}, c.answers); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if err := deps.Store.Ping(t.Context()); err != nil {
		t.Errorf("the database is not there after a deletion: %v", err)
	}
}

// TestCustomResourceIsRolledBack: an update back to an older program must not
// fail, since CloudFormation has nowhere else to go. A new stack is told.
func TestCustomResourceIsRolledBack(t *testing.T) {
	t.Parallel()
	database := testkit.Postgres(t)
	h, _ := setup(t, database)
	c := newCloudFormation(t, h, 0)
	if _, err := h.Invoke(t.Context(), []byte(`{"action":"migrate"}`)); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)`); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"Update", "Create"} {
		if _, err := h.Invoke(t.Context(), c.request(kind, "")); err != nil {
			t.Fatal(err)
		}
	}
	if c.answers[0]["Status"] != "SUCCESS" || c.answers[1]["Status"] != "FAILED" || !strings.Contains(fmt.Sprint(c.answers[1]["Reason"]), "newer program") {
		t.Errorf("answers %v", c.answers)
	}
}

// TestCustomResourceFails: a deployment learns why, before it hangs.
func TestCustomResourceFails(t *testing.T) {
	t.Parallel()
	h, _ := setup(t, nowhere)
	c := newCloudFormation(t, h, 0)
	ctx, cancel := context.WithTimeout(t.Context(), answerReserve+2*time.Second)
	defer cancel()
	if _, err := h.Invoke(ctx, c.request("Create", "")); err != nil {
		t.Fatal(err)
	}
	if len(c.answers) != 1 || c.answers[0]["Status"] != "FAILED" || !strings.Contains(fmt.Sprint(c.answers[0]["Reason"]), "not enough time") || c.answers[0]["PhysicalResourceId"] == "" {
		t.Errorf("answers %v", c.answers)
	}
	// To delete nothing needs no database.
	if _, err := h.Invoke(t.Context(), c.request("Delete", "")); err != nil || len(c.answers) != 2 || c.answers[1]["Status"] != "SUCCESS" {
		t.Errorf("answers %v, %v", c.answers, err)
	}
}

func TestCustomResourceRefuses(t *testing.T) {
	t.Parallel()
	h, _ := setup(t, nowhere)
	c := newCloudFormation(t, h, 1000)
	good := string(c.request("Delete", ""))
	for name, raw := range map[string]string{
		"NoURL":    strings.Replace(good, `"ResponseURL"`, `"x"`, 1),
		"PlainURL": strings.Replace(good, "https://", "http://", 1),
		"NoStack":  strings.Replace(good, `"StackId"`, `"x"`, 1),
		"Type":     string(c.request("Destroy", "")),
		"TypeKind": `{"RequestType":5}`,
		"Unheard":  good, // the server never takes the answer
	} {
		out, err := h.Invoke(t.Context(), []byte(raw))
		if err == nil || strings.Contains(err.Error(), "Signature") {
			t.Errorf("%s: %s, %v", name, out, err)
		}
	}
	if len(c.answers) > 0 {
		t.Errorf("answers %v", c.answers)
	}
}

// TestMakesQueues runs the container's part where queues are to be made.
func TestMakesQueues(t *testing.T) {
	t.Parallel()
	endpoint, name := testkit.SQS(t), "migrate-"+uuid.NewString()[:8]
	prefix := endpoint + "/" + testkit.AccountID + "/" + name
	_, deps := setup(t, testkit.Postgres(t), "SQS_CREATE_QUEUES=on", "SQS_ENDPOINT="+endpoint, "TRACE_WAL_PARTITIONS=2", "SPAN_WAL_PARTITIONS=1",
		"TRACE_QUEUE_URL_PREFIX="+prefix+"-trace-", "SPAN_QUEUE_URL_PREFIX="+prefix+"-span-",
		"AWS_REGION="+testkit.Region, "AWS_ACCESS_KEY_ID="+testkit.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+testkit.SecretAccessKey)
	for range 2 { // the second time they are there
		if err := Function().Container(t.Context(), deps, nil); err != nil {
			t.Fatal(err)
		}
	}
	out, err := serverless.NewClient(endpoint).ListQueues(t.Context(), &sqs.ListQueuesInput{QueueNamePrefix: &name})
	if err != nil || len(out.QueueUrls) != 6 {
		t.Errorf("queues %v, %v, want three and their dead letters", out, err)
	}
}

// FuzzEvent: whatever the event, it is refused or served, and only the answer to
// CloudFormation goes anywhere.
func FuzzEvent(f *testing.F) {
	f.Add([]byte(`{"RequestType":"Delete","ResponseURL":"https://127.0.0.1:1/x","StackId":"s","RequestId":"r","LogicalResourceId":"l"}`))
	f.Add([]byte(`{"action":"migrate"}`))
	f.Add([]byte(`{"RequestType":null,"action":"x"}`))
	cfg, _, err := config.Load([]string{"DATABASE_URL=" + nowhere}, config.Defaults{Function: true, WorkDir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	st, err := host.OpenPostgres(f.Context(), &cfg)
	if err != nil {
		f.Fatal(err)
	}
	deps, err := host.NewDeps(&cfg, slog.New(slog.DiscardHandler), st)
	if err != nil {
		f.Fatal(err)
	}
	made, err := newEventHandler(f.Context(), deps)
	if err != nil {
		f.Fatal(err)
	}
	h := made.(*eventHandler)
	h.client = &http.Client{Transport: offline{}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // no time for a database
		if out, err := h.Invoke(ctx, raw); err == nil && !json.Valid(out) {
			t.Errorf("%s", out)
		}
	})
}

// offline takes what is sent by https and answers.
type offline struct{}

func (offline) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" || r.Method != http.MethodPut {
		panic("a request to " + r.URL.Scheme)
	}
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
}
