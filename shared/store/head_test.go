package store

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pulse-traces/pulse/shared/trace"
)

func TestCloseJSON(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]string{
		`{"messages":[{"role":"user","content":"Hello`: `{"messages":[{"role":"user","content":"Hello"}]}`,
		`{"a":1,"b":[1,2,3`:                            `{"a":1,"b":[1,2]}`,
		`{"a":1,"b`:                                    `{"a":1}`,
		`{"a":1,"b"`:                                   `{"a":1}`,
		`{"a":1,"b":`:                                  `{"a":1}`,
		`{"a":1,`:                                      `{"a":1}`,
		`{"a":tru`:                                     `{}`,
		`["a\`:                                         `["a"]`,
		`["a\u00e`:                                     `["a"]`,
		`["a\\`:                                        `["a\\"]`,
		`["a\u00e9`:                                    `["a\u00e9"]`,
		`["a\"`:                                        `["a\""]`,
		`"日` + "\xe6\x9c":                              `"日"`,
		`[[],{},"x"`:                                   `[[],{},"x"]`,
		`{"a":{"b":"c"},"d":[`:                         `{"a":{"b":"c"},"d":[]}`,
		`12`:                                           ``,
		`]`:                                            ``,
		``:                                             ``,
	} {
		if got := string(closeJSON([]byte(head))); got != want {
			t.Errorf("%s: %s, want %s", head, got, want)
		}
	}
	const text = `{"model":"gpt","n":[1.5e3,null,true,{"deep":["\"\\\/é日","x"]}],"messages":[{"role":"user","content":"Grüße 😀\ud83d\ude00 \n"}],"empty":{}}`
	for n := range len(text) {
		if got := closeJSON([]byte(text[:n])); got != nil && !json.Valid(got) {
			t.Errorf("%s became %s", text[:n], got)
		}
	}
}

func FuzzCloseJSON(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":"c\u00e9"}]}`), 9)
	f.Fuzz(func(t *testing.T, text []byte, n int) {
		if !json.Valid(text) || !utf8.Valid(text) || n < 0 || n > len(text) {
			return
		}
		if got := closeJSON(text[:n]); got != nil && !json.Valid(got) {
			t.Fatalf("%s became %s", text[:n], got)
		}
	})
}

// TestHeadOfChunk reads the begin of what is stored, of content that compresses
// and of such that does not.
func TestHeadOfChunk(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	var random strings.Builder
	for random.Len() < 3<<20 {
		fmt.Fprintf(&random, "%x ", rng.Uint64())
	}
	for name, prompt := range map[string]string{"repeated": strings.Repeat("Wie groß? ", 2<<20), "random": random.String()} {
		request, err := json.Marshal(map[string]any{"messages": []map[string]string{{"role": "user", "content": prompt}}})
		if err != nil {
			t.Fatal(err)
		}
		b := Pack("p", time.Now(), []trace.Span{{ID: "a", Payload: trace.Payload{Request: request, OutputText: ptr("behind it")}}})
		data := b.Chunks[0].Data
		got, err := HeadOfChunk(data[:min(len(data), HeadBytes)])
		if err != nil || len(got) != 1 {
			t.Fatalf("%s: %d payloads, %v", name, len(got), err)
		}
		var read struct{ Messages []struct{ Content string } }
		if err := json.Unmarshal(got[0].Request, &read); err != nil || len(read.Messages) != 1 {
			t.Fatalf("%s: %v", name, err)
		}
		if said := read.Messages[0].Content; len(said) < 60_000 || !strings.HasPrefix(prompt, said) {
			t.Errorf("%s: %d bytes", name, len(said))
		}
	}
	incompressible := make([]byte, 1<<20)
	for i := range incompressible {
		incompressible[i] = byte(rng.Uint32())
	}
	if n := len(Compress(incompressible)); n > CompressedBytes(len(incompressible)) || CompressedBytes(math.MaxInt) != math.MaxInt {
		t.Errorf("%d bytes", n)
	}
	if _, err := HeadOfChunk([]byte("damaged")); err == nil {
		t.Error("damage is read")
	}
}
