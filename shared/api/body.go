package api

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/zstd"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Limits bound a request's body. Zero fields take the defaults.
type Limits struct {
	MaxBodyBytes           int64 // after decompression; default 32 MiB
	MaxCompressedBodyBytes int64 // as sent; default MaxBodyBytes
	// MaxInFlightBytes bounds what the bodies of all requests under way hold
	// together, so that many large ones at once cannot exhaust memory; what
	// would pass it is answered 503. Default 16 times MaxBodyBytes.
	MaxInFlightBytes int64
}

const defaultMaxBodyBytes = 32 << 20

func (l Limits) orDefaults() Limits {
	if l.MaxBodyBytes <= 0 {
		l.MaxBodyBytes = defaultMaxBodyBytes
	}
	if l.MaxCompressedBodyBytes <= 0 {
		l.MaxCompressedBodyBytes = l.MaxBodyBytes
	}
	if l.MaxInFlightBytes <= 0 {
		l.MaxInFlightBytes = 16 * l.MaxBodyBytes
	}
	return l
}

// allowance is what one request may hold, out of what all may.
type allowance struct {
	limits   Limits
	inFlight *atomic.Int64 // of all requests
	mine     int64
	body     *[]byte // out of bodies; nil before ReadBody
}

// bodies are buffers of requests that are over, so that ingest does not make
// garbage of every body.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// maxPooledBody is the size of body whose buffer is worth keeping.
const maxPooledBody = 1 << 20

// minBodyBuffer is what a buffer begins with.
const minBodyBuffer = 4 << 10

type allowanceKey struct{}

// allowanceOf gives a request's allowance; one of its own outside a host.
func allowanceOf(r *http.Request) *allowance {
	if a, ok := r.Context().Value(allowanceKey{}).(*allowance); ok {
		return a
	}
	return &allowance{limits: Limits{}.orDefaults(), inFlight: new(atomic.Int64)}
}

// take notes n more bytes.
func (a *allowance) take(n int) error {
	if n == 0 { // it has all that it needs, whatever others take
		return nil
	}
	a.mine += int64(n)
	if a.inFlight.Add(int64(n)) > a.limits.MaxInFlightBytes {
		return fault.New(fault.Unavailable, "The server is busy with other large requests: try again")
	}
	return nil
}

// release gives back what the request took; it is over.
func (a *allowance) release() {
	a.inFlight.Add(-a.mine)
	a.mine = 0
	if a.body != nil && cap(*a.body) <= 2*maxPooledBody {
		*a.body = (*a.body)[:0]
		bodies.Put(a.body)
	}
	a.body = nil
}

// metered takes what is read out of an allowance.
type metered struct {
	r io.Reader
	a *allowance
}

func (m metered) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if full := m.a.take(n); full != nil {
		return n, full
	}
	return n, err
}

// ReadBody reads a request's whole body, inflating gzip, zstd and deflate, within
// the host's limits. The bytes are valid until the request has been answered.
// fault.TooLarge names the limit; fault.Invalid an encoding that
// is damaged, fault.Unsupported one that is not known.
func ReadBody(r *http.Request) ([]byte, error) {
	return ReadMessage(r, r.Body, r.ContentLength, r.Header.Get("Content-Encoding"))
}

// ReadMessage is ReadBody for a part of a request's body: src, of length bytes as
// sent, or -1 if that is not known. It may be called once for a request.
func ReadMessage(r *http.Request, src io.Reader, length int64, encoding string) ([]byte, error) {
	allowed := allowanceOf(r)
	limits := allowed.limits
	if length > limits.MaxCompressedBodyBytes {
		return nil, tooLarge("request body", limits.MaxCompressedBodyBytes)
	}
	sent := &countingReader{r: src, left: limits.MaxCompressedBodyBytes + 1}
	encoding = strings.ToLower(strings.TrimSpace(encoding))
	inflated, done, err := inflate(sent, encoding, limits)
	if err != nil {
		return nil, readFault(sent, limits, encoding, err)
	}
	defer done()
	if allowed.body == nil {
		allowed.body, _ = bodies.Get().(*[]byte)
	}
	most := limits.MaxBodyBytes + 1
	if length >= 0 && encoding == "" {
		most = min(most, length+1)
		*allowed.body = slices.Grow(*allowed.body, int(min(most, maxPooledBody))) // a length may lie
	}
	if err := readAll(allowed.body, metered{inflated, allowed}, most); err != nil {
		return nil, readFault(sent, limits, encoding, err)
	}
	if sent.left <= 0 {
		return nil, tooLarge("request body", limits.MaxCompressedBodyBytes)
	}
	if int64(len(*allowed.body)) > limits.MaxBodyBytes {
		return nil, tooLarge("decompressed request body", limits.MaxBodyBytes)
	}
	return *allowed.body, nil
}

// readAll appends what r holds, but no more than makes most bytes. The buffer
// doubles as they come, but never beyond most: memory is short for the largest
// bodies.
func readAll(buf *[]byte, r io.Reader, most int64) error {
	b := *buf
	defer func() { *buf = b }()
	for int64(len(b)) < most {
		if len(b) == cap(b) {
			b = append(make([]byte, 0, min(most, max(2*int64(cap(b)), minBodyBuffer))), b...)
		}
		n, err := r.Read(b[len(b):min(int64(cap(b)), most)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Hold counts n more bytes that a request needs beside its body until it is
// answered: fault.Unavailable if that is more than all requests may hold.
func Hold(r *http.Request, n int) error { return allowanceOf(r).take(n) }

// zstdWindow is the largest window that a sender may ask for. It is what encoders
// ask for by default, however small the content.
const zstdWindow = 8 << 20

// inflate gives what src holds in an encoding. done must be called at the end.
func inflate(src io.Reader, encoding string, limits Limits) (inflated io.Reader, done func(), err error) {
	done = func() {}
	switch encoding {
	case "", "identity":
		return src, done, nil
	case "gzip", "x-gzip":
		gz, err := gzip.NewReader(src)
		return gz, done, err
	case "zstd":
		zr, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(uint64(max(limits.MaxBodyBytes+1, zstdWindow))), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return nil, nil, err
		}
		return zr, zr.Close, nil
	case "deflate", "zlib": // the first is zlib too, but some send it without the frame
		buffered := bufio.NewReaderSize(src, 4<<10)
		if head, err := buffered.Peek(2); err == nil && head[0]&0xf == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
			zr, err := zlib.NewReader(buffered)
			return zr, done, err
		}
		return flate.NewReader(buffered), done, nil
	}
	return nil, nil, fault.New(fault.Unsupported, "Unsupported Content-Encoding: send gzip, zstd, deflate or none")
}

// maxDiscarded is how much of a refused body is read. The earlier service took as much.
const maxDiscarded = 128 << 20

// sentBody gives what to read to the end if a request is refused: many clients read
// no answer before they have sent all, and would see a broken connection instead.
// Nothing of who asks first whether to send (Expect) and so reads at once, nor of
// HTTP/2, which ends one stream alone.
func sentBody(r *http.Request) io.Reader {
	if r.ProtoMajor != 1 || r.Body == nil || r.Header.Get("Expect") != "" {
		return http.NoBody
	}
	return r.Body
}

func readFault(sent *countingReader, limits Limits, encoding string, err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f
	}
	switch {
	case sent.left <= 0:
		return tooLarge("request body", limits.MaxCompressedBodyBytes)
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return tooLarge("decompressed request body", limits.MaxBodyBytes)
	case encoding != "" && encoding != "identity" && sent.err == nil:
		return fault.Wrap(fault.Invalid, "Request body is not valid "+encoding, err)
	}
	return fault.Wrap(fault.Invalid, "Request body could not be read", err)
}

func tooLarge(what string, limit int64) error {
	return fault.Newf(fault.TooLarge, "The %s is larger than %d bytes: send fewer records in one request", what, limit)
}

// countingReader stops at left bytes and remembers a transport's error, so that
// a broken upload is told from a broken encoding.
type countingReader struct {
	r    io.Reader
	left int64
	err  error
}

func (c *countingReader) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.r.Read(p)
	c.left -= int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// InvalidJSON is the fault of a body that does not parse; it names the place.
func InvalidJSON(err error) error {
	e := fault.Wrap(fault.Invalid, "Invalid JSON body", err)
	if se, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		e.Issues = []fault.Issue{{
			Path: pointerPath(se.JSONPointer), Code: "invalid_json",
			Message: "Not valid JSON at this place: check quotes, commas, escapes and that the text is UTF-8",
		}}
	}
	return e
}

// pointerPath turns a JSON pointer into an issue's path.
func pointerPath(p jsontext.Pointer) []any {
	var path []any
	for token := range p.Tokens() {
		if n, ok := arrayIndex(token); ok {
			path = append(path, n)
			continue
		}
		if len(token) > maxPathToken {
			token = token[:maxPathToken]
		}
		path = append(path, strings.ToValidUTF8(token, "\uFFFD"))
	}
	return path
}

// maxPathToken bounds how much of a client's own name an error repeats.
const maxPathToken = 64

func arrayIndex(token string) (int, bool) {
	n := 0
	if token == "" || len(token) > 9 {
		return 0, false
	}
	for _, c := range []byte(token) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// CheckJSON reports whether body is one that we take: UTF-8 (a byte order mark
// before it is dropped), nested no deeper than trace.MaxNestingDepth. It gives
// the body without the mark.
func CheckJSON(body []byte) ([]byte, error) {
	body = bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF"))
	if !utf8.Valid(body) {
		strict := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true))
		return nil, InvalidJSON(strict.SkipValue()) // it stops at the place
	}
	depth := 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			i = stringEnd(body, i+1)
		case '{', '[':
			if depth++; depth > trace.MaxNestingDepth {
				return nil, fault.Newf(fault.Invalid, "Invalid JSON body: nested deeper than %d levels", trace.MaxNestingDepth)
			}
		case '}', ']':
			depth--
		}
	}
	return body, nil
}

// stringEnd gives the place of the quote that ends the string whose content
// begins at i, or the body's end. Prompts are long strings: it looks at many
// bytes at once, and at none twice, however many escapes there are.
func stringEnd(body []byte, i int) int {
	for quote := i - 1; i < len(body); {
		if quote < i {
			next := bytes.IndexByte(body[i:], '"')
			if next < 0 {
				break
			}
			quote = i + next
		}
		escape := bytes.IndexByte(body[i:quote], '\\')
		if escape < 0 {
			return quote
		}
		i += escape + 2
	}
	return len(body)
}

// DecodeOptions are how every body of a client is read once CheckJSON has seen
// it: repeated names are taken (the last wins, as JavaScript has it), and so are
// escaped halves of surrogate pairs, which JavaScript writes where a text was
// cut within an emoji; read as text they become U+FFFD.
var DecodeOptions = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// ReadJSON reads a body into v, which should hold raw values where the kind of
// a value must be checked by name. A body that is not JSON is fault.Invalid
// "Invalid JSON body".
func ReadJSON(r *http.Request, v any) error {
	body, err := ReadBody(r)
	if err != nil {
		return err
	}
	return UnmarshalJSON(body, v)
}

// UnmarshalJSON is ReadJSON for bytes that were read already.
func UnmarshalJSON(body []byte, v any) error {
	body, err := CheckJSON(body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v, DecodeOptions); err != nil {
		return InvalidJSON(err)
	}
	return nil
}

// mediaType gives the lower-case media type of a request, "" if there is none
// or it does not parse.
func mediaType(r *http.Request) string {
	mt, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return mt
}

// checkContentType refuses what is clearly not JSON. Clients of the earlier
// service send text/plain, form types (curl's default) or none.
func checkContentType(r *http.Request) error {
	mt := mediaType(r)
	major, minor, _ := strings.Cut(mt, "/")
	switch major {
	case "multipart", "image", "audio", "video", "font", "model":
		return unsupportedMediaType
	case "application":
		switch minor {
		case "x-protobuf", "protobuf", "xml", "pdf", "zip", "x-ndjson", "msgpack", "x-msgpack", "cbor", "grpc":
			return unsupportedMediaType
		}
	case "text":
		if minor == "html" || minor == "xml" || minor == "csv" {
			return unsupportedMediaType
		}
	}
	return nil
}

var unsupportedMediaType = fault.New(fault.Unsupported, "Unsupported Content-Type: send JSON as application/json")
