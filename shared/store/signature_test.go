package store

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pulse-traces/pulse/shared/trace"
)

func request(t *testing.T, text string) []trace.Payload {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"messages": []map[string]string{{"role": "user", "content": text}}})
	if err != nil {
		t.Fatal(err)
	}
	return []trace.Payload{{Request: raw}}
}

func TestMayHold(t *testing.T) {
	t.Parallel()
	const text = "Die Rückzahlung für Bestellung ORD-8f3a2c: 返金ポリシーを確認 \"zitiert\" <b> a\\b\nЗаказ ОТМЕНЁН 🙂"
	signature := Sign(request(t, text))
	for _, needle := range []string{
		"ord-8f3a2c", "RÜCKZAHLUNG", "返金", "ポリシー", "\"zitiert\" <b>", `a\b`, "\nзаказ отменён", "🙂", "messages", "abc", "",
	} {
		if !MayHold(signature, needle) {
			t.Errorf("%q is there", needle)
		}
	}
	absent := 0
	for i := range 1000 {
		if !MayHold(signature, fmt.Sprintf("needle %x", i*7919)) {
			absent++
		}
	}
	if absent < 999 {
		t.Errorf("told of %d of 1,000 texts that they are not there", absent)
	}
	for _, s := range [][]byte{nil, {}, {1}, {1, 200}, {1, 7}, {9, 7, 1}, signature[:len(signature)-1]} {
		if !MayHold(s, "whatever") {
			t.Errorf("% x tells something", s)
		}
	}
}

// However large the payloads, a signature stays small beside them and tells
// something.
func TestSignatureSize(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, words := range []int{0, 1, 100, 10_000, 1_000_000} {
		var b strings.Builder
		for range words {
			fmt.Fprintf(&b, "w%x ", rng.IntN(5000))
		}
		payloads := request(t, b.String())
		signature := Sign(payloads)
		if size := payloads[0].Bytes(); len(signature) > max(size/2, 64) {
			t.Errorf("%d bytes of %d", len(signature), size)
		}
		if MayHold(signature, "nothing of this kind") {
			t.Errorf("of %d words it cannot tell", words)
		}
	}
}

// What a search finds is never ruled out by a signature.
func FuzzSign(f *testing.F) {
	f.Add(`{"a":"Über \u00dcber \ud83d\ude00 \ud83d x","b":[1.5E3,"\\\"\/"]}`, "plain İstanbul \xff text", 3, 9)
	f.Add(`"ẞSS"`, "", 0, 4)
	f.Add(`["\u12`, "x", 1, 2)
	f.Fuzz(func(t *testing.T, value, text string, from, size int) {
		p := trace.Payload{Request: json.RawMessage(value), OutputText: &text, Error: json.RawMessage(value)}
		signature := Sign([]trace.Payload{p})
		said := []string{text, value} // an error is shown as it is
		d := json.NewDecoder(strings.NewReader(value))
		d.UseNumber()
		for {
			token, err := d.Token()
			if err != nil {
				break
			}
			switch v := token.(type) {
			case string:
				said = append(said, v)
			case json.Number:
				said = append(said, v.String())
			}
		}
		for _, s := range said {
			lower := strings.ToLower(s)
			a := max(min(from, len(lower)), 0)
			b := max(min(a+max(size, 0), len(lower)), a)
			if needle := strings.ToValidUTF8(lower[a:b], ""); strings.Contains(lower, needle) && !MayHold(signature, needle) {
				t.Fatalf("%q holds %q", s, needle)
			}
		}
	})
}

func BenchmarkSign(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	payloads := make([]trace.Payload, 20)
	for i := range payloads {
		var text strings.Builder
		for text.Len() < 3000 {
			fmt.Fprintf(&text, "word%d ", rng.IntN(3000))
		}
		raw, _ := json.Marshal(map[string]string{"content": text.String()})
		payloads[i].Request = raw
	}
	b.SetBytes(20 * 3000)
	for b.Loop() {
		Sign(payloads)
	}
}
