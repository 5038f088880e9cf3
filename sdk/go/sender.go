package pulse

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	firstWait         = 500 * time.Millisecond
	longestWait       = 30 * time.Second
	longestRetryAfter = time.Minute
	gzipFrom          = 1024
	answerBytes       = 64 << 10 // of Pulse's that are read
	tellAfter         = 5        // answers in a row after which is tried again
	mostFaults        = 10       // 500s in a row, from which on these very spans may be why
)

// Stats count spans.
type Stats struct {
	Queued, QueuedBytes     int   // what waits
	Sent, Dropped, Rejected int64 // taken by Pulse, pushed out of the queue, refused by Pulse
}

// item is a span that waits, as OTLP's JSON.
type item struct {
	head string // the resource and the scope
	data []byte
	file *spillFile // where it is on the disk
}

// sender holds spans until Pulse has them: one request at a time, for as long as
// it takes.
type sender struct {
	settings *settings
	head     string
	spill    *spill
	http     *http.Client

	mu      sync.Mutex
	queue   []item
	sending []item // what is in the request that runs, or waits to run again
	bytes   int    // of both
	counts  Stats
	flushes []chan struct{} // closed when nothing waits any more

	refusals int // answers in a row after which is tried again; only run uses it
	faults   int // those of them that are 500s, the latest in a row

	first time.Duration // firstWait; tests wait less
	wait  time.Duration // before the next try, if Pulse does not say; only run uses it
	gzip  *gzip.Writer  // used again, since it is large; nil before the first large body; only run uses it

	full    chan struct{} // there is enough for a request
	hurry   chan struct{} // a flush waits
	done    context.Context
	stop    func()
	started sync.Once
	ended   chan struct{}
}

func newSender(o *settings) *sender {
	resource := []attribute{}
	for _, a := range [][2]string{
		{"service.name", o.ServiceName},
		{"service.version", o.Release},
		{"deployment.environment.name", o.Environment},
		{"telemetry.sdk.name", "pulse"},
		{"telemetry.sdk.language", "go"},
		{"telemetry.sdk.version", Version},
	} {
		if a[1] != "" {
			resource = append(resource, attribute{a[0], a[1]})
		}
	}
	s := &sender{
		settings: o, first: firstWait, full: make(chan struct{}, 1), hurry: make(chan struct{}, 1), ended: make(chan struct{}),
		head: toJSON(map[string]any{"resource": map[string]any{"attributes": resource}, "scope": map[string]any{"name": "pulse-sdk", "version": Version}}),
		http: &http.Client{
			Timeout:       o.Timeout,
			Transport:     ownTransport(),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	var cancel func()
	s.done, cancel = context.WithCancel(context.Background())
	s.stop = func() {
		cancel()
		s.started.Do(func() { close(s.ended) })
		<-s.ended
		s.http.CloseIdleConnections()
		s.spill.close()
	}
	if o.SpillDirectory != "" {
		var err error
		if s.spill, err = openSpill(o.SpillDirectory); err != nil {
			o.warn("spill", "SpillDirectory cannot be used: "+err.Error())
		}
		for _, left := range s.spill.leftovers() {
			s.push(left)
		}
	}
	return s
}

// ownTransport is one that the program does not share, since Shutdown closes its
// connections, and that records nothing.
func ownTransport() *http.Transport {
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		return t.Clone()
	}
	return &http.Transport{Proxy: http.ProxyFromEnvironment}
}

// add queues a span, and reports whether it was before stop.
func (s *sender) add(data []byte) bool {
	if s.done.Err() != nil {
		return false
	}
	s.push(item{head: s.head, data: data, file: s.spill.write(s.head, data)})
	return true
}

func (s *sender) push(it item) {
	s.mu.Lock()
	s.queue = append(s.queue, it)
	s.bytes += len(it.data)
	for s.bytes > s.settings.QueueBytes && len(s.queue) > 0 {
		s.settle(s.queue[:1])
		clear(s.queue[:1]) // what is dropped takes no memory
		s.queue = s.queue[1:]
		s.counts.Dropped++
		s.settings.warn("dropped", "Pulse does not take spans as fast as they come; the oldest are dropped")
	}
	full := len(s.queue) >= s.settings.BatchSize || s.bytes >= s.settings.BatchBytes
	s.mu.Unlock()
	s.started.Do(func() { go s.run() })
	if full {
		nudge(s.full)
	}
}

func nudge(to chan<- struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// settle forgets items that are sent, refused or dropped.
func (s *sender) settle(items []item) {
	for _, it := range items {
		s.bytes -= len(it.data)
		it.file.settle()
	}
}

func (s *sender) stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.counts
	st.Queued, st.QueuedBytes = len(s.queue)+len(s.sending), s.bytes
	return st
}

// flush waits until nothing waits, or ctx is done.
func (s *sender) flush(ctx context.Context) error {
	s.mu.Lock()
	if len(s.queue)+len(s.sending) == 0 {
		s.mu.Unlock()
		return nil
	}
	empty := make(chan struct{})
	s.flushes = append(s.flushes, empty)
	s.mu.Unlock()
	nudge(s.hurry)
	select {
	case <-empty:
		return nil
	case <-s.done.Done():
		return context.Canceled
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run sends until stop.
func (s *sender) run() {
	defer close(s.ended)
	for s.pause(s.settings.FlushInterval, s.full) {
		for s.wait = s.first; s.take(); {
			again, settled := s.post()
			if settled {
				s.wait = s.first
				continue
			}
			if again == 0 {
				again = time.Duration(float64(s.wait) * (0.5 + rand.Float64()/2))
				s.wait = min(s.wait*2, longestWait)
			}
			if !s.pause(again, nil) { // however much comes meanwhile
				return
			}
		}
	}
}

// pause waits, or until a flush does, or there is enough for a request; false
// says to stop.
func (s *sender) pause(d time.Duration, full <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-s.done.Done():
		return false
	case <-s.hurry:
		s.wait = s.first
	case <-full:
	case <-timer.C:
	}
	return true
}

// take makes the next request's spans of the queue, unless there is one that was
// not taken yet. False says that nothing is left.
func (s *sender) take() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sending) > 0 {
		return true
	}
	n, size := 0, 0
	for n < len(s.queue) && n < s.settings.BatchSize {
		if size += len(s.queue[n].data); n > 0 && (size > s.settings.BatchBytes || s.queue[n].head != s.queue[0].head) {
			break
		}
		n++
	}
	s.sending = append([]item(nil), s.queue[:n]...)
	clear(s.queue[:n])
	s.queue = s.queue[n:]
	if n == 0 {
		s.queue = nil
		for _, empty := range s.flushes {
			close(empty)
		}
		s.flushes = nil
	}
	return n > 0
}

// post sends what was taken, and reports whether it is settled; else when to try
// again, or 0.
func (s *sender) post() (again time.Duration, settled bool) {
	status, after, answer, err := s.send(s.sending)
	refused, ours := refusedOf(answer)
	switch {
	case err != nil:
		s.warnOfSilence(err)
		return 0, false
	case status < 300 && ours:
	case status < 300:
		s.settings.warn("garbage", fmt.Sprintf("what answers at %s is not Pulse, spans wait for it: %.200q", s.shown(), answer))
		return after, false
	case s.waitsAfter(status, answer):
		return after, false
	default:
		refused = int64(len(s.sending))
	}
	if refused > 0 {
		s.settings.warn("rejected", fmt.Sprintf("Pulse refused spans (%d): %.300s", status, answer))
	}
	s.refusals, s.faults = 0, 0
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.Rejected += refused
	s.counts.Sent += int64(len(s.sending)) - refused
	s.settle(s.sending)
	s.sending = nil
	return 0, true
}

// waitsAfter reports whether a request that was answered with a status is tried
// again.
func (s *sender) waitsAfter(status int, answer []byte) bool {
	if s.faults++; status != http.StatusInternalServerError {
		s.faults = 0
	}
	switch status {
	case 429, 500, 502, 503, 504:
	default:
		return false
	}
	if s.faults >= mostFaults {
		return false
	}
	if s.refusals++; s.refusals >= tellAfter {
		s.settings.warn("refusal", fmt.Sprintf("Pulse answers %d at %s, spans wait for it: %.200q", status, s.shown(), answer))
	}
	return true
}

// warnOfSilence tells that a request had no answer, unless it was Shutdown that
// ended it.
func (s *sender) warnOfSilence(err error) {
	if s.done.Err() != nil {
		return
	}
	if of := (*url.Error)(nil); errors.As(err, &of) {
		err = of.Err // which address is said already
	}
	s.settings.warn("unreachable", fmt.Sprintf("Pulse does not answer at %s, spans wait for it: %v", s.shown(), err))
}

// warnOfUnsent tells how many spans are left when nothing is sent any more.
func (s *sender) warnOfUnsent() {
	n := s.stats().Queued
	if n == 0 {
		return
	}
	kept := ""
	if s.spill != nil {
		kept = ", kept in " + s.settings.SpillDirectory
	}
	s.settings.warn("unsent", fmt.Sprintf("spans not sent to Pulse at %s before the end: %d%s", s.shown(), n, kept))
}

func (s *sender) url() string { return strings.TrimRight(s.settings.APIURL, "/") + "/v1/traces" }

var credentials = regexp.MustCompile(`//[^/]*@`)

// shown is the address as the log may have it.
func (s *sender) shown() string { return credentials.ReplaceAllLiteralString(s.url(), "//") }

func (s *sender) send(items []item) (status int, after time.Duration, answer []byte, err error) {
	body, encoding := s.body(items)
	req, err := http.NewRequestWithContext(s.done, http.MethodPost, s.url(), bytes.NewReader(body))
	if err != nil {
		return 0, 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.settings.APIKey)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "pulse-sdk-go/"+Version)
	if encoding != "" {
		req.Header.Set("Content-Encoding", encoding)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return 0, 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, answerBytes))
	return resp.StatusCode, retryAfter(resp.Header.Get("Retry-After")), answer, err
}

// body is the request's, and how it is encoded. Memory takes all that is written,
// so there are no errors.
func (s *sender) body(items []item) (body []byte, encoding string) {
	var head struct{ Resource, Scope json.RawMessage }
	_ = json.Unmarshal([]byte(items[0].head), &head) // our own, or checked when it was read
	size := 0
	for _, it := range items {
		size += len(it.data)
	}
	var b bytes.Buffer
	if size <= gzipFrom {
		writeBody(&b, head.Resource, head.Scope, items)
		return b.Bytes(), ""
	}
	if s.gzip == nil {
		s.gzip, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // a level that there is
	}
	s.gzip.Reset(&b)
	writeBody(s.gzip, head.Resource, head.Scope, items)
	_ = s.gzip.Close()
	return b.Bytes(), "gzip"
}

func writeBody(to io.Writer, resource, scope []byte, items []item) {
	fmt.Fprintf(to, `{"resourceSpans":[{"resource":%s,"scopeSpans":[{"scope":%s,"spans":[`, resource, scope)
	for i, it := range items {
		runtime.Gosched() // what the program does goes first
		if i > 0 {
			_, _ = to.Write([]byte{','})
		}
		_, _ = to.Write(it.data)
	}
	_, _ = io.WriteString(to, `]}]}]}`)
}

// refusedOf reads how many spans were refused; false says that the answer is none
// of Pulse's.
func refusedOf(answer []byte) (int64, bool) {
	if len(bytes.TrimSpace(answer)) == 0 {
		return 0, true
	}
	var a struct {
		PartialSuccess struct{ RejectedSpans json.RawMessage }
	}
	if json.Unmarshal(answer, &a) != nil {
		return 0, false
	}
	n, _ := strconv.ParseInt(strings.Trim(string(a.PartialSuccess.RejectedSpans), `"`), 10, 64)
	return n, true
}

// retryAfter reads the header; 0 if there is none that lies ahead.
func retryAfter(value string) time.Duration {
	d := time.Duration(0)
	if n, err := strconv.Atoi(value); err == nil {
		d = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = time.Until(at)
	}
	return min(max(d, 0), longestRetryAfter)
}
