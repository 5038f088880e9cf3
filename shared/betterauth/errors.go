package betterauth

import (
	"time"

	"github.com/pulse-traces/pulse/shared/fault"
)

// Error is a failure in Better Auth's own vocabulary. It unwraps to a
// *fault.Error of the same message, so that routes outside /api/auth, which
// answer as the rest of Pulse does, need not know it.
type Error struct {
	Code    string // what clients compare, like INVALID_EMAIL; "" where the library sends none
	Message string // shown to people; part of the contract, word for word
	cause   *fault.Error
}

// NewError makes an Error that none of the variables below is.
func NewError(kind fault.Code, code, message string) *Error {
	return &Error{Code: code, Message: message, cause: fault.New(kind, message)}
}

// Error gives the message.
func (e *Error) Error() string { return e.Message }

// Unwrap gives the *fault.Error.
func (e *Error) Unwrap() error { return e.cause }

// RetryAfter is how long a refused caller must wait; 0 if waiting is no help.
func (e *Error) RetryAfter() time.Duration { return e.cause.RetryAfter }

// The failures of the core, with the library's codes and messages.
var (
	ErrInvalidEmailOrPassword    = NewError(fault.Unauthenticated, "INVALID_EMAIL_OR_PASSWORD", "Invalid email or password")
	ErrInvalidEmail              = NewError(fault.Invalid, "INVALID_EMAIL", "Invalid email")
	ErrInvalidPassword           = NewError(fault.Invalid, "INVALID_PASSWORD", "Invalid password")
	ErrPasswordTooShort          = NewError(fault.Invalid, "PASSWORD_TOO_SHORT", "Password too short")
	ErrPasswordTooLong           = NewError(fault.Invalid, "PASSWORD_TOO_LONG", "Password too long")
	ErrUnauthorized              = NewError(fault.Unauthenticated, "UNAUTHORIZED", "Unauthorized")
	ErrSessionNotFresh           = NewError(fault.Forbidden, "SESSION_NOT_FRESH", "Session is not fresh")
	ErrCredentialAccountNotFound = NewError(fault.Invalid, "CREDENTIAL_ACCOUNT_NOT_FOUND", "Credential account not found")
	ErrMissingOrNullOrigin       = NewError(fault.Forbidden, "MISSING_OR_NULL_ORIGIN", "Missing or null Origin")
	ErrInvalidOrigin             = NewError(fault.Forbidden, "INVALID_ORIGIN", "Invalid origin")
	ErrCrossSiteNavigation       = NewError(fault.Forbidden, "CROSS_SITE_NAVIGATION_LOGIN_BLOCKED", "Cross-site navigation login blocked. This request appears to be a CSRF attack.")
)

// errTooManyRequests is the library's answer to a refused request; it has no code.
func errTooManyRequests(retryAfter time.Duration) *Error {
	e := NewError(fault.RateLimited, "", "Too many requests. Please try again later.")
	e.cause.RetryAfter = retryAfter
	return e
}
