package exploreapi

import (
	"slices"
	"time"
	_ "time/tzdata" // neither Lambda nor an empty container has zones

	"github.com/pulse-traces/pulse/shared/trace"
)

const day = 24 * time.Hour

// widths are how wide a bucket may be.
var widths = []time.Duration{
	time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, 2 * day, 7 * day, 14 * day, 28 * day, 91 * day, 364 * day, 3640 * day,
}

// edgesOf splits a range into about n buckets, whose inner edges are where a
// clock or calendar of the zone would have them. It is nil for an empty range.
func edgesOf(from, to time.Time, n int, zone *time.Location) []time.Time {
	if from.Before(trace.MinTime) {
		from = trace.MinTime
	}
	if to.After(trace.MaxTime) {
		to = trace.MaxTime
	}
	if !from.Before(to) {
		return nil
	}
	least, width := to.Sub(from)/time.Duration(n), time.Duration(0)
	for _, w := range widths {
		if width = w; least <= w {
			break
		}
	}
	width *= max(1, (least+width-1)/width) // beyond the widest, several of those
	edges := []time.Time{from}
	add := func(t time.Time) bool {
		if t = t.UTC(); t.After(edges[len(edges)-1]) && t.Before(to) {
			edges = append(edges, t)
		}
		return t.Before(to)
	}
	if width < time.Hour { // zones differ by quarters of hours
		for t := from.Truncate(width); add(t); t = t.Add(width) {
		}
		return append(edges, to)
	}
	local := from.In(zone)
	year, month, date := local.Date()
	if days := int(width / day); days > 1 { // weeks begin on Mondays
		const monday = 3 // that 1970 began after
		since := int(time.Date(year, month, date, 0, 0, 0, 0, time.UTC).Sub(time.Unix(0, 0))/day) + monday
		date -= since % days
	}
	step, hours := max(int(width/day), 1), int(min(width, day)/time.Hour)
	for more := true; more; date += step {
		for h := 0; h < 24 && more; h += hours {
			more = add(time.Date(year, month, date, h, 0, 0, 0, zone))
		}
	}
	return append(edges, to)
}

// zone reads the name of a time zone; UTC if absent.
func (in *input) zone(name string) *time.Location {
	const longest = 64
	v := in.text(name, longest)
	zone, err := time.LoadLocation(v)
	if err != nil || v == "Local" { // that of the server is nobody's business
		in.fault(name, "invalid_value", "Invalid time zone: expected a name like Europe/Berlin")
		return time.UTC
	}
	return zone
}

// milliseconds gives times as JavaScript counts them.
func milliseconds(times []time.Time) []int64 {
	out := make([]int64, len(times))
	for i, t := range times {
		out[i] = t.UnixMilli()
	}
	return slices.Clip(out)
}
