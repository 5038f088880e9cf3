package storetest

import (
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

func receipts(t *testing.T, open OpenFunc) {
	receipt := func(t *testing.T, s store.Store, p account.ProjectID, id trace.TraceID) store.Receipt {
		t.Helper()
		return must[store.Receipt](t)(s.Receipt(t.Context(), p, id))
	}
	put := func(t *testing.T, s store.Store, batches ...store.Batch) {
		t.Helper()
		must[[]store.Outcome](t)(s.WriteBatches(t.Context(), batches))
	}
	text := "said"
	said := func(s trace.Span) trace.Span {
		s.Payload.OutputText = &text
		return s
	}
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"OfTraces": func(t *testing.T, s store.Store) {
			p, other := newProject(t, s, "a"), newProject(t, s, "b")
			first, last := start.Add(1234*time.Millisecond), start.Add(36*time.Hour+5*time.Millisecond)
			call := said(llmTrace("call", start))
			a, b, c := said(span("a", start)), said(span("b", minute(1))), span("c", minute(2))
			for _, one := range []*trace.Span{&a, &b, &c} {
				one.TraceID = "of several"
			}
			before := time.Now()
			put(t, s, store.Pack(p, first, []trace.Span{call}), store.Pack(p, first, []trace.Span{a}))
			put(t, s, store.Pack(p, last, []trace.Span{b, c}))
			after := time.Now()
			for id, want := range map[trace.TraceID][2]time.Time{"call": {first, first}, "of several": {first, last}} {
				got := receipt(t, s, p, id)
				same(t, "accepted", want, [2]time.Time{got.FirstAccepted, got.LastAccepted})
				if got.Stored.Before(before.Truncate(time.Microsecond)) || got.Stored.After(after) {
					t.Errorf("%s is said to be stored at %s, not between %s and %s", id, got.Stored, before, after)
				}
			}
			same(t, "unknown", store.Receipt{}, receipt(t, s, p, "nobody"))
			same(t, "another project", store.Receipt{}, must[store.Receipt](t)(s.Receipt(t.Context(), other, "call")))
		},
		"SecondDeliveryChangesNothing": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			b := store.Pack(p, start, []trace.Span{said(llmTrace("call", start))})
			put(t, s, b)
			want := receipt(t, s, p, "call")
			put(t, s, b)
			put(t, s, store.Pack(p, minute(9), []trace.Span{said(llmTrace("call", start))}))
			same(t, "receipt", want, receipt(t, s, p, "call"))
		},
		"WithoutPayload": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			bare := span("bare", start)
			bare.TraceID, bare.Payload = "bare", trace.Payload{}
			put(t, s, store.Pack(p, start, []trace.Span{bare}))
			same(t, "receipt", store.Receipt{}, receipt(t, s, p, "bare"))
		},
	})
}

func rejections(t *testing.T, open OpenFunc) {
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"AddUp": func(t *testing.T, s store.Store) {
			ctx, p, other := t.Context(), newProject(t, s, "a"), newProject(t, s, "b")
			at := func(i int, reason string, n int64) store.Rejection {
				return store.Rejection{Minute: minute(i), Reason: reason, Count: n}
			}
			ok(t, s.AddRejections(ctx, p, []store.Rejection{at(1, "b", 2), at(1, "a", 1), at(3, "ü", 5)}))
			ok(t, s.AddRejections(ctx, p, []store.Rejection{{Minute: minute(1).Add(59 * time.Second), Reason: "b", Count: 3}}))
			ok(t, s.AddRejections(ctx, other, []store.Rejection{at(1, "b", 100)}))
			ok(t, s.AddRejections(ctx, p, nil))
			since := func(i, limit int) []store.Rejection {
				return must[[]store.Rejection](t)(s.Rejections(ctx, p, minute(i), limit))
			}
			same(t, "all", []store.Rejection{at(3, "ü", 5), at(1, "a", 1), at(1, "b", 5)}, since(0, 9))
			same(t, "some", []store.Rejection{at(3, "ü", 5)}, since(0, 1))
			same(t, "later", []store.Rejection{at(3, "ü", 5)}, since(2, 9))
			must[int64](t)(s.PurgeExpired(ctx, minute(2).Add(store.RejectionsKept)))
			same(t, "purged", []store.Rejection{at(3, "ü", 5)}, since(0, 9))
		},
		"UnknownProject": func(t *testing.T, s store.Store) {
			wantCode(t, s.AddRejections(t.Context(), "nobody", []store.Rejection{{Minute: start, Reason: "a", Count: 1}}), fault.Invalid)
			same(t, "none", []store.Rejection{}, must[[]store.Rejection](t)(s.Rejections(t.Context(), "nobody", start, 9)))
		},
	})
}
