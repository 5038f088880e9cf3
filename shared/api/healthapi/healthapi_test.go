package healthapi_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/healthapi"
	"github.com/pulse-traces/pulse/shared/metrics"
)

func setup(t *testing.T, d healthapi.Deps) string {
	t.Helper()
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	srv := httptest.NewServer(api.New(api.Options{Log: d.Log}, healthapi.New(d)))
	t.Cleanup(srv.Close)
	return srv.URL
}

type answer struct {
	status int
	header http.Header
	body   string
}

// send asks without following redirects, with the path as written.
func send(t *testing.T, method, url string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	broken := errors.New("dial tcp 10.0.0.7:5432: password authentication failed")
	var log lockedBuffer
	url := setup(t, healthapi.Deps{
		Log: slog.New(slog.NewTextHandler(&log, nil)),
		Ready: []healthapi.Check{
			{Name: "database", Run: func(context.Context) error { return broken }},
			{Name: "log", Run: func(context.Context) error { return nil }},
		},
	})
	live := send(t, "GET", url+"/health")
	if want := `{"status":"ok","service":"pulse"}`; live.status != 200 || live.body != want {
		t.Errorf("live: got %d %s, want %s", live.status, live.body, want)
	}
	if head := send(t, "HEAD", url+"/health"); head.status != 200 || head.body != "" {
		t.Errorf("HEAD: got %d %q", head.status, head.body)
	}
	for _, method := range []string{"OPTIONS", "POST"} {
		if got := send(t, method, url+"/health"); got.status != 405 || got.header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: got %d, Allow %q", method, got.status, got.header.Get("Allow"))
		}
	}
	ready := send(t, "GET", url+"/health/ready")
	if want := `{"status":"unavailable","service":"pulse","checks":{"database":"failing","log":"ok"}}`; ready.status != 503 || ready.body != want {
		t.Errorf("ready: got %d %s, want 503 %s", ready.status, ready.body, want)
	}
	if !strings.Contains(log.String(), "check=database") {
		t.Errorf("the log does not say which check failed: %s", log.String())
	}
}

// lockedBuffer is a log that a test reads while the server writes.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestReady(t *testing.T) {
	t.Parallel()
	t.Run("OK", func(t *testing.T) {
		t.Parallel()
		url := setup(t, healthapi.Deps{Ready: []healthapi.Check{{Name: "database", Run: func(context.Context) error { return nil }}}})
		if got := send(t, "GET", url+"/health/ready"); got.status != 200 {
			t.Errorf("got %d %s", got.status, got.body)
		}
	})
	t.Run("HangingCheckFails", func(t *testing.T) {
		t.Parallel()
		url := setup(t, healthapi.Deps{Ready: []healthapi.Check{{Name: "database", Run: func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}}}})
		start := time.Now()
		if got := send(t, "GET", url+"/health/ready"); got.status != 503 || time.Since(start) > 10*time.Second {
			t.Errorf("got %d after %v", got.status, time.Since(start))
		}
	})
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	metrics.New(reg).Accepted(42)
	t.Run("Open", func(t *testing.T) {
		t.Parallel()
		url := setup(t, healthapi.Deps{Metrics: reg})
		got := send(t, "GET", url+"/metrics")
		if got.status != 200 || !strings.Contains(got.body, "pulse_spans_accepted_total 42") {
			t.Errorf("got %d %s", got.status, got.body)
		}
	})
	t.Run("Token", func(t *testing.T) {
		t.Parallel()
		url := setup(t, healthapi.Deps{Metrics: reg, MetricsToken: "scrape-me"})
		for header, want := range map[string]int{"": 401, "Bearer wrong": 401, "scrape-me": 401, "Bearer scrape-me": 200} {
			got := send(t, "GET", url+"/metrics", "Authorization", header)
			if got.status != want || (want == 401) != (got.header.Get("Www-Authenticate") == "Bearer") {
				t.Errorf("%q: got %d, challenge %q, want %d", header, got.status, got.header.Get("Www-Authenticate"), want)
			}
		}
	})
}

// TestEvery: within the pause an answer is given again, but not that of a call
// that was given up.
func TestEvery(t *testing.T) {
	t.Parallel()
	asked := 0
	broken := errors.New("broken")
	check := healthapi.Every(time.Hour, healthapi.Check{Name: "log", Run: func(ctx context.Context) error {
		asked++
		return cmp.Or(ctx.Err(), broken)
	}})
	ended, end := context.WithCancel(t.Context())
	end()
	if err := check.Run(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("a call that was given up gives %v", err)
	}
	for range 3 {
		if err := check.Run(t.Context()); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times, want 2", asked)
	}
}
