package fold

import (
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Interval is [From, To). It is empty if From >= To.
type Interval struct{ From, To int64 }

// Empty reports whether nothing is in i.
func (i Interval) Empty() bool { return i.From >= i.To }

// Bounds turns r into an interval; open bounds become those of trace.MinTime
// and trace.MaxTime.
func Bounds(r store.TimeRange) Interval {
	i := Interval{From: trace.MinTime.UnixMicro(), To: trace.MaxTime.UnixMicro()}
	if r.From != nil {
		i.From = max(i.From, ceilMicro(r.From.UnixNano()))
		if r.From.After(trace.MaxTime) { // UnixNano overflows on such
			i.From = i.To
		}
		if r.From.Before(trace.MinTime) {
			i.From = trace.MinTime.UnixMicro()
		}
	}
	if r.To != nil {
		switch {
		case r.To.Before(trace.MinTime):
			i.To = i.From
		case r.To.Before(trace.MaxTime):
			i.To = ceilMicro(r.To.UnixNano())
		}
	}
	return i
}

// ceilMicro rounds up: starts are whole microseconds, so that a bound between
// two of them means the later one.
func ceilMicro(ns int64) int64 { return (ns + 999) / 1000 }

// Cut is a part of an hour: what remains of a range beside whole hours.
type Cut struct {
	Hour int64 // begin of the hour
	Rows Interval
}

// Plan splits a range into parts that do not overlap: days and hours that
// roll-up rows answer, and cut hours that are counted from their rows.
type Plan struct {
	Days  Interval   // whole days, read from GrainDay; may be empty
	Hours []Interval // whole hours, read from GrainHour; at most 2
	Cuts  []Cut      // at most 2
}

// NewPlan plans the reading of a range.
func NewPlan(i Interval) Plan {
	var p Plan
	if i.Empty() {
		return p
	}
	h0, h1 := ceilTo(i.From, hourUS), i.To-i.To%hourUS
	if h0 > h1 { // within one hour
		p.Cuts = []Cut{{Hour: h1, Rows: i}}
		return p
	}
	if i.From < h0 {
		p.Cuts = append(p.Cuts, Cut{Hour: h0 - hourUS, Rows: Interval{i.From, h0}})
	}
	if h1 < i.To {
		p.Cuts = append(p.Cuts, Cut{Hour: h1, Rows: Interval{h1, i.To}})
	}
	d0, d1 := ceilTo(h0, dayUS), h1-h1%dayUS
	if d0 >= d1 {
		if h0 < h1 {
			p.Hours = []Interval{{h0, h1}}
		}
		return p
	}
	p.Days = Interval{d0, d1}
	if h0 < d0 {
		p.Hours = append(p.Hours, Interval{h0, d0})
	}
	if d1 < h1 {
		p.Hours = append(p.Hours, Interval{d1, h1})
	}
	return p
}

func ceilTo(v, width int64) int64 {
	if r := v % width; r != 0 {
		return v + width - r
	}
	return v
}

// Fit says how a roll-up row of a cut hour lies in the range.
type Fit int

// The fits.
const (
	FitOutside Fit = iota // none of its spans is in the range
	FitInside             // all are
	FitCut                // cannot be told from the row
)

// Fit compares a row of c's hour with the range.
func (c Cut) Fit(s *Sums) Fit {
	switch {
	case s.MaxStart < c.Rows.From || s.MinStart >= c.Rows.To:
		return FitOutside
	case s.MinStart >= c.Rows.From && s.MaxStart < c.Rows.To:
		return FitInside
	}
	return FitCut
}

// Whole reports whether all rows of c's hour lie inside the range, so that they
// and the hour's distinct sessions can be used as they are. If not, the hour is
// counted from its spans.
func (c Cut) Whole(rows []*Sums) bool {
	for _, s := range rows {
		if c.Fit(s) != FitInside {
			return false
		}
	}
	return true
}

// RollupsCount reports whether roll-up rows know all that f filters on, so that
// they give SpanList.Total. They keep tool names of KindToolUse only.
func RollupsCount(f store.SpanFilter) bool {
	return f.SessionID == "" && f.TraceID == "" && f.Service == "" && (f.ToolName == "" || f.Kind == trace.KindToolUse)
}

// TraceCountsCount reports whether the counts of traces know all that f filters
// on, so that they give TraceList.Total.
func TraceCountsCount(f store.TraceFilter) bool { return f.SessionID == "" && f.Service == "" }
