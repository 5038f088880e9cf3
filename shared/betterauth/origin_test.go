package betterauth

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheckOrigin(t *testing.T) {
	t.Parallel()
	s := newCore(t, Options{TrustedOrigins: []string{"https://app.example.com"}})
	skipping := newCore(t, Options{SkipOriginCheck: true})
	type h = map[string]string
	const own, foreign = "http://localhost:3000", "https://evil.test"
	for name, c := range map[string]struct {
		headers h
		signIn  bool
		want    error
	}{
		"NothingAtAll":             {h{}, false, nil},
		"ForeignWithoutCookie":     {h{"Origin": foreign}, false, nil},
		"CookieAlone":              {h{"Cookie": "a=b"}, false, ErrMissingOrNullOrigin},
		"EmptyCookie":              {h{"Cookie": ""}, false, ErrMissingOrNullOrigin},
		"CookieNull":               {h{"Cookie": "a=b", "Origin": "null"}, false, ErrMissingOrNullOrigin},
		"CookieNullReferer":        {h{"Cookie": "a=b", "Origin": "null", "Referer": own}, false, ErrMissingOrNullOrigin},
		"CookieNullSameOrigin":     {h{"Cookie": "a=b", "Origin": "null", "Sec-Fetch-Site": "same-origin"}, false, nil},
		"CookieNullForeignHost":    {h{"Cookie": "a=b", "Origin": "null", "Sec-Fetch-Site": "same-origin", "Host": "evil.test"}, false, ErrInvalidOrigin},
		"CookieNullCrossSite":      {h{"Cookie": "a=b", "Origin": "null", "Sec-Fetch-Site": "cross-site"}, false, ErrMissingOrNullOrigin},
		"CookieOwn":                {h{"Cookie": "a=b", "Origin": own}, false, nil},
		"CookieOwnCase":            {h{"Cookie": "a=b", "Origin": "http://LOCALHOST:3000"}, false, nil},
		"CookieListed":             {h{"Cookie": "a=b", "Origin": "https://app.example.com"}, false, nil},
		"CookieListedDefaultPort":  {h{"Cookie": "a=b", "Origin": "https://app.example.com:443"}, false, nil},
		"CookieOtherScheme":        {h{"Cookie": "a=b", "Origin": "https://localhost:3000"}, false, ErrInvalidOrigin},
		"CookieOtherPort":          {h{"Cookie": "a=b", "Origin": "http://localhost:3001"}, false, ErrInvalidOrigin},
		"CookieLoopbackAddress":    {h{"Cookie": "a=b", "Origin": "http://127.0.0.1:3000"}, false, ErrInvalidOrigin},
		"CookieForeign":            {h{"Cookie": "a=b", "Origin": foreign}, false, ErrInvalidOrigin},
		"CookieSuffix":             {h{"Cookie": "a=b", "Origin": "http://localhost:3000.evil.test"}, false, ErrInvalidOrigin},
		"CookieUserInfo":           {h{"Cookie": "a=b", "Origin": "http://localhost:3000@evil.test"}, false, ErrInvalidOrigin},
		"CookieNonsense":           {h{"Cookie": "a=b", "Origin": "%%%"}, false, ErrInvalidOrigin},
		"CookiePath":               {h{"Cookie": "a=b", "Origin": "/x"}, false, ErrInvalidOrigin},
		"CookieReferer":            {h{"Cookie": "a=b", "Referer": own + "/login?x=1"}, false, nil},
		"CookieForeignReferer":     {h{"Cookie": "a=b", "Referer": foreign + "/?" + own}, false, ErrInvalidOrigin},
		"CookieOriginBeatsReferer": {h{"Cookie": "a=b", "Origin": foreign, "Referer": own}, false, ErrInvalidOrigin},
		"SignInCurl":               {h{}, true, nil},
		"SignInOwn":                {h{"Origin": own}, true, nil},
		"SignInForeign":            {h{"Origin": foreign}, true, ErrInvalidOrigin},
		"SignInForeignReferer":     {h{"Referer": foreign}, true, ErrInvalidOrigin},
		"SignInFetchWithoutOrigin": {h{"Sec-Fetch-Mode": "cors"}, true, ErrMissingOrNullOrigin},
		"SignInFetchDest":          {h{"Sec-Fetch-Dest": "empty"}, true, ErrMissingOrNullOrigin},
		"SignInFetchOwn":           {h{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "Origin": own}, true, nil},
		"SignInNavigation":         {h{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, true, ErrCrossSiteNavigation},
		"SignInNavigationTrusted":  {h{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Origin": own}, true, ErrCrossSiteNavigation},
		"SignInNavigationCookie":   {h{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Cookie": "a=b"}, true, ErrMissingOrNullOrigin},
		"SignInNull":               {h{"Origin": "null"}, true, ErrMissingOrNullOrigin},
		"SignInNullSameOrigin":     {h{"Origin": "null", "Sec-Fetch-Site": "same-origin"}, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, own+"/api/auth/x", nil)
			for k, v := range c.headers {
				if k == "Host" {
					r.Host = v
				} else {
					r.Header.Set(k, v)
				}
			}
			if err := s.CheckOrigin(r, c.signIn); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("CheckOrigin = %v, want %v", err, c.want)
			}
			if err := skipping.CheckOrigin(r, c.signIn); err != nil {
				t.Errorf("with SkipOriginCheck: %v", err)
			}
		})
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		entry   string
		trusts  []string
		refuses []string
		ignored bool
	}{
		{entry: "https://example.com", trusts: []string{"https://example.com", "https://example.com:443", "https://EXAMPLE.com/x"}, refuses: []string{"http://example.com", "https://a.example.com", "https://example.com:8443"}},
		{entry: " http://[::1]:5173 ", trusts: []string{"http://[::1]:5173/x"}, refuses: []string{"http://[::1]"}},
		{entry: "https://example.com/", refuses: []string{"https://example.com"}, ignored: true},
		{entry: "https://EXAMPLE.com", refuses: []string{"https://example.com"}, ignored: true},
		{entry: "https://example.com:443", refuses: []string{"https://example.com"}, ignored: true},
		{entry: "example.com", refuses: []string{"https://example.com"}, ignored: true},
		{entry: "*", refuses: []string{"https://evil.test", "null", "*"}, ignored: true},
		{entry: "**", refuses: []string{"https://evil.test"}, ignored: true},
		{entry: "*://*", refuses: []string{"https://evil.test"}, ignored: true},
		{entry: "https://*", refuses: []string{"https://evil.test"}, ignored: true},
		{entry: "*:*", refuses: []string{"https://evil.test:1"}, ignored: true},
		{entry: "*.*", refuses: []string{"https://evil.test"}, ignored: true},
		{entry: "*.example.com", trusts: []string{"http://a.example.com", "https://a.b.example.com"}, refuses: []string{"https://example.com", "https://a.example.com:8443", "https://a.example.com.evil.test"}},
		{entry: "localhost:*", trusts: []string{"http://localhost:5173"}, refuses: []string{"http://localhost", "http://localhost.evil.test:1"}},
		{entry: "http://localhost:*", trusts: []string{"http://localhost:5173"}, refuses: []string{"http://localhost", "https://localhost:5173"}},
		{entry: "https://pr-?.example.com", trusts: []string{"https://pr-7.example.com"}, refuses: []string{"https://pr-77.example.com"}},
		{entry: "192.168.*", trusts: []string{"http://192.168.1.2"}, refuses: []string{"http://192.168.evil.test"}},
		{entry: "http://10.*:8080", trusts: []string{"http://10.1.2.3:8080"}, refuses: []string{"http://10.evil.test:8080"}},
		{entry: ""},
	} {
		o, err := NewOrigins("http://own.test:3000/path/", []string{c.entry})
		if err != nil {
			t.Fatal(err)
		}
		for _, origin := range append(c.trusts, "http://own.test:3000") {
			if !o.Trusted(origin) {
				t.Errorf("%q does not trust %q", c.entry, origin)
			}
		}
		for _, origin := range append(c.refuses, "http://own.test", "ftp://own.test:3000", "") {
			if o.Trusted(origin) {
				t.Errorf("%q trusts %q", c.entry, origin)
			}
		}
		var want []string
		if c.ignored {
			want = []string{c.entry}
		}
		if diff := cmp.Diff(want, o.Ignored()); diff != "" {
			t.Errorf("%q ignored (-want +got):\n%s", c.entry, diff)
		}
	}
}

func TestCheckRedirects(t *testing.T) {
	t.Parallel()
	s := newCore(t, Options{})
	r := httptest.NewRequest(http.MethodPost, "/api/auth/sign-in/email", nil)
	check := func(body map[string]any, query string) string {
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		b, err := DecodeBody("application/json", raw, false)
		if err != nil {
			t.Fatal(err)
		}
		e, ok := errors.AsType[*Error](s.CheckRedirects(r, b, query))
		if !ok {
			return ""
		}
		return e.Code + " " + e.Message
	}
	const refused = "INVALID_CALLBACK_URL Invalid callbackURL"
	for _, good := range []string{"", "/", "/ok", "/a b", "/a?x=https://evil.test", "/a?b=%2f", "/a#%5c", "http://localhost:3000", "http://localhost:3000/x?y"} {
		if got := check(map[string]any{"callbackURL": good}, ""); got != "" {
			t.Errorf("%q: %s", good, got)
		}
		if got := check(nil, good); got != "" {
			t.Errorf("query %q: %s", good, got)
		}
	}
	for _, bad := range []string{
		"//evil.test", `/\evil`, "/a%2fb", "/a%5Cb", "/a\nb", "/a\u0085b", "foo", "javascript:alert(1)", "http://localhost:3000.evil.test/", "https://evil.test",
		`http://localhost:3000\@evil.test`, "http:localhost:3000", " /x", "http:///x", "data:text/html,x", "HTTPS://evil.test",
	} {
		if got := check(map[string]any{"callbackURL": bad}, ""); got != refused {
			t.Errorf("%q: %q", bad, got)
		}
		if got := check(nil, bad); got != refused {
			t.Errorf("query %q: %q", bad, got)
		}
	}
	for field, want := range map[string]string{
		"redirectTo":         "INVALID_REDIRECT_URL Invalid redirectURL",
		"errorCallbackURL":   "INVALID_ERROR_CALLBACK_URL Invalid errorCallbackURL",
		"newUserCallbackURL": "INVALID_NEW_USER_CALLBACK_URL Invalid newUserCallbackURL",
	} {
		if got := check(map[string]any{field: "https://evil.test"}, ""); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
	for _, odd := range []any{5, true, []int{}, map[string]int{}} {
		if got := check(map[string]any{"callbackURL": odd}, ""); got != " Invalid callbackURL: expected a string" {
			t.Errorf("callbackURL %v: %q", odd, got)
		}
	}
	for _, absent := range []any{nil, false, 0} {
		if got := check(map[string]any{"callbackURL": absent}, ""); got != "" {
			t.Errorf("callbackURL %v: %q", absent, got)
		}
	}
}

// TestOwnHost is about a server whose gateway hands over what was sent to its own
// names only: the request's host is the origin, by https.
func TestOwnHost(t *testing.T) {
	t.Parallel()
	s := newCore(t, Options{OwnHost: true, TrustedOrigins: []string{"https://app.example.com"}})
	request := func(host, origin string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/api/auth/sign-out", nil)
		r.Host = host
		r.Header.Set("Cookie", "a=b")
		r.Header.Set("Origin", origin)
		return r
	}
	for _, c := range []struct {
		host, origin string
		want         error
	}{
		{"a1.execute-api.test", "https://a1.execute-api.test", nil},
		{"A1.execute-api.test:443", "https://a1.execute-api.test", nil},
		{"pulse.example.com", "https://pulse.example.com", nil},
		{"a1.execute-api.test", "https://app.example.com", nil},
		{"a1.execute-api.test", "http://a1.execute-api.test", ErrInvalidOrigin},
		{"a1.execute-api.test", "https://a2.execute-api.test", ErrInvalidOrigin},
		{"a1.execute-api.test", "https://a1.execute-api.test.evil.test", ErrInvalidOrigin},
		{"a1.execute-api.test", "http://localhost:3000", ErrInvalidOrigin},
		{"a1.execute-api.test", "https://own-host.invalid", ErrInvalidOrigin},
		{"", "https://", ErrInvalidOrigin},
		{"", "null", ErrMissingOrNullOrigin},
	} {
		if err := s.CheckOrigin(request(c.host, c.origin), false); !errors.Is(err, c.want) {
			t.Errorf("host %q, origin %q: %v, want %v", c.host, c.origin, err, c.want)
		}
	}
	r := request("a1.execute-api.test", "")
	if got := s.Own(r); got != "https://a1.execute-api.test" {
		t.Errorf("own origin %q", got)
	}
	if err := s.CheckRedirect(r, "callbackURL", "https://a1.execute-api.test/x"); err != nil {
		t.Errorf("a redirect to the own host: %v", err)
	}
	if err := s.CheckRedirect(r, "callbackURL", "https://a2.execute-api.test/x"); err == nil {
		t.Error("a redirect to another host passes")
	}
	if c := s.SessionCookies("token", true, "")[0]; c.Name != "__Secure-better-auth.session_token" || !c.Secure {
		t.Errorf("the session cookie is %s, secure %v", c.Name, c.Secure)
	}
}
