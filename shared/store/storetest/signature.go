package storetest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// sign gives all chunks a signature, some at a time, and tells of how many.
func sign(t *testing.T, s store.Store, some int) (signed int) {
	t.Helper()
	for {
		n := must[int](t)(s.SignChunks(t.Context(), some))
		if n > some {
			t.Fatalf("%d chunks at once, %d asked for", n, some)
		}
		if signed += n; n == 0 {
			return signed
		}
	}
}

// texts are words of several scripts, in which a few are in many traces and most
// in few.
func texts(rng *rand.Rand) string {
	words := make([]string, rng.IntN(12))
	for i := range words {
		kind := pick(rng, "refund-%d", "ÜBERWEISUNG%d", "返金ポリシー%d", "Заказ-%d", "a\"b\\c%d", "line\nbreak%d", "🙂%d", "x%d")
		words[i] = fmt.Sprintf(kind, rng.IntN(40))
	}
	return strings.Join(words, " ")
}

func signatures(t *testing.T, open OpenFunc) {
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"ChangeNoAnswer": func(t *testing.T, s store.Store) {
			p, other := newProject(t, s, "a"), newProject(t, s, "b")
			rng := rand.New(rand.NewPCG(71, 1))
			said := func(sp *trace.Span) {
				raw := must[[]byte](t)(json.Marshal(map[string]any{"text": texts(rng), "n": rng.IntN(100_000)}))
				switch text := texts(rng); rng.IntN(6) {
				case 0:
					sp.Payload.Request = raw
				case 1:
					sp.Payload.OutputText = &text
				case 2:
					sp.Payload.ToolResponse = raw
				case 3:
					sp.Status, sp.Payload.Error = trace.StatusError, raw
				case 4:
					sp.Payload.Metadata = raw
				default: // no payload
				}
			}
			ask := []string{
				`"refund-7"`, `"überweisung3"`, `"返金ポリシー1"`, `"заказ-2"`, `"a\"b\\c5"`, `"break1"`, `"🙂3"`, `"x1"`, `"refund-7" "x2"`, `"nowhere"`, "error:refund-1,refund-2",
				"error:refund-3", "-error:refund-3", "meta.n:77", "meta.text:*", `"refund-3" status:error`,
			}
			for i := range 20 {
				ask = append(ask, fmt.Sprintf(`"%d"`, i*997), fmt.Sprintf("meta.n:%d", i*1009))
			}
			answers := func() (all []string) {
				for _, text := range ask {
					hits, _, _ := search(t, s, p, store.TraceQuery{Filter: parsed(t, text)}, store.SearchPage{Sort: store.SortStart, Limit: 20}, func() {})
					all = append(all, fmt.Sprintf("%s: %v", text, idsOf(hits)))
				}
				return all
			}
			var spans []trace.Span
			for i := range 300 {
				sp := llmTrace(numbered("t", i), minute(i))
				if i%3 > 0 { // of a trace of several, some of which tell of the same call
					sp = called(numbered("s", i), "", minute(i), 0)
					sp.TraceID = trace.TraceID(numbered("many", i/9))
					if sp.CallKey = numbered("call", i/6); i%6 == 1 {
						sp.Role = trace.RoleReport
					}
				}
				said(&sp)
				spans = append(spans, sp)
			}
			large := make([]trace.Span, store.TextSpans+30)
			for i := range large {
				large[i] = called(numbered("l", i), "", minute(i), 0)
				large[i].TraceID = "large"
				said(&large[i])
			}
			var beside []trace.Span // in traces that have their own span too, some before it
			for i := 0; i < 300; i += 12 {
				sp := called(numbered("beside", i), "", minute(i+rng.IntN(7)-3), 0)
				sp.TraceID = trace.TraceID(numbered("t", i))
				said(&sp)
				beside = append(beside, sp)
			}
			for part := range 30 {
				write(t, s, p, spans[part*10:part*10+10]...)
				write(t, s, other, spans[part*10:part*10+10]...)
			}
			write(t, s, p, large...)
			write(t, s, p, beside...)

			want := answers()
			must[int](t)(s.SignChunks(t.Context(), 17)) // some have one, some have none
			same(t, "some signed", want, answers())
			sign(t, s, 5)
			same(t, "all signed", want, answers())

			// What is sent again, changed, or deleted in part.
			write(t, s, p, spans[40:60]...)
			must[store.Deleted](t)(s.DeleteTraces(t.Context(), p, []trace.TraceID{trace.TraceID(numbered("t", 0)), trace.TraceID(numbered("t", 30))}))
			rewrite(t, s, p, store.Rewrite{Detail: store.Full, Limit: 1000, Change: each(func(sp *trace.Span) bool {
				if sp.Payload.OutputText == nil {
					return false
				}
				changed := "nowhere " + *sp.Payload.OutputText
				sp.Payload.OutputText = &changed
				return true
			})}, nil)
			want = answers()
			if sign(t, s, 100) == 0 {
				t.Fatal("no chunk was to be signed again")
			}
			same(t, "changed", want, answers())
		},
		"AreMadeOnceForEachChunk": func(t *testing.T, s store.Store) {
			if n := sign(t, s, 10); n > 0 {
				t.Fatalf("%d chunks of an empty store", n)
			}
			p := newProject(t, s, "a")
			for i := range 12 {
				sp := llmTrace(numbered("t", i), minute(i))
				sp.Payload.OutputText = ptr("text")
				write(t, s, p, sp)
			}
			if n := sign(t, s, 5); n != 12 {
				t.Fatalf("%d chunks signed, 12 there", n)
			}
			must[int64](t)(s.Retain(t.Context(), start.AddDate(1, 0, 0)))
			if n := sign(t, s, 5); n > 0 {
				t.Fatalf("%d chunks signed, none is left", n)
			}
		},
	})
}
