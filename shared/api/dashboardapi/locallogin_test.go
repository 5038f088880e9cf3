package dashboardapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/betterauth"
)

type handOff struct {
	LoginURL  string `json:"login_url"`
	ExpiresAt string `json:"expires_at"`
}

func loginToken(body string) call {
	return call{method: "POST", path: "/dashboard/api/local-login-token", body: body}
}

// redeem follows a link as a browser does.
func (f *fixture) redeem(t *testing.T, h handOff) answer {
	t.Helper()
	u, err := url.Parse(h.LoginURL)
	if err != nil || "http://"+u.Host != f.url {
		t.Fatalf("link %q, %v", h.LoginURL, err)
	}
	return f.do(t, call{method: "GET", path: u.RequestURI(), header: map[string]string{"User-Agent": "Browser/1"}})
}

func TestLocalLogin(t *testing.T) {
	t.Parallel()

	for name, body := range map[string]func(person) string{
		"Key": func(p person) string {
			return fmt.Sprintf(`{"api_key":" %s ","project_id":"%s","redirect_url":" http://localhost:3900 "}`, p.key, p.project)
		},
		"KeyWithoutProject": func(p person) string {
			return fmt.Sprintf(`{"api_key":"%s","project_id":null,"redirect_url":"http://LOCALHOST:3900"}`, p.key)
		},
		"KeyWinsOverPassword": func(p person) string {
			return fmt.Sprintf(`{"api_key":"%s","email":"x","password":"y","redirect_url":"http://localhost:3900/"}`, p.key)
		},
		"Password": func(p person) string {
			return fmt.Sprintf(`{"email":"%s","password":" %s ","redirect_url":"http://localhost:3900"}`, strings.ToUpper(p.user.Email), password)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			ann := f.person(t, "Ann")
			made := f.do(t, loginToken(body(ann)))
			if made.status != 201 {
				t.Fatalf("token: %d %s", made.status, made.body)
			}
			h := decode[handOff](t, made)
			if h.ExpiresAt != "2026-03-01T12:02:00.000Z" {
				t.Errorf("expires %q", h.ExpiresAt)
			}
			got := f.redeem(t, h)
			if got.status != http.StatusFound || got.header.Get("Location") != "http://localhost:3900/" || got.header.Get("Cache-Control") != "no-store" {
				t.Fatalf("got %d to %q: %s", got.status, got.header.Get("Location"), got.body)
			}
			cookie, rest, _ := strings.Cut(got.header.Get("Set-Cookie"), "; ")
			if !strings.HasPrefix(cookie, "better-auth.session_token=") || rest != "Max-Age=604800; Path=/; HttpOnly; SameSite=Lax" {
				t.Errorf("cookie %q", got.header.Get("Set-Cookie"))
			}
			list := f.do(t, call{method: "GET", path: "/dashboard/api/projects", cookie: cookie})
			if list.status != 200 || !strings.Contains(list.body, string(ann.project)) {
				t.Errorf("signed in: %d %s", list.status, list.body)
			}
			f.redeem(t, h).isError(t, 400, "Token is invalid or expired")
		})
	}
}

func TestLocalLoginChoosesAnAdministrator(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ann, olga := f.person(t, "Ann"), f.person(t, "Olga")
	f.join(t, olga, ann.project, account.RoleUser)
	h := decode[handOff](t, f.do(t, loginToken(`{"api_key":"`+ann.key+`","redirect_url":"http://localhost"}`)))
	cookie, _, _ := strings.Cut(f.redeem(t, h).header.Get("Set-Cookie"), "; ")
	login, _, err := f.auth.Session(t.Context(), cookie)
	if err != nil || login == nil || login.User.ID != ann.user.ID {
		t.Errorf("signed in %+v, %v; want the administrator", login, err)
	}
}

func TestLocalLoginRefuses(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ann := f.person(t, "Ann")
	key := `"api_key":"` + ann.key + `"`
	const (
		target   = "redirect_url must use a loopback host (localhost or 127.0.0.1)"
		badLogin = "Invalid local API key or project"
		noLogin  = "Missing required fields: api_key or email/password"
		badText  = " Invalid input: expected string, received "
	)
	for _, tc := range []struct {
		name, body string
		status     int
		message    string
	}{
		{"NoRedirect", `{` + key + `}`, 400, "Missing required field: redirect_url"},
		{"Null", `null`, 400, "Missing required field: redirect_url"},
		{"ForeignRedirect", `{` + key + `,"redirect_url":"http://evil.test"}`, 400, target},
		{"RelativeRedirect", `{` + key + `,"redirect_url":"/dashboard"}`, 400, target},
		{"SchemelessRedirect", `{` + key + `,"redirect_url":"//localhost/"}`, 400, target},
		{"FTP", `{` + key + `,"redirect_url":"ftp://localhost/x"}`, 400, target},
		{"JavaScript", `{` + key + `,"redirect_url":"javascript://localhost/%0aalert(1)"}`, 400, target},
		{"UserInfo", `{` + key + `,"redirect_url":"http://localhost@evil.test/"}`, 400, target},
		{"UserInfoOfLocalhost", `{` + key + `,"redirect_url":"http://a:b@localhost/"}`, 400, target},
		{"Backslash", `{` + key + `,"redirect_url":"http://localhost\\@evil.test/"}`, 400, target},
		{"Subdomain", `{` + key + `,"redirect_url":"http://localhost.evil.test/"}`, 400, target},
		{"NewLine", `{` + key + `,"redirect_url":"http://localhost/\nSet-Cookie: a=b"}`, 400, target},
		{"OtherProject", `{` + key + `,"project_id":"other","redirect_url":"http://localhost"}`, 401, badLogin},
		{"UnknownKey", `{"api_key":"pulse_sk_bad","redirect_url":"http://localhost"}`, 401, badLogin},
		{"Neither", `{"redirect_url":"http://localhost"}`, 400, noLogin},
		{"NoPassword", `{"email":"ann@example.com","redirect_url":"http://localhost"}`, 400, noLogin},
		{"WrongPassword", `{"email":"ann@example.com","password":"wrong-password","redirect_url":"http://localhost"}`, 401, "Invalid email or password"},
		{"UnknownEmail", `{"email":"who@example.com","password":"wrong-password","redirect_url":"http://localhost"}`, 401, "Invalid email or password"},
		{"KeyNumber", `{"api_key":5,"redirect_url":"http://localhost"}`, 400, "[body.api_key]" + badText + "number"},
		{"RedirectArray", `{` + key + `,"redirect_url":["http://localhost"]}`, 400, "[body.redirect_url]" + badText + "array"},
		{"BadJSON", `{x`, 400, "Invalid JSON body"},
	} {
		t.Run(tc.name, func(t *testing.T) { f.do(t, loginToken(tc.body)).isError(t, tc.status, tc.message) })
	}
	f.do(t, call{method: "GET", path: "/dashboard/api/local-login"}).isError(t, 400, "Missing token query parameter")
	f.do(t, call{method: "GET", path: "/dashboard/api/local-login?token=nope"}).isError(t, 400, "Token is invalid or expired")

	t.Run("Expired", func(t *testing.T) {
		h := decode[handOff](t, f.do(t, loginToken(`{`+key+`,"redirect_url":"http://localhost"}`)))
		f.advance(2 * time.Minute)
		f.redeem(t, h).isError(t, 400, "Token is invalid or expired")
	})
}

func TestRedirectIsNormalised(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ann := f.person(t, "Ann")
	for raw, want := range map[string]string{
		"http://localhost:5173":            "http://localhost:5173/",
		"http://127.0.0.1:5173/dash?x=1#h": "http://127.0.0.1:5173/dash?x=1#h",
		"HTTP://LocalHost:80/A":            "http://localhost/A",
		"https://localhost:443":            "https://localhost/",
		"https://localhost:80":             "https://localhost:80/",
		"http://localhost:":                "http://localhost/",
		"http://[::1]:3000/":               "http://[::1]:3000/",
	} {
		h := decode[handOff](t, f.do(t, loginToken(fmt.Sprintf(`{"api_key":%q,"redirect_url":%q}`, ann.key, raw))))
		if got := f.redeem(t, h).header.Get("Location"); got != want {
			t.Errorf("%s: got %q, want %q", raw, got, want)
		}
	}
}

// TestLocalLoginIsLocal asks as strangers do, with a key that is valid.
func TestLocalLoginIsLocal(t *testing.T) {
	t.Parallel()
	f := setup(t)
	off := setup(t, func(o *options) { o.noLocal, o.db = true, f.db })
	ann := f.person(t, "Ann")
	for _, tc := range []struct {
		name, peer, host string
		header           string
		off              bool
		status           int
	}{
		{"Loopback", "127.0.0.1:4000", "localhost:3000", "", false, 201},
		{"LoopbackAddress", "127.0.0.1:4000", "127.0.0.1:3000", "", false, 201},
		{"IPv6", "[::1]:4000", "[::1]:3000", "", false, 201},
		{"MappedIPv4", "[::ffff:127.0.0.1]:4000", "localhost", "", false, 201},
		{"OtherPeer", "192.0.2.7:4000", "localhost:3000", "", false, 403},
		{"PrivatePeer", "172.17.0.1:4000", "localhost:3000", "", false, 403},
		{"NoPeer", "", "localhost:3000", "", false, 403},
		{"OtherHost", "127.0.0.1:4000", "example.com", "", false, 403},
		{"ReboundName", "127.0.0.1:4000", "localhost.evil.test:3000", "", false, 403},
		{"UserInfoHost", "127.0.0.1:4000", "evil.test@localhost", "", false, 403},
		{"PathHost", "127.0.0.1:4000", "localhost/evil.test", "", false, 403},
		{"NoHost", "127.0.0.1:4000", "", "", false, 403},
		{"XForwardedFor", "127.0.0.1:4000", "localhost:3000", "X-Forwarded-For", false, 403},
		{"Forwarded", "127.0.0.1:4000", "localhost:3000", "Forwarded", false, 403},
		{"XRealIP", "127.0.0.1:4000", "localhost:3000", "X-Real-Ip", false, 403},
		{"Via", "127.0.0.1:4000", "localhost:3000", "Via", false, 403},
		{"SwitchedOff", "127.0.0.1:4000", "localhost:3000", "", true, 403},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, c := range []call{
				loginToken(`{"api_key":"` + ann.key + `","redirect_url":"http://localhost"}`),
				{method: "GET", path: "/dashboard/api/local-login?token=nope"},
			} {
				r := httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader(c.body))
				c.fill(r)
				r.RemoteAddr, r.Host = tc.peer, tc.host
				if tc.header != "" {
					r.Header.Set(tc.header, "127.0.0.1")
				}
				w := httptest.NewRecorder()
				handler := f.handler
				if tc.off {
					handler = off.handler
				}
				handler.ServeHTTP(w, r)
				want := tc.status
				if c.method == http.MethodGet && want == 201 {
					want = 400
				}
				if w.Code != want {
					t.Errorf("%s: got %d %s, want %d", c.method, w.Code, w.Body, want)
				}
				var e struct{ Error string }
				if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || (want == 403 && !strings.HasSuffix(e.Error, "endpoint is only available on loopback hosts")) {
					t.Errorf("%s: %s", c.method, w.Body)
				}
			}
		})
	}
}

func TestLocalLoginIsBounded(t *testing.T) {
	t.Parallel()

	t.Run("Waiting", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		ann := f.person(t, "Ann")
		c := loginToken(`{"api_key":"` + ann.key + `","redirect_url":"http://localhost"}`)
		for range 1000 {
			if got := f.do(t, c); got.status != 201 {
				t.Fatalf("got %d %s", got.status, got.body)
			}
		}
		f.do(t, c).isError(t, 429, "Too many local logins are waiting")
		f.advance(2 * time.Minute)
		if got := f.do(t, c); got.status != 201 {
			t.Errorf("after they expired: %d %s", got.status, got.body)
		}
	})
	t.Run("PerAddress", func(t *testing.T) {
		t.Parallel()
		f := setup(t, func(o *options) {
			o.limits = betterauth.Limits{Credentials: betterauth.LimitRule{Max: 2, Window: time.Minute}}
		})
		for range 2 {
			f.do(t, loginToken(`{}`))
		}
		if got := f.do(t, loginToken(`{}`)); got.status != 429 {
			t.Errorf("got %d %s, want 429", got.status, got.body)
		}
	})
}
