package lambda

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/logging"
)

const (
	// maxAnswerBytes is what Lambda takes as the answer to an event, as JSON.
	maxAnswerBytes = 6 << 20
	// answerReserve is what is kept of an invocation's time to say that there was
	// not enough of it.
	answerReserve = 500 * time.Millisecond
)

// HTTP serves the requests of an API Gateway HTTP API, in its payload version
// 2.0, from an http.Handler. What goes wrong is answered as Pulse answers it
// elsewhere, not with an error of the gateway, which clients cannot read.
type HTTP struct {
	adapter *httpadapter.HandlerAdapterV2
	log     *slog.Logger
}

// NewHTTP makes the handler of events.
func NewHTTP(h http.Handler, log *slog.Logger) *HTTP {
	return &HTTP{adapter: httpadapter.NewV2(mended(h)), log: log}
}

// Invoke implements Handler. It fails for an event that is no request.
func (h *HTTP) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var event events.APIGatewayV2HTTPRequest
	if err := Decode(payload, &event); err != nil {
		return nil, err
	}
	if event.Version != "2.0" || !isMethod(event.RequestContext.HTTP.Method) {
		return nil, errors.New("the event is no request of an HTTP API in payload version 2.0")
	}
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-answerReserve))
		defer cancel()
	}
	answer, err := h.answer(ctx, &event)
	if err != nil {
		return nil, err
	}
	out, err := Encode(answer)
	if err != nil || len(out) <= maxAnswerBytes {
		return out, err
	}
	h.log.WarnContext(ctx, "the answer is too large for Lambda", slog.Int(logging.KeyBytes, len(out)))
	return Encode(failure(answer.Headers, fault.Newf(fault.TooLarge, "The answer is larger than the %d bytes that can be sent from here: "+
		"ask for fewer rows (limit), for fields=summary, or for a compressed answer (Accept-Encoding: gzip)", maxAnswerBytes)))
}

func (h *HTTP) answer(ctx context.Context, event *events.APIGatewayV2HTTPRequest) (answer events.APIGatewayV2HTTPResponse, err error) {
	defer func() {
		if v := recover(); v != nil { // the edge recovers its own
			h.log.ErrorContext(ctx, "panic", slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
			answer, err = failure(nil, fault.Wrap(fault.Internal, "", fmt.Errorf("panic: %v", v))), nil
		}
	}()
	ctx = context.WithValue(ctx, eventKey{}, event)
	// The adapter pastes a URL together and prints what does not parse: it gets
	// what always does, and mended puts the rest into the request.
	plain := *event
	plain.RawPath, plain.RawQueryString, plain.QueryStringParameters = escapedPath(event), "", nil
	plain.RequestContext.DomainName = ""
	plain.Headers, plain.Cookies = nil, nil
	return h.adapter.ProxyWithContext(ctx, plain)
}

// escapedPath gives an event's path as a client would write it: the gateway
// decodes it.
func escapedPath(event *events.APIGatewayV2HTTPRequest) string {
	path := event.RawPath
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return (&url.URL{Path: path}).EscapedPath()
}

// isMethod reports whether s can be the method of a request.
func isMethod(s string) bool {
	return s != "" && strings.Trim(s, "-ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz") == ""
}

type eventKey struct{}

// mended gives h the request as net/http would: the adapter would cut the values
// of headers at commas, and trust what the client says of where it comes from.
func mended(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event := r.Context().Value(eventKey{}).(*events.APIGatewayV2HTTPRequest)
		r.Host, r.RemoteAddr = event.RequestContext.DomainName, event.RequestContext.HTTP.SourceIP
		r.Method = event.RequestContext.HTTP.Method
		r.URL.RawQuery = event.RawQueryString
		r.URL.Scheme, r.URL.Host = "", "" // as in a request that a server reads
		r.RequestURI = r.URL.RequestURI()
		for name, value := range event.Headers {
			r.Header.Set(name, value)
		}
		r.Header.Del("Host") // it is r.Host, and the gateway's word counts
		if len(event.Cookies) > 0 {
			r.Header.Set("Cookie", strings.Join(event.Cookies, "; "))
		}
		r.Header.Set("X-Forwarded-For", forwardedFor(r.Header.Get("X-Forwarded-For"), r.RemoteAddr))
		if lc, ok := lambdacontext.FromContext(r.Context()); ok && r.Header.Get("X-Request-Id") == "" {
			r.Header.Set("X-Request-Id", lc.AwsRequestID) // one id for the platform's log lines and ours
		}
		h.ServeHTTP(w, r)
	})
}

// forwardedFor is the header with the gateway as its last proxy, whether or not
// it has added the address that it saw.
func forwardedFor(sent, peer string) string {
	hops := strings.Split(sent, ",")
	if strings.TrimSpace(hops[len(hops)-1]) == peer {
		return sent
	}
	if sent == "" {
		return peer
	}
	return sent + ", " + peer
}

// failure is the answer that tells of a fault instead of another answer, of
// which it keeps the id.
func failure(instead map[string]string, f *fault.Error) events.APIGatewayV2HTTPResponse {
	w := &buffer{header: http.Header{}}
	api.WriteError(w, &http.Request{URL: &url.URL{}}, f)
	headers := map[string]string{}
	for name := range w.header {
		headers[name] = w.header.Get(name)
	}
	for _, name := range []string{"X-Request-Id", "X-Content-Type-Options"} {
		if v, ok := instead[name]; ok {
			headers[name] = v
		}
	}
	return events.APIGatewayV2HTTPResponse{StatusCode: w.status, Headers: headers, Body: string(w.body)}
}

// buffer is an http.ResponseWriter that keeps what is written.
type buffer struct {
	header http.Header
	status int
	body   []byte
}

func (b *buffer) Header() http.Header { return b.header }

func (b *buffer) WriteHeader(status int) { b.status = status }

func (b *buffer) Write(p []byte) (int, error) {
	b.body = append(b.body, p...)
	return len(p), nil
}
