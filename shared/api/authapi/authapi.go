// Package authapi serves /api/auth/*: the routes of Better Auth's e-mail and
// password core as browsers and older clients of the library know them, down
// to the wording and the empty bodies of its errors. What the library offers
// but the product never configured answers as it does there.
//
// The order of a request's checks is part of the contract, since it decides
// which error wins: rate limit, body, origin, redirects, validation, session.
package authapi

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/betterauth"
	"github.com/pulse-traces/pulse/shared/fault"
)

// prefix is where the routes are; the library's own default.
const prefix = "/api/auth"

// maxBodyBytes bounds a body here; a picture as a data URL fits.
const maxBodyBytes = 1 << 20

// Deps are what the group needs; all MUST be set.
type Deps struct {
	Auth *betterauth.Service
	Log  *slog.Logger
}

// Group is the routes of /api/auth. It also answers what none of them matches.
type Group struct {
	auth *betterauth.Service
	log  *slog.Logger
}

var _ api.Fallback = (*Group)(nil)

// New makes the group.
func New(d Deps) *Group { return &Group{auth: d.Auth, log: d.Log} }

// Routes lists the routes. They check the session themselves, in the place and
// the words of the library, so their level is api.AuthNone.
func (g *Group) Routes() []api.Route {
	get := func(path string, h handler) api.Route { return g.route(http.MethodGet, path, false, h) }
	post := func(path string, h handler) api.Route { return g.route(http.MethodPost, path, false, h) }
	form := func(path string, h handler) api.Route { return g.route(http.MethodPost, path, true, h) }
	return []api.Route{
		form(betterauth.PathSignIn, g.signIn),
		{Method: http.MethodPost, Pattern: prefix + betterauth.PathSignUp, Handler: g.signUp},
		post("/sign-out", g.signOut),
		get("/get-session", g.getSession),
		{Method: http.MethodPost, Pattern: prefix + "/get-session", Handler: g.postSession},

		post("/update-user", g.updateUser),
		post("/change-password", g.changePassword),
		post("/verify-password", g.verifyPassword),
		get("/list-sessions", g.listSessions),
		post("/revoke-session", g.revokeSession),
		post("/revoke-sessions", g.revokeSessions),
		post("/revoke-other-sessions", g.revokeOtherSessions),
		post("/update-session", g.updateSession),
		get("/list-accounts", g.listAccounts),
		post("/unlink-account", g.unlinkAccount),

		post("/change-email", g.changeEmail),
		post("/delete-user", g.deleteUser),
		get("/delete-user/callback", g.deleteUserCallback),
		post("/request-password-reset", g.requestPasswordReset),
		get("/reset-password/{token}", g.resetPasswordLink),
		post("/reset-password", g.resetPassword),
		post("/send-verification-email", g.sendVerificationEmail),
		get("/verify-email", g.verifyEmail),
		post("/sign-in/social", g.signInSocial),
		post("/link-social", g.linkSocial),
		get("/callback/{id}", g.callback),
		form("/callback/{id}", g.postCallback),
		post("/refresh-token", g.providerToken),
		post("/get-access-token", g.providerToken),
		get("/account-info", g.accountInfo),

		get("/ok", g.ok),
		get("/error", g.errorPage),
	}
}

// Prefix is where Unmatched answers.
func (g *Group) Prefix() string { return prefix + "/" }

// Unmatched answers unknown paths and wrong methods alike: 404 and nothing.
func (g *Group) Unmatched(w http.ResponseWriter, r *http.Request, _ []string) error {
	if err := g.auth.Allow(reqctx.ClientIP(r.Context()), "unmatched"); err != nil {
		return answerError(w, err)
	}
	api.NoContent(w, http.StatusNotFound)
	return nil
}

// call is one request on its way through the checks.
type call struct {
	w       http.ResponseWriter
	r       *http.Request
	body    betterauth.Body
	cookies string // the Cookie header
}

// handler answers a call, or gives an error and writes nothing. It validates
// first and asks for the session then.
type handler func(c *call) error

// route wraps a handler in the checks that come before it.
func (g *Group) route(method, path string, form bool, h handler) api.Route {
	serve := func(w http.ResponseWriter, r *http.Request) error {
		c := &call{w: w, r: r, cookies: betterauth.CookieHeader(r.Header)}
		// Answers hold session tokens.
		w.Header().Set("Cache-Control", "no-store")
		err := g.admit(c, method, path, form)
		if err == nil {
			err = h(c)
		}
		if err != nil {
			return answerError(w, err)
		}
		return nil
	}
	return api.Route{Method: method, Pattern: prefix + path, Handler: serve, Form: form}
}

func (g *Group) admit(c *call, method, path string, form bool) error {
	if err := g.auth.Allow(reqctx.ClientIP(c.r.Context()), path); err != nil {
		return err
	}
	if method == http.MethodGet {
		return nil
	}
	raw, err := readBody(c.w, c.r)
	if err != nil {
		return err
	}
	if c.body, err = betterauth.DecodeBody(c.r.Header.Get("Content-Type"), raw, form); err != nil {
		return err
	}
	if err := g.auth.CheckOrigin(c.r, false); err != nil {
		return err
	}
	return g.auth.CheckRedirects(c.r, c.body, c.r.URL.Query().Get("callbackURL"))
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
	raw, err := api.ReadBody(r)
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong || len(raw) > maxBodyBytes {
		return nil, betterauth.NewError(fault.TooLarge, "PAYLOAD_TOO_LARGE", fmt.Sprintf("The request body is larger than %d bytes", maxBodyBytes))
	}
	return raw, err
}

// session is the guard: the live session of the call, or ErrUnauthorized. The
// cookies that go with the verdict are set either way.
func (g *Group) session(c *call) (*betterauth.Login, error) {
	login, err := g.lookUp(c)
	if err == nil && login == nil {
		err = betterauth.ErrUnauthorized
	}
	return login, err
}

// lookUp is session without the guard: nil is nobody.
func (g *Group) lookUp(c *call) (*betterauth.Login, error) {
	find := g.auth.Session
	if c.r.URL.Query().Get("disableRefresh") != "" { // any text counts, "false" too
		find = g.auth.SessionAsIs
	}
	login, set, err := find(c.r.Context(), c.cookies)
	betterauth.AddCookies(c.w.Header(), set)
	return login, err
}

// freshSession is session, and ErrSessionNotFresh if the sign-in is a day ago.
func (g *Group) freshSession(c *call) (*betterauth.Login, error) {
	login, err := g.session(c)
	if err != nil {
		return nil, err
	}
	return login, g.auth.CheckFresh(login.Session)
}

// client is what a new session remembers of the caller.
func (c *call) client() betterauth.Client {
	return betterauth.Client{IP: reqctx.ClientIP(c.r.Context()), UserAgent: c.r.Header.Get("User-Agent")}
}

// clearCookies takes back what the answer was to set, and expires the cookies.
func (g *Group) clearCookies(c *call) {
	c.w.Header().Del("Set-Cookie")
	betterauth.AddCookies(c.w.Header(), g.auth.ClearCookies(c.cookies))
}

// errorBody is the library's shape of an error.
type errorBody struct {
	Message string `json:"message"`
	Code    string `json:"code,omitzero"`
}

// answerError writes what the caller may know as the library does, and gives
// failures of our own back to the edge, which logs and answers them.
func answerError(w http.ResponseWriter, err error) error {
	body := errorBody{}
	if e, ok := errors.AsType[*betterauth.Error](err); ok {
		body = errorBody{Message: e.Message, Code: e.Code}
		if wait := int(math.Ceil(e.RetryAfter().Seconds())); wait > 0 {
			w.Header().Set("X-Retry-After", strconv.Itoa(wait)) // the library's
			w.Header().Set("Retry-After", strconv.Itoa(wait))   // everybody else's
		}
	} else if f, ok := errors.AsType[*fault.Error](err); ok && f.Message != "" {
		body.Message = f.Message
		switch f.Code {
		case fault.Invalid:
			body.Code = "BAD_REQUEST"
		case fault.Unsupported:
			body.Code = "UNSUPPORTED_MEDIA_TYPE"
		case fault.TooLarge:
			body.Code = "PAYLOAD_TOO_LARGE"
		default:
			return err
		}
	} else {
		return err
	}
	return api.WriteJSON(w, api.Status(err), body)
}

// emptyJSON answers with a JSON content type and no body, as the library does
// in places.
func emptyJSON(w http.ResponseWriter, status int) error {
	api.WriteBody(w, status, "application/json", nil)
	return nil
}
