package api

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// TestMarshal keeps what a client stored as it was sent: the bytes of raw
// values are part of the promise.
func TestMarshal(t *testing.T) {
	type row struct {
		Raw  jsontext.Value `json:"raw"`
		Text string         `json:"text"`
		List []string       `json:"list"`
	}
	for name, raw := range map[string]string{
		"KeyOrder":       `{"z":1,"a":{"y":[],"b":{}}}`,
		"BigNumbers":     `[12345678901234567890,0.1000000000000000055511151231257827,1e400,-0,1E+2]`,
		"Escapes":        `"\u0000\u00e9\/\ud83d\ude00<>&é"`,
		"LoneSurrogate":  `"\ud800"`,
		"RepeatedNames":  `{"a":1,"a":2}`,
		"LineSeparators": "\"\u2028\u2029\"",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Marshal(row{Raw: jsontext.Value(raw), Text: "<&>\u2028é\x00"})
			if err != nil {
				t.Fatal(err)
			}
			if want := `{"raw":` + raw + `,"text":"<&>` + "\u2028" + `é\u0000","list":[]}`; string(got) != want {
				t.Fatalf("got  %s\nwant %s", got, want)
			}
		})
	}
	t.Run("BrokenUTF8", func(t *testing.T) {
		got, err := Marshal("a\xffb")
		if err != nil || string(got) != "\"a\uFFFDb\"" {
			t.Fatalf("%s, %v", got, err)
		}
	})
}
