package betterauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Cookie names without the prefix that https adds.
const (
	sessionCookieName = "better-auth.session_token"
	// cacheCookieName is the library's cookie cache, which Pulse never sets. It
	// is cleared with the others, and alone when a browser still sends one.
	cacheCookieName    = "better-auth.session_data"
	rememberCookieName = "better-auth.dont_remember"
	securePrefix       = "__Secure-"
)

// dontRememberValue is what the dont_remember cookie signs.
const dontRememberValue = "true"

// signatureLength is that of a padded base64 SHA-256 MAC.
const signatureLength = 44

func (s *Service) mac(value string) []byte {
	h := hmac.New(sha256.New, s.secret)
	h.Write([]byte(value))
	return h.Sum(nil)
}

// SignCookie gives a cookie's value for value: value, a dot and the base64
// HMAC-SHA-256 of value under the secret, percent-encoded.
func (s *Service) SignCookie(value string) string {
	return url.QueryEscape(value + "." + base64.StdEncoding.EncodeToString(s.mac(value)))
}

// VerifyCookie undoes SignCookie. It takes values that are not percent-encoded
// too. False means that the value is not signed under this secret, which is the
// same as no cookie.
func (s *Service) VerifyCookie(cookie string) (value string, ok bool) {
	if strings.Contains(cookie, "%") {
		// Not QueryUnescape: a "+" of the base64 alphabet must stay one.
		if decoded, err := url.PathUnescape(cookie); err == nil {
			cookie = decoded
		}
	}
	dot := strings.LastIndexByte(cookie, '.')
	if dot < 1 {
		return "", false
	}
	value, signature := cookie[:dot], cookie[dot+1:]
	if len(signature) != signatureLength {
		return "", false
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(signature)
	if err != nil || !hmac.Equal(sum, s.mac(value)) {
		return "", false
	}
	return value, true
}

// CookieHeader gives the cookies of a request as one header value; HTTP/2 and
// some proxies send several.
func CookieHeader(h http.Header) string { return strings.Join(h.Values("Cookie"), "; ") }

// cookieValue finds a cookie in a Cookie header. The first of several of one
// name counts.
func cookieValue(header, name string) (string, bool) {
	for pair := range strings.SplitSeq(header, ";") {
		n, v, ok := strings.Cut(pair, "=")
		if ok && strings.TrimSpace(n) == name {
			return unquote(strings.TrimSpace(v)), true
		}
	}
	return "", false
}

func unquote(v string) string {
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		return v[1 : len(v)-1]
	}
	return v
}

// signedCookie gives the verified value of a cookie: of the prefixed name
// first, then of the plain one, which the local login and clients that strip
// the prefix send even where the server is reached over https.
func (s *Service) signedCookie(header, name string) (string, bool) {
	for _, n := range [...]string{securePrefix + name, name} {
		if raw, ok := cookieValue(header, n); ok {
			if value, ok := s.VerifyCookie(raw); ok {
				return value, true
			}
		}
	}
	return "", false
}

// SessionToken gives the token that a Cookie header signs in with, "" if none.
func (s *Service) SessionToken(cookieHeader string) string {
	token, _ := s.signedCookie(cookieHeader, sessionCookieName)
	return token
}

func (s *Service) dontRemember(cookieHeader string) bool {
	value, ok := s.signedCookie(cookieHeader, rememberCookieName)
	return ok && value == dontRememberValue
}

func (s *Service) cookie(name, value string, maxAge int) *http.Cookie {
	if s.secure {
		name = securePrefix + name
	}
	return &http.Cookie{Name: name, Value: value, MaxAge: maxAge, Path: "/", HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode}
}

// SessionCookies are what a new or renewed session puts into an answer. With
// remember the cookie lasts as long as the session; without it ends with the
// browser, and a second cookie keeps the session from being extended.
// cookieHeader is the request's: a dont_remember that no longer holds is expired.
func (s *Service) SessionCookies(token string, remember bool, cookieHeader string) []*http.Cookie {
	if !remember {
		return []*http.Cookie{
			s.cookie(sessionCookieName, s.SignCookie(token), 0),
			s.cookie(rememberCookieName, s.SignCookie(dontRememberValue), 0),
		}
	}
	set := []*http.Cookie{s.cookie(sessionCookieName, s.SignCookie(token), int(SessionLife.Seconds()))}
	if s.dontRemember(cookieHeader) {
		set = append(set, s.cookie(rememberCookieName, "", -1))
	}
	return set
}

// LocalSessionCookie is the cookie of the local login: always under the plain
// name and without Secure, because it is set over http on a loopback address
// whatever the public URL's scheme.
func (s *Service) LocalSessionCookie(token string) *http.Cookie {
	return &http.Cookie{
		Name: sessionCookieName, Value: s.SignCookie(token), MaxAge: int(SessionLife.Seconds()),
		Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// ClearCookies expire every cookie of a session: the library's three, always in
// this order, then what else of ours the request carries.
func (s *Service) ClearCookies(cookieHeader string) []*http.Cookie {
	set := []*http.Cookie{
		s.cookie(sessionCookieName, "", -1),
		s.cookie(cacheCookieName, "", -1),
		s.cookie(rememberCookieName, "", -1),
	}
	for _, c := range s.ClearCacheCookies(cookieHeader) {
		if c.Name != set[1].Name {
			set = append(set, c)
		}
	}
	for _, name := range [...]string{sessionCookieName, rememberCookieName} {
		other := securePrefix + name
		if s.secure {
			other = name
		}
		if _, ok := cookieValue(cookieHeader, other); ok {
			set = append(set, expired(other))
		}
	}
	return set
}

// ClearCacheCookies expire the cookie cache that an older server left in the
// browser: session_data, whole or in numbered parts.
func (s *Service) ClearCacheCookies(cookieHeader string) []*http.Cookie {
	var set []*http.Cookie
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(cookieHeader, ";") {
		name, _, _ := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		if isCacheCookie(name) && !seen[name] && len(seen) < maxCacheCookies {
			seen[name] = true
			set = append(set, expired(name))
		}
	}
	return set
}

// maxCacheCookies bounds what a made-up Cookie header can blow an answer up to.
// The library splits its cache into a handful of parts.
const maxCacheCookies = 16

func isCacheCookie(name string) bool {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(name, securePrefix), cacheCookieName)
	if !ok || rest == "" {
		return ok
	}
	_, err := strconv.ParseUint(strings.TrimPrefix(rest, "."), 10, 8)
	return rest[0] == '.' && err == nil
}

func expired(name string) *http.Cookie {
	return &http.Cookie{Name: name, MaxAge: -1, Path: "/", HttpOnly: true, Secure: strings.HasPrefix(name, securePrefix), SameSite: http.SameSiteLaxMode}
}

// AddCookies puts cookies into an answer's header, attributes in the library's
// order (net/http writes Path first): older clients pick them out of the text.
func AddCookies(h http.Header, cookies []*http.Cookie) {
	for _, c := range cookies {
		h.Add("Set-Cookie", formatCookie(c))
	}
}

// formatCookie writes a cookie of this package, all of whose parts are plain.
func formatCookie(c *http.Cookie) string {
	var b strings.Builder
	b.WriteString(c.Name + "=" + c.Value)
	if c.MaxAge != 0 {
		b.WriteString("; Max-Age=" + strconv.Itoa(max(c.MaxAge, 0)))
	}
	b.WriteString("; Path=" + c.Path + "; HttpOnly")
	if c.Secure {
		b.WriteString("; Secure")
	}
	b.WriteString("; SameSite=Lax")
	return b.String()
}
