package api

import "testing"

func TestParseUint(t *testing.T) {
	for s, want := range map[string]int64{
		"1": 1, "": 0, "  ": 0, " 5 ": 5, "2.0": 2, "1e2": 100, "0x10": 16, "0XfF": 255, "-1": -1, "+5": 5,
		".5e1": 5, "9007199254740991": 1<<53 - 1, "-0": 0,
	} {
		if n, ok := ParseUint(s); !ok || n != want {
			t.Errorf("%q: %d, %t", s, n, ok)
		}
	}
	for _, s := range []string{"2.5", "abc", "true", "1e30", "0x", "0x-5", "0x1p3", "1_000", "Infinity", "NaN", "1 2", "99999999999999999999"} {
		if n, ok := ParseUint(s); ok {
			t.Errorf("%q is taken for %d", s, n)
		}
	}
}
