package queryapi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

const (
	invalidQuery = "Invalid query parameters"
	maxLimit     = 1000
)

// query reads a request's parameters and collects every fault, in the order
// they are asked for.
type query struct {
	values map[string]string // of a repeated name the first
	issues []fault.Issue
	dates  []fault.Issue // of list dates, which are reported after all others
}

// parseQuery reads the query as browsers' forms are read: "+" is a blank, and a
// percent sign that begins no escape stands for itself. Bytes that are no UTF-8
// become U+FFFD. (net/url drops what is malformed, and everything with a
// semicolon.)
func parseQuery(r *http.Request) *query {
	q := &query{values: map[string]string{}}
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name = unescape(name)
		if _, repeated := q.values[name]; !repeated && pair != "" {
			q.values[name] = unescape(value)
		}
	}
	return q
}

func unescape(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			out = append(out, ' ')
		case c == '%' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0:
			out = append(out, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
			i += 2
		default:
			out = append(out, c)
		}
	}
	return strings.ToValidUTF8(string(out), "\uFFFD")
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func (q *query) fault(name, code, message string) {
	q.issues = append(q.issues, fault.Issue{Path: []any{name}, Code: code, Message: message})
}

// err gives all faults found. Where only list dates are wrong the message names
// the first of them, as the earlier service did.
func (q *query) err() error {
	issues := slices.Concat(q.issues, q.dates)
	if len(issues) == 0 {
		return nil
	}
	e := fault.New(fault.Invalid, invalidQuery)
	if len(q.issues) == 0 {
		e.Message = fmt.Sprintf("Invalid %s parameter", issues[0].Path[0])
	}
	e.Issues = issues
	return e
}

// text reads free text; "" if absent or empty, which filters nothing.
func (q *query) text(name string) string {
	v := q.values[name]
	if strings.IndexByte(v, 0) >= 0 {
		q.fault(name, "invalid_format", "Invalid string: remove the NUL character (U+0000)")
		return ""
	}
	return v
}

// enum reads one of options; the zero value if absent.
func enum[T ~string](q *query, name string, options []T) T {
	v, ok := q.values[name]
	if ok && !slices.Contains(options, T(v)) {
		quoted := make([]string, len(options))
		for i, o := range options {
			quoted[i] = `"` + string(o) + `"`
		}
		q.fault(name, "invalid_value", "Invalid option: expected one of "+strings.Join(quoted, "|"))
		return ""
	}
	return T(v)
}

// integer reads a whole number from low to high.
func (q *query) integer(name string, low, high, absent int64) int {
	v, ok := q.values[name]
	if !ok {
		return int(absent)
	}
	n, ok := api.ParseUint(v)
	switch {
	case !ok:
		q.fault(name, "invalid_type", "Invalid input: expected a whole number")
	case n < low:
		q.fault(name, "too_small", fmt.Sprintf("Too small: expected number to be >=%d", low))
	case n > high:
		q.fault(name, "too_big", fmt.Sprintf("Too big: expected number to be <=%d", high))
	default:
		return int(n)
	}
	return int(absent)
}

func (q *query) limit(absent int64) int { return q.integer("limit", 1, maxLimit, absent) }

func (q *query) offset() int { return q.integer("offset", 0, trace.MaxTokens, 0) }

// page reads what every list takes.
func (q *query) page(defaultLimit int64) store.Page {
	p := store.Page{Limit: q.limit(defaultLimit), Cursor: q.text("cursor"), Detail: store.Full}
	if enum(q, "fields", []string{"summary"}) != "" {
		p.Detail = store.Summary
	}
	return p
}

// listPage is page for lists that also take an offset, which does not count
// beside a cursor.
func (q *query) listPage() store.Page {
	p := q.page(defaultListLimit)
	if offset := q.offset(); p.Cursor == "" {
		p.Offset = offset
	}
	return p
}

// listRange reads the optional date_from and date_to of a list, both inclusive
// to the millisecond.
func (q *query) listRange() store.TimeRange {
	var r store.TimeRange
	bound := func(name string, last bool) *time.Time {
		v, ok := q.values[name]
		if !ok {
			return nil
		}
		t, ok := parseListDate(v, last)
		if !ok {
			q.dates = append(q.dates, fault.Issue{
				Path: []any{name}, Code: "invalid_format",
				Message: "Invalid date: expected YYYY-MM-DD, seconds or milliseconds since 1970, or an RFC 3339 time with its zone",
			})
			return nil
		}
		return &t
	}
	if from := bound("date_from", false); from != nil {
		r.From = firstMoment(*from)
	}
	if to := bound("date_to", true); to != nil {
		r.To = endMoment(*to)
	}
	return r
}

// analyticsRange reads date_from and date_to where both are required, RFC 3339
// with a zone, inclusive to the millisecond.
func (q *query) analyticsRange() store.TimeRange {
	bound := func(name string) time.Time {
		v, ok := q.values[name]
		if !ok {
			q.fault(name, "invalid_type", "Invalid input: expected string, received undefined")
			return time.Time{}
		}
		t, ok := trace.ParseTime(v)
		if !ok {
			q.fault(name, "invalid_format", "Invalid ISO datetime: expected an RFC 3339 time with its zone, its + written as %2B")
		}
		return t
	}
	from, to := bound("date_from"), bound("date_to")
	return store.TimeRange{From: firstMoment(from), To: endMoment(to)}
}

// firstMoment and endMoment turn inclusive bounds, to the millisecond, into
// those of a store.TimeRange. No record is outside trace.MinTime and MaxTime,
// so neither need a range be.
func firstMoment(t time.Time) *time.Time { return clamp(t.Truncate(time.Millisecond)) }

func endMoment(t time.Time) *time.Time {
	return clamp(t.Truncate(time.Millisecond).Add(time.Millisecond))
}

func clamp(t time.Time) *time.Time {
	if t.Before(trace.MinTime) {
		t = trace.MinTime
	}
	if t.After(trace.MaxTime) {
		t = trace.MaxTime
	}
	return &t
}

// parseListDate reads a date as lists take it: a day (its first moment, or its
// last millisecond), seconds (below 10^12) or milliseconds since 1970, or an
// RFC 3339 time with its zone.
func parseListDate(v string, last bool) (time.Time, bool) {
	v = strings.TrimSpace(v)
	if n, ok := digits(v); ok {
		if n < 1e12 {
			return time.Unix(n, 0).UTC(), true
		}
		return time.UnixMilli(n).UTC(), n <= maxUnixMilli
	}
	if day, err := time.Parse(time.DateOnly, v); err == nil {
		if last {
			day = day.AddDate(0, 0, 1).Add(-time.Millisecond)
		}
		return day, true
	}
	return trace.ParseTime(v)
}

// maxUnixMilli is the last moment that JavaScript's Date holds.
const maxUnixMilli = 8_640_000_000_000_000

// digits reads a number of decimal digits only; false also if it is too large.
func digits(v string) (int64, bool) {
	if v == "" || len(v) > 18 || strings.Trim(v, "0123456789") != "" {
		return 0, false
	}
	var n int64
	for _, c := range []byte(v) {
		n = n*10 + int64(c-'0')
	}
	return n, true
}
