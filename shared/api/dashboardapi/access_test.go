package dashboardapi_test

import (
	"strings"
	"testing"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/dashboardapi"
)

const (
	noSession = "Unauthorized"
	noHeader  = "Missing X-Project-Id header"
	noAccess  = "Forbidden: no access to this project"
	noAdmin   = "Forbidden: admin role required for this operation"
)

type guardedCall struct {
	call
	level api.Auth
}

// guarded are the routes that ask for a session, with bodies that would work.
func guarded(t *testing.T, keyID account.KeyID) []guardedCall {
	t.Helper()
	bodies := map[string]string{
		"POST /dashboard/api/projects": `{"name":"Mine"}`, "POST /dashboard/api/api-keys": `{}`,
		"PATCH /dashboard/api/api-keys/{id}": `{"name":"Mine"}`, "POST /dashboard/api/users": `{"email":"mallory@example.com","role":"admin"}`,
		"PATCH /dashboard/api/projects/{id}": `{"name":"Mine"}`, "DELETE /dashboard/api/projects/{id}": `{"name":"Ann's"}`,
		"PATCH /dashboard/api/users/{id}": `{"role":"admin"}`, "POST /dashboard/api/invites": `{"role":"admin"}`,
		"POST /dashboard/api/views": `{"name":"Mine","page":"traces","query":""}`, "PATCH /dashboard/api/views/{id}": `{"name":"Mine"}`,
		"PUT /dashboard/api/settings": `{"name":"Mine"}`,
	}
	var routes []guardedCall
	for _, r := range dashboardapi.New(dashboardapi.Deps{}).Routes() {
		if r.Auth != api.AuthNone {
			path := strings.ReplaceAll(r.Pattern, "{id}", string(keyID))
			routes = append(routes, guardedCall{call{method: r.Method, path: path, body: bodies[r.Method+" "+r.Pattern]}, r.Auth})
		}
	}
	if len(routes) != 21 {
		t.Fatalf("%d guarded routes; does a new one need a body above?", len(routes))
	}
	return append(routes, guardedCall{call{method: "GET", path: "/dashboard/api/traces"}, api.AuthProject})
}

func TestAccess(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ann, mallory, bob := f.person(t, "Ann"), f.person(t, "Mallory"), f.person(t, "Bob")
	f.join(t, bob, ann.project, account.RoleUser)
	before := f.keys(t, ann)

	for _, g := range guarded(t, ann.keyID) {
		c, level := g.call, g.level
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			f.do(t, c).isError(t, 401, noSession)
			forged := c
			forged.cookie = ann.cookie[:len(ann.cookie)-6] + "AAA%3D"
			forged.project = ann.project
			f.do(t, forged).isError(t, 401, noSession)
			withKey := c
			withKey.header = map[string]string{"Authorization": "Bearer " + ann.key}
			withKey.project = ann.project
			f.do(t, withKey).isError(t, 401, noSession)
			if level < api.AuthProject {
				return
			}
			bare := c
			bare.cookie = ann.cookie
			f.do(t, bare).isError(t, 400, noHeader)
			for _, project := range []account.ProjectID{
				ann.project, "00000000-0000-0000-0000-000000000000", "garbage", account.ProjectID(strings.ToUpper(string(mallory.project))), "\xff",
			} {
				foreign := c
				foreign.project = project
				f.do(t, foreign.as(mallory)).isError(t, 403, noAccess)
			}
			member := c
			member.project = ann.project
			if got := f.do(t, member.as(bob)); level == api.AuthAdmin {
				got.isError(t, 403, noAdmin)
			} else if got.status >= 300 && (got.status != 404 || !strings.Contains(c.path, string(ann.keyID))) {
				t.Errorf("a member of role user: %d %s", got.status, got.body)
			}
			if !strings.Contains(c.path, string(ann.keyID)) || level != api.AuthAdmin {
				return
			}
			if got := f.do(t, c.as(mallory)); got.status != 404 { // own project, another's key
				t.Errorf("got %d %s", got.status, got.body)
			}
		})
	}
	after := f.keys(t, ann)
	if len(after) != len(before) || after[0].Name != before[0].Name {
		t.Errorf("something got through: %+v, before %+v", after, before)
	}
}

func TestOwnerIsAdmin(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ann, olga := f.person(t, "Ann"), f.person(t, "Olga")
	f.join(t, olga, ann.project, "owner") // as the earliest databases have it
	c := call{method: "GET", path: "/dashboard/api/users", project: ann.project}
	got := f.do(t, c.as(olga))
	if got.status != 200 || strings.Contains(got.body, "owner") {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

func TestLostMembershipCountsAtOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ann, bob := f.person(t, "Ann"), f.person(t, "Bob")
	c := call{method: "GET", path: "/dashboard/api/traces", project: ann.project}
	f.do(t, c.as(bob)).isError(t, 403, noAccess)
	f.join(t, bob, ann.project, account.RoleUser)
	f.do(t, c.as(bob)).is(t, 200, `{"project":"`+string(ann.project)+`"}`)
}

func TestUnknownPaths(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ann := f.person(t, "Ann")
	for _, c := range []call{
		{method: "GET", path: "/dashboard/api/nope"},
		{method: "POST", path: "/dashboard/api/nope"},
		{method: "GET", path: "/dashboard/api/"},
		{method: "GET", path: "/dashboard/api/signup"},
		{method: "GET", path: "/dashboard/api/local-login-token"},
		{method: "DELETE", path: "/dashboard/api/projects/x/y"},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			f.do(t, c).isError(t, 401, noSession)
			got := f.do(t, c.as(ann))
			if strings.HasSuffix(c.path, "signup") || strings.HasSuffix(c.path, "token") {
				got.isError(t, 405, "Method not allowed: use POST")
				if got.header.Get("Allow") != "POST" {
					t.Errorf("Allow %q", got.header.Get("Allow"))
				}
				return
			}
			got.isError(t, 404, "Not found")
		})
	}
}

// TestCSRF sends what pages of other sites can make a browser send.
func TestCSRF(t *testing.T) {
	t.Parallel()
	f := setup(t, func(o *options) { o.allOrigins = []string{"https://pulse.example.com"} })
	ann := f.person(t, "Ann")
	for _, tc := range []struct {
		name   string
		header map[string]string
		status int
	}{
		{"JSON", map[string]string{"Content-Type": "application/json"}, 201},
		{"JSONWithCharset", map[string]string{"Content-Type": "application/json; charset=utf-8"}, 201},
		{"Text", map[string]string{"Content-Type": "text/plain"}, 403},
		{"TextThatMentionsJSON", map[string]string{"Content-Type": "text/plain; application/json"}, 403},
		{"Form", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, 403},
		{"Multipart", map[string]string{"Content-Type": "multipart/form-data; boundary=x"}, 403},
		{"None", map[string]string{"Content-Type": ""}, 403},
		{"TextFromOtherSite", map[string]string{"Content-Type": "text/plain", "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403},
		{"TextFromOtherPort", map[string]string{"Content-Type": "text/plain", "Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"}, 403},
		{"TextFromNull", map[string]string{"Content-Type": "text/plain", "Origin": "null"}, 403},
		{"TextFromOwnPage", map[string]string{"Content-Type": "text/plain", "Origin": f.url}, 201},
		{"TextFromOwnPageFetchMetadata", map[string]string{"Content-Type": "", "Sec-Fetch-Site": "same-origin"}, 201},
		{"TextFromAllowedOrigin", map[string]string{"Content-Type": "text/plain", "Origin": "https://pulse.example.com"}, 201},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := call{method: "POST", path: "/dashboard/api/projects", body: `{"name":"P"}`, header: tc.header}
			if got := f.do(t, c.as(ann)); got.status != tc.status {
				t.Errorf("got %d %s, want %d", got.status, got.body, tc.status)
			}
		})
	}
	t.Run("SignUpText", func(t *testing.T) {
		c := signUp(`{}`)
		c.header = map[string]string{"Content-Type": "text/plain"}
		if got := f.do(t, c); got.status != 403 {
			t.Errorf("got %d %s, want 403", got.status, got.body)
		}
	})
}
