package authapi

import (
	"net/http"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/betterauth"
	"github.com/pulse-traces/pulse/shared/fault"
)

var (
	errNoFields        = betterauth.NewError(fault.Invalid, "", "No fields to update")
	errEmailFixed      = betterauth.NewError(fault.Invalid, "EMAIL_CAN_NOT_BE_UPDATED", "Email can not be updated")
	errLastAccount     = betterauth.NewError(fault.Invalid, "FAILED_TO_UNLINK_LAST_ACCOUNT", "You can't unlink your last account")
	errAccountNotFound = betterauth.NewError(fault.Invalid, "ACCOUNT_NOT_FOUND", "Account not found")
)

func (g *Group) updateUser(c *call) error {
	if err := c.body.Record(); err != nil {
		return err
	}
	login, err := g.session(c)
	if err != nil {
		return err
	}
	if c.body.Truthy("email") {
		return errEmailFixed
	}
	if !c.body.Has("name") && !c.body.Has("image") {
		return errNoFields
	}
	// The library stores values of any kind here, and fails on some.
	err = c.body.Object(betterauth.Field{Name: "name", Optional: true, Stored: true},
		betterauth.Field{Name: "image", Optional: true, Nullable: true, Stored: true})
	if err != nil {
		return err
	}
	if c.body.Has("name") {
		login.User.Name = c.body.String("name")
	}
	if c.body.Has("image") {
		login.User.Image = c.body.NullableString("image")
	}
	set, err := g.auth.UpdateUser(c.r.Context(), *login, c.cookies)
	if err != nil {
		return err
	}
	betterauth.AddCookies(c.w.Header(), set)
	return api.WriteJSON(c.w, http.StatusOK, wireStatus{Status: true})
}

func (g *Group) changePassword(c *call) error {
	err := c.body.Object(betterauth.Field{Name: "newPassword"}, betterauth.Field{Name: "currentPassword"},
		betterauth.Field{Name: "revokeOtherSessions", Boolean: true, Optional: true})
	if err != nil {
		return err
	}
	login, err := g.session(c)
	if err != nil {
		return err
	}
	session, set, err := g.auth.ChangePassword(c.r.Context(), login.User, betterauth.PasswordChange{
		Current: c.body.String("currentPassword"), New: c.body.String("newPassword"),
		RevokeSessions: c.body.True("revokeOtherSessions"), From: c.client(), CookieHeader: c.cookies,
	})
	if err != nil {
		return err
	}
	answer := wirePasswordChange{User: userToWire(login.User)}
	if session != nil {
		answer.Token = &session.Token
		c.w.Header().Del("Set-Cookie") // a refresh of the session that is gone
		betterauth.AddCookies(c.w.Header(), set)
	}
	return api.WriteJSON(c.w, http.StatusOK, answer)
}

func (g *Group) verifyPassword(c *call) error {
	if err := c.body.Object(betterauth.Field{Name: "password"}); err != nil {
		return err
	}
	login, err := g.session(c)
	if err != nil {
		return err
	}
	if err := g.auth.CheckPassword(c.r.Context(), login.User, c.body.String("password")); err != nil {
		return err
	}
	return api.WriteJSON(c.w, http.StatusOK, wireStatus{Status: true})
}

func (g *Group) listAccounts(c *call) error {
	login, err := g.session(c)
	if err != nil {
		return err
	}
	accounts := []wireAccount{}
	credential, err := g.auth.Credential(c.r.Context(), login.User.ID)
	switch {
	case err == nil:
		accounts = append(accounts, credentialToWire(credential))
	case !fault.Is(err, fault.NotFound):
		return err
	}
	return api.WriteJSON(c.w, http.StatusOK, accounts)
}

// unlinkAccount never unlinks: the e-mail and password account is the only kind
// there is, and the last one stays.
func (g *Group) unlinkAccount(c *call) error {
	if err := c.body.Object(betterauth.Field{Name: "accountId"}); err != nil {
		return err
	}
	login, err := g.freshSession(c)
	if err != nil {
		return err
	}
	_, err = g.auth.Credential(c.r.Context(), login.User.ID)
	switch {
	case err == nil:
		return errLastAccount
	case fault.Is(err, fault.NotFound):
		return errAccountNotFound
	}
	return err
}
