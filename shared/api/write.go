package api

import (
	"bytes"
	"errors"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/fault"
)

// defaultRetryAfter goes with answers that ask the caller to come again.
const defaultRetryAfter = time.Second

// The codes of google.rpc.Status that errors have.
const (
	rpcInvalidArgument   = 3
	rpcNotFound          = 5
	rpcAlreadyExists     = 6
	rpcPermissionDenied  = 7
	rpcResourceExhausted = 8
	rpcUnimplemented     = 12
	rpcInternal          = 13
	rpcUnavailable       = 14
	rpcUnauthenticated   = 16
)

// statuses is the one table from codes to HTTP and to google.rpc.Status. What is
// too large is an invalid argument there: clients that are told of an exhausted
// resource may send the same again.
var statuses = map[fault.Code]struct{ http, rpc int }{
	fault.Invalid:         {http.StatusBadRequest, rpcInvalidArgument},
	fault.TooLarge:        {http.StatusRequestEntityTooLarge, rpcInvalidArgument},
	fault.Unsupported:     {http.StatusUnsupportedMediaType, rpcUnimplemented},
	fault.Unauthenticated: {http.StatusUnauthorized, rpcUnauthenticated},
	fault.Forbidden:       {http.StatusForbidden, rpcPermissionDenied},
	fault.NotFound:        {http.StatusNotFound, rpcNotFound},
	fault.Conflict:        {http.StatusConflict, rpcAlreadyExists},
	fault.RateLimited:     {http.StatusTooManyRequests, rpcResourceExhausted},
	fault.Unavailable:     {http.StatusServiceUnavailable, rpcUnavailable},
	fault.Internal:        {http.StatusInternalServerError, rpcInternal},
}

// Status gives the HTTP status of an error.
func Status(err error) int { return statuses[fault.CodeOf(err)].http }

// Failure is what a caller is told of an error: what is not a fault, or is
// fault.Internal, shows nothing of itself.
type Failure struct {
	Status     int // of HTTP
	RPC        int // the code of google.rpc.Status
	Message    string
	RetryAfter time.Duration // 0 unless the same call may work later
	Issues     []fault.Issue
	RequestID  string // of internal errors

	challenge bool
}

func failureOf(r *http.Request, err error) Failure {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		e = fault.Wrap(fault.Internal, "", err)
	}
	s := statuses[e.Code]
	f := Failure{Status: s.http, RPC: s.rpc, Message: e.Message, Issues: e.Issues}
	switch e.Code {
	case fault.Internal:
		f.Message, f.RequestID = "Internal server error", reqctx.RequestID(r.Context())
	case fault.RateLimited, fault.Unavailable:
		if f.RetryAfter = e.RetryAfter; f.RetryAfter <= 0 {
			f.RetryAfter = defaultRetryAfter
		}
	case fault.Unauthenticated:
		f.challenge = true
	}
	if f.Message == "" {
		f.Message = http.StatusText(f.Status)
	}
	return f
}

// setHeader sets what of a failure is in headers.
func (f *Failure) setHeader(h http.Header) {
	if f.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
	}
	if f.challenge {
		h.Set("WWW-Authenticate", "Bearer")
	}
}

// ErrorBody is how the application's routes say what went wrong. (/api/auth
// answers as Better Auth does.)
type ErrorBody struct {
	Error     string        `json:"error"`
	Details   []ErrorDetail `json:"details,omitzero"`
	RequestID string        `json:"requestId,omitzero"` // of internal errors: what to ask the operator about
}

// ErrorDetail is one fault of an input.
type ErrorDetail struct {
	Code    string `json:"code"`
	Path    []any  `json:"path"` // ["limit"], or [0,"trace_id"] for a field of the first item
	Message string `json:"message"`
}

// WriteJSON answers status with v as JSON. It is one of the only writers: the
// value is whole before the first byte goes out, so an answer is never cut.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	body, err := Marshal(v)
	if err != nil {
		return fault.Wrap(fault.Internal, "", err)
	}
	WriteBody(w, status, "application/json", body)
	return nil
}

// Marshal encodes v as this package's answers are: no HTML escaping, raw values
// byte for byte but for white space.
func Marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	err := json.MarshalWrite(&buf, v, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true),
		json.FormatNilSliceAsNull(false), json.Deterministic(true), jsontext.PreserveRawStrings(true))
	return buf.Bytes(), err
}

// WriteBody answers status with a body that is made already.
func WriteBody(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone: nobody is left to tell
}

// ServeBody is WriteBody for what a caller may want a part of: it answers to
// Range. With a name the body is a file to be kept.
func ServeBody(w http.ResponseWriter, r *http.Request, contentType, name string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	if name != "" {
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// NoContent answers status without a body.
func NoContent(w http.ResponseWriter, status int) { w.WriteHeader(status) }

// WriteError answers err through the table.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	f := failureOf(r, err)
	f.challenge = f.challenge && strings.HasPrefix(r.URL.Path, "/v1/") // a session is no scheme of HTTP
	f.setHeader(w.Header())
	body := ErrorBody{Error: f.Message, RequestID: f.RequestID}
	for _, i := range f.Issues {
		body.Details = append(body.Details, ErrorDetail{Code: i.Code, Path: append([]any{}, i.Path...), Message: i.Message})
	}
	if err := WriteJSON(w, f.Status, body); err != nil {
		panic(err) // strings and ints always encode
	}
}
