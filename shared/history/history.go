// Package history brings stored spans up to date with what Pulse has learned
// since they came: today's reading of OpenTelemetry, today's prices. It goes
// through a store in steps, in bounded memory, and may be stopped and begun
// again; the sums are right after each step. It knows no host.
package history

import (
	"context"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/otlp"
	"github.com/pulse-traces/pulse/shared/pricebook"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Store is what a rewrite needs of a store.
type Store interface {
	Projects(ctx context.Context) ([]account.ProjectID, error)
	RewriteSpans(ctx context.Context, project account.ProjectID, r store.Rewrite) (store.Rewritten, error)
}

// Options say what is gone through.
type Options struct {
	Time    store.TimeRange
	Project account.ProjectID // "" is all of them
	DryRun  bool              // change nothing, only count
	Prices  *pricebook.Book   // what calls are priced by
	// Resume goes on where an earlier run of the same command stopped, with its
	// Result.Resume; "" begins. What is none is fault.Invalid.
	Resume string
	// Progress, if set, is told after each step what was done in all.
	Progress func(Result)
}

// Result tells what was done, also beside an error.
type Result struct {
	Read, Changed int64 // spans
	Damaged       int64 // whose raw bytes cannot be read any more: they stay as they are
	CostNanoUSD   int64 // by how much the changed spans' costs grew, in all
	Differences   []Difference
	Resume        string // where it goes on; "" at the end
}

// How many spans a step goes through. Spans that began near each other came in many
// batches, each of which has its payloads compressed together: the larger a step
// is, the more of a batch's are read at once. It has few of them in memory.
const (
	remapStep   = 100_000
	repriceStep = 500
)

// Remap reads the raw bytes of spans that came as OpenTelemetry again. A span
// changes only if today's reading says something else of it.
func Remap(ctx context.Context, st Store, o Options) (Result, error) {
	return rewrite(ctx, st, o, store.Rewrite{Mapped: true, Detail: store.Full, Limit: remapStep}, func(s *trace.Span, prices pricebook.Pricer) (changed, damaged bool) {
		fresh, err := otlp.Remap(s.Payload.Raw, s.Start)
		if err != nil {
			return false, true
		}
		// What the store has decided, and what came with the bytes.
		fresh.ID, fresh.Form, fresh.Repeat, fresh.APIKey, fresh.Payload.Raw = s.ID, s.Form, s.Repeat, s.APIKey, s.Payload.Raw
		prices.Price(&fresh)
		if store.Same(s, &fresh) {
			return false, false
		}
		*s = fresh
		return true, false
	})
}

// Reprice computes the costs of spans again, by today's prices for the time of
// each; costs that their senders gave stay.
func Reprice(ctx context.Context, st Store, o Options) (Result, error) {
	return rewrite(ctx, st, o, store.Rewrite{Detail: store.Summary, Limit: repriceStep}, func(s *trace.Span, prices pricebook.Pricer) (changed, damaged bool) {
		source, cost := s.CostSource, s.CostNanoUSD
		prices.Price(s)
		return s.CostSource != source || !reflect.DeepEqual(s.CostNanoUSD, cost), false
	})
}

func rewrite(ctx context.Context, st Store, o Options, r store.Rewrite, change func(*trace.Span, pricebook.Pricer) (changed, damaged bool)) (Result, error) {
	total := Result{Resume: o.Resume}
	projects, cursor, err := todo(ctx, st, o)
	if err != nil {
		return total, err
	}
	all := differences{}
	for i, project := range projects {
		prices, err := o.Prices.For(ctx, project)
		if err != nil {
			return total, err
		}
		r.Time, r.DryRun, r.Cursor = o.Time, o.DryRun, cursor
		for more := true; more; more = r.Cursor != "" {
			damaged, cost, different := int64(0), int64(0), differences{}
			r.Change = func(spans []trace.Span) []bool {
				changed, bad := changeAll(spans, func(s *trace.Span) (changed, damaged bool) { return change(s, prices) })
				damaged += bad
				return changed
			}
			r.Changed = func(before, after *trace.Span) {
				cost += costOf(after) - costOf(before)
				different.add(before, after)
			}
			did, err := st.RewriteSpans(ctx, project, r)
			if err != nil {
				return total, err
			}
			all.merge(different)
			total.Read, total.Changed, total.Damaged = total.Read+did.Read, total.Changed+did.Changed, total.Damaged+damaged
			total.CostNanoUSD, total.Differences = total.CostNanoUSD+cost, all.list()
			r.Cursor = did.Next
			switch {
			case r.Cursor != "":
				total.Resume = place(project, r.Cursor)
			case i+1 < len(projects):
				total.Resume = place(projects[i+1], "")
			default:
				total.Resume = ""
			}
			if o.Progress != nil {
				o.Progress(total)
			}
		}
		cursor = ""
	}
	return total, nil
}

// changeAll changes spans on all processors, and counts those that are damaged.
func changeAll(spans []trace.Span, change func(*trace.Span) (changed, damaged bool)) (changed []bool, damaged int64) {
	changed = make([]bool, len(spans))
	var next, bad atomic.Int64
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(spans)); i = next.Add(1) - 1 {
				var is bool
				if changed[i], is = change(&spans[i]); is {
					bad.Add(1)
				}
			}
		})
	}
	group.Wait()
	return changed, bad.Load()
}

func costOf(s *trace.Span) int64 {
	if s.CostNanoUSD == nil {
		return 0
	}
	return *s.CostNanoUSD
}

// todo gives the projects that are left, in order, and where in the first of
// them to begin.
func todo(ctx context.Context, st Store, o Options) (projects []account.ProjectID, cursor string, err error) {
	projects = []account.ProjectID{o.Project}
	if o.Project == "" {
		if projects, err = st.Projects(ctx); err != nil {
			return nil, "", err
		}
		slices.Sort(projects)
	}
	if o.Resume == "" {
		return projects, "", nil
	}
	first, cursor, ok := strings.Cut(o.Resume, placeSeparator)
	if !ok || o.Project != "" && account.ProjectID(first) != o.Project {
		return nil, "", fault.New(fault.Invalid, "the place to go on from is none of this command with these flags")
	}
	i, found := slices.BinarySearch(projects, account.ProjectID(first))
	if !found { // it was deleted since then
		cursor = ""
	}
	return projects[i:], cursor, nil
}

// placeSeparator is in no project's id and in no cursor.
const placeSeparator = ":"

func place(project account.ProjectID, cursor string) string {
	return string(project) + placeSeparator + cursor
}
