package testkit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// SQSProxy stands before an SQS server and makes requests fail, as asked. It
// also keeps account of the messages that pass it: which the server accepted,
// and which were deleted. Everything that sends to, or receives from, the queues
// must go through it for that.
type SQSProxy struct {
	URL string // the endpoint to use instead of the server's

	target string
	client *http.Client

	mu       sync.Mutex
	faults   []*SQSFault
	messages map[string]*proxied // by id
	order    []string            // of acceptance
	handles  map[string]string   // receipt handle → id
	again    map[string][]json.RawMessage
	watch    func(action, queue string)
}

// proxied is a message that the server accepted.
type proxied struct {
	queue   string
	body    [sha256.Size]byte
	deleted bool
}

// SQSFaultKind says what goes wrong.
type SQSFaultKind int

// The kinds. The first five are about requests, the last two about the messages
// that receives bring.
const (
	SQSRefuse      SQSFaultKind = iota // the connection ends, and the server sees nothing of the request
	SQSLoseAnswer                      // the server acts, and the connection ends without an answer
	SQSError                           // 500 InternalError; the server sees nothing
	SQSThrottle                        // 400 RequestThrottled; the server sees nothing
	SQSFailEntries                     // single entries of batches fail and do not reach the server
	SQSTwice                           // messages are handed out again, also after they were deleted
	SQSShuffle                         // messages come in another order, over several receives
)

// SQSFault is one thing that goes wrong, from Fault to Stop.
type SQSFault struct {
	Kind SQSFaultKind
	// Action is the request that it strikes, such as SendMessageBatch; "" is any.
	Action string
	// Queue is what the queue's name begins with; "" is any.
	Queue string
	// Chance is how likely it strikes a request, or an entry, or a message; 0
	// means always.
	Chance float64
	// Limit is how often it strikes at most; 0 means any number.
	Limit int

	proxy *SQSProxy
	hits  int
}

// NewSQSProxy starts a proxy before the server at endpoint. It ends with the
// test.
func NewSQSProxy(t testing.TB, endpoint string) *SQSProxy {
	p := &SQSProxy{
		target: endpoint, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}},
		messages: map[string]*proxied{}, handles: map[string]string{}, again: map[string][]json.RawMessage{},
	}
	server := httptest.NewServer(http.HandlerFunc(p.serve))
	p.URL = server.URL
	t.Cleanup(func() {
		server.CloseClientConnections() // receives may wait for long
		server.Close()
	})
	return p
}

// Fault makes f happen from now on.
func (p *SQSProxy) Fault(f SQSFault) *SQSFault {
	p.mu.Lock()
	defer p.mu.Unlock()
	f.proxy = p
	p.faults = append(p.faults, &f)
	return &f
}

// Stop ends a fault.
func (f *SQSFault) Stop() {
	f.proxy.mu.Lock()
	defer f.proxy.mu.Unlock()
	f.proxy.faults = slices.DeleteFunc(f.proxy.faults, func(other *SQSFault) bool { return other == f })
}

// Hits is how often the fault has struck.
func (f *SQSFault) Hits() int {
	f.proxy.mu.Lock()
	defer f.proxy.mu.Unlock()
	return f.hits
}

// Watch has f called with each request before it goes on, by several goroutines
// at a time.
func (p *SQSProxy) Watch(f func(action, queue string)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watch = f
}

// Accepted gives the ids of the messages that the server has accepted into a
// queue, in their order. Those whose sender did not hear of it are among them.
func (p *SQSProxy) Accepted(queue string) []string {
	return p.ids(func(m *proxied) bool { return m.queue == queue })
}

// Deleted gives the ids of those that somebody has asked to delete since.
func (p *SQSProxy) Deleted(queue string) []string {
	return p.ids(func(m *proxied) bool { return m.queue == queue && m.deleted })
}

// Open gives the ids of the messages in all queues whose names begin with
// prefix, but dead-letter queues, that were accepted and not deleted yet.
func (p *SQSProxy) Open(prefix string) []string {
	return p.ids(func(m *proxied) bool {
		return strings.HasPrefix(m.queue, prefix) && !strings.HasSuffix(m.queue, "-dlq") && !m.deleted
	})
}

func (p *SQSProxy) ids(match func(*proxied) bool) (ids []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range p.order {
		if match(p.messages[id]) {
			ids = append(ids, id)
		}
	}
	return ids
}

// WaitSettled waits until every one of ids was deleted, and with it every other
// message of its queue with the same body: one that was sent anew is not settled
// yet.
func (p *SQSProxy) WaitSettled(t testing.TB, ids []string, patience time.Duration) {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		open := p.unsettled(ids)
		if open == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d messages are not settled after %v", open, len(ids), patience)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (p *SQSProxy) unsettled(ids []string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	open := map[proxied]bool{}
	for _, m := range p.messages {
		if !m.deleted {
			open[*m] = true
		}
	}
	for _, id := range ids {
		if m := p.messages[id]; m != nil && open[proxied{queue: m.queue, body: m.body}] {
			n++
		}
	}
	return n
}

// strikes reports whether a fault of that kind strikes now.
func (p *SQSProxy) strikes(kind SQSFaultKind, action, queue string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.faults {
		if f.Kind == kind && (f.Action == "" || f.Action == action) && strings.HasPrefix(queue, f.Queue) &&
			(f.Limit == 0 || f.hits < f.Limit) && (f.Chance == 0 || rand.Float64() < f.Chance) {
			f.hits++
			return true
		}
	}
	return false
}

// sqsRequest is what the proxy reads of a request.
type sqsRequest struct {
	action, queue string
	fields        map[string]json.RawMessage
	entries       []sqsEntry // one for an action without a batch
}

// sqsEntry is an entry of a batch.
type sqsEntry struct {
	ID            string `json:"Id"`
	MessageBody   string
	ReceiptHandle string
	raw           json.RawMessage
}

// sqsAnswer is what it reads of an answer.
type sqsAnswer struct {
	MessageID  string `json:"MessageId,omitempty"` // of SendMessage
	Successful []json.RawMessage
	Failed     []json.RawMessage
	Messages   []json.RawMessage
}

func (p *SQSProxy) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	action, isSQS := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	req, err := readSQSRequest(action, body)
	if !isSQS || err != nil {
		p.pass(w, r, body)
		return
	}
	p.mu.Lock()
	watch := p.watch
	p.mu.Unlock()
	if watch != nil {
		watch(req.action, req.queue)
	}
	switch {
	case p.strikes(SQSRefuse, req.action, req.queue):
		panic(http.ErrAbortHandler)
	case p.strikes(SQSError, req.action, req.queue):
		sqsRefusal(w, http.StatusInternalServerError, "InternalError", "Receiver")
		return
	case p.strikes(SQSThrottle, req.action, req.queue):
		sqsRefusal(w, http.StatusBadRequest, "RequestThrottled", "Sender")
		return
	}
	failed := p.failEntries(req)
	if len(failed) > 0 && len(req.entries) == 0 {
		writeSQS(w, http.StatusOK, map[string]any{"Successful": []any{}, "Failed": failed})
		return
	}
	if p.owes(req) {
		req.fields["WaitTimeSeconds"] = json.RawMessage("0")
	}
	status, header, answer, err := p.forward(r, req.encode())
	if err != nil {
		panic(http.ErrAbortHandler) // the client went away, or the server did
	}
	if status == http.StatusOK {
		answer = p.account(req, answer, failed)
	}
	if p.strikes(SQSLoseAnswer, req.action, req.queue) {
		panic(http.ErrAbortHandler)
	}
	for _, name := range []string{"Content-Type", "X-Amzn-Query-Error", "X-Amzn-Requestid"} {
		if v := header.Get(name); v != "" {
			w.Header().Set(name, v)
		}
	}
	w.WriteHeader(status)
	_, _ = w.Write(answer) // the client may be gone
}

func readSQSRequest(action string, body []byte) (*sqsRequest, error) {
	req := &sqsRequest{action: action}
	if err := json.Unmarshal(body, &req.fields); err != nil {
		return nil, err
	}
	var address string
	if raw, ok := req.fields["QueueUrl"]; ok {
		if err := json.Unmarshal(raw, &address); err != nil {
			return nil, err
		}
	}
	if u, err := url.Parse(address); err == nil {
		req.queue = path.Base(u.Path)
	}
	raws := []json.RawMessage{body}
	if raw, ok := req.fields["Entries"]; ok {
		raws = nil
		if err := json.Unmarshal(raw, &raws); err != nil {
			return nil, err
		}
	}
	for _, raw := range raws {
		e := sqsEntry{raw: raw}
		if err := json.Unmarshal(raw, &e); err != nil {
			return nil, err
		}
		req.entries = append(req.entries, e)
	}
	return req, nil
}

func (r *sqsRequest) isBatch() bool { return strings.HasSuffix(r.action, "Batch") }

func (r *sqsRequest) encode() []byte {
	if r.isBatch() {
		raws := make([]json.RawMessage, len(r.entries))
		for i := range r.entries {
			raws[i] = r.entries[i].raw
		}
		r.fields["Entries"] = mustJSON(raws)
	}
	return mustJSON(r.fields)
}

// failEntries takes the entries that fail out of a batch.
func (p *SQSProxy) failEntries(req *sqsRequest) (failed []json.RawMessage) {
	if !req.isBatch() {
		return nil
	}
	req.entries = slices.DeleteFunc(req.entries, func(e sqsEntry) bool {
		if !p.strikes(SQSFailEntries, req.action, req.queue) {
			return false
		}
		failed = append(failed, mustJSON(map[string]any{
			"Id": e.ID, "SenderFault": false, "Code": "InternalError", "Message": "the test's proxy fails this entry",
		}))
		return true
	})
	return failed
}

// owes reports whether a receive need not wait, since messages are to come again.
func (p *SQSProxy) owes(req *sqsRequest) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return req.action == "ReceiveMessage" && len(p.again[req.queue]) > 0
}

// account notes what an answer says of messages, and gives the answer that the
// client gets.
func (p *SQSProxy) account(req *sqsRequest, body []byte, failed []json.RawMessage) []byte {
	var a sqsAnswer
	if err := json.Unmarshal(body, &a); err != nil {
		return body
	}
	switch req.action {
	case "SendMessage":
		p.accepted(req.queue, a.MessageID, req.entries[0].MessageBody)
	case "SendMessageBatch":
		for _, raw := range a.Successful {
			var s struct {
				ID        string `json:"Id"`
				MessageID string `json:"MessageId"`
			}
			mustDecode(raw, &s)
			p.accepted(req.queue, s.MessageID, req.entry(s.ID).MessageBody)
		}
	case "DeleteMessage":
		p.deleted(req.entries[0].ReceiptHandle)
	case "DeleteMessageBatch":
		for _, raw := range a.Successful {
			var s sqsEntry
			mustDecode(raw, &s)
			p.deleted(req.entry(s.ID).ReceiptHandle)
		}
	case "ReceiveMessage":
		return mustJSON(map[string]any{"Messages": p.received(req, a.Messages)})
	}
	if len(failed) == 0 {
		return body
	}
	return mustJSON(map[string]any{"Successful": append([]json.RawMessage{}, a.Successful...), "Failed": append(failed, a.Failed...)})
}

func (r *sqsRequest) entry(id string) sqsEntry {
	for _, e := range r.entries {
		if e.ID == id {
			return e
		}
	}
	return sqsEntry{}
}

func (p *SQSProxy) accepted(queue, id, body string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.messages[id] = &proxied{queue: queue, body: sha256.Sum256([]byte(body))}
	p.order = append(p.order, id)
}

func (p *SQSProxy) deleted(handle string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.messages[p.handles[handle]]; m != nil {
		m.deleted = true
	}
}

// received notes the handles of messages, and repeats and shuffles them as asked.
func (p *SQSProxy) received(req *sqsRequest, messages []json.RawMessage) []json.RawMessage {
	limit := 1
	if raw, ok := req.fields["MaxNumberOfMessages"]; ok {
		mustDecode(raw, &limit)
	}
	var now, later []json.RawMessage
	for _, raw := range messages {
		var m struct {
			MessageID     string `json:"MessageId"`
			ReceiptHandle string
		}
		mustDecode(raw, &m)
		p.mu.Lock()
		p.handles[m.ReceiptHandle] = m.MessageID
		if known := p.messages[m.MessageID]; known != nil && known.queue != req.queue {
			known.queue = req.queue // its queue gave it up
		}
		p.mu.Unlock()
		if p.strikes(SQSShuffle, req.action, req.queue) {
			later = append(later, raw)
			continue
		}
		now = append(now, raw)
		if p.strikes(SQSTwice, req.action, req.queue) {
			later = append(later, raw)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	owed := p.again[req.queue]
	n := min(len(owed), max(limit-len(now), 0))
	now = append(now, owed[:n]...)
	p.again[req.queue] = append(slices.Clone(owed[n:]), later...)
	if len(later) > 0 || n > 0 {
		rand.Shuffle(len(now), func(i, j int) { now[i], now[j] = now[j], now[i] })
	}
	return now
}

// pass hands on a request that is none of SQS's.
func (p *SQSProxy) pass(w http.ResponseWriter, r *http.Request, body []byte) {
	status, header, answer, err := p.forward(r, body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", header.Get("Content-Type"))
	w.WriteHeader(status)
	_, _ = w.Write(answer) // the client may be gone
}

func (p *SQSProxy) forward(r *http.Request, body []byte) (status int, header http.Header, answer []byte, err error) {
	ctx := r.Context()
	if strings.HasPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.SendMessage") {
		// What the server accepts is accounted for, also if nobody waits for it.
		ctx = context.WithoutCancel(ctx)
	}
	out, err := http.NewRequestWithContext(ctx, r.Method, p.target+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	out.Header = r.Header.Clone()
	resp, err := p.client.Do(out)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, answer, err
}

func sqsRefusal(w http.ResponseWriter, status int, code, whose string) {
	w.Header().Set("X-Amzn-Query-Error", code+";"+whose)
	writeSQS(w, status, map[string]string{"__type": "com.amazonaws.sqs#" + code, "message": "the test's proxy refuses this request"})
}

func writeSQS(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	_, _ = w.Write(mustJSON(v)) // the client may be gone
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("testkit: encode %T: %v", v, err))
	}
	return b
}

func mustDecode(raw json.RawMessage, v any) {
	if err := json.Unmarshal(raw, v); err != nil {
		panic(fmt.Sprintf("testkit: decode %T: %v", v, err))
	}
}
