package serverless

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/testkit"
)

// Options are how a Stack differs from the template as it is deployed by
// default. Zero fields leave it as it is.
type Options struct {
	// Parameters are the template's.
	Parameters map[string]string
	// Env are variables of all functions, in place of the template's.
	Env map[string]string
	// Emulators is how many run of each function, one unless told otherwise.
	Emulators map[string]int // by ID
	// Database is the URL to use; "" makes a new database.
	Database string
	// Window is how long a mapping gathers messages, Visibility how long a
	// message is hidden that was received.
	Window, Visibility time.Duration
	// Paused leaves the mappings stopped, so that messages gather.
	Paused bool
	// Lost is that of every mapping.
	Lost func() bool
	// InOrder has writes wait for earlier writes too, as they do on one machine,
	// where a batch is answered once it is stored: of a trace and a span with the
	// same id the store keeps what comes first.
	InOrder bool
	// PathsDecodedTwice has the API read paths as others have seen it on AWS,
	// beyond what is documented.
	PathsDecodedTwice bool
}

// Stack is the template, deployed on this machine.
type Stack struct {
	*testkit.Client // of the gateway

	Template *Template
	Database string
	// Proxy stands before the queue server, for the functions and the mappings.
	Proxy *testkit.SQSProxy
	// Name begins the names of the queues, before "-".
	Name string

	t        testing.TB
	out      Output
	pools    map[string]*Pool
	mappings []*Mapping
}

// settlePatience is how long a read waits for what was written before it.
const settlePatience = 15 * time.Second

// New deploys the template of this checkout: queues on a real SQS server, the
// migrations run by their function on a real Postgres, every function under the
// emulator, and the API before them. It ends with the test, which is skipped
// where a part is not installed.
func New(t testing.TB, o Options) *Stack {
	t.Helper()
	need(t)
	s := &Stack{t: t, Name: "t" + uuid.NewString()[:8], Database: o.Database, pools: map[string]*Pool{}}
	endpoint := testkit.SQS(t)
	if s.Database == "" {
		s.Database = testkit.Postgres(t)
	}
	var err error
	if s.Template, err = loadTemplate(s.Name, o.Parameters); err != nil {
		t.Fatal(err)
	}
	s.makeQueues(endpoint, o.Visibility)
	s.Proxy = testkit.NewSQSProxy(t, endpoint)

	gateway := NewGateway(s.Template.Routes, s.Invoke, s.settled)
	gateway.decodesTwice, gateway.inOrder = o.PathsDecodedTwice, o.InOrder
	server := httptest.NewServer(gateway)
	t.Cleanup(server.Close)
	s.Client = testkit.NewClient(t, server.URL)
	t.Cleanup(s.close)
	s.startFunctions(o)
	s.migrate()
	for _, m := range s.Template.Mappings {
		mapping := &Mapping{
			Queue: s.Template.Queues[m.Queue].Name, BatchSize: m.BatchSize, Window: m.Window, PartialFails: m.PartialFails, Lost: o.Lost,
			Invoke: func(ctx context.Context, event []byte) ([]byte, error) { return s.Invoke(ctx, m.Function, event) },
		}
		if o.Window > 0 {
			mapping.Window = o.Window
		}
		s.mappings = append(s.mappings, mapping)
	}
	if !o.Paused {
		s.StartDrain()
	}
	return s
}

// makeQueues makes the template's queues, those for dead letters first.
func (s *Stack) makeQueues(endpoint string, visibility time.Duration) {
	s.t.Helper()
	client := NewClient(endpoint)
	queues := make([]TemplateQueue, 0, len(s.Template.Queues))
	for _, q := range s.Template.Queues {
		queues = append(queues, q)
	}
	slices.SortFunc(queues, func(a, b TemplateQueue) int { return strings.Compare(a.DeadLetter, b.DeadLetter) })
	for _, q := range queues {
		if q.DeadLetter != "" {
			dead, ok := s.Template.Queues[q.DeadLetter]
			if !ok {
				s.t.Fatalf("queue %s: its dead letters go to %q, which is not there", q.ID, q.DeadLetter)
			}
			policy, err := json.Marshal(map[string]any{
				"deadLetterTargetArn": "arn:aws:sqs:" + testkit.Region + ":" + testkit.AccountID + ":" + dead.Name, "maxReceiveCount": q.MaxReceive,
			})
			if err != nil {
				s.t.Fatal(err)
			}
			q.Attributes["RedrivePolicy"] = string(policy)
			if visibility > 0 {
				q.Attributes["VisibilityTimeout"] = fmt.Sprint(int(visibility.Seconds()))
			}
		}
		if _, err := client.CreateQueue(s.t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(q.Name), Attributes: q.Attributes}); err != nil {
			s.t.Fatalf("queue %s: %v", q.ID, err)
		}
	}
}

// startFunctions starts every function.
func (s *Stack) startFunctions(o Options) {
	s.t.Helper()
	given := map[string]string{"DATABASE_URL": s.Database, "SQS_ENDPOINT": s.Proxy.URL, "BETTER_AUTH_URL": s.URL}
	functions, err := s.Template.functions(given, o.Env)
	if err != nil {
		s.t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, fn := range functions {
		wg.Go(func() {
			p, err := NewPool(fn, max(o.Emulators[fn.ID], 1), &s.out)
			if err != nil {
				s.t.Error(err)
				return
			}
			mu.Lock()
			s.pools[fn.ID] = p
			mu.Unlock()
		})
	}
	wg.Wait()
	if s.t.Failed() {
		s.t.FailNow()
	}
}

// migrate brings the database up to date, as a deployment does before anything
// else runs.
func (s *Stack) migrate() {
	s.t.Helper()
	if answer, err := s.Invoke(s.t.Context(), "Migrate", []byte("{}")); err != nil {
		s.t.Fatalf("migrate: %v: %s\n%s", err, answer, s.Output())
	}
}

// Invoke calls a function by its ID in the template.
func (s *Stack) Invoke(ctx context.Context, function string, event []byte) ([]byte, error) {
	p, ok := s.pools[function]
	if !ok {
		return nil, fmt.Errorf("there is no function %s", function)
	}
	return p.Invoke(ctx, event)
}

// Pool gives the emulators of a function.
func (s *Stack) Pool(function string) *Pool { return s.pools[function] }

// Output is what all functions, and the emulators around them, have printed.
func (s *Stack) Output() string { return s.out.String() }

// StartDrain starts the mappings.
func (s *Stack) StartDrain() {
	for _, m := range s.mappings {
		m.Start(s.Proxy.URL)
	}
}

// StopDrain stops the mappings once what they have received is dealt with.
func (s *Stack) StopDrain() {
	var wg sync.WaitGroup
	for _, m := range s.mappings {
		wg.Go(m.Stop)
	}
	wg.Wait()
}

// settled waits, within bounds, until what the queues had accepted before is
// dealt with: reads on AWS do not wait for writes, and the tests read what they
// have just written.
func (s *Stack) settled(ctx context.Context) {
	before := s.open()
	if len(before) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, settlePatience)
	defer cancel()
	for {
		now := map[string]bool{}
		for _, id := range s.open() {
			now[id] = true
		}
		if !slices.ContainsFunc(before, func(id string) bool { return now[id] }) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// open are the messages that were accepted and not dealt with.
func (s *Stack) open() []string { return s.Proxy.Open(s.Name + "-") }

// WaitDrained waits until the queues are empty.
func (s *Stack) WaitDrained(patience time.Duration) {
	s.t.Helper()
	for end := time.Now().Add(patience); ; {
		n := len(s.open())
		if n == 0 {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("%d messages are not dealt with", n)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (s *Stack) close() {
	s.StopDrain()
	var wg sync.WaitGroup
	for _, p := range s.pools {
		wg.Go(p.Close)
	}
	wg.Wait()
	if s.t.Failed() {
		s.t.Logf("output of the functions:\n%s", s.Output())
	}
}
