package metrics_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/metrics"
	"github.com/pulse-traces/pulse/shared/wal"
)

func TestCounters(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewPedanticRegistry()
	m := metrics.New(reg)
	m.Accepted(3)
	m.Accepted(2)
	m.Drained(3, 1, time.Second)
	m.DrainFailed()
	m.Rejected(fault.New(fault.Invalid, "no"), 7)
	stats := wal.Stats{Appended: 9, Pending: 2, PendingAge: 1500 * time.Millisecond, DeadLetters: 1, Bytes: 4096}
	m.WatchLog("traces", func(context.Context) (wal.Stats, error) { return stats, nil })
	m.WatchLog("spans", func(context.Context) (wal.Stats, error) { return wal.Stats{}, nil })

	want := `
# HELP pulse_spans_accepted_total Spans that were acknowledged to their sender.
# TYPE pulse_spans_accepted_total counter
pulse_spans_accepted_total 5
# HELP pulse_spans_drained_total Spans that the drain moved from the log into the store, repeats included.
# TYPE pulse_spans_drained_total counter
pulse_spans_drained_total 4
# HELP pulse_drain_failures_total Bulk writes of the drain that failed and will be tried again.
# TYPE pulse_drain_failures_total counter
pulse_drain_failures_total 1
# HELP pulse_log_pending Records in the log that the drain has not stored yet.
# TYPE pulse_log_pending gauge
pulse_log_pending{log="spans"} 0
pulse_log_pending{log="traces"} 2
# HELP pulse_drain_lag_seconds How long the oldest pending record has waited for the drain.
# TYPE pulse_drain_lag_seconds gauge
pulse_drain_lag_seconds{log="spans"} 0
pulse_drain_lag_seconds{log="traces"} 1.5
# HELP pulse_dead_letters Records that can never be stored as they are.
# TYPE pulse_dead_letters gauge
pulse_dead_letters{log="spans"} 0
pulse_dead_letters{log="traces"} 1
`
	names := []string{
		"pulse_spans_accepted_total", "pulse_spans_drained_total", "pulse_drain_failures_total",
		"pulse_log_pending", "pulse_drain_lag_seconds", "pulse_dead_letters",
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(reg, "pulse_ingest_rejected_total"); err != nil || n != len(fault.Codes()) {
		t.Errorf("rejected has %d series, %v; want one per fault code", n, err)
	}
}

func TestRequestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewPedanticRegistry()
	m := metrics.New(reg)
	for _, method := range []string{"BREW", "PROPFIND", "get", ""} {
		m.ObserveRequest("", method, 404, time.Millisecond)
	}
	m.ObserveRequest("/v1/traces/{id}", "GET", 200, time.Millisecond)
	m.ObserveRequest("/v1/traces/{id}", "GET", 204, time.Millisecond)
	if n, err := testutil.GatherAndCount(reg, "pulse_http_request_duration_seconds"); err != nil || n != 2 {
		t.Errorf("got %d series, %v; want 2", n, err)
	}
}
