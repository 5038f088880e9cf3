package authapi

import (
	"log/slog"
	"net/http"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/betterauth"
	"github.com/pulse-traces/pulse/shared/fault"
)

func (g *Group) signIn(c *call) error {
	err := c.body.Object(betterauth.Field{Name: "email"}, betterauth.Field{Name: "password"},
		betterauth.Field{Name: "callbackURL", Optional: true}, betterauth.Field{Name: "rememberMe", Boolean: true, Optional: true})
	if err != nil {
		return err
	}
	if err := g.auth.CheckOrigin(c.r, true); err != nil {
		return err
	}
	remember := !c.body.False("rememberMe")
	login, err := g.auth.SignIn(c.r.Context(), c.body.String("email"), c.body.String("password"), c.client(), remember)
	if err != nil {
		return err
	}
	betterauth.AddCookies(c.w.Header(), g.auth.SessionCookies(login.Session.Token, remember, c.cookies))
	answer := wireSignIn{Token: login.Session.Token, User: userToWire(login.User)}
	if c.body.Has("callbackURL") {
		target := c.body.String("callbackURL") // CheckRedirects has seen it
		answer.URL, answer.Redirect = &target, target != ""
		if answer.Redirect {
			c.w.Header().Set("Location", target)
		}
	}
	return api.WriteJSON(c.w, http.StatusOK, answer)
}

// signUp refuses: accounts are made with a project, by the dashboard's sign-up.
func (g *Group) signUp(w http.ResponseWriter, r *http.Request) error {
	if err := g.auth.Allow(reqctx.ClientIP(r.Context()), betterauth.PathSignUp); err != nil {
		return answerError(w, err)
	}
	const message = "Use /dashboard/api/signup for account creation"
	return api.WriteJSON(w, http.StatusForbidden, struct {
		Error   string `json:"error"` // where the dashboards look
		Code    string `json:"code"`
		Message string `json:"message"` // where the library's client looks
	}{message, "EMAIL_PASSWORD_SIGN_UP_DISABLED", message})
}

func (g *Group) signOut(c *call) error {
	err := c.body.OptionalObject(betterauth.Field{Name: "callbackURL", Optional: true},
		betterauth.Field{Name: "disableRedirect", Boolean: true, Optional: true}, betterauth.Field{Name: "state", Optional: true})
	if err != nil {
		return err
	}
	set, err := g.auth.SignOut(c.r.Context(), c.cookies)
	if err != nil {
		return err
	}
	betterauth.AddCookies(c.w.Header(), set)
	return api.WriteJSON(c.w, http.StatusOK, wireSuccess{Success: true})
}

// getSession answers 200 and null to a visitor who is not signed in: the client
// takes anything else for a failure and keeps what it had.
func (g *Group) getSession(c *call) error {
	c.w.Header().Set("Pragma", "no-cache")
	login, err := g.lookUp(c)
	if err != nil {
		g.log.LogAttrs(c.r.Context(), slog.LevelError, "get session", slog.String("request_id", reqctx.RequestID(c.r.Context())), slog.Any("err", err))
		return betterauth.NewError(fault.Internal, "FAILED_TO_GET_SESSION", "Failed to get session")
	}
	if len(c.w.Header().Values("Set-Cookie")) == 0 {
		betterauth.AddCookies(c.w.Header(), g.auth.ClearCacheCookies(c.cookies))
	}
	if login == nil {
		return api.WriteJSON(c.w, http.StatusOK, nil)
	}
	return api.WriteJSON(c.w, http.StatusOK, wireLogin{Session: sessionToWire(login.Session), User: userToWire(login.User)})
}

// postSession is for a setting of the library that the product does not use.
// It never reads the body.
func (g *Group) postSession(w http.ResponseWriter, r *http.Request) error {
	if err := g.auth.Allow(reqctx.ClientIP(r.Context()), "/get-session"); err != nil {
		return answerError(w, err)
	}
	if err := g.auth.CheckOrigin(r, false); err != nil {
		return answerError(w, err)
	}
	w.Header().Set("Allow", http.MethodGet)
	return api.WriteJSON(w, http.StatusMethodNotAllowed, errorBody{
		Message: "POST method requires deferSessionRefresh to be enabled in session config",
		Code:    "METHOD_NOT_ALLOWED_DEFER_SESSION_REQUIRED",
	})
}

func (g *Group) listSessions(c *call) error {
	login, err := g.freshSession(c)
	if err != nil {
		return err
	}
	live, err := g.auth.LiveSessions(c.r.Context(), login.User.ID)
	if err != nil {
		return err
	}
	sessions := make([]wireSession, len(live))
	for i, s := range live {
		sessions[i] = sessionToWire(s)
	}
	return api.WriteJSON(c.w, http.StatusOK, sessions)
}

func (g *Group) revokeSession(c *call) error {
	if err := c.body.Object(betterauth.Field{Name: "token"}); err != nil {
		return err
	}
	login, err := g.session(c)
	if err != nil {
		return err
	}
	token := c.body.String("token")
	if err := g.auth.RevokeSession(c.r.Context(), login.User.ID, token); err != nil {
		return err
	}
	if token == login.Session.Token {
		g.clearCookies(c)
	}
	return api.WriteJSON(c.w, http.StatusOK, wireStatus{Status: true})
}

func (g *Group) revokeSessions(c *call) error {
	login, err := g.session(c)
	if err != nil {
		return err
	}
	if err := g.auth.RevokeSessions(c.r.Context(), login.User.ID, ""); err != nil {
		return err
	}
	g.clearCookies(c)
	return api.WriteJSON(c.w, http.StatusOK, wireStatus{Status: true})
}

func (g *Group) revokeOtherSessions(c *call) error {
	login, err := g.session(c)
	if err != nil {
		return err
	}
	if err := g.auth.RevokeSessions(c.r.Context(), login.User.ID, login.Session.Token); err != nil {
		return err
	}
	return api.WriteJSON(c.w, http.StatusOK, wireStatus{Status: true})
}

// updateSession has nothing to update: no further session fields are configured.
func (g *Group) updateSession(c *call) error {
	if err := c.body.Record(); err != nil {
		return err
	}
	if _, err := g.session(c); err != nil {
		return err
	}
	return errNoFields
}
