package store

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"strconv"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/pulse-traces/pulse/shared/trace"
)

// A signature tells which texts the payloads of a chunk may hold, without the
// payloads: it is a Bloom filter, of one hash, of every sequence of gramBytes
// bytes in the texts, in lower case. So a search for a text in whatever script
// reads some hundred bytes of a chunk and opens only those that may hold it.
//
// On disk it is a version byte, the binary logarithm of its number of bits, and
// the bits, the lowest of each byte first. One without bits holds anything.
const (
	signatureVersion = 1
	gramBytes        = 4
	// A signature has at least bitsPerGram bits for each sequence that it holds,
	// so that two of three sequences that it does not hold are told from those.
	bitsPerGram = 2
	minBits     = 7  // as logarithms, of a chunk of few short texts
	maxBits     = 20 // and of one prompt of many megabytes
)

// gramMultiplier spreads sequences over the bits: 2^32 divided by the golden
// ratio. Signatures are stored: never change it.
const gramMultiplier = 2654435769

// Sign makes the signature of a chunk's payloads, of all that a search for texts
// or metadata looks at: see Searched.
func Sign(payloads []trace.Payload) []byte {
	size := 0
	for i := range payloads {
		size += payloads[i].Bytes()
	}
	logarithm := min(max(bits.Len(uint(size)), minBits), maxBits)
	s := signer{words: make([]uint64, max(1<<logarithm/64, 1)), mask: 1<<logarithm - 1}
	for i := range payloads {
		p := &payloads[i]
		texts, values := Searched(p)
		for _, text := range texts {
			s.text([]byte(text))
		}
		for _, value := range values {
			s.json(value)
		}
		s.text(p.Error) // which is shown as it is where it has no message
	}
	return s.fold(logarithm)
}

// Searched gives what a search looks at of a payload: texts, and JSON whose names,
// texts and numbers it looks at.
func Searched(p *trace.Payload) (texts []string, values []json.RawMessage) {
	for _, text := range []*string{p.OutputText, p.StatusMessage} {
		if text != nil {
			texts = append(texts, *text)
		}
	}
	for _, value := range []json.RawMessage{
		p.Request, p.Response, p.InputMessages, p.OutputMessages, p.ToolInput, p.ToolResponse, p.Error, p.Metadata, p.Attributes, p.Parameters, p.Tools, p.Events,
	} {
		if len(value) > 0 {
			values = append(values, value)
		}
	}
	return texts, values
}

// signer sets the bits of texts.
type signer struct {
	words []uint64
	mask  uint32
	lower []byte // a text in lower case
}

func bitOf(gram uint32) uint32 {
	return gram * gramMultiplier >> (32 - maxBits)
}

// grams sets the bits of a text in lower case.
func (s *signer) grams(text []byte) {
	if len(text) < gramBytes {
		return
	}
	gram := binary.BigEndian.Uint32(text)
	for _, b := range text[gramBytes:] {
		at := bitOf(gram) & s.mask
		s.words[at/64] |= 1 << (at % 64)
		gram = gram<<8 | uint32(b)
	}
	at := bitOf(gram) & s.mask
	s.words[at/64] |= 1 << (at % 64)
}

func (s *signer) text(text []byte) {
	s.lower = appendLower(s.lower[:0], text)
	s.grams(s.lower)
}

// json sets the bits of JSON, names and punctuation too: what its strings hold
// follows without a gap, once their escapes are read.
func (s *signer) json(value []byte) {
	if bytes.IndexByte(value, '\\') >= 0 {
		value = unescape(value)
	}
	s.text(value)
}

// fold makes a signature of the bits: half as long while enough are left.
func (s *signer) fold(logarithm int) []byte {
	set := 0
	for _, w := range s.words {
		set += bits.OnesCount64(w)
	}
	for ; logarithm > minBits && set*bitsPerGram <= 1<<(logarithm-1); logarithm-- {
		half := len(s.words) / 2
		for i, w := range s.words[half:] {
			s.words[i] |= w
		}
		s.words = s.words[:half]
	}
	out := append(make([]byte, 0, 2+8*len(s.words)), signatureVersion, byte(logarithm))
	for _, w := range s.words {
		out = binary.LittleEndian.AppendUint64(out, w)
	}
	return out
}

// MayHold reports whether a chunk with a signature may hold a text, in whatever
// case: false is certain. Without a signature, or with one that it cannot read,
// and for texts of less than four bytes, it is true.
func MayHold(signature []byte, text string) bool {
	lower := appendLower(nil, []byte(text))
	if len(lower) < gramBytes || len(signature) < 2 || signature[0] != signatureVersion {
		return true
	}
	logarithm, set := signature[1], signature[2:]
	if logarithm < minBits || logarithm > maxBits || len(set) != 1<<logarithm/8 {
		return true
	}
	mask := uint32(1)<<logarithm - 1
	for i := 0; i+gramBytes <= len(lower); i++ {
		at := bitOf(binary.BigEndian.Uint32(lower[i:])) & mask
		if set[at/8]&(1<<(at%8)) == 0 {
			return false
		}
	}
	return true
}

// Prunes reports whether signatures can tell that a text is not there.
func Prunes(text string) bool { return len(appendLower(nil, []byte(text))) >= gramBytes }

// appendLower appends a text as strings.ToLower gives it.
func appendLower(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		b := text[i]
		if b < utf8.RuneSelf {
			if 'A' <= b && b <= 'Z' {
				b += 'a' - 'A'
			}
			dst = append(dst, b)
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		dst = utf8.AppendRune(dst, unicode.ToLower(r))
		i += n
	}
	return dst
}

// unescape gives JSON with the escapes of its strings read, as encoding/json reads
// them: of a half of a pair it makes U+FFFD. What is no escape stays.
func unescape(value []byte) []byte {
	out := make([]byte, 0, len(value))
	for len(value) > 0 {
		plain := bytes.IndexByte(value, '\\')
		if plain < 0 || plain+1 == len(value) {
			return append(out, value...)
		}
		out = append(out, value[:plain]...)
		escape := value[plain+1]
		value = value[plain+2:]
		switch escape {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, ok := hexRune(value)
			if !ok {
				continue
			}
			value = value[4:]
			if low, ok := bytes.CutPrefix(value, []byte(`\u`)); utf16.IsSurrogate(r) {
				half, _ := hexRune(low)
				if r = utf16.DecodeRune(r, half); ok && r != utf8.RuneError {
					value = low[4:]
				}
			}
			out = utf8.AppendRune(out, r)
		default: // a quote, a slash or a backslash
			out = append(out, escape)
		}
	}
	return out
}

// hexRune reads four hexadecimal digits.
func hexRune(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[:4]), 16, 16)
	return rune(n), err == nil
}
