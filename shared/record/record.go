// Package record is what one record of the log holds: a store.Batch, or spans
// of OpenTelemetry as they were sent, which are read with the dialects of the
// program that drains them. It knows neither log nor store.
package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/otlp"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Sent is OTLP spans of one project as they were sent.
type Sent struct {
	ID      uuid.UUID // of the batch that they become; a v7
	Project account.ProjectID
	Arrived time.Time
	Spans   []otlp.Span // that passed their Check
}

// The first byte of a record of Sent. Versions of store.Batch are below.
const sentVersion = 64

// How the spans of a record are kept.
const (
	formPlain = iota // an ExportTraceServiceRequest
	formZstd         // the same, compressed
)

// header is the most that a record of Sent takes beside its spans and project.
const header = 2 + len(uuid.UUID{}) + 3*binary.MaxVarintLen64

// Append encodes s: the version; the id; the project and its length; the time of
// arrival in microseconds, a varint; the form; the spans as
// ExportTraceServiceRequest. They are compressed only where they would pass
// limit otherwise, in bytes: most logs compress their records themselves.
func (s *Sent) Append(dst []byte, limit int) []byte {
	start, size := len(dst), header+len(s.Project)+otlp.RequestBytes(s.Spans)
	if size <= limit {
		return otlp.AppendRequest(s.head(dst, size, formPlain), s.Spans)
	}
	request := otlp.AppendRequest(make([]byte, 0, size), s.Spans)
	small := store.Compress(request)
	if dst = s.head(dst, header+len(s.Project)+len(small), formZstd); len(small) < len(request) {
		return append(dst, small...)
	}
	return append(s.head(dst[:start], size, formPlain), request...)
}

func (s *Sent) head(dst []byte, room int, form byte) []byte {
	if cap(dst)-len(dst) < room {
		dst = append(make([]byte, 0, len(dst)+room), dst...)
	}
	dst = append(append(dst, sentVersion), s.ID[:]...)
	dst = append(binary.AppendUvarint(dst, uint64(len(s.Project))), s.Project...)
	return append(binary.AppendVarint(dst, s.Arrived.UnixMicro()), form)
}

// Batch reads the spans with today's dialects. The error says why the first of
// those was left out that cannot be stored; the others are in the batch.
func (s *Sent) Batch() (store.Batch, error) {
	all := otlp.Traces{Spans: s.Spans}
	spans := all.Map(s.Arrived)
	return store.PackAs(s.ID, s.Project, s.Arrived, spans), left(&all)
}

// left is the error of spans that were left out.
func left(all *otlp.Traces) error {
	if all.Rejected == 0 {
		return nil
	}
	return fmt.Errorf("%d spans of the record cannot be stored, the first: %s", all.Rejected, all.Reason)
}

// Decode gives what a record holds, whatever its kind. With an error the batch
// has the spans that can be stored nevertheless. Damage is an error, never a
// panic; the batch keeps parts of data.
func Decode(data []byte) (store.Batch, error) {
	if len(data) == 0 || data[0] != sentVersion {
		b, err := store.UnmarshalBatch(data)
		if err != nil {
			return store.Batch{}, err
		}
		return b, nil
	}
	s, err := parse(data[1:])
	if err != nil {
		return store.Batch{}, err
	}
	all, err := otlp.DecodeTraces(s.request, otlp.Protobuf)
	if err != nil {
		return store.Batch{}, err
	}
	s.Spans = all.Spans
	b, err := s.Batch()
	return b, errors.Join(left(all), err)
}

// parsed is a Sent whose spans are not decoded yet.
type parsed struct {
	Sent
	request []byte
}

var errDamaged = errors.New("record is damaged")

func parse(data []byte) (p parsed, err error) {
	if len(data) < len(p.ID) {
		return p, errDamaged
	}
	data = data[copy(p.ID[:], data):]
	length, n := binary.Uvarint(data)
	if n <= 0 || length > trace.MaxIDBytes || uint64(len(data)-n) < length {
		return p, errDamaged
	}
	p.Project = account.ProjectID(data[n : n+int(length)])
	data = data[n+int(length):]
	micros, n := binary.Varint(data)
	if n <= 0 || n == len(data) {
		return p, errDamaged
	}
	p.Arrived = time.UnixMicro(micros).UTC()
	form, data := data[n], data[n+1:]
	switch form {
	case formPlain:
		p.request = data
	case formZstd:
		if p.request, err = store.Decompress(data); err != nil {
			return p, fmt.Errorf("inflate record: %w", err)
		}
	default:
		return p, fmt.Errorf("the spans of the record have the unknown form %d", form)
	}
	return p, nil
}
