package apitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/api"
)

// tenant is a project with records whose ids other tenants use too, and one
// record whose ids and texts only it has.
type tenant struct {
	person
	secret string // in every text of the tenant's own records
	keyID  string
	price  string // the id of one that only it has; of another one every tenant has its own
	view   string // the id of a saved view
	invite string // the id of an invite
}

// sharedID is the id of a trace that every tenant stores, with its own content.
const sharedID = "5d0f3c9e-7c4b-4c0e-9b55-0d7f4f1f6a01"

// sharedPrice is a price for the same calls in every tenant, under the same id.
const sharedPrice = `{"model":"shared-model","prices":{"input":1}}`

func (s *suite) newTenant(t *testing.T) tenant {
	t.Helper()
	n := tenant{person: s.signUp(t), secret: "secret-" + uuid.NewString()}
	trace := func(id, session string) string {
		return fmt.Sprintf(`{"trace_id":%q,"timestamp":"2026-01-25T12:00:00Z","provider":%q,"model_requested":%[2]q,"request_body":{"q":%[2]q},`+
			`"status":"success","latency_ms":1,"output_text":%[2]q,"session_id":%[3]q,"metadata":{"m":%[2]q}}`, id, n.secret, session)
	}
	span := func(id, session string) string {
		return fmt.Sprintf(`{"span_id":%q,"trace_id":"shared-agent","session_id":%q,"timestamp":"2026-01-25T12:00:01Z","source":"codex","kind":"tool_use",`+
			`"event_type":"post_tool_use","status":"success","tool_name":%q,"service":%[3]q,"cwd":%[3]q,"tool_input":{"i":%[3]q}}`, id, session, n.secret)
	}
	own := n.ownID()
	s.want(t, n.person, http.MethodPost, "/v1/traces/batch", "["+trace(sharedID, "shared-session")+","+trace(own, n.secret)+"]", http.StatusAccepted, nil)
	s.want(t, n.person, http.MethodPost, "/v1/spans/batch", "["+span("shared-span", "shared-spans")+","+span(own, n.secret)+"]", http.StatusAccepted, nil)
	var keys struct{ Keys []struct{ ID string } }
	s.want(t, n.person, http.MethodGet, "/dashboard/api/api-keys", "", http.StatusOK, &keys)
	n.keyID = keys.Keys[0].ID
	var price struct{ ID string }
	s.want(t, n.person, http.MethodPost, "/v1/prices", fmt.Sprintf(`{"model":%q,"prices":{"input":1}}`, n.secret), http.StatusCreated, &price)
	n.price = price.ID
	s.want(t, n.person, http.MethodPost, "/v1/prices", sharedPrice, http.StatusCreated, nil)
	var made struct{ ID string }
	s.want(t, n.person, http.MethodPost, "/dashboard/api/views", fmt.Sprintf(`{"name":%q,"page":"traces","query":%[1]q,"shared":true}`, n.secret), http.StatusCreated, &made)
	n.view = made.ID
	s.want(t, n.person, http.MethodPost, "/dashboard/api/invites", fmt.Sprintf(`{"role":"admin","email":"%s@example.com"}`, n.secret), http.StatusCreated, &made)
	n.invite = made.ID
	return n
}

// ownID is the id of the trace and the span that only n has.
func (n tenant) ownID() string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte(n.secret)).String()
}

// names are what must never reach anybody else.
func (n tenant) names() []string {
	return []string{n.secret, n.ownID(), n.project, n.key, n.keyID, n.price, n.view, n.invite, n.email}
}

// state is all that n's own members can read.
func (s *suite) state(t *testing.T, n tenant) string {
	t.Helper()
	var b strings.Builder
	for _, path := range []string{
		"/v1/traces", "/v1/spans", "/v1/traces/" + sharedID, "/v1/spans/shared-span", "/v1/sessions/shared-session", "/v1/sessions/shared-spans/spans",
		"/v1/analytics?date_from=2026-01-01T00:00:00Z&date_to=2027-01-01T00:00:00Z", "/v1/analytics/spans?date_from=2026-01-01T00:00:00Z&date_to=2027-01-01T00:00:00Z",
		"/dashboard/api/agent-sessions", "/dashboard/api/api-keys", "/dashboard/api/users", "/dashboard/api/projects", "/v1/prices", "/dashboard/api/prices",
		"/dashboard/api/views", "/dashboard/api/invites", "/dashboard/api/settings",
	} {
		a := s.as(t, n.person, http.MethodGet, path, "")
		if a.status != http.StatusOK {
			t.Errorf("GET %s by its own member: %s", path, a)
		}
		b.WriteString(path + " " + lastUsed(a.body) + "\n")
	}
	return b.String()
}

// lastUsed takes out of a list of keys when each was used: reading changes it.
func lastUsed(body []byte) string {
	var list struct{ Keys []map[string]any }
	if json.Unmarshal(body, &list) != nil || list.Keys == nil {
		return string(body)
	}
	for _, k := range list.Keys {
		delete(k, "lastUsedAt")
	}
	return fmt.Sprint(list.Keys)
}

// tenants walks every route with the keys and sessions of another project.
func (s *suite) tenants(t *testing.T) {
	t.Parallel()
	ann, bob := s.newTenant(t), s.newTenant(t)
	t.Run("Own", func(t *testing.T) { s.ownProject(t, ann, bob) })
	t.Run("Foreign", func(t *testing.T) { s.foreignProject(t, ann, bob) })
	t.Run("Nobody", func(t *testing.T) { s.nobody(t, ann) })
	t.Run("Members", s.members)
}

// bodies are what the writing routes take.
var bodies = map[string]func(victim tenant) string{
	"/traces": func(v tenant) string { return exportOf(v.ownID(), "shared-span", "taken") },
	"/logs": func(v tenant) string {
		return fmt.Sprintf(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":%q,"spanId":"shared-span","body":{"stringValue":"taken"}}]}]}]}`, v.ownID())
	},
	"/metrics":             func(tenant) string { return `{"resourceMetrics":[]}` },
	"/traces/batch":        func(v tenant) string { return "[" + traceRecord(v.ownID()) + "," + traceRecord(sharedID) + "]" },
	"/traces/async":        func(v tenant) string { return "[" + traceRecord(v.ownID()) + "]" },
	"/spans/batch":         func(v tenant) string { return "[" + spanRecord(v.ownID()) + "," + spanRecord("shared-span") + "]" },
	"/spans/async":         func(v tenant) string { return "[" + spanRecord(v.ownID()) + "]" },
	"/api-keys":            func(tenant) string { return `{"name":"taken"}` },
	"/api-keys/{id}":       func(tenant) string { return `{"name":"taken"}` },
	"/prices":              func(tenant) string { return `{"model":"shared-model","prices":{"input":666}}` },
	"/users":               func(tenant) string { return `{"email":"nobody@example.com","role":"admin"}` },
	"/projects":            func(tenant) string { return `{"name":"another"}` },
	"/projects/{id}":       func(tenant) string { return `{"name":"taken"}` },
	"/users/{id}":          func(tenant) string { return `{"role":"user"}` },
	"/invites":             func(tenant) string { return `{"role":"admin"}` },
	"/invites/{id}/accept": func(tenant) string { return `{}` },
	"/views":               func(tenant) string { return `{"name":"taken","page":"traces"}` },
	"/views/{id}":          func(tenant) string { return `{"name":"taken"}` },
	"/settings":            func(tenant) string { return `{"name":"taken"}` },
	"/auth/login":          func(tenant) string { return `` },
	"/local-login":         nil,
	"/local-login-token": func(v tenant) string {
		return fmt.Sprintf(`{"api_key":"pulse_sk_none","project_id":%q,"redirect_url":"http://localhost/"}`, v.project)
	},
	"/signup": func(tenant) string { return `{}` },

	"/query/traces/search":   func(tenant) string { return `{}` },
	"/query/histogram":       func(tenant) string { return `{"by":"provider"}` },
	"/query/facets":          func(tenant) string { return `{}` },
	"/query/sessions/search": func(tenant) string { return `{}` },
	"/query/overview":        func(tenant) string { return `{"compare":true}` },
	"/query/heatmap":         func(tenant) string { return `{}` },
	"/query/breakdown":       func(tenant) string { return `{"by":["provider","session"],"compare":true}` },
	"/query/compare":         func(tenant) string { return `{}` },
	"/query/export":          func(tenant) string { return fmt.Sprintf(`{"ids":[%q,"shared-agent"]}`, sharedID) },
	"/query/delete":          func(v tenant) string { return fmt.Sprintf(`{"ids":[%q,%q,"shared-agent"]}`, v.ownID(), sharedID) },
	"/query/values":          func(tenant) string { return `{"field":"provider","prefix":"s"}` },
	"/query/tail":            func(tenant) string { return `{"from":"2026-01-01T00:00:00Z"}` },
}

// ask calls a route about victim's records as p, with the project that p names.
func (s *suite) ask(t *testing.T, r api.Route, p person, victim tenant, id string) answer {
	t.Helper()
	path := strings.NewReplacer("{id}", id, "{part}", "input").Replace(r.Pattern)
	if strings.Contains(path, "/analytics") {
		path += "?date_from=2026-01-01T00:00:00Z&date_to=2027-01-01T00:00:00Z"
	}
	body := ""
	if r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
		rest := r.Pattern[strings.LastIndex(r.Pattern, "/v1")+len("/v1"):]
		if after, ok := strings.CutPrefix(r.Pattern, "/dashboard/api"); ok {
			rest = after
		}
		make, ok := bodies[rest]
		if !ok {
			t.Fatalf("%s %s: say in bodies what it takes", r.Method, r.Pattern)
		}
		body = make(victim)
	}
	return s.as(t, p, r.Method, path, body)
}

// data are the routes that touch projects: all but sign-in and what is public.
// Those that read come first, so that they do not find what the caller wrote.
func (s *suite) data() []api.Route {
	var list []api.Route
	for _, r := range s.Routes {
		if strings.HasPrefix(r.Pattern, "/v1/") || strings.HasPrefix(r.Pattern, "/dashboard/api/") || r.Protocol != nil {
			list = append(list, r)
		}
	}
	slices.SortStableFunc(list, func(a, b api.Route) int { return strings.Compare(a.Method, b.Method) }) // DELETE finds nothing
	return list
}

func ids(v tenant) []string {
	return []string{v.ownID(), sharedID, "shared-span", v.secret, "shared-session", "shared-spans", v.keyID, v.price, v.view, v.invite, v.project}
}

// ownProject lets thief use its own project, and ask there for victim's ids:
// nothing of victim shows, and nothing of it changes.
func (s *suite) ownProject(t *testing.T, victim, thief tenant) {
	before := s.state(t, victim)
	for _, r := range s.data() {
		targets := []string{""}
		if strings.Contains(r.Pattern, "{id}") {
			targets = ids(victim)
		}
		for _, id := range targets {
			a := s.ask(t, r, thief.person, victim, id)
			foreign := id == victim.ownID() || id == victim.secret || id == victim.keyID || id == victim.price || id == victim.view || id == victim.invite || id == victim.project
			if foreign && a.status != http.StatusNotFound && !strings.Contains(r.Pattern, "/batch") {
				t.Errorf("%s %s with a foreign id: %s, want 404", r.Method, r.Pattern, a)
			}
			for _, name := range victim.names() {
				sent := name == id || name == victim.ownID() // what the thief says itself may come back
				if !sent && bytes.Contains(a.body, []byte(name)) {
					t.Errorf("%s %s shows another project's %q: %s", r.Method, r.Pattern, name, a)
				}
			}
			if bytes.Contains(a.body, []byte(victim.secret)) && a.status == http.StatusOK && id != victim.secret {
				t.Errorf("%s %s shows another project's records: %s", r.Method, r.Pattern, a)
			}
		}
	}
	unchanged(t, before, s.state(t, victim))
}

// foreignProject lets thief name victim's project: the door stays shut, on
// every route, before anything else is looked at.
func (s *suite) foreignProject(t *testing.T, victim, thief tenant) {
	before := s.state(t, victim)
	intruder := thief.person
	intruder.project = victim.project
	for _, r := range s.data() {
		id := victim.ownID()
		if strings.Contains(r.Pattern, "api-keys") {
			id = victim.keyID
		}
		switch r.Auth {
		case api.AuthProject, api.AuthAdmin:
			if a := s.ask(t, r, intruder, victim, id); a.status != http.StatusForbidden || !bytes.Contains(a.body, []byte("Forbidden: no access to this project")) {
				t.Errorf("%s %s with a foreign X-Project-Id: %s, want 403", r.Method, r.Pattern, a)
			}
		case api.AuthKey: // the header says nothing here
			h := intruder.credentials("/v1/")
			h.Set("X-Project-Id", victim.project)
			if r.Method != http.MethodGet {
				continue
			}
			a := s.do(t, request{method: r.Method, path: strings.Replace(r.Pattern, "{id}", id, 1), header: h})
			if bytes.Contains(a.body, []byte(victim.secret)) {
				t.Errorf("%s %s with a foreign X-Project-Id: %s", r.Method, r.Pattern, a)
			}
		}
	}
	unchanged(t, before, s.state(t, victim))
}

// nobody asks without credentials, and with those of the other plane.
func (s *suite) nobody(t *testing.T, victim tenant) {
	before := s.state(t, victim)
	for _, r := range s.data() {
		if r.Auth == api.AuthNone {
			continue
		}
		crossed := http.Header{"Content-Type": {"application/json"}}
		if r.Auth == api.AuthKey {
			crossed.Set("Cookie", victim.cookie)
			crossed.Set("X-Project-Id", victim.project)
		} else {
			crossed.Set("Authorization", "Bearer "+victim.key)
			crossed.Set("X-Project-Id", victim.project)
		}
		path := strings.Replace(r.Pattern, "{id}", victim.ownID(), 1)
		for name, h := range map[string]http.Header{"no credentials": {"Content-Type": {"application/json"}}, "those of the other plane": crossed} {
			a := s.do(t, request{method: r.Method, path: path, header: h, body: strings.NewReader("[]")})
			if a.status != http.StatusUnauthorized {
				t.Errorf("%s %s with %s: %s, want 401", r.Method, r.Pattern, name, a)
			}
		}
	}
	unchanged(t, before, s.state(t, victim))
}

func unchanged(t *testing.T, before, after string) {
	t.Helper()
	if before == after {
		return
	}
	b, a := strings.Split(before, "\n"), strings.Split(after, "\n")
	for i := range b {
		if b[i] != a[i] {
			t.Errorf("changed from outside:\n was %s\n  is %s", b[i], a[i])
		}
	}
}

// members gives a project a second one of role user, who may use the data and
// not the administration, and checks that the role is the project's only.
func (s *suite) members(t *testing.T) {
	ann, bob := s.newTenant(t), s.newTenant(t)
	guest := bob.person
	guest.project = ann.project
	routes := slices.DeleteFunc(s.data(), func(r api.Route) bool { return r.Auth != api.AuthProject && r.Auth != api.AuthAdmin })
	s.want(t, ann.person, http.MethodPost, "/dashboard/api/users", fmt.Sprintf(`{"email":%q}`, bob.email), http.StatusCreated, nil)
	for _, r := range routes {
		a := s.ask(t, r, guest, ann, ann.ownID())
		switch {
		case r.Auth == api.AuthAdmin && a.status != http.StatusForbidden:
			t.Errorf("%s %s by a member of role user: %s, want 403", r.Method, r.Pattern, a)
		case r.Auth == api.AuthProject && a.status >= http.StatusBadRequest && a.status != http.StatusNotFound:
			t.Errorf("%s %s by a member of role user: %s", r.Method, r.Pattern, a)
		}
	}
	if a := s.as(t, guest, http.MethodGet, "/dashboard/api/traces/"+ann.ownID(), ""); a.status != http.StatusOK || !bytes.Contains(a.body, []byte(ann.secret)) {
		t.Errorf("a member reads the project: %s", a)
	}
	// Membership goes one way: ann has no part in bob's project.
	host := ann.person
	host.project = bob.project
	if a := s.as(t, host, http.MethodGet, "/dashboard/api/traces", ""); a.status != http.StatusForbidden {
		t.Errorf("the project of a member: %s, want 403", a)
	}
}
