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

// Part is a run of whole buckets, which roll-up rows answer.
type Part struct {
	Grain Grain
	Interval
}

// Cut is a part of a bucket of the finest grain: what remains of a range beside
// whole buckets.
type Cut struct {
	Bucket Part // the whole bucket
	Rows   Interval
}

// Plan splits a range into parts that do not overlap.
type Plan struct {
	Parts []Part // coarsest first; at most 5
	Cuts  []Cut  // counted from their rows; at most 2
}

// NewPlan plans the reading of a range.
func NewPlan(i Interval) Plan {
	var p Plan
	p.split(i, Grains())
	return p
}

// Count adds up what whole counts of the buckets of each part, and cut of the rows of
// each interval that lies in a bucket.
func (p Plan) Count(whole func(Part) (int64, error), cut func(Interval) (int64, error)) (int64, error) {
	var total int64
	for _, part := range p.Parts {
		n, err := whole(part)
		if err != nil {
			return 0, err
		}
		total += n
	}
	for _, c := range p.Cuts {
		n, err := cut(c.Rows)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// split adds i: the whole buckets of the last of grains, what is left on both
// sides from the finer ones.
func (p *Plan) split(i Interval, grains []Grain) {
	if i.Empty() {
		return
	}
	last := len(grains) - 1
	if last < 0 {
		bucket := GrainFiveMin.bucketOf(i.From)
		p.Cuts = append(p.Cuts, Cut{Bucket: Part{GrainFiveMin, Interval{bucket, bucket + fiveMinUS}}, Rows: i})
		return
	}
	g, finer := grains[last], grains[:last]
	whole := Interval{ceilTo(i.From, g.WidthUS()), g.bucketOf(i.To)}
	if whole.From > whole.To || (whole.Empty() && last > 0) {
		p.split(i, finer) // no whole bucket: finer ones may run over the border between two
		return
	}
	if !whole.Empty() {
		p.Parts = append(p.Parts, Part{g, whole})
	}
	p.split(Interval{i.From, whole.From}, finer)
	p.split(Interval{whole.To, i.To}, finer)
}

func ceilTo(v, width int64) int64 {
	if r := v % width; r != 0 {
		return v + width - r
	}
	return v
}

// Fit says how a roll-up row of a cut bucket lies in the range.
type Fit int

// The fits.
const (
	FitOutside Fit = iota // none of its spans is in the range
	FitInside             // all are
	FitCut                // cannot be told from the row
)

// Fit compares a row of c's bucket with the range.
func (c Cut) Fit(s *Sums) Fit {
	switch {
	case s.MaxStart < c.Rows.From || s.MinStart >= c.Rows.To:
		return FitOutside
	case s.MinStart >= c.Rows.From && s.MaxStart < c.Rows.To:
		return FitInside
	}
	return FitCut
}

// Whole reports whether all rows of c's bucket lie inside the range, so that
// they and the bucket's distinct sessions can be used as they are. If not, the
// bucket is counted from its spans.
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
