// Package record is what one record of the log holds: a store.Batch, or spans
// of OpenTelemetry as they were sent, which are read with the dialects of the
// program that drains them. It knows neither log nor store.
package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
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
	APIKey  account.KeyID // that they were sent with; "" if unknown
	Arrived time.Time
	Spans   []otlp.Span // that passed their Check
}

// The first byte of a record of Sent. Versions of store.Batch are below.
const (
	sentVersion1 = 64 + iota // without API key
	sentVersion
)

// How the spans of a record are kept.
const (
	formPlain = iota // an ExportTraceServiceRequest
	formZstd         // the same, compressed
)

// header is the most that a record of Sent takes beside its spans, project and
// key.
const header = 2 + len(uuid.UUID{}) + 3*binary.MaxVarintLen64

// Append encodes s: the version; the id; the length of the project and it; the
// same of the key; the time of arrival in microseconds, a varint; the form; the spans as
// ExportTraceServiceRequest. They are compressed only where they would pass
// limit otherwise, in bytes: most logs compress their records themselves.
func (s *Sent) Append(dst []byte, limit int) []byte {
	head, size := header+len(s.Project)+len(s.APIKey), otlp.RequestBytes(s.Spans)
	if head+size <= limit {
		return otlp.AppendRequest(s.appendHead(slices.Grow(dst, head+size), formPlain), s.Spans)
	}
	form, spans := byte(formPlain), otlp.AppendRequest(make([]byte, 0, size), s.Spans)
	if small := store.Compress(spans); len(small) < len(spans) {
		form, spans = formZstd, small
	}
	return append(s.appendHead(slices.Grow(dst, head+len(spans)), form), spans...)
}

func (s *Sent) appendHead(dst []byte, form byte) []byte {
	dst = append(append(dst, sentVersion), s.ID[:]...)
	dst = append(binary.AppendUvarint(dst, uint64(len(s.Project))), s.Project...)
	dst = append(binary.AppendUvarint(dst, uint64(len(s.APIKey))), s.APIKey...)
	return append(binary.AppendVarint(dst, s.Arrived.UnixMicro()), form)
}

// Batch reads the spans with today's dialects. The error says why the first of
// those was left out that cannot be stored; the others are in the batch.
func (s *Sent) Batch() (store.Batch, error) {
	all := otlp.Traces{Spans: s.Spans}
	spans := all.Map(s.Arrived)
	b := store.PackAs(s.ID, s.Project, s.Arrived, spans)
	b.APIKey = s.APIKey
	return b, left(&all)
}

// left is the error of spans that were left out.
func left(all *otlp.Traces) error {
	if all.Rejected == 0 {
		return nil
	}
	return fmt.Errorf("%d spans of the record cannot be stored, the first: %s", all.Rejected, all.Reason)
}

// Size gives how many bytes of record there are to read in data: its own, or
// those of its spans once they are inflated.
func Size(data []byte) int {
	if !isSent(data) {
		return len(data)
	}
	p, err := parse(data)
	if err != nil || p.form != formZstd {
		return len(data)
	}
	return store.InflatedBytes(p.spans)
}

// Decode gives what a record holds, whatever its kind. With an error the batch
// has the spans that can be stored nevertheless. Damage is an error, never a
// panic; the batch keeps parts of data.
func Decode(data []byte) (store.Batch, error) {
	if !isSent(data) {
		b, err := store.UnmarshalBatch(data)
		if err != nil {
			return store.Batch{}, err
		}
		return b, nil
	}
	p, err := parse(data)
	if err != nil {
		return store.Batch{}, err
	}
	request := p.spans
	if p.form == formZstd {
		if request, err = store.Decompress(request); err != nil {
			return store.Batch{}, fmt.Errorf("inflate record: %w", err)
		}
	}
	all, err := otlp.DecodeTraces(request, otlp.Protobuf)
	if err != nil {
		return store.Batch{}, err
	}
	p.Spans = all.Spans
	b, err := p.Batch()
	return b, errors.Join(left(all), err)
}

func isSent(data []byte) bool {
	return len(data) > 0 && (data[0] == sentVersion || data[0] == sentVersion1)
}

// parsed is a Sent whose spans are not read yet.
type parsed struct {
	Sent
	form  byte
	spans []byte
}

var errDamaged = errors.New("record is damaged")

// parse takes the head off a record of Sent.
func parse(data []byte) (p parsed, err error) {
	version := data[0]
	data = data[1:]
	if len(data) < len(p.ID) {
		return p, errDamaged
	}
	data = data[copy(p.ID[:], data):]
	project, data, err := parseID(data)
	if err != nil {
		return p, err
	}
	p.Project = account.ProjectID(project)
	if version >= sentVersion {
		key, rest, err := parseID(data)
		if err != nil {
			return p, err
		}
		p.APIKey, data = account.KeyID(key), rest
	}
	micros, n := binary.Varint(data)
	if n <= 0 || n == len(data) {
		return p, errDamaged
	}
	p.Arrived = time.UnixMicro(micros).UTC()
	if p.form, p.spans = data[n], data[n+1:]; p.form > formZstd {
		return p, fmt.Errorf("the spans of the record have the unknown form %d", p.form)
	}
	return p, nil
}

// parseID takes an id with its length off data.
func parseID(data []byte) (id, rest []byte, err error) {
	length, n := binary.Uvarint(data)
	if n <= 0 || length > trace.MaxIDBytes || uint64(len(data)-n) < length {
		return nil, nil, errDamaged
	}
	end := n + int(length)
	return data[n:end], data[end:], nil
}
