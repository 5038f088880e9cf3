package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/gzhttp"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/fault"
)

// KeyChecker tells the project of an API key: fault.Unauthenticated if there is
// no such key. keyring.Ring is the one in use.
type KeyChecker interface {
	Check(ctx context.Context, key string) (account.APIKey, error)
}

// SessionChecker tells who a request's cookies sign in. A nil user means
// nobody. The cookies go into the answer, whatever comes of the request.
// betterauth.Service is the one in use.
type SessionChecker interface {
	CheckSession(r *http.Request) (user *account.User, set []*http.Cookie, err error)
}

// RoleReader tells a user's role in a project: fault.NotFound if there is none.
// It is asked on every request, so that a lost membership counts at once.
type RoleReader interface {
	Role(ctx context.Context, project account.ProjectID, user account.UserID) (account.Role, error)
}

// Options are what the edge needs. Log, and each checker that a mounted route's
// Auth asks for, must be set.
type Options struct {
	Log      *slog.Logger
	Keys     KeyChecker
	Sessions SessionChecker
	Roles    RoleReader
	Limits   Limits
	// AllowedOrigins are exact origins (scheme://host[:port]) whose pages may
	// call /dashboard/api and /api/auth with credentials.
	AllowedOrigins []string
	// TrustedProxies is how many proxies in front append to X-Forwarded-For;
	// with 0 the header is ignored.
	TrustedProxies int
	// DecodedPaths says that paths come percent-decoded from the host, so that a
	// slash may be part of an id: see router.matchDecoded.
	DecodedPaths bool
	// Elsewhere are groups that another process serves: requests reach them by a
	// gateway, which knows their routes. What it has no route for comes here and
	// is answered as where they are served: with the methods of the path, by their
	// fallback, or, if only stray slashes kept the gateway from finding the route,
	// with a redirect to it.
	Elsewhere []Group
	// Observe, if set, is told of every answer. route is the pattern, "" where
	// none matched.
	Observe func(route, method string, status int, elapsed time.Duration)
}

// New makes the handler of a host that serves the given groups. It panics if a
// route is declared twice.
func New(opts Options, groups ...Group) http.Handler {
	opts.Limits = opts.Limits.orDefaults()
	s := &server{Options: opts, router: newRouter(groups, opts.Elsewhere)}
	compress, err := gzhttp.NewWrapper(gzhttp.MinSize(1<<10), gzhttp.KeepAcceptRanges())
	if err != nil {
		panic(err) // only for options that contradict each other
	}
	return compress(s)
}

type server struct {
	Options
	router   *router
	inFlight atomic.Int64 // bytes of bodies
}

// ServeHTTP gives the request an id, an address and limits, hands it to its
// route, and logs one line that holds nothing the client sent but the path's
// pattern.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	id := requestID(r)
	w.Header().Set("X-Request-Id", id)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	ctx := reqctx.WithRequestID(r.Context(), id)
	ctx = reqctx.WithClientIP(ctx, clientIP(r, s.TrustedProxies))
	allowed := &allowance{limits: s.Limits, inFlight: &s.inFlight}
	defer allowed.release()
	r = r.WithContext(context.WithValue(ctx, allowanceKey{}, allowed))
	rec := &recorder{ResponseWriter: w, sent: sentBody(r), status: http.StatusOK}
	route, err := s.serve(rec, r)
	var pattern string
	if route != nil {
		pattern = route.Pattern
	}
	switch {
	case err == nil:
	case route != nil && route.Protocol != nil:
		f := failureOf(r, err)
		f.setHeader(rec.Header())
		route.Protocol.WriteError(rec, r, f)
		rec.status = f.Status // the protocol may have a place of its own for it
	default:
		WriteError(rec, r, err)
	}
	elapsed := time.Since(start)
	if s.Observe != nil {
		s.Observe(pattern, r.Method, rec.status, elapsed)
	}
	attrs := []slog.Attr{
		slog.String("request_id", id), slog.String("method", methodName(r.Method)), slog.String("route", pattern),
		slog.Int("status", rec.status), slog.Duration("elapsed", elapsed),
	}
	level := slog.LevelInfo
	if rec.status >= http.StatusInternalServerError {
		level = slog.LevelError
		if err != nil {
			attrs = append(attrs, slog.Any("err", err))
		}
	}
	s.Log.LogAttrs(ctx, level, "request", attrs...)
}

// serve answers, or gives the error to answer with. route is the one that was
// asked, nil where none matched.
func (s *server) serve(w http.ResponseWriter, r *http.Request) (route *compiled, err error) {
	defer func() {
		if v := recover(); v != nil {
			if cause, ok := v.(error); ok && errors.Is(cause, http.ErrAbortHandler) {
				panic(v)
			}
			err = fault.Wrap(fault.Internal, "", fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
		}
	}()
	sent := r.URL.Path
	tidied := s.router.tidyPath(r.URL)
	route, allow := s.router.match(r)
	if s.DecodedPaths && route == nil && len(allow) == 0 {
		route, allow = s.router.matchDecoded(r, sent)
	}
	if s.cors(w, r) {
		return nil, nil
	}
	if route != nil && route.elsewhere {
		if tidied {
			w.Header().Set("Location", r.URL.RequestURI())
			NoContent(w, http.StatusPermanentRedirect)
			return nil, nil
		}
		route = nil
	}
	if route == nil {
		if f := s.router.fallback(r.URL.Path); f != nil {
			return nil, f.Unmatched(w, r, allow)
		}
		return nil, Unmatched(w, allow)
	}
	return route, s.ask(w, r, route)
}

// ask lets a route answer whom its checks let through.
func (s *server) ask(w http.ResponseWriter, r *http.Request, route *compiled) (err error) {
	ctx := r.Context()
	defer func() {
		if err != nil && route.Failed != nil {
			route.Failed(ctx, err)
		}
	}()
	if err := s.checkBrowser(r, route); err != nil {
		return err
	}
	r, err = s.authorize(w, r, route)
	if err != nil {
		return err
	}
	ctx = r.Context()
	if route.Protocol == nil && r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/v1/") {
		if err := checkContentType(r); err != nil {
			return err
		}
	}
	return route.Handler(w, r)
}

// Unmatched is the answer to a path or method that no route has.
func Unmatched(w http.ResponseWriter, allow []string) error {
	if len(allow) > 0 {
		w.Header().Set("Allow", strings.Join(allow, ", "))
		return WriteJSON(w, http.StatusMethodNotAllowed, ErrorBody{Error: "Method not allowed: use " + strings.Join(allow, ", ")})
	}
	return WriteJSON(w, http.StatusNotFound, ErrorBody{Error: "Not found"})
}

// authorize runs the checks of a level in the contract's order: key, or
// session, project header, membership, role.
func (s *server) authorize(w http.ResponseWriter, r *http.Request, route *compiled) (*http.Request, error) {
	ctx, level := r.Context(), route.Auth
	switch level {
	case AuthNone:
		return r, nil
	case AuthKey:
		read := BearerToken
		if route.Protocol != nil {
			read = route.Protocol.Key
		}
		key, ok := read(r)
		if !ok {
			return nil, fault.New(fault.Unauthenticated, "Missing or invalid Authorization header")
		}
		k, err := s.Keys.Check(ctx, key)
		if err != nil {
			return nil, err
		}
		return r.WithContext(reqctx.WithKey(ctx, &k)), nil
	}
	user, err := s.session(w, r)
	if err != nil {
		return nil, err
	}
	ctx = reqctx.WithUser(ctx, *user)
	if level == AuthSession {
		return r.WithContext(ctx), nil
	}
	project := account.ProjectID(r.Header.Get("X-Project-Id"))
	if project == "" {
		return nil, fault.New(fault.Invalid, "Missing X-Project-Id header")
	}
	if !utf8.ValidString(string(project)) { // no text column holds it
		return nil, fault.New(fault.Forbidden, "Forbidden: no access to this project")
	}
	role, err := s.Roles.Role(ctx, project, user.ID)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, fault.New(fault.Forbidden, "Forbidden: no access to this project")
	case err != nil:
		return nil, err
	case level == AuthAdmin && role != account.RoleAdmin:
		return nil, fault.New(fault.Forbidden, "Forbidden: admin role required for this operation")
	}
	return r.WithContext(reqctx.WithRole(reqctx.WithProject(ctx, project), role)), nil
}

func (s *server) session(w http.ResponseWriter, r *http.Request) (*account.User, error) {
	user, cookies, err := s.Sessions.CheckSession(r)
	for _, c := range cookies {
		http.SetCookie(w, c)
	}
	if err != nil {
		return nil, err
	}
	if user == nil {
		return nil, fault.New(fault.Unauthenticated, "Unauthorized")
	}
	return user, nil
}

// BearerToken gives the key of "Authorization: Bearer <key>": exactly one
// blank, exactly this spelling.
func BearerToken(r *http.Request) (string, bool) {
	scheme, key, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return key, ok && scheme == "Bearer" && key != "" && !strings.Contains(key, " ")
}

// checkBrowser closes cross-site request forgery on cookie routes: a POST must
// be one that a browser sends to another site only after asking (JSON), or come
// from a page of our own. Other writing methods always ask.
func (s *server) checkBrowser(r *http.Request, route *compiled) error {
	if route.Form || route.Protocol != nil || r.Method != http.MethodPost ||
		route.Auth == AuthKey || !strings.HasPrefix(r.URL.Path, "/dashboard/api/") {
		return nil
	}
	mt := mediaType(r)
	if mt == "application/json" || strings.HasSuffix(mt, "+json") || s.ownPage(r) {
		return nil
	}
	return fault.New(fault.Forbidden, "Forbidden: send Content-Type: application/json, or call from the dashboard's own origin")
}

// ownPage reports whether a browser vouches that the request comes from a page
// of this host or of an allowed origin.
func (s *server) ownPage(r *http.Request) bool {
	if r.Header.Get("Sec-Fetch-Site") == "same-origin" {
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err == nil && ((u.Host != "" && u.Host == r.Host) || slices.Contains(s.AllowedOrigins, origin))
}

// CORS headers of the two prefixes that browsers call with cookies; the
// earlier service's, and the methods that it forgot.
const (
	corsAuthMethods      = "POST,GET,OPTIONS"
	corsDashboardMethods = "POST,GET,PUT,PATCH,DELETE,OPTIONS"
)

// cors sets the headers of a cross-origin answer and reports whether it
// answered a preflight.
func (s *server) cors(w http.ResponseWriter, r *http.Request) bool {
	auth, dashboard := strings.HasPrefix(r.URL.Path, "/api/auth/"), strings.HasPrefix(r.URL.Path, "/dashboard/api/")
	if !auth && !dashboard {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); origin != "" && slices.Contains(s.AllowedOrigins, origin) {
		h.Set("Access-Control-Allow-Origin", origin)
	}
	if auth {
		h.Set("Access-Control-Expose-Headers", "Content-Length")
	}
	if r.Method != http.MethodOptions {
		return false
	}
	h.Add("Vary", "Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Methods", corsDashboardMethods)
	h.Set("Access-Control-Allow-Headers", "Content-Type,Authorization,X-Project-Id")
	if auth {
		h.Set("Access-Control-Allow-Methods", corsAuthMethods)
		h.Set("Access-Control-Allow-Headers", "Content-Type,Authorization")
		h.Set("Access-Control-Max-Age", "600")
	}
	NoContent(w, http.StatusNoContent)
	return true
}

// idCharacters are what a caller's request id may hold.
const idCharacters = "-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// requestID takes a caller's id if it is harmless, else makes one.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if len(id) >= 8 && len(id) <= 64 && strings.Trim(id, idCharacters) == "" {
		return id
	}
	var b [8]byte
	rand.Read(b[:]) // never fails; see crypto/rand
	return hex.EncodeToString(b[:])
}

// clientIP gives the address that the n-th trusted proxy from the right saw, or
// the peer's.
func clientIP(r *http.Request, trustedProxies int) string {
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		peer = r.RemoteAddr // Lambda gives no port
	}
	if trustedProxies <= 0 {
		return peer
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	if n := len(hops) - trustedProxies; n >= 0 {
		if ip := net.ParseIP(strings.TrimSpace(hops[n])); ip != nil {
			return ip.String()
		}
	}
	return peer
}

// methodName keeps made-up methods out of logs and metrics.
func methodName(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "OTHER"
}

// recorder remembers the status for the log, and has a refused body sent whole
// before its sender is told.
type recorder struct {
	http.ResponseWriter
	sent   io.Reader // what is left of the body
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	if status >= http.StatusBadRequest {
		_, _ = io.CopyN(io.Discard, r.sent, maxDiscarded) // whatever comes of it, the answer is tried
	}
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// ParseUint reads a query number as the earlier service did (JavaScript's
// Number): blanks around it, 1e2, 0x10 and 2.0 are taken; "" is 0.
func ParseUint(s string) (int64, bool) {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0, true
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	if hex, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
		n, err := strconv.ParseUint(hex, 16, 63) // no sign behind the prefix
		return int64(n), err == nil
	}
	if strings.ContainsAny(s, "xXpP_iInN") { // Go's own spellings of floats
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	n := int64(f)
	return n, err == nil && f == float64(n) && f <= 1<<53 && f >= -(1<<53)
}
