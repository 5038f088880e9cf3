package authapi_test

import (
	"database/sql"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/authapi"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/betterauth"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/sqlite"
	"github.com/pulse-traces/pulse/shared/testkit"
)

const (
	baseURL    = "http://localhost:3000"
	appOrigin  = "https://app.example.com"
	secret     = "0123456789abcdef0123456789abcdef0123456789abcdef"
	password   = "password123"
	cookieName = "better-auth.session_token"
	// storedHash is what the library made of password; see its vectors.
	storedHash = "000102030405060708090a0b0c0d0e0f:eedf8cd62212c4ef27d18a5f1f23f875e2571a8d6bc3cea577255d2cfe8729d8d4646badd72958bccbc96ef736af3a9cc0a4735cee8541bee27d392aeafffc3c"
)

// fixture is a server on a database of its own, with two users.
type fixture struct {
	t        *testing.T
	server   *httptest.Server
	db       *sqlite.DB
	path     string // of the database
	auth     *betterauth.Service
	ann, bob account.User
	log      *testkit.Buffer

	mu sync.Mutex
	at time.Time
}

// start is when fixtures begin: with microseconds, so that cutting them shows.
var start = time.Date(2026, 11, 22, 19, 36, 22, 222_789_000, time.UTC)

func setup(t *testing.T, change ...func(*betterauth.Options)) *fixture {
	t.Helper()
	f := &fixture{t: t, path: filepath.Join(t.TempDir(), "pulse.db"), at: start, log: &testkit.Buffer{}}
	ctx := t.Context()
	db, err := sqlite.Open(ctx, f.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(ctx, func(string) {}); err != nil {
		t.Fatal(err)
	}
	f.db = db
	options := betterauth.Options{BaseURL: baseURL, Secret: secret, TrustedOrigins: []string{appOrigin}, Now: f.now}
	for _, c := range change {
		c(&options)
	}
	if f.auth, err = betterauth.New(db, db, options); err != nil {
		t.Fatal(err)
	}
	f.ann, f.bob = f.addUser("Ann Admin", "ann@example.com"), f.addUser("Bob", "bob@example.com")
	log := slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	f.server = httptest.NewServer(api.New(api.Options{Log: log, Sessions: f.auth, AllowedOrigins: []string{appOrigin}},
		authapi.New(authapi.Deps{Auth: f.auth, Log: log}), guarded{}))
	t.Cleanup(f.server.Close)
	return f
}

// guarded is a route of another group, behind the edge's session guard.
type guarded struct{}

func (guarded) Routes() []api.Route {
	return []api.Route{{
		Method: http.MethodGet, Pattern: "/dashboard/api/probe", Auth: api.AuthSession,
		Handler: func(w http.ResponseWriter, r *http.Request) error {
			return api.WriteJSON(w, http.StatusOK, reqctx.User(r.Context()).Email)
		},
	}}
}

// exec changes the database behind the store's back, to what an older server
// or damage may have left in it.
func (f *fixture) exec(statement string, args ...any) {
	f.t.Helper()
	db, err := sql.Open("sqlite", f.path)
	if err != nil {
		f.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(f.t.Context(), statement, args...); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) addUser(name, email string) account.User {
	f.t.Helper()
	now := start.Truncate(time.Millisecond)
	u := account.User{ID: account.UserID(betterauth.NewID()), Name: name, Email: email, CreatedAt: now, UpdatedAt: now}
	if err := f.db.CreateUser(f.t.Context(), store.NewUser{User: u, CredentialID: betterauth.NewID(), PasswordHash: storedHash}); err != nil {
		f.t.Fatal(err)
	}
	return u
}

func (f *fixture) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

func (f *fixture) forward(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = f.at.Add(d)
}

// signIn makes a session and gives it with its cookie.
func (f *fixture) signIn(u account.User) (account.Session, string) {
	f.t.Helper()
	s, err := f.auth.CreateSession(f.t.Context(), u.ID, betterauth.Client{IP: "2001:db8:1:2:3:4:5:6", UserAgent: "probe/1"}, true)
	if err != nil {
		f.t.Fatal(err)
	}
	return s, cookieName + "=" + f.auth.SignCookie(s.Token)
}

// request is what a test sends. A JSON body gets its content type by itself, a
// cookie the Origin that it needs.
type request struct {
	method, path, body string
	cookie             string
	headers            map[string]string
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) cookies() []string { return a.header.Values("Set-Cookie") }

func (f *fixture) do(q request) answer {
	f.t.Helper()
	var body io.Reader
	if q.body != "" {
		body = strings.NewReader(q.body)
	}
	prefix := "/api/auth"
	if strings.HasPrefix(q.path, "/dashboard/") {
		prefix = ""
	}
	r, err := http.NewRequestWithContext(f.t.Context(), q.method, f.server.URL+prefix+q.path, body)
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("User-Agent", "probe/1")
	if strings.HasPrefix(q.body, "{") || strings.HasPrefix(q.body, "[") || q.body == "null" {
		r.Header.Set("Content-Type", "application/json")
	}
	if q.cookie != "" {
		r.Header.Set("Cookie", q.cookie)
		r.Header.Set("Origin", baseURL)
	}
	for k, v := range q.headers {
		r.Header.Del(k)
		if v != "" {
			r.Header.Set(k, v)
		}
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return answer{status: res.StatusCode, header: res.Header, body: string(raw)}
}
