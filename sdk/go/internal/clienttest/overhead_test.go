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
	"runtime/debug"
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

const (
	// rounds are nine, since the second lowest and the second highest of nine are
	// the ends of a 96% interval of the median, whatever the figures are spread like.
	rounds = 9
	// rest is between two calls, as programs that wait for a model have it.
	rest = 2 * time.Millisecond
)

// BenchmarkOverhead tells what a wrapped call costs beside a bare one, in
// microseconds. Each pair of calls begins with the other one. The percentiles of
// each round are compared: the metrics are the medians of the rounds, and of the
// difference of the p99 also the ends of a 96% interval. sdk/bench.sh runs it with a
// Pulse in trouble too, which is behind the proxy at BENCH_PROXY.
func BenchmarkOverhead(b *testing.B) {
	taker := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer taker.Close()
	url, key, modes := taker.URL, "pulse_sk_bench", []string{"ok"}
	tr := trouble{addresses: addresses{Proxy: os.Getenv("BENCH_PROXY")}}
	if tr.Proxy != "" {
		url, key, modes = tr.Proxy, os.Getenv("PULSE_API_KEY"), strings.Fields(os.Getenv("BENCH_MODES"))
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
				var times [rounds][2][]time.Duration
				var collected [2]time.Duration
				for n := range b.N {
					for i := range clients {
						i = (i + n) % 2
						time.Sleep(rest)
						pauses, began := paused(), time.Now()
						if err := kinds[kind](clients[i]); err != nil {
							b.Fatal(err)
						}
						times[n*rounds/b.N][i] = append(times[n*rounds/b.N][i], time.Since(began))
						collected[i] = max(collected[i], paused()-pauses)
					}
				}
				b.ReportMetric(0, "ns/op") // of both
				for i, name := range []string{"bare", "wrapped"} {
					b.ReportMetric(median(times, func(of [2][]time.Duration) float64 { return micros(of[i], 0.5) })[1], name+"-p50-µs")
					b.ReportMetric(median(times, func(of [2][]time.Duration) float64 { return micros(of[i], 0.99) })[1], name+"-p99-µs")
					b.ReportMetric(float64(collected[i].Microseconds()), name+"-gc-max-µs")
				}
				more := func(share float64) [3]float64 {
					return median(times, func(of [2][]time.Duration) float64 { return micros(of[1], share) - micros(of[0], share) })
				}
				b.ReportMetric(more(0.5)[1], "overhead-p50-µs")
				for i, name := range []string{"low", "median", "high"} {
					b.ReportMetric(more(0.99)[i], "overhead-p99-"+name+"-µs")
				}
			})
		}
	}
}

// paused is how long the garbage collector stopped the program so far.
func paused() time.Duration {
	var stats debug.GCStats
	debug.ReadGCStats(&stats)
	return stats.PauseTotal
}

// median gives the median of the rounds' figures, between the ends of its interval.
func median(times [rounds][2][]time.Duration, figure func([2][]time.Duration) float64) [3]float64 {
	var all []float64
	for _, of := range times {
		if len(of[0]) > 0 {
			all = append(all, figure(of))
		}
	}
	slices.Sort(all)
	return [3]float64{all[min(1, len(all)-1)], all[len(all)/2], all[max(len(all)-2, 0)]}
}

// micros is a percentile of times.
func micros(times []time.Duration, share float64) float64 {
	sorted := slices.Sorted(slices.Values(times))
	return float64(sorted[int(float64(len(sorted)-1)*share)].Nanoseconds()) / 1000
}
