package api

import (
	"bytes"
	"errors"
	"math"
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

// statuses is the one table from codes to HTTP.
var statuses = map[fault.Code]int{
	fault.Invalid:         http.StatusBadRequest,
	fault.TooLarge:        http.StatusRequestEntityTooLarge,
	fault.Unsupported:     http.StatusUnsupportedMediaType,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.Forbidden:       http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusConflict,
	fault.RateLimited:     http.StatusTooManyRequests,
	fault.Unavailable:     http.StatusServiceUnavailable,
	fault.Internal:        http.StatusInternalServerError,
}

// Status gives the HTTP status of an error.
func Status(err error) int { return statuses[fault.CodeOf(err)] }

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

// NoContent answers status without a body.
func NoContent(w http.ResponseWriter, status int) { w.WriteHeader(status) }

// WriteError answers err through the table: what is not a fault, or is
// Internal, shows nothing of itself.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		e = fault.Wrap(fault.Internal, "", err)
	}
	body := ErrorBody{Error: e.Message}
	switch e.Code {
	case fault.Internal:
		body.Error, body.RequestID = "Internal server error", reqctx.RequestID(r.Context())
	case fault.RateLimited, fault.Unavailable:
		after := e.RetryAfter
		if after <= 0 {
			after = defaultRetryAfter
		}
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
	case fault.Unauthenticated:
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
	}
	for _, i := range e.Issues {
		body.Details = append(body.Details, ErrorDetail{Code: i.Code, Path: append([]any{}, i.Path...), Message: i.Message})
	}
	if body.Error == "" {
		body.Error = http.StatusText(statuses[e.Code])
	}
	if err := WriteJSON(w, statuses[e.Code], body); err != nil {
		panic(err) // strings and ints always encode
	}
}
