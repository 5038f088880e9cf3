// Package fault is the error vocabulary of Pulse. Every error that may reach a
// caller is an *Error with a Code for machines and a Message that is safe to
// show; anything else counts as Internal and shows nothing of itself.
//
// The package knows no transport: the table from Code to HTTP status is in
// shared/api, the rule from Code to redelivery in shared/drain.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Code says what kind of failure an Error is.
type Code string

// The codes. A new one needs a row in shared/api's table; a test walks them all.
const (
	Invalid         Code = "invalid"         // the caller's input is wrong; sending it again cannot help
	TooLarge        Code = "too_large"       // the input passes a limit that Message names
	Unsupported     Code = "unsupported"     // a media type or encoding that is not taken
	Unauthenticated Code = "unauthenticated" // no valid key or session
	Forbidden       Code = "forbidden"       // known caller, not allowed
	NotFound        Code = "not_found"       // does not exist, or is not the caller's
	Conflict        Code = "conflict"        // exists already
	RateLimited     Code = "rate_limited"    // too many; RetryAfter says when
	Unavailable     Code = "unavailable"     // a part is down or full; the same call may work later
	Internal        Code = "internal"        // a bug, or damage
)

// Codes lists every code, for tables that must be complete.
func Codes() []Code {
	return []Code{Invalid, TooLarge, Unsupported, Unauthenticated, Forbidden, NotFound, Conflict, RateLimited, Unavailable, Internal}
}

// Issue is one thing that is wrong with an input.
type Issue struct {
	Path    []any  // field names (string) and indexes (int), as the client sent them; empty for the whole input
	Code    string // short machine name: invalid_type, invalid_value, invalid_format, too_small, too_big
	Message string // what is wrong and what would be right; never quotes the value
}

// Error is a failure that a caller may be told of.
type Error struct {
	Code       Code
	Message    string        // safe for the caller; empty means the code's usual text
	Issues     []Issue       // for Invalid: every fault found, in field order
	RetryAfter time.Duration // for RateLimited and Unavailable; 0 means the edge's default
	Err        error         // the cause, for the log only
}

// Error gives the text for the log: message and cause.
func (e *Error) Error() string {
	msg := e.Message
	if msg == "" {
		msg = string(e.Code)
	}
	if e.Err != nil {
		return msg + ": " + e.Err.Error()
	}
	return msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// New makes an Error with a public message.
func New(code Code, message string) *Error { return &Error{Code: code, Message: message} }

// Newf is New with a format.
func Newf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap attaches code and public message to a cause, which stays out of answers.
func Wrap(code Code, message string, err error) *Error {
	return &Error{Code: code, Message: message, Err: err}
}

// CodeOf gives the code of err: "" for nil, Internal for an error that is none of ours.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}

// Is reports whether err carries code.
func Is(err error, code Code) bool { return CodeOf(err) == code }

// Transient reports whether the same operation may succeed later without
// anybody changing its input: the drain redelivers on these and sends the rest
// to the dead letter.
func Transient(err error) bool {
	switch CodeOf(err) {
	case Unavailable, RateLimited:
		return true
	}
	return false
}
