// Package view gives traces, spans and sessions the shape they have on the
// wire. A trace's row carries what the clients of both earlier generations
// read: each field of the first one's traces (null where missing) and the
// second one's summary with its spans. The package is pure: it knows no store
// and no request.
package view

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Rows makes the rows of one answer.
type Rows struct {
	Project account.ProjectID
	// Narrow leaves out what may be large: request and response, tool input and
	// output, output text, error, metadata, and the spans of a trace.
	Narrow bool
	// MaxPayloadBytes bounds the payloads of the answer; 0 is no bound. Once the
	// rows made so far hold as much, spans come without theirs and say so
	// (payloadsTruncated). The span that passes the bound is still whole, so
	// that a record read alone always is.
	MaxPayloadBytes int

	spent int
}

// take reports whether a span's payload goes out, and counts it.
func (r *Rows) take(s *trace.Span) bool { return r.takeBytes(s.Payload.Bytes()) }

func (r *Rows) takeBytes(n int) bool {
	if n > 0 && r.MaxPayloadBytes > 0 && r.spent >= r.MaxPayloadBytes {
		return false
	}
	r.spent += n
	return true
}

// Timestamp writes t in UTC, cut to milliseconds.
func Timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// Exactly writes t in UTC, as exactly as it is kept.
func Exactly(t time.Time) string { return t.UTC().Format(exactly) }

// Digits writes a whole number that readers may not hold as one; nil for nil.
func Digits(n *int64) *string {
	if n == nil {
		return nil
	}
	s := strconv.FormatInt(*n, 10)
	return &s
}

// null is a JSON null that is written, where a nil Value is left out.
var null = jsontext.Value("null")

// raw gives a stored value, null if there is none.
func raw(v []byte) jsontext.Value {
	if len(v) == 0 {
		return null
	}
	return v
}

// optional gives nil for the zero value: null on the wire.
func optional[T ~string](v T) *T {
	if v == "" {
		return nil
	}
	return &v
}

func cents(nano *int64) *float64 {
	if nano == nil {
		return nil
	}
	c := trace.Cents(*nano)
	return &c
}
