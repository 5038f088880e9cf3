// Package ingest accepts spans: it packs them, chooses their partitions and
// appends them to the log. When Accept returns nil they are durable. It does not
// know which host it runs on, nor in which wire form the spans came.
package ingest

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
	"github.com/pulse-traces/pulse/shared/wal"
)

// Waiter tells what became of a batch: the drain of the same process. It is nil
// where the drain runs elsewhere.
type Waiter interface {
	// Expect must be called before the batch is appended. The channel gives its
	// outcome once it is stored; cancel gives up on it.
	Expect(batch uuid.UUID) (outcome <-chan store.Outcome, cancel func())
}

// Options are what a Service needs.
type Options struct {
	Traces, Spans wal.Log // for trace.FormTrace and trace.FormSpan
	Waiter        Waiter
	// WaitFor bounds how long AcceptAndStore waits for the store.
	WaitFor time.Duration
	// Accepted, if set, is told how many spans became durable.
	Accepted func(form trace.Form, spans int)
	Now      func() time.Time
}

// Service accepts spans.
type Service struct{ Options }

// New makes a Service.
func New(o Options) *Service { return &Service{o} }

// Accept returns nil once all spans are durable in the log; their payloads may
// be reused then. On an error the caller sends all again, which is harmless:
// fault.Unavailable if the log refuses now, fault.TooLarge if a record can never
// fit. All spans must be of one form and have passed Check.
func (s *Service) Accept(ctx context.Context, project account.ProjectID, spans []trace.Span) error {
	batches := s.pack(project, spans)
	if len(batches) == 0 {
		return nil
	}
	return s.append(ctx, spans[0].Form, batches)
}

// AcceptAndStore is Accept, and then waits, within bounds, until the spans can
// be read. fresh tells for each span whether it was new; where the store did not
// answer in time, whether it was the first of its id in this call.
func (s *Service) AcceptAndStore(ctx context.Context, project account.ProjectID, spans []trace.Span) (fresh []bool, err error) {
	batches := s.pack(project, spans)
	if len(batches) == 0 {
		return nil, nil
	}
	outcomes := make([]<-chan store.Outcome, len(batches))
	if s.Waiter != nil {
		for i, b := range batches {
			var cancel func()
			outcomes[i], cancel = s.Waiter.Expect(b.batch.ID)
			defer cancel()
		}
	}
	form := spans[0].Form
	if err := s.append(ctx, form, batches); err != nil {
		return nil, err
	}
	fresh = firsts(spans)
	if s.Waiter == nil {
		return fresh, nil
	}
	wait, cancel := context.WithTimeout(ctx, s.WaitFor)
	defer cancel()
	for i, b := range batches {
		select {
		case o := <-outcomes[i]:
			for j, at := range b.places {
				fresh[at] = o.Inserted[j]
			}
		case <-wait.Done():
			return fresh, nil // durable all the same; the drain has it
		}
	}
	return fresh, nil
}

// part is a batch with its partition, and where its spans stand in the call.
type part struct {
	batch     store.Batch
	partition int
	places    []int
}

// pack splits spans by partition, keeping their order within each.
func (s *Service) pack(project account.ProjectID, spans []trace.Span) []part {
	if len(spans) == 0 {
		return nil
	}
	n := s.logOf(spans[0].Form).Partitions()
	places := make([][]int, n)
	for i := range spans {
		p := wal.PartitionOf(string(project), streamKey(&spans[i]), n)
		places[p] = append(places[p], i)
	}
	now := s.Now()
	var parts []part
	for p, at := range places {
		if len(at) == 0 {
			continue
		}
		mine := make([]trace.Span, len(at))
		for j, i := range at {
			mine[j] = spans[i]
		}
		parts = append(parts, part{batch: store.Pack(project, now, mine), partition: p, places: at})
	}
	return parts
}

// streamKey is what keeps the records of one trace in one partition, in order.
func streamKey(s *trace.Span) string {
	if s.TraceID != "" {
		return string(s.TraceID)
	}
	return string(s.SessionID)
}

func (s *Service) logOf(f trace.Form) wal.Log {
	if f == trace.FormTrace {
		return s.Traces
	}
	return s.Spans
}

func (s *Service) append(ctx context.Context, form trace.Form, parts []part) error {
	records := make([]wal.Record, len(parts))
	n := 0
	for i := range parts {
		records[i] = wal.Record{Partition: parts[i].partition, Data: store.AppendBatch(nil, &parts[i].batch)}
		n += len(parts[i].places)
	}
	if err := s.logOf(form).Append(ctx, records); err != nil {
		return err
	}
	if s.Accepted != nil {
		s.Accepted(form, n)
	}
	return nil
}

// firsts marks the first span of each id.
func firsts(spans []trace.Span) []bool {
	out := make([]bool, len(spans))
	seen := make(map[trace.SpanID]bool, len(spans))
	for i := range spans {
		out[i] = !seen[spans[i].ID]
		seen[spans[i].ID] = true
	}
	return out
}
