package fold

import (
	"context"
	"slices"

	"github.com/pulse-traces/pulse/shared/sketch"
)

// Tables is what an engine does for State.WriteRollups: the stored roll-ups,
// distinct sessions and counts of traces of one project.
type Tables interface {
	// Rollups gives the stored rows among keys.
	Rollups(ctx context.Context, keys []RollupKey) (Rollups, error)
	PutRollups(ctx context.Context, rows Rollups) error
	DeleteRollups(ctx context.Context, keys []RollupKey) error
	// CountRollup counts anew what a row of GrainFiveMin counts.
	CountRollup(ctx context.Context, k RollupKey) (Sums, error)

	// Distincts gives the stored rows among keys.
	Distincts(ctx context.Context, keys []BucketKey) (Distincts, error)
	PutDistincts(ctx context.Context, rows Distincts) error
	DeleteDistincts(ctx context.Context, keys []BucketKey) error
	// CountDistinct counts anew the sessions of a bucket of GrainFiveMin.
	CountDistinct(ctx context.Context, bucket int64) (*sketch.Distinct, error)

	// TraceCounts gives the stored rows among keys.
	TraceCounts(ctx context.Context, keys []TraceCountKey) (TraceCounts, error)
	PutTraceCounts(ctx context.Context, rows TraceCounts) error
	DeleteTraceCounts(ctx context.Context, keys []TraceCountKey) error
}

// Distincts are distinct sessions of model calls by bucket.
type Distincts map[BucketKey]*sketch.Distinct

// finer is the grain that rows of g are made anew from.
func (g Grain) finer() Grain {
	if g == GrainDay {
		return GrainHour
	}
	return GrainFiveMin
}

// finerBuckets lists the buckets of the finer grain within one of g.
func (g Grain) finerBuckets(bucket int64) []int64 {
	var out []int64
	for b := bucket; b < bucket+g.WidthUS(); b += g.finer().WidthUS() {
		out = append(out, b)
	}
	return out
}

// WriteRollups brings stored roll-ups, distinct sessions and counts of traces up
// to date. The spans must be written: rows that cannot be told from what they
// were are counted from them, or from the finer rows.
func (s *State) WriteRollups(ctx context.Context, t Tables) error {
	if err := s.writeRollups(ctx, t); err != nil {
		return err
	}
	if err := s.writeDistincts(ctx, t); err != nil {
		return err
	}
	return s.writeTraceCounts(ctx, t)
}

func (s *State) writeRollups(ctx context.Context, t Tables) error {
	keys := make([]RollupKey, 0, len(s.Rollups)+len(s.Removed))
	for k := range s.Rollups {
		keys = append(keys, k)
	}
	for k := range s.Removed {
		if s.Rollups[k] == nil {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	stored, err := t.Rollups(ctx, keys)
	if err != nil {
		return err
	}
	put := make(Rollups, len(keys))
	var gone, anew []RollupKey
	keep := func(k RollupKey, sums *Sums) {
		if put[k] = sums; sums.Count == 0 {
			delete(put, k)
			gone = append(gone, k)
		}
	}
	for _, k := range keys {
		row, removed, added := orEmpty(stored[k]), orEmpty(s.Removed[k]), orEmpty(s.Rollups[k])
		if row.Become(removed, added) {
			keep(k, row)
		} else {
			anew = append(anew, k)
		}
	}
	for _, g := range Grains() { // the finer ones first
		for _, k := range anew {
			if k.Grain != g {
				continue
			}
			sums, err := countRollup(ctx, t, k, put, gone)
			if err != nil {
				return err
			}
			keep(k, sums)
		}
	}
	if err := t.PutRollups(ctx, put); err != nil || len(gone) == 0 {
		return err
	}
	return t.DeleteRollups(ctx, gone)
}

func orEmpty(s *Sums) *Sums {
	if s == nil {
		return &Sums{}
	}
	return s
}

// countRollup counts a row anew. put and gone are what of the finer rows is not
// stored yet.
func countRollup(ctx context.Context, t Tables, k RollupKey, put Rollups, gone []RollupKey) (*Sums, error) {
	if k.Grain == GrainFiveMin {
		sums, err := t.CountRollup(ctx, k)
		return &sums, err
	}
	var keys []RollupKey
	for _, bucket := range k.Grain.finerBuckets(k.Bucket) {
		keys = append(keys, RollupKey{Grain: k.Grain.finer(), Bucket: bucket, Rollup: k.Rollup})
	}
	rows, err := t.Rollups(ctx, keys)
	if err != nil {
		return nil, err
	}
	var sums Sums
	for _, key := range keys {
		switch {
		case put[key] != nil:
			sums.Merge(put[key])
		case rows[key] != nil && !slices.Contains(gone, key):
			sums.Merge(rows[key])
		}
	}
	return &sums, nil
}

func (s *State) writeDistincts(ctx context.Context, t Tables) error {
	anew := map[BucketKey]bool{}
	for bucket := range s.Stale.Distinct {
		for _, g := range Grains() {
			anew[BucketKey{g, g.bucketOf(bucket)}] = true
		}
	}
	var keys []BucketKey
	for k := range s.Distinct {
		if !anew[k] {
			keys = append(keys, k)
		}
	}
	put := Distincts{}
	if len(keys) > 0 {
		stored, err := t.Distincts(ctx, keys)
		if err != nil {
			return err
		}
		for _, k := range keys {
			put[k] = s.Distinct[k]
			if old := stored[k]; old != nil {
				put[k].Merge(old)
			}
		}
	}
	var gone []BucketKey
	for _, g := range Grains() {
		for k := range anew {
			if k.Grain != g {
				continue
			}
			d, err := countDistinct(ctx, t, k, put, gone)
			if err != nil {
				return err
			}
			if d.Empty() {
				gone = append(gone, k)
			} else {
				put[k] = d
			}
		}
	}
	if len(put) > 0 {
		if err := t.PutDistincts(ctx, put); err != nil {
			return err
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return t.DeleteDistincts(ctx, gone)
}

// countDistinct is countRollup for distinct sessions.
func countDistinct(ctx context.Context, t Tables, k BucketKey, put Distincts, gone []BucketKey) (*sketch.Distinct, error) {
	if k.Grain == GrainFiveMin {
		return t.CountDistinct(ctx, k.Bucket)
	}
	var keys []BucketKey
	for _, bucket := range k.Grain.finerBuckets(k.Bucket) {
		keys = append(keys, BucketKey{k.Grain.finer(), bucket})
	}
	rows, err := t.Distincts(ctx, keys)
	if err != nil {
		return nil, err
	}
	d := &sketch.Distinct{}
	for _, key := range keys {
		switch {
		case put[key] != nil:
			d.Merge(put[key])
		case rows[key] != nil && !slices.Contains(gone, key):
			d.Merge(rows[key])
		}
	}
	return d, nil
}
