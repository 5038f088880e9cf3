package sqswal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/testkit"
	"github.com/pulse-traces/pulse/shared/wal"
	"github.com/pulse-traces/pulse/shared/wal/sqswal"
)

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	good := options(t, "http://127.0.0.1:1", "name", 1)
	for name, change := range map[string]func(*sqswal.Options){
		"NoURL": func(o *sqswal.Options) { o.QueueURLPrefix = "name-" }, "NoName": func(o *sqswal.Options) { o.QueueURLPrefix = "https://host/account/" },
		"NoRegion": func(o *sqswal.Options) { o.Region = "" }, "NoCredentials": func(o *sqswal.Options) { o.Credentials = nil },
	} {
		o := good
		change(&o)
		if _, err := sqswal.Open(o); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	l, err := sqswal.Open(good) // nobody listens there
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Append(t.Context(), []wal.Record{{Data: []byte("x")}}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("append to nobody: %v", err)
	}
}

func TestEnsureMakesWhatIsMissing(t *testing.T) {
	t.Parallel()
	r := setup(t, func(o *sqswal.Options) { o.Partitions, o.VisibilityTimeout = 2, 7*time.Second })
	attributes := func(url string) map[string]string {
		t.Helper()
		out, err := r.client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: aws.String(url), AttributeNames: []types.QueueAttributeName{"All"}})
		if err != nil {
			t.Fatal(err)
		}
		return out.Attributes
	}
	for _, p := range []string{"0", "1"} {
		queue, dead := attributes(r.opts.QueueURLPrefix+p), attributes(r.opts.QueueURLPrefix+p+"-dlq")
		for _, a := range []map[string]string{queue, dead} {
			if a["MessageRetentionPeriod"] != "1209600" || a["MaximumMessageSize"] != "1048576" || a["SqsManagedSseEnabled"] != "true" {
				t.Errorf("partition %s has %v", p, a)
			}
		}
		var redrive struct {
			DeadLetterTargetArn string
			MaxReceiveCount     int
		}
		if err := json.Unmarshal([]byte(queue["RedrivePolicy"]), &redrive); err != nil {
			t.Fatal(err)
		}
		if redrive.DeadLetterTargetArn != dead["QueueArn"] || redrive.MaxReceiveCount != wal.MaxDeliveries || queue["VisibilityTimeout"] != "7" {
			t.Errorf("partition %s has %v", p, queue)
		}
	}
	// Again, with other wishes: what exists stays as somebody made it.
	o := r.opts
	o.Partitions, o.VisibilityTimeout = 3, 9*time.Second
	for range 2 {
		if err := sqswal.Ensure(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	if a := attributes(o.QueueURLPrefix + "0"); a["VisibilityTimeout"] != "7" {
		t.Errorf("an existing queue was changed: %v", a)
	}
	if a := attributes(o.QueueURLPrefix + "2"); a["VisibilityTimeout"] != "9" {
		t.Errorf("the missing queue has %v", a)
	}
}

func TestLongCallKeepsItsMessages(t *testing.T) {
	t.Parallel()
	r := setup(t, func(o *sqswal.Options) { o.VisibilityTimeout = 3 * time.Second })
	r.append("slow")
	entered, release := make(chan struct{}), make(chan struct{})
	h := newHandler(func(wal.Delivery) error {
		close(entered)
		<-release
		return nil
	})
	r.consume(h)
	<-entered
	if got := r.receive(r.url(), 10, 5, 0); len(got) > 0 {
		t.Error("a message came to somebody else while it was handled")
	}
	close(release)
	eventually(t, func() string {
		if all, _ := r.waiting(); all != 0 {
			return fmt.Sprintf("%d messages are left", all)
		}
		return ""
	})
	if n := len(h.attempts("slow")); n != 1 {
		t.Errorf("delivered %d times", n)
	}
}

func TestStopGivesBackWhatIsNotHandled(t *testing.T) {
	t.Parallel()
	r := setup(t, long)
	for i := range 2 {
		r.append(strings.Split(fmt.Sprintf("%d-a %d-b %d-c", i, i, i), " ")...)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	receives := atomic.Int32{}
	r.proxy.Watch(func(action, queue string) {
		// The first receive has got messages when the second one begins.
		if action == "ReceiveMessage" && queue == r.name && receives.Add(1) == 2 {
			cancel()
		}
	})
	h := newHandler(nil)
	if err := r.Consume(ctx, h.handle); err != nil {
		t.Fatal(err)
	}
	if h.calls != 0 {
		t.Fatal("messages were handed out after the end")
	}
	if all, hidden := r.waiting(); all != 6 || hidden != 0 {
		t.Errorf("%d messages, %d of them hidden for an hour", all, hidden)
	}
}

// TestOutageCostsNoRecordItsLife fails each delivery for a passing fault, over
// more deliveries than a queue makes of one message.
func TestOutageCostsNoRecordItsLife(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]func(testing.TB) string{"fauxqs": testkit.SQS, "ElasticMQ": testkit.ElasticMQ} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setupOn(t, server(t), nil)
			r.SetBackoff(func(int) time.Duration { return 0 })
			const outage = 2*wal.MaxDeliveries + 5
			h := newHandler(func(d wal.Delivery) error {
				if d.Attempt <= outage {
					return fault.New(fault.Unavailable, "the database is away")
				}
				return nil
			})
			r.append("patient", "patient too")
			r.consume(h)
			for _, data := range []string{"patient", "patient too"} {
				eventually(t, func() string {
					if got := h.attempts(data); len(got) == 0 || slices.Max(got) <= outage {
						return fmt.Sprintf("attempts %v", got)
					}
					return ""
				})
			}
			eventually(t, func() string {
				if all, _ := r.waiting(); all != 0 {
					return fmt.Sprintf("%d messages are left", all)
				}
				return ""
			})
			if letters := r.letters(); len(letters) != 0 {
				t.Errorf("dead letters %v", letters)
			}
		})
	}
}

// TestWhatKillsItsConsumersIsGivenUp delivers a message to consumers that never
// say what became of it.
func TestWhatKillsItsConsumersIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]func(testing.TB) string{"fauxqs": testkit.SQS, "ElasticMQ": testkit.ElasticMQ} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setupOn(t, server(t), nil)
			r.append("deadly")
			// Each consumer's time is over at once.
			if _, err := r.client.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{
				QueueUrl: r.url(), Attributes: map[string]string{"VisibilityTimeout": "0"},
			}); err != nil {
				t.Fatal(err)
			}
			deliveries := 0
			eventually(t, func() string {
				deliveries += len(r.receive(r.url(), 10, 0, 0))
				if all, _ := r.waiting(); all != 0 {
					return fmt.Sprintf("still in its queue after %d deliveries", deliveries)
				}
				return ""
			})
			if deliveries != wal.MaxDeliveries {
				t.Errorf("given up after %d deliveries", deliveries)
			}
			letters := r.letters()["deadly"]
			if len(letters) != 1 || !strings.Contains(letters[0].Reason, fmt.Sprintf("gave it up after %d deliveries", wal.MaxDeliveries)) ||
				letters[0].Attempts != wal.MaxDeliveries || letters[0].FailedAt.IsZero() || time.Since(letters[0].FailedAt) > time.Hour {
				t.Fatalf("dead letters %+v", letters)
			}
			if err := r.DeadLetters().Replay(t.Context(), letters[0].ID); err != nil {
				t.Fatal(err)
			}
			h := newHandler(nil)
			r.consume(h)
			eventually(t, func() string {
				if got := h.attempts("deadly"); !slices.Equal(got, []int{1}) {
					return fmt.Sprintf("attempts after the replay: %v", got)
				}
				return ""
			})
		})
	}
}

// bury makes n dead letters, named by the seconds at which they failed.
func (r *rig) bury(n int) (bodies []string) {
	r.t.Helper()
	for i := range n {
		bodies = append(bodies, fmt.Sprintf("%03d", i))
	}
	r.append(bodies...)
	r.handleEvent(r.t.Context(), r.event(n), newHandler(func(wal.Delivery) error { return wal.Permanent(errors.New("broken")) }).handle)
	return bodies
}

func TestDeadLettersAreListedOldestFirst(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	r := setup(t, func(o *sqswal.Options) {
		o.Now = func() time.Time { return time.Unix(clock.Add(-1), 0) } // the first to fail is the youngest
	})
	r.bury(25)
	for range 2 {
		list, err := r.DeadLetters().List(t.Context(), 7)
		if err != nil || len(list) != 7 {
			t.Fatalf("%d letters, %v", len(list), err)
		}
		for i, d := range list {
			if want := time.Unix(int64(i-25), 0).UTC(); !d.FailedAt.Equal(want) {
				t.Fatalf("letter %d failed at %v, want %v", i, d.FailedAt, want)
			}
		}
	}
	if n := len(r.letters()); n != 25 {
		t.Errorf("looking left %d letters of 25", n)
	}
}

func TestReplayOfAllLooksAtEachOnce(t *testing.T) {
	t.Parallel()
	r := setup(t, nil)
	bodies := r.bury(40)
	list, err := r.DeadLetters().List(t.Context(), 100)
	if err != nil || len(list) != 40 {
		t.Fatalf("%d letters, %v", len(list), err)
	}
	var receives atomic.Int32
	r.proxy.Watch(func(action, queue string) {
		if action == "ReceiveMessage" && strings.HasSuffix(queue, "-dlq") {
			receives.Add(1)
		}
	})
	for _, d := range list[:30] {
		if err := r.DeadLetters().Replay(t.Context(), d.ID); err != nil {
			t.Fatal(err)
		}
	}
	if n := receives.Load(); n > 10 {
		t.Errorf("%d receives for 30 letters of 40", n)
	}
	// What Replay came by is neither lost nor out of sight.
	if n := len(r.letters()); n != 10 {
		t.Errorf("%d letters are left", n)
	}
	if err := r.DeadLetters().Replay(t.Context(), list[35].ID); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(r.receive(aws.String(*r.url()+"-dlq"), 10, 1, 0)); n != 9 {
		t.Errorf("%d letters are to be seen after the close", n)
	}
	r.Log = open(t, r.opts)
	h := newHandler(nil)
	r.consume(h)
	eventually(t, func() string {
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(h.seen) != 31 {
			return fmt.Sprintf("%d of %d records came back", len(h.seen), len(bodies))
		}
		return ""
	})
}

func TestReplayThatCannotSendKeepsTheLetter(t *testing.T) {
	t.Parallel()
	r := setup(t, nil)
	r.bury(1)
	list, err := r.DeadLetters().List(t.Context(), 10)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	f := r.proxy.Fault(testkit.SQSFault{Kind: testkit.SQSThrottle, Action: "SendMessageBatch"})
	if err := r.DeadLetters().Replay(t.Context(), list[0].ID); !fault.Is(err, fault.Unavailable) {
		t.Errorf("replay: %v", err)
	}
	f.Stop()
	if err := r.DeadLetters().Replay(t.Context(), list[0].ID); err != nil {
		t.Errorf("replay after that: %v", err)
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	static := sqswal.CredentialSource{AccessKeyID: "id", SecretAccessKey: "secret", SessionToken: "token", EndpointURL: "http://127.0.0.1:1"}
	if c, err := sqswal.Credentials(static).Retrieve(t.Context()); err != nil || c.AccessKeyID != "id" || c.SecretAccessKey != "secret" || c.SessionToken != "token" {
		t.Errorf("%+v, %v", c, err)
	}

	tokenFile := filepath.Join(t.TempDir(), "token")
	var mu sync.Mutex
	var tokens []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		tokens = append(tokens, r.Header.Get("Authorization"))
		// It expires at once, so that the next call asks again.
		fmt.Fprintf(w, `{"AccessKeyId":"id %d","SecretAccessKey":"s","Token":"t","Expiration":%q}`, len(tokens), time.Now().Format(time.RFC3339))
	}))
	defer server.Close()
	p := sqswal.Credentials(sqswal.CredentialSource{EndpointURL: server.URL, TokenFile: tokenFile})
	for i, token := range []string{"first", "second"} {
		if err := os.WriteFile(tokenFile, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := p.Retrieve(t.Context()); err != nil || c.AccessKeyID != fmt.Sprintf("id %d", i+1) {
			t.Errorf("%+v, %v", c, err)
		}
	}
	if !slices.Equal(tokens, []string{"first", "second"}) {
		t.Errorf("tokens %q", tokens)
	}
}
