package trace_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/trace"
)

// tell makes a span out of a line of words: its id, its kind, and what of the
// following it has: "<parent", "@start+duration" in ms, "#key", "/trace",
// ":scope", "!role", "=tool call", and the words usage, cost, in, out.
func tell(t *testing.T, line string) trace.Span {
	t.Helper()
	words := strings.Fields(line)
	epoch := time.Date(2026, 1, 25, 12, 0, 0, 0, time.UTC)
	s := trace.Span{ID: trace.SpanID(words[0]), Kind: trace.Kind(words[1]), TraceID: "t", Start: epoch, Status: trace.StatusSuccess}
	for _, w := range words[2:] {
		switch rest := w[1:]; w[0] {
		case '<':
			s.ParentID = trace.SpanID(rest)
		case '@':
			var at, took int
			if _, err := fmt.Sscanf(rest, "%d+%d", &at, &took); err != nil {
				t.Fatal(err)
			}
			ms := float64(took)
			s.Start, s.DurationMS = epoch.Add(time.Duration(at)*time.Millisecond), &ms
		case '#':
			s.CallKey = rest
		case '/':
			s.TraceID = trace.TraceID(rest)
		case ':':
			s.Scope.Name = rest
		case '!':
			s.Role = trace.Role(rest)
		case '=':
			s.ToolUseID = &rest
		case '~':
			s.ToolName = &rest
		default:
			switch w {
			case "usage":
				s.Usage = &trace.Usage{Input: 3, Output: 2}
			case "cost":
				nano := int64(5)
				s.CostNanoUSD, s.CostSource = &nano, trace.CostOfSender
			case "in":
				s.Tells |= trace.TellsInput
			case "out":
				s.Tells |= trace.TellsOutput
			default:
				t.Fatalf("%q", w)
			}
		}
	}
	return s
}

// counting names the spans that count, with those that lend them what they know.
func counting(spans []trace.Span) string {
	var out []string
	for i, st := range trace.Resolve(spans) {
		if !st.Counts {
			continue
		}
		word := string(spans[i].ID)
		for n, j := range st.From {
			word += []string{"<-", ","}[min(n, 1)] + string(spans[j].ID)
		}
		out = append(out, word)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestResolve(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		spans []string
		want  string
	}{
		{"a call alone", []string{"a llm_call usage"}, "a"},
		{"calls beside each other", []string{"a llm_call @0+5", "b llm_call @0+5", "c llm_call @9+5"}, "a b c"},
		{"a wrapper and its call", []string{"w llm_call usage", "c llm_call <w usage"}, "c<-w"},
		{"a wrapper that alone knows the usage", []string{"w llm_call usage", "c llm_call <w"}, "w<-c"},
		{"three of one call", []string{"w llm_call usage", "m llm_call <w usage", "c llm_call <m usage"}, "c<-m,w"},
		{"a wrapper around two calls", []string{"w llm_call usage", "a llm_call <w usage @0+5", "b llm_call <w usage @6+5"}, "a b"},
		{"a wrapper around two calls that have no usage", []string{"w llm_call usage", "a llm_call <w @0+5", "b llm_call <w @6+5"}, "a b"},
		{"wrappers around wrappers", []string{"v llm_call usage", "w llm_call <v usage", "a llm_call <w usage @0+5", "b llm_call <w usage @6+5"}, "a b"},
		{"a step between", []string{"w llm_call usage", "s chain <w", "c llm_call <s usage"}, "c<-w s"},
		{"the calls of a tool are its own", []string{"w llm_call usage", "t tool_use <w", "c llm_call <t usage"}, "c t w"},
		{"the calls of an agent are its own", []string{"w llm_call usage", "g agent_run <w", "c llm_call <g usage"}, "c g w"},
		{"an embedding in a call is another", []string{"w llm_call usage", "e embedding <w usage"}, "e w"},
		{"an agent's sum", []string{"g agent_run usage", "c llm_call <g usage"}, "c"},
		{"an agent whose calls say nothing", []string{"g agent_run usage", "c llm_call <g"}, "c g"},
		{"an agent's sum within the call that tells it", []string{"w llm_call usage", "g agent_run <w usage"}, "w"},
		{"an agent's sum within a call that says nothing", []string{"w llm_call", "g agent_run <w usage"}, "g w"},
		{"a tool's agent within a call", []string{"w llm_call usage", "t tool_use <w", "g agent_run <t usage"}, "g t w"},
		{"a step that repeats the call around it", []string{"v llm_call usage", "w llm_call <v", "s chain <w usage"}, "v<-w"},
		{"the cost of a tool within a call", []string{"w llm_call usage", "t tool_use <w cost"}, "t w"},
		{"a tool's client and server", []string{"c tool_use ~w", "h generic <c", "s tool_use <h ~w"}, "h s<-c"},
		{"a framework's tool around a client's", []string{"f tool_use =1 ~w", "c tool_use <f ~w", "s tool_use <c ~w out"}, "f<-s,c"},
		{"a tool that calls another", []string{"c tool_use ~w", "s tool_use <c ~v"}, "c s"},
		{"a tool within itself, for another call", []string{"c tool_use =1 ~w", "s tool_use =2 <c ~w"}, "c s"},
		{"a tool that an agent of the tool calls", []string{"c tool_use ~w", "g agent_run <c", "s tool_use <g ~w"}, "c g s"},
		{"the sum of a tool", []string{"t tool_use =1 usage", "c llm_call <t usage"}, "c"},
		{"the sum of an agent of agents", []string{"g agent_run usage", "h agent_run <g usage", "c llm_call <h usage"}, "c"},

		{
			"two instrumentations of one call",
			[]string{"a llm_call #r1 :x @0+9 usage", "b llm_call #r1 :y @1+7 usage out"},
			"b<-a",
		},
		{
			"two instrumentations of one call, in two traces",
			[]string{"a llm_call #r1 :x @0+9 usage", "b llm_call #r1 :y /u @1+7 usage out"},
			"b<-a",
		},
		{
			"a double that gives every answer the same id",
			[]string{"a llm_call #r1 :x @0+9 usage", "b llm_call #r1 :x @10+7 usage", "c llm_call #r1 :x /u @10+7 usage"},
			"a b c",
		},
		{"the same id a day apart", []string{"a llm_call #r1 :x @0+9", "b llm_call #r1 :y @86400000+9"}, "a b"},
		{"a tool that ran twice for one call", []string{"a tool_use =1 :x", "b tool_use =1 :x"}, "a b"},
		{"a report of a tool", []string{"a tool_use =1 :x @0+9", "r tool_use =1 :log !report @9+0", "s tool_use =2 :log !report @9+0"}, "a<-r s"},

		{
			"a report beside a call",
			[]string{"p chain", "a llm_call <p :x @0+9 usage out", "r llm_call <p !report :sdk @1+7 usage"},
			"a<-r p",
		},
		{"a report with nobody beside it", []string{"p chain", "r llm_call <p !report :sdk usage"}, "p r"},
		{
			"a report in no trace",
			[]string{"a llm_call #r1 :x @0+9 out", "r llm_call #r1 / !report :log @12+0 usage"},
			"a<-r",
		},
		{
			"each report to its call",
			[]string{
				"a llm_call #s :x @0+90", "b llm_call #s :x @100+90", "q llm_call #s !report :log / @91+0 usage", "r llm_call #s !report :log / @191+0 usage",
			},
			"a<-q b<-r",
		},
		{
			"a part that has the tokens",
			[]string{"a llm_call @0+5 in", "p llm_call <a !part @5+0 usage out"},
			"a<-p",
		},
		{
			"a part beside its call",
			[]string{"g agent_run", "a llm_call <g @0+5", "b llm_call <g @6+5", "p llm_call <g !part @11+0 usage"},
			"a b<-p g",
		},
		{"a part of nothing", []string{"p llm_call !part usage"}, ""},
		{"its own parent, and a circle", []string{"a llm_call <a usage", "b llm_call <c usage", "c llm_call <b usage"}, "a b<-c"},
		{"parents in other traces are none", []string{"w llm_call /u usage", "c llm_call <w usage"}, "c w"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var spans []trace.Span
			for _, line := range test.spans {
				spans = append(spans, tell(t, line))
			}
			random := rand.New(rand.NewPCG(1, 2))
			for range 20 {
				if got := counting(spans); got != test.want {
					t.Fatalf("%q counts, want %q", got, test.want)
				}
				random.Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
			}
		})
	}
}

// randomSpans makes a set of spans that have much in common.
func randomSpans(random *rand.Rand, n int) []trace.Span {
	kinds := []trace.Kind{trace.KindLLMCall, trace.KindLLMCall, trace.KindEmbedding, trace.KindChain, trace.KindAgentRun, trace.KindToolUse}
	roles := []trace.Role{trace.RoleNone, trace.RoleNone, trace.RoleNone, trace.RoleWrapper, trace.RoleReport, trace.RolePart}
	spans := make([]trace.Span, n)
	for i := range spans {
		ms := float64(random.IntN(50))
		s := trace.Span{
			ID: trace.SpanID(fmt.Sprint(i)), TraceID: trace.TraceID(fmt.Sprint(random.IntN(2))), Kind: kinds[random.IntN(len(kinds))],
			Role: roles[random.IntN(len(roles))], DurationMS: &ms, Start: time.UnixMilli(int64(random.IntN(100))).UTC(),
			Scope: trace.Scope{Name: fmt.Sprint(random.IntN(3))}, Tells: trace.Tells(random.IntN(4)),
		}
		if random.IntN(4) > 0 {
			s.ParentID = trace.SpanID(fmt.Sprint(random.IntN(n)))
		}
		if random.IntN(2) > 0 {
			s.CallKey = fmt.Sprint(random.IntN(4))
		}
		if random.IntN(2) > 0 {
			s.Usage = &trace.Usage{Input: int64(i)}
		}
		spans[i] = s
	}
	return spans
}

// TestResolveDoesNotDependOnOrder also holds the standings to what they say of
// each other.
func TestResolveDoesNotDependOnOrder(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		spans := randomSpans(random, 1+random.IntN(30))
		want := byID(spans)
		for i, st := range trace.Resolve(spans) {
			for _, j := range st.From {
				if other := trace.Resolve(spans)[j]; other.Counts || other.For != i {
					t.Fatalf("%d stands for what %d tells of, which stands so: %+v", i, j, other)
				}
			}
			if s := &spans[i]; st.Counts && s.Role == trace.RolePart {
				t.Fatalf("the part %d counts", i)
			}
			if !st.Counts && len(st.From) > 0 {
				t.Fatalf("%d stands for a call and does not count", i)
			}
		}
		random.Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
		if diff := cmp.Diff(want, byID(spans)); diff != "" {
			t.Fatalf("in another order:\n%s", diff)
		}
	}
}

// byID gives the standings by the spans' ids.
func byID(spans []trace.Span) map[trace.SpanID]string {
	out := map[trace.SpanID]string{}
	for i, st := range trace.Resolve(spans) {
		word := fmt.Sprint(st.Counts)
		if st.For >= 0 {
			word += " for " + string(spans[st.For].ID)
		}
		for _, j := range st.From {
			word += " from " + string(spans[j].ID)
		}
		out[spans[i].ID] = word
	}
	return out
}

// TestResolveIsFast: sets that are made to be slow take no longer than others.
func TestResolveIsFast(t *testing.T) {
	t.Parallel()
	const n = 20_000
	for name, change := range map[string]func(i int, s *trace.Span){
		"one key":      func(_ int, s *trace.Span) { s.CallKey = "k" },
		"one key each": func(i int, s *trace.Span) { s.CallKey = fmt.Sprint(i) },
		"one parent": func(i int, s *trace.Span) {
			s.ParentID = "0"
			s.Kind = []trace.Kind{trace.KindLLMCall, trace.KindChain}[min(1, i)]
		},
		"a chain":  func(i int, s *trace.Span) { s.ParentID = trace.SpanID(fmt.Sprint(i - 1)) },
		"a circle": func(i int, s *trace.Span) { s.ParentID = trace.SpanID(fmt.Sprint((i + 1) % n)) },
		"reports": func(i int, s *trace.Span) {
			s.ParentID = "0"
			s.Role = []trace.Role{trace.RoleNone, trace.RoleReport}[i%2]
		},
		"keyed reports": func(i int, s *trace.Span) {
			s.CallKey = "k"
			s.Role = []trace.Role{trace.RoleNone, trace.RoleReport}[i%2]
		},
		"parts": func(i int, s *trace.Span) {
			s.ParentID = trace.SpanID(fmt.Sprint(i - 1))
			s.Role = []trace.Role{trace.RoleNone, trace.RolePart}[i%2]
		},
	} {
		spans := make([]trace.Span, n)
		for i := range spans {
			ms := 1e6
			spans[i] = trace.Span{
				ID: trace.SpanID(fmt.Sprint(i)), TraceID: "t", Kind: trace.KindLLMCall, DurationMS: &ms, Start: time.UnixMilli(int64(i)),
				Scope: trace.Scope{Name: fmt.Sprint(i % 2)},
			}
			change(i, &spans[i])
		}
		begin := time.Now()
		trace.Resolve(spans)
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%s: %v", name, took)
		}
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	count := func(n int64) *int64 { return &n }
	ms := 12.5
	call := trace.Span{ID: "a", Model: text("m"), ModelUsed: text("m"), FinishReason: text("tool_calls"), Usage: &trace.Usage{Input: 1}, InputTokens: count(1)}
	wrapper := trace.Span{
		ID: "w", Model: text("other"), ModelUsed: text("m-2026"), Provider: text("openai"), TimeToFirstTokenMS: &ms, Usage: &trace.Usage{Input: 9}, InputTokens: count(9),
		CostNanoUSD: count(7), CostSource: trace.CostOfSender, Payload: trace.Payload{InputMessages: []byte(`[1]`)},
	}
	report := trace.Span{ID: "r", Role: trace.RoleReport, FinishReason: text("tool_use"), Usage: &trace.Usage{Input: 2, CacheRead: 5}, InputTokens: count(7)}
	got := trace.Complete(&call, &wrapper, &report)
	want := trace.Span{
		ID: "a", Model: text("m"), ModelUsed: text("m-2026"), FinishReason: text("tool_use"), Usage: &trace.Usage{Input: 2, CacheRead: 5}, InputTokens: count(7),
		Provider: text("openai"), TimeToFirstTokenMS: &ms, CostNanoUSD: count(7), CostSource: trace.CostOfSender, Tells: trace.TellsInput,
		Payload: trace.Payload{InputMessages: []byte(`[1]`)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if call.Provider != nil {
		t.Error("the argument has changed")
	}
}
