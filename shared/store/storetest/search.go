package storetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/filter"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// parsed is a filter that a test wrote.
func parsed(t *testing.T, q string) filter.Filter {
	t.Helper()
	return must[filter.Filter](t)(filter.Parse(q))
}

// search reads all pages of a search and counts those that were not full.
func search(t *testing.T, s store.Store, p account.ProjectID, q store.TraceQuery, page store.SearchPage, between func()) (hits []store.TraceHit, first store.TraceHits, short int) {
	t.Helper()
	for n := 0; ; n++ {
		got := must[store.TraceHits](t)(s.SearchTraces(t.Context(), p, q, page))
		if n == 0 {
			first = got
		}
		hits = append(hits, got.Hits...)
		if len(got.Hits) > page.Limit || n > 1000 {
			t.Fatalf("page %d has %d hits", n, len(got.Hits))
		}
		if got.Next == "" {
			return hits, first, short
		}
		if len(got.Hits) < page.Limit {
			short++
		}
		page.Cursor = got.Next
		between()
	}
}

func idsOf(hits []store.TraceHit) []string {
	out := []string{}
	for _, h := range hits {
		out = append(out, string(h.ID))
	}
	return out
}

// meets says by hand what the filters of randomFilter mean.
func meets(f filter.Filter, t *trace.Trace) bool {
	for _, term := range f.Terms {
		hit := slices.ContainsFunc(term.Values, func(v filter.Value) bool { return meetsValue(&term, v, t) })
		if hit == term.Not {
			return false
		}
	}
	return true
}

func meetsValue(term *filter.Term, v filter.Value, t *trace.Trace) bool {
	optional := func(s *string) bool { return s != nil && v.Match(*s) }
	span := func(is func(s *trace.Span) bool) bool {
		return slices.ContainsFunc(t.Spans, func(s trace.Span) bool { return is(&s) })
	}
	number := func(n *float64) bool {
		if n == nil {
			return false
		}
		value := float64(v.Number)
		switch term.Op {
		case filter.OpMore:
			return *n > value
		case filter.OpAtLeast:
			return *n >= value
		case filter.OpLess:
			return *n < value
		case filter.OpAtMost:
			return *n <= value
		case filter.OpRange:
			return *n >= float64(term.Values[0].Number) && *n <= float64(term.Values[1].Number)
		}
		return *n == value
	}
	integer := func(n *int64) bool {
		if n == nil {
			return false
		}
		f := float64(*n)
		return number(&f)
	}
	var main trace.Span
	for _, s := range t.Spans {
		if s.ID == t.Main.SpanID {
			main = s
		}
	}
	var tokens *int64
	if t.InputTokens != nil || t.OutputTokens != nil {
		tokens = new(int64)
		for _, n := range []*int64{t.InputTokens, t.OutputTokens} {
			if n != nil {
				*tokens += *n
			}
		}
	}
	switch term.Field {
	case filter.FieldStatus:
		return string(t.Status()) == v.Text
	case filter.FieldName:
		return t.Root.Name != "" && v.Match(t.Root.Name)
	case filter.FieldProvider:
		return v.Match(t.ProviderKey)
	case filter.FieldModel:
		return v.Match(t.ModelKey)
	case filter.FieldSource:
		return slices.Contains(t.Sources.Sources(), trace.Source(v.Text))
	case filter.FieldKind:
		return span(func(s *trace.Span) bool { return string(s.Kind) == v.Text })
	case filter.FieldTool:
		return span(func(s *trace.Span) bool { return optional(s.ToolName) })
	case filter.FieldService:
		return span(func(s *trace.Span) bool { return optional(s.Service) })
	case filter.FieldRelease:
		return span(func(s *trace.Span) bool { return optional(s.Release) })
	case filter.FieldKey:
		return span(func(s *trace.Span) bool { return optional(s.APIKey) })
	case filter.FieldTag:
		return slices.ContainsFunc(t.Tags, v.Match)
	case filter.FieldSession:
		return t.SessionID != "" && v.Match(string(t.SessionID))
	case filter.FieldTrace:
		return v.Match(string(t.ID))
	case filter.FieldUser:
		return optional(t.UserID)
	case filter.FieldEnv:
		return optional(t.Environment)
	case filter.FieldLatency:
		n := float64(t.End.Sub(*t.Start).Microseconds())
		return number(&n)
	case filter.FieldTTFT:
		if main.TimeToFirstTokenMS == nil {
			return false
		}
		n := *main.TimeToFirstTokenMS * 1000
		return number(&n)
	case filter.FieldCost:
		return integer(t.CostNanoUSD)
	case filter.FieldTokens:
		return integer(tokens)
	case filter.FieldIn:
		return integer(t.InputTokens)
	case filter.FieldOut:
		return integer(t.OutputTokens)
	case filter.FieldSpans:
		return integer(&t.SpanCount)
	case filter.FieldHas:
		switch filter.Field(v.Text) {
		case filter.FieldError:
			return t.ErrorCount > 0
		case filter.FieldName:
			return t.Root.Name != ""
		case filter.FieldProvider:
			return t.LLMCount > 0 && t.ProviderKey != "sdk"
		case filter.FieldModel:
			return t.LLMCount > 0 && t.ModelKey != "unknown"
		case filter.FieldSession:
			return t.SessionID != ""
		case filter.FieldUser:
			return t.UserID != nil
		case filter.FieldEnv:
			return t.Environment != nil
		case filter.FieldTag:
			return len(t.Tags) > 0
		case filter.FieldCost:
			return t.CostNanoUSD != nil
		case filter.FieldTokens:
			return tokens != nil
		case filter.FieldTTFT:
			return main.TimeToFirstTokenMS != nil
		case filter.FieldTool:
			return span(func(s *trace.Span) bool { return s.ToolName != nil })
		case filter.FieldService:
			return span(func(s *trace.Span) bool { return s.Service != nil })
		case filter.FieldRelease:
			return span(func(s *trace.Span) bool { return s.Release != nil })
		case filter.FieldKey:
			return span(func(s *trace.Span) bool { return s.APIKey != nil })
		}
	}
	panic("say by hand what " + string(term.Field) + " means")
}

// randomFilter writes a filter of some terms about randomSpans.
func randomFilter(rng *rand.Rand) string {
	terms := []string{
		"status:error", "status:ok", "name:agent", `name:"chat m"`, "name:c*", "name:*a*", "provider:openai", "provider:*o*", "model:m1,m3", "model:m*", "model:unknown",
		"source:sdk", "source:codex,opencode", "kind:tool_use", "kind:embedding,chain", "tool:Bash", "tool:E*", "service:web", "service:w*r", "release:1.0", "release:2*", "key:key-1", "key:key-*", "key:absent", "has:key", "tag:tag1", "tag:tag*", "tag:x,tag0",
		"session:x1,x2", "session:x*", "session:*", "trace:t1,t2", "trace:r0000*", "user:u1", "user:u*,nobody", "env:prod", "env:[p]rod*", "env:p?o*", "env:p_o*", "env:p%d*", "latency>1s", "latency<=200ms", "latency:1s..3h", "latency>=0", "ttft>0.5s", "ttft<100ms",
		"cost>0.3", "cost<0.1", "cost:0.1..0.5", "tokens>4k", "tokens<=1000", "in>2000", "out<100", "out:5,6", "spans>1", "spans:1", "spans:2..9",
		"has:error", "has:name", "has:provider", "has:model", "has:session", "has:user", "has:env", "has:tag", "has:cost", "has:tokens", "has:ttft", "has:tool", "has:service", "has:release,tag",
	}
	var out []string
	for range rng.IntN(4) {
		out = append(out, pick(rng, "", "", "-")+pick(rng, terms...))
	}
	return strings.Join(out, " ")
}

// inOrder sorts traces as a search does.
func inOrder(traces []trace.Trace, sort store.TraceSort) {
	key := func(t *trace.Trace) int64 {
		optional := func(n *int64) int64 {
			if n == nil {
				return -1
			}
			return *n
		}
		switch sort {
		case store.SortLatency:
			return t.End.Sub(*t.Start).Microseconds()
		case store.SortCost:
			return optional(t.CostNanoUSD)
		case store.SortTokens:
			if t.InputTokens == nil && t.OutputTokens == nil {
				return -1
			}
			return max(optional(t.InputTokens), 0) + max(optional(t.OutputTokens), 0)
		case store.SortFailures:
			return t.ErrorCount
		}
		return 0
	}
	slices.SortFunc(traces, func(a, b trace.Trace) int { return cmp.Or(cmp.Compare(key(&b), key(&a)), byTrace(b, a)) })
}

func searches(t *testing.T, open OpenFunc) {
	nothing := func() {}
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"RandomFiltersEqualBruteForce": func(t *testing.T, s store.Store) {
			p, other := newProject(t, s, "a"), newProject(t, s, "b")
			rng := rand.New(rand.NewPCG(31, 1))
			spans := randomSpans(rng, 400)
			write(t, s, p, spans...)
			write(t, s, other, randomSpans(rng, 50)...)
			m := model{}
			m.add(spans...)
			all := m.listTraces(store.TraceFilter{})
			for range 250 {
				text := randomFilter(rng)
				q := store.TraceQuery{Time: randomRange(rng), Filter: parsed(t, text)}
				page := store.SearchPage{Sort: pick(rng, store.TraceSorts()...), Limit: pick(rng, 3, 50, 1000)}
				want := slices.DeleteFunc(slices.Clone(all), func(t trace.Trace) bool { return !inRange(*t.Start, q.Time) || !meets(q.Filter, &t) })
				inOrder(want, page.Sort)
				hits, first, short := search(t, s, p, q, page, nothing)
				what := fmt.Sprintf("%q from %v to %v by %s", text, q.Time.From, q.Time.To, page.Sort)
				ids := []string{}
				for _, t := range want {
					ids = append(ids, string(t.ID))
				}
				same(t, what, ids, idsOf(hits))
				if first.Total != int64(len(want)) || !first.Exact || first.ScannedTo != nil || short > 0 {
					t.Fatalf("%s: %d of %d, exact %v, scanned to %v, %d short pages", what, first.Total, len(want), first.Exact, first.ScannedTo, short)
				}
				for i, h := range hits {
					wanted := want[i]
					wanted.Spans = nil
					same(t, what, wanted, h.Trace)
					if h.MainSpan.ID != h.Main.SpanID || h.RootSpan != nil && h.RootSpan.ID != h.Root.SpanID || (h.Failed != nil) != (h.ErrorCount > 0) {
						t.Fatalf("%s: %s: spans %s, %v, %v", what, h.ID, h.MainSpan.ID, h.RootSpan, h.Failed)
					}
				}
			}
		},
		"BoundsArePassedByPages": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			var want []string
			for i := range 60 {
				sp := llmTrace(numbered("t", i), minute(i))
				if i%20 == 0 {
					sp.Status, sp.Payload.Error = trace.StatusError, []byte(`{"message":"No Répons\u00c9 here"}`)
					want = append(want, string(sp.ID))
				}
				write(t, s, p, sp)
			}
			slices.Reverse(want)
			for _, text := range []string{"status:error", "error:répons*", "error:RÉPONSÉ", `"no réponsé"`} {
				q := store.TraceQuery{Filter: parsed(t, text), Bound: 7}
				if strings.HasSuffix(text, "*") {
					q.Filter = parsed(t, "error:*répons*")
				}
				hits, first, short := search(t, s, p, q, store.SearchPage{Sort: store.SortStart, Limit: 2}, nothing)
				same(t, text, want, idsOf(hits))
				exact := text == "status:error" // roll-ups know
				if short == 0 || first.ScannedTo == nil || !first.ScannedTo.Equal(minute(53)) || first.Exact != exact || first.Total != int64(map[bool]int{true: 3}[exact]) {
					t.Fatalf("%s: %d short pages, scanned to %v, %d, exact %v", text, short, first.ScannedTo, first.Total, first.Exact)
				}
			}
			// Another order looks at the newest only, and says so on each page.
			q := store.TraceQuery{Filter: parsed(t, "-name:x"), Bound: 7}
			hits, first, _ := search(t, s, p, q, store.SearchPage{Sort: store.SortCost, Limit: 2}, nothing)
			if len(hits) != 7 || first.Total != 7 || first.Exact || !first.ScannedTo.Equal(minute(53)) {
				t.Fatalf("%v, %d, exact %v, scanned to %v", idsOf(hits), first.Total, first.Exact, first.ScannedTo)
			}
		},
		"PagesNeitherSkipNorRepeatWhileDataArrives": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			var old []string
			for i := range 60 {
				sp := llmTrace(numbered("t", i), minute(i/2)) // pairs at the same time
				sp.DurationMS, sp.CostNanoUSD, sp.InputTokens = ptr(float64(i%7)), ptr(int64(i%5)), ptr(int64(i%3))
				sp.Payload.OutputText = ptr("text")
				if i%4 == 0 {
					sp.Status = trace.StatusError
				}
				write(t, s, p, sp)
				old = append(old, string(sp.ID))
			}
			arrived := 0
			for _, text := range []string{"", `"TEXT"`} {
				for _, sort := range store.TraceSorts() {
					if text != "" && sort != store.SortStart {
						continue
					}
					hits, _, _ := search(t, s, p, store.TraceQuery{Filter: parsed(t, text)}, store.SearchPage{Sort: sort, Limit: 7}, func() {
						arrived++
						newer, within := llmTrace(numbered("newer", arrived), minute(100+arrived)), llmTrace(numbered("within", arrived), minute(arrived%30))
						newer.DurationMS, newer.CostNanoUSD, within.CostNanoUSD = ptr(3.0), ptr(int64(2)), ptr(int64(3))
						write(t, s, p, newer, within)
						sign(t, s, 10)
					})
					got := slices.DeleteFunc(idsOf(hits), func(id string) bool { return !strings.HasPrefix(id, "t") })
					slices.Sort(got)
					same(t, fmt.Sprint(text, sort), old, got)
				}
			}
		},
		"TextsAreFoundWhereTheyAre": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			one, two, three := llmTrace("1", minute(1)), called("2", "", minute(2), 0), span("3", minute(3))
			one.Payload.Request = []byte(`{"messages":[{"role":"user","content":"Wie gro\u00df ist\nder Mond? \"so\""}]}`)
			one.Payload.Metadata = []byte(`{"release":"2026.11.2","n":5,"deep":{"a":1}}`)
			two.Payload.OutputMessages = []byte(`[{"role":"assistant","parts":[{"type":"text","text":"テントの防水性能"}]}]`)
			two.Payload.Attributes = []byte(`{"customer.id":"c-1"}`)
			two.Status, two.Payload.StatusMessage = trace.StatusError, ptr("429 Rate Limit reached")
			three.TraceID, three.Payload.ToolInput = "3", []byte(`{"sql":"SELECT 1"}`)
			write(t, s, p, one, two, three)
			for range 2 {
				for text, want := range map[string][]string{
					`"groß ist"`: {"1"}, `"GROSS"`: {}, "\"ist\nder\"": {"1"}, `"\"so\""`: {"1"}, `"防水"`: {"t"}, `"select 1"`: {"3"}, `"SQL"`: {"3"}, `"rate limit"`: {"t"},
					"error:limit": {"t"}, "error:429*": {"t"}, `error:"rate limit",x`: {"t"}, "error:select": {}, "-error:limit": {"3", "1"},
					"meta.release:2026.11.2": {"1"}, "meta.release:2026*": {"1"}, "meta.n:5": {"1"}, "meta.customer.id:c-1": {"t"}, "meta.absent:x": {}, "-meta.n:5": {"3", "t"},
					`"1" status:error`: {"t"}, `"select" "1"`: {"3"},
				} {
					hits, first, _ := search(t, s, p, store.TraceQuery{Filter: parsed(t, text)}, store.SearchPage{Sort: store.SortStart, Limit: 10}, nothing)
					same(t, text, want, idsOf(hits))
					if first.Total != int64(len(want)) || !first.Exact {
						t.Errorf("%s: %d, exact %v", text, first.Total, first.Exact)
					}
				}
				sign(t, s, 10)
			}
			_, err := s.SearchTraces(t.Context(), p, store.TraceQuery{Filter: parsed(t, `"x"`)}, store.SearchPage{Sort: store.SortCost, Limit: 1})
			wantCode(t, err, fault.Invalid)
		},
		"RowsShowWhatFailed": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			at := func(id, parent string, n int, failed bool) trace.Span {
				sp := called(id, parent, minute(n), 0)
				if sp.Kind = trace.KindChain; failed {
					sp.Status, sp.Payload.StatusMessage = trace.StatusError, ptr("why "+id)
				}
				return sp
			}
			root := at("root", "", 0, true)
			root.DurationMS = ptr(1e7)
			deep := at("deep", "fine", 5, true) // below one that is well, and earlier than the others
			deep.DurationMS = ptr(1.0)
			tool, later := at("tool", "step", 2, true), at("later", "root", 3, true)
			tool.DurationMS, later.DurationMS = ptr(5e5), ptr(5e5)
			write(t, s, p, of(deep, func(s *trace.Span) { s.TraceID = "d" }), of(root, func(s *trace.Span) { s.TraceID, s.ID = "d", "top" }))
			older := span("older", minute(9))
			older.TraceID, older.Status, older.Payload.Error = "o", trace.StatusError, []byte(`"why older"`)
			lone := llmTrace("lone", minute(8))
			lone.Status = trace.StatusError
			write(t, s, p, root, at("step", "root", 1, true), tool, later, at("fine", "root", 4, false), older, lone)
			hits, _, _ := search(t, s, p, store.TraceQuery{}, store.SearchPage{Sort: store.SortStart, Limit: 10}, nothing)
			got := map[string]string{}
			for _, h := range hits {
				got[string(h.ID)] = string(h.Failed.ID) + " " + trace.ErrorText(h.Failed)
			}
			hit, failed, err := s.FindTrace(t.Context(), p, "t")
			ok(t, err)
			var ids []string
			for _, sp := range failed {
				ids = append(ids, string(sp.ID)+" "+trace.ErrorText(&sp))
			}
			same(t, "all that failed", []string{"root why root", "step why step", "tool why tool", "later why later"}, ids)
			if hit.Failed.ID != "tool" || hit.MainSpan.ID != "root" || hit.SpanCount != 5 {
				t.Fatalf("%+v", hit)
			}
			if sp := must[trace.Span](t)(s.AnySpan(t.Context(), p, "lone")); sp.Form != trace.FormTrace {
				t.Fatalf("%+v", sp)
			}
			_, _, err = s.FindTrace(t.Context(), newProject(t, s, "b"), "t")
			wantCode(t, err, fault.NotFound)
			_, err = s.AnySpan(t.Context(), newProjectID("b"), "tool")
			wantCode(t, err, fault.NotFound)
			same(t, "failed spans", map[string]string{"d": "deep why deep", "o": "older why older", "lone": "lone ", "t": "tool why tool"}, got)
		},
		"OfLargePayloadsTheHeadIsRead": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			large, small := llmTrace("large", minute(1)), llmTrace("small", minute(2))
			prompt := `{"messages":[{"role":"user","content":"` + strings.Repeat("a prompt ", 1<<20)
			large.Payload.Request = []byte(prompt + `"}]}`)
			large.Payload.OutputText, small.Payload.OutputText = ptr("large"), ptr("small")
			write(t, s, p, large)
			write(t, s, p, small)
			hits, _, _ := search(t, s, p, store.TraceQuery{}, store.SearchPage{Sort: store.SortStart, Limit: 10}, nothing)
			if len(hits) != 2 || hits[0].MainSpan.Payload.OutputText == nil {
				t.Fatalf("%d hits", len(hits))
			}
			head := string(hits[1].MainSpan.Payload.Request)
			if said, closed := strings.CutSuffix(head, `"}]}`); !closed || len(said) > 64<<10 || len(said) < 32<<10 || !strings.HasPrefix(prompt, said) {
				t.Fatalf("%d bytes: %.100s", len(head), head)
			}
			if sp := must[trace.Span](t)(s.AnySpan(t.Context(), p, "large")); string(sp.Payload.Request) != prompt+`"}]}` {
				t.Fatalf("%d bytes", len(sp.Payload.Request))
			}
		},
		"OthersTracesAreNotFound": func(t *testing.T, s store.Store) {
			p, other := newProject(t, s, "a"), newProject(t, s, "b")
			write(t, s, p, llmTrace("1", start))
			for _, text := range []string{"", "trace:1", `"x"`, "kind:llm_call"} {
				for _, sort := range []store.TraceSort{store.SortStart, store.SortCost} {
					if text == `"x"` && sort != store.SortStart {
						continue
					}
					got := must[store.TraceHits](t)(s.SearchTraces(t.Context(), other, store.TraceQuery{Filter: parsed(t, text)}, store.SearchPage{Sort: sort, Limit: 1}))
					if len(got.Hits) > 0 || got.Total != 0 || got.Next != "" || !got.Exact {
						t.Fatalf("%q: %+v", text, got)
					}
				}
			}
		},
		"MalformedCursorIsInvalid": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			write(t, s, p, llmTrace("1", start), llmTrace("2", start.Add(time.Second)))
			list := must[store.TraceList](t)(s.ListTraces(t.Context(), p, store.TraceFilter{}, store.Page{Limit: 1})).Next
			byCost := must[store.TraceHits](t)(s.SearchTraces(t.Context(), p, store.TraceQuery{}, store.SearchPage{Sort: store.SortCost, Limit: 1})).Next
			for _, cursor := range []string{"x", "AwAA", list, byCost, strings.Repeat("A", 5000)} {
				_, err := s.SearchTraces(t.Context(), p, store.TraceQuery{}, store.SearchPage{Sort: store.SortStart, Limit: 1, Cursor: cursor})
				wantCode(t, err, fault.Invalid)
			}
		},
	})
}
