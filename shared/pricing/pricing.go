// Package pricing says what a model call cost: what it used, times what its
// provider charged for each kind of token on the day of the call. Prices come
// from a table that is data of this package (docs/pricing.md says whence) and,
// before it, from those a project has set for itself.
//
// Money is counted in integers and rounded once, at the end. What is not known
// stays unknown: a model that no list names has no cost, never 0 and never that
// of another model with a similar name.
//
// The package does no I/O, reads no clock and logs nothing.
package pricing

import (
	"strings"
	"time"

	"github.com/pulse-traces/pulse/shared/trace"
)

// Query asks what one call cost.
type Query struct {
	Provider       string // as the sender spells it (ProviderKey); "" if it named none
	ModelUsed      string // that answered; looked for first
	ModelRequested string // looked for if ModelUsed is "" or unknown
	At             time.Time
	Usage          trace.Usage
	Searches       int64  // of a reranker that is paid by the search; others ignore it
	ServiceTier    string // as its provider names it; "" and "default" are the standard one
	Batch          bool   // the call was part of a batch, whatever ServiceTier says
	Sum            bool   // Usage is that of several calls, of whose length nothing is known
}

// Cost is what q cost in nano-dollars by the prices of t, half a nano-dollar
// rounded up and at most MaxCostNanoUSD. It is not known (false) if t has no
// price for the provider and model, for the service tier, or for a kind of token
// that was used, and if a count is negative.
func (t *Table) Cost(q Query) (nanoUSD int64, ok bool) {
	_, r, ok := t.ratesOf(&q)
	if !ok {
		return 0, false
	}
	return r.cost(&q.Usage, q.Searches)
}

// ratesOf finds the line that applies to q and its rates.
func (t *Table) ratesOf(q *Query) (listing, rates, bool) {
	tier, day := q.tier(), dayOf(q.At)
	for _, model := range q.models() {
		if found, ok := t.find(q.Provider, model, day); ok {
			r, ok := parseRates(found.prices(), tier, q.length())
			return found, r, ok
		}
	}
	return "", rates{}, false
}

// models are the names to look for, in order. The second is "" where it would
// repeat the first.
func (q *Query) models() [2]string {
	if q.ModelUsed == q.ModelRequested {
		return [2]string{q.ModelUsed}
	}
	return [2]string{q.ModelUsed, q.ModelRequested}
}

// length is the input that prices of long calls begin above; 0 if it is unknown.
func (q *Query) length() int64 {
	if q.Sum {
		return 0
	}
	return q.Usage.InputTokens()
}

// tier is the service tier by the name that prices have it under.
func (q *Query) tier() string {
	if q.Batch {
		return tierBatch
	}
	return tierKey(q.ServiceTier)
}

const tierBatch = "batch"

// tierKey brings the names that providers have for their service tiers to one:
// "" is the standard tier.
func tierKey(name string) string {
	switch tier := strings.ToLower(strings.TrimSpace(name)); tier {
	case "default", "standard", "standard_only", "auto", "on_demand", "on-demand":
		return ""
	case "batches":
		return tierBatch
	case "fast": // OpenAI's other name for it, at the same price
		return "priority"
	default:
		return tier
	}
}

// Price sets the cost of s from the first of the lists of custom that has a price
// for it, and where none has from table. It leaves a cost that the sender gave as
// it is, and replaces or removes one that was made from prices before, so that
// doing it again after prices changed corrects a stored span. Only spans of
// KindLLMCall, KindEmbedding and KindRerank cost anything, and the sums of
// KindAgentRun and KindChain that were made from OpenTelemetry, which count where
// no call below them says what it used.
//
// Where the sender gave totals but no usage, all input counts as uncached and
// all output as text. A call that named no counts at all has no cost, unless it
// is a rerank that is paid by the search.
func Price(s *trace.Span, table *Table, custom ...[]Custom) {
	if s.CostNanoUSD != nil && s.CostSource != trace.CostOfPrices {
		return
	}
	s.CostNanoUSD, s.CostSource = nil, trace.CostUnknown
	if cost, ok := costOf(s, table, custom); ok {
		s.CostNanoUSD, s.CostSource = &cost, trace.CostOfPrices
	}
}

func costOf(s *trace.Span, table *Table, custom [][]Custom) (int64, bool) {
	q, counted, ok := queryOf(s)
	if !ok {
		return 0, false
	}
	var r rates
	ok = false
	for _, list := range custom {
		if _, r, ok = customRates(list, &q); ok {
			break
		}
	}
	if !ok {
		_, r, ok = table.ratesOf(&q)
	}
	if !ok || (!counted && !r.bySearch(q.Searches)) {
		return 0, false
	}
	return r.cost(&q.Usage, q.Searches)
}

// queryOf asks for the cost of s. It is false for spans of a kind that costs
// nothing; counted is whether the sender named counts of tokens.
func queryOf(s *trace.Span) (q Query, counted, ok bool) {
	q.At = s.Start
	switch s.Kind {
	case trace.KindRerank:
		q.Searches = 1
	case trace.KindLLMCall, trace.KindEmbedding:
	case trace.KindAgentRun, trace.KindChain:
		if !s.Mapped() {
			return q, false, false
		}
		q.Sum = true
	default:
		return q, false, false
	}
	switch {
	case s.Usage != nil:
		q.Usage, counted = *s.Usage, true
	case s.InputTokens != nil || s.OutputTokens != nil:
		q.Usage, counted = trace.Usage{Input: deref(s.InputTokens), Output: deref(s.OutputTokens)}, true
	}
	q.Provider, q.ModelUsed, q.ModelRequested = deref(s.Provider), deref(s.ModelUsed), deref(s.Model)
	q.ServiceTier = deref(s.ServiceTier)
	return q, counted, true
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
