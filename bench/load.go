package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// loadResult is what a run of requests gave.
type loadResult struct {
	acked    int           // traces that were acknowledged
	elapsed  time.Duration // from the first request to the last answer
	p50, p99 time.Duration // of one request
	bytes    int64         // of bodies
}

func (l loadResult) rate() float64 { return float64(l.acked) / l.elapsed.Seconds() }

// route is where a load goes.
type route struct {
	path, contentType string
	status            int
	renew             func(body []byte) // gives every record of a body a new id, in place
}

// median gives the sums of all and the median of each of their quantiles.
func median(all []loadResult) loadResult {
	var m loadResult
	var p50, p99 []time.Duration
	for _, r := range all {
		m.acked, m.elapsed, m.bytes = m.acked+r.acked, m.elapsed+r.elapsed, m.bytes+r.bytes
		p50, p99 = append(p50, r.p50), append(p99, r.p99)
	}
	slices.Sort(p50)
	slices.Sort(p99)
	m.p50, m.p99 = p50[len(p50)/2], p99[len(p99)/2]
	return m
}

var (
	tracesAsync = route{"/v1/traces/async", "application/json", http.StatusAccepted, renew}
	tracesBatch = route{"/v1/traces/batch", "application/json", http.StatusAccepted, renew}
)

// load says how much is sent.
type load struct {
	rate int           // traces a second; 0 is as fast as answers come
	most int           // traces; 0 is no bound
	time time.Duration // 0 is no bound
}

// ingest posts bodies over several connections at once. With a rate each
// request's time is counted from when it was due. Every request has new ids. Any
// answer but the route's is an error.
func ingest(ctx context.Context, s *server, to route, l load, bodies [][]byte) (loadResult, error) {
	client := newClient(connections)
	var (
		wg        sync.WaitGroup
		acked     atomic.Int64
		sent      atomic.Int64
		mu        sync.Mutex
		latencies []time.Duration
		failure   error
	)
	start := time.Now()
	over := func(n int) bool { // before the n-th request
		return ctx.Err() != nil || (l.time > 0 && time.Since(start) >= l.time) || (l.most > 0 && n*batchSize >= l.most)
	}
	for c := range connections {
		wg.Go(func() {
			var mine []time.Duration
			body := bytes.Clone(bodies[c%len(bodies)])
			for n := c; !over(n); n += connections {
				copyInto(&body, bodies[n%len(bodies)])
				to.renew(body)
				began := time.Now()
				if l.rate > 0 {
					began = start.Add(time.Duration(n) * batchSize * time.Second / time.Duration(l.rate))
					time.Sleep(time.Until(began))
				}
				err := post(ctx, client, s, to, body)
				if err != nil {
					mu.Lock()
					failure = err
					mu.Unlock()
					return
				}
				mine = append(mine, time.Since(began))
				acked.Add(batchSize)
				sent.Add(int64(len(body)))
			}
			mu.Lock()
			latencies = append(latencies, mine...)
			mu.Unlock()
		})
	}
	wg.Wait()
	r := loadResult{acked: int(acked.Load()), elapsed: time.Since(start), bytes: sent.Load()}
	slices.Sort(latencies)
	if n := len(latencies); n > 0 {
		r.p50, r.p99 = latencies[n/2], latencies[n*99/100]
	}
	return r, failure
}

func newClient(connections int) *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, DisableCompression: true}}
}

func copyInto(dst *[]byte, src []byte) { *dst = append((*dst)[:0], src...) }

func post(ctx context.Context, client *http.Client, s *server, to route, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+to.path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.Key)
	req.Header.Set("Content-Type", to.contentType)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != to.status {
		err = fmt.Errorf("%s: %s: %s", to.path, resp.Status, answer)
	}
	return err
}

// quantiles times n calls of f one after the other.
func quantiles(n int, f func() error) (p50, p95 time.Duration, err error) {
	times := make([]time.Duration, n)
	for i := range times {
		start := time.Now()
		if err := f(); err != nil {
			return 0, 0, err
		}
		times[i] = time.Since(start)
	}
	slices.Sort(times)
	return times[n/2], times[n*95/100], nil
}
