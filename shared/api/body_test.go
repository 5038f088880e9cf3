package api

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/trace"
)

func TestCheckJSONCountsDepthOutsideOfStrings(t *testing.T) {
	deep := strings.Repeat("[", trace.MaxNestingDepth)
	for _, body := range []string{
		deep + strings.Repeat("]", trace.MaxNestingDepth),
		`["` + deep + deep + `"]`,
		`["\"` + deep + deep + `"]`,
		`["\\","` + deep + deep + `"]`,
		strings.Repeat("[],", 2*trace.MaxNestingDepth),
		`["` + deep + deep, // no string's end: the decoder's business
		`"\`,
	} {
		if _, err := CheckJSON([]byte(body)); err != nil {
			t.Errorf("%.20s…: %v", body, err)
		}
	}
	for _, body := range []string{"[" + deep, `{"a":` + strings.Repeat(`{"a":[`, trace.MaxNestingDepth/2) + "1", `["\\",` + deep} {
		if _, err := CheckJSON([]byte(body)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%.20s…: %v", body, err)
		}
	}
}

// group is routes without a package of their own.
type group []Route

func (g group) Routes() []Route { return g }

// TestBodiesShareMemory holds one large body while another comes.
func TestBodiesShareMemory(t *testing.T) {
	held, finish := make(chan struct{}), make(chan struct{})
	h := New(Options{Log: slog.New(slog.DiscardHandler), Limits: Limits{MaxBodyBytes: 1000, MaxInFlightBytes: 1500}}, group{
		{Method: http.MethodPost, Pattern: "/read", Handler: func(w http.ResponseWriter, r *http.Request) error {
			if _, err := ReadBody(r); err != nil {
				return err
			}
			if r.Header.Get("Hold") != "" {
				close(held)
				<-finish
			}
			NoContent(w, http.StatusNoContent)
			return nil
		}},
	})
	send := func(n int, hold string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/read", io.LimitReader(zeros{}, int64(n)))
		r.Header.Set("Hold", hold)
		h.ServeHTTP(w, r)
		return w
	}
	done := make(chan int)
	go func() { done <- send(900, "yes").Code }()
	<-held
	if w := send(900, ""); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("beside a large body: %d %s", w.Code, w.Body)
	}
	if w := send(500, ""); w.Code != http.StatusNoContent {
		t.Errorf("a body that fits: %d %s", w.Code, w.Body)
	}
	close(finish)
	if code := <-done; code != http.StatusNoContent {
		t.Errorf("the large body: %d", code)
	}
	if w := send(900, ""); w.Code != http.StatusNoContent {
		t.Errorf("afterwards: %d %s", w.Code, w.Body)
	}
	if w := send(1001, ""); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("over the limit of one: %d %s", w.Code, w.Body)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// encodings are how bodies may come, by what Content-Encoding calls them.
var encodings = map[string]func(io.Writer) (io.WriteCloser, error){
	"gzip":    func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
	"zstd":    func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) },
	"deflate": func(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriter(w), nil },
	"zlib":    func(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriter(w), nil },
	"Deflate": func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) },
}

func TestReadBodyInflates(t *testing.T) {
	t.Parallel()
	h := New(Options{Log: slog.New(slog.DiscardHandler), Limits: Limits{MaxBodyBytes: 1 << 16}}, group{
		{Method: http.MethodPost, Pattern: "/read", Handler: func(w http.ResponseWriter, r *http.Request) error {
			body, err := ReadBody(r)
			if err == nil {
				WriteBody(w, http.StatusOK, "text/plain", body)
			}
			return err
		}},
	})
	send := func(encoding string, body []byte) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/read", bytes.NewReader(body))
		r.Header.Set("Content-Encoding", encoding)
		h.ServeHTTP(w, r)
		return w
	}
	for name, writer := range encodings {
		compressed := func(text string) []byte {
			var b bytes.Buffer
			w, err := writer(&b)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(w, text); err != nil || w.Close() != nil {
				t.Fatal(name, err)
			}
			return b.Bytes()
		}
		for _, text := range []string{"", "x", strings.Repeat("Hello 青 ", 1000)} {
			if w := send(name, compressed(text)); w.Code != http.StatusOK || w.Body.String() != text {
				t.Errorf("%s of %d bytes: %d, %d bytes", name, len(text), w.Code, w.Body.Len())
			}
		}
		if w := send(name, compressed(strings.Repeat("A", 1<<24))); w.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("%s of a bomb: %d %s", name, w.Code, w.Body)
		}
		whole := compressed(strings.Repeat("Hello", 1000))
		if w := send(name, whole[:len(whole)-3]); w.Code != http.StatusBadRequest {
			t.Errorf("%s, cut: %d %s", name, w.Code, w.Body)
		}
	}
	if w := send("br", nil); w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("br: %d %s", w.Code, w.Body)
	}
}

// TestManyEscapes reads a prompt of many lines: were its end looked for anew behind
// each of them, this would not end for an hour.
func TestManyEscapes(t *testing.T) {
	t.Parallel()
	for name, unit := range map[string]string{"lines": `a\n`, "quotes": `\"`, "backslashes": `\\`, "strings": `","`} {
		body := []byte(`["` + strings.Repeat(unit, 32<<20/len(unit)) + `"]`)
		if _, err := CheckJSON(body); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := CheckJSON(body[:len(body)-2]); err != nil {
			t.Errorf("%s, cut: %v", name, err)
		}
	}
	for _, in := range []string{`"`, `\`, `"\`, `"\"`, `"\\"[`, `"a\"b"[[`, `"\\\"\\"`} {
		if _, err := CheckJSON([]byte(in)); err != nil {
			t.Errorf("%s: %v", in, err)
		}
	}
}

// TestRefusedBodyIsReadToItsEnd sends large bodies as Python's clients do, which
// read no answer before they have sent all.
func TestRefusedBodyIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	const sent = 16 << 20 // more than the buffers of both sides
	server := httptest.NewServer(New(Options{Log: slog.New(slog.DiscardHandler), Limits: Limits{MaxBodyBytes: 1 << 20}}, group{
		{Method: http.MethodPost, Pattern: "/read", Handler: func(_ http.ResponseWriter, r *http.Request) error {
			_, err := ReadBody(r)
			return err
		}},
		{Method: http.MethodPost, Pattern: "/capped", Handler: func(w http.ResponseWriter, r *http.Request) error {
			r.Body = http.MaxBytesReader(w, r.Body, 1000)
			_, err := ReadBody(r)
			return err
		}},
		{Method: http.MethodPost, Pattern: "/refuse", Handler: func(http.ResponseWriter, *http.Request) error {
			return fault.New(fault.Unauthenticated, "no")
		}},
	}))
	t.Cleanup(server.Close)
	length := fmt.Sprintf("Content-Length: %d\r\n", sent)
	for _, c := range []struct {
		path, head string
		status     int
	}{
		{"/read", length, http.StatusRequestEntityTooLarge},
		{"/capped", "Transfer-Encoding: chunked\r\n", http.StatusBadRequest},
		{"/refuse", length, http.StatusUnauthorized},
		{"/nothing", length, http.StatusNotFound},
		{"/read", "Transfer-Encoding: chunked\r\n", http.StatusRequestEntityTooLarge},
		{"/read", length + "Expect: 100-continue\r\n", http.StatusRequestEntityTooLarge},
	} {
		t.Run(c.path+" "+c.head, func(t *testing.T) {
			t.Parallel()
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: pulse\r\n%s\r\n", c.path, c.head); err != nil {
				t.Fatal(err)
			}
			switch {
			case strings.Contains(c.head, "Expect"): // it asks first
			case strings.Contains(c.head, "chunked"):
				_, err = fmt.Fprintf(conn, "%x\r\n%s\r\n0\r\n\r\n", sent, bytes.Repeat([]byte(" "), sent))
			default:
				_, err = conn.Write(bytes.Repeat([]byte(" "), sent))
			}
			if err != nil {
				t.Fatalf("sending was cut off: %v", err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != c.status {
				t.Errorf("answered %s, want %d", resp.Status, c.status)
			}
		})
	}
}

// FuzzReadBody inflates what a client may send: within the limit, or a fault.
func FuzzReadBody(f *testing.F) {
	const most = 1 << 12
	for _, encoding := range []string{"", "gzip", "zstd", "deflate"} {
		f.Add(encoding, []byte("[1]"))
	}
	pack := func(encoding string, w io.WriteCloser, packed *bytes.Buffer) {
		for _, content := range []string{"[1]", strings.Repeat("[],", most)} {
			if _, err := io.WriteString(w, content); err != nil {
				f.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(encoding, packed.Bytes())
		f.Add(encoding, packed.Bytes()[:packed.Len()/2])
	}
	var gzipped, zlibbed, zstded bytes.Buffer
	pack("gzip", gzip.NewWriter(&gzipped), &gzipped)
	pack("deflate", zlib.NewWriter(&zlibbed), &zlibbed)
	zw, err := zstd.NewWriter(&zstded)
	if err != nil {
		f.Fatal(err)
	}
	pack("zstd", zw, &zstded)
	f.Fuzz(func(t *testing.T, encoding string, sent []byte) {
		allowed := &allowance{limits: Limits{MaxBodyBytes: most, MaxCompressedBodyBytes: most}.orDefaults(), inFlight: new(atomic.Int64)}
		defer allowed.release()
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(sent))
		r.Header.Set("Content-Encoding", encoding)
		body, err := ReadBody(r.WithContext(context.WithValue(r.Context(), allowanceKey{}, allowed)))
		switch {
		case err == nil && len(body) > most:
			t.Errorf("%d bytes are more than %d", len(body), most)
		case err != nil && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.TooLarge) && !fault.Is(err, fault.Unsupported):
			t.Errorf("no fault of the client: %v", err)
		}
	})
}
