package dashboardapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api/dashboardapi"
	"github.com/pulse-traces/pulse/shared/betterauth"
)

func signUp(body string) call {
	return call{method: "POST", path: "/dashboard/api/signup", body: body}
}

func TestSignUp(t *testing.T) {
	t.Parallel()
	f := setup(t)
	got := f.do(t, signUp(`{"name":" Ann Admin ","email":" Ann@Example.com ","password":"password123","projectName":"  First Project "}`))
	got.is(t, 201, `{"success":true}`)
	if c := got.header.Values("Set-Cookie"); len(c) > 0 {
		t.Errorf("cookies: %v", c)
	}
	user, err := f.db.UserByEmail(t.Context(), "ann@example.com")
	if err != nil || user.Name != "Ann Admin" {
		t.Fatalf("user %+v, %v", user, err)
	}
	if ok, err := f.auth.CheckCredentials(t.Context(), "ann@example.com", password); err != nil || ok.ID != user.ID {
		t.Errorf("sign-in: %v", err)
	}
	projects, err := f.db.UserProjects(t.Context(), user.ID)
	if err != nil || len(projects) != 1 || projects[0].Name != "First Project" || projects[0].Role != account.RoleAdmin {
		t.Fatalf("projects %+v, %v", projects, err)
	}
	keys, err := f.db.Keys(t.Context(), projects[0].ID)
	if err != nil || len(keys) != 1 || keys[0].Name != "Default Key" || keys[0].Sealed == "" {
		t.Errorf("keys %+v, %v", keys, err)
	}
	sessions, err := f.db.UserSessions(t.Context(), user.ID)
	if err != nil || len(sessions) != 0 {
		t.Errorf("stray sessions %d, %v", len(sessions), err)
	}
	f.do(t, signUp(`{"name":"Ann","email":"ANN@example.com","password":"password123","projectName":"P"}`)).
		is(t, 400, `{"error":"User already exists. Use another email."}`)
}

func TestSignUpRefuses(t *testing.T) {
	t.Parallel()
	f := setup(t)
	const missing = "Missing required fields: name, email, password, projectName"
	field := func(name, value string) string {
		fields := map[string]string{"name": `"A"`, "email": `"x@example.com"`, "password": `"password123"`, "projectName": `"P"`}
		fields[name] = value
		return fmt.Sprintf(`{"name":%s,"email":%s,"password":%s,"projectName":%s}`, fields["name"], fields["email"], fields["password"], fields["projectName"])
	}
	long := func(n int) string { return `"` + strings.Repeat("x", n) + `"` }
	for _, tc := range []struct{ name, body, message string }{
		{"MissingFields", `{"email":"x@example.com"}`, missing},
		{"EmptyObject", `{}`, missing},
		{"Null", `null`, missing},
		{"Array", `[]`, missing},
		{"Number", `5`, missing},
		{"NullName", field("name", `null`), missing},
		{"EmptyPassword", field("password", `""`), missing},
		{"BlankProject", field("projectName", `"   "`), missing},
		{"BadEmail", field("email", `"nope"`), "[body.email] Invalid email address"},
		{"ShortPassword", field("password", `"1234567"`), "Password too short"},
		{"LongPassword", field("password", long(129)), "Password too long"},
		{"VeryLongPassword", field("password", long(10_001)), "[body.password] Too big: expected at most 10000 characters"},
		{"PasswordNumber", field("password", `12345678`), "[body.password] Invalid input: expected string, received number"},
		{"NameNumber", field("name", `1`), "[body.name] Invalid input: expected string, received number"},
		{"EmailArray", field("email", `["x@example.com"]`), "[body.email] Invalid input: expected string, received array"},
		{"ProjectObject", field("projectName", `{}`), "[body.projectName] Invalid input: expected string, received object"},
		{"ProjectBoolean", field("projectName", `true`), "[body.projectName] Invalid input: expected string, received boolean"},
		{"LongName", field("name", long(201)), "[body.name] Too big: expected at most 200 characters"},
		{"NULInName", field("name", `"a\u0000b"`), "[body.name] Invalid input: NUL characters are not allowed"},
		{"NULInPassword", field("password", `"password\u0000"`), "[body.password] Invalid input: NUL characters are not allowed"},
		{"BadJSON", `{bad`, "Invalid JSON body"},
		{"TrailingText", `{} x`, "Invalid JSON body"},
		{"InvalidUTF8", "{\"name\":\"\xff\"}", "Invalid JSON body"},
		{"LoneSurrogate", field("name", `"\ud83d"`), "Invalid JSON body"},
		{"EmptyBody", ``, "Invalid JSON body"},
		{"Blank", "  \n", "Invalid JSON body"},
		{"Deep", strings.Repeat("[", 100_000), "Invalid JSON body: nested deeper than 200 levels"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f.do(t, signUp(tc.body)).isError(t, 400, tc.message)
		})
	}
	if n, err := f.db.CountUsers(t.Context()); n != 0 || err != nil {
		t.Errorf("%d accounts were stored, %v", n, err)
	}
}

func TestSignUpModes(t *testing.T) {
	t.Parallel()
	const closed = "Sign-up is closed: ask an administrator of a project to add you"
	body := func(i int) string {
		return fmt.Sprintf(`{"name":"A","email":"a%d@example.com","password":"password123","projectName":"P"}`, i)
	}

	t.Run("Closed", func(t *testing.T) {
		t.Parallel()
		f := setup(t, func(o *options) { o.signUp = dashboardapi.SignUpClosed })
		f.do(t, signUp(body(0))).isError(t, 403, closed)
		if n, err := f.db.CountUsers(t.Context()); n != 0 || err != nil {
			t.Errorf("%d accounts, %v", n, err)
		}
	})
	t.Run("FirstOfManyAtOnce", func(t *testing.T) {
		t.Parallel()
		f := setup(t, func(o *options) { o.signUp = dashboardapi.SignUpFirst })
		var wg sync.WaitGroup
		answers := make([]answer, 6)
		for i := range answers {
			wg.Go(func() { answers[i] = f.do(t, signUp(body(i))) })
		}
		wg.Wait()
		made := 0
		for _, a := range answers {
			if a.status == http.StatusCreated {
				made++
				continue
			}
			a.isError(t, 403, closed)
		}
		if n, err := f.db.CountUsers(t.Context()); made != 1 || n != 1 || err != nil {
			t.Errorf("%d answered 201, %d stored, %v; want one", made, n, err)
		}
		f.do(t, signUp(body(9))).isError(t, 403, closed)
	})
	t.Run("SameEmailAtOnce", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		var wg sync.WaitGroup
		answers := make([]answer, 4)
		for i := range answers {
			wg.Go(func() { answers[i] = f.do(t, signUp(body(0))) })
		}
		wg.Wait()
		made := 0
		for _, a := range answers {
			if a.status == http.StatusCreated {
				made++
				continue
			}
			a.isError(t, 400, "User already exists. Use another email.")
		}
		if made != 1 {
			t.Errorf("%d answered 201, want one", made)
		}
	})
	t.Run("TooMany", func(t *testing.T) {
		t.Parallel()
		f := setup(t, func(o *options) {
			o.limits = betterauth.Limits{Credentials: betterauth.LimitRule{Max: 3, Window: 10 * time.Second}}
		})
		for range 3 {
			f.do(t, signUp(`{}`))
		}
		got := f.do(t, signUp(`{}`))
		got.isError(t, 429, "Too many requests. Please try again later.")
		if got.header.Get("Retry-After") != "10" {
			t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
		}
		f.advance(10 * time.Second)
		if got := f.do(t, signUp(`{}`)); got.status != 400 {
			t.Errorf("after the window: %d %s", got.status, got.body)
		}
	})
}

type members struct {
	Users []struct{ UserID, Name, Email, Role, CreatedAt string }
}

func TestMembers(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ann, cy := f.person(t, "Ann"), f.person(t, "Cy")
	add := func(body string) answer {
		t.Helper()
		f.advance(time.Second)
		return f.do(t, call{method: "POST", path: "/dashboard/api/users", body: body}.as(ann))
	}
	type added struct {
		User struct{ UserID, Name, Email, Role, CreatedAt string }
	}

	bob := decode[added](t, add(`{"email":"Bob@Example.com ","name":" Bob ","password":"password123"}`)).User
	if bob.Name != "Bob" || bob.Email != "bob@example.com" || bob.Role != "user" || bob.CreatedAt != "2026-03-01T12:00:01.000Z" {
		t.Errorf("new account: %+v", bob)
	}
	add(`{"email":"bob@example.com"}`).isError(t, 409, "User is already a member of this project")
	add(`{"email":"ann@example.com"}`).isError(t, 409, "User is already a member of this project")

	known := decode[added](t, add(`{"email":"cy@example.com","role":"admin"}`)).User
	if known.UserID != string(cy.user.ID) || known.Role != "admin" || known.Name != "cy@example.com" {
		t.Errorf("existing account: %+v; its name must not be told", known)
	}
	if _, err := f.auth.CheckCredentials(t.Context(), "cy@example.com", password); err != nil {
		t.Errorf("its password changed: %v", err)
	}
	eve := decode[added](t, add(`{"email":"eve@example.com","name":"Eve","password":"password123","role":"owner"}`)).User
	if eve.Role != "user" {
		t.Errorf("unknown role became %q", eve.Role)
	}

	for _, tc := range []struct{ name, body, message string }{
		{"NoPassword", `{"email":"new@example.com","name":"N"}`, "Missing required fields for new user: name, password"},
		{"OnlyEmail", `{"email":"new@example.com"}`, "Missing required fields for new user: name, password"},
		{"NoEmail", `{"name":"N"}`, "Missing required field: email"},
		{"BlankEmail", `{"email":"  "}`, "Missing required field: email"},
		{"Null", `null`, "Missing required field: email"},
		{"EmailNumber", `{"email":5}`, "[body.email] Invalid input: expected string, received number"},
		{"ShortPassword", `{"email":"new@example.com","name":"N","password":"short"}`, "Password too short"},
		{"BadEmail", `{"email":"bad","name":"N","password":"password123"}`, "[body.email] Invalid email address"},
		{"NULInEmail", `{"email":"a\u0000@example.com"}`, "[body.email] Invalid input: NUL characters are not allowed"},
		{"BadJSON", `{`, "Invalid JSON body"},
		{"Empty", ``, "Invalid JSON body"},
	} {
		t.Run(tc.name, func(t *testing.T) { add(tc.body).isError(t, 400, tc.message) })
	}

	got := decode[members](t, f.do(t, call{method: "GET", path: "/dashboard/api/users"}.as(ann)))
	var names []string
	for _, u := range got.Users {
		names = append(names, u.Name+"/"+u.Role)
	}
	if s := strings.Join(names, " "); s != "Ann/admin Bob/user Cy/admin Eve/user" {
		t.Errorf("members: %s", s)
	}
}
