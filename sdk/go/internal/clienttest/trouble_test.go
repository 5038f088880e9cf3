package clienttest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	sdk "github.com/pulse-traces/pulse/sdk/go"
)

// troubles are what the proxy before Pulse does.
var troubles = []string{"delay", "blackhole", "reset", "lose", "429", "500", "503", "garbage"}

// trouble is a Pulse, the proxy before it and a provider.
type trouble struct {
	pulse
	addresses
}

func newTrouble(t testing.TB) trouble {
	p := startPulse(t)
	return trouble{p, testserver(t, "-pulse", p.url)}
}

// begin makes the proxy do something else from now on, and reports how many
// requests it did that with before.
func (tr trouble) begin(t testing.TB, mode string) int {
	t.Helper()
	req, err := http.NewRequest(http.MethodPut, tr.Proxy+"/trouble", strings.NewReader(fmt.Sprintf(`{"mode": %q, "delayMs": 300}`, mode)))
	if err != nil {
		t.Fatal(err)
	}
	return tr.asked(t, req, mode)
}

func (tr trouble) met(t testing.TB, mode string) int {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, tr.Proxy+"/trouble", nil)
	if err != nil {
		t.Fatal(err)
	}
	return tr.asked(t, req, mode)
}

func (tr trouble) asked(t testing.TB, req *http.Request, mode string) int {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var state struct{ Seen map[string]int }
	if err := json.NewDecoder(resp.Body).Decode(&state); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	return state.Seen[mode]
}

// client makes one of OpenAI's whose calls go through a transport.
func (tr trouble) client(transport http.RoundTripper) openai.Client {
	return openai.NewClient(option.WithAPIKey("none"), option.WithBaseURL(tr.Provider+"/v1"), option.WithHTTPClient(&http.Client{Transport: transport}), option.WithMaxRetries(0))
}

// ask makes a call, and reports the answer's id and whether it is the provider's.
func ask(ctx context.Context, client openai.Client, text string) (id string, right bool) {
	answer, err := client.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{Model: "gpt-4o-mini", Messages: user(text)})
	if err != nil {
		return err.Error(), false
	}
	return strings.Clone(answer.ID), answer.Choices[0].Message.Content == "You said: "+text
}

func user(text string) []openai.ChatCompletionMessageParamUnion {
	return []openai.ChatCompletionMessageParamUnion{openai.UserMessage(text)}
}

// load makes calls with 8 at a time, and gives the ids of their answers.
func load(t *testing.T, ctx context.Context, client openai.Client, calls int, more string) (ids []string) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for n := worker; n < calls; n += 8 {
				id, right := ask(ctx, client, fmt.Sprint("Hello ", n, more))
				if !right {
					t.Errorf("call %d: %s", n, id)
				}
				mu.Lock()
				ids = append(ids, id)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return ids
}

// kept gives the ids of the answers that Pulse has in a session once it has as
// many traces, and its sum of their tokens.
func (tr trouble) kept(t *testing.T, session string, count int) (ids []string, tokens int) {
	var shown struct {
		Traces []struct {
			ProviderRequestID         string
			InputTokens, OutputTokens int
		}
	}
	eventually(t, func() bool {
		tr.get(t, "/v1/traces?limit=1000&session_id="+session, &shown)
		return len(shown.Traces) >= count
	})
	for _, one := range shown.Traces {
		ids = append(ids, one.ProviderRequestID)
		tokens += one.InputTokens + one.OutputTokens
	}
	return ids, tokens
}

// TestNoTroubleIsFelt asks for 200 answers while Pulse is in trouble: each is
// right, and once Pulse is back it has each call once.
func TestNoTroubleIsFelt(t *testing.T) {
	tr := newTrouble(t)
	for _, mode := range troubles {
		t.Run(mode, func(t *testing.T) {
			c := sdk.New(sdk.Options{
				APIKey: tr.key, APIURL: tr.Proxy, BatchSize: 20, FlushInterval: 100 * time.Millisecond, Timeout: time.Second, FlushTimeout: time.Minute,
				Logger: slog.New(slog.DiscardHandler),
			})
			before := tr.begin(t, mode)
			session := "trouble-" + mode
			ids := load(t, sdk.Session(context.Background(), session), tr.client(c.Transport(nil)), 200, "")
			eventually(t, func() bool { return tr.met(t, mode) >= before+2 })
			tr.begin(t, "ok")
			if err := c.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
			if st := c.Statistics(); st != (sdk.Stats{Sent: 200}) {
				t.Errorf("%+v", st)
			}
			got, tokens := tr.kept(t, session, 200)
			if slices.Sort(ids); !slices.Equal(slices.Sorted(slices.Values(got)), ids) {
				t.Errorf("Pulse has %d calls: %q", len(got), got)
			}
			if want := 200 * (2 + 10 + 4); tokens != want { // "Hello 1" and "You said: Hello 1"
				t.Errorf("%d tokens, not %d", tokens, want)
			}
		})
	}
}

// TestHugeContents: what is larger than Pulse takes is counted, and holds up
// nothing.
func TestHugeContents(t *testing.T) {
	p := startPulse(t)
	sdk.Init(sdk.Options{APIKey: p.key, APIURL: p.url, FlushTimeout: time.Minute, Logger: slog.New(slog.DiscardHandler)})
	for name, size := range map[string]int{"large": 5_000_000, "too large": 40_000_000, "small": 1} {
		_, step := sdk.StartSpan(sdk.Session(context.Background(), "huge"), name, "chain")
		step.SetInput(strings.Repeat("x", size))
		step.End()
	}
	if err := sdk.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if st := sdk.Statistics(); st != (sdk.Stats{Sent: 2, Rejected: 1}) {
		t.Errorf("%+v", st)
	}
	var shown struct{ Traces []struct{ Name string } }
	eventually(t, func() bool {
		p.get(t, "/v1/traces?session_id=huge&fields=summary", &shown)
		return len(shown.Traces) == 2
	})
	if one, other := shown.Traces[0].Name, shown.Traces[1].Name; one+other != "largesmall" && one+other != "smalllarge" {
		t.Errorf("%+v", shown)
	}
}

// TestMemoryIsBounded makes many times as much as the queue holds while Pulse does
// not answer. What was dropped is counted, and Pulse gets all else, once.
func TestMemoryIsBounded(t *testing.T) {
	const queue, size, calls = 2 << 20, 50_000, 400
	tr := newTrouble(t)
	c := sdk.New(sdk.Options{APIKey: tr.key, APIURL: tr.Proxy, QueueBytes: queue, BatchSize: 8, FlushTimeout: time.Minute, Timeout: time.Second, Logger: slog.New(slog.DiscardHandler)})
	client := tr.client(c.Transport(nil))
	ctx := sdk.Session(context.Background(), "bounded")
	tr.begin(t, "blackhole")
	load(t, ctx, client, 8, "")
	heap := func() int {
		runtime.GC()
		runtime.GC() // pools are emptied by the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before := heap()
	ids := load(t, ctx, client, calls, strings.Repeat("x", size)) // twice in each span
	st := c.Statistics()
	if st.QueuedBytes > queue || st.Dropped < calls/2 || st.Queued+int(st.Dropped) != calls+8 {
		t.Errorf("%+v", st)
	}
	if grown := heap() - before; grown > 4*queue {
		t.Errorf("%d bytes of memory for a queue of %d", grown, queue)
	}
	tr.begin(t, "ok")
	if err := c.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if after := c.Statistics(); after != (sdk.Stats{Sent: int64(st.Queued), Dropped: st.Dropped}) {
		t.Errorf("%+v of %+v", after, st)
	}
	got, _ := tr.kept(t, "bounded", st.Queued)
	slices.Sort(got)
	if len(slices.Compact(got)) != st.Queued || !slices.Contains(got, ids[len(ids)-1]) {
		t.Errorf("Pulse has %d calls of %d, with the last: %t", len(got), st.Queued, slices.Contains(got, ids[len(ids)-1]))
	}
}
