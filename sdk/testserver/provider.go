package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// call is one entry of GET /calls.
type call struct {
	Path     string          `json:"path"`
	Model    string          `json:"model"`
	Stream   bool            `json:"stream"`
	Status   int             `json:"status"`
	Request  json.RawMessage `json:"request"`
	Response any             `json:"response"` // as without streaming
	Text     string          `json:"text"`     // of the answer
	Usage    usage           `json:"usage"`
}

// usage is what a call used, before a protocol writes it in its way: Input has
// Cached in it, Output has Reasoning in it.
type usage struct {
	Input     int `json:"input"`
	Cached    int `json:"cached"`
	Output    int `json:"output"`
	Reasoning int `json:"reasoning"`
}

// question is what a request asks, whatever its protocol.
type question struct {
	model     string
	stream    bool
	withUsage bool     // of a stream of chat completions
	text      string   // the user's last
	tools     []string // names
	answered  bool     // a tool's result is there
	inputs    int      // embeddings: how many
}

// answer is what comes back, whatever the protocol.
type answer struct {
	id        string
	text      string
	reasoning string
	tool      string // name of the tool to call, with arguments
	arguments string
	usage     usage
}

// protocol is how one provider writes questions and answers.
type protocol struct {
	ask    func(path string, body map[string]any) question
	whole  func(q question, a answer) any
	events func(q question, a answer) []event
	fault  func(status int, message string) any
}

// event is one of a stream: Anthropic's have names.
type event struct {
	name string
	data any // a string is written as it is
}

// fields is a JSON object that is written.
type fields = map[string]any

const (
	toolArguments = `{"city":"Oslo"}`
	created       = 1700000000
)

// provider serves every protocol, by path.
type provider struct {
	mu     sync.Mutex
	calls  []call
	asked  int             // how often an answer or an error was asked for
	failed map[string]bool // texts that failed once
}

func newProvider() *provider { return &provider{failed: map[string]bool{}} }

// protocolOf finds who answers at a path.
func protocolOf(path string) *protocol {
	switch {
	case strings.HasSuffix(path, "/chat/completions"):
		return &chatCompletions
	case strings.HasSuffix(path, "/completions"):
		return &completions
	case strings.HasSuffix(path, "/responses"):
		return &responses
	case strings.HasSuffix(path, "/embeddings"):
		return &embeddings
	case strings.HasSuffix(path, "/messages"):
		return &messages
	case strings.Contains(path, ":generateContent"), strings.Contains(path, ":streamGenerateContent"):
		return &generateContent
	case strings.HasSuffix(path, ":embedContent"):
		return &embedContent
	case strings.HasSuffix(path, ":batchEmbedContents"):
		return &batchEmbedContents
	}
	return nil
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/calls" {
		p.serveCalls(w, r)
		return
	}
	proto := protocolOf(r.URL.Path)
	if proto == nil || r.Method != http.MethodPost {
		http.Error(w, "testserver has no "+r.Method+" "+r.URL.Path, http.StatusNotFound)
		return
	}
	raw, err := io.ReadAll(r.Body)
	var body map[string]any
	if err == nil {
		err = json.Unmarshal(raw, &body)
	}
	if err != nil {
		writeJSON(w, http.StatusBadRequest, proto.fault(http.StatusBadRequest, err.Error()))
		return
	}

	q := proto.ask(r.URL.Path, body)
	c := commandsOf(q.text)
	c.wait(r)
	if c.hang {
		<-r.Context().Done()
		return
	}
	n := p.next()
	if c.status != 0 && p.fails(q.text, c.once) {
		fault := proto.fault(c.status, "The prompt asked for this error.")
		p.record(call{Path: r.URL.Path, Model: q.model, Stream: q.stream, Status: c.status, Request: raw, Response: fault})
		writeJSON(w, c.status, fault)
		return
	}
	a := answerTo(q, c, n)
	whole := proto.whole(q, a)
	p.record(call{Path: r.URL.Path, Model: q.model, Stream: q.stream, Status: http.StatusOK, Request: raw, Response: whole, Text: a.text, Usage: a.usage})
	w.Header().Set("X-Request-Id", "req_"+a.id)
	if !q.stream {
		writeJSON(w, http.StatusOK, whole)
		return
	}
	c.stream(w, proto.events(q, a))
}

func (p *provider) serveCalls(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Method == http.MethodDelete {
		p.calls, p.asked, p.failed = nil, 0, map[string]bool{}
	}
	writeJSON(w, http.StatusOK, append([]call{}, p.calls...))
}

func (p *provider) record(c call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, c)
}

// next numbers what is asked for, from 1.
func (p *provider) next() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	return p.asked
}

// fails reports whether a call that asks for an error gets one.
func (p *provider) fails(text string, once bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.failed[text]
	p.failed[text] = true
	return !once || !before
}

// answerTo decides what is answered.
func answerTo(q question, c commands, n int) answer {
	a := answer{id: fmt.Sprintf("%04d", n), usage: usage{Input: words(q.text) + 10}}
	if c.reasoning {
		a.reasoning = "Let me think about it."
		a.usage.Reasoning, a.usage.Cached = words(a.reasoning), 4
	}
	if c.tool && len(q.tools) > 0 && !q.answered {
		a.tool, a.arguments, a.usage.Output = q.tools[0], toolArguments, 5
	} else {
		a.text = "You said: " + q.text
		a.usage.Output = words(a.text)
	}
	a.usage.Output += a.usage.Reasoning
	return a
}

func words(s string) int { return len(strings.Fields(s)) }

// commands are what a prompt asks of the provider.
type commands struct {
	tool, reasoning, hang, once bool
	status, slow, pieces, reset int
	cut                         int
}

var command = regexp.MustCompile(`\[(tool|reasoning|hang|(?:status|slow|pieces|reset|cut) (\d+)( once)?)\]`)

func commandsOf(text string) commands {
	var c commands
	for _, m := range command.FindAllStringSubmatch(text, -1) {
		n, _ := strconv.Atoi(m[2])
		switch name, _, _ := strings.Cut(m[1], " "); name {
		case "tool":
			c.tool = true
		case "reasoning":
			c.reasoning = true
		case "hang":
			c.hang = true
		case "status":
			c.status, c.once = n, m[3] != ""
		case "slow":
			c.slow = n
		case "pieces":
			c.pieces = n
		case "reset":
			c.reset = n
		case "cut":
			c.cut = n
		}
	}
	return c
}

func (c commands) wait(r *http.Request) {
	if c.slow == 0 {
		return
	}
	select {
	case <-r.Context().Done():
	case <-time.After(time.Duration(c.slow) * time.Millisecond):
	}
}

// stream writes events, in pieces or until it breaks off if so asked.
func (c commands) stream(w http.ResponseWriter, events []event) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	flush := w.(http.Flusher).Flush
	var buf bytes.Buffer
	for i, e := range events {
		if c.cut > 0 && buf.Len() >= c.cut {
			w.Write(buf.Next(c.cut))
			flush()
			panic(http.ErrAbortHandler)
		}
		if c.reset > 0 && i == c.reset {
			buf.WriteTo(w)
			flush()
			panic(http.ErrAbortHandler)
		}
		e.writeTo(&buf)
		if c.pieces == 0 && c.cut == 0 {
			buf.WriteTo(w)
			flush()
			continue
		}
		for c.pieces > 0 && buf.Len() >= c.pieces {
			w.Write(buf.Next(c.pieces))
			flush()
		}
	}
	buf.WriteTo(w)
}

func (e event) writeTo(b *bytes.Buffer) {
	if e.name != "" {
		fmt.Fprintf(b, "event: %s\n", e.name)
	}
	text, ok := e.data.(string)
	if !ok {
		text = toJSON(e.data)
	}
	fmt.Fprintf(b, "data: %s\n\n", text)
}

func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // of maps and texts: cannot be
	}
	return string(b)
}

// split cuts a text into the words that a stream has.
func split(s string) []string { return strings.SplitAfter(s, " ") }

// list, object and text look into JSON, whatever is there.
func list(v any) []any            { l, _ := v.([]any); return l }
func object(v any) map[string]any { m, _ := v.(map[string]any); return m }
func text(v any) string           { s, _ := v.(string); return s }

// textOf joins the texts of a content: a text, or parts that may have one.
func textOf(content any) string {
	if s, ok := content.(string); ok {
		return s
	}
	var all []string
	for _, p := range list(content) {
		if s := text(object(p)["text"]); s != "" {
			all = append(all, s)
		}
	}
	return strings.Join(all, " ")
}
