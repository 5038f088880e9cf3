package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Batch is what one log record holds and what a store writes: spans of one
// project, their payloads packed into chunks. Make it with Pack.
type Batch struct {
	ID      uuid.UUID // names the record in messages and to whoever waits for it
	Project account.ProjectID
	// APIKey is the key that all spans were sent with that do not say so themselves;
	// "" if none is known.
	APIKey account.KeyID
	// Arrived is when the spans were accepted. Its UTC day is where the chunks
	// live and, RETENTION_DAYS later, are dropped.
	Arrived time.Time
	Spans   []trace.Span // Payload empty: it is in Chunks
	Refs    []PayloadRef // one per span
	Chunks  []Chunk
}

// Chunk is the compressed payloads of several spans. One chunk of many payloads
// costs a store one row and compresses far better than each alone.
type Chunk struct {
	ID   uuid.UUID // v7; the same when a record is delivered twice
	Data []byte    // see packChunk
}

// PayloadRef says where a span's payload is, and what the span says.
type PayloadRef struct {
	Chunk int // index into Batch.Chunks; -1: the span has no payload
	Index int // within the chunk
	// Content stands for what a span that was made from OpenTelemetry was made
	// from: the same for the same bytes, so that a span that comes twice is told
	// from one that says more. 0 for other spans, whose first delivery holds.
	Content uint64
}

// chunkTargetBytes is the size of a chunk's content: large enough that
// neighbours share what they have in common, small enough that reading one
// payload does not inflate much more than it needs. A payload larger than this
// has a chunk of its own.
const chunkTargetBytes = 64 << 10

// Pack makes a batch of spans with their payloads. It keeps spans, and clears
// their Payload fields.
func Pack(project account.ProjectID, arrived time.Time, spans []trace.Span) Batch {
	return PackAs(idAt(arrived), project, arrived, spans)
}

// idAt makes a v7 of a moment.
func idAt(t time.Time) uuid.UUID {
	id := uuid.Must(uuid.NewV7())
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(max(t.UnixMilli(), 0)))
	copy(id[:6], ms[2:])
	return id
}

// AcceptedAt tells when the payloads of a chunk were accepted, in whole
// milliseconds: a v7 begins with its moment.
func AcceptedAt(chunk uuid.UUID) time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(append([]byte{0, 0}, chunk[:6]...)))).UTC()
}

// PackAs is Pack for a batch that has its id, a v7: of the same spans it makes
// the same chunks.
func PackAs(id uuid.UUID, project account.ProjectID, arrived time.Time, spans []trace.Span) Batch {
	b := Batch{ID: id, Project: project, Arrived: arrived.UTC().Truncate(time.Microsecond), Spans: spans, Refs: make([]PayloadRef, len(spans))}
	first, size, count := 0, 0, 0
	room := 0
	for i := range spans {
		room += spans[i].Payload.Bytes() + 32
	}
	raw := make([]byte, 0, min(room, chunkTargetBytes+chunkTargetBytes/8))
	flush := func(end int) {
		if count > 0 {
			raw = raw[:0]
			raw = binary.AppendUvarint(raw, uint64(count))
			for i := first; i < end; i++ {
				if b.Refs[i].Chunk >= 0 {
					raw = appendPayload(raw, &spans[i].Payload)
				}
			}
			b.Chunks = append(b.Chunks, Chunk{ID: chunkID(id, len(b.Chunks)), Data: Compress(raw)})
		}
		first, size, count = end, 0, 0
	}
	for i := range spans {
		p := &spans[i].Payload
		content := ContentOf(&spans[i])
		if p.Empty() {
			b.Refs[i] = PayloadRef{Chunk: -1, Content: content}
			continue
		}
		n := p.Bytes()
		if count > 0 && size+n > chunkTargetBytes {
			flush(i)
		}
		b.Refs[i] = PayloadRef{Chunk: len(b.Chunks), Index: count, Content: content}
		size += n
		count++
	}
	flush(len(spans))
	for i := range spans {
		spans[i].Payload = trace.Payload{}
	}
	return b
}

// chunkID names the n-th chunk of a batch: beside the batch's id in time, and
// as random.
func chunkID(batch uuid.UUID, n int) uuid.UUID {
	tail := batch[len(batch)-4:]
	binary.BigEndian.PutUint32(tail, binary.BigEndian.Uint32(tail)+uint32(n)+1)
	return batch
}

// Payload fields by their place on disk: append only.
const (
	payloadRequest = iota
	payloadResponse
	payloadToolInput
	payloadToolResponse
	payloadError
	payloadMetadata
	payloadOutputText
	payloadInputMessages
	payloadOutputMessages
	payloadParameters
	payloadTools
	payloadAttributes
	payloadResource
	payloadEvents
	payloadLinks
	payloadStatusMessage
	payloadRaw
)

// bytesOf gives the fields of p that are bytes, by their numbers; nil where a
// number is not one of those.
func bytesOf(p *trace.Payload) [payloadRaw + 1]*[]byte {
	return [...]*[]byte{
		payloadRequest: (*[]byte)(&p.Request), payloadResponse: (*[]byte)(&p.Response), payloadToolInput: (*[]byte)(&p.ToolInput),
		payloadToolResponse: (*[]byte)(&p.ToolResponse), payloadError: (*[]byte)(&p.Error), payloadMetadata: (*[]byte)(&p.Metadata),
		payloadInputMessages: (*[]byte)(&p.InputMessages), payloadOutputMessages: (*[]byte)(&p.OutputMessages),
		payloadParameters: (*[]byte)(&p.Parameters), payloadTools: (*[]byte)(&p.Tools), payloadAttributes: (*[]byte)(&p.Attributes),
		payloadResource: (*[]byte)(&p.Resource), payloadEvents: (*[]byte)(&p.Events), payloadLinks: (*[]byte)(&p.Links),
		payloadRaw: &p.Raw,
	}
}

// textsOf is bytesOf for the fields that are texts.
func textsOf(p *trace.Payload) [payloadRaw + 1]**string {
	return [...]**string{payloadOutputText: &p.OutputText, payloadStatusMessage: &p.StatusMessage, payloadRaw: nil}
}

// appendPayload writes: length of the rest, then per field its number, length
// and bytes. All lengths are uvarints.
func appendPayload(dst []byte, p *trace.Payload) []byte {
	fields, texts := bytesOf(p), textsOf(p)
	size := 0
	add := func(n int) { size += 1 + uvarintLen(uint64(n)) + n }
	for i, f := range fields {
		if f != nil && *f != nil {
			add(len(*f))
		} else if t := texts[i]; t != nil && *t != nil {
			add(len(**t))
		}
	}
	dst = binary.AppendUvarint(dst, uint64(size))
	for i, f := range fields {
		if f != nil && *f != nil {
			dst = appendString(append(dst, byte(i)), *f)
		} else if t := texts[i]; t != nil && *t != nil {
			dst = appendString(append(dst, byte(i)), **t)
		}
	}
	return dst
}

// ContentOf gives PayloadRef.Content of a span that has its payload: of its raw
// bytes, or of all it says where there are none.
func ContentOf(s *trace.Span) uint64 {
	if !s.Mapped() {
		return 0
	}
	content := s.Payload.Raw
	if content == nil {
		said := *s
		said.APIKey = nil // who sent it is not what it says
		content = appendPayload(appendSpan(nil, &said, PayloadRef{Chunk: -1}), &s.Payload)
	}
	return max(xxhash.Sum64(content), 1) // stored: never change it
}

// Same reports whether two spans, payloads included, say the same: whether they
// are stored alike.
func Same(a, b *trace.Span) bool {
	var x, y [2 * typicalSpanBytes]byte // longer ones are made on the heap
	none := PayloadRef{Chunk: -1}
	return a.Repeat == b.Repeat && SamePayload(&a.Payload, &b.Payload) && bytes.Equal(appendSpan(x[:0], a, none), appendSpan(y[:0], b, none))
}

// SamePayload is Same for payloads.
func SamePayload(a, b *trace.Payload) bool {
	fields, texts := bytesOf(a), textsOf(a)
	otherFields, otherTexts := bytesOf(b), textsOf(b)
	for i, f := range fields {
		if f != nil {
			if o := otherFields[i]; (*f == nil) != (*o == nil) || !bytes.Equal(*f, *o) {
				return false
			}
		} else if t, o := *texts[i], *otherTexts[i]; (t == nil) != (o == nil) || t != nil && *t != *o {
			return false
		}
	}
	return true
}

// RepackChunk gives a chunk in which payloads, by their index, are others.
func RepackChunk(data []byte, changed map[int]*trace.Payload) ([]byte, error) {
	payloads, err := UnpackChunk(data)
	if err != nil {
		return nil, err
	}
	return repack(payloads, changed), nil
}

func repack(payloads []trace.Payload, changed map[int]*trace.Payload) []byte {
	raw := binary.AppendUvarint(nil, uint64(len(payloads)))
	for i := range payloads {
		p := &payloads[i]
		if c := changed[i]; c != nil {
			p = c
		}
		raw = appendPayload(raw, p)
	}
	return Compress(raw)
}

// DropFromChunk gives a chunk without the payloads of some indexes; nil if it
// holds no others. The indexes of those stay.
func DropFromChunk(data []byte, indexes []int) ([]byte, error) {
	payloads, err := UnpackChunk(data)
	if err != nil {
		return nil, err
	}
	dropped := make(map[int]*trace.Payload, len(indexes))
	for _, i := range indexes {
		dropped[i] = &trace.Payload{}
	}
	for i := range payloads {
		if dropped[i] == nil && !payloads[i].Empty() {
			return repack(payloads, dropped), nil
		}
	}
	return nil, nil
}

// EncodeSpan gives the narrow fields of a span in the form of a record, for a
// column.
func EncodeSpan(s *trace.Span) []byte {
	return appendSpan([]byte{batchVersion}, s, PayloadRef{Chunk: -1})
}

// DecodeSpan reads what EncodeSpan wrote.
func DecodeSpan(data []byte) (trace.Span, error) {
	r := reader{b: data}
	if v := r.byte(); v < 1 || v > batchVersion {
		return trace.Span{}, fmt.Errorf("span version %d is not one this program reads (1 to %d)", v, batchVersion)
	}
	var s trace.Span
	r.span(&s)
	if r.err == nil && len(r.b) > 0 {
		r.err = errDamaged
	}
	return s, r.err
}

func uvarintLen(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// UnpackChunk gives all payloads of a chunk, by index. fault-free: any damage
// is an error, never a panic.
func UnpackChunk(data []byte) ([]trace.Payload, error) {
	raw, err := Decompress(data)
	if err != nil {
		return nil, fmt.Errorf("inflate payload chunk: %w", err)
	}
	r := reader{b: raw}
	count := r.uvarint()
	if r.err != nil || count > uint64(len(raw)) {
		return nil, errDamaged
	}
	out := make([]trace.Payload, count)
	for i := range out {
		f := reader{b: r.bytes()}
		fields, texts := bytesOf(&out[i]), textsOf(&out[i])
		for len(f.b) > 0 && f.err == nil && r.err == nil {
			kind := f.byte()
			v := f.bytes()
			if int(kind) >= len(fields) {
				continue // written by a newer program; it reads as absent here
			}
			if to := fields[kind]; to != nil {
				*to = v
			} else {
				text := string(v)
				*texts[kind] = &text
			}
		}
		if err := errors.Join(r.err, f.err); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// batchVersion is what AppendBatch writes. Version 2 added the fields of spans
// that are made from OpenTelemetry; in version 1 their bits are never set.
// Version 3 has the batch's API key behind the project.
const batchVersion = 3

// typicalSpanBytes is what a narrow span takes in a record: a guess, to reserve
// room once.
const typicalSpanBytes = 256

// Optional span fields by their bit in a record: append only.
const (
	hasTrace = 1 << iota
	hasParent
	hasSession
	hasDuration
	hasFirstToken
	hasService
	hasToolUseID
	hasToolName
	hasInterrupt
	interrupted
	hasCWD
	hasModel
	hasAgentName
	hasProvider
	hasModelUsed
	hasInputTokens
	hasOutputTokens
	hasCost
	hasFinishReason
	hasRequestID
	hasEditedFile
	hasPayload
	traceIsSpan // the trace id equals the span id
	hasName
	hasOperation
	hasUserID
	hasTags
	hasEnvironment
	hasRelease
	hasScope
	hasUsage
	hasCostSource
	hasMapping // the mapping's version and the content
	isPatch
	hasRole
	hasCallKey
	hasTells
	hasServiceTier
	hasAPIKey
)

// AppendBatch encodes b for the log: a version byte, then b's fields in a
// binary form that UnmarshalBatch reads. It is Pulse's own; a reader of version
// n reads all versions up to n.
func AppendBatch(dst []byte, b *Batch) []byte {
	size := 64
	for i := range b.Chunks {
		size += len(b.Chunks[i].Data) + 32
	}
	dst = slices.Grow(dst, size+typicalSpanBytes*len(b.Spans))
	dst = append(dst, batchVersion)
	dst = append(dst, b.ID[:]...)
	dst = appendString(dst, string(b.Project))
	dst = appendString(dst, string(b.APIKey))
	dst = binary.AppendVarint(dst, b.Arrived.UnixMicro())
	dst = binary.AppendUvarint(dst, uint64(len(b.Chunks)))
	for i := range b.Chunks {
		dst = append(dst, b.Chunks[i].ID[:]...)
		dst = appendString(dst, b.Chunks[i].Data)
	}
	dst = binary.AppendUvarint(dst, uint64(len(b.Spans)))
	for i := range b.Spans {
		dst = appendSpan(dst, &b.Spans[i], b.Refs[i])
	}
	return dst
}

func appendSpan(dst []byte, s *trace.Span, ref PayloadRef) []byte {
	var has uint64
	flag := func(bit uint64, set bool) {
		if set {
			has |= bit
		}
	}
	flag(hasTrace, s.TraceID != "" && string(s.TraceID) != string(s.ID))
	flag(traceIsSpan, string(s.TraceID) == string(s.ID))
	flag(hasParent, s.ParentID != "")
	flag(hasSession, s.SessionID != "")
	flag(hasDuration, s.DurationMS != nil)
	flag(hasFirstToken, s.TimeToFirstTokenMS != nil)
	flag(hasInterrupt, s.IsInterrupt != nil)
	flag(interrupted, s.IsInterrupt != nil && *s.IsInterrupt)
	flag(hasInputTokens, s.InputTokens != nil)
	flag(hasOutputTokens, s.OutputTokens != nil)
	flag(hasCost, s.CostNanoUSD != nil)
	flag(hasPayload, ref.Chunk >= 0)
	flag(hasName, s.Name != "")
	flag(hasOperation, s.Operation != "")
	flag(hasTags, len(s.Tags) > 0)
	flag(hasScope, s.Scope != trace.Scope{})
	flag(hasUsage, s.Usage != nil)
	flag(hasCostSource, s.CostSource != "")
	flag(hasMapping, s.MappingVersion != 0)
	flag(isPatch, s.Patch)
	flag(hasRole, s.Role != "")
	flag(hasCallKey, s.CallKey != "")
	flag(hasTells, s.Tells != 0)
	texts := optionalTexts(s)
	for _, t := range texts {
		flag(t.bit, *t.p != nil)
	}
	dst = binary.AppendUvarint(dst, has)
	dst = appendString(dst, string(s.ID))
	dst = appendString(dst, string(s.Form))
	dst = appendString(dst, string(s.Source))
	dst = appendString(dst, string(s.Kind))
	dst = appendString(dst, s.EventType)
	dst = appendString(dst, string(s.Status))
	dst = binary.AppendVarint(dst, s.Start.UnixMicro())
	if has&hasTrace != 0 {
		dst = appendString(dst, string(s.TraceID))
	}
	if has&hasParent != 0 {
		dst = appendString(dst, string(s.ParentID))
	}
	if has&hasSession != 0 {
		dst = appendString(dst, string(s.SessionID))
	}
	if has&hasDuration != 0 {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(*s.DurationMS))
	}
	if has&hasFirstToken != 0 {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(*s.TimeToFirstTokenMS))
	}
	if has&hasInputTokens != 0 {
		dst = binary.AppendVarint(dst, *s.InputTokens)
	}
	if has&hasOutputTokens != 0 {
		dst = binary.AppendVarint(dst, *s.OutputTokens)
	}
	if has&hasCost != 0 {
		dst = binary.AppendVarint(dst, *s.CostNanoUSD)
	}
	if has&hasPayload != 0 {
		dst = binary.AppendUvarint(dst, uint64(ref.Chunk))
		dst = binary.AppendUvarint(dst, uint64(ref.Index))
	}
	for _, t := range texts {
		if *t.p != nil {
			dst = appendString(dst, **t.p)
		}
	}
	if has&hasName != 0 {
		dst = appendString(dst, s.Name)
	}
	if has&hasOperation != 0 {
		dst = appendString(dst, s.Operation)
	}
	if has&hasTags != 0 {
		dst = binary.AppendUvarint(dst, uint64(len(s.Tags)))
		for _, t := range s.Tags {
			dst = appendString(dst, t)
		}
	}
	if has&hasScope != 0 {
		dst = appendString(appendString(dst, s.Scope.Name), s.Scope.Version)
	}
	if has&hasUsage != 0 {
		dst = appendString(dst, AppendUsage(nil, s.Usage))
	}
	if has&hasCostSource != 0 {
		dst = appendString(dst, string(s.CostSource))
	}
	if has&hasMapping != 0 {
		dst = binary.AppendUvarint(dst, uint64(s.MappingVersion))
		dst = binary.LittleEndian.AppendUint64(dst, ref.Content)
	}
	if has&hasRole != 0 {
		dst = appendString(dst, string(s.Role))
	}
	if has&hasCallKey != 0 {
		dst = appendString(dst, s.CallKey)
	}
	if has&hasTells != 0 {
		dst = binary.AppendUvarint(dst, uint64(s.Tells))
	}
	return dst
}

// countsOf lists the buckets of u in the order they are written in: append only.
func countsOf(u *trace.Usage) [10]*int64 {
	return [10]*int64{
		&u.Input, &u.CacheRead, &u.CacheWrite5m, &u.CacheWrite1h, &u.AudioInput, &u.ImageInput,
		&u.Output, &u.Reasoning, &u.AudioOutput, &u.ImageOutput,
	}
}

// AppendUsage encodes u for a record and for a column: its buckets as uvarints,
// zeros at the end left out.
func AppendUsage(dst []byte, u *trace.Usage) []byte {
	counts := countsOf(u)
	n := len(counts)
	for n > 0 && *counts[n-1] == 0 {
		n--
	}
	for _, c := range counts[:n] {
		dst = binary.AppendUvarint(dst, uint64(*c))
	}
	return dst
}

// ParseUsage decodes what AppendUsage wrote. Buckets of a newer program are
// passed over; damage is an error.
func ParseUsage(data []byte) (*trace.Usage, error) {
	u := new(trace.Usage)
	r := reader{b: data}
	for _, c := range countsOf(u) {
		if len(r.b) > 0 {
			*c = int64(r.uvarint() & math.MaxInt64)
		}
	}
	return u, r.err
}

type optionalText struct {
	bit uint64
	p   **string
}

// optionalTexts lists a span's optional texts in the order they are written in:
// append only.
func optionalTexts(s *trace.Span) [16]optionalText {
	return [16]optionalText{
		{hasService, &s.Service},
		{hasToolUseID, &s.ToolUseID},
		{hasToolName, &s.ToolName},
		{hasCWD, &s.CWD},
		{hasModel, &s.Model},
		{hasAgentName, &s.AgentName},
		{hasProvider, &s.Provider},
		{hasModelUsed, &s.ModelUsed},
		{hasFinishReason, &s.FinishReason},
		{hasRequestID, &s.ProviderRequestID},
		{hasEditedFile, &s.EditedFile},
		{hasUserID, &s.UserID},
		{hasEnvironment, &s.Environment},
		{hasRelease, &s.Release},
		{hasServiceTier, &s.ServiceTier},
		{hasAPIKey, &s.APIKey},
	}
}

// UnmarshalBatch decodes what AppendBatch wrote. The batch keeps parts of data.
// An unknown version and any damage is an error, never a panic.
func UnmarshalBatch(data []byte) (Batch, error) {
	r := reader{b: data}
	version := r.byte()
	if version < 1 || version > batchVersion {
		return Batch{}, fmt.Errorf("batch version %d is not one this program reads (1 to %d)", version, batchVersion)
	}
	var b Batch
	copy(b.ID[:], r.take(len(b.ID)))
	b.Project = account.ProjectID(r.string())
	if version >= 3 {
		b.APIKey = account.KeyID(r.string())
	}
	b.Arrived = time.UnixMicro(r.varint()).UTC()
	b.Chunks = make([]Chunk, r.count())
	for i := range b.Chunks {
		copy(b.Chunks[i].ID[:], r.take(len(uuid.UUID{})))
		b.Chunks[i].Data = r.bytes()
	}
	n := r.count()
	b.Spans, b.Refs = make([]trace.Span, n), make([]PayloadRef, n)
	for i := range b.Spans {
		b.Refs[i] = r.span(&b.Spans[i])
		if b.Refs[i].Chunk >= len(b.Chunks) {
			return Batch{}, errDamaged
		}
	}
	if r.err == nil && len(r.b) > 0 {
		r.err = errDamaged
	}
	return b, r.err
}

func (r *reader) span(s *trace.Span) PayloadRef {
	has := r.uvarint()
	s.ID = trace.SpanID(r.string())
	s.Form = trace.Form(r.string())
	s.Source = trace.Source(r.string())
	s.Kind = trace.Kind(r.string())
	s.EventType = r.string()
	s.Status = trace.Status(r.string())
	s.Start = time.UnixMicro(r.varint()).UTC()
	if has&traceIsSpan != 0 {
		s.TraceID = trace.TraceID(s.ID)
	}
	if has&hasTrace != 0 {
		s.TraceID = trace.TraceID(r.string())
	}
	if has&hasParent != 0 {
		s.ParentID = trace.SpanID(r.string())
	}
	if has&hasSession != 0 {
		s.SessionID = trace.SessionID(r.string())
	}
	if has&hasDuration != 0 {
		s.DurationMS = r.float()
	}
	if has&hasFirstToken != 0 {
		s.TimeToFirstTokenMS = r.float()
	}
	if has&hasInterrupt != 0 {
		v := has&interrupted != 0
		s.IsInterrupt = &v
	}
	optionalInt := func(bit uint64) *int64 {
		if has&bit == 0 {
			return nil
		}
		v := r.varint()
		return &v
	}
	s.InputTokens, s.OutputTokens, s.CostNanoUSD = optionalInt(hasInputTokens), optionalInt(hasOutputTokens), optionalInt(hasCost)
	ref := PayloadRef{Chunk: -1}
	if has&hasPayload != 0 {
		ref = PayloadRef{Chunk: int(r.uvarint() & math.MaxInt32), Index: int(r.uvarint() & math.MaxInt32)}
	}
	for _, t := range optionalTexts(s) {
		if has&t.bit != 0 {
			v := r.string()
			*t.p = &v
		}
	}
	if has&hasName != 0 {
		s.Name = r.string()
	}
	if has&hasOperation != 0 {
		s.Operation = r.string()
	}
	if has&hasTags != 0 {
		s.Tags = make([]string, r.count())
		for i := range s.Tags {
			s.Tags[i] = r.string()
		}
	}
	if has&hasScope != 0 {
		s.Scope = trace.Scope{Name: r.string(), Version: r.string()}
	}
	if has&hasUsage != 0 {
		var err error
		if s.Usage, err = ParseUsage(r.bytes()); err != nil {
			r.b, r.err = nil, err
		}
	}
	if has&hasCostSource != 0 {
		s.CostSource = trace.CostSource(r.string())
	}
	if has&hasMapping != 0 {
		s.MappingVersion = int(r.uvarint() & math.MaxInt32)
		ref.Content = r.uint64()
	}
	s.Patch = has&isPatch != 0
	if has&hasRole != 0 {
		s.Role = trace.Role(r.string())
	}
	if has&hasCallKey != 0 {
		s.CallKey = r.string()
	}
	if has&hasTells != 0 {
		s.Tells = trace.Tells(r.uvarint() & math.MaxInt64)
	}
	return ref
}

func appendString[T string | []byte](dst []byte, s T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

var errDamaged = errors.New("record is damaged")

// reader takes values off the front of b; after the first fault err is set and
// all values are zero.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.b) {
		r.b, r.err = nil, errDamaged
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) byte() byte {
	if v := r.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		n = -1
	}
	r.take(n)
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		n = -1
	}
	r.take(n)
	return v
}

// count reads the number of items that follow; each takes a byte at least, so
// a lying count cannot make the caller reserve more than the record's size.
func (r *reader) count() int {
	n := r.uvarint()
	if r.err != nil || n > uint64(len(r.b)) {
		r.b, r.err = nil, errDamaged
		return 0
	}
	return int(n)
}

func (r *reader) bytes() []byte { return r.take(int(min(r.uvarint(), math.MaxInt32))) }

func (r *reader) string() string { return string(r.bytes()) }

func (r *reader) uint64() uint64 {
	raw := r.take(8)
	if raw == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(raw)
}

func (r *reader) float() *float64 {
	v := math.Float64frombits(r.uint64())
	if r.err != nil {
		return nil
	}
	return &v
}
