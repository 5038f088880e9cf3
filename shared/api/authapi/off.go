package authapi

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/betterauth"
	"github.com/pulse-traces/pulse/shared/fault"
)

// What the library offers and the product never configured: mail, other
// providers, deleting oneself. Each route still checks its input first, because
// its client shows the first error.
var (
	errChangeEmailOff   = betterauth.NewError(fault.Invalid, "CHANGE_EMAIL_DISABLED", "Change email is disabled")
	errNotFound         = betterauth.NewError(fault.NotFound, "NOT_FOUND", "Not found")
	errResetOff         = betterauth.NewError(fault.Invalid, "RESET_PASSWORD_DISABLED", "Reset password isn't enabled")
	errInvalidToken     = betterauth.NewError(fault.Invalid, "INVALID_TOKEN", "Invalid token")
	errVerificationOff  = betterauth.NewError(fault.Invalid, "VERIFICATION_EMAIL_NOT_ENABLED", "Verification email isn't enabled")
	errProviderNotFound = betterauth.NewError(fault.NotFound, "PROVIDER_NOT_FOUND", "Provider not found")
	errNoProviderGiven  = betterauth.NewError(fault.Invalid, "VALIDATION_ERROR", "[body.provider] Invalid input")
	errNotSupported     = betterauth.NewError(fault.Invalid, "PROVIDER_NOT_SUPPORTED", "Provider credential is not supported.")
	errNotConfigured    = betterauth.NewError(fault.Invalid, "PROVIDER_NOT_CONFIGURED", "Account is not associated with a configured social provider.")
	errBodyMatchesNone  = betterauth.NewError(fault.Invalid, "VALIDATION_ERROR", "[body] Invalid input")
	errQueryMatchesNone = betterauth.NewError(fault.Invalid, "VALIDATION_ERROR", "[query] Invalid input")
)

func (g *Group) changeEmail(c *call) error {
	err := c.body.Object(betterauth.Field{Name: "newEmail", Email: true}, betterauth.Field{Name: "callbackURL", Optional: true})
	if err != nil {
		return err
	}
	if _, err := g.session(c); err != nil {
		return err
	}
	return errChangeEmailOff
}

func (g *Group) deleteUser(c *call) error {
	err := c.body.Object(betterauth.Field{Name: "callbackURL", Optional: true}, betterauth.Field{Name: "password", Optional: true},
		betterauth.Field{Name: "token", Optional: true})
	if err != nil {
		return err
	}
	if _, err := g.session(c); err != nil {
		return err
	}
	return emptyJSON(c.w, http.StatusNotFound)
}

func (g *Group) deleteUserCallback(c *call) error {
	q := c.r.URL.Query()
	if err := betterauth.ValidateQuery(q, betterauth.Field{Name: "token"}); err != nil {
		return err
	}
	if err := g.auth.CheckRedirect(c.r, "callbackURL", q.Get("callbackURL")); err != nil {
		return err
	}
	return errNotFound
}

func (g *Group) requestPasswordReset(c *call) error {
	err := c.body.Object(betterauth.Field{Name: "email", Email: true}, betterauth.Field{Name: "redirectTo", Optional: true})
	if err != nil {
		return err
	}
	return errResetOff
}

// resetPasswordLink sends the browser on with the news that the link is dead.
func (g *Group) resetPasswordLink(c *call) error {
	q := c.r.URL.Query()
	if err := betterauth.ValidateQuery(q, betterauth.Field{Name: "callbackURL"}); err != nil {
		return err
	}
	target := q.Get("callbackURL")
	if err := g.auth.CheckRedirect(c.r, "callbackURL", target); err != nil {
		return err
	}
	if target == "" || strings.HasPrefix(target, "/") {
		target = g.auth.Own(c.r) + target
	}
	return redirect(c.w, withError(target, errInvalidToken.Code))
}

func (g *Group) resetPassword(c *call) error {
	err := c.body.Object(betterauth.Field{Name: "newPassword"}, betterauth.Field{Name: "token", Optional: true})
	if err != nil {
		return err
	}
	if c.body.String("token") != "" || c.r.URL.Query().Get("token") != "" {
		if err := betterauth.CheckNewPassword(c.body.String("newPassword")); err != nil {
			return err
		}
	}
	return errInvalidToken // none was ever sent out
}

func (g *Group) sendVerificationEmail(c *call) error {
	err := c.body.Object(betterauth.Field{Name: "email", Email: true}, betterauth.Field{Name: "callbackURL", Optional: true})
	if err != nil {
		return err
	}
	return errVerificationOff
}

// verifyEmail takes the link that a mail would have held.
func (g *Group) verifyEmail(c *call) error {
	q := c.r.URL.Query()
	if err := betterauth.ValidateQuery(q, betterauth.Field{Name: "token"}); err != nil {
		return err
	}
	target := q.Get("callbackURL")
	if err := g.auth.CheckRedirect(c.r, "callbackURL", target); err != nil {
		return err
	}
	err := g.auth.VerifyEmail(c.r.Context(), q.Get("token"))
	failed, refused := errors.AsType[*betterauth.Error](err)
	switch {
	case err != nil && (target == "" || !refused):
		return err
	case err != nil:
		return redirect(c.w, withError(target, failed.Code))
	case target != "":
		return redirect(c.w, target)
	}
	return api.WriteJSON(c.w, http.StatusOK, wireVerified{Status: true})
}

func (g *Group) signInSocial(c *call) error {
	if err := checkProvider(c); err != nil {
		return err
	}
	return errProviderNotFound
}

func (g *Group) linkSocial(c *call) error {
	if err := checkProvider(c); err != nil {
		return err
	}
	if _, err := g.session(c); err != nil {
		return err
	}
	return errProviderNotFound
}

func checkProvider(c *call) error {
	if err := c.body.Object(); err != nil {
		return err
	}
	if c.body.Object(betterauth.Field{Name: "provider"}) != nil {
		return errNoProviderGiven
	}
	return nil
}

// callback is where another provider would send the browser back to.
func (g *Group) callback(c *call) error {
	code := "state_not_found"
	if c.r.URL.Query().Get("state") != "" {
		code = "state_mismatch"
	}
	return redirect(c.w, withError(g.auth.Own(c.r)+prefix+"/error", code))
}

// callbackFields are what a provider may post.
var callbackFields = [...]string{"code", "error", "device_id", "error_description", "state", "user", "iss"}

// postCallback turns a posted form into the same address with a query.
func (g *Group) postCallback(c *call) error {
	given, posted := c.r.URL.Query(), url.Values{}
	for _, name := range callbackFields {
		if v := c.body.String(name); v != "" {
			posted.Set(name, v)
		}
		if given.Has(name) {
			posted.Set(name, given.Get(name))
		}
	}
	return redirect(c.w, g.auth.Own(c.r)+prefix+"/callback/"+url.PathEscape(c.r.PathValue("id"))+"?"+posted.Encode())
}

// providerToken is what asks for another provider's token.
func (g *Group) providerToken(c *call) error {
	if c.body.Object(betterauth.Field{Name: "accountId"}) != nil {
		return errBodyMatchesNone
	}
	return g.otherProvider(c, c.body.String("accountId"), errNotSupported)
}

func (g *Group) accountInfo(c *call) error {
	q := c.r.URL.Query()
	if !q.Has("accountId") {
		return errQueryMatchesNone
	}
	return g.otherProvider(c, q.Get("accountId"), errNotConfigured)
}

// otherProvider answers what wants an account of another provider: credential
// is the error if the account is the e-mail and password one.
func (g *Group) otherProvider(c *call, accountID string, credential error) error {
	login, err := g.lookUp(c)
	if err != nil {
		return err
	}
	if login == nil {
		return emptyJSON(c.w, http.StatusUnauthorized)
	}
	own, err := g.auth.Credential(c.r.Context(), login.User.ID)
	switch {
	case fault.Is(err, fault.NotFound), err == nil && own.ID != accountID:
		return errAccountNotFound
	case err != nil:
		return err
	}
	return credential
}

func (g *Group) ok(c *call) error {
	return api.WriteJSON(c.w, http.StatusOK, wireOK{OK: true})
}

// errorCode is the only text that the error page repeats.
var errorCode = regexp.MustCompile(`^['A-Za-z0-9_-]{1,64}$`)

// errorPage has a place for the code. It is no template: their package keeps the
// linker from leaving out methods that nobody calls, which is 3 MB here.
const errorPage = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Sign-in error</title></head>
<body><h1>Sign-in error</h1><p>Code: <code>%s</code></p><p><a href="/">Back to Pulse</a></p></body>
</html>
`

func (g *Group) errorPage(c *call) error {
	code := c.r.URL.Query().Get("error")
	if !errorCode.MatchString(code) {
		code = "UNKNOWN"
	}
	h := c.w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	api.WriteBody(c.w, http.StatusOK, "text/html; charset=utf-8", fmt.Appendf(nil, errorPage, html.EscapeString(code)))
	return nil
}

// redirect sends the browser to a URL that was checked or made here.
func redirect(w http.ResponseWriter, target string) error {
	w.Header().Set("Location", target)
	api.NoContent(w, http.StatusFound)
	return nil
}

// withError adds an error code to a URL's query.
func withError(target, code string) string {
	target, fragment, _ := strings.Cut(target, "#")
	separator := "?"
	if strings.Contains(target, "?") {
		separator = "&"
	}
	target += separator + "error=" + code
	if fragment != "" {
		target += "#" + fragment
	}
	return target
}
