package pulse

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// bodyBytes is how much of a body is recorded; what goes on is never cut.
const bodyBytes = 64 << 20

// readFrom is how much of a stream is kept before it is read.
const readFrom = 64 << 10

// operation is what a path of a provider's API does.
type operation struct {
	endings   []string // of the path
	name      string
	provider  string // if the host does not say
	assembler func() assembler
}

// operations are looked through in order.
var operations = []operation{
	{[]string{"/chat/completions"}, "chat", "openai", func() assembler { return &chatCompletion{kind: "chat.completion"} }},
	{[]string{"/responses"}, "chat", "openai", func() assembler { return &responseEvents{} }},
	{[]string{"/completions"}, "text_completion", "openai", func() assembler { return &chatCompletion{kind: "text_completion"} }},
	{[]string{"/embeddings"}, "embeddings", "openai", nil},
	{[]string{"/messages"}, "chat", "anthropic", func() assembler { return &messageEvents{} }},
	{[]string{":generateContent", ":streamGenerateContent"}, "generate_content", "google", func() assembler { return &contentChunks{} }},
	{[]string{":embedContent", ":batchEmbedContents"}, "embeddings", "google", nil},
}

// hosts say who answers, by the end of a host's name.
var hosts = map[string]string{
	"api.openai.com": "openai", "openai.azure.com": "azure", "api.anthropic.com": "anthropic", "generativelanguage.googleapis.com": "google",
	"aiplatform.googleapis.com": "gcp.vertex_ai", "openrouter.ai": "openrouter", "api.mistral.ai": "mistral_ai", "api.groq.com": "groq",
	"api.deepseek.com": "deepseek", "api.x.ai": "x_ai", "api.cohere.com": "cohere", "api.together.xyz": "together",
	"api.fireworks.ai": "fireworks", "api.perplexity.ai": "perplexity", "api.cerebras.ai": "cerebras",
}

// transport is a RoundTripper that records.
type transport struct {
	base   http.RoundTripper
	client func() *Client
}

// RoundTrip passes a request on and records the call.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	base := t.base
	if base == nil {
		base = http.DefaultTransport
	}
	c := t.client()
	if !c.recording() {
		return base.RoundTrip(req)
	}
	req, k := c.begin(req)
	resp, err := base.RoundTrip(req)
	if k == nil {
		return resp, err
	}
	if err != nil {
		k.end(err)
		return resp, err
	}
	k.answered(resp)
	return resp, nil
}

// call is one that runs. What was said in it is kept as it came, and read in the
// background, since the program waits meanwhile.
type call struct {
	client  *Client
	span    *Span
	op      *operation
	model   string // that the path names
	request []byte

	mu        sync.Mutex // of what is said
	status    int
	stream    bool
	said      []byte // and was not read yet
	marks     []mark // in said, until something of the answer came
	size      int    // bytes of the answer so far
	truncated bool
	carried   bool // something of the answer came
	err       error
	ended     bool

	reading  sync.Mutex // of what was read
	events   eventReader
	asm      assembler
	complete bool // the provider ended the stream
	read     bool // to the end
}

// mark is how long it took until a part of a stream was there.
type mark struct {
	end   int // of the part
	after time.Duration
}

// begin starts the span of a call, if req is one, and gives the request to pass
// on: the same, or a copy whose body was read.
func (c *Client) begin(req *http.Request) (pass *http.Request, k *call) {
	pass = req
	defer c.settings.guard()
	if req.Method != http.MethodPost || req.URL == nil {
		return req, nil
	}
	op := operationOf(req.URL.Path)
	if op == nil {
		return req, nil
	}
	pass, body := readBody(req)
	ctx := req.Context()
	s := c.start(ctx, op.name, kindClient)
	s.set("gen_ai.operation.name", op.name)
	s.set("gen_ai.provider.name", c.providerOf(ctx, req.URL.Hostname(), op))
	model := modelOf(req.URL.Path)
	s.set("gen_ai.request.model", model)
	s.set("server.address", req.URL.Hostname())
	if port, err := strconv.Atoi(req.URL.Port()); err == nil {
		s.set("server.port", port)
	}
	// The clients of OpenAI and Anthropic say which attempt a request is.
	if n, err := strconv.Atoi(req.Header.Get("X-Stainless-Retry-Count")); err == nil && n > 0 {
		s.set("http.request.resend_count", n)
	}
	if metadata := aboutOf(ctx).metadata; metadata != nil {
		s.set("pulse.metadata", toJSON(metadata))
		for _, name := range []string{"userId", "user_id"} {
			switch user := metadata[name].(type) {
			case string, int, int64, float64:
				s.set("user.id", fmt.Sprint(user))
			}
		}
	}
	k = &call{client: c, span: s, op: op, model: model, request: body}
	c.watch(k)
	return pass, k
}

// operationOf gives what a path does, nil if that is not recorded.
func operationOf(at string) *operation {
	at = strings.TrimRight(at, "/")
	ends := func(ending string) bool { return strings.HasSuffix(at, ending) }
	for i := range operations {
		if slices.ContainsFunc(operations[i].endings, ends) && !strings.Contains(at, "/threads/") {
			return &operations[i]
		}
	}
	return nil
}

// modelOf gives the model that a path names, as Google's do.
func modelOf(at string) string {
	model, _, ok := strings.Cut(path.Base(strings.TrimRight(at, "/")), ":")
	if !ok {
		return ""
	}
	return model
}

// readBody reads a request's body: of a copy if the request can make one, else it
// gives a request with another that says the same.
func readBody(req *http.Request) (*http.Request, []byte) {
	if req.Body == nil || req.ContentLength > bodyBytes {
		return req, nil
	}
	if req.GetBody != nil {
		copied, err := req.GetBody()
		if err != nil {
			return req, nil
		}
		defer copied.Close()
		var read bytes.Buffer
		read.Grow(int(max(req.ContentLength, 0)) + bytes.MinRead)
		_, _ = io.Copy(&read, io.LimitReader(copied, bodyBytes))
		return req, read.Bytes()
	}
	var read bytes.Buffer
	_, err := io.Copy(&read, io.LimitReader(req.Body, bodyBytes))
	rest := io.Reader(req.Body)
	if err != nil {
		rest = failing{err}
	}
	pass := req.Clone(req.Context())
	pass.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(read.Bytes()), rest), req.Body}
	return pass, read.Bytes()
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func (c *Client) providerOf(ctx context.Context, host string, op *operation) string {
	if named := aboutOf(ctx).provider; named != "" {
		return named
	}
	if named := c.settings.Providers[host]; named != "" {
		return named
	}
	for suffix, provider := range hosts {
		if host == suffix || strings.HasSuffix(host, "."+suffix) {
			return provider
		}
	}
	return op.provider
}

// answered puts an ear to the answer's body, unless Shutdown ended the call.
func (k *call) answered(resp *http.Response) {
	defer k.client.settings.guard()
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ended {
		return
	}
	k.status = resp.StatusCode
	if k.stream = kind == "text/event-stream" && k.op.assembler != nil; k.stream {
		k.asm = k.op.assembler()
	}
	resp.Body = &ear{body: resp.Body, call: k}
}

// ear passes a body on as it comes.
type ear struct {
	body io.ReadCloser
	call *call
}

func (e *ear) Read(p []byte) (int, error) {
	n, err := e.body.Read(p)
	e.call.heard(p[:n])
	if errors.Is(err, io.EOF) {
		e.call.end(nil)
	} else if err != nil {
		e.call.end(err)
	}
	return n, err
}

func (e *ear) Close() error {
	e.call.end(nil)
	return e.body.Close()
}

// heard takes a part of the answer.
func (k *call) heard(p []byte) {
	defer k.client.settings.guard()
	k.mu.Lock()
	if k.ended || len(p) == 0 {
		k.mu.Unlock()
		return
	}
	if room := bodyBytes - k.size; !k.stream && len(p) > room {
		p, k.truncated = p[:room], true
	}
	k.size += len(p)
	k.said = append(k.said, p...)
	if k.stream && !k.carried {
		k.marks = append(k.marks, mark{len(k.said), k.span.now().Sub(k.span.start)})
	}
	enough := k.stream && len(k.said)/readFrom > (len(k.said)-len(p))/readFrom
	k.mu.Unlock()
	if enough {
		k.client.backlog.add(readFrom, k.listen)
	}
}

// end ends the call: with an error, or with the answer as far as it came.
func (k *call) end(err error) {
	defer k.client.settings.guard()
	k.mu.Lock()
	if k.ended {
		k.mu.Unlock()
		return
	}
	k.ended, k.err = true, err
	much := len(k.said) + len(k.request)
	k.mu.Unlock()
	k.client.unwatch(k)
	k.span.stop()
	if err != nil {
		k.span.fail(strings.TrimPrefix(fmt.Sprintf("%T", err), "*"), err.Error())
	}
	k.client.backlog.add(much, k.listen)
}

// leave ends the call, of which nothing more is recorded: as far as its answer
// came, or as one that has none.
func (k *call) leave() {
	k.mu.Lock()
	unanswered := k.status == 0 && !k.ended
	k.mu.Unlock()
	if unanswered {
		k.span.fail("Unanswered", "the program ended before there was an answer")
	}
	k.end(nil)
}

// listen reads what was said since the last time, and after the end of the call
// ends its span.
func (k *call) listen() {
	defer k.client.settings.guard()
	k.reading.Lock()
	defer k.reading.Unlock()
	if k.read {
		return
	}
	k.mu.Lock()
	said, marks, ended := k.said, k.marks, k.ended
	if k.stream || ended {
		k.said, k.marks = nil, nil
	}
	k.mu.Unlock()
	if ended {
		k.read = true
		defer k.span.End()
	}
	if k.stream {
		k.readEvents(said, marks)
	}
	if ended {
		k.conclude(said)
	}
}

// readEvents reads a part of a stream.
func (k *call) readEvents(said []byte, marks []mark) {
	begun := 0
	for _, m := range marks {
		carries := false
		k.events.write(said[begun:m.end], func(data []byte) { carries = k.event(data) || carries })
		if begun = m.end; carries {
			k.span.set("gen_ai.response.time_to_first_chunk", m.after.Seconds())
			k.mu.Lock()
			k.carried = true
			k.mu.Unlock()
			break
		}
	}
	k.events.write(said[begun:], func(data []byte) { k.event(data) })
}

// event reads one of a stream, and reports whether it carries something of the
// answer.
func (k *call) event(data []byte) bool {
	runtime.Gosched() // what the program does goes first
	if string(data) == "[DONE]" {
		k.complete = true
		return false
	}
	event, _ := decoded(data).(object)
	if event == nil {
		return false
	}
	k.complete = k.complete || last(event)
	return k.asm.add(event)
}

// last reports whether an event is the last of a stream that is not ended by
// [DONE]: Google's last chunk has the reason.
func last(event object) bool {
	switch str(event["type"]) {
	case "message_stop", "response.completed", "response.failed", "response.incomplete":
		return true
	}
	for _, c := range list(event["candidates"]) {
		if members(c)["finishReason"] != nil {
			return true
		}
	}
	return false
}

// conclude says of the call what its request and its answer say.
func (k *call) conclude(said []byte) {
	s := k.span
	var asked struct{ Model string }
	if json.Unmarshal(k.request, &asked) == nil {
		s.set("gen_ai.request.model", asked.Model)
		s.set("pulse.request", s.client.settings.content(json.RawMessage(k.request), requestTree))
	}
	s.rename(strings.TrimSpace(k.op.name + " " + cmp.Or(asked.Model, k.model)))
	var response object
	if k.stream {
		if response = k.asm.response(); k.err != nil || !k.complete {
			s.set("pulse.stream_ended_early", true)
		}
	} else if !k.truncated {
		response, _ = decoded(said).(object)
	}
	if k.err == nil && k.status >= http.StatusBadRequest {
		message := str(members(response["error"])["message"])
		s.fail(strconv.Itoa(k.status), cmp.Or(message, http.StatusText(k.status)))
		return
	}
	k.answer(response)
}

func (k *call) answer(body object) {
	if body == nil {
		return
	}
	either := func(a, b string) any {
		if body[a] != nil {
			return body[a]
		}
		return body[b]
	}
	s := k.span
	s.set("gen_ai.response.model", str(either("model", "modelVersion")))
	s.set("gen_ai.response.id", str(either("id", "responseId")))
	s.set("gen_ai.response.finish_reasons", finishReasons(body))
	if usage := either("usage", "usageMetadata"); usage != nil {
		s.set("gen_ai.usage.raw", toJSON(usage))
	}
	s.set("pulse.response", s.client.settings.content(body, responseTree))
}

func finishReasons(body object) (reasons []string) {
	add := func(v any) {
		if reason := str(v); reason != "" {
			reasons = append(reasons, reason)
		}
	}
	for _, c := range list(body["choices"]) {
		add(members(c)["finish_reason"])
	}
	for _, c := range list(body["candidates"]) {
		add(members(c)["finishReason"])
	}
	add(body["stop_reason"])
	if str(body["object"]) == "response" {
		if reason := members(body["incomplete_details"])["reason"]; reason != nil {
			add(reason)
		} else {
			add(body["status"])
		}
	}
	return reasons
}
