package storetest

import (
	"testing"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
)

func prices(t *testing.T, open OpenFunc) {
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"ComeBackAndGo": func(t *testing.T, s store.Store) {
			ctx, p, other := t.Context(), newProject(t, s, "a"), newProject(t, s, "b")
			two := store.Price{ID: "2", Data: []byte(`{"model": "ü",  "input": 1.50}`), CreatedAt: minute(1), UpdatedAt: minute(1)}
			one := store.Price{ID: "1", Data: []byte(`[]`), CreatedAt: minute(2), UpdatedAt: minute(2)}
			ok(t, s.PutPrice(ctx, p, two))
			ok(t, s.PutPrice(ctx, p, one))
			ok(t, s.PutPrice(ctx, other, store.Price{ID: "1", Data: []byte(`0`), CreatedAt: minute(3), UpdatedAt: minute(3)}))
			same(t, "by id", []store.Price{one, two}, must[[]store.Price](t)(s.Prices(ctx, p)))
			changed := store.Price{ID: "2", Data: []byte(`{}`), CreatedAt: minute(9), UpdatedAt: minute(9)}
			ok(t, s.PutPrice(ctx, p, changed))
			changed.CreatedAt = two.CreatedAt
			same(t, "changed", []store.Price{one, changed}, must[[]store.Price](t)(s.Prices(ctx, p)))
			ok(t, s.DeletePrice(ctx, p, "1"))
			wantCode(t, s.DeletePrice(ctx, p, "1"), fault.NotFound)
			same(t, "left", []store.Price{changed}, must[[]store.Price](t)(s.Prices(ctx, p)))
			if left := must[[]store.Price](t)(s.Prices(ctx, other)); len(left) != 1 {
				t.Fatalf("another project has %d prices", len(left))
			}
		},
		"UnknownProject": func(t *testing.T, s store.Store) {
			wantCode(t, s.PutPrice(t.Context(), "nobody", store.Price{ID: "1", Data: []byte(`{}`), CreatedAt: start, UpdatedAt: start}), fault.Invalid)
			wantCode(t, s.DeletePrice(t.Context(), "nobody", "1"), fault.NotFound)
			same(t, "none", []store.Price{}, must[[]store.Price](t)(s.Prices(t.Context(), "nobody")))
		},
	})
}
