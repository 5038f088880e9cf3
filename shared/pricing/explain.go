package pricing

import (
	"math/bits"
	"time"

	"github.com/pulse-traces/pulse/shared/trace"
)

// Source says whose a price is.
type Source string

// The sources, in the order in which they are asked.
const (
	SourceProject      Source = "project"      // set by the project
	SourceInstallation Source = "installation" // of all projects of an installation
	SourceList         Source = "list"         // of the table
)

// Account is what a call costs by the prices of the day that it began, kind by
// kind.
type Account struct {
	Source Source // "" where there is no price for the model, or none for the service tier
	// Model and Provider are what the price is for, as whoever set it has them, or by
	// the table's keys; Provider is "" where it is for all.
	Model, Provider string
	// From is when the price began to apply, the zero time if it always did. The
	// table's first price of a model counts for calls before it, too.
	From time.Time
	// ServiceTier is the tier of the call by the name that prices have it under; ""
	// is the standard one.
	ServiceTier string
	// Lines are what the call used, as far as the sender told: in the order of
	// Usage, without what there is none of.
	Lines []Line
	// CostNanoUSD is as Price has it: rounded once, so that lines may add up to a few
	// nano-dollars more or less. nil: not known.
	CostNanoUSD *int64
}

// Line is one kind of what a call used.
type Line struct {
	Kind  string // as in Prices: input, cacheRead and so on
	Count int64
	Rate  *Rate // nil: not known
	// As is the kind whose rate applies: another one than Kind where the price has
	// none for it. "" if there is no rate.
	As      string
	NanoUSD *int64 // Count times Rate
}

// Explain says how Price would come to a cost for s, also where the sender gave
// one: by the prices of its project, of the installation, and of table.
func Explain(s *trace.Span, table *Table, project, installation []Custom) Account {
	q, counted, ok := queryOf(s)
	if !ok {
		return Account{}
	}
	a := Account{ServiceTier: q.tier()}
	r := a.find(&q, table, project, installation)
	if a.Source == "" {
		r = noRates
	}
	known := a.Source != "" && (counted || r.bySearch(q.Searches))
	for b, n := range r.counts(&q.Usage, q.Searches) {
		if n == 0 {
			continue
		}
		line := Line{Kind: priceNames[b], Count: n}
		as := r.as(bucket(b))
		if rate := r[as]; n > 0 && rate >= 0 {
			nano := nanoUSD(bits.Mul64(uint64(n), uint64(rate)))
			line.Rate, line.As, line.NanoUSD = &rate, priceNames[as], &nano
		}
		a.Lines = append(a.Lines, line)
	}
	if known {
		if cost, ok := r.cost(&q.Usage, q.Searches); ok {
			a.CostNanoUSD = &cost
		}
	}
	return a
}

// find notes in a which price applies to q, and gives its rates.
func (a *Account) find(q *Query, table *Table, project, installation []Custom) rates {
	for _, set := range []struct {
		source Source
		list   []Custom
	}{{SourceProject, project}, {SourceInstallation, installation}} {
		if c, r, ok := customRates(set.list, q); ok {
			a.Source, a.Model, a.Provider, a.From = set.source, c.Model, c.Provider, c.EffectiveFrom
			return r
		}
	}
	found, r, ok := table.ratesOf(q)
	if !ok {
		return noRates
	}
	provider, model, from, _ := found.split()
	a.Source, a.Model, a.Provider = SourceList, model, provider
	a.From, _ = time.Parse(time.DateOnly, from) // data_test holds the dates to this form
	return r
}
