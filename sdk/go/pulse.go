// Package pulse records the calls that a program makes to model providers, and
// the steps around them, and sends them to Pulse. It never makes a call fail,
// never holds one up, and never changes what the provider or the program sees.
// docs/sdk.md in Pulse's repository says what is recorded and sent, and what each
// option does; it holds for Pulse's SDKs of all languages.
//
//	pulse.Init(pulse.Options{}) // PULSE_API_KEY, PULSE_API_URL
//	defer pulse.Shutdown(context.Background())
//	client := openai.NewClient(option.WithHTTPClient(pulse.HTTPClient()))
package pulse

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
)

// Version is this SDK's.
const Version = "0.1.0"

// Client records and sends. Its methods may be called by several goroutines at
// once. Use New, or Init and the functions of the package.
type Client struct {
	settings *settings
	sender   *sender // nil: nothing is recorded
	backlog  backlog // of calls that ended

	mu       sync.Mutex
	open     map[*call]struct{} // whose answers come, or will
	replaced atomic.Bool        // by another of Init
}

// New makes a Client. It never fails: what cannot be used is warned of.
func New(o Options) *Client {
	c := &Client{settings: o.settings(), open: map[*call]struct{}{}}
	c.backlog.most = c.settings.QueueBytes
	if !c.settings.Disabled && c.settings.APIKey != "" {
		c.sender = newSender(c.settings)
	}
	return c
}

var current atomic.Pointer[Client]

// earlier are Clients that Init replaced and that have something to send.
var earlier struct {
	sync.Mutex
	clients map[*Client]bool
}

// Init makes the Client that the functions of the package use, in place of the
// one before, whose spans are still sent.
func Init(o Options) {
	before := current.Swap(New(o))
	if before == nil || before.sender == nil {
		return
	}
	before.replaced.Store(true)
	earlier.Lock()
	defer earlier.Unlock()
	if earlier.clients == nil {
		earlier.clients = map[*Client]bool{}
	}
	earlier.clients[before] = true
	go before.leave()
}

// leave sends what is left, for as long as it takes, and then stops.
func (c *Client) leave() {
	for c.Flush(context.Background()) != nil && c.sender.done.Err() == nil {
	}
	c.stop()
	earlier.Lock()
	defer earlier.Unlock()
	delete(earlier.clients, c)
}

func replaced() []*Client {
	earlier.Lock()
	defer earlier.Unlock()
	return slices.Collect(maps.Keys(earlier.clients))
}

// off is what is used before Init.
var off = &Client{settings: &settings{}}

func std() *Client {
	if c := current.Load(); c != nil {
		return c
	}
	return off
}

// Flush sends what waits, until ctx is done or FlushTimeout is over: then its
// error is context.DeadlineExceeded, and what is left stays in the queue.
func Flush(ctx context.Context) error { return all(ctx, (*Client).Flush) }

// Shutdown is Flush, after which nothing is recorded any more and no goroutine is
// left. The log is told how many spans were not sent.
func Shutdown(ctx context.Context) error { return all(ctx, (*Client).Shutdown) }

// all does something with the Client of now and with those that Init replaced,
// at the same time.
func all(ctx context.Context, do func(*Client, context.Context) error) error {
	clients := append(replaced(), std())
	errs := make([]error, len(clients))
	var done sync.WaitGroup
	for i, c := range clients {
		done.Add(1)
		go func() {
			defer done.Done()
			err := do(c, ctx)
			if c.replaced.Load() && c.sender.done.Err() != nil && errors.Is(err, context.Canceled) {
				return // it left meanwhile
			}
			errs[i] = err
		}()
	}
	done.Wait()
	return cmp.Or(errs...)
}

// FlushOnSignal sends what waits when the program gets SIGTERM or SIGINT, for at
// most FlushTimeout, and then lets the signal do what it does without it. A program
// that handles these signals calls Shutdown itself instead. stop ends it.
func FlushOnSignal() (stop func()) {
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case got := <-signals:
			_ = Shutdown(context.Background()) // the log has what is left
			signal.Reset(got)
			if p, err := os.FindProcess(os.Getpid()); err != nil || p.Signal(got) != nil {
				os.Exit(1) // where a process cannot send itself one
			}
		case <-done:
			signal.Stop(signals)
		}
	}()
	return sync.OnceFunc(func() { close(done) })
}

// Statistics tells what became of spans so far.
func Statistics() Stats { return std().Statistics() }

// Transport gives a RoundTripper that records the calls to model providers that
// go through base, and passes everything on as it is. A nil base is
// http.DefaultTransport. It may be made before Init.
func Transport(base http.RoundTripper) http.RoundTripper {
	return &transport{base: base, client: std}
}

// HTTPClient is an http.Client with Transport.
func HTTPClient() *http.Client { return &http.Client{Transport: Transport(nil)} }

// Flush is the function of that name.
func (c *Client) Flush(ctx context.Context) error {
	if c.sender == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.settings.FlushTimeout)
	defer cancel()
	c.backlog.wait(ctx)
	return c.sender.flush(ctx)
}

// Shutdown is the function of that name.
func (c *Client) Shutdown(ctx context.Context) error {
	for _, k := range c.unended() {
		k.leave()
	}
	err := c.Flush(ctx)
	c.stop()
	return err
}

func (c *Client) stop() {
	if c.sender != nil {
		c.sender.stop()
		c.sender.warnOfUnsent()
	}
}

// Statistics is the function of that name.
func (c *Client) Statistics() Stats {
	if c.sender == nil {
		return Stats{}
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.settings.FlushTimeout) // Redact may ask too
	defer cancel()
	c.backlog.wait(ctx)
	return c.sender.stats()
}

// Transport is the function of that name.
func (c *Client) Transport(base http.RoundTripper) http.RoundTripper {
	return &transport{base: base, client: func() *Client { return c }}
}

// recording reports whether spans go anywhere.
func (c *Client) recording() bool { return c.sender != nil }

// watch remembers a call, so that Shutdown ends it if nobody
// else does.
func (c *Client) watch(k *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[k] = struct{}{}
}

func (c *Client) unwatch(k *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, k)
}

func (c *Client) unended() []*call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.open))
}

// take queues a span. If Init made another Client meanwhile, that has it.
func (c *Client) take(span []byte) {
	if c.recording() && c.sender.add(span) {
		return
	}
	if next := std(); c.replaced.Load() && next != c && next.recording() {
		next.sender.add(span)
	}
}
