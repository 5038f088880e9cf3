package betterauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/fault"
)

func TestNew(t *testing.T) {
	t.Parallel()
	_, err := New(nil, nil, Options{BaseURL: "localhost", Secret: "short"})
	if err == nil || !strings.Contains(err.Error(), "base URL") || !strings.Contains(err.Error(), "secret") {
		t.Errorf("New = %v, want both faults", err)
	}
}

func TestNewID(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	letters := map[rune]int{}
	for range 2000 {
		id := NewID()
		if len(id) != 32 || seen[id] {
			t.Fatalf("NewID = %q: not 32 long, or seen before", id)
		}
		seen[id] = true
		for _, r := range id {
			if !strings.ContainsRune(idAlphabet, r) {
				t.Fatalf("NewID = %q: %q is no letter or digit", id, r)
			}
			letters[r]++
		}
	}
	// 64,000 draws of 62: about 1,032 each; taking bytes modulo 62 would give
	// the first eight letters 1,250.
	for _, r := range idAlphabet {
		if n := letters[r]; n < 850 || n > 1220 {
			t.Errorf("%q came %d times, want about 1032", r, n)
		}
	}
}

func TestValidEmail(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"a'b@x.co", "a.b@x.co", "a+b@x.co", "_@x.co", "-@x.co", "a@x-.co", "a@xn--bcher-kva.co", "A@X.CO",
		strings.Repeat("a", 300) + "@x.co", "ann@example.com", "a@b.c.d.example",
	} {
		if !ValidEmail(good) {
			t.Errorf("refused %q", good)
		}
	}
	for _, bad := range []string{
		"", "@", "a", "a@", "@x.co", "a'@x.co", "a.@x.co", ".a@x.co", "a..b@x.co", "ü@x.co", "a@bücher.co", "a@localhost", "a@x.c",
		"a@1.2.3.4", "a@-x.co", "a@x.co.", "a@x.c0m", "a@x_y.co", "a!b@x.co", "a%b@x.co", `"a"@x.co`, "a@[1.2.3.4]", "<a@x.co>",
		" a@x.co", "a@x.co ", "a@x.co\n", "a@x..co", "a b@x.co", "a\x00@x.co", "a@b@x.co",
	} {
		if ValidEmail(bad) {
			t.Errorf("took %q", bad)
		}
	}
}

func TestCheckNewPassword(t *testing.T) {
	t.Parallel()
	for password, want := range map[string]error{
		"":                       ErrPasswordTooShort,
		"1234567":                ErrPasswordTooShort,
		"12345678":               nil,
		"        ":               nil, // nothing is trimmed
		strings.Repeat("x", 128): nil,
		strings.Repeat("x", 129): ErrPasswordTooLong,
		strings.Repeat("😀", 3):   ErrPasswordTooShort,
		strings.Repeat("😀", 4):   nil,
		strings.Repeat("😀", 64):  nil,
		strings.Repeat("😀", 65):  ErrPasswordTooLong,
		strings.Repeat("é", 128): nil,                 // units, not bytes
		strings.Repeat("ﬁ", 7):   ErrPasswordTooShort, // as typed, not as normalised
		strings.Repeat("é", 129): ErrPasswordTooLong,
	} {
		if err := CheckNewPassword(password); !errors.Is(err, want) || (want == nil) != (err == nil) {
			t.Errorf("CheckNewPassword(%q) = %v, want %v", password, err, want)
		}
	}
}

func TestHashPassword(t *testing.T) {
	t.Parallel()
	s := newCore(t, Options{})
	one, err := s.HashPassword(t.Context(), "password123")
	if err != nil {
		t.Fatal(err)
	}
	two, err := s.HashPassword(t.Context(), "password123")
	if err != nil {
		t.Fatal(err)
	}
	if len(one) != 161 || one[32] != ':' || one == two || one != strings.ToLower(one) {
		t.Errorf("hashes %q and %q: want salt:key, 161 lower-case characters, a salt of its own each", one, two)
	}
	for password, want := range map[string]bool{"password123": true, "password124": false, "": false, "ｐassword123": true} {
		if ok, err := s.VerifyPassword(t.Context(), password, one); ok != want || err != nil {
			t.Errorf("VerifyPassword(%q) = %v, %v, want %v", password, ok, err, want)
		}
	}
	for _, damaged := range []string{"", "no colon", ":key", "salt:"} {
		if ok, err := s.VerifyPassword(t.Context(), "x", damaged); ok || err == nil {
			t.Errorf("VerifyPassword against %q = %v, %v, want an error", damaged, ok, err)
		}
	}
	if ok, err := s.VerifyPassword(t.Context(), "x", "nonsense:here"); ok || err != nil {
		t.Errorf("VerifyPassword against nonsense = %v, %v, want false", ok, err)
	}
}

func TestHashesAreBounded(t *testing.T) {
	t.Parallel()
	s := newCore(t, Options{HashesAtOnce: 1})
	s.hasher.slots <- struct{}{} // somebody else is hashing
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.HashPassword(ctx, "password123"); !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("HashPassword while full = %v, want unavailable", err)
	}
	<-s.hasher.slots
	if _, err := s.HashPassword(t.Context(), "password123"); err != nil {
		t.Errorf("HashPassword when free again: %v", err)
	}
	if len(s.hasher.slots) != 0 {
		t.Error("the slot was not given back")
	}
}

func TestSessionToken(t *testing.T) {
	t.Parallel()
	s := newCore(t, Options{})
	good, other := s.SignCookie("token1"), s.SignCookie("token2")
	const plain, secure = sessionCookieName, securePrefix + sessionCookieName
	for name, c := range map[string]struct{ header, want string }{
		"Plain":              {plain + "=" + good, "token1"},
		"Prefixed":           {secure + "=" + good, "token1"},
		"PrefixedFirst":      {plain + "=" + other + "; " + secure + "=" + good, "token1"},
		"PrefixedForged":     {secure + "=forged; " + plain + "=" + good, "token1"},
		"FirstOfDuplicates":  {plain + "=" + good + "; " + plain + "=" + other, "token1"},
		"FirstIsForged":      {plain + "=x; " + plain + "=" + good, ""},
		"Quoted":             {` a=b;  ` + plain + ` = "` + good + `" `, "token1"},
		"Unencoded":          {plain + "=" + strings.NewReplacer("%2F", "/", "%2B", "+", "%3D", "=").Replace(good), "token1"},
		"BadEscape":          {plain + "=" + good + "%zz", ""},
		"OtherName":          {"x" + plain + "=" + good, ""},
		"Empty":              {"", ""},
		"NoValue":            {plain, ""},
		"SignatureOfNothing": {plain + "=" + s.SignCookie(""), ""},
	} {
		if got := s.SessionToken(c.header); got != c.want {
			t.Errorf("%s: SessionToken = %q, want %q", name, got, c.want)
		}
	}
}

func TestClearCookies(t *testing.T) {
	t.Parallel()
	lines := func(cookies []*http.Cookie) []string {
		h := http.Header{}
		AddCookies(h, cookies)
		return h.Values("Set-Cookie")
	}
	const tail = "=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"
	const secureTail = "=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax"
	three := []string{"better-auth.session_token" + tail, "better-auth.session_data" + tail, "better-auth.dont_remember" + tail}
	plain := newCore(t, Options{})
	if diff := cmp.Diff(three, lines(plain.ClearCookies(""))); diff != "" {
		t.Errorf("without cookies (-want +got):\n%s", diff)
	}
	header := "better-auth.session_token=x; better-auth.session_data=y; better-auth.session_data.0=a; better-auth.session_data.1=b; better-auth.session_data.x=c; better-auth.session_datas=d"
	if diff := cmp.Diff(append(three, "better-auth.session_data.0"+tail, "better-auth.session_data.1"+tail), lines(plain.ClearCookies(header))); diff != "" {
		t.Errorf("with a cache (-want +got):\n%s", diff)
	}
	secure := newCore(t, Options{BaseURL: "https://pulse.example.com"})
	want := []string{
		"__Secure-better-auth.session_token" + secureTail, "__Secure-better-auth.session_data" + secureTail,
		"__Secure-better-auth.dont_remember" + secureTail, "better-auth.session_token" + tail,
	}
	if diff := cmp.Diff(want, lines(secure.ClearCookies("better-auth.session_token=x"))); diff != "" {
		t.Errorf("https with the plain cookie (-want +got):\n%s", diff)
	}
	if n := len(plain.ClearCacheCookies(strings.Repeat("better-auth.session_data.1=;", 50) + manyCacheCookies())); n > maxCacheCookies {
		t.Errorf("%d cookies cleared, want at most %d", n, maxCacheCookies)
	}
	local := lines([]*http.Cookie{secure.LocalSessionCookie("t")})[0]
	if !strings.HasPrefix(local, "better-auth.session_token=t.") || strings.Contains(local, "Secure") {
		t.Errorf("LocalSessionCookie = %q", local)
	}
}

func manyCacheCookies() string {
	var b strings.Builder
	for i := range 200 {
		b.WriteString(cacheCookieName + "." + string(rune('0'+i%10)) + string(rune('0'+i/10%10)) + "=;")
	}
	return b.String()
}

func TestStoredIP(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                       "",
		"nonsense":               "",
		"192.0.2.1":              "192.0.2.1",
		" 192.0.2.1 ":            "192.0.2.1",
		"192.0.2.1:80":           "",
		"::ffff:192.0.2.1":       "192.0.2.1",
		"::1":                    "0000:0000:0000:0000:0000:0000:0000:0000",
		"2001:DB8:1:2:3:4:5:6":   "2001:0db8:0001:0002:0000:0000:0000:0000",
		"fe80::1%eth0":           "",
		"192.0.2.1, 203.0.113.9": "",
	} {
		if got := storedIP(in); got != want {
			t.Errorf("storedIP(%q) = %q, want %q", in, got, want)
		}
	}
	if got := storedUserAgent("a\x00b\xff" + strings.Repeat("c", 2000)); strings.Contains(got, "\x00") || !strings.HasPrefix(got, "ab\uFFFDccc") || len(got) > maxUserAgentBytes+2 {
		t.Errorf("storedUserAgent = %q", got)
	}
	if got := storedUserAgent(strings.Repeat("u", 600)); len(got) != 600 {
		t.Errorf("600 characters became %d", len(got))
	}
}

func TestErrorsAreFaults(t *testing.T) {
	t.Parallel()
	if !fault.Is(ErrInvalidOrigin, fault.Forbidden) || !fault.Is(ErrUnauthorized, fault.Unauthenticated) {
		t.Error("an Error does not unwrap to its fault")
	}
	f, ok := errors.AsType[*fault.Error](error(ErrPasswordTooShort))
	if !ok || f.Message != "Password too short" {
		t.Errorf("fault of ErrPasswordTooShort = %v", f)
	}
}

// clock is a clock that stands still until it is moved.
type clock struct{ at time.Time }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) forward(d time.Duration) { c.at = c.at.Add(d) }

func TestAllow(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T, l Limits) (*Service, *clock) {
		c := &clock{at: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)}
		return newCore(t, Options{Limits: l, Now: c.now}), c
	}
	refused := func(t *testing.T, err error, want time.Duration) {
		t.Helper()
		e, ok := errors.AsType[*Error](err)
		if !ok || !fault.Is(err, fault.RateLimited) || e.RetryAfter() != want || e.Code != "" || e.Message != "Too many requests. Please try again later." {
			t.Fatalf("Allow = %v, want a refusal for %v", err, want)
		}
	}
	t.Run("CountsFromTheLastAllowed", func(t *testing.T) {
		t.Parallel()
		s, c := setup(t, ProductionLimits())
		for range 3 {
			if err := s.Allow("192.0.2.1", PathSignIn); err != nil {
				t.Fatal(err)
			}
			c.forward(time.Second)
		}
		refused(t, s.Allow("192.0.2.1", PathSignIn), 9*time.Second)
		c.forward(8 * time.Second)
		refused(t, s.Allow("192.0.2.1", PathSignIn), time.Second)
		c.forward(time.Second)
		if err := s.Allow("192.0.2.1", PathSignIn); err != nil {
			t.Fatalf("after the window: %v", err)
		}
	})
	t.Run("AddressesAndRoutesApart", func(t *testing.T) {
		t.Parallel()
		s, _ := setup(t, ProductionLimits())
		for range 3 {
			for _, who := range []string{"192.0.2.1", "192.0.2.2", "2001:db8::1", ""} {
				if err := s.Allow(who, PathSignIn); err != nil {
					t.Fatal(err)
				}
			}
		}
		refused(t, s.Allow("192.0.2.1", PathSignIn), 10*time.Second)
		refused(t, s.Allow("::ffff:192.0.2.2", PathSignIn), 10*time.Second)
		refused(t, s.Allow("2001:db8::ffff", PathSignIn), 10*time.Second) // the same /64
		refused(t, s.Allow("no address", PathSignIn), 10*time.Second)     // unknown ones share
		if err := s.Allow("192.0.2.1", PathSignUp); err != nil {
			t.Errorf("another route: %v", err)
		}
	})
	t.Run("Rules", func(t *testing.T) {
		t.Parallel()
		s, _ := setup(t, ProductionLimits())
		for path, want := range map[string]int{
			"/sign-in/email": 3, "/sign-in/social": 3, "/sign-up/email": 3, "/change-password": 3, "/change-email": 3,
			"/request-password-reset": 3, "/send-verification-email": 3, "/forget-password": 3, "/get-session": 100, "/ok": 100,
		} {
			n := 0
			for s.Allow("192.0.2.1", path) == nil {
				n++
			}
			if n != want {
				t.Errorf("%s: %d allowed, want %d", path, n, want)
			}
		}
	})
	t.Run("Off", func(t *testing.T) {
		t.Parallel()
		s, _ := setup(t, Limits{})
		for range 1000 {
			if err := s.Allow("192.0.2.1", PathSignIn); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(s.limiter.counters); n != 0 {
			t.Errorf("%d counters kept for nothing", n)
		}
	})
	t.Run("MemoryIsBounded", func(t *testing.T) {
		t.Parallel()
		limits := ProductionLimits()
		limits.MaxKeys = 10
		s, _ := setup(t, limits)
		for i := range 1000 {
			if err := s.Allow("10.0."+string(rune('0'+i%10))+"."+string(rune('0'+i/10%10)), "/ok"); err != nil {
				t.Fatal(err)
			}
		}
		if len(s.limiter.counters) != 10 || s.limiter.recent.Len() != 10 {
			t.Errorf("%d counters, %d in the list, want 10", len(s.limiter.counters), s.limiter.recent.Len())
		}
	})
	t.Run("ClockSetBack", func(t *testing.T) {
		t.Parallel()
		s, c := setup(t, ProductionLimits())
		for s.Allow("192.0.2.1", PathSignIn) == nil {
		}
		c.forward(-24 * time.Hour)
		if err := s.Allow("192.0.2.1", PathSignIn); err != nil {
			t.Errorf("locked out by the clock: %v", err)
		}
	})
}

func TestBody(t *testing.T) {
	t.Parallel()
	signIn := []Field{{Name: "email"}, {Name: "password"}, {Name: "callbackURL", Optional: true}, {Name: "rememberMe", Boolean: true, Optional: true}}
	for name, c := range map[string]struct {
		contentType, raw string
		form             bool
		want             string
	}{
		"OK":            {"application/json", `{"email":"a","password":"b"}`, false, ""},
		"OKParameters":  {"Application/JSON ; charset=utf-8", ` {"email":"a","password":"b","rememberMe":false,"x":[1]} `, false, ""},
		"OKForm":        {"application/x-www-form-urlencoded", "email=a%40b&password=", true, ""},
		"None":          {"", "", false, "[body] Invalid input: expected object, received undefined"},
		"NoneOfAType":   {"text/plain", "", false, "[body] Invalid input: expected object, received undefined"},
		"Empty":         {"application/json", `{}`, false, "[body.email] Invalid input: expected string, received undefined; [body.password] Invalid input: expected string, received undefined"},
		"Null":          {"application/json", `null`, false, "[body] Invalid input: expected object, received null"},
		"Array":         {"application/json", `[]`, false, "[body] Invalid input: expected object, received array"},
		"Number":        {"application/json", `-1.5`, false, "[body] Invalid input: expected object, received number"},
		"Kinds":         {"application/json", `{"email":5,"password":null,"callbackURL":true,"rememberMe":"false"}`, false, "[body.email] Invalid input: expected string, received number; [body.password] Invalid input: expected string, received null; [body.callbackURL] Invalid input: expected string, received boolean; [body.rememberMe] Invalid input: expected boolean, received string"},
		"FormCannotSay": {"application/x-www-form-urlencoded", "email=a&password=b&rememberMe=false", true, "[body.rememberMe] Invalid input: expected boolean, received string"},
		"Malformed":     {"application/json", `{bad`, false, "Invalid JSON in request body"},
		"Blank":         {"application/json", ` `, false, "Invalid JSON in request body"},
		"Trailing":      {"application/json", `{} {}`, false, "Invalid JSON in request body"},
		"TooDeep":       {"application/json", strings.Repeat("[", 20000) + strings.Repeat("]", 20000), false, "Invalid JSON in request body"},
		"BadForm":       {"application/x-www-form-urlencoded", "a=%zz", true, "Invalid form in request body"},
		"NoType":        {"", `{}`, false, "Content-Type is required. Allowed types: application/json"},
		"NoTypeForm":    {"", `{}`, true, "Content-Type is required. Allowed types: application/x-www-form-urlencoded, application/json"},
		"OtherType":     {"Text/Plain; a=b", `{}`, false, `Content-Type "Text/Plain; a=b" is not allowed. Allowed types: application/json`},
		"FormRefused":   {"application/x-www-form-urlencoded", "email=a", false, `Content-Type "application/x-www-form-urlencoded" is not allowed. Allowed types: application/json`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := DecodeBody(c.contentType, []byte(c.raw), c.form)
			if err == nil {
				err = body.Object(signIn...)
			}
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
	t.Run("Rules", func(t *testing.T) {
		t.Parallel()
		body, err := DecodeBody("application/json", []byte(`{"email":"bad","password":""}`), false)
		if err != nil {
			t.Fatal(err)
		}
		err = body.Object(Field{Name: "email", Email: true}, Field{Name: "password", NonEmpty: true})
		const want = "[body.email] Invalid email address; [body.password] Too small: expected string to have >=1 characters"
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		err = ValidateQuery(url.Values{"x": {"1"}}, Field{Name: "x"}, Field{Name: "token"})
		if err == nil || err.Error() != "[query.token] Invalid input: expected string, received undefined" {
			t.Errorf("query: %v", err)
		}
		if err := (Body{}).Record(); err == nil || err.Error() != "[body] Invalid input: expected record, received undefined" {
			t.Errorf("record: %v", err)
		}
		if err := (Body{}).OptionalObject(); err != nil {
			t.Errorf("optional: %v", err)
		}
	})
	t.Run("LastOfDuplicatesWins", func(t *testing.T) {
		t.Parallel()
		for _, c := range [][2]string{{"application/json", `{"email":"a","email":"b"}`}, {"application/x-www-form-urlencoded", "email=a&email=b"}} {
			body, err := DecodeBody(c[0], []byte(c[1]), true)
			if err != nil || body.String("email") != "b" {
				t.Errorf("%s: %q, %v", c[0], body.String("email"), err)
			}
		}
	})
}
