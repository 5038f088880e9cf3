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
	"context"
	"net/http"
	"os"
	"os/signal"
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
}

// New makes a Client. It never fails: what cannot be used is warned of.
func New(o Options) *Client {
	c := &Client{settings: o.settings()}
	if !c.settings.Disabled && c.settings.APIKey != "" {
		c.sender = newSender(c.settings)
	}
	return c
}

var current atomic.Pointer[Client]

// Init makes the Client that the functions of the package use, in place of the
// one before, whose spans are still sent.
func Init(o Options) {
	if before := current.Swap(New(o)); before != nil && before.sender != nil {
		go before.Shutdown(context.Background()) //nolint:errcheck // nobody is left to tell
	}
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
func Flush(ctx context.Context) error { return std().Flush(ctx) }

// Shutdown is Flush, after which nothing is recorded any more and no goroutine is
// left. The log is told how many spans were not sent.
func Shutdown(ctx context.Context) error { return std().Shutdown(ctx) }

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
	return c.sender.flush(ctx)
}

// Shutdown is the function of that name.
func (c *Client) Shutdown(ctx context.Context) error {
	err := c.Flush(ctx)
	if c.sender != nil {
		c.sender.stop()
		c.sender.warnOfUnsent()
	}
	return err
}

// Statistics is the function of that name.
func (c *Client) Statistics() Stats {
	if c.sender == nil {
		return Stats{}
	}
	return c.sender.stats()
}

// Transport is the function of that name.
func (c *Client) Transport(base http.RoundTripper) http.RoundTripper {
	return &transport{base: base, client: func() *Client { return c }}
}

// recording reports whether spans go anywhere.
func (c *Client) recording() bool { return c.sender != nil }
