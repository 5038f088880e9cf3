package authapi_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/betterauth"
)

const (
	unauthorized  = `{"message":"Unauthorized","code":"UNAUTHORIZED"}`
	notFresh      = `{"message":"Session is not fresh","code":"SESSION_NOT_FRESH"}`
	statusTrue    = `{"status":true}`
	clearedSuffix = "=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"
)

var cleared = []string{cookieName + clearedSuffix, "better-auth.session_data" + clearedSuffix, "better-auth.dont_remember" + clearedSuffix}

func invalid(message string) string {
	return fmt.Sprintf(`{"message":%q,"code":"VALIDATION_ERROR"}`, message)
}

func problem(message, code string) string {
	return fmt.Sprintf(`{"message":%q,"code":%q}`, message, code)
}

// TestErrors drives every row of the contract's tables that leaves the database
// as it is, with and without a session.
func TestErrors(t *testing.T) {
	t.Parallel()
	f := setup(t)
	session, cookie := f.signIn(f.ann)
	_, bobs := f.signIn(f.bob)
	credential, err := f.db.Credential(t.Context(), f.ann.ID)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 129)
	const expectedString = "Invalid input: expected string, received undefined"
	accounts := fmt.Sprintf(`[{"accountId":%q,"providerId":"credential","userId":%q,"createdAt":"2026-11-22T19:36:22.222Z","updatedAt":"2026-11-22T19:36:22.222Z","id":%q,"scopes":[]}]`,
		f.ann.ID, f.ann.ID, credential.ID)
	for _, c := range []struct {
		name, method, path, body string
		signedIn                 bool
		status                   int
		want                     string
	}{
		{"SignInWrongPassword", "POST", "/sign-in/email", `{"email":"ann@example.com","password":"wrong"}`, false, 401, problem("Invalid email or password", "INVALID_EMAIL_OR_PASSWORD")},
		{"SignInEmptyPassword", "POST", "/sign-in/email", `{"email":"ann@example.com","password":""}`, false, 401, problem("Invalid email or password", "INVALID_EMAIL_OR_PASSWORD")},
		{"SignInUnknownUser", "POST", "/sign-in/email", `{"email":"nobody@example.com","password":"wrong"}`, false, 401, problem("Invalid email or password", "INVALID_EMAIL_OR_PASSWORD")},
		{"SignInBadEmail", "POST", "/sign-in/email", `{"email":"bad","password":"x"}`, false, 400, problem("Invalid email", "INVALID_EMAIL")},
		{"SignInLongPassword", "POST", "/sign-in/email", `{"email":"ann@example.com","password":"` + long + `"}`, false, 400, problem("Password too long", "PASSWORD_TOO_LONG")},
		{"SignInEmpty", "POST", "/sign-in/email", `{}`, false, 400, invalid("[body.email] " + expectedString + "; [body.password] " + expectedString)},
		{"SignInNoBody", "POST", "/sign-in/email", "", false, 400, invalid("[body] Invalid input: expected object, received undefined")},
		{"SignInMalformed", "POST", "/sign-in/email", `{bad`, false, 400, problem("Invalid JSON in request body", "BAD_REQUEST")},
		{"SignInGet", "GET", "/sign-in/email", "", false, 404, ""},
		{"SignUpClosed", "POST", "/sign-up/email", `{"name":"x","email":"x@example.com","password":"password123"}`, false, 403, `{"error":"Use /dashboard/api/signup for account creation","code":"EMAIL_PASSWORD_SIGN_UP_DISABLED","message":"Use /dashboard/api/signup for account creation"}`},
		{"SignOutArray", "POST", "/sign-out", `[]`, true, 400, invalid("[body] Invalid input: expected object, received array")},
		{"SignOutKind", "POST", "/sign-out", `{"disableRedirect":1}`, true, 400, invalid("[body.disableRedirect] Invalid input: expected boolean, received number")},
		{"GetSessionNobody", "GET", "/get-session", "", false, 200, "null"},
		{"GetSessionPost", "POST", "/get-session", "", true, 405, problem("POST method requires deferSessionRefresh to be enabled in session config", "METHOD_NOT_ALLOWED_DEFER_SESSION_REQUIRED")},

		{"UpdateUserNobody", "POST", "/update-user", `{"name":"x"}`, false, 401, unauthorized},
		{"UpdateUserNobodyArray", "POST", "/update-user", `[]`, false, 400, invalid("[body] Invalid input: expected record, received array")},
		{"UpdateUserNoBody", "POST", "/update-user", "", true, 400, invalid("[body] Invalid input: expected record, received undefined")},
		{"UpdateUserNothing", "POST", "/update-user", `{"emailVerified":true,"id":"x"}`, true, 400, `{"message":"No fields to update"}`},
		{"UpdateUserEmail", "POST", "/update-user", `{"email":"x@example.com","name":"x"}`, true, 400, problem("Email can not be updated", "EMAIL_CAN_NOT_BE_UPDATED")},
		{"UpdateUserEmailFalsy", "POST", "/update-user", `{"email":""}`, true, 400, `{"message":"No fields to update"}`},
		{"UpdateUserNameKind", "POST", "/update-user", `{"name":5,"image":[]}`, true, 400, invalid("[body.name] Invalid input: expected string, received number; [body.image] Invalid input: expected string, received array")},
		{"UpdateUserNUL", "POST", "/update-user", `{"name":"a\u0000b"}`, true, 400, invalid("[body.name] Invalid input: expected string without NUL characters")},
		{"ChangePasswordNobodyEmpty", "POST", "/change-password", `{}`, false, 400, invalid("[body.newPassword] " + expectedString + "; [body.currentPassword] " + expectedString)},
		{"ChangePasswordNobody", "POST", "/change-password", `{"newPassword":"x","currentPassword":"y"}`, false, 401, unauthorized},
		{"ChangePasswordShort", "POST", "/change-password", `{"newPassword":"1234567","currentPassword":"y"}`, true, 400, problem("Password too short", "PASSWORD_TOO_SHORT")},
		{"ChangePasswordLong", "POST", "/change-password", `{"newPassword":"` + long + `","currentPassword":"y"}`, true, 400, problem("Password too long", "PASSWORD_TOO_LONG")},
		{"ChangePasswordLongCurrent", "POST", "/change-password", `{"newPassword":"12345678","currentPassword":"` + long + `"}`, true, 400, problem("Password too long", "PASSWORD_TOO_LONG")},
		{"ChangePasswordWrong", "POST", "/change-password", `{"newPassword":"12345678","currentPassword":"y"}`, true, 400, problem("Invalid password", "INVALID_PASSWORD")},
		{"VerifyPassword", "POST", "/verify-password", `{"password":"password123"}`, true, 200, statusTrue},
		{"VerifyPasswordWrong", "POST", "/verify-password", `{"password":"x"}`, true, 400, problem("Invalid password", "INVALID_PASSWORD")},
		{"VerifyPasswordLong", "POST", "/verify-password", `{"password":"` + long + `"}`, true, 400, problem("Password too long", "PASSWORD_TOO_LONG")},
		{"VerifyPasswordNobody", "POST", "/verify-password", `{"password":"x"}`, false, 401, unauthorized},
		{"ListSessionsNobody", "GET", "/list-sessions", "", false, 401, unauthorized},
		{"RevokeSessionEmpty", "POST", "/revoke-session", `{}`, false, 400, invalid("[body.token] " + expectedString)},
		{"RevokeSessionNobody", "POST", "/revoke-session", `{"token":"x"}`, false, 401, unauthorized},
		{"RevokeSessionUnknown", "POST", "/revoke-session", `{"token":"x\u0000"}`, true, 200, statusTrue},
		{"RevokeSessionsNobody", "POST", "/revoke-sessions", "", false, 401, unauthorized},
		{"RevokeOtherSessionsNobody", "POST", "/revoke-other-sessions", "", false, 401, unauthorized},
		{"UpdateSession", "POST", "/update-session", `{"x":1}`, true, 400, `{"message":"No fields to update"}`},
		{"UpdateSessionNobody", "POST", "/update-session", `{}`, false, 401, unauthorized},
		{"UpdateSessionNull", "POST", "/update-session", `null`, true, 400, invalid("[body] Invalid input: expected record, received null")},
		{"ListAccounts", "GET", "/list-accounts", "", true, 200, accounts},
		{"ListAccountsNobody", "GET", "/list-accounts", "", false, 401, unauthorized},
		{"UnlinkAccount", "POST", "/unlink-account", `{"accountId":"x"}`, true, 400, problem("You can't unlink your last account", "FAILED_TO_UNLINK_LAST_ACCOUNT")},
		{"UnlinkAccountEmpty", "POST", "/unlink-account", `{"providerId":"credential"}`, true, 400, invalid("[body.accountId] " + expectedString)},
		{"UnlinkAccountNobody", "POST", "/unlink-account", `{"accountId":"x"}`, false, 401, unauthorized},
		{"OK", "GET", "/ok", "", false, 200, `{"ok":true}`},

		{"ChangeEmail", "POST", "/change-email", `{"newEmail":"x@example.com"}`, true, 400, problem("Change email is disabled", "CHANGE_EMAIL_DISABLED")},
		{"ChangeEmailBad", "POST", "/change-email", `{"newEmail":"x"}`, true, 400, invalid("[body.newEmail] Invalid email address")},
		{"ChangeEmailNobody", "POST", "/change-email", `{"newEmail":"x@example.com"}`, false, 401, unauthorized},
		{"DeleteUser", "POST", "/delete-user", `{}`, true, 404, ""},
		{"DeleteUserNoBody", "POST", "/delete-user", "", true, 400, invalid("[body] Invalid input: expected object, received undefined")},
		{"DeleteUserNobody", "POST", "/delete-user", `{}`, false, 401, unauthorized},
		{"DeleteUserCallback", "GET", "/delete-user/callback?token=x", "", true, 404, problem("Not found", "NOT_FOUND")},
		{"DeleteUserCallbackEmpty", "GET", "/delete-user/callback", "", true, 400, invalid("[query.token] " + expectedString)},
		{"DeleteUserCallbackForeign", "GET", "/delete-user/callback?token=x&callbackURL=//evil.test", "", true, 403, problem("Invalid callbackURL", "INVALID_CALLBACK_URL")},
		{"RequestPasswordReset", "POST", "/request-password-reset", `{"email":"ann@example.com","redirectTo":"/reset"}`, false, 400, problem("Reset password isn't enabled", "RESET_PASSWORD_DISABLED")},
		{"RequestPasswordResetBad", "POST", "/request-password-reset", `{"email":"x"}`, false, 400, invalid("[body.email] Invalid email address")},
		{"RequestPasswordResetForeign", "POST", "/request-password-reset", `{"email":"x","redirectTo":"https://evil.test"}`, false, 403, problem("Invalid redirectURL", "INVALID_REDIRECT_URL")},
		{"ForgetPassword", "POST", "/forget-password", `{}`, false, 404, ""},
		{"SetPassword", "POST", "/set-password", `{}`, true, 404, ""},
		{"ResetPasswordLinkEmpty", "GET", "/reset-password/abc", "", false, 400, invalid("[query.callbackURL] " + expectedString)},
		{"ResetPasswordLinkForeign", "GET", "/reset-password/abc?callbackURL=https://evil.test", "", false, 403, problem("Invalid callbackURL", "INVALID_CALLBACK_URL")},
		{"ResetPasswordNoToken", "POST", "/reset-password", `{"newPassword":"x"}`, false, 400, problem("Invalid token", "INVALID_TOKEN")},
		{"ResetPasswordShort", "POST", "/reset-password", `{"newPassword":"x","token":"t"}`, false, 400, problem("Password too short", "PASSWORD_TOO_SHORT")},
		{"ResetPasswordLong", "POST", "/reset-password?token=t", `{"newPassword":"` + long + `"}`, false, 400, problem("Password too long", "PASSWORD_TOO_LONG")},
		{"ResetPasswordUnknown", "POST", "/reset-password?token=t", `{"newPassword":"12345678"}`, false, 400, problem("Invalid token", "INVALID_TOKEN")},
		{"SendVerification", "POST", "/send-verification-email", `{"email":"ann@example.com"}`, false, 400, problem("Verification email isn't enabled", "VERIFICATION_EMAIL_NOT_ENABLED")},
		{"VerifyEmail", "GET", "/verify-email?token=x", "", false, 401, problem("Invalid token", "INVALID_TOKEN")},
		{"VerifyEmailEmpty", "GET", "/verify-email", "", false, 400, invalid("[query.token] " + expectedString)},
		{"VerifyEmailForeign", "GET", "/verify-email?token=x&callbackURL=foo", "", false, 403, problem("Invalid callbackURL", "INVALID_CALLBACK_URL")},
		{"SignInSocial", "POST", "/sign-in/social", `{"provider":"github"}`, false, 404, problem("Provider not found", "PROVIDER_NOT_FOUND")},
		{"SignInSocialEmpty", "POST", "/sign-in/social", `{}`, false, 400, invalid("[body.provider] Invalid input")},
		{"LinkSocial", "POST", "/link-social", `{"provider":"github"}`, true, 404, problem("Provider not found", "PROVIDER_NOT_FOUND")},
		{"LinkSocialNobody", "POST", "/link-social", `{"provider":"github"}`, false, 401, unauthorized},
		{"RefreshTokenNobody", "POST", "/refresh-token", `{"accountId":"x"}`, false, 401, ""},
		{"RefreshToken", "POST", "/refresh-token", `{"accountId":"` + credential.ID + `"}`, true, 400, problem("Provider credential is not supported.", "PROVIDER_NOT_SUPPORTED")},
		{"AccessTokenUnknown", "POST", "/get-access-token", `{"accountId":"x"}`, true, 400, problem("Account not found", "ACCOUNT_NOT_FOUND")},
		{"AccessTokenEmpty", "POST", "/get-access-token", `{}`, true, 400, invalid("[body] Invalid input")},
		{"AccountInfoNobody", "GET", "/account-info?accountId=x", "", false, 401, ""},
		{"AccountInfo", "GET", "/account-info?accountId=" + credential.ID, "", true, 400, problem("Account is not associated with a configured social provider.", "PROVIDER_NOT_CONFIGURED")},
		{"AccountInfoUnknown", "GET", "/account-info?accountId=x", "", true, 400, problem("Account not found", "ACCOUNT_NOT_FOUND")},
		{"AccountInfoEmpty", "GET", "/account-info", "", true, 400, invalid("[query] Invalid input")},
		{"UnknownPath", "GET", "/nope", "", false, 404, ""},
		{"TrailingSlash", "GET", "/ok/", "", false, 404, ""},
		{"OtherCase", "GET", "/OK", "", false, 404, ""},
		{"WrongMethod", "POST", "/ok", `{}`, false, 404, ""},
		{"OtherMethod", "PUT", "/sign-out", `{}`, false, 404, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := request{method: c.method, path: c.path, body: c.body}
			if c.signedIn {
				q.cookie = cookie
			}
			got := f.do(q)
			if got.status != c.status || got.body != c.want {
				t.Errorf("%d %s\nwant %d %s", got.status, got.body, c.status, c.want)
			}
			if cookies := got.cookies(); len(cookies) != 0 {
				t.Errorf("cookies set: %q", cookies)
			}
			if ct := got.header.Get("Content-Type"); c.want != "" && ct != "application/json" {
				t.Errorf("content type %q", ct)
			}
		})
	}
	// Nothing of that ended a session or let anything into the log.
	for _, signedIn := range []string{cookie, bobs} {
		if got := f.do(request{method: "GET", path: "/get-session", cookie: signedIn}); got.body == "null" {
			t.Error("a session is gone")
		}
	}
	for _, private := range []string{session.Token, password, "wrong", long, "ann@example.com", storedHash} {
		if strings.Contains(f.log.String(), private) {
			t.Errorf("the log holds %q", private)
		}
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	const at = `"createdAt":"2026-11-22T19:36:22.222Z","updatedAt":"2026-11-22T19:36:22.222Z"`
	user := func(f *fixture) string {
		return fmt.Sprintf(`{"name":"Ann Admin","email":"ann@example.com","emailVerified":false,"image":null,%s,"id":%q}`, at, f.ann.ID)
	}
	remembered := func(f *fixture, token string) []string {
		return []string{cookieName + "=" + f.auth.SignCookie(token) + "; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax"}
	}
	for name, c := range map[string]struct {
		body    string
		headers map[string]string
		answer  string // %s is the token, then the user
		brief   bool
		url     string
	}{
		"OK":          {body: `{"email":"ann@example.com","password":"password123"}`, answer: `{"redirect":false,"token":"%s","user":%s}`},
		"AnyCase":     {body: `{"email":"ANN@Example.com","password":"password123","rememberMe":true,"other":1}`, answer: `{"redirect":false,"token":"%s","user":%s}`},
		"Form":        {body: "email=ann%40example.com&password=password123", headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, answer: `{"redirect":false,"token":"%s","user":%s}`},
		"Brief":       {body: `{"email":"ann@example.com","password":"password123","rememberMe":false}`, answer: `{"redirect":false,"token":"%s","user":%s}`, brief: true},
		"Callback":    {body: `{"email":"ann@example.com","password":"password123","callbackURL":"/dashboard"}`, answer: `{"redirect":true,"token":"%s","url":"/dashboard","user":%s}`, url: "/dashboard"},
		"CallbackOwn": {body: `{"email":"ann@example.com","password":"password123","callbackURL":"https://app.example.com/x"}`, answer: `{"redirect":true,"token":"%s","url":"https://app.example.com/x","user":%s}`, url: "https://app.example.com/x"},
		"NoCallback":  {body: `{"email":"ann@example.com","password":"password123","callbackURL":""}`, answer: `{"redirect":false,"token":"%s","url":"","user":%s}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			got := f.do(request{method: "POST", path: "/sign-in/email", body: c.body, headers: c.headers})
			sessions, err := f.db.UserSessions(t.Context(), f.ann.ID)
			if err != nil || len(sessions) != 1 {
				t.Fatalf("%d %s; sessions %v, %v", got.status, got.body, sessions, err)
			}
			s := sessions[0]
			if want := fmt.Sprintf(c.answer, s.Token, user(f)); got.status != 200 || got.body != want {
				t.Errorf("%d %s\nwant %s", got.status, got.body, want)
			}
			if got.header.Get("Location") != c.url || got.header.Get("Content-Type") != "application/json" {
				t.Errorf("headers %v", got.header)
			}
			wantCookies, life := remembered(f, s.Token), 7*24*time.Hour
			if c.brief {
				wantCookies = []string{
					cookieName + "=" + f.auth.SignCookie(s.Token) + "; Path=/; HttpOnly; SameSite=Lax",
					"better-auth.dont_remember=true.D9pBH1LzgZWkT7wStsJLqaJMqKar2lC2b%2BOMIAvbvT4%3D; Path=/; HttpOnly; SameSite=Lax",
				}
				life = 24 * time.Hour
			}
			if diff := cmp.Diff(wantCookies, got.cookies()); diff != "" {
				t.Errorf("cookies (-want +got):\n%s", diff)
			}
			if now := start.Truncate(time.Millisecond); !s.CreatedAt.Equal(now) || !s.UpdatedAt.Equal(now) || !s.ExpiresAt.Equal(now.Add(life)) ||
				*s.IPAddress != "127.0.0.1" || *s.UserAgent != "probe/1" || s.UserID != f.ann.ID || len(s.ID) != 32 || len(s.Token) != 32 || s.ID == s.Token {
				t.Errorf("row %+v", s)
			}
		})
	}
	t.Run("ExpiresDontRemember", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		got := f.do(request{
			method: "POST", path: "/sign-in/email", body: `{"email":"ann@example.com","password":"password123"}`,
			cookie: "better-auth.dont_remember=" + f.auth.SignCookie("true"),
		})
		if c := got.cookies(); len(c) != 2 || c[1] != "better-auth.dont_remember"+clearedSuffix {
			t.Errorf("%d %s, cookies %q", got.status, got.body, c)
		}
	})
	t.Run("HTTPS", func(t *testing.T) {
		t.Parallel()
		f := setup(t, func(o *betterauth.Options) { o.BaseURL = "https://pulse.example.com" })
		got := f.do(request{method: "POST", path: "/sign-in/email", body: `{"email":"ann@example.com","password":"password123"}`})
		if c := got.cookies(); len(c) != 1 || !strings.HasPrefix(c[0], "__Secure-"+cookieName+"=") || !strings.HasSuffix(c[0], "; Max-Age=604800; Path=/; HttpOnly; Secure; SameSite=Lax") {
			t.Fatalf("cookies %q", c)
		}
		value := strings.TrimPrefix(strings.Split(got.cookies()[0], ";")[0], "__Secure-"+cookieName+"=")
		for _, name := range []string{"__Secure-" + cookieName, cookieName} { // clients strip the prefix
			if got := f.do(request{method: "GET", path: "/get-session", cookie: name + "=" + value}); got.body == "null" {
				t.Errorf("%s is not recognised", name)
			}
		}
	})
}

func TestGetSession(t *testing.T) {
	t.Parallel()
	f := setup(t)
	s, cookie := f.signIn(f.ann)
	got := f.do(request{method: "GET", path: "/get-session", cookie: cookie})
	want := fmt.Sprintf(`{"session":{"expiresAt":"2026-11-29T19:36:22.222Z","token":%q,"createdAt":"2026-11-22T19:36:22.222Z","updatedAt":"2026-11-22T19:36:22.222Z",`+
		`"ipAddress":"2001:0db8:0001:0002:0000:0000:0000:0000","userAgent":"probe/1","userId":%q,"id":%q},`+
		`"user":{"name":"Ann Admin","email":"ann@example.com","emailVerified":false,"image":null,"createdAt":"2026-11-22T19:36:22.222Z","updatedAt":"2026-11-22T19:36:22.222Z","id":%q}}`,
		s.Token, f.ann.ID, s.ID, f.ann.ID)
	if got.status != 200 || got.body != want || len(got.cookies()) != 0 {
		t.Errorf("%d %s %q\nwant %s", got.status, got.body, got.cookies(), want)
	}
	if got.header.Get("Cache-Control") != "no-store" || got.header.Get("Pragma") != "no-cache" {
		t.Errorf("headers %v", got.header)
	}
	t.Run("ForgedIsLeftAlone", func(t *testing.T) {
		for _, c := range []string{cookieName + "=" + s.Token, cookie + "x", cookieName + "=" + s.Token + ".AAAA", "a=b"} {
			if got := f.do(request{method: "GET", path: "/get-session", cookie: c}); got.status != 200 || got.body != "null" || len(got.cookies()) != 0 {
				t.Errorf("%q: %d %s %q", c, got.status, got.body, got.cookies())
			}
		}
	})
	t.Run("BearerIsIgnored", func(t *testing.T) {
		if got := f.do(request{method: "GET", path: "/get-session", headers: map[string]string{"Authorization": "Bearer " + s.Token}}); got.body != "null" {
			t.Errorf("got %s", got.body)
		}
	})
	t.Run("OldCacheIsCleared", func(t *testing.T) {
		got := f.do(request{method: "GET", path: "/get-session", cookie: cookie + "; better-auth.session_data.0=x"})
		if diff := cmp.Diff([]string{"better-auth.session_data.0" + clearedSuffix}, got.cookies()); diff != "" || got.body == "null" {
			t.Errorf("%s (-want +got):\n%s", got.body, diff)
		}
	})
	t.Run("DatabaseDown", func(t *testing.T) {
		f := setup(t)
		_, cookie := f.signIn(f.ann)
		if err := f.db.Close(); err != nil {
			t.Fatal(err)
		}
		got := f.do(request{method: "GET", path: "/get-session", cookie: cookie})
		if want := problem("Failed to get session", "FAILED_TO_GET_SESSION"); got.status != 500 || got.body != want || len(got.cookies()) != 0 {
			t.Errorf("%d %s %q\nwant 500 %s", got.status, got.body, got.cookies(), want)
		}
		if got := f.do(request{method: "GET", path: "/list-accounts", cookie: cookie}); got.status < 500 || len(got.cookies()) != 0 {
			t.Errorf("a guarded route: %d %s: an outage must not sign anybody out", got.status, got.body)
		}
		if !strings.Contains(f.log.String(), "get session") {
			t.Error("the log is silent")
		}
	})
}

func TestSessionLife(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	t.Run("Refresh", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/get-session", "/list-accounts"} {
			f := setup(t)
			s, cookie := f.signIn(f.ann)
			f.forward(day - time.Second)
			if got := f.do(request{method: "GET", path: path, cookie: cookie}); len(got.cookies()) != 0 {
				t.Errorf("%s: refreshed before a day is over: %q", path, got.cookies())
			}
			f.forward(time.Second)
			if got := f.do(request{method: "GET", path: path + "?disableRefresh=false", cookie: cookie}); len(got.cookies()) != 0 {
				t.Errorf("%s: refreshed in spite of disableRefresh: %q", path, got.cookies())
			}
			got := f.do(request{method: "GET", path: path, cookie: cookie})
			if diff := cmp.Diff([]string{cookie + "; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax"}, got.cookies()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
			now := f.now().Truncate(time.Millisecond)
			row, _, err := f.db.SessionByToken(t.Context(), s.Token)
			if err != nil || !row.ExpiresAt.Equal(now.Add(7*day)) || !row.UpdatedAt.Equal(now) || !row.CreatedAt.Equal(s.CreatedAt) || row.ID != s.ID {
				t.Errorf("%s: row %+v, %v", path, row, err)
			}
			if path == "/get-session" && !strings.Contains(got.body, `"expiresAt":"2026-11-30T19:36:22.222Z"`) {
				t.Errorf("answer has the old expiry: %s", got.body)
			}
		}
	})
	t.Run("BriefIsNotRefreshed", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		s, err := f.auth.CreateSession(t.Context(), f.ann.ID, betterauth.Client{}, false)
		if err != nil {
			t.Fatal(err)
		}
		session := cookieName + "=" + f.auth.SignCookie(s.Token)
		both := session + "; better-auth.dont_remember=" + f.auth.SignCookie("true")
		if got := f.do(request{method: "GET", path: "/get-session", cookie: both}); got.body == "null" || len(got.cookies()) != 0 {
			t.Errorf("%s %q", got.body, got.cookies())
		}
		// Without the marker the row looks a day past due, and is extended.
		if got := f.do(request{method: "GET", path: "/get-session", cookie: session}); len(got.cookies()) != 1 {
			t.Errorf("%s %q", got.body, got.cookies())
		}
	})
	t.Run("BriefUpdateStaysBrief", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		_, cookie := f.signIn(f.ann)
		got := f.do(request{method: "POST", path: "/update-user", body: `{"name":"x"}`, cookie: cookie + "; better-auth.dont_remember=" + f.auth.SignCookie("true")})
		if c := got.cookies(); len(c) != 2 || strings.Contains(c[0], "Max-Age") || !strings.HasPrefix(c[1], "better-auth.dont_remember=true.") {
			t.Errorf("cookies %q", c)
		}
	})
	for name, path := range map[string]string{"ExpiredGetSession": "/get-session", "ExpiredGuarded": "/list-accounts"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			s, cookie := f.signIn(f.ann)
			f.forward(7*day + time.Second)
			got := f.do(request{method: "GET", path: path, cookie: cookie})
			status, want := 200, "null"
			if path != "/get-session" {
				status, want = 401, unauthorized
			}
			if got.status != status || got.body != want {
				t.Errorf("%d %s", got.status, got.body)
			}
			if diff := cmp.Diff(cleared, got.cookies()); diff != "" {
				t.Errorf("cookies (-want +got):\n%s", diff)
			}
			if _, _, err := f.db.SessionByToken(t.Context(), s.Token); err == nil {
				t.Error("the row is still there")
			}
		})
	}
	t.Run("NotFresh", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		s, cookie := f.signIn(f.ann)
		f.forward(s.CreatedAt.Add(day).Sub(f.now())) // to the millisecond
		for _, q := range []request{{method: "GET", path: "/list-sessions", cookie: cookie}, {method: "POST", path: "/unlink-account", body: `{"accountId":"x"}`, cookie: cookie}} {
			if got := f.do(q); got.status != 403 || got.body != notFresh {
				t.Errorf("%s: %d %s", q.path, got.status, got.body)
			}
		}
	})
}

// TestGuardOfOtherRoutes: the dashboard's routes extend and end sessions too,
// and tell the browser.
func TestGuardOfOtherRoutes(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, cookie := f.signIn(f.ann)
	probe := request{method: "GET", path: "/dashboard/api/probe", cookie: cookie}
	if got := f.do(probe); got.status != 200 || got.body != `"ann@example.com"` || len(got.cookies()) != 0 {
		t.Errorf("%d %s %q", got.status, got.body, got.cookies())
	}
	f.forward(24 * time.Hour)
	if got := f.do(probe); got.status != 200 || len(got.cookies()) != 1 || !strings.HasPrefix(got.cookies()[0], cookie+"; ") {
		t.Errorf("due for a refresh: %d %q", got.status, got.cookies())
	}
	f.forward(7*24*time.Hour + time.Second)
	if got := f.do(probe); got.status != 401 || len(got.cookies()) != 3 {
		t.Errorf("expired: %d %q", got.status, got.cookies())
	}
	probe.cookie = ""
	if got := f.do(probe); got.status != 401 || len(got.cookies()) != 0 {
		t.Errorf("nobody: %d %q", got.status, got.cookies())
	}
}

// TestOlderRows: what the earlier service's local login wrote, and accounts
// without a usable password.
func TestOlderRows(t *testing.T) {
	t.Parallel()
	f := setup(t)
	now := start.Truncate(time.Second)
	old := account.Session{
		ID: "66fe3844-4574-47a6-87c2-06a34267d46c", UserID: f.ann.ID, Token: "3f2504e04f8941d39a0c0305e82c3301",
		ExpiresAt: now.Add(7 * 24 * time.Hour), CreatedAt: now, UpdatedAt: now,
	}
	if err := f.db.CreateSession(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	cookie := cookieName + "=" + f.auth.SignCookie(old.Token)
	got := f.do(request{method: "GET", path: "/get-session", cookie: cookie})
	if !strings.Contains(got.body, `"createdAt":"2026-11-22T19:36:22.000Z","updatedAt":"2026-11-22T19:36:22.000Z","ipAddress":null,"userAgent":null,`) || !strings.Contains(got.body, `"id":"66fe3844-4574-47a6-87c2-06a34267d46c"`) {
		t.Errorf("got %s", got.body)
	}
	signIn := request{method: "POST", path: "/sign-in/email", body: `{"email":"ann@example.com","password":"password123"}`}
	verify := request{method: "POST", path: "/verify-password", body: `{"password":"password123"}`, cookie: cookie}
	check := func(what string, q request, status int, want string) {
		t.Helper()
		if got := f.do(q); got.status != status || got.body != want {
			t.Errorf("%s: %s: %d %s\nwant %d %s", what, q.path, got.status, got.body, status, want)
		}
	}
	f.exec("UPDATE account SET password = NULL WHERE user_id = ?", f.ann.ID)
	check("NULL password", signIn, 401, problem("Invalid email or password", "INVALID_EMAIL_OR_PASSWORD"))
	check("NULL password", verify, 400, problem("Credential account not found", "CREDENTIAL_ACCOUNT_NOT_FOUND"))

	f.exec("UPDATE account SET password = 'damaged-hash' WHERE user_id = ?", f.ann.ID)
	if got := f.do(signIn); got.status != 500 || strings.Contains(got.body+f.log.String(), "damaged-hash") {
		t.Errorf("damaged hash: %d %s", got.status, got.body)
	}

	f.exec("DELETE FROM account WHERE user_id = ?", f.ann.ID)
	check("no account", signIn, 401, problem("Invalid email or password", "INVALID_EMAIL_OR_PASSWORD"))
	check("no account", verify, 400, problem("Credential account not found", "CREDENTIAL_ACCOUNT_NOT_FOUND"))
	check("no account", request{method: "GET", path: "/list-accounts", cookie: cookie}, 200, "[]")
	check("no account", request{method: "POST", path: "/unlink-account", body: `{"accountId":"x"}`, cookie: cookie}, 400, problem("Account not found", "ACCOUNT_NOT_FOUND"))
	check("no account", request{method: "POST", path: "/refresh-token", body: `{"accountId":"x"}`, cookie: cookie}, 400, problem("Account not found", "ACCOUNT_NOT_FOUND"))

	f.exec("DELETE FROM user WHERE id = ?", f.ann.ID) // its session goes, or is nobody's
	check("no user", request{method: "GET", path: "/get-session", cookie: cookie}, 200, "null")
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, cookie := f.signIn(f.ann)
	for _, q := range []request{
		{cookie: cookie, body: `{}`}, // the dashboard's
		{cookie: cookie},             // dead by now
		{},                           // never signed in
		{cookie: cookieName + "=forged"},
		{headers: map[string]string{"Origin": "https://evil.test"}}, // no cookie, no harm
		{headers: map[string]string{"Content-Type": "application/json"}},
	} {
		q.method, q.path = "POST", "/sign-out"
		got := f.do(q)
		if got.status != 200 || got.body != `{"success":true}` {
			t.Errorf("%+v: %d %s", q, got.status, got.body)
		}
		if diff := cmp.Diff(cleared, got.cookies()); diff != "" {
			t.Errorf("%+v: cookies (-want +got):\n%s", q, diff)
		}
	}
	got := f.do(request{method: "GET", path: "/get-session", cookie: cookie})
	if diff := cmp.Diff(cleared, got.cookies()); diff != "" || got.body != "null" {
		t.Errorf("afterwards %s, cookies (-want +got):\n%s", got.body, diff)
	}
}

func TestUpdateUser(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, cookie := f.signIn(f.ann)
	f.forward(time.Hour)
	renewed := cookie + "; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax"
	for _, c := range []struct{ body, name, image string }{
		{`{"name":"Änn 😀","image":"https://x.test/a.png","emailVerified":true,"id":"x"}`, "Änn 😀", "https://x.test/a.png"},
		{`{"name":""}`, "", "https://x.test/a.png"},
		{`{"image":null}`, "", "<nil>"},
	} {
		got := f.do(request{method: "POST", path: "/update-user", body: c.body, cookie: cookie})
		if diff := cmp.Diff([]string{renewed}, got.cookies()); got.status != 200 || got.body != statusTrue || diff != "" {
			t.Errorf("%s: %d %s %s", c.body, got.status, got.body, diff)
		}
		u, err := f.db.User(t.Context(), f.ann.ID)
		if err != nil {
			t.Fatal(err)
		}
		image := "<nil>"
		if u.Image != nil {
			image = *u.Image
		}
		if u.Name != c.name || image != c.image || u.EmailVerified || !u.UpdatedAt.Equal(f.now().Truncate(time.Millisecond)) || !u.CreatedAt.Equal(f.ann.CreatedAt) {
			t.Errorf("%s: row %+v, image %s", c.body, u, image)
		}
	}
	f.forward(24 * time.Hour)
	got := f.do(request{method: "POST", path: "/update-user", body: `{"name":"x"}`, cookie: cookie})
	if diff := cmp.Diff([]string{renewed, renewed}, got.cookies()); diff != "" {
		t.Errorf("when due for a refresh too (-want +got):\n%s", diff)
	}
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	signIn := func(f *fixture, password string) int {
		return f.do(request{method: "POST", path: "/sign-in/email", body: fmt.Sprintf(`{"email":"ann@example.com","password":%q}`, password)}).status
	}
	t.Run("KeepsSessions", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		_, cookie := f.signIn(f.ann)
		_, other := f.signIn(f.ann)
		got := f.do(request{method: "POST", path: "/change-password", body: `{"newPassword":"correct horse","currentPassword":"password123"}`, cookie: cookie})
		if got.status != 200 || !strings.HasPrefix(got.body, `{"token":null,"user":{"name":"Ann Admin",`) || len(got.cookies()) != 0 {
			t.Errorf("%d %s %q", got.status, got.body, got.cookies())
		}
		if old, now := signIn(f, password), signIn(f, "correct horse"); old != 401 || now != 200 {
			t.Errorf("old password %d, new %d", old, now)
		}
		if got := f.do(request{method: "GET", path: "/get-session", cookie: other}); got.body == "null" {
			t.Error("the other session is gone")
		}
	})
	t.Run("RevokesSessions", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		_, cookie := f.signIn(f.ann)
		_, other := f.signIn(f.ann)
		_, bobs := f.signIn(f.bob)
		f.forward(24 * time.Hour) // due for a refresh, which must not show
		got := f.do(request{method: "POST", path: "/change-password", body: `{"newPassword":"password123","currentPassword":"password123","revokeOtherSessions":true}`, cookie: cookie})
		var answer struct{ Token string }
		if err := json.Unmarshal([]byte(got.body), &answer); err != nil || got.status != 200 || len(answer.Token) != 32 {
			t.Fatalf("%d %s %v", got.status, got.body, err)
		}
		fresh := cookieName + "=" + f.auth.SignCookie(answer.Token)
		if diff := cmp.Diff([]string{fresh + "; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax"}, got.cookies()); diff != "" {
			t.Errorf("cookies (-want +got):\n%s", diff)
		}
		for c, alive := range map[string]bool{cookie: false, other: false, fresh: true, bobs: true} {
			if got := f.do(request{method: "GET", path: "/get-session", cookie: c}); (got.body != "null") != alive {
				t.Errorf("session %q alive: %v, want %v", c, !alive, alive)
			}
		}
	})
}

func TestSessionsOfAUser(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.signIn(f.bob)
	expired, _ := f.signIn(f.ann)
	f.forward(7*24*time.Hour + time.Second)
	first, cookie := f.signIn(f.ann)
	f.forward(time.Second)
	second, other := f.signIn(f.ann)
	bob, bobs := f.signIn(f.bob)

	list := func(cookie string) []string {
		t.Helper()
		got := f.do(request{method: "GET", path: "/list-sessions", cookie: cookie})
		var sessions []struct{ Token, UserID, CreatedAt string }
		if err := json.Unmarshal([]byte(got.body), &sessions); err != nil || got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		var tokens []string
		for _, s := range sessions {
			tokens = append(tokens, s.Token)
		}
		return tokens
	}
	if diff := cmp.Diff([]string{first.Token, second.Token}, list(cookie)); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	revoke := func(path, body string, wantCleared bool) {
		t.Helper()
		got := f.do(request{method: "POST", path: path, body: body, cookie: cookie})
		var want []string
		if wantCleared {
			want = cleared
		}
		if diff := cmp.Diff(want, got.cookies()); got.status != 200 || got.body != statusTrue || diff != "" {
			t.Errorf("%s %s: %d %s, cookies (-want +got):\n%s", path, body, got.status, got.body, diff)
		}
	}
	revoke("/revoke-session", fmt.Sprintf(`{"token":%q}`, bob.Token), false)
	if diff := cmp.Diff([]string{bob.Token}, list(bobs)); diff != "" {
		t.Errorf("a foreign session was touched:\n%s", diff)
	}
	revoke("/revoke-session", fmt.Sprintf(`{"token":%q}`, second.Token), false)
	if got := f.do(request{method: "GET", path: "/get-session", cookie: other}); got.body != "null" {
		t.Error("the revoked session lives")
	}
	third, _ := f.signIn(f.ann)
	if diff := cmp.Diff([]string{first.Token, third.Token}, list(cookie)); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	revoke("/revoke-other-sessions", "", false)
	if diff := cmp.Diff([]string{first.Token}, list(cookie)); diff != "" {
		t.Errorf("after revoke-other-sessions (-want +got):\n%s", diff)
	}
	revoke("/revoke-session", fmt.Sprintf(`{"token":%q}`, first.Token), true)
	if got := f.do(request{method: "GET", path: "/list-sessions", cookie: cookie}); got.status != 401 {
		t.Errorf("after its own revocation: %d", got.status)
	}
	_, cookie = f.signIn(f.ann)
	revoke("/revoke-sessions", `{}`, true)
	if left, err := f.db.UserSessions(t.Context(), f.ann.ID); err != nil || len(left) != 0 {
		t.Errorf("left: %d sessions (the first was %s), %v", len(left), expired.ID, err)
	}
	if diff := cmp.Diff([]string{bob.Token}, list(bobs)); diff != "" {
		t.Errorf("Bob's sessions:\n%s", diff)
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, cookie := f.signIn(f.ann)
	const (
		null    = `{"message":"Missing or null Origin","code":"MISSING_OR_NULL_ORIGIN"}`
		foreign = `{"message":"Invalid origin","code":"INVALID_ORIGIN"}`
		nav     = `{"message":"Cross-site navigation login blocked. This request appears to be a CSRF attack.","code":"CROSS_SITE_NAVIGATION_LOGIN_BLOCKED"}`
		evil    = "https://evil.test"
		good    = `{"email":"ann@example.com","password":"password123"}`
	)
	type h = map[string]string
	for _, c := range []struct {
		name, path, body, cookie string
		headers                  h
		status                   int
		want                     string
	}{
		{"CookieNoOrigin", "/sign-out", `{}`, cookie, h{"Origin": ""}, 403, null},
		{"OtherCookieNoOrigin", "/sign-out", "", "a=b", h{"Origin": ""}, 403, null},
		{"CookieNull", "/sign-out", `{}`, cookie, h{"Origin": "null"}, 403, null},
		{"CookieForeign", "/sign-out", `{}`, cookie, h{"Origin": evil}, 403, foreign},
		{"CookieForeignInvalidBody", "/change-password", `{}`, cookie, h{"Origin": evil}, 403, foreign},
		{"ForeignInvalidBody", "/sign-in/email", `{}`, "", h{"Origin": evil}, 400, ""},
		{"ForeignMalformedBody", "/sign-in/email", `{bad`, cookie, h{"Origin": evil}, 400, problem("Invalid JSON in request body", "BAD_REQUEST")},
		{"ForeignCallbackInvalidBody", "/sign-in/email", `{"callbackURL":"https://evil.test"}`, "", nil, 403, problem("Invalid callbackURL", "INVALID_CALLBACK_URL")},
		{"ForeignCallbackQuery", "/sign-in/email?callbackURL=//evil.test", good, "", nil, 403, problem("Invalid callbackURL", "INVALID_CALLBACK_URL")},
		{"CallbackKind", "/sign-in/email", `{"callbackURL":5}`, "", nil, 400, `{"message":"Invalid callbackURL: expected a string"}`},
		{"SignInForeign", "/sign-in/email", good, "", h{"Origin": evil}, 403, foreign},
		{"SignInFetch", "/sign-in/email", good, "", h{"Sec-Fetch-Mode": "cors"}, 403, null},
		{"SignInNavigation", "/sign-in/email", good, "", h{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403, nav},
		{"GetNeedsNone", "/update-user", `{"name":"x"}`, "", h{"Origin": evil}, 401, unauthorized},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := f.do(request{method: "POST", path: c.path, body: c.body, cookie: c.cookie, headers: c.headers})
			if got.status != c.status || (c.want != "" && got.body != c.want) {
				t.Errorf("%d %s\nwant %d %s", got.status, got.body, c.status, c.want)
			}
		})
	}
	t.Run("Listed", func(t *testing.T) {
		got := f.do(request{method: "POST", path: "/sign-in/email", body: good, headers: h{"Origin": appOrigin}})
		if got.status != 200 || got.header.Get("Access-Control-Allow-Origin") != appOrigin || got.header.Get("Access-Control-Allow-Credentials") != "true" ||
			got.header.Get("Access-Control-Expose-Headers") != "Content-Length" || !slices.Contains(got.header.Values("Vary"), "Origin") {
			t.Errorf("%d %v", got.status, got.header)
		}
	})
	t.Run("Preflight", func(t *testing.T) {
		for origin, want := range map[string]string{appOrigin: appOrigin, evil: ""} {
			got := f.do(request{method: "OPTIONS", path: "/sign-in/email", headers: h{"Origin": origin, "Access-Control-Request-Method": "POST"}})
			if got.status != 204 || got.body != "" || got.header.Get("Access-Control-Allow-Origin") != want || got.header.Get("Access-Control-Max-Age") != "600" ||
				got.header.Get("Access-Control-Allow-Methods") != "POST,GET,OPTIONS" || got.header.Get("Access-Control-Allow-Headers") != "Content-Type,Authorization" {
				t.Errorf("%s: %d %v", origin, got.status, got.header)
			}
		}
	})
	t.Run("SkippedInTestSuites", func(t *testing.T) {
		f := setup(t, func(o *betterauth.Options) { o.SkipOriginCheck = true })
		_, cookie := f.signIn(f.ann)
		for _, q := range []request{
			{path: "/sign-in/email", body: good, headers: h{"Sec-Fetch-Mode": "cors"}},
			{path: "/sign-out", cookie: cookie, headers: h{"Origin": ""}},
		} {
			q.method = "POST"
			if got := f.do(q); got.status != 200 {
				t.Errorf("%s: %d %s", q.path, got.status, got.body)
			}
		}
		if got := f.do(request{method: "POST", path: "/sign-in/email", body: `{"callbackURL":"https://evil.test"}`}); got.status != 403 {
			t.Errorf("a foreign callbackURL: %d %s", got.status, got.body)
		}
	})
}

func TestBodies(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, cookie := f.signIn(f.ann)
	for name, c := range map[string]struct {
		path, body, contentType string
		status                  int
		want                    string
	}{
		"OtherType":     {"/sign-in/email", `{"email":"ann@example.com"}`, "text/plain", 415, `{"message":"Content-Type \"text/plain\" is not allowed. Allowed types: application/x-www-form-urlencoded, application/json","code":"UNSUPPORTED_MEDIA_TYPE"}`},
		"OtherTypeJSON": {"/sign-out", `{}`, "text/plain", 415, `{"message":"Content-Type \"text/plain\" is not allowed. Allowed types: application/json","code":"UNSUPPORTED_MEDIA_TYPE"}`},
		"NoType":        {"/sign-out", `x`, "", 415, `{"message":"Content-Type is required. Allowed types: application/json","code":"UNSUPPORTED_MEDIA_TYPE"}`},
		"TooLarge":      {"/update-user", `{"name":"` + strings.Repeat("x", 1<<20) + `"}`, "application/json", 413, `{"message":"The request body is larger than 1048576 bytes","code":"PAYLOAD_TOO_LARGE"}`},
		"TooDeep":       {"/update-user", strings.Repeat("[", 20000) + strings.Repeat("]", 20000), "application/json", 400, problem("Invalid JSON in request body", "BAD_REQUEST")},
		"InvalidUTF8":   {"/update-user", "{\"name\":\"a\xffb\"}", "application/json", 200, statusTrue},
	} {
		t.Run(name, func(t *testing.T) {
			got := f.do(request{method: "POST", path: c.path, body: c.body, cookie: cookie, headers: map[string]string{"Content-Type": c.contentType}})
			if got.status != c.status || got.body != c.want {
				t.Errorf("%d %s\nwant %d %s", got.status, got.body, c.status, c.want)
			}
		})
	}
}

func TestEncodedBodies(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(`{"email":"bad","password":"x"}`)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var bomb bytes.Buffer
	w = gzip.NewWriter(&bomb)
	if _, err := w.Write(make([]byte, 2<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		encoding, body string
		status         int
		want           string
	}{
		"Gzip":        {"gzip", packed.String(), 400, problem("Invalid email", "INVALID_EMAIL")},
		"Damaged":     {"gzip", "no gzip", 400, problem("Request body is not valid gzip", "BAD_REQUEST")},
		"Unsupported": {"br", "x", 415, problem("Unsupported Content-Encoding: send gzip, zstd, deflate or none", "UNSUPPORTED_MEDIA_TYPE")},
		"Bomb":        {"gzip", bomb.String(), 413, `{"message":"The request body is larger than 1048576 bytes","code":"PAYLOAD_TOO_LARGE"}`},
	} {
		t.Run(name, func(t *testing.T) {
			got := f.do(request{
				method: "POST", path: "/sign-in/email", body: c.body,
				headers: map[string]string{"Content-Type": "application/json", "Content-Encoding": c.encoding},
			})
			if got.status != c.status || got.body != c.want {
				t.Errorf("%d %s\nwant %d %s", got.status, got.body, c.status, c.want)
			}
		})
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, c := range []struct{ method, path, body, contentType, want string }{
		{"GET", "/reset-password/abc?callbackURL=%2Freset%3Fa%3Db%23x", "", "", baseURL + "/reset?a=b&error=INVALID_TOKEN#x"},
		{"GET", "/reset-password/abc?callbackURL=" + appOrigin + "/reset", "", "", appOrigin + "/reset?error=INVALID_TOKEN"},
		{"GET", "/verify-email?token=x&callbackURL=/done", "", "", "/done?error=INVALID_TOKEN"},
		{"GET", "/callback/github", "", "", baseURL + "/api/auth/error?error=state_not_found"},
		{"GET", "/callback/github?state=x&code=y", "", "", baseURL + "/api/auth/error?error=state_mismatch"},
		{"POST", "/callback/git%2Fhub?iss=q", "code=a+b&state=%26&evil=1", "application/x-www-form-urlencoded", baseURL + "/api/auth/callback/git%2Fhub?code=a+b&iss=q&state=%26"},
	} {
		got := f.do(request{method: c.method, path: c.path, body: c.body, headers: map[string]string{"Content-Type": c.contentType}})
		if got.status != http.StatusFound || got.header.Get("Location") != c.want {
			t.Errorf("%s: %d %s %s\nwant %s", c.path, got.status, got.header.Get("Location"), got.body, c.want)
		}
	}
}

// TestVectorsOfTheLibrary sends the tokens and cookies of its vectors that need a
// server: a mailed token is honoured, and the cookie cache, which Pulse leaves out,
// signs nobody in.
func TestVectorsOfTheLibrary(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../betterauth/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		EmailJWT struct {
			Secret, Token string
			Payload       struct {
				Email string
				IAT   int64
			}
		} `json:"email_jwt"`
		CookieCache struct {
			Secret      string
			CookieValue string `json:"cookie_value"`
		} `json:"cookie_cache"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	f := setup(t, func(o *betterauth.Options) { o.Secret = v.EmailJWT.Secret })
	f.forward(time.Unix(v.EmailJWT.Payload.IAT, 0).Sub(f.now()))
	verify := func(query string) answer {
		return f.do(request{method: "GET", path: "/verify-email?token=" + v.EmailJWT.Token + query})
	}
	if got := verify(""); got.status != 401 || got.body != problem("User not found", "USER_NOT_FOUND") {
		t.Errorf("without a user: %d %s", got.status, got.body)
	}
	user := f.addUser("V", v.EmailJWT.Payload.Email)
	for range 2 {
		if got := verify(""); got.status != 200 || got.body != `{"status":true,"user":null}` || len(got.cookies()) > 0 {
			t.Errorf("verified: %d %s %v", got.status, got.body, got.cookies())
		}
	}
	if u, err := f.db.User(t.Context(), user.ID); err != nil || !u.EmailVerified || u.Name != user.Name || !u.UpdatedAt.Equal(f.now().Truncate(time.Millisecond)) {
		t.Errorf("row %+v, %v", u, err)
	}
	if got := verify("&callbackURL=/done"); got.status != 302 || got.header.Get("Location") != "/done" {
		t.Errorf("with a page to go on to: %d %s", got.status, got.header.Get("Location"))
	}
	f.forward(time.Hour)
	if got := verify(""); got.status != 401 || got.body != problem("Token expired", "TOKEN_EXPIRED") {
		t.Errorf("an hour later: %d %s", got.status, got.body)
	}
	if got := verify("&callbackURL=/done"); got.status != 302 || got.header.Get("Location") != "/done?error=TOKEN_EXPIRED" {
		t.Errorf("an hour later, with a page to go on to: %d %s", got.status, got.header.Get("Location"))
	}

	f = setup(t, func(o *betterauth.Options) { o.Secret = v.CookieCache.Secret })
	if got := f.do(request{method: "GET", path: "/get-session", cookie: "better-auth.session_data=" + v.CookieCache.CookieValue}); got.body != "null" {
		t.Errorf("the cookie cache signs in: %s", got.body)
	}
}

func TestErrorPage(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for query, code := range map[string]string{
		"":                                  "UNKNOWN",
		"?error=state_not_found":            "state_not_found",
		"?error=%3Cscript%3E":               "UNKNOWN",
		"?error=" + strings.Repeat("a", 65): "UNKNOWN",
		"?error=x&error_description=%3Cscript%3Eevil": "x",
	} {
		got := f.do(request{method: "GET", path: "/error" + query})
		if got.status != 200 || !strings.Contains(got.body, "<code>"+code+"</code>") || strings.Contains(got.body, "script") ||
			got.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(got.header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%q: %d %v %s", query, got.status, got.header, got.body)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	const body = `{"message":"Too many requests. Please try again later."}`
	refused := func(t *testing.T, got answer, wait string) {
		t.Helper()
		if got.status != 429 || got.body != body || got.header.Get("X-Retry-After") != wait || got.header.Get("Retry-After") != wait {
			t.Errorf("%d %s, wait %q and %q, want %q", got.status, got.body, got.header.Get("X-Retry-After"), got.header.Get("Retry-After"), wait)
		}
	}
	t.Run("ByAddress", func(t *testing.T) {
		t.Parallel()
		f := setup(t, func(o *betterauth.Options) { o.Limits = betterauth.ProductionLimits() })
		try := func(i int) answer {
			return f.do(request{method: "POST", path: "/sign-in/email", body: `{}`, headers: map[string]string{"X-Forwarded-For": fmt.Sprintf("203.0.113.%d", i)}})
		}
		for i := range 3 {
			if got := try(i); got.status != 400 {
				t.Fatalf("try %d: %d", i, got.status)
			}
		}
		refused(t, try(4), "10") // whatever the client says of its address
		for range 3 {
			if got := f.do(request{method: "POST", path: "/sign-up/email"}); got.status != 403 {
				t.Fatalf("sign-up: %d", got.status)
			}
		}
		refused(t, f.do(request{method: "POST", path: "/sign-up/email"}), "10")
		for i := range 100 { // unknown paths share one counter
			if got := f.do(request{method: "GET", path: fmt.Sprintf("/nope/%d", i)}); got.status != 404 {
				t.Fatalf("path %d: %d", i, got.status)
			}
		}
		refused(t, f.do(request{method: "GET", path: "/another"}), "10")
		f.forward(10 * time.Second)
		if got := try(5); got.status != 400 {
			t.Errorf("after the window: %d", got.status)
		}
	})
	t.Run("ByAccount", func(t *testing.T) {
		t.Parallel()
		f := setup(t, func(o *betterauth.Options) {
			o.Limits = betterauth.Limits{Failures: betterauth.LimitRule{Max: 2, Window: time.Minute}}
		})
		try := func(email, password string) answer {
			return f.do(request{method: "POST", path: "/sign-in/email", body: fmt.Sprintf(`{"email":%q,"password":%q}`, email, password)})
		}
		for range 3 { // a right password starts anew
			if a, b := try("ann@example.com", "wrong"), try("ANN@example.com", password); a.status != 401 || b.status != 200 {
				t.Fatalf("%d, %d", a.status, b.status)
			}
		}
		for _, email := range []string{"ann@example.com", "nobody@example.com"} {
			try(email, "wrong")
			try(email, "wrong")
			refused(t, try(email, password), "60")
		}
		if got := try("bob@example.com", password); got.status != 200 {
			t.Errorf("another account: %d", got.status)
		}
		_, cookie := f.signIn(f.ann)
		refused(t, f.do(request{method: "POST", path: "/verify-password", body: `{"password":"password123"}`, cookie: cookie}), "60")
		f.forward(time.Minute)
		if got := try("ann@example.com", password); got.status != 200 {
			t.Errorf("after the window: %d", got.status)
		}
	})
}
