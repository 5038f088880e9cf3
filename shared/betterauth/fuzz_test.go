package betterauth

import (
	"net/http"
	"strings"
	"testing"
)

func FuzzCookieHeader(f *testing.F) {
	s, err := New(nil, nil, Options{BaseURL: "https://pulse.example.com", Secret: strings.Repeat("0123456789abcdef", 3)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("better-auth.session_token=" + s.SignCookie("token"))
	f.Add(`__Secure-better-auth.session_token="x.%zz"; better-auth.session_data.0=; better-auth.dont_remember=`)
	f.Add(";;=;.=.;better-auth.session_token=.")
	f.Fuzz(func(t *testing.T, header string) {
		if token := s.SessionToken(header); token != "" {
			if got, ok := s.VerifyCookie(s.SignCookie(token)); !ok || got != token {
				t.Errorf("token %q does not survive signing", token)
			}
		}
		set := append(s.ClearCookies(header), s.ClearCacheCookies(header)...)
		if len(set) > 2*maxCacheCookies+5 {
			t.Errorf("%d cookies to clear", len(set))
		}
		h := http.Header{}
		AddCookies(h, set)
		for _, line := range h.Values("Set-Cookie") {
			if c, err := http.ParseSetCookie(line); err != nil || c.Value != "" || c.MaxAge >= 0 {
				t.Errorf("line %q: %v", line, err)
			}
		}
	})
}

func FuzzDecodeBody(f *testing.F) {
	f.Add("application/json", []byte(`{"email":"a@b.co","password":"x","rememberMe":false}`))
	f.Add("application/x-www-form-urlencoded", []byte("email=a%40b.co&password=%ff"))
	f.Add("application/json", []byte(`{"a":{"b":[1,2,{"c":"\ud800"}]},"email":-1e999}`))
	f.Add("text/plain", []byte("x"))
	f.Fuzz(func(t *testing.T, contentType string, raw []byte) {
		body, err := DecodeBody(contentType, raw, true)
		if err != nil {
			return
		}
		fields := []Field{{Name: "email", Email: true}, {Name: "password", NonEmpty: true}, {Name: "rememberMe", Boolean: true, Optional: true}}
		if body.Object(fields...) == nil {
			if !ValidEmail(body.String("email")) || body.String("password") == "" {
				t.Errorf("checked, but e-mail %q and password of %d bytes", body.String("email"), len(body.String("password")))
			}
			if body.Has("rememberMe") && body.True("rememberMe") == body.False("rememberMe") {
				t.Error("rememberMe is neither true nor false")
			}
		}
		if body.Record() == nil && body.OptionalObject() != nil {
			t.Error("a record that is no object")
		}
		for _, name := range []string{"email", "callbackURL"} {
			_ = body.Truthy(name)
		}
	})
}
