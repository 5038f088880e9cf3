package legacy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/authapi"
	"github.com/pulse-traces/pulse/shared/api/dashboardapi"
	"github.com/pulse-traces/pulse/shared/api/queryapi"
	"github.com/pulse-traces/pulse/shared/betterauth"
	"github.com/pulse-traces/pulse/shared/keyring"
	"github.com/pulse-traces/pulse/shared/store"
)

// TestAnswersAsBefore asks an upgraded database over HTTP all that the earlier
// service was asked, and compares.
func TestAnswersAsBefore(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			db, lines := f.engine.upgraded(t, f.restore(t))
			if told := strings.Join(lines, "\n"); !strings.Contains(told, "moved all ") || strings.Contains(told, "kept as they were") {
				t.Errorf("told: %s", told)
			}
			checkAnswers(t, db, f.truth(t))
		})
	}
}

// checkAnswers compares what db gives over HTTP with what the earlier service
// answered: everything that it said must be there and equal; more may be.
func checkAnswers(t *testing.T, db store.Store, want truth) {
	t.Helper()
	c := serve(t, db)
	for _, a := range want.Accounts {
		t.Run(a.Name, func(t *testing.T) {
			cookie := c.signIn(t, a.Email, want.Password)
			for _, header := range []string{"Cookie: " + cookie, "Cookie: " + a.SessionCookie} {
				// The earlier service gave projects in no order; now they come as they were made.
				same(t, "projects", byCreation(a.UserProjects), c.get(t, "/dashboard/api/projects", header))
				same(t, "api-keys", a.Keys, c.get(t, "/dashboard/api/api-keys", header, "X-Project-Id: "+a.Project))
				checkReads(t, c, "/dashboard/api", a, header, "X-Project-Id: "+a.Project)
			}
			checkReads(t, c, "/v1", a, "Authorization: Bearer "+a.Key)
		})
	}
}

func byCreation(projects any) any {
	rows := projects.(map[string]any)["projects"].([]any)
	slices.SortFunc(rows, func(a, b any) int {
		return strings.Compare(text(a.(map[string]any), "createdAt"), text(b.(map[string]any), "createdAt"))
	})
	return projects
}

func checkReads(t *testing.T, c *client, prefix string, a accountTruth, headers ...string) {
	t.Helper()
	const begin, end = "2025-12-01T00:00:00.000Z", "2026-12-31T23:59:59.999Z"
	same(t, "analytics", a.Analytics, c.get(t, prefix+"/analytics?date_from="+begin+"&date_to="+end, headers...))
	for _, l := range []struct {
		name, id string
		want     []map[string]any
		total    float64
	}{{"traces", "traceId", a.Traces.Traces, a.Traces.Total}, {"spans", "spanId", a.Spans.Spans, a.Spans.Total}} {
		got := c.get(t, prefix+"/"+l.name+"?limit=100", headers...).(map[string]any)
		rows := objects(got[l.name])
		if got["total"] != l.total || len(rows) != len(l.want) {
			t.Errorf("%s: %d of %v, want %d of %v", l.name, len(rows), got["total"], len(l.want), l.total)
		}
		// Rows of one time have no order that could be compared.
		if !slices.IsSortedFunc(rows, func(a, b map[string]any) int { return strings.Compare(text(b, "timestamp"), text(a, "timestamp")) }) {
			t.Errorf("%s are not newest first", l.name)
		}
		byID := map[string]map[string]any{}
		for _, row := range rows {
			byID[text(row, l.id)] = row
		}
		sessions := map[string][]map[string]any{}
		for _, want := range l.want {
			id := text(want, l.id)
			same(t, l.name+" "+id, want, byID[id])
			same(t, "one of "+l.name+" "+id, want, c.get(t, prefix+"/"+l.name+"/"+id, headers...))
			session := text(want, "sessionId")
			sessions[session] = append(sessions[session], want)
		}
		for _, session := range slices.Sorted(maps.Keys(sessions)) {
			path := prefix + "/sessions/" + url.PathEscape(session)
			if l.name == "spans" {
				path += "/spans"
			} else if session == "" {
				continue
			}
			checkSession(t, path, l.id, sessions[session], objects(c.get(t, path, headers...).(map[string]any)[l.name]))
		}
	}
}

// checkSession compares a session's rows with those of the list, which were all
// of them.
func checkSession(t *testing.T, path, id string, want, got []map[string]any) {
	t.Helper()
	order := func(a, b map[string]any) int {
		if c := strings.Compare(text(a, "timestamp"), text(b, "timestamp")); c != 0 {
			return c
		}
		return strings.Compare(text(a, id), text(b, id))
	}
	slices.SortFunc(want, order)
	if len(got) != len(want) {
		t.Errorf("%s: %d rows, want %d", path, len(got), len(want))
		return
	}
	for i := range want {
		same(t, fmt.Sprint(path, " row ", i), want[i], got[i])
	}
}

func objects(v any) []map[string]any {
	var out []map[string]any
	rows, _ := v.([]any)
	for _, row := range rows {
		out = append(out, row.(map[string]any))
	}
	return out
}

func text(row map[string]any, name string) string {
	s, _ := row[name].(string)
	return s
}

// same reports where got lacks or contradicts want. Objects may have more
// members; numbers may differ by what sums of doubles do.
func same(t *testing.T, where string, want, got any) {
	t.Helper()
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			t.Errorf("%s: got %T, want an object", where, got)
			return
		}
		for _, name := range slices.Sorted(maps.Keys(w)) {
			v, ok := g[name]
			if !ok {
				t.Errorf("%s.%s is missing", where, name)
				continue
			}
			same(t, where+"."+name, w[name], v)
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			t.Errorf("%s: got %v, want %d items", where, got, len(w))
			return
		}
		for i := range w {
			same(t, fmt.Sprintf("%s[%d]", where, i), w[i], g[i])
		}
	case float64:
		if g, ok := got.(float64); !ok || math.Abs(g-w) > 1e-9*max(1, math.Abs(w)) {
			t.Errorf("%s: got %v, want %v", where, got, w)
		}
	default:
		if got != want {
			t.Errorf("%s: got %v, want %v", where, got, want)
		}
	}
}

// client talks to the routes over one store.
type client struct{ url string }

func serve(t *testing.T, db store.Store) *client {
	t.Helper()
	now := func() time.Time { return then }
	log := slog.New(slog.DiscardHandler)
	sealer, err := account.NewSealer(oldEncryptionKey)
	if err != nil {
		t.Fatal(err)
	}
	auth, err := betterauth.New(db, db, betterauth.Options{BaseURL: "http://localhost:3000", Secret: oldSecret, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	ring := keyring.New(db, keyring.Options{Now: now})
	reads := queryapi.Deps{Traces: db, Spans: db, Analytics: db, Sessions: db, Keys: ring}
	srv := httptest.NewServer(api.New(api.Options{Log: log, Keys: ring, Sessions: auth, Roles: db},
		authapi.New(authapi.Deps{Auth: auth, Log: log}),
		dashboardapi.New(dashboardapi.Deps{
			Users: db, Projects: db, Keys: db, Ring: ring, Auth: auth, SignUp: dashboardapi.SignUpClosed,
			Sealer: sealer, Now: now,
		}),
		queryapi.New(reads), queryapi.NewDashboard(reads)))
	t.Cleanup(srv.Close)
	return &client{srv.URL}
}

func (c *client) do(t *testing.T, method, path string, body []byte, headers ...string) (any, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, c.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(content, &v); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %d %.500s", method, path, answer.StatusCode, content)
	}
	return v, answer.Header
}

func (c *client) get(t *testing.T, path string, headers ...string) any {
	t.Helper()
	v, _ := c.do(t, http.MethodGet, path, nil, headers...)
	return v
}

// signIn gives the cookie of a new session.
func (c *client) signIn(t *testing.T, email, password string) string {
	t.Helper()
	body, err := json.Marshal(map[string]string{"email": email, "password": password})
	if err != nil {
		t.Fatal(err)
	}
	v, header := c.do(t, http.MethodPost, "/api/auth/sign-in/email", body, "Content-Type: application/json")
	same(t, "sign-in", map[string]any{"user": map[string]any{"email": email}}, v)
	cookie, _, _ := strings.Cut(header.Get("Set-Cookie"), ";")
	return cookie
}

// TestUpgradeIsWhole looks behind the answers.
func TestUpgradeIsWhole(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			address := f.restore(t)
			db, _ := f.engine.upgraded(t, address)
			checkWhole(t, f.engine, db, address)

			// What is upgraded stays as it is.
			var lines []string
			if err := db.Migrate(t.Context(), func(line string) { lines = append(lines, line) }); err != nil || len(lines) > 0 {
				t.Errorf("the second time: %v, %q", err, lines)
			}
		})
	}
}

// checkWhole checks that nothing of the earlier service is left and that the
// roll-ups are what a count of all spans gives.
func checkWhole(t *testing.T, e engine, db store.Store, address string) {
	t.Helper()
	tables := `SELECT count(*) FROM sqlite_schema WHERE name LIKE 'legacy%'`
	if e.name == "postgres" {
		tables = `SELECT count(*) FROM pg_class WHERE relname LIKE 'legacy%'`
	}
	if n := one[int](t, e, address, tables); n != 0 {
		t.Errorf("%d legacy tables or indexes are left", n)
	}
	for _, p := range projectsOf(t, e, address) {
		if n, err := db.Recount(context.WithoutCancel(t.Context()), p, false); err != nil || n != 0 {
			t.Errorf("project %s: %d rows differ from a recount: %v", p, n, err)
		}
	}
}

func projectsOf(t testing.TB, e engine, address string) []account.ProjectID {
	t.Helper()
	rows, err := e.raw(t, address).QueryContext(t.Context(), `SELECT id FROM projects ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []account.ProjectID
	for rows.Next() {
		var id account.ProjectID
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		out = append(out, id)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
