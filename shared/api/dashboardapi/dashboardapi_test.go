package dashboardapi_test

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/dashboardapi"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/betterauth"
	"github.com/pulse-traces/pulse/shared/keyring"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/sqlite"
)

const password = "password123"

// fixture is a control plane on a database of its own.
type fixture struct {
	db      *sqlite.DB
	auth    *betterauth.Service
	handler http.Handler
	url     string

	mu  sync.Mutex
	now time.Time
}

func (f *fixture) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fixture) advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

// options are what tests change of a usual deployment.
type options struct {
	signUp     dashboardapi.SignUp
	sealKey    string // ENCRYPTION_KEY; "" keeps hashes only
	limits     betterauth.Limits
	noLocal    bool
	db         *sqlite.DB // of an earlier fixture, for a restart
	allOrigins []string
	retention  int
	publicURL  string
	log        *slog.Logger
}

var sealKey = strings.Repeat("k", 32)

func setup(t *testing.T, change ...func(*options)) *fixture {
	t.Helper()
	o := options{signUp: dashboardapi.SignUpOpen, sealKey: sealKey}
	for _, c := range change {
		c(&o)
	}
	f := &fixture{db: o.db, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	if f.db == nil {
		db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "pulse.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		if err := db.Migrate(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		f.db = db
	}
	var sealer *account.Sealer
	if o.sealKey != "" {
		s, err := account.NewSealer(o.sealKey)
		if err != nil {
			t.Fatal(err)
		}
		sealer = s
	}
	auth, err := betterauth.New(f.db, f.db, betterauth.Options{
		BaseURL: "http://localhost:3000", Secret: strings.Repeat("s", 32), Limits: o.limits, Now: f.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.auth = auth
	ring := keyring.New(f.db, keyring.Options{Now: f.clock})
	g := dashboardapi.New(dashboardapi.Deps{
		Users: f.db, Projects: f.db, Control: f.db, Keys: f.db, RetentionDays: o.retention, PublicURL: o.publicURL, Ring: ring, Auth: auth, SignUp: o.signUp, Sealer: sealer, LocalLogin: !o.noLocal, Now: f.clock,
	})
	f.handler = api.New(api.Options{
		Log: cmp.Or(o.log, slog.New(slog.DiscardHandler)), Keys: ring, Sessions: auth, Roles: f.db, AllowedOrigins: o.allOrigins,
	}, g, dataRoutes{})
	srv := httptest.NewServer(f.handler)
	t.Cleanup(srv.Close)
	f.url = srv.URL
	return f
}

// dataRoutes stand for the groups that are mounted beside this one.
type dataRoutes struct{}

func (dataRoutes) Routes() []api.Route {
	project := func(w http.ResponseWriter, r *http.Request) error {
		return api.WriteJSON(w, http.StatusOK, map[string]string{"project": string(reqctx.Project(r.Context()))})
	}
	return []api.Route{
		{Method: "GET", Pattern: "/v1/traces", Auth: api.AuthKey, Handler: project},
		{Method: "GET", Pattern: "/dashboard/api/traces", Auth: api.AuthProject, Handler: project},
	}
}

// person is somebody signed in, with a project of his own.
type person struct {
	user    account.User
	project account.ProjectID
	key     string // the project's first key
	keyID   account.KeyID
	cookie  string
}

// passwordHash is made once: each takes a fifth of a second.
var passwordHash = sync.OnceValues(func() (string, error) {
	s, err := betterauth.New(nil, nil, betterauth.Options{BaseURL: "http://localhost", Secret: strings.Repeat("s", 32)})
	if err != nil {
		return "", err
	}
	return s.HashPassword(context.Background(), password)
})

func (f *fixture) person(t *testing.T, name string) person {
	t.Helper()
	hash, err := passwordHash()
	if err != nil {
		t.Fatal(err)
	}
	now := f.clock()
	p := person{key: account.MintKey(), project: account.ProjectID(uuid.NewString()), keyID: account.KeyID(uuid.NewString())}
	p.user = account.User{
		ID: account.UserID(betterauth.NewID()), Name: name, Email: strings.ToLower(name) + "@example.com", CreatedAt: now, UpdatedAt: now,
	}
	sealer, err := account.NewSealer(sealKey)
	if err != nil {
		t.Fatal(err)
	}
	err = f.db.CreateUser(t.Context(), store.NewUser{
		User: p.user, CredentialID: betterauth.NewID(), PasswordHash: hash,
		Project: &store.NewProject{
			Project: account.Project{ID: p.project, Name: name + "'s", CreatedAt: now},
			Key:     account.APIKey{ID: p.keyID, ProjectID: p.project, Hash: account.HashKey(p.key), Sealed: sealer.Seal(p.key), Name: "Default Key", CreatedAt: now},
			Member:  account.Membership{ID: uuid.NewString(), UserID: p.user.ID, ProjectID: p.project, Role: account.RoleAdmin, CreatedAt: now},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.auth.CreateSession(t.Context(), p.user.ID, betterauth.Client{}, true)
	if err != nil {
		t.Fatal(err)
	}
	p.cookie = "better-auth.session_token=" + f.auth.SignCookie(s.Token)
	return p
}

// join makes p a member of another's project.
func (f *fixture) join(t *testing.T, p person, project account.ProjectID, role account.Role) {
	t.Helper()
	f.advance(time.Second)
	m := account.Membership{ID: uuid.NewString(), UserID: p.user.ID, ProjectID: project, Role: role, CreatedAt: f.clock()}
	if err := f.db.AddMember(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

// call is one request. The zero header set is JSON without a session.
type call struct {
	method, path string
	body         string
	cookie       string
	project      account.ProjectID
	header       map[string]string
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (f *fixture) do(t *testing.T, c call) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), c.method, f.url+c.path, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	c.fill(req)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

func (c call) fill(req *http.Request) {
	req.Header.Set("Content-Type", "application/json")
	if c.cookie != "" {
		req.Header.Set("Cookie", c.cookie)
	}
	if c.project != "" {
		req.Header.Set("X-Project-Id", string(c.project))
	}
	for name, value := range c.header {
		if name == "Host" {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
}

// as fills in a person's session and project.
func (c call) as(p person) call {
	c.cookie = p.cookie
	if c.project == "" {
		c.project = p.project
	}
	return c
}

func (a answer) is(t *testing.T, status int, body string) {
	t.Helper()
	if a.status != status || a.body != body {
		t.Errorf("got %d %s\nwant %d %s", a.status, a.body, status, body)
	}
}

// isError compares the message only; details are not part of the contract.
func (a answer) isError(t *testing.T, status int, message string) {
	t.Helper()
	var e struct{ Error string }
	if err := json.Unmarshal([]byte(a.body), &e); err != nil || a.status != status || e.Error != message {
		t.Errorf("got %d %s\nwant %d %q", a.status, a.body, status, message)
	}
	if a.header.Get("Content-Type") != "application/json" {
		t.Errorf("Content-Type %q", a.header.Get("Content-Type"))
	}
}

func decode[T any](t *testing.T, a answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return v
}
