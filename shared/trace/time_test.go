package trace

import (
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	for in, want := range map[string]string{
		"2026-01-25T12:00:00Z":                "2026-01-25T12:00:00Z",
		"2026-01-25T12:00Z":                   "2026-01-25T12:00:00Z",
		"2026-01-25T12:00:00.1234569+05:30":   "2026-01-25T06:30:00.123456Z",
		"2026-01-25T12:00:00.123456789-23:59": "2026-01-26T11:59:00.123456Z",
		"2024-02-29T23:59:59Z":                "2024-02-29T23:59:59Z",
	} {
		got, ok := ParseTime(in)
		if !ok || got.Format(time.RFC3339Nano) != want {
			t.Errorf("ParseTime(%q) = %v, %v; want %s", in, got, ok, want)
		}
	}
	for _, in := range []string{
		"", "2026-01-25", "2026-01-25T12:00:00", "2026-01-25T12:00:00+0530", "2026-01-25T12:00:00+05",
		"2026-01-25 12:00:00Z", "2026-01-25t12:00:00Z", "2026-01-25T12:00:00z", "2026-01-25T24:00:00Z", "2026-01-25T12:00:60Z",
		"2026-02-29T12:00:00Z", "2026-13-01T12:00:00Z", "2026-01-25T12:00:00+24:00", "2026-01-25T12:00:00,5Z", "1769342400",
		"2026-01-25T12:00:00.Z", "2026-01-25T1:00:00Z",
	} {
		if got, ok := ParseTime(in); ok {
			t.Errorf("ParseTime(%q) = %v, want refusal", in, got)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	f.Add("2026-01-25T12:00:00.123456789-23:59")
	f.Fuzz(func(t *testing.T, s string) {
		if got, ok := ParseTime(s); ok {
			if again, ok := ParseTime(got.Format(time.RFC3339Nano)); !ok && got.Year() >= 0 && got.Year() < 10000 || ok && !again.Equal(got) {
				t.Fatalf("%q reads as %v, which reads as %v", s, got, again)
			}
		}
	})
}
