package otlpapi_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/otlpapi"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/otlp"
	"github.com/pulse-traces/pulse/shared/trace"
)

const (
	key     = account.KeyPrefix + "0f7c9a52-6f0e-4a2b-9f53-0d5a4f1c1d11"
	project = account.ProjectID("p1")
	keyID   = account.KeyID("k1")
	maxBody = 8 << 20
)

// server is the group behind the edge, with an accepter that remembers.
type server struct {
	handler http.Handler

	mu       sync.Mutex
	accepted []trace.Span
	calls    int
	refused  []string       // what Rejected was told
	fails    map[int]error  // what the n-th call of Accept gives
	statuses map[string]int // that were observed
}

func setup(t testing.TB) *server {
	t.Helper()
	s := &server{fails: map[int]error{}, statuses: map[string]int{}}
	s.handler = api.New(api.Options{
		Log: slog.New(slog.DiscardHandler), Keys: s, Limits: api.Limits{MaxBodyBytes: maxBody},
		Observe: func(route, _ string, status int, _ time.Duration) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.statuses[fmt.Sprint(route, " ", status)]++
		},
	}, otlpapi.New(otlpapi.Deps{
		Accept: s, GRPC: true,
		Now: func() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) },
		Rejected: func(_ context.Context, err error, n int) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.refused = append(s.refused, fmt.Sprint(fault.CodeOf(err), " ", n))
		},
	}))
	return s
}

// observed tells how often a route was answered with a status.
func (s *server) observed(route string, status int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.statuses[fmt.Sprint(route, " ", status)]
}

// Check implements api.KeyChecker.
func (s *server) Check(_ context.Context, k string) (account.APIKey, error) {
	if k != key {
		return account.APIKey{}, fault.New(fault.Unauthenticated, "Invalid API key")
	}
	return account.APIKey{ID: keyID, ProjectID: project}, nil
}

// Accept implements otlpapi.Accepter.
func (s *server) Accept(_ context.Context, from account.Sender, spans []trace.Span) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if want := (account.Sender{Project: project, Key: keyID}); from != want {
		return fmt.Errorf("spans of %+v", from)
	}
	s.calls++
	if err := s.fails[s.calls]; err != nil {
		return err
	}
	s.accepted = append(s.accepted, spans...)
	return nil
}

// AcceptSent implements otlpapi.Accepter.
func (s *server) AcceptSent(ctx context.Context, from account.Sender, spans []otlp.Span) error {
	all := otlp.Traces{Spans: spans}
	mapped := all.Map(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC))
	if all.Rejected > 0 {
		return fmt.Errorf("a span that passed its check is refused: %s", all.Reason)
	}
	return s.Accept(ctx, from, mapped)
}

// post sends a body with headers given as name and value.
func (s *server) post(path string, body []byte, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "http://pulse.test"+path, bytes.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+key)
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// shown is an answer in a line.
func shown(w *httptest.ResponseRecorder) string {
	return fmt.Sprintf("%d %s %q", w.Code, w.Header().Get("Content-Type"), w.Body)
}

// Parts of messages.

func message(num protowire.Number, parts ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), bytes.Join(parts, nil))
}

func text(num protowire.Number, s string) []byte { return message(num, []byte(s)) }

func attribute(key, value string) []byte { return message(9, text(1, key), message(2, text(1, value))) }

func id(num protowire.Number, n int) []byte {
	size := map[protowire.Number]int{1: 16, 2: 8, 4: 8}[num]
	return message(num, fmt.Appendf(nil, "%0*d", size, n))
}

func fixed64(num protowire.Number, v uint64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(nil, num, protowire.Fixed64Type), v)
}

const start = 1769342400_000000000

// span makes a Span with what every test needs.
func span(n int, parts ...[]byte) []byte {
	base := [][]byte{id(1, n), id(2, n), text(5, "op"), fixed64(7, start), fixed64(8, start+250_000_000)}
	return message(2, append(base, parts...)...)
}

// request makes an ExportTraceServiceRequest of spans.
func request(spans ...[]byte) []byte {
	return message(1, message(1), message(2, spans...))
}

// chat is a model call whose sender gave counts and no cost.
func chat(n int) []byte {
	return span(n, attribute("gen_ai.operation.name", "chat"), attribute("gen_ai.provider.name", "openai"), attribute("gen_ai.request.model", "gpt-4o-mini"),
		message(9, text(1, "gen_ai.usage.input_tokens"), message(2, protowire.AppendVarint(protowire.AppendTag(nil, 3, protowire.VarintType), 1000))),
		message(9, text(1, "gen_ai.usage.output_tokens"), message(2, protowire.AppendVarint(protowire.AppendTag(nil, 3, protowire.VarintType), 100))))
}

const chatJSON = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","name":"op",
"startTimeUnixNano":"1769342400000000000","endTimeUnixNano":"1769342400250000000","attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},
{"key":"gen_ai.provider.name","value":{"stringValue":"openai"}},{"key":"gen_ai.request.model","value":{"stringValue":"gpt-4o-mini"}},
{"key":"gen_ai.usage.input_tokens","value":{"intValue":"1000"}},{"key":"gen_ai.usage.output_tokens","value":{"intValue":100}}]}]}]}]}`

// zeros are endless.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// stream is a body of which nobody knows the length.
func stream(s string) io.Reader { return io.MultiReader(strings.NewReader(s)) }
