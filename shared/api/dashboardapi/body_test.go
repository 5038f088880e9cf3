package dashboardapi

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pulse-traces/pulse/shared/fault"
)

// FuzzBody checks what every handler relies on: a body is refused as Invalid or
// gives texts that both engines can store.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `[]`, `5`, `"x"`, `{}`, `{"name":"a"}`, `{"name":"a","name":"b"}`, `{"name":5}`, `{"name":{"a":[1]}}`, `{"name":"\u0000"}`,
		`{"name":"\ud83d"}`, "{\"name\":\"\xff\"}", "\xef\xbb\xbf{}", `{"name":1e400}`, `{"name":`, `{} {}`, ` { "name" : "a" } `, strings.Repeat("[", 300),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := parseBody(raw)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		for _, read := range []func() (string, error){
			func() (string, error) { return b.text("name", maxNameChars) },
			func() (string, error) { return b.trimmed("name", maxNameChars) },
			func() (string, error) { return keyName(b) },
		} {
			s, err := read()
			switch {
			case err != nil && !fault.Is(err, fault.Invalid):
				t.Fatalf("%q: %v", raw, err)
			case err == nil && (!utf8.ValidString(s) || strings.ContainsRune(s, 0) || utf8.RuneCountInString(s) > maxNameChars):
				t.Fatalf("%q gives %q", raw, s)
			}
		}
	})
}

// FuzzRedirect checks that nothing but a page of this machine is ever a target.
func FuzzRedirect(f *testing.F) {
	for _, seed := range []string{
		"http://localhost", "https://127.0.0.1:443/a?b#c", "http://[::1]", "http://localhost@evil.test", "http://localhost\\.evil.test", "//localhost",
		"javascript://localhost/%0a", "http://localhost:", "http://localhost/\r\nX: y", "http:localhost", "HTTP://LOCALHOST",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		target, err := redirectTarget(raw)
		if err != nil {
			return
		}
		again, err := redirectTarget(target)
		if err != nil || again != target {
			t.Fatalf("%q gives %q, which gives %q, %v", raw, target, again, err)
		}
		rest, ok := strings.CutPrefix(strings.Replace(target, "https://", "http://", 1), "http://")
		if !ok || strings.ContainsAny(target, "\r\n\\") {
			t.Fatalf("%q gives %q", raw, target)
		}
		host, _, _ := strings.Cut(rest, "/")
		for _, name := range []string{"localhost", "127.0.0.1", "[::1]"} {
			port, ok := strings.CutPrefix(host, name)
			if ok && strings.Trim(port, ":0123456789") == "" {
				return
			}
		}
		t.Fatalf("%q gives %q", raw, target)
	})
}
