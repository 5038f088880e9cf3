package otlp

import (
	"bytes"
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

const replacement = "\uFFFD"

// clean gives b as text that every store can hold: what is not UTF-8, and NUL,
// which Postgres has no text for, become U+FFFD. Payloads are JSON and keep NUL
// as an escape.
func clean(b []byte) string {
	if utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 {
		return string(b)
	}
	return strings.ReplaceAll(strings.ToValidUTF8(string(b), replacement), "\x00", replacement)
}

// cut shortens s to at most limit bytes at a character's end.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// cutBytes is cut before clean.
func cutBytes(b []byte, limit int) []byte {
	if len(b) <= limit {
		return b
	}
	for limit > 0 && !utf8.RuneStart(b[limit]) {
		limit--
	}
	return b[:limit]
}

// mustEscape says which ASCII characters JSON text holds only as escapes.
var mustEscape = func() (t [utf8.RuneSelf]bool) {
	for c := range ' ' {
		t[c] = true
	}
	t['"'], t['\\'] = true, true
	return t
}()

const hexDigits = "0123456789abcdef"

// appendQuoted appends s as a JSON string. What is not UTF-8 becomes U+FFFD.
func appendQuoted[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if mustEscape[c] {
				dst = appendEscape(append(dst, s[start:i]...), c)
				start = i + 1
			}
			i++
			continue
		}
		size := runeLen(s, i)
		if size == 0 {
			dst = append(append(dst, s[start:i]...), replacement...)
			i++
			start = i
			continue
		}
		i += size
	}
	return append(append(dst, s[start:]...), '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
}

// runeLen is the length of the UTF-8 character at s[i], 0 if there is none.
func runeLen[T string | []byte](s T, i int) int {
	c := s[i]
	more := func(k int) bool { return i+k < len(s) && s[i+k]&0xC0 == 0x80 }
	switch {
	case c >= 0xC2 && c < 0xE0 && more(1):
		return 2
	case c >= 0xE0 && c < 0xF0 && more(1) && more(2):
		if d := s[i+1]; c == 0xE0 && d < 0xA0 || c == 0xED && d >= 0xA0 { // overlong, or half a pair
			return 0
		}
		return 3
	case c >= 0xF0 && c < 0xF5 && more(1) && more(2) && more(3):
		if d := s[i+1]; c == 0xF0 && d < 0x90 || c == 0xF4 && d >= 0x90 { // overlong, or beyond Unicode
			return 0
		}
		return 4
	}
	return 0
}

// appendFloat appends a double as a JSON number; as the string that OTLP JSON
// has for it if it is none.
func appendFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, 64)
}

// payloadText is clean for payloads, which keep NUL.
func payloadText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return strings.ToValidUTF8(string(b), replacement)
}

func appendBase64(dst, b []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), b), '"')
}
