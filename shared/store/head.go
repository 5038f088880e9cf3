package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"

	"github.com/pulse-traces/pulse/shared/trace"
)

// HeadBytes is how much of a chunk, as it is stored, HeadOfChunk needs: with all
// around it the largest block that Compress writes.
const HeadBytes = 160 << 10

// headContent is how much HeadOfChunk inflates.
const headContent = 64 << 10

// HeadOfChunk gives what the beginning of a chunk tells of its payloads, for a
// line in a list: the first fields, of which the last one is cut. JSON that is cut
// is closed, so that it can be read. Payloads that begin later are empty.
func HeadOfChunk(data []byte) ([]trace.Payload, error) {
	stream, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxChunkBytes))
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	raw := make([]byte, headContent)
	n, err := io.ReadFull(stream, raw)
	if n == 0 || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("inflate the head of a payload chunk: %w", err)
	}
	r := reader{b: raw[:n]}
	count := r.uvarint()
	if r.err != nil || count > maxChunkBytes {
		return nil, errDamaged
	}
	var out []trace.Payload
	for uint64(len(out)) < count && len(r.b) > 0 {
		body, cut := r.head()
		p := trace.Payload{}
		readHead(body, &p)
		if out = append(out, p); cut {
			break
		}
	}
	if count > uint64(len(out)) {
		const most = 10_000 // more payloads than any chunk has whose head is asked for
		out = append(out, make([]trace.Payload, min(count-uint64(len(out)), most))...)
	}
	return out, nil
}

// head is bytes, which may end early.
func (r *reader) head() (v []byte, cut bool) {
	n := r.uvarint()
	if n <= uint64(len(r.b)) {
		return r.take(int(n)), false
	}
	return r.take(len(r.b)), true
}

// readHead reads fields as far as they are there.
func readHead(body []byte, p *trace.Payload) {
	fields, texts := bytesOf(p), textsOf(p)
	f := reader{b: body}
	for len(f.b) > 0 {
		kind := f.byte()
		v, cut := f.head()
		switch {
		case f.err != nil || kind >= payloadRaw || len(v) == 0:
		case fields[kind] != nil:
			if cut {
				v = closeJSON(v)
			}
			*fields[kind] = v
		case texts[kind] != nil:
			text := string(wholeRunes(v))
			*texts[kind] = &text
		}
	}
}

// wholeRunes cuts off a character of which a part is missing.
func wholeRunes(b []byte) []byte {
	for range utf8.UTFMax {
		if r, size := utf8.DecodeLastRune(b); r != utf8.RuneError || size != 1 {
			break
		}
		b = b[:len(b)-1]
	}
	return b
}

// closeJSON makes JSON of the beginning of a JSON text: what is open is closed,
// and what is no value yet cut off. nil if nothing is left.
func closeJSON(head []byte) []byte {
	var open []byte // what closes the values around
	var inText, isKey, wantsKey bool
	escape := -1 // where an escape began whose end has not come
	whole := 0   // where the last value ended, or was opened
	for i, c := range head {
		switch {
		case inText && escape >= 0:
			if n := i - escape; n == 1 && c != 'u' || n == len(`\u1234`)-1 {
				escape = -1
			}
		case inText && c == '\\':
			escape = i
		case inText && c == '"':
			if inText = false; !isKey {
				whole = i + 1
			}
		case inText:
		case c == '"':
			inText, isKey = true, wantsKey
		case c == '{':
			open, wantsKey, whole = append(open, '}'), true, i+1
		case c == '[':
			open, wantsKey, whole = append(open, ']'), false, i+1
		case c == '}' || c == ']':
			if len(open) == 0 {
				return nil
			}
			open, whole = open[:len(open)-1], i+1
		case c == ':':
			wantsKey = false
		case c == ',':
			whole, wantsKey = i, len(open) > 0 && open[len(open)-1] == '}'
		}
	}
	out := head[:whole]
	if inText && !isKey {
		if out = head; escape >= 0 {
			out = head[:escape]
		}
		out = append(bytes.Clone(wholeRunes(out)), '"')
	}
	if len(out) == 0 {
		return nil
	}
	out = bytes.Clone(out)
	for i := len(open) - 1; i >= 0; i-- {
		out = append(out, open[i])
	}
	return out
}
