package betterauth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// vectors were made by the library (1.7.25, checked with 1.4.18) and read back
// from its databases.
type vectors struct {
	Cookies []struct {
		Note, Name, Secret, Value string
		CookieValue               string `json:"cookie_value"`
		SetCookie                 string `json:"set_cookie"`
	}
	LiveCookies []struct {
		Secret, Value string
		CookieValue   string `json:"cookie_value"`
	} `json:"live_cookies"`
	Passwords []struct {
		Note, Password, Salt, Stored string
		KeyHex                       string `json:"key_hex"`
		Units                        int    `json:"utf16_units"`
	}
	LiveHashes []struct{ Password, Stored, Note string } `json:"live_hashes"`
	MustReject []struct {
		Kind, Secret, Password, Stored, Why string
		CookieValue                         string `json:"cookie_value"`
	} `json:"must_reject"`
	EmailJWT struct {
		Secret, Token string
		Payload       struct {
			Email    string
			IAT, EXP int64 // seconds since 1970
		}
	} `json:"email_jwt"`
	CookieCache struct {
		Secret      string
		CookieValue string `json:"cookie_value"`
	} `json:"cookie_cache"`
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Cookies) == 0 || len(v.LiveCookies) == 0 || len(v.Passwords) == 0 || len(v.LiveHashes) == 0 || len(v.MustReject) == 0 || v.EmailJWT.Token == "" || v.CookieCache.CookieValue == "" {
		t.Fatal("vectors.json lacks a section")
	}
	return v
}

// newCore makes a Service without a store, for what needs none.
func newCore(t *testing.T, o Options) *Service {
	t.Helper()
	if o.BaseURL == "" {
		o.BaseURL = "http://localhost:3000"
	}
	if o.Secret == "" {
		o.Secret = strings.Repeat("0123456789abcdef", 3)
	}
	s, err := New(nil, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCookieVectors(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	for _, c := range v.Cookies {
		t.Run(c.Note, func(t *testing.T) {
			t.Parallel()
			o := Options{Secret: c.Secret}
			if strings.HasPrefix(c.Name, securePrefix) {
				o.BaseURL = "https://pulse.example.com"
			}
			s := newCore(t, o)
			if got := s.SignCookie(c.Value); got != c.CookieValue {
				t.Errorf("SignCookie(%q) = %q, want %q", c.Value, got, c.CookieValue)
			}
			checkVerify(t, s, c.CookieValue, c.Value)
			// The whole line: of a remembered session, of one that is not, and of the marker.
			var lines []string
			for _, remember := range []bool{true, false} {
				h := http.Header{}
				AddCookies(h, s.SessionCookies(c.Value, remember, ""))
				lines = append(lines, h.Values("Set-Cookie")...)
			}
			found := false
			for _, line := range lines {
				found = found || line == c.SetCookie
			}
			if !found {
				t.Errorf("no Set-Cookie equals %q:\n%s", c.SetCookie, strings.Join(lines, "\n"))
			}
		})
	}
	for _, c := range v.LiveCookies {
		s := newCore(t, Options{Secret: c.Secret})
		if got := s.SignCookie(c.Value); got != c.CookieValue {
			t.Errorf("SignCookie(%q) = %q, want %q", c.Value, got, c.CookieValue)
		}
		checkVerify(t, s, c.CookieValue, c.Value)
	}
}

func checkVerify(t *testing.T, s *Service, cookie, want string) {
	t.Helper()
	decoded := strings.NewReplacer("%2F", "/", "%2B", "+", "%3D", "=").Replace(cookie)
	lower := strings.NewReplacer("%2F", "%2f", "%2B", "%2b", "%3D", "%3d").Replace(cookie)
	plus := strings.ReplaceAll(cookie, "%2B", "+") // some encoders leave it
	for _, form := range []string{cookie, decoded, lower, plus} {
		if got, ok := s.VerifyCookie(form); !ok || got != want {
			t.Errorf("VerifyCookie(%q) = %q, %v, want %q", form, got, ok, want)
		}
	}
}

func TestPasswordVectors(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	s := newCore(t, Options{})
	for _, p := range v.Passwords {
		t.Run(p.Note, func(t *testing.T) {
			t.Parallel()
			if got := utf16Units(p.Password); got != p.Units {
				t.Errorf("utf16Units = %d, want %d", got, p.Units)
			}
			if err := CheckNewPassword(p.Password); err != nil {
				t.Errorf("CheckNewPassword: %v", err)
			}
			if key, err := s.hasher.key(t.Context(), p.Password, p.Salt); err != nil || key != p.KeyHex {
				t.Errorf("key = %q, %v, want %q", key, err, p.KeyHex)
			}
			if ok, err := s.VerifyPassword(t.Context(), p.Password, p.Stored); !ok || err != nil {
				t.Errorf("VerifyPassword = %v, %v", ok, err)
			}
		})
	}
	for _, p := range v.LiveHashes {
		if ok, err := s.VerifyPassword(t.Context(), p.Password, p.Stored); !ok || err != nil {
			t.Errorf("%s: VerifyPassword = %v, %v", p.Note, ok, err)
		}
	}
}

func TestVectorsToReject(t *testing.T) {
	t.Parallel()
	for _, r := range readVectors(t).MustReject {
		t.Run(r.Why, func(t *testing.T) {
			t.Parallel()
			if r.Kind == "cookie" {
				if value, ok := newCore(t, Options{Secret: r.Secret}).VerifyCookie(r.CookieValue); ok {
					t.Errorf("took %q as %q", r.CookieValue, value)
				}
				return
			}
			if ok, err := newCore(t, Options{}).VerifyPassword(t.Context(), r.Password, r.Stored); ok || err != nil {
				t.Errorf("VerifyPassword = %v, %v, want false", ok, err)
			}
		})
	}
}

func TestEmailTokenVector(t *testing.T) {
	t.Parallel()
	v := readVectors(t).EmailJWT
	at := func(seconds int64) *Service {
		return newCore(t, Options{Secret: v.Secret, Now: func() time.Time { return time.Unix(seconds, 0) }})
	}
	for _, now := range []int64{v.Payload.IAT, v.Payload.EXP - 1} {
		if email, err := at(now).verifiedEmail(v.Token); err != nil || email != v.Payload.Email {
			t.Errorf("at %d: %q, %v, want %q", now, email, err, v.Payload.Email)
		}
	}
	if _, err := at(v.Payload.EXP).verifiedEmail(v.Token); !errors.Is(err, ErrVerificationExpired) {
		t.Errorf("when it has ended: %v", err)
	}
	signed := v.Token[:strings.LastIndexByte(v.Token, '.')]
	sign := func(header, payload string) string {
		part := base64.RawURLEncoding.EncodeToString
		text := part([]byte(header)) + "." + part([]byte(payload))
		return text + "." + part(at(0).mac(text))
	}
	const head, body = `{"alg":"HS256"}`, `{"email":"a@example.com","exp":9999999999}`
	if email, err := at(v.Payload.IAT).verifiedEmail(sign(head, body)); err != nil || email != "a@example.com" {
		t.Errorf("one that was signed here: %q, %v", email, err)
	}
	for name, token := range map[string]string{
		"empty": "", "no signature": signed, "empty signature": signed + ".", "cut": v.Token[:len(v.Token)-1], "four parts": v.Token + ".x",
		"changed":           strings.Replace(v.Token, ".eyJ", ".eyK", 1),
		"unsigned":          base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + v.Token[strings.IndexByte(v.Token, '.'):],
		"another algorithm": sign(`{"alg":"none"}`, body),
		"no JSON":           sign("x", body),
		"no address":        sign(head, `{"exp":9999999999}`),
		"no text":           sign(head, `{"email":5,"exp":9999999999}`),
		"another address":   sign(head, `{"email":"a@example.com","updateTo":"b@example.com","exp":9999999999}`),
		"a session's":       at(0).SignCookie("x.y"),
	} {
		if email, err := at(v.Payload.IAT).verifiedEmail(token); !errors.Is(err, ErrInvalidVerification) {
			t.Errorf("%s: %q, %v", name, email, err)
		}
	}
	if _, err := newCore(t, Options{}).verifiedEmail(sign(head, `{"email":"a@example.com"}`)); !errors.Is(err, ErrVerificationExpired) {
		t.Errorf("one without an end: %v", err)
	}
	if _, err := newCore(t, Options{Secret: strings.Repeat("x", 32)}).verifiedEmail(v.Token); !errors.Is(err, ErrInvalidVerification) {
		t.Errorf("under another secret: %v", err)
	}
}
