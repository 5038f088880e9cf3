package exploreapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/exploreapi"
	"github.com/pulse-traces/pulse/shared/pricebook"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/sqlite"
	"github.com/pulse-traces/pulse/shared/trace"
)

const (
	mine     account.ProjectID = "mine"
	theirs   account.ProjectID = "theirs"
	member   account.UserID    = "member"   // of mine
	stranger account.UserID    = "stranger" // member of theirs
	boss     account.UserID    = "boss"     // administrator of mine
)

// start is a full hour and a full day.
var start = time.Date(2026, 1, 25, 0, 0, 0, 0, time.UTC)

func minute(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }

func ptr[T any](v T) *T { return &v }

type server struct {
	db       *sqlite.DB
	handler  http.Handler
	deps     exploreapi.Deps
	barriers int // how often a read waited for writes
}

// setup is the group over a database of its own, at noon of start's day, two
// seconds behind.
func setup(t testing.TB) *server {
	t.Helper()
	ctx := t.Context()
	db, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "pulse.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(ctx, nil); err != nil {
		t.Fatal(err)
	}
	for user, project := range map[account.UserID]account.ProjectID{member: mine, stranger: theirs} {
		err := db.CreateUser(ctx, store.NewUser{
			User:         account.User{ID: user, Name: string(user), Email: string(user) + "@example.com", CreatedAt: start, UpdatedAt: start},
			CredentialID: "credential-of-" + string(user), PasswordHash: "x",
			Project: &store.NewProject{
				Project: account.Project{ID: project, Name: "p", CreatedAt: start},
				Key:     account.APIKey{ID: account.KeyID("id-" + project), ProjectID: project, Hash: "hash-" + string(project), Name: "k", CreatedAt: start},
				Member:  account.Membership{ID: "m-" + string(project), UserID: user, ProjectID: project, Role: account.RoleUser, CreatedAt: start},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	err = db.CreateUser(ctx, store.NewUser{
		User:         account.User{ID: boss, Name: "Boss", Email: "boss@example.com", CreatedAt: start, UpdatedAt: start},
		CredentialID: "credential-of-boss", PasswordHash: "x", Membership: &account.Membership{ID: "m-boss", UserID: boss, ProjectID: mine, Role: account.RoleAdmin, CreatedAt: start},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{db: db}
	s.serve(exploreapi.Deps{
		Traces: db, Trees: db, Counts: db, Explore: db, Sessions: db, Export: db, Delete: db, Projects: db, Keys: db, Explain: pricebook.New(db, pricebook.Options{}).Explain, Rejected: db, Barrier: func(context.Context) { s.barriers++ }, Now: func() time.Time { return start.Add(12 * time.Hour) },
		Lag: func(context.Context) (time.Duration, error) { return 2 * time.Second, nil },
	})
	return s
}

// serve answers from a group that is made of deps.
func (s *server) serve(deps exploreapi.Deps) {
	s.deps = deps
	s.handler = api.New(api.Options{Log: slog.New(slog.DiscardHandler), Sessions: sessions{}, Roles: s.db}, exploreapi.New(deps))
}

// sessions takes the cookie "session" for a user's id.
type sessions struct{}

func (sessions) CheckSession(r *http.Request) (*account.User, []*http.Cookie, error) {
	for _, c := range r.CookiesNamed("session") {
		return &account.User{ID: account.UserID(c.Value)}, nil, nil
	}
	return nil, nil, nil
}

func (s *server) write(t testing.TB, project account.ProjectID, spans ...trace.Span) {
	t.Helper()
	if _, err := s.db.WriteBatches(t.Context(), []store.Batch{store.Pack(project, start.Add(time.Hour), append([]trace.Span(nil), spans...))}); err != nil {
		t.Fatal(err)
	}
}

// call is a model call of /v1/traces.
func call(id string, at time.Time) trace.Span {
	return trace.Span{
		ID: trace.SpanID(id), TraceID: trace.TraceID(id), Form: trace.FormTrace, Start: at, Source: trace.SourceSDK, Kind: trace.KindLLMCall,
		EventType: "provider_call", Status: trace.StatusSuccess, Provider: ptr("openai"), Model: ptr("gpt-4o"), DurationMS: ptr(100.0),
	}
}

// step is a span that OpenTelemetry sent.
func step(id, parent, traceID string, at time.Time) trace.Span {
	return trace.Span{
		ID: trace.SpanID(id), ParentID: trace.SpanID(parent), TraceID: trace.TraceID(traceID), Form: trace.FormSpan, Start: at, Source: trace.SourceSDK,
		Kind: trace.KindChain, EventType: "chain", Status: trace.StatusSuccess, Name: "name of " + id, MappingVersion: 1, DurationMS: ptr(1000.0),
	}
}

// send asks as a user about a project.
func (s *server) send(t testing.TB, method, path string, user account.UserID, project account.ProjectID, body string) (int, http.Header, []byte) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "/dashboard/api/query"+path, bytes.NewReader([]byte(body)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Cookie", "session="+string(user))
	r.Header.Set("X-Project-Id", string(project))
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w.Code, w.Header(), w.Body.Bytes()
}

// ask is send by the member, with a value as body; the answer is read into out.
func (s *server) ask(t testing.TB, path string, in, out any) {
	t.Helper()
	method, body := http.MethodGet, []byte(nil)
	if in != nil {
		method = http.MethodPost
		var err error
		if body, err = json.Marshal(in); err != nil {
			t.Fatal(err)
		}
	}
	status, _, answer := s.send(t, method, path, member, mine, string(body))
	if status != http.StatusOK {
		t.Fatalf("%s %s %s: %d %s", method, path, body, status, answer)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		t.Fatalf("%s: %v: %s", path, err, answer)
	}
}

// request asks as whoever it is, about everything.
func (s *server) request(t testing.TB, method, path, user, project string) (int, []byte) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "/dashboard/api/query"+path, bytes.NewReader([]byte(`{"field":"name"}`)))
	r.Header.Set("Content-Type", "application/json")
	if user != "" {
		r.Header.Set("Cookie", "session="+user)
	}
	if project != "" {
		r.Header.Set("X-Project-Id", project)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w.Code, w.Body.Bytes()
}

// askText is ask with a body as it is sent.
func (s *server) askText(t testing.TB, path, body string, out any) {
	t.Helper()
	s.ask(t, path, json.RawMessage(body), out)
}

// object is a body.
type object map[string]any

// refused sends a body that has faults, and gives their paths.
func (s *server) refused(t testing.TB, path, body string) string {
	t.Helper()
	status, _, answer := s.send(t, http.MethodPost, path, member, mine, body)
	var e struct {
		Error   string
		Details []struct{ Path []any }
	}
	if err := json.Unmarshal(answer, &e); err != nil || status != http.StatusBadRequest {
		t.Fatalf("%s %s: %d %s", path, body, status, answer)
	}
	var paths []any
	for _, d := range e.Details {
		paths = append(paths, d.Path)
	}
	return fmt.Sprint(e.Error, ": ", paths)
}
