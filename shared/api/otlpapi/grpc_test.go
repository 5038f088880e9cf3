package otlpapi_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/pulse-traces/pulse/shared/fault"
)

const (
	traceMethod   = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
	logsMethod    = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
	metricsMethod = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
)

// frame makes a message of gRPC.
func frame(flag byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(body))), body...)
}

// caller speaks HTTP/2 to a real listener, as gRPC's clients do.
type caller struct {
	t      *testing.T
	url    string
	client *http.Client
}

func dial(t *testing.T, s *server) *caller {
	t.Helper()
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	listening := httptest.NewUnstartedServer(s.handler)
	listening.Config.Protocols = protocols
	listening.Start()
	t.Cleanup(listening.Close)
	transport := &http.Transport{Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &caller{t, listening.URL, &http.Client{Transport: transport}}
}

// called is how a call ended.
type called struct {
	http          int
	contentType   string
	status        string
	message       string
	details       string
	body          []byte
	trailersAlone bool
}

func (c called) String() string {
	return fmt.Sprintf("%d %s: %s %q %q, details %q, trailers alone: %v", c.http, c.contentType, c.status, c.message, c.body, c.details, c.trailersAlone)
}

func (c *caller) call(method string, body io.Reader, headers ...string) called {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.url+method, body)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "Authorization": {"Bearer " + key}}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.client.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	out := called{http: resp.StatusCode, contentType: resp.Header.Get("Content-Type")}
	if out.body, err = io.ReadAll(resp.Body); err != nil {
		c.t.Fatal(err)
	}
	from := resp.Trailer
	if out.status = resp.Header.Get("Grpc-Status"); out.status != "" {
		from, out.trailersAlone = resp.Header, true
	}
	out.status, out.message = from.Get("Grpc-Status"), from.Get("Grpc-Message")
	details, err := base64.RawStdEncoding.DecodeString(from.Get("Grpc-Status-Details-Bin"))
	if err != nil {
		c.t.Fatal(err)
	}
	out.details = string(details)
	return out
}

func zipped(t testing.TB, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(body); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGRPC(t *testing.T) {
	t.Parallel()
	s := setup(t)
	c := dial(t, s)
	spans := request(chat(1), span(2))
	point := message(1, message(2, message(2, message(5, message(1)))))
	log := message(1, message(2, message(2, fixed64(1, start), message(5, text(1, "of nobody")))))
	for _, call := range []struct {
		method  string
		body    []byte
		headers []string
		want    []byte // the answer's message
	}{
		{traceMethod, frame(0, spans), nil, nil},
		{traceMethod, frame(0, spans), []string{"Content-Type", "application/grpc+proto", "Grpc-Encoding", "gzip", "Grpc-Timeout", "10S"}, nil},
		{traceMethod, frame(1, zipped(t, spans)), []string{"Grpc-Encoding", "gzip", "Authorization", "", "X-Api-Key", key}, nil},
		{traceMethod, frame(0, nil), nil, nil},
		{logsMethod, frame(0, log), nil, message(1, []byte{0x08, 1}, text(2, "Log record of no span and no session"))},
		{metricsMethod, frame(0, point), nil, message(1, []byte{0x08, 1}, text(2, "Pulse keeps no metrics: it counts tokens, costs and latency from spans"))},
	} {
		got := c.call(call.method, bytes.NewReader(call.body), call.headers...)
		if got.http != 200 || got.contentType != "application/grpc" || got.status != "0" || got.trailersAlone || !bytes.Equal(got.body, frame(0, call.want)) {
			t.Errorf("%s: %s", call.method, got)
		}
	}
	if len(s.accepted) != 6 {
		t.Errorf("%d spans were accepted", len(s.accepted))
	}
}

func TestGRPCErrors(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.fails[1] = fault.New(fault.Unavailable, "")
	s.fails[2] = fault.New(fault.RateLimited, "100 % – slower")
	c := dial(t, s)
	spans := request(chat(1))
	large := make([]byte, maxBody+1)
	for _, call := range []struct {
		name    string
		body    []byte
		headers []string
		status  string
		message string
		details string
		http    int // the status that is observed
	}{
		{"Log", frame(0, spans), nil, "14", "Failed to enqueue span", rpcError(14, "Failed to enqueue span", retryInfo), 503},
		{"Rate", frame(0, spans), nil, "8", "100 %25 %E2%80%93 slower", rpcError(8, "100 % – slower", retryInfo), 429},
		{"NoKey", frame(0, spans), []string{"Authorization", ""}, "16", "Missing or invalid Authorization header", "", 401},
		{"WrongKey", frame(0, spans), []string{"Authorization", "Bearer x"}, "16", "Invalid API key", "", 401},
		{"NoMessage", nil, nil, "3", "The call has no whole message", "", 400},
		{"HalfAHead", []byte{0, 0, 0}, nil, "3", "The call has no whole message", "", 400},
		{"Cut", frame(0, spans)[:20], nil, "3", "Request body could not be read", "", 400},
		{"TwoMessages", append(frame(0, spans), frame(0, spans)...), nil, "3", "The call has more than one message", "", 400},
		{"Flag", frame(2, spans), nil, "3", "The call's message has a flag that is not known", "", 400},
		{"NoEncoding", frame(1, spans), nil, "3", "The call's message is compressed, and grpc-encoding does not say how", "", 400},
		{"Encoding", frame(1, spans), []string{"Grpc-Encoding", "snappy"}, "12", "Unsupported Content-Encoding: send gzip, zstd, deflate or none", "", 415},
		{"NotGzip", frame(1, spans), []string{"Grpc-Encoding", "gzip"}, "3", "Request body is not valid gzip", "", 400},
		{"NotProtobuf", frame(0, []byte("{}")), nil, "3", "Invalid protobuf body", "", 400},
		{"Large", frame(0, large), nil, "3", "The request body is larger than 8388608 bytes: send fewer records in one request", "", 413},
		{"Bomb", frame(1, zipped(t, large)), []string{"Grpc-Encoding", "gzip"}, "3", "The decompressed request body is larger than 8388608 bytes: send fewer records in one request", "", 413},
		{"Lying", append([]byte{0, 0xff, 0xff, 0xff, 0xff}, spans...), nil, "3", "The request body is larger than 8388608 bytes: send fewer records in one request", "", 413},
	} {
		before := s.observed(traceMethod, call.http)
		got := c.call(traceMethod, bytes.NewReader(call.body), call.headers...)
		if got.http != 200 || got.contentType != "application/grpc" || !got.trailersAlone || got.status != call.status || got.message != call.message {
			t.Errorf("%s: %s", call.name, got)
		}
		if call.details != "" && got.details != call.details {
			t.Errorf("%s: details %q", call.name, got.details)
		}
		if s.observed(traceMethod, call.http) != before+1 {
			t.Errorf("%s: not observed as %d", call.name, call.http)
		}
	}
	if len(s.accepted) != 0 {
		t.Errorf("%d spans were accepted", len(s.accepted))
	}
	for _, contentType := range []string{"application/json", "application/grpc+thrift", "application/grpc-web"} {
		if got := c.call(traceMethod, strings.NewReader("{}"), "Content-Type", contentType); got.http != http.StatusUnsupportedMediaType {
			t.Errorf("%s: %s", contentType, got)
		}
	}
	if got := c.call("/opentelemetry.proto.collector.profiles.v1.ProfilesService/Export", bytes.NewReader(frame(0, spans))); got.http != http.StatusNotFound {
		t.Errorf("a method that is not there: %s", got) // clients take this for UNIMPLEMENTED
	}
	if w := s.post(traceMethod, frame(0, spans), "Content-Type", "application/grpc"); w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("over HTTP/1.1: %s", shown(w))
	}
}

// TestGRPCChecksKeysFirst answers a caller without a key before its body came.
func TestGRPCChecksKeysFirst(t *testing.T) {
	t.Parallel()
	c := dial(t, setup(t))
	body, more := io.Pipe()
	defer more.Close()
	if got := c.call(traceMethod, body, "Authorization", "Bearer x"); got.status != "16" {
		t.Error(got)
	}
}

// FuzzGRPC sends any frame.
func FuzzGRPC(f *testing.F) {
	spans := request(chat(1))
	f.Add(frame(0, spans), "", "1S")
	f.Add(frame(1, zipped(f, spans)), "gzip", "")
	f.Add(append(frame(0, spans), 0), "identity", "99999999H")
	f.Add(frame(1, spans)[:7], "zstd", "x")
	s := setup(f)
	f.Fuzz(func(t *testing.T, body []byte, encoding, timeout string) {
		r := httptest.NewRequest(http.MethodPost, traceMethod, bytes.NewReader(body))
		r.ProtoMajor = 2
		r.Header = http.Header{
			"Authorization": {key}, "Content-Type": {"application/grpc"}, "Grpc-Encoding": {encoding}, "Grpc-Timeout": {timeout},
		}
		s.accepted, s.refused = nil, nil
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		status := w.Header().Get("Grpc-Status")
		if status == "" {
			status = w.Result().Trailer.Get("Grpc-Status")
		}
		if w.Code != http.StatusOK || !slices.Contains([]string{"0", "3", "12"}, status) {
			t.Errorf("%d, status %q", w.Code, status)
		}
	})
}
