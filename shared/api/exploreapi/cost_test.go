package exploreapi_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/pricing"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

type cost struct {
	CostNanoUSD, CostSource, PricedNanoUSD *string
	Price                                  *struct {
		Source, Model                        string
		Provider, EffectiveFrom, ServiceTier *string
	}
	Tokens []usedTokens
}

type usedTokens struct {
	Kind                   string
	Count                  int64
	Price                  json.Number
	PriceKind, CostNanoUSD *string
}

func TestCost(t *testing.T) {
	t.Parallel()
	s := setup(t)
	own := pricing.Custom{Model: "house-*", EffectiveFrom: start, Prices: pricing.Prices{Input: ptr(pricing.Rate(2_500_000_000))}}
	data, err := json.Marshal(own)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.db.PutPrice(t.Context(), mine, store.Price{ID: own.ID(), Data: data, CreatedAt: start, UpdatedAt: start}); err != nil {
		t.Fatal(err)
	}
	listed, house, early, given, tool := call("listed", minute(1)), call("house", minute(1)), call("early", start.Add(-time.Hour)), call("given", minute(1)), step("tool", "", "tool", minute(1))
	listed.Usage = &trace.Usage{Input: 1000, Reasoning: 10}
	listed.CostNanoUSD, listed.CostSource = ptr(int64(1)), trace.CostOfPrices // of prices that were others then
	house.Model, house.InputTokens, house.OutputTokens = ptr("House-9"), ptr(int64(4)), ptr(int64(1))
	early.Model, early.InputTokens = ptr("house-9"), ptr(int64(4))
	given.InputTokens, given.CostNanoUSD = ptr(int64(4)), ptr(int64(7)) // of a form that does not say whose it is
	s.write(t, mine, listed, house, early, given, tool)

	type price = struct {
		Source, Model                        string
		Provider, EffectiveFrom, ServiceTier *string
	}
	for id, want := range map[string]cost{
		"listed": {
			CostNanoUSD: ptr("1"), CostSource: ptr("prices"), PricedNanoUSD: ptr("2600000"), Price: &price{Source: "list", Model: "gpt-4o", Provider: ptr("openai"), EffectiveFrom: ptr("2024-11-28T00:00:00Z")},
			Tokens: []usedTokens{{"input", 1000, "2.5", ptr("input"), ptr("2500000")}, {"reasoning", 10, "10", ptr("output"), ptr("100000")}},
		},
		"house": {
			Price:  &price{Source: "project", Model: "house-*", EffectiveFrom: ptr("2026-01-25T00:00:00Z")},
			Tokens: []usedTokens{{"input", 4, "2.5", ptr("input"), ptr("10000")}, {Kind: "output", Count: 1}}, // for which there is no price
		},
		"early": {Tokens: []usedTokens{{Kind: "input", Count: 4}}},
		"given": {CostNanoUSD: ptr("7"), CostSource: ptr("client"), Tokens: []usedTokens{{Kind: "input", Count: 4}}},
		"tool":  {Tokens: []usedTokens{}},
	} {
		var got cost
		s.ask(t, "/spans/"+id+"/cost", nil, &got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
	for _, path := range []string{"/spans/none/cost", "/spans/%00/cost"} {
		if status, _, body := s.send(t, http.MethodGet, path, member, mine, ""); status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}
