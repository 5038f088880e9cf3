package clienttest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	sdk "github.com/pulse-traces/pulse/sdk/go"
)

// canned is a provider in this process, so that the network's own ups and downs
// do not hide the SDK.
type canned struct{ answer, events []byte }

func newCanned() canned {
	const head = `"id":"chatcmpl-1","created":1700000000,"model":"gpt-4o-mini"`
	var events strings.Builder
	for i := range 100 {
		fmt.Fprintf(&events, `data: {%s,"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"word%d "},"finish_reason":null}]}`+"\n\n", head, i)
	}
	return canned{
		[]byte(fmt.Sprintf(`{%s,"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}],"usage":{"prompt_tokens":9}}`, head, strings.Repeat("x", 2000))),
		[]byte(events.String() + "data: [DONE]\n\n"),
	}
}

func (c canned) RoundTrip(req *http.Request) (*http.Response, error) {
	asked, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	kind, body := "application/json", c.answer
	if bytes.Contains(asked, []byte(`"stream":true`)) {
		kind, body = "text/event-stream", c.events
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(bytes.NewReader(body)), Request: req}, nil
}

// BenchmarkOverhead tells what a wrapped call costs beside a bare one, which take
// turns: the p50 and p99 of both in microseconds. sdk/bench.sh runs it with a
// Pulse in trouble too, which is behind the proxy at BENCH_PROXY.
func BenchmarkOverhead(b *testing.B) {
	taker := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer taker.Close()
	url, key, modes := taker.URL, "pulse_sk_bench", []string{"ok"}
	tr := trouble{addresses: addresses{Proxy: os.Getenv("BENCH_PROXY")}}
	if tr.Proxy != "" {
		url, key, modes = tr.Proxy, os.Getenv("PULSE_API_KEY"), append(modes, troubles...)
		defer tr.begin(b, "ok")
	}
	provider := newCanned()
	client := func(transport http.RoundTripper) openai.Client {
		return openai.NewClient(option.WithAPIKey("none"), option.WithBaseURL("http://provider/v1"), option.WithHTTPClient(&http.Client{Transport: transport}))
	}
	params := openai.ChatCompletionNewParams{Model: "gpt-4o-mini", Messages: user(strings.Repeat("y", 2000))}
	kinds := map[string]func(openai.Client) error{
		"call": func(c openai.Client) error {
			_, err := c.Chat.Completions.New(context.Background(), params)
			return err
		},
		"stream": func(c openai.Client) error {
			stream := c.Chat.Completions.NewStreaming(context.Background(), params)
			for stream.Next() {
			}
			return stream.Err()
		},
	}
	for _, mode := range modes {
		for _, kind := range []string{"call", "stream"} {
			b.Run(mode+"/"+kind, func(b *testing.B) {
				if tr.Proxy != "" {
					tr.begin(b, mode)
				}
				c := sdk.New(sdk.Options{APIKey: key, APIURL: url, FlushInterval: 500 * time.Millisecond, Timeout: 2 * time.Second, Logger: slog.New(slog.DiscardHandler)})
				defer func() {
					ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
					defer cancel()
					_ = c.Shutdown(ctx) // what is left is nobody's
				}()
				clients := [2]openai.Client{client(provider), client(c.Transport(provider))}
				var times [2][]time.Duration
				for range b.N {
					for i, one := range clients {
						began := time.Now()
						if err := kinds[kind](one); err != nil {
							b.Fatal(err)
						}
						times[i] = append(times[i], time.Since(began))
					}
				}
				b.ReportMetric(0, "ns/op") // of both
				for i, name := range []string{"bare", "wrapped"} {
					slices.Sort(times[i])
					b.ReportMetric(micros(times[i], 0.5), name+"-p50-µs")
					b.ReportMetric(micros(times[i], 0.99), name+"-p99-µs")
				}
				b.ReportMetric(micros(times[1], 0.99)-micros(times[0], 0.99), "overhead-p99-µs")
			})
		}
	}
}

// micros is a percentile of sorted times.
func micros(times []time.Duration, share float64) float64 {
	return float64(times[int(float64(len(times)-1)*share)].Nanoseconds()) / 1000
}
