// Package history brings stored spans up to date with what Pulse has learned
// since they came: today's reading of OpenTelemetry, today's prices. It goes
// through a store in steps, in bounded memory, and may be stopped and begun
// again; the sums are right after each step. It knows no host.
package history

import (
	"context"
	"reflect"

	"github.com/pulse-traces/pulse/shared/account"
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
	// Progress, if set, is told after each step what was done in all.
	Progress func(Result)
}

// Result counts spans.
type Result struct {
	Read, Changed int64
	Damaged       int64 // whose raw bytes cannot be read any more: they stay as they are
}

// step is how many spans one transaction goes through: their payloads are in
// memory at once.
const step = 500

// Remap reads the raw bytes of spans that came as OpenTelemetry again. A span
// changes only if today's reading says something else of it.
func Remap(ctx context.Context, st Store, o Options) (Result, error) {
	return rewrite(ctx, st, o, store.Rewrite{Mapped: true, Detail: store.Full}, func(s *trace.Span, prices pricebook.Pricer) (changed, damaged bool) {
		fresh, err := otlp.Remap(s.Payload.Raw, s.Start)
		if err != nil {
			return false, true
		}
		// What the store has decided, and what came with the bytes.
		fresh.ID, fresh.Form, fresh.Repeat, fresh.Payload.Raw = s.ID, s.Form, s.Repeat, s.Payload.Raw
		prices.Price(&fresh)
		if same(s, &fresh) {
			return false, false
		}
		*s = fresh
		return true, false
	})
}

// Reprice computes the costs of spans again, by today's prices for the time of
// each; costs that their senders gave stay.
func Reprice(ctx context.Context, st Store, o Options) (Result, error) {
	return rewrite(ctx, st, o, store.Rewrite{Detail: store.Summary}, func(s *trace.Span, prices pricebook.Pricer) (changed, damaged bool) {
		source, cost := s.CostSource, s.CostNanoUSD
		prices.Price(s)
		return s.CostSource != source || !reflect.DeepEqual(s.CostNanoUSD, cost), false
	})
}

// same reports whether two readings of a span say the same; no tags are none.
func same(a, b *trace.Span) bool {
	x, y := *a, *b
	if len(x.Tags) == 0 && len(y.Tags) == 0 {
		x.Tags, y.Tags = nil, nil
	}
	return reflect.DeepEqual(&x, &y)
}

func rewrite(ctx context.Context, st Store, o Options, r store.Rewrite, change func(*trace.Span, pricebook.Pricer) (changed, damaged bool)) (Result, error) {
	projects := []account.ProjectID{o.Project}
	if o.Project == "" {
		var err error
		if projects, err = st.Projects(ctx); err != nil {
			return Result{}, err
		}
	}
	var total Result
	for _, project := range projects {
		prices, err := o.Prices.For(ctx, project)
		if err != nil {
			return total, err
		}
		r.Time, r.DryRun, r.Limit, r.Cursor = o.Time, o.DryRun, step, ""
		for {
			var damaged int64
			r.Change = func(s *trace.Span) bool {
				changed, bad := change(s, prices)
				if bad {
					damaged++
				}
				return changed
			}
			did, err := st.RewriteSpans(ctx, project, r)
			if err != nil {
				return total, err
			}
			total.Read, total.Changed, total.Damaged = total.Read+did.Read, total.Changed+did.Changed, total.Damaged+damaged
			if o.Progress != nil {
				o.Progress(total)
			}
			if r.Cursor = did.Next; r.Cursor == "" {
				break
			}
		}
	}
	return total, nil
}
