package exploreapi

import (
	"testing"
	"time"
)

func TestEdges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to, zone string
		n              int
		first, count   string // the first inner edge, in the zone
	}{
		{"2026-01-25T00:00:03Z", "2026-01-25T00:01:00Z", "UTC", 60, "2026-01-25T00:00:04Z", "1s"},
		{"2026-01-25T07:03:00Z", "2026-01-26T07:03:00Z", "UTC", 24, "2026-01-25T08:00:00Z", "1h"},
		{"2026-01-25T07:03:00Z", "2026-01-26T07:03:00Z", "Asia/Kolkata", 24, "2026-01-25T13:00:00+05:30", "1h"},
		{"2026-03-20T12:00:00Z", "2026-04-10T12:00:00Z", "Europe/Berlin", 21, "2026-03-21T00:00:00+01:00", "24h"}, // the clocks change
		{"2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z", "Europe/Berlin", 8, "2026-03-28T18:00:00+01:00", "6h"},
		{"2026-01-01T00:00:00Z", "2026-12-31T00:00:00Z", "UTC", 52, "2026-01-05T00:00:00Z", "168h"}, // a Monday
		{"1970-01-01T00:00:00Z", "2200-01-01T00:00:00Z", "America/New_York", 10, "", ""},
	} {
		from, _ := time.Parse(time.RFC3339, c.from)
		to, _ := time.Parse(time.RFC3339, c.to)
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		edges := edgesOf(from, to, c.n, zone)
		last := len(edges) - 1
		if !edges[0].Equal(from) || !edges[last].Equal(to) || last > c.n+2 {
			t.Errorf("%s to %s: %d buckets from %s to %s", c.from, c.to, last, edges[0], edges[last])
		}
		for i := range last {
			if !edges[i].Before(edges[i+1]) {
				t.Errorf("%s is before %s", edges[i], edges[i+1])
			}
			if local := edges[i].In(zone); i > 0 && c.count != "" {
				width, _ := time.ParseDuration(c.count)
				_, offset := local.Zone()
				if width >= time.Hour && width <= day && (local.Minute() != 0 || local.Add(time.Duration(offset)*time.Second).Truncate(width) != local.Add(time.Duration(offset)*time.Second)) {
					t.Errorf("an edge every %s is at %s", c.count, local)
				}
			}
		}
		if c.first != "" && edges[1].In(zone).Format(time.RFC3339) != c.first {
			t.Errorf("%s in %s: first edge %s", c.from, c.zone, edges[1].In(zone))
		}
	}
}

// FuzzEdges asks for any range.
func FuzzEdges(f *testing.F) {
	f.Add(int64(0), int64(1e15), 60, "Europe/Berlin")
	f.Add(int64(1774000000e6), int64(1775000000e6), 7, "Australia/Lord_Howe")
	f.Fuzz(func(t *testing.T, from, to int64, n int, name string) {
		zone, err := time.LoadLocation(name)
		if err != nil || n < 1 || n > maxBuckets {
			t.Skip()
		}
		edges := edgesOf(time.UnixMicro(from), time.UnixMicro(to), n, zone)
		if len(edges) > 2*n+4 {
			t.Fatalf("%d edges for %d buckets", len(edges), n)
		}
		for i := 1; i < len(edges); i++ {
			if !edges[i-1].Before(edges[i]) {
				t.Fatalf("%s is before %s", edges[i-1], edges[i])
			}
		}
	})
}

// Roll-ups count the traces of parts that begin with their buckets.
func TestSparkEdges(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 1, 25, 10, 2, 33, 7000, time.UTC)
	for length, unit := range map[time.Duration]time.Duration{
		30 * day: time.Hour, 7 * day: time.Hour, day: 5 * time.Minute, time.Hour: time.Microsecond, sparks * time.Millisecond: time.Microsecond,
	} {
		edges := sparkEdges(from, from.Add(length))
		if len(edges) != sparks+1 || !edges[0].Equal(from) || !edges[sparks].Equal(from.Add(length)) {
			t.Fatalf("%v: %v", length, edges)
		}
		for i, at := range edges[1:] {
			if part, inner := at.Sub(edges[i]), i < sparks-1; part <= 0 || inner && !at.Equal(at.Truncate(unit)) || part > length/sparks+unit {
				t.Errorf("%v: a part of %v until %v", length, part, at)
			}
		}
	}
}
