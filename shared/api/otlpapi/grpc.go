package otlpapi

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/otlp"
)

// overGRPC is OTLP/gRPC: one message in a request of HTTP/2, one in the answer,
// the status behind it. It is written here, over net/http, so that such calls go
// through the same limits, checks and log lines as all others, and so that no
// body is read before its key is known to be good.
type overGRPC struct{}

// Key implements api.Protocol: metadata are headers.
func (overGRPC) Key(r *http.Request) (string, bool) { return findKey(r) }

const (
	headerStatus  = "Grpc-Status"
	headerMessage = "Grpc-Message"
	headerDetails = "Grpc-Status-Details-Bin"
)

// WriteError implements api.Protocol: the answer is its trailers alone. An
// answer to what is no gRPC is as HTTP has it, which gRPC's clients understand
// too.
func (overGRPC) WriteError(w http.ResponseWriter, r *http.Request, f api.Failure) {
	if !isGRPC(r) {
		overHTTP{}.WriteError(w, r, f)
		return
	}
	h := w.Header()
	setTypes(h)
	h.Set(headerStatus, strconv.Itoa(f.RPC))
	h.Set(headerMessage, percentEncoded(f.Message))
	h.Set(headerDetails, base64.RawStdEncoding.EncodeToString(rpcStatus(f)))
	api.NoContent(w, http.StatusOK)
}

func isGRPC(r *http.Request) bool {
	sub, ok := strings.CutPrefix(r.Header.Get("Content-Type"), "application/grpc")
	return ok && r.ProtoMajor >= 2 && (sub == "" || sub[0] == ';' || sub == "+proto" || strings.HasPrefix(sub, "+proto;"))
}

func setTypes(h http.Header) {
	h.Set("Content-Type", "application/grpc")
	h.Set("Grpc-Accept-Encoding", "gzip,zstd,deflate,identity")
}

// overGRPC takes a call of a signal's method.
func (g *Group) overGRPC(s *signal) api.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !isGRPC(r) {
			return fault.New(fault.Unsupported, "Unsupported Content-Type: this is a method of gRPC; over HTTP/1.1 send OTLP to /v1/"+s.name)
		}
		if limit, ok := timeout(r.Header.Get("Grpc-Timeout")); ok {
			ctx, cancel := context.WithTimeout(r.Context(), limit)
			defer cancel()
			r = r.WithContext(ctx)
		}
		body, err := readCall(r)
		if err != nil {
			return err
		}
		p, err := g.export(r, s, body, otlp.Protobuf)
		if err != nil {
			return err
		}
		answer := p.message()
		frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(answer)))
		h := w.Header()
		setTypes(h)
		h.Set(http.TrailerPrefix+headerStatus, "0")
		api.WriteBody(w, http.StatusOK, "application/grpc", append(frame, answer...))
		return nil
	}
}

const (
	frameHead       = 5 // a flag and the length of what follows
	frameCompressed = 1 // the flag
)

// readCall reads the message of a call.
func readCall(r *http.Request) ([]byte, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r.Body, head[:]); err != nil {
		return nil, fault.Wrap(fault.Invalid, "The call has no whole message", err)
	}
	encoding := r.Header.Get("Grpc-Encoding")
	switch {
	case head[0] > frameCompressed:
		return nil, fault.New(fault.Invalid, "The call's message has a flag that is not known")
	case head[0] == 0:
		encoding = ""
	case encoding == "" || strings.EqualFold(encoding, "identity"):
		return nil, fault.New(fault.Invalid, "The call's message is compressed, and grpc-encoding does not say how")
	}
	length := int64(binary.BigEndian.Uint32(head[1:]))
	message := &exactly{r: r.Body, left: length}
	body, err := api.ReadMessage(r, message, length, encoding)
	if err != nil {
		return nil, err
	}
	if message.left > 0 { // behind the end of what is compressed
		return nil, fault.New(fault.Invalid, "The call's message is longer than its content")
	}
	if n, err := io.ReadFull(r.Body, head[:1]); n > 0 || !errors.Is(err, io.EOF) {
		return nil, fault.Wrap(fault.Invalid, "The call has more than one message", err)
	}
	return body, nil
}

// exactly reads left bytes, and fails if there are fewer.
type exactly struct {
	r    io.Reader
	left int64
}

func (e *exactly) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	if errors.Is(err, io.EOF) {
		err = nil
		if e.left > 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

// timeout reads the header of that name: up to eight digits and a unit.
func timeout(s string) (time.Duration, bool) {
	units := map[string]time.Duration{
		"H": time.Hour, "M": time.Minute, "S": time.Second, "m": time.Millisecond, "u": time.Microsecond, "n": time.Nanosecond,
	}
	if len(s) < 2 || len(s) > 9 {
		return 0, false
	}
	unit, known := units[s[len(s)-1:]]
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 32)
	if err != nil || !known || time.Duration(n) > maxTimeout/unit {
		return 0, false // too long to matter
	}
	return time.Duration(n) * unit, true
}

// maxTimeout is longer than any request may take.
const maxTimeout = 24 * time.Hour

// percentEncoded gives a text as gRPC's messages of errors are written.
func percentEncoded(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
