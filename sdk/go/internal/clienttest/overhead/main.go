// Command overhead measures what sdk/bench compares: bare and wrapped calls of
// openai-go, in blocks that follow each other in random order. The arguments are
// the number of blocks and of the calls in each. Where Pulse is comes from the
// environment, as for any program.
package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	pulse "github.com/pulse-traces/pulse/sdk/go"
)

const (
	// rest is between two calls, as programs that wait for a model have it.
	rest = 2 * time.Millisecond
	// settling is how long a block of wrapped calls may take at most until all of it
	// is sent: the bare calls after it must not pay for it.
	settling = 100 * time.Millisecond
	warmUp   = 100 // calls
)

// provider is one in this process, so that the network's own ups and downs do
// not hide the SDK.
type provider struct{ answer, events []byte }

func newProvider() provider {
	const head = `"id":"chatcmpl-1","created":1700000000,"model":"gpt-4o-mini"`
	var events strings.Builder
	for i := range 100 {
		fmt.Fprintf(&events, `data: {%s,"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"word%d "},"finish_reason":null}]}`+"\n\n", head, i)
	}
	return provider{
		[]byte(fmt.Sprintf(`{%s,"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}],"usage":{"prompt_tokens":9}}`, head, strings.Repeat("x", 2000))),
		[]byte(events.String() + "data: [DONE]\n\n"),
	}
}

func (p provider) RoundTrip(req *http.Request) (*http.Response, error) {
	asked, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	kind, body := "application/json", p.answer
	if bytes.Contains(asked, []byte(`"stream":true`)) {
		kind, body = "text/event-stream", p.events
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(bytes.NewReader(body)), Request: req}, nil
}

func client(transport http.RoundTripper) openai.Client {
	return openai.NewClient(option.WithAPIKey("none"), option.WithBaseURL("http://provider/v1"), option.WithHTTPClient(&http.Client{Transport: transport}))
}

// params ask for something.
var params = openai.ChatCompletionNewParams{
	Model:    "gpt-4o-mini",
	Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(strings.Repeat("y", 2000))},
}

func whole(c openai.Client) error {
	_, err := c.Chat.Completions.New(context.Background(), params)
	return err
}

func streamed(c openai.Client) error {
	stream := c.Chat.Completions.NewStreaming(context.Background(), params)
	for stream.Next() {
	}
	return stream.Err()
}

func main() {
	blocks, calls := number(1), number(2)
	pulse.Init(pulse.Options{BatchSize: 10, Timeout: 2 * time.Second, Logger: slog.New(slog.DiscardHandler)})
	clients := map[string]openai.Client{"bare": client(newProvider()), "wrapped": client(pulse.Transport(newProvider()))}
	out := bufio.NewWriter(os.Stdout)
	for _, kind := range []struct {
		name string
		call func(openai.Client) error
	}{{"a call", whole}, {"a stream of 100 events", streamed}} {
		for _, c := range clients {
			measure(kind.call, c, warmUp)
		}
		for block := range blocks {
			sides := []string{"bare", "wrapped"}
			rand.Shuffle(len(sides), func(i, j int) { sides[i], sides[j] = sides[j], sides[i] })
			for _, side := range sides {
				for _, took := range measure(kind.call, clients[side], calls) {
					fmt.Fprintf(out, "%s\t%d\t%s\t%.4f\n", kind.name, block, side, took.Seconds()*1000)
				}
				settle()
			}
		}
	}
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}

// measure times calls.
func measure(call func(openai.Client) error, c openai.Client, calls int) []time.Duration {
	times := make([]time.Duration, calls)
	for i := range times {
		time.Sleep(rest)
		began := time.Now()
		if err := call(c); err != nil {
			log.Fatal(err)
		}
		times[i] = time.Since(began)
	}
	return times
}

func settle() {
	ctx, cancel := context.WithTimeout(context.Background(), settling)
	defer cancel()
	_ = pulse.Flush(ctx) // what is left waits for a Pulse in trouble
}

func number(at int) int {
	if at >= len(os.Args) {
		log.Fatal("want the number of blocks, and of the calls in each")
	}
	n, err := strconv.Atoi(os.Args[at])
	if err != nil || n < 1 {
		log.Fatalf("%q is no number of blocks or calls", os.Args[at])
	}
	return n
}
