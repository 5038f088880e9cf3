package healthapi_test

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/healthapi"
	"github.com/pulse-traces/pulse/shared/metrics"
	"github.com/pulse-traces/pulse/shared/testkit"
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

func TestHealth(t *testing.T) {
	t.Parallel()
	broken := errors.New("dial tcp 10.0.0.7:5432: password authentication failed")
	var log testkit.Buffer
	url := setup(t, healthapi.Deps{
		Log: slog.New(slog.NewTextHandler(&log, nil)),
		Ready: []healthapi.Check{
			{Name: "database", Run: func(context.Context) error { return broken }},
			{Name: "log", Run: func(context.Context) error { return nil }},
		},
	})
	live := testkit.Ask(t, "GET", url+"/health")
	if want := `{"status":"ok","service":"pulse"}`; live.Status != 200 || live.Body != want {
		t.Errorf("live: got %d %s, want %s", live.Status, live.Body, want)
	}
	if head := testkit.Ask(t, "HEAD", url+"/health"); head.Status != 200 || head.Body != "" {
		t.Errorf("HEAD: got %d %q", head.Status, head.Body)
	}
	for _, method := range []string{"OPTIONS", "POST"} {
		if got := testkit.Ask(t, method, url+"/health"); got.Status != 405 || got.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: got %d, Allow %q", method, got.Status, got.Header.Get("Allow"))
		}
	}
	ready := testkit.Ask(t, "GET", url+"/health/ready")
	if want := `{"status":"unavailable","service":"pulse","checks":{"database":"failing","log":"ok"}}`; ready.Status != 503 || ready.Body != want {
		t.Errorf("ready: got %d %s, want 503 %s", ready.Status, ready.Body, want)
	}
	if !strings.Contains(log.String(), "check=database") {
		t.Errorf("the log does not say which check failed: %s", log.String())
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	t.Run("OK", func(t *testing.T) {
		t.Parallel()
		url := setup(t, healthapi.Deps{Ready: []healthapi.Check{{Name: "database", Run: func(context.Context) error { return nil }}}})
		if got := testkit.Ask(t, "GET", url+"/health/ready"); got.Status != 200 {
			t.Errorf("got %d %s", got.Status, got.Body)
		}
	})
	t.Run("HangingCheckFails", func(t *testing.T) {
		t.Parallel()
		url := setup(t, healthapi.Deps{Ready: []healthapi.Check{{Name: "database", Run: func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}}}})
		start := time.Now()
		if got := testkit.Ask(t, "GET", url+"/health/ready"); got.Status != 503 || time.Since(start) > 10*time.Second {
			t.Errorf("got %d after %v", got.Status, time.Since(start))
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
		got := testkit.Ask(t, "GET", url+"/metrics")
		if got.Status != 200 || !strings.Contains(got.Body, "pulse_spans_accepted_total 42") {
			t.Errorf("got %d %s", got.Status, got.Body)
		}
	})
	t.Run("Token", func(t *testing.T) {
		t.Parallel()
		url := setup(t, healthapi.Deps{Metrics: reg, MetricsToken: "scrape-me"})
		for header, want := range map[string]int{"": 401, "Bearer wrong": 401, "scrape-me": 401, "Bearer scrape-me": 200} {
			got := testkit.Ask(t, "GET", url+"/metrics", "Authorization", header)
			if got.Status != want || (want == 401) != (got.Header.Get("Www-Authenticate") == "Bearer") {
				t.Errorf("%q: got %d, challenge %q, want %d", header, got.Status, got.Header.Get("Www-Authenticate"), want)
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
