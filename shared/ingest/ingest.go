// Package ingest accepts spans: it packs them, chooses their partitions and
// appends them to the log. When Accept returns nil they are durable. It does not
// know which host it runs on, nor in which wire form the spans came.
package ingest

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/otlp"
	"github.com/pulse-traces/pulse/shared/record"
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
	// Direct stores what is too large for a record of the log, before the answer.
	// nil: such a span is fault.TooLarge.
	Direct store.SpanWriter
	Waiter Waiter
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
// fault.Unavailable if the log refuses now, fault.TooLarge if a span can never
// fit. All spans must be of one form and have passed Check.
func (s *Service) Accept(ctx context.Context, from account.Sender, spans []trace.Span) error {
	parts := s.pack(from, spans)
	if len(parts) == 0 {
		return nil
	}
	return s.keep(ctx, spans[0].Form, parts)
}

// AcceptSent is Accept for OTLP spans as they were sent, which have passed their
// Check. They are read when they are drained.
func (s *Service) AcceptSent(ctx context.Context, from account.Sender, spans []otlp.Span) error {
	if len(spans) == 0 {
		return nil
	}
	return s.keep(ctx, trace.FormSpan, s.packSent(from, spans))
}

// AcceptAndStore is Accept, and then waits, within bounds, until the spans can
// be read. fresh tells for each span whether it was new; where the store did not
// answer in time, whether it was the first of its id in this call.
func (s *Service) AcceptAndStore(ctx context.Context, from account.Sender, spans []trace.Span) (fresh []bool, err error) {
	parts := s.pack(from, spans)
	if len(parts) == 0 {
		return nil, nil
	}
	outcomes := make([]<-chan store.Outcome, len(parts))
	if s.Waiter != nil {
		for i, p := range parts {
			var cancel func()
			outcomes[i], cancel = s.Waiter.Expect(p.batch)
			defer cancel()
		}
	}
	form := spans[0].Form
	if err := s.keep(ctx, form, parts); err != nil {
		return nil, err
	}
	fresh = firsts(spans)
	if s.Waiter == nil {
		return fresh, nil
	}
	wait, cancel := context.WithTimeout(ctx, s.WaitFor)
	defer cancel()
	for i, p := range parts {
		if p.direct { // nobody drains it
			continue
		}
		select {
		case o := <-outcomes[i]:
			for j, at := range p.places {
				fresh[at] = o.Inserted[j]
			}
		case <-wait.Done():
			return fresh, nil // durable all the same; the drain has it
		}
	}
	return fresh, nil
}

// part is what one record holds, with its partition and where its spans stand in
// the call.
type part struct {
	batch     uuid.UUID // the id of what it is when it is drained
	partition int
	places    []int
	data      []byte
	buffer    *[]byte // out of buffers; nil if data is not in one
	direct    bool    // one span that fits no record
}

// buffers are those of OTLP records that are durable: ingest would make garbage
// of every request's size.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxPooledRecord is the size of record whose buffer is worth keeping.
const maxPooledRecord = 1 << 20

// giveBack lets the buffer of p be used again.
func (p *part) giveBack() {
	if p.buffer != nil && cap(p.data) <= maxPooledRecord {
		*p.buffer = p.data[:0]
		buffers.Put(p.buffer)
	}
	p.buffer, p.data = nil, nil
}

// pack makes records of spans.
func (s *Service) pack(from account.Sender, spans []trace.Span) []part {
	if len(spans) == 0 {
		return nil
	}
	now := s.Now()
	return split(s.logOf(spans[0].Form), from.Project, len(spans), func(i int) string { return streamKey(&spans[i]) }, func(p *part) {
		batch := store.Pack(from.Project, now, at(spans, p.places))
		batch.APIKey = from.Key
		p.batch, p.data = batch.ID, store.AppendBatch(nil, &batch)
	})
}

// packSent makes records of spans as they were sent.
func (s *Service) packSent(from account.Sender, spans []otlp.Span) []part {
	now, limit := s.Now(), s.Spans.MaxRecordBytes()
	return split(s.Spans, from.Project, len(spans), func(i int) string { return string(spans[i].TraceID()) }, func(p *part) {
		sent := record.Sent{ID: uuid.Must(uuid.NewV7()), Project: from.Project, APIKey: from.Key, Arrived: now, Spans: at(spans, p.places)}
		if buffer, ok := buffers.Get().(*[]byte); ok {
			p.buffer = buffer
			p.data = *buffer
		}
		p.batch, p.data = sent.ID, sent.Append(p.data, limit)
	})
}

// at gives the spans at places.
func at[S any](spans []S, places []int) []S {
	mine := make([]S, len(places))
	for j, i := range places {
		mine[j] = spans[i]
	}
	return mine
}

// split parts n spans by the partitions of their keys, keeping their order
// within each, into as few records as the log's limit allows. fill makes the
// record of the spans at a part's places.
func split(log wal.Log, project account.ProjectID, n int, key func(i int) string, fill func(*part)) []part {
	places := make([][]int, log.Partitions())
	for i := range n {
		p := 0
		if len(places) > 1 { // finding the key of a span takes longer than copying it
			p = wal.PartitionOf(string(project), key(i), len(places))
		}
		places[p] = append(places[p], i)
	}
	var parts []part
	for p, mine := range places {
		if len(mine) > 0 {
			parts = appendParts(parts, part{partition: p, places: mine}, log.MaxRecordBytes(), fill)
		}
	}
	return parts
}

// appendParts appends p, by halves if its record passes limit.
func appendParts(parts []part, p part, limit int, fill func(*part)) []part {
	fill(&p)
	if n := len(p.places); len(p.data) > limit && n > 1 {
		parts = appendParts(parts, part{partition: p.partition, places: p.places[:n/2]}, limit, fill)
		return appendParts(parts, part{partition: p.partition, places: p.places[n/2:]}, limit, fill)
	}
	p.direct = len(p.data) > limit
	return append(parts, p)
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

// keep makes parts durable, in the log or, where one fits no record, in the
// store.
func (s *Service) keep(ctx context.Context, form trace.Form, parts []part) error {
	var records []wal.Record
	var batches []store.Batch
	n := 0
	for i := range parts {
		n += len(parts[i].places)
		if parts[i].direct && s.Direct != nil {
			b, err := record.Decode(parts[i].data)
			if err != nil {
				return err
			}
			batches = append(batches, b)
			continue
		}
		records = append(records, wal.Record{Partition: parts[i].partition, Data: parts[i].data})
	}
	if len(batches) > 0 {
		if _, err := s.Direct.WriteBatches(ctx, batches); err != nil {
			return err
		}
	}
	if err := s.logOf(form).Append(ctx, records); err != nil {
		return err
	}
	for i := range parts {
		parts[i].giveBack()
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
