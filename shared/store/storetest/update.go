package storetest

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// called gives a minimal model call that OpenTelemetry sent.
func called(id, parent string, at time.Time, tokens int64) trace.Span {
	s := trace.Span{
		ID: trace.SpanID(id), TraceID: "t", ParentID: trace.SpanID(parent), SessionID: "session", Form: trace.FormSpan, Start: at, DurationMS: ptr(1000.0),
		Source: trace.SourceSDK, Kind: trace.KindLLMCall, EventType: "llm_call", Status: trace.StatusSuccess, MappingVersion: 1, Name: id,
		Provider: ptr("openai"), Model: ptr("gpt"), Scope: trace.Scope{Name: "instrumentation"},
	}
	s.Payload.Raw = rawBytes(id)
	if tokens > 0 {
		s.InputTokens, s.OutputTokens, s.Usage = ptr(tokens), ptr(int64(1)), &trace.Usage{Input: tokens, Output: 1}
		s.CostNanoUSD, s.CostSource = ptr(10*tokens), trace.CostOfPrices
	}
	return s
}

// of changes a span of called.
func of(s trace.Span, change func(*trace.Span)) trace.Span {
	change(&s)
	return s
}

// everyOrder calls do with the spans in every order.
func everyOrder(spans []trace.Span, do func([]trace.Span)) {
	var permute func(k int)
	permute = func(k int) {
		if k == len(spans) {
			do(slices.Clone(spans))
			return
		}
		for i := k; i < len(spans); i++ {
			spans[k], spans[i] = spans[i], spans[k]
			permute(k + 1)
			spans[k], spans[i] = spans[i], spans[k]
		}
	}
	permute(0)
}

func updates(t *testing.T, open OpenFunc) {
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"OrderOfPiecesDoesNotMatter": func(t *testing.T, s store.Store) {
			rng := rand.New(rand.NewPCG(20, 1))
			m := model{}
			var all []trace.Span
			for i, sp := range randomSpans(rng, 120) {
				if sp.Mapped() {
					all = append(all, pieces(rng, sp)...)
				} else if i%2 == 0 {
					all = append(all, sp)
				}
			}
			m.add(all...)
			for _, name := range []string{"a", "b", "c"} {
				p := newProject(t, s, name)
				rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
				for rest := all; len(rest) > 0; {
					n := min(len(rest), 1+rng.IntN(40))
					// Each call repeats some of what came before.
					batches := []store.Batch{pack(p, rest[:n]), pack(p, all[:rng.IntN(6)])}
					must[[]store.Outcome](t)(s.WriteBatches(t.Context(), batches))
					rest = rest[n:]
				}
				m.check(t, s, p)
				for _, sp := range m { // as it was sent, and joined
					if sp.Form != trace.FormSpan {
						continue
					}
					got := must[trace.Span](t)(s.Span(t.Context(), p, sp.ID))
					same(t, "raw bytes of "+string(sp.ID), sp.Payload.Raw, got.Payload.Raw)
				}
			}
		},
		"OutcomeTellsWhatIsNew": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			begun := of(called("1", "", start, 0), func(sp *trace.Span) { sp.DurationMS, sp.Payload.Raw = nil, rawBytes("begun") })
			ended := called("1", "", start, 7)
			same(t, "first", []bool{true, false, true}, write(t, s, p, begun, ended, called("2", "", start, 1)))
			same(t, "again", []bool{false, false}, write(t, s, p, ended, begun))
			m := model{}
			m.add(begun, ended, called("2", "", start, 1))
			m.check(t, s, p)
		},
		"BegunThenEndedIsOneCall": func(t *testing.T, s store.Store) {
			begun := of(called("1", "", start, 0), func(sp *trace.Span) { sp.DurationMS, sp.Payload.Raw = nil, rawBytes("begun") })
			ended := called("1", "", start, 7)
			ended.Payload.OutputText = ptr("answer")
			for i, list := range [][]trace.Span{{begun, ended}, {ended, begun}} {
				p := newProject(t, s, numbered("p", i))
				for _, sp := range list {
					write(t, s, p, sp)
				}
				tr := must[trace.Trace](t)(s.Trace(t.Context(), p, "t"))
				if tr.SpanCount != 1 || tr.LLMCount != 1 || *tr.InputTokens != 7 || tr.DurationUS != 1_000_000 || *tr.Spans[0].Payload.OutputText != "answer" {
					t.Fatalf("%+v", tr)
				}
			}
		},
		"PatchMayComeFirst": func(t *testing.T, s store.Store) {
			patch := of(called("1", "", minute(1), 9), func(sp *trace.Span) {
				sp.Patch, sp.Kind, sp.Name, sp.Payload.Raw, sp.Payload.InputMessages = true, trace.KindEvent, "", rawBytes("log"), []byte(`[{"role":"user","parts":[]}]`)
			})
			whole := called("1", "", start, 9)
			for i, list := range [][]trace.Span{{patch, whole}, {whole, patch}} {
				p := newProject(t, s, numbered("p", i))
				write(t, s, p, list[0])
				if i == 0 {
					tr := must[trace.Trace](t)(s.Trace(t.Context(), p, "t"))
					if tr.SpanCount != 1 || tr.LLMCount != 0 || tr.InputTokens != nil {
						t.Fatalf("a patch alone counts as a call: %+v", tr)
					}
				}
				write(t, s, p, list[1])
				m := model{}
				m.add(list...)
				m.check(t, s, p)
				got := must[trace.Span](t)(s.Span(t.Context(), p, "1"))
				if got.Patch || got.Kind != trace.KindLLMCall || !got.Start.Equal(start) || got.Payload.InputMessages == nil || got.Name != "1" {
					t.Fatalf("%+v", got)
				}
			}
		},
		"OlderFormsKeepTheFirst": func(t *testing.T, s store.Store) {
			older := of(called("1", "", start, 5), func(sp *trace.Span) {
				sp.MappingVersion, sp.Scope, sp.Name, sp.Usage, sp.CostSource, sp.Payload.Raw = 0, trace.Scope{}, "", nil, "", nil
			})
			for i, list := range [][]trace.Span{{older, called("1", "", start, 7)}, {called("1", "", start, 7), older}} {
				p := newProject(t, s, numbered("p", i))
				same(t, "first", []bool{true}, write(t, s, p, list[0]))
				same(t, "second", []bool{false}, write(t, s, p, list[1]))
				m := model{}
				m.add(list[0])
				m.check(t, s, p)
			}
		},
		"UpdatesMoveSums": func(t *testing.T, s store.Store) {
			// Another time, session, model, status: whatever a row was counted by.
			p := newProject(t, s, "a")
			m := model{}
			first := called("1", "", minute(10), 5)
			second := of(called("1", "", minute(1), 5), func(sp *trace.Span) {
				sp.SessionID, sp.Model, sp.Status, sp.Payload.Raw = "session 2", ptr("gpt-5"), trace.StatusError, rawBytes("2")
			})
			for _, sp := range []trace.Span{first, called("2", "", minute(11), 1), second} {
				write(t, s, p, sp)
				m.add(sp)
				m.check(t, s, p)
			}
		},
		"RawIsForSpanAlone": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			sp := called("1", "", start, 5)
			sp.Payload.OutputText = ptr("x")
			write(t, s, p, sp)
			ctx, page := t.Context(), store.Page{Limit: 10, Detail: store.Full}
			lists := [][]trace.Span{
				must[trace.Trace](t)(s.Trace(ctx, p, "t")).Spans,
				must[store.TraceList](t)(s.ListTraces(ctx, p, store.TraceFilter{}, page)).Traces[0].Spans,
				must[store.SpanList](t)(s.ListSpans(ctx, p, store.SpanFilter{}, page)).Spans,
				must[store.SpanList](t)(s.SessionSpans(ctx, p, "session", page)).Spans,
				{must[store.Tree](t)(s.TraceSpans(ctx, p, "t", page)).Spans[0].Span},
			}
			for i, list := range lists {
				if len(list) != 1 || list[0].Payload.Raw != nil || list[0].Payload.OutputText == nil {
					t.Errorf("list %d: %+v", i, list)
				}
			}
			same(t, "raw", sp.Payload.Raw, must[trace.Span](t)(s.Span(ctx, p, "1")).Payload.Raw)
		},
	})
}
