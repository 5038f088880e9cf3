package exploreapi

import (
	"net/http"
	"time"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/api/view"
	"github.com/pulse-traces/pulse/shared/pricing"
	"github.com/pulse-traces/pulse/shared/trace"
)

// usedPrice is the price that a call was paid by.
type usedPrice struct {
	Source        pricing.Source `json:"source"`
	Model         string         `json:"model"` // or a pattern
	Provider      *string        `json:"provider"`
	EffectiveFrom *string        `json:"effectiveFrom"` // null: always
	ServiceTier   *string        `json:"serviceTier"`   // null: the standard one
}

// usedTokens is one kind of what a call used.
type usedTokens struct {
	Kind        string        `json:"kind"`
	Count       int64         `json:"count"`
	Price       *pricing.Rate `json:"price"`     // dollars for a million
	PriceKind   *string       `json:"priceKind"` // the kind whose price it is
	CostNanoUSD *string       `json:"costNanoUsd"`
}

// cost answers what a span cost, and by which prices: those that there are today
// for the time at which it began. Where the sender gave the cost, none were used.
func (g *Group) cost(w http.ResponseWriter, r *http.Request) error {
	const noSpan = "Span not found"
	id, err := api.PathID(r, noSpan)
	if err != nil {
		return err
	}
	ctx := r.Context()
	project := reqctx.Project(ctx)
	g.Barrier(ctx)
	s, err := g.Traces.AnySpan(ctx, project, trace.SpanID(id))
	if err != nil {
		return api.Missing(err, noSpan)
	}
	account, err := g.Explain(ctx, project, &s)
	if err != nil {
		return err
	}
	answer := struct {
		CostNanoUSD *string `json:"costNanoUsd"` // as it is stored
		CostSource  *string `json:"costSource"`
		// PricedNanoUSD is what the prices of today make of it. Another sum than the
		// stored one tells that they changed since.
		PricedNanoUSD *string      `json:"pricedNanoUsd"`
		Price         *usedPrice   `json:"price"`
		Tokens        []usedTokens `json:"tokens"`
	}{CostNanoUSD: view.Digits(s.CostNanoUSD), CostSource: view.CostSource(&s), Tokens: []usedTokens{}}
	given := answer.CostSource != nil && *answer.CostSource == string(trace.CostOfSender)
	if account.Source != "" && !given {
		answer.Price = &usedPrice{account.Source, account.Model, orNull(account.Provider), nil, orNull(account.ServiceTier)}
		if from := account.From; !from.IsZero() {
			answer.Price.EffectiveFrom = orNull(from.UTC().Format(time.RFC3339Nano))
		}
		answer.PricedNanoUSD = view.Digits(account.CostNanoUSD)
	}
	for _, l := range account.Lines {
		used := usedTokens{Kind: l.Kind, Count: l.Count}
		if answer.Price != nil {
			used.Price, used.PriceKind, used.CostNanoUSD = l.Rate, orNull(l.As), view.Digits(l.NanoUSD)
		}
		answer.Tokens = append(answer.Tokens, used)
	}
	return api.WriteJSON(w, http.StatusOK, answer)
}
