// Package metrics defines what Pulse counts for Prometheus. Labels are bounded:
// none holds anything a client chose, and no project.
package metrics

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/wal"
)

// Metrics are the counters of one process. Its methods are safe for concurrent
// use and cheap enough for every request. A nil Metrics counts nothing.
type Metrics struct {
	reg         prometheus.Registerer
	accepted    prometheus.Counter
	rejected    *prometheus.CounterVec
	drained     prometheus.Counter
	drainFailed prometheus.Counter
	requests    *prometheus.HistogramVec
}

// New registers the metrics with reg. It panics if reg has them already.
func New(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		reg: reg,
		accepted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pulse_spans_accepted_total", Help: "Spans that were acknowledged to their sender.",
		}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pulse_ingest_rejected_total", Help: "Spans, or whole requests that could not be read, that were refused, by reason (a fault code).",
		}, []string{"reason"}),
		drained: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pulse_spans_drained_total", Help: "Spans that the drain moved from the log into the store, repeats included.",
		}),
		drainFailed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pulse_drain_failures_total", Help: "Bulk writes of the drain that failed and will be tried again.",
		}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "pulse_http_request_duration_seconds", Help: "Time to answer HTTP requests, by route pattern, method and status class.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route", "method", "status"}),
	}
	for _, code := range fault.Codes() { // a counter that is there at zero can be alerted on
		m.rejected.WithLabelValues(string(code))
	}
	reg.MustRegister(m.accepted, m.rejected, m.drained, m.drainFailed, m.requests)
	return m
}

// Accepted counts spans that were acknowledged.
func (m *Metrics) Accepted(spans int) {
	if m != nil {
		m.accepted.Add(float64(spans))
	}
}

// Rejected counts spans that were refused with err, by its code.
func (m *Metrics) Rejected(err error, spans int) {
	if m != nil {
		m.rejected.WithLabelValues(string(fault.CodeOf(err))).Add(float64(spans))
	}
}

// Drained counts spans that reached the store, new ones and duplicates.
func (m *Metrics) Drained(spans, duplicates int, _ time.Duration) {
	if m != nil {
		m.drained.Add(float64(spans + duplicates))
	}
}

// DrainFailed counts a bulk write that will be tried again.
func (m *Metrics) DrainFailed() {
	if m != nil {
		m.drainFailed.Inc()
	}
}

// ObserveRequest takes one answer; it fits api.Options.Observe. route is a
// pattern, "" where none matched.
func (m *Metrics) ObserveRequest(route, method string, status int, elapsed time.Duration) {
	if m == nil {
		return
	}
	if route == "" {
		route = "unmatched"
	}
	m.requests.WithLabelValues(route, boundedMethod(method), strconv.Itoa(status/100)+"xx").Observe(elapsed.Seconds())
}

// boundedMethod keeps made-up methods from making series.
func boundedMethod(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return m
	}
	return "OTHER"
}

// statsTimeout bounds what a scrape asks a remote log.
const statsTimeout = 2 * time.Second

// WatchLog shows a log's state under its name ("traces", "spans") on every
// scrape; a scrape that cannot ask the log leaves its figures out. It panics if
// the name is watched already.
func (m *Metrics) WatchLog(name string, stats func(context.Context) (wal.Stats, error)) {
	if m == nil {
		return
	}
	m.reg.MustRegister(&logCollector{stats: stats, descs: logDescs(name)})
}

// logCollector reads a log's Stats once per scrape, so that the figures of one
// scrape belong together.
type logCollector struct {
	stats func(context.Context) (wal.Stats, error)
	descs [5]*prometheus.Desc
}

func logDescs(name string) [5]*prometheus.Desc {
	labels := prometheus.Labels{"log": name}
	return [5]*prometheus.Desc{
		prometheus.NewDesc("pulse_log_appended_total", "Records appended to the log since the process began.", nil, labels),
		prometheus.NewDesc("pulse_log_pending", "Records in the log that the drain has not stored yet.", nil, labels),
		prometheus.NewDesc("pulse_drain_lag_seconds", "How long the oldest pending record has waited for the drain.", nil, labels),
		prometheus.NewDesc("pulse_dead_letters", "Records that can never be stored as they are.", nil, labels),
		prometheus.NewDesc("pulse_log_bytes", "Size of the log on its medium.", nil, labels),
	}
}

// Describe implements prometheus.Collector.
func (c *logCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *logCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), statsTimeout)
	defer cancel()
	s, err := c.stats(ctx)
	if err != nil {
		for _, d := range c.descs {
			ch <- prometheus.NewInvalidMetric(d, err)
		}
		return
	}
	ch <- prometheus.MustNewConstMetric(c.descs[0], prometheus.CounterValue, float64(s.Appended))
	ch <- prometheus.MustNewConstMetric(c.descs[1], prometheus.GaugeValue, float64(s.Pending))
	ch <- prometheus.MustNewConstMetric(c.descs[2], prometheus.GaugeValue, s.PendingAge.Seconds())
	ch <- prometheus.MustNewConstMetric(c.descs[3], prometheus.GaugeValue, float64(s.DeadLetters))
	ch <- prometheus.MustNewConstMetric(c.descs[4], prometheus.GaugeValue, float64(s.Bytes))
}
