package lambda

import (
	"context"
	"encoding/json"
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
)

const (
	// maxAnswerBytes is what Lambda takes as the answer to an event, as JSON.
	maxAnswerBytes = 6 << 20
	// answerMargin is what is kept of an invocation's time to say that there was
	// not enough of it.
	answerMargin = 500 * time.Millisecond
)

// HTTP serves the requests of an API Gateway HTTP API, in its payload version
// 2.0, from an http.Handler. What goes wrong is answered as the API answers it
// elsewhere: the gateway's own errors are none that clients know.
type HTTP struct {
	adapter *httpadapter.HandlerAdapterV2
	log     *slog.Logger
}

// NewHTTP makes the handler of events.
func NewHTTP(h http.Handler, log *slog.Logger) *HTTP {
	return &HTTP{adapter: httpadapter.NewV2(mended(h)), log: log}
}

// Invoke implements Handler. It fails for an event that is no request.
func (h *HTTP) Invoke(ctx context.Context, payload []byte) (out []byte, err error) {
	var event events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, errors.New("the event is no JSON of an HTTP API")
	}
	if err := prepare(&event); err != nil {
		return nil, err
	}
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-answerMargin))
		defer cancel()
	}
	defer func() {
		if v := recover(); v != nil { // the edge recovers its own
			h.log.ErrorContext(ctx, "panic", slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
			out, err = encode(failure(fault.New(fault.Internal, "")))
		}
	}()
	answer, err := h.adapter.ProxyWithContext(context.WithValue(ctx, eventKey{}, &event), event)
	if err != nil {
		return nil, err
	}
	out, err = encode(answer)
	if err == nil && len(out) > maxAnswerBytes {
		return encode(failure(fault.Newf(fault.TooLarge, "The answer is larger than the %d bytes that can be sent here: "+
			"ask for fewer rows (limit), for fields=summary, or for a compressed answer (Accept-Encoding: gzip)", maxAnswerBytes)))
	}
	return out, err
}

// prepare makes an event one that the adapter gets right, or refuses what is no
// request of an HTTP API.
func prepare(event *events.APIGatewayV2HTTPRequest) error {
	if event.Version != "2.0" || event.RequestContext.HTTP.Method == "" {
		return fmt.Errorf("the event is no request of an HTTP API with payload version 2.0 (it says version %.10q)", event.Version)
	}
	// The gateway gives the path decoded; the adapter pastes it into a URL.
	event.RawPath = (&url.URL{Path: event.RawPath}).EscapedPath()
	return nil
}

type eventKey struct{}

// mended gives h a request as net/http would: the adapter cuts header values at
// commas.
func mended(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event := r.Context().Value(eventKey{}).(*events.APIGatewayV2HTTPRequest)
		header := make(http.Header, len(event.Headers))
		for name, value := range event.Headers {
			header.Set(name, value)
		}
		if len(event.Cookies) > 0 {
			header.Set("Cookie", strings.Join(event.Cookies, "; "))
		}
		header.Del("Host") // net/http keeps it in r.Host alone
		if lc, ok := lambdacontext.FromContext(r.Context()); ok && header.Get("X-Request-Id") == "" {
			header.Set("X-Request-Id", lc.AwsRequestID) // one id for the platform's log and ours
		}
		r.Header = header
		h.ServeHTTP(w, r)
	})
}

// failure is the answer to a request that h could not answer.
func failure(f *fault.Error) events.APIGatewayV2HTTPResponse {
	w := &answer{header: http.Header{}}
	api.WriteError(w, &http.Request{URL: &url.URL{}}, f)
	headers := map[string]string{}
	for name := range w.header {
		headers[name] = w.header.Get(name)
	}
	return events.APIGatewayV2HTTPResponse{StatusCode: w.status, Headers: headers, Body: string(w.body)}
}

// answer is an http.ResponseWriter that keeps what is written.
type answer struct {
	header http.Header
	status int
	body   []byte
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) { a.status = status }

func (a *answer) Write(p []byte) (int, error) {
	a.body = append(a.body, p...)
	return len(p), nil
}

// encode is json.Marshal without escapes for HTML, which cost five bytes each.
func encode(v events.APIGatewayV2HTTPResponse) ([]byte, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return []byte(b.String()), nil
}
