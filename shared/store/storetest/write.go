package storetest

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

func writes(t *testing.T, open OpenFunc) {
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"CountsOfNothingAreCounts": func(t *testing.T, s store.Store) {
			// A step that wraps a call, and was metered as nothing.
			p := newProject(t, s, "a")
			step := of(called("w", "", start, 0), func(sp *trace.Span) {
				sp.Kind, sp.Usage, sp.InputTokens, sp.OutputTokens = trace.KindChain, &trace.Usage{}, ptr(int64(0)), ptr(int64(0))
			})
			write(t, s, p, step, called("c", "w", start, 5))
			same(t, "usage", &trace.Usage{}, must[trace.Span](t)(s.Span(t.Context(), p, "w")).Usage)
			m := model{}
			m.add(step, called("c", "w", start, 5))
			m.check(t, s, p)
		},
		"EveryFieldComesBack": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			spans := fullSpans()
			write(t, s, p, spans...)
			m := model{}
			m.add(spans...)
			m.check(t, s, p)
			for _, want := range spans {
				if want.Form == trace.FormSpan {
					same(t, "span", want, must[trace.Span](t)(s.Span(t.Context(), p, want.ID)))
				}
			}
		},
		"SummaryLeavesPayloadsOut": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			write(t, s, p, fullSpans()...)
			traces := must[store.TraceList](t)(s.ListTraces(t.Context(), p, store.TraceFilter{}, store.Page{Limit: 10}))
			spans := must[store.SpanList](t)(s.ListSpans(t.Context(), p, store.SpanFilter{}, store.Page{Limit: 10})).Spans
			for _, tr := range traces.Traces {
				spans = append(spans, tr.Spans...)
			}
			for _, sp := range spans {
				if !sp.Payload.Empty() {
					t.Fatalf("span %s has a payload", sp.ID)
				}
			}
		},
		"TwiceIsOnce": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			spans := randomSpans(rand.New(rand.NewPCG(1, 1)), 60)
			batch := pack(p, spans)
			first := must[[]store.Outcome](t)(s.WriteBatches(t.Context(), []store.Batch{batch}))
			again := must[[]store.Outcome](t)(s.WriteBatches(t.Context(), []store.Batch{batch, batch}))
			if slices.Contains(first[0].Inserted, false) || slices.Contains(again[0].Inserted, true) || slices.Contains(again[1].Inserted, true) {
				t.Fatalf("outcomes %v, then %v", first, again)
			}
			m := model{}
			m.add(spans...)
			m.check(t, s, p)
		},
		"FirstOfAnIDWins": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			one, other := span("id", minute(1)), span("id", minute(500))
			one.Payload.OutputText, other.Payload.OutputText = ptr("one"), ptr("other")
			third := llmTrace("id", minute(9000))
			out := must[[]store.Outcome](t)(s.WriteBatches(t.Context(), []store.Batch{
				pack(p, []trace.Span{one, other}), pack(p, []trace.Span{other, span("more", minute(2))}),
			}))
			same(t, "outcomes", []store.Outcome{{Inserted: []bool{true, false}}, {Inserted: []bool{false, true}}}, out)
			same(t, "later", []bool{false}, write(t, s, p, third))
			m := model{}
			m.add(one, span("more", minute(2)))
			m.check(t, s, p)
		},
		"LLMTracesAndSpansShareTheirIDs": func(t *testing.T, s store.Store) {
			call, sp, otlp := llmTrace("id", minute(1)), span("id", minute(2)), called("id", "", minute(3), 7)
			for i, two := range [][2]trace.Span{{call, sp}, {sp, call}, {call, otlp}, {otlp, call}} {
				p := newProject(t, s, numbered("p", i))
				same(t, "at once, and later", []bool{true, false}, write(t, s, p, two[0], two[1]))
				same(t, "later", []bool{false}, write(t, s, p, two[1]))
				m := model{}
				m.add(two[0])
				m.check(t, s, p)
			}
		},
		"ProjectsAreIndependent": func(t *testing.T, s store.Store) {
			a, b := newProject(t, s, "a"), newProject(t, s, "b")
			rng := rand.New(rand.NewPCG(2, 1))
			ofA, ofB := randomSpans(rng, 40), randomSpans(rng, 40) // the same ids
			out := must[[]store.Outcome](t)(s.WriteBatches(t.Context(), []store.Batch{pack(b, ofB), pack(a, ofA)}))
			if slices.Contains(append(out[0].Inserted, out[1].Inserted...), false) {
				t.Fatal("one project's ids block another's")
			}
			ma, mb := model{}, model{}
			ma.add(ofA...)
			mb.add(ofB...)
			ma.check(t, s, a)
			mb.check(t, s, b)
		},
		"OrderDoesNotMatter": func(t *testing.T, s store.Store) {
			rng := rand.New(rand.NewPCG(3, 1))
			spans := randomSpans(rng, 200)
			m := model{}
			m.add(spans...)
			for _, name := range []string{"a", "b", "c"} {
				p := newProject(t, s, name)
				rng.Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
				for rest := spans; len(rest) > 0; {
					n := min(len(rest), 1+rng.IntN(60))
					// Each call repeats some of what came before.
					var batches []store.Batch
					for _, part := range [][]trace.Span{rest[:n], spans[:rng.IntN(5)]} {
						batches = append(batches, pack(p, part))
					}
					must[[]store.Outcome](t)(s.WriteBatches(t.Context(), batches))
					rest = rest[n:]
				}
				m.check(t, s, p)
			}
		},
		"UnknownProjectIsInvalidAndStoresNothing": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			_, err := s.WriteBatches(t.Context(), []store.Batch{pack(p, []trace.Span{span("1", start)}), pack("nobody", []trace.Span{span("1", start)})})
			wantCode(t, err, fault.Invalid)
			model{}.check(t, s, p)
			model{}.check(t, s, "nobody")
		},
		"NothingIsFine": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			if out := must[[]store.Outcome](t)(s.WriteBatches(t.Context(), nil)); len(out) != 0 {
				t.Fatal(out)
			}
			same(t, "outcome", []bool{}, write(t, s, p))
		},
		"LargePayload": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			large := llmTrace("large", start)
			rng := rand.New(rand.NewPCG(4, 1))
			text := make([]byte, 8<<20)
			for i := range text {
				text[i] = 'a' + byte(rng.IntN(26))
			}
			large.Payload.Request = json.RawMessage(`"` + string(text) + `"`)
			write(t, s, p, large, llmTrace("small", start))
			got := must[trace.Trace](t)(s.Trace(t.Context(), p, "large"))
			if string(got.Spans[0].Payload.Request) != string(large.Payload.Request) {
				t.Fatal("the payload changed")
			}
		},
		"ConcurrentWritersEndExact": func(t *testing.T, s store.Store) {
			p, q := newProject(t, s, "a"), newProject(t, s, "b")
			spans := randomSpans(rand.New(rand.NewPCG(5, 1)), 300)
			var wg sync.WaitGroup
			errs := make([]error, 4)
			inserted := make([]int, 4)
			for w := range 4 {
				wg.Go(func() {
					rng := rand.New(rand.NewPCG(6, uint64(w)))
					mine := slices.Clone(spans)
					rng.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
					for part := range slices.Chunk(mine, 40) {
						out, err := s.WriteBatches(t.Context(), []store.Batch{pack(p, part), pack(q, part)})
						if err != nil {
							errs[w] = err
							return
						}
						for _, new := range append(out[0].Inserted, out[1].Inserted...) {
							if new {
								inserted[w]++
							}
						}
					}
				})
			}
			wg.Wait()
			total := 0
			for w := range 4 {
				ok(t, errs[w])
				total += inserted[w]
			}
			if total != 2*len(spans) {
				t.Fatalf("%d spans were reported new, of %d", total, 2*len(spans))
			}
			m := model{}
			m.add(spans...)
			m.check(t, s, p)
			m.check(t, s, q)
		},
	})
}

// fullSpans has spans with every field set, with none, and with the values
// that engines like to change.
func fullSpans() []trace.Span {
	full := trace.Span{
		ID: "s1", TraceID: "t1", ParentID: "p", SessionID: "日本語 🎉", Form: trace.FormSpan, Start: start.Add(123456 * time.Microsecond),
		Source: trace.SourceCodex, Kind: trace.KindToolUse, EventType: "post_tool_use", Status: trace.StatusError,
		DurationMS: ptr(12.345678901), TimeToFirstTokenMS: ptr(0.25), Service: ptr(""), ToolUseID: ptr("u"), ToolName: ptr("Edit"),
		IsInterrupt: ptr(false), CWD: ptr("/x"), Model: ptr("m"), AgentName: ptr("a"), Provider: ptr("p"), ModelUsed: ptr("mu"),
		InputTokens: ptr(int64(0)), OutputTokens: ptr(int64(trace.MaxTokens)), CostNanoUSD: ptr(int64(7)),
		FinishReason: ptr("stop"), ProviderRequestID: ptr("r"), EditedFile: ptr("/f"),
		Payload: trace.Payload{
			Request: json.RawMessage(`{"z":1,  "a":12345678901234567890.10,"z":2}`), Response: json.RawMessage(`"\u0000"`),
			ToolInput: json.RawMessage(`5`), ToolResponse: json.RawMessage(`"é"`), Error: json.RawMessage(`[]`),
			Metadata: json.RawMessage(`{"k":null}`), OutputText: ptr(""),
		},
	}
	bare := trace.Span{
		ID: "s2", Form: trace.FormSpan, Start: trace.MinTime, Source: trace.SourceSDK, Kind: trace.KindNotification,
		EventType: "e", Status: trace.StatusSuccess,
	}
	empty := trace.Span{
		ID: "s3", TraceID: "t1", Form: trace.FormSpan, Start: trace.MaxTime.Add(-time.Microsecond), Source: trace.SourceOpenClaw,
		Kind: trace.KindAgentRun, EventType: "session_end", Status: trace.StatusSuccess, SessionID: "quote ' \" % _ \\ ;--",
		Service: ptr(""), ToolUseID: ptr(""), ToolName: ptr(""), IsInterrupt: ptr(true), CWD: ptr(""), Model: ptr(""), AgentName: ptr(""),
		Provider: ptr(""), ModelUsed: ptr(""), FinishReason: ptr(""), ProviderRequestID: ptr(""), EditedFile: ptr(""), DurationMS: ptr(0.0),
		Payload: trace.Payload{OutputText: ptr("nul \x00 and \u2028")},
	}
	long := llmTrace(strings.Repeat("ü", trace.MaxIDBytes/2), start)
	long.SessionID = trace.SessionID(strings.Repeat("s", trace.MaxIDBytes))
	long.DurationMS, long.CostNanoUSD = ptr(trace.MaxDurationMS), ptr(int64(math.MaxInt32)*1000)
	long.Payload.Request = json.RawMessage(`{"unicode":"` + strings.Repeat("日", 5_000) + `"}`)
	return []trace.Span{full, bare, empty, long, llmTrace("t1", start)}
}
