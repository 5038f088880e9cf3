package dashboardapi

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/api/view"
	"github.com/pulse-traces/pulse/shared/betterauth"
	"github.com/pulse-traces/pulse/shared/fault"
)

const (
	loginLife = 2 * time.Minute
	// maxLogins bounds the hand-offs that wait for their browser.
	maxLogins       = 1000
	loginTokenBytes = 16
)

// logins are the hand-offs from a command line to a browser that were not
// picked up yet. Only this process knows them; it keeps hashes of the tokens,
// and no password.
type logins struct {
	now func() time.Time

	mu      sync.Mutex
	waiting map[[sha256.Size]byte]login
}

type login struct {
	user     account.UserID
	redirect string
	expires  time.Time
}

func newLogins(now func() time.Time) *logins {
	return &logins{now: now, waiting: map[[sha256.Size]byte]login{}}
}

// add makes a token for a login; fault.RateLimited if too many wait.
func (l *logins) add(user account.UserID, redirect string) (string, time.Time, error) {
	var raw [loginTokenBytes]byte
	rand.Read(raw[:]) // never fails; see crypto/rand
	token := hex.EncodeToString(raw[:])
	now := l.now()
	expires := now.Add(loginLife)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) >= maxLogins {
		for hash, waiting := range l.waiting {
			if !now.Before(waiting.expires) {
				delete(l.waiting, hash)
			}
		}
	}
	if len(l.waiting) >= maxLogins {
		e := fault.New(fault.RateLimited, "Too many local logins are waiting")
		e.RetryAfter = loginLife
		return "", time.Time{}, e
	}
	l.waiting[sha256.Sum256([]byte(token))] = login{user: user, redirect: redirect, expires: expires}
	return token, expires, nil
}

// take gives the login of a token, once. Looking up by hash also keeps the time
// it takes from telling how much of a guess was right.
func (l *logins) take(token string) (login, bool) {
	hash := sha256.Sum256([]byte(token))
	l.mu.Lock()
	defer l.mu.Unlock()
	found, ok := l.waiting[hash]
	delete(l.waiting, hash)
	return found, ok && l.now().Before(found.expires)
}

// proxyHeaders are what proxies add. A request that has one comes from farther
// away than its peer's address says.
var proxyHeaders = [...]string{
	"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via", "Cf-Connecting-Ip", "True-Client-Ip",
}

// isLocal reports whether a request was made on this machine: the peer is a
// loopback address (a stranger cannot forge that), the Host too (a page of
// another site that made its name point here keeps its own), and no proxy
// stands between.
func (g *Group) isLocal(r *http.Request) bool {
	for _, h := range proxyHeaders {
		if len(r.Header.Values(h)) > 0 {
			return false
		}
	}
	return g.LocalLogin && isLoopbackAddress(peerAddress(r)) && isLoopbackAddress(reqctx.ClientIP(r.Context())) && isLoopbackHost(r.Host)
}

func peerAddress(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

func isLoopbackAddress(s string) bool {
	ip, err := netip.ParseAddr(s)
	return err == nil && ip.Unmap().IsLoopback()
}

// isLoopbackHost takes host[:port] with the three names of this machine.
func isLoopbackHost(host string) bool {
	u, err := url.Parse("http://" + host)
	return err == nil && u.Host == host && isLoopbackName(u.Hostname())
}

func isLoopbackName(name string) bool {
	switch strings.ToLower(name) {
	case "localhost", "127.0.0.1", "::1":
		return true
	}
	return false
}

// defaultPorts are left out of a URL's normal form.
var defaultPorts = map[string]string{"http": "80", "https": "443"}

// redirectTarget checks where a browser is to go once it is signed in, and
// writes it as browsers do.
func redirectTarget(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || !isLoopbackName(u.Hostname()) {
		return "", fault.New(fault.Invalid, "redirect_url must use a loopback host (localhost or 127.0.0.1)")
	}
	u.Host = strings.ToLower(u.Host)
	if port := u.Port(); port == "" || port == defaultPorts[u.Scheme] {
		u.Host = strings.TrimSuffix(strings.TrimSuffix(u.Host, port), ":")
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u.String(), nil
}

// localLoginToken makes a one-time link that signs a browser of this machine
// in, for whoever has a key of a project or an account's password. A key
// opens the project's first administrator's session: that is what the command
// line relies on, and why nothing but this machine may ask.
func (g *Group) localLoginToken(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if !g.isLocal(r) {
		return fault.New(fault.Forbidden, "Local login token endpoint is only available on loopback hosts")
	}
	if err := g.Auth.Allow(reqctx.ClientIP(ctx), betterauth.PathSignIn); err != nil {
		return err
	}
	b, err := readBody(r)
	if err != nil {
		return err
	}
	redirect, redirectErr := b.trimmed("redirect_url", maxURLChars)
	key, keyErr := b.trimmed("api_key", maxNameChars)
	project, projectErr := b.trimmed("project_id", maxNameChars)
	email, emailErr := b.trimmed("email", maxEmailChars)
	password, passwordErr := b.trimmed("password", maxPasswordChars)
	if err := cmp.Or(redirectErr, keyErr, projectErr, emailErr, passwordErr); err != nil {
		return err
	}
	if redirect == "" {
		return fault.New(fault.Invalid, "Missing required field: redirect_url")
	}
	if redirect, err = redirectTarget(redirect); err != nil {
		return err
	}
	var user account.UserID
	switch {
	case key != "":
		user, err = g.keyAdmin(ctx, key, account.ProjectID(project))
	case email != "" && password != "":
		var u account.User
		u, err = g.Auth.CheckCredentials(ctx, email, password)
		user = u.ID
	default:
		err = fault.New(fault.Invalid, "Missing required fields: api_key or email/password")
	}
	if err != nil {
		return err
	}
	token, expires, err := g.logins.add(user, redirect)
	if err != nil {
		return err
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return writeSecret(w, struct {
		LoginURL  string `json:"login_url"`
		ExpiresAt string `json:"expires_at"`
	}{scheme + "://" + r.Host + "/dashboard/api/local-login?token=" + token, view.Timestamp(expires)})
}

// keyAdmin gives the first administrator of a key's project, which must be
// project unless that is "".
func (g *Group) keyAdmin(ctx context.Context, key string, project account.ProjectID) (account.UserID, error) {
	refused := fault.New(fault.Unauthenticated, "Invalid local API key or project")
	k, err := g.Ring.Check(ctx, key)
	switch {
	case fault.Is(err, fault.Unauthenticated):
		return "", refused
	case err != nil:
		return "", err
	case project != "" && project != k.ProjectID:
		return "", refused
	}
	members, err := g.Projects.Members(ctx, k.ProjectID)
	if err != nil {
		return "", err
	}
	for _, m := range members {
		if m.Role == account.RoleAdmin {
			return m.UserID, nil
		}
	}
	return "", refused
}

// localLogin redeems a link: whatever comes of it, the token is used up.
func (g *Group) localLogin(w http.ResponseWriter, r *http.Request) error {
	if !g.isLocal(r) {
		return fault.New(fault.Forbidden, "Local login endpoint is only available on loopback hosts")
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer") // the token is in the URL
	token := r.URL.Query().Get("token")
	if token == "" {
		return fault.New(fault.Invalid, "Missing token query parameter")
	}
	l, ok := g.logins.take(token)
	if !ok {
		return fault.New(fault.Invalid, "Token is invalid or expired")
	}
	session, err := g.Auth.CreateSession(r.Context(), l.user, betterauth.Client{IP: "127.0.0.1", UserAgent: r.UserAgent()}, true)
	if err != nil {
		return err
	}
	betterauth.AddCookies(w.Header(), []*http.Cookie{g.Auth.LocalSessionCookie(session.Token)})
	w.Header().Set("Location", l.redirect)
	api.NoContent(w, http.StatusFound)
	return nil
}
