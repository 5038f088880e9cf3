package trace

import "time"

// ParseTime reads an RFC 3339 time as clients send it: upper-case T, Z or
// ±hh:mm, seconds optional, any number of fraction digits (cut to
// microseconds), real dates, offsets up to ±23:59. The result is UTC.
func ParseTime(s string) (time.Time, bool) {
	const date = len("2006-01-02T15:04")
	if len(s) < date+1 || s[10] != 'T' {
		return time.Time{}, false
	}
	layout := "2006-01-02T15:04:05Z07:00" // the parser takes fraction digits by itself
	if s[date] != ':' {
		layout = "2006-01-02T15:04Z07:00"
	}
	for i := range s { // Go also takes a comma before the fraction
		if s[i] == ',' || s[i] == 'z' {
			return time.Time{}, false
		}
	}
	if n := len(s); s[n-1] != 'Z' { // and offsets of up to 24 hours
		if n < 6 || s[n-3] != ':' || s[n-5:n-3] > "23" || s[n-2:] > "59" {
			return time.Time{}, false
		}
	}
	t, err := time.Parse(layout, s)
	if err != nil {
		return time.Time{}, false
	}
	return t.UTC().Truncate(time.Microsecond), true
}
