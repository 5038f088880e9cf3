package dashboardapi_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api/dashboardapi"
	"github.com/pulse-traces/pulse/shared/betterauth"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

const (
	success      = `{"success":true}`
	noProject    = "Project not found"
	noMember     = "Member not found"
	noView       = "View not found"
	noInvite     = "The invite is unknown, has ended, or was used already"
	lastAdmin    = "The project's last administrator cannot leave or lose the role: make somebody else one first"
	otherAddress = "The invite is for another e-mail address"
)

// api calls a route below /dashboard/api as p.
func (f *fixture) api(t *testing.T, p person, method, path, body string) answer {
	t.Helper()
	return f.do(t, call{method: method, path: "/dashboard/api" + path, body: body}.as(p))
}

// in is p who works in another project.
func (p person) in(project account.ProjectID) person {
	p.project = project
	return p
}

func TestRenameProject(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ann, bob, eve := f.person(t, "Ann"), f.person(t, "Bob"), f.person(t, "Eve")
	f.join(t, bob, ann.project, account.RoleUser)
	path := "/projects/" + string(ann.project)
	f.api(t, ann.in("whatever"), "PATCH", path, `{"name":" New "}`).is(t, 200, success)
	if p, err := f.db.Project(t.Context(), ann.project); err != nil || p.Name != "New" {
		t.Errorf("%+v, %v", p, err)
	}
	f.api(t, bob, "PATCH", path, `{"name":"x"}`).isError(t, 403, noAdmin)
	f.api(t, eve, "PATCH", path, `{"name":"x"}`).isError(t, 404, noProject)
	f.api(t, eve, "PATCH", "/projects/%ff", `{"name":"x"}`).isError(t, 404, noProject)
	f.api(t, ann, "PATCH", path, `{"name":"  "}`).isError(t, 400, "Project name cannot be empty")
	f.api(t, ann, "PATCH", path, `{}`).isError(t, 400, "Missing required field: name")
}

func TestDeleteProject(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ann, bob, eve := f.person(t, "Ann"), f.person(t, "Bob"), f.person(t, "Eve")
	f.join(t, bob, ann.project, account.RoleUser)
	var spans []trace.Span
	for i := range 2500 {
		spans = append(spans, trace.Span{
			ID: trace.SpanID(fmt.Sprint(i)), Form: trace.FormSpan, Start: f.clock(), Source: trace.SourceSDK, Kind: trace.KindToolUse, Status: trace.StatusSuccess,
		})
	}
	if _, err := f.db.WriteBatches(t.Context(), []store.Batch{store.Pack(ann.project, f.clock(), spans)}); err != nil {
		t.Fatal(err)
	}
	path, name := "/projects/"+string(ann.project), `{"name":"Ann's"}`
	withKey := call{method: "GET", path: "/v1/traces", header: map[string]string{"Authorization": "Bearer " + ann.key}}
	f.do(t, withKey).is(t, 200, `{"project":"`+string(ann.project)+`"}`) // now its key is cached

	f.api(t, ann, "DELETE", path, `{"name":"ann's"}`).isError(t, 400, "[body.name] Send the project's exact name to confirm")
	f.api(t, ann, "DELETE", path, ``).isError(t, 400, "Invalid JSON body")
	f.api(t, bob, "DELETE", path, name).isError(t, 403, noAdmin)
	f.api(t, eve, "DELETE", path, name).isError(t, 404, noProject)
	f.do(t, withKey).is(t, 200, `{"project":"`+string(ann.project)+`"}`)

	type step struct {
		Done         bool
		DeletedSpans int64
	}
	total := int64(0)
	for done := false; !done; {
		a := f.api(t, ann, "DELETE", path, name)
		if a.status != 200 {
			t.Fatal(a)
		}
		s := decode[step](t, a)
		total, done = total+s.DeletedSpans, s.Done
	}
	if total != 2500 {
		t.Errorf("%d spans deleted", total)
	}
	if got := f.do(t, withKey); got.status != 401 {
		t.Errorf("its key: %+v", got)
	}
	f.api(t, ann, "GET", "/traces", "").isError(t, 403, noAccess)
	f.api(t, ann, "DELETE", path, name).isError(t, 404, noProject)
	f.api(t, ann, "GET", "/projects", "").is(t, 200, `{"projects":[]}`) // the last one may go

	// Somebody stopped half-way: who removed it goes on, and nobody else.
	if err := f.db.RemoveProject(t.Context(), eve.project, eve.user.ID, f.clock()); err != nil {
		t.Fatal(err)
	}
	path = "/projects/" + string(eve.project)
	f.api(t, ann, "DELETE", path, name).isError(t, 404, noProject)
	f.api(t, eve, "PATCH", path, `{"name":"x"}`).isError(t, 404, noProject)
	f.api(t, eve, "DELETE", path, "").is(t, 200, `{"done":true,"deletedSpans":0}`)
}

func TestRoles(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ann, bob, eve := f.person(t, "Ann"), f.person(t, "Bob"), f.person(t, "Eve")
	f.join(t, bob, ann.project, account.RoleUser)
	bob = bob.in(ann.project)
	user := func(p person) string { return "/users/" + string(p.user.ID) }
	f.api(t, ann, "PATCH", user(ann), `{"role":"user"}`).isError(t, 409, lastAdmin)
	f.api(t, ann, "DELETE", user(ann), ``).isError(t, 409, lastAdmin)
	f.api(t, ann, "PATCH", user(bob), `{"role":"owner"}`).isError(t, 400, "[body.role] Invalid input: expected one of admin, user")
	f.api(t, ann, "PATCH", user(bob), `{}`).isError(t, 400, "[body.role] Invalid input: expected one of admin, user")
	f.api(t, ann, "PATCH", user(eve), `{"role":"user"}`).isError(t, 404, noMember)
	f.api(t, bob, "DELETE", user(ann), ``).isError(t, 403, noAdmin)
	f.api(t, bob, "DELETE", user(eve), ``).isError(t, 404, noMember)
	f.api(t, ann, "DELETE", user(eve), ``).isError(t, 404, noMember)
	f.api(t, ann, "PATCH", user(bob), `{"role":"admin"}`).is(t, 200, success)
	f.api(t, bob, "PATCH", user(ann), `{"role":"user"}`).is(t, 200, success)
	f.api(t, ann, "PATCH", user(bob), `{"role":"user"}`).isError(t, 403, noAdmin)
	f.api(t, ann, "DELETE", user(ann), ``).is(t, 200, success) // leaves
	f.api(t, ann, "GET", "/traces", "").isError(t, 403, noAccess)
}

type invited struct{ ID, Token, URL, Role, ExpiresAt string }

func (f *fixture) invite(t *testing.T, p person, body string) invited {
	t.Helper()
	a := f.api(t, p, "POST", "/invites", body)
	if a.status != 201 || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return decode[invited](t, a)
}

// open is a call with a token and without a session.
func (f *fixture) open(t *testing.T, method, path, body string) answer {
	t.Helper()
	return f.do(t, call{method: method, path: "/dashboard/api/invites/" + path, body: body})
}

func TestInvites(t *testing.T) {
	t.Parallel()
	f := setup(t, func(o *options) { o.publicURL = "https://pulse.example.com/" })
	ann, bob, eve := f.person(t, "Ann"), f.person(t, "Bob"), f.person(t, "Eve")
	for body, message := range map[string]string{
		`{}`:                                  "[body.role] Invalid input: expected one of admin, user",
		`{"role":"user","expiresInDays":0}`:   "[body.expiresInDays] Invalid input: expected a whole number from 1 to 30",
		`{"role":"user","expiresInDays":31}`:  "[body.expiresInDays] Invalid input: expected a whole number from 1 to 30",
		`{"role":"user","expiresInDays":"7"}`: "[body.expiresInDays] Invalid input: expected a whole number from 1 to 30",
		`{"role":"user","email":"bob"}`:       "[body.email] Invalid email address",
	} {
		f.api(t, ann, "POST", "/invites", body).isError(t, 400, message)
	}
	i := f.invite(t, ann, `{"role":"user"}`)
	if len(i.Token) != 43 || i.URL != "https://pulse.example.com/invite/"+i.Token || i.Role != "user" || i.ExpiresAt != "2026-03-08T12:00:00.000Z" {
		t.Errorf("%+v", i)
	}
	shown := `{"projectName":"Ann's","role":"user","expiresAt":"2026-03-08T12:00:00.000Z"}`
	f.open(t, "GET", i.Token, "").is(t, 200, shown)
	f.open(t, "GET", i.ID, "").isError(t, 404, noInvite)
	f.open(t, "GET", "%ff", "").isError(t, 404, noInvite)
	list := f.api(t, ann, "GET", "/invites", "")
	list.is(t, 200, `{"invites":[{"id":"`+i.ID+`","role":"user","createdBy":"`+string(ann.user.ID)+`","createdAt":"2026-03-01T12:00:00.000Z","expiresAt":"2026-03-08T12:00:00.000Z"}]}`)

	accept := i.Token + "/accept"
	f.api(t, ann, "POST", "/invites/"+accept, `{}`).is(t, 200, `{"projectId":"`+string(ann.project)+`"}`) // changes nothing
	f.open(t, "GET", i.Token, "").is(t, 200, shown)
	for range 2 { // the second one finds him in
		f.api(t, bob, "POST", "/invites/"+accept, `{}`).is(t, 200, `{"projectId":"`+string(ann.project)+`"}`)
	}
	f.api(t, eve, "POST", "/invites/"+accept, `{}`).isError(t, 404, noInvite)
	f.open(t, "GET", i.Token, "").isError(t, 404, noInvite)
	f.open(t, "POST", accept, `{"name":"N","email":"n@example.com","password":"password123"}`).isError(t, 404, noInvite)
	f.api(t, ann, "GET", "/invites", "").is(t, 200, `{"invites":[]}`)
	if role, err := f.db.Role(t.Context(), ann.project, bob.user.ID); role != account.RoleUser || err != nil {
		t.Errorf("%s, %v", role, err)
	}

	revoked, ended := f.invite(t, ann, `{"role":"admin"}`), f.invite(t, ann, `{"role":"admin","expiresInDays":1}`)
	f.api(t, eve, "DELETE", "/invites/"+revoked.ID, "").isError(t, 404, noInvite)
	f.api(t, ann, "DELETE", "/invites/"+revoked.ID, "").is(t, 200, success)
	f.api(t, ann, "DELETE", "/invites/"+revoked.ID, "").isError(t, 404, noInvite)
	f.advance(24 * time.Hour)
	for _, token := range []string{revoked.Token, ended.Token} {
		f.open(t, "GET", token, "").isError(t, 404, noInvite)
		f.api(t, eve, "POST", "/invites/"+token+"/accept", `{}`).isError(t, 404, noInvite)
	}
}

func TestInviteForAnAddress(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ann, bob := f.person(t, "Ann"), f.person(t, "Bob")
	i := f.invite(t, ann, `{"role":"admin","email":" Bob@Example.com "}`)
	if !strings.HasPrefix(i.URL, f.url+"/invite/") {
		t.Errorf("not the host that was called: %s", i.URL)
	}
	f.api(t, f.person(t, "Eve"), "POST", "/invites/"+i.Token+"/accept", `{}`).isError(t, 403, otherAddress)
	f.open(t, "POST", i.Token+"/accept", `{"name":"N","email":"n@example.com","password":"password123"}`).isError(t, 403, otherAddress)
	f.open(t, "POST", i.Token+"/accept", `{"name":"N","email":"BOB@example.com","password":"password123"}`).
		isError(t, 409, "There is an account with this e-mail address: sign in, and open the link again")
	f.api(t, bob, "POST", "/invites/"+i.Token+"/accept", `{}`).is(t, 200, `{"projectId":"`+string(ann.project)+`"}`)
}

// TestInviteMakesAnAccount holds also where nobody can sign up.
func TestInviteMakesAnAccount(t *testing.T) {
	t.Parallel()
	for _, mode := range []dashboardapi.SignUp{dashboardapi.SignUpOpen, dashboardapi.SignUpFirst, dashboardapi.SignUpClosed} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			f := setup(t, func(o *options) { o.signUp = mode })
			ann := f.person(t, "Ann")
			accept := f.invite(t, ann, `{"role":"admin"}`).Token + "/accept"
			f.open(t, "POST", accept, `{}`).isError(t, 401, "Sign in, or send name, email and password of a new account")
			f.open(t, "POST", accept, `{"name":"N"}`).isError(t, 400, "Missing required fields: name, email, password")
			f.open(t, "POST", accept, `{"name":"N","email":"n","password":"password123"}`).isError(t, 400, "[body.email] Invalid email address")
			f.open(t, "POST", accept, `{"name":"N","email":" N@example.com","password":"password123"}`).is(t, 201, `{"projectId":"`+string(ann.project)+`"}`)
			u, err := f.db.UserByEmail(t.Context(), "n@example.com")
			if err != nil {
				t.Fatal(err)
			}
			if role, err := f.db.Role(t.Context(), ann.project, u.ID); role != account.RoleAdmin || err != nil {
				t.Errorf("%s, %v", role, err)
			}
		})
	}
}

func TestInviteIsUsedOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ann := f.person(t, "Ann")
	accept := f.invite(t, ann, `{"role":"user"}`).Token + "/accept"
	statuses := make([]int, 4)
	var wg sync.WaitGroup
	for i := range statuses {
		wg.Go(func() {
			statuses[i] = f.open(t, "POST", accept, fmt.Sprintf(`{"name":"N","email":"n%d@example.com","password":"password123"}`, i)).status
		})
	}
	wg.Wait()
	n, err := f.db.CountUsers(t.Context())
	if got := fmt.Sprint(statuses); err != nil || n != 2 || strings.Count(got, "201") != 1 || strings.Count(got, "404") != 3 {
		t.Errorf("%s, %d users, %v", got, n, err)
	}
}

func TestInviteIsLimitedAsSignUp(t *testing.T) {
	t.Parallel()
	f := setup(t, func(o *options) { o.limits = betterauth.ProductionLimits() })
	last := 0
	for range 20 {
		if last = f.open(t, "POST", "guess/accept", `{}`).status; last == 429 {
			return
		}
	}
	t.Errorf("guesses go on: %d", last)
}

// TestTokensAreNotLogged walks the routes of invites and looks at the log, and
// at the database.
func TestTokensAreNotLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	f := setup(t, func(o *options) {
		o.log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	ann, bob := f.person(t, "Ann"), f.person(t, "Bob")
	i := f.invite(t, ann, `{"role":"user"}`)
	f.open(t, "GET", i.Token, "")
	f.open(t, "PUT", i.Token, "")
	f.open(t, "POST", i.Token+"/accept", `{`)
	f.open(t, "POST", i.Token+"/nothing", `{}`)
	f.api(t, bob, "DELETE", "/invites/"+i.Token, "")
	f.api(t, bob, "POST", "/invites/"+i.Token+"/accept", `{}`)
	f.do(t, call{method: "GET", path: "/invite/" + i.Token})
	if got := log.String(); strings.Contains(got, i.Token) || !strings.Contains(got, `"/dashboard/api/invites/{id}/accept"`) {
		t.Errorf("%s", got)
	}
	if _, err := f.db.InviteByHash(t.Context(), i.Token, f.clock()); err == nil {
		t.Error("the token is stored")
	}
}

func TestViews(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ann, bob, eve := f.person(t, "Ann"), f.person(t, "Bob"), f.person(t, "Eve")
	f.join(t, bob, ann.project, account.RoleUser)
	bob = bob.in(ann.project)
	type saved struct {
		ID, Name, Page, Query, CreatedBy, CreatedAt string
		Shared                                      bool
	}
	create := func(p person, body string) saved {
		t.Helper()
		f.advance(time.Second)
		a := f.api(t, p, "POST", "/views", body)
		if a.status != 201 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return decode[saved](t, a)
	}
	names := func(p person) string {
		t.Helper()
		var s []string
		for _, v := range decode[struct{ Views []saved }](t, f.api(t, p, "GET", "/views", "")).Views {
			s = append(s, v.Name)
		}
		return strings.Join(s, " ")
	}
	own := create(ann, `{"name":" own ","page":"traces","query":"q=status%3Aerror&from=-24h"}`)
	if own.Name != "own" || own.Query != "q=status%3Aerror&from=-24h" || own.CreatedBy != string(ann.user.ID) || own.Shared || own.CreatedAt == "" {
		t.Errorf("%+v", own)
	}
	shared := create(ann, `{"name":"shared","page":"sessions","query":"","shared":true}`)
	bobs := create(bob, `{"name":"bobs","page":"analytics","query":"`+strings.Repeat("x", 4096)+`"}`)
	bobsShared := create(bob, `{"name":"bobsShared","page":"agents","query":"x","shared":true}`)
	if a, b := names(ann), names(bob); a != "own shared bobsShared" || b != "shared bobs bobsShared" {
		t.Errorf("ann sees %s, bob %s", a, b)
	}
	if got := names(eve); got != "" {
		t.Errorf("eve sees %s", got)
	}
	for body, message := range map[string]string{
		`{"page":"traces"}`:                       "Missing required field: name",
		`{"name":"x"}`:                            "[body.page] Invalid input: expected one of overview, traces, sessions, agents, analytics",
		`{"name":"x","page":"settings"}`:          "[body.page] Invalid input: expected one of overview, traces, sessions, agents, analytics",
		`{"name":"x","page":"traces","shared":1}`: "[body.shared] Invalid input: expected boolean, received number",
		`{"name":"x","page":"traces","query":"` + strings.Repeat("ä", 2049) + `"}`: "[body.query] Too big: expected at most 4096 bytes",
	} {
		f.api(t, ann, "POST", "/views", body).isError(t, 400, message)
	}
	changed := decode[saved](t, f.api(t, ann, "PATCH", "/views/"+own.ID, `{"name":"new","shared":true}`))
	own.Name, own.Shared = "new", true
	if changed != own {
		t.Errorf("%+v, want %+v", changed, own)
	}
	f.api(t, bob, "PATCH", "/views/"+shared.ID, `{"name":"x"}`).isError(t, 403, "Forbidden: the view is another member's")
	f.api(t, bob, "DELETE", "/views/"+shared.ID, ``).isError(t, 403, "Forbidden: the view is another member's")
	f.api(t, ann, "DELETE", "/views/"+bobs.ID, ``).isError(t, 404, noView)
	f.api(t, eve, "DELETE", "/views/"+shared.ID, ``).isError(t, 404, noView)
	f.api(t, ann, "DELETE", "/views/"+bobsShared.ID, ``).is(t, 200, success)
	f.api(t, bob, "DELETE", "/views/"+bobs.ID, ``).is(t, 200, success)
	f.api(t, bob, "DELETE", "/views/"+bobs.ID, ``).isError(t, 404, noView)
	for i := range store.MaxViews {
		if err := f.db.CreateView(t.Context(), ann.project, store.View{ID: fmt.Sprint(i), UserID: bob.user.ID, CreatedAt: f.clock()}); err != nil {
			t.Fatal(err)
		}
	}
	f.api(t, bob, "POST", "/views", `{"name":"x","page":"traces"}`).isError(t, 409, "You have as many saved views as fit: delete one first")
}

func TestSettings(t *testing.T) {
	t.Parallel()
	f := setup(t, func(o *options) { o.retention = 30 })
	ann, bob := f.person(t, "Ann"), f.person(t, "Bob")
	f.join(t, bob, ann.project, account.RoleUser)
	bob = bob.in(ann.project)
	f.api(t, bob, "GET", "/settings", "").is(t, 200, `{"name":"Ann's","retentionDays":null,"serverRetentionDays":30,"timeZone":""}`)
	f.api(t, bob, "PUT", "/settings", `{"name":"x"}`).isError(t, 403, noAdmin)
	for body, message := range map[string]string{
		`{}`:                               "Missing required field: name",
		`{"name":" "}`:                     "Project name cannot be empty",
		`{"name":"x","retentionDays":0}`:   "[body.retentionDays] Invalid input: expected a whole number from 1 to 30",
		`{"name":"x","retentionDays":31}`:  "[body.retentionDays] Invalid input: expected a whole number from 1 to 30",
		`{"name":"x","retentionDays":1.5}`: "[body.retentionDays] Invalid input: expected a whole number from 1 to 30",
		`{"name":"x","timeZone":"Local"}`:  "[body.timeZone] Invalid time zone: expected a name like Europe/Berlin",
		`{"name":"x","timeZone":"../etc"}`: "[body.timeZone] Invalid time zone: expected a name like Europe/Berlin",
		`{"name":"x","timeZone":5}`:        "[body.timeZone] Invalid input: expected string, received number",
	} {
		f.api(t, ann, "PUT", "/settings", body).isError(t, 400, message)
	}
	set := `{"name":"New","retentionDays":7,"serverRetentionDays":30,"timeZone":"Europe/Berlin"}`
	f.api(t, ann, "PUT", "/settings", `{"name":"New","retentionDays":7,"timeZone":"Europe/Berlin"}`).is(t, 200, set)
	f.api(t, bob, "GET", "/settings", "").is(t, 200, set)
	f.api(t, ann, "PUT", "/settings", `{"name":"New"}`).is(t, 200, `{"name":"New","retentionDays":null,"serverRetentionDays":30,"timeZone":""}`)

	free := setup(t)
	cid := free.person(t, "Cid")
	free.api(t, cid, "PUT", "/settings", `{"name":"C","retentionDays":36500}`).is(t, 200, `{"name":"C","retentionDays":36500,"serverRetentionDays":null,"timeZone":""}`)
}
