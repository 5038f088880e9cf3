package otlp_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pulse-traces/pulse/shared/otlp"
	"github.com/pulse-traces/pulse/shared/otlp/otlptest"
	"github.com/pulse-traces/pulse/shared/trace"
)

// pieces are what the requests of a scenario tell, span by span and record by
// record.
func pieces(t testing.TB, s *otlptest.Scenario) []trace.Span {
	t.Helper()
	var all []trace.Span
	for i := range s.Requests {
		all = append(all, mapRequest(t, &s.Requests[i])...)
	}
	return all
}

func sorted(spans []trace.Span) []trace.Span {
	slices.SortFunc(spans, func(a, b trace.Span) int {
		return cmp.Or(cmp.Compare(a.TraceID, b.TraceID), cmp.Compare(a.ID, b.ID))
	})
	return spans
}

// TestOrderDoesNotMatter: whatever order spans and records arrive in, whatever of
// them comes twice, and wherever requests end, what is stored and what counts is
// the same.
func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, s := range corpus(t) {
		if isG1(&s) {
			continue
		}
		var inOrder stored
		inOrder.add(pieces(t, &s)...)
		want := sorted(inOrder.spans)
		wantStandings := standings(want)
		for range 3 {
			shuffled := pieces(t, &s)
			shuffled = append(shuffled, shuffled[:len(shuffled)/2]...) // some twice
			random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			var other stored
			other.add(shuffled...)
			if diff := diff(wantStandings, standings(other.spans)); diff != "" {
				t.Fatalf("%s/%s: standings (-in order +shuffled):\n%s", s.Family, s.Name, diff)
			}
			if diff := diff(want, sorted(other.spans)); diff != "" {
				t.Fatalf("%s/%s (-in order +shuffled):\n%s", s.Family, s.Name, diff)
			}
		}
	}
}

// standings gives, by id, what each span counts for.
func standings(spans []trace.Span) map[string]string {
	id := func(i int) string { return string(spans[i].TraceID) + " " + string(spans[i].ID) }
	out := map[string]string{}
	for i, st := range trace.Resolve(spans) {
		text := fmt.Sprint(st.Counts)
		if st.For >= 0 {
			text += " for " + id(st.For)
		}
		for _, j := range st.From {
			text += " from " + id(j)
		}
		out[id(i)] = text
	}
	return out
}

// TestRemapChangesNothing: reading stored bytes again gives what was stored, of
// spans that came whole and of those that came in pieces.
func TestRemapChangesNothing(t *testing.T) {
	t.Parallel()
	for _, s := range corpus(t) {
		if isG1(&s) {
			continue
		}
		var store stored
		store.add(pieces(t, &s)...)
		for _, want := range store.spans {
			got, err := otlp.Remap(want.Payload.Raw, now)
			if err != nil {
				t.Fatalf("%s/%s: %v", s.Family, s.Name, err)
			}
			if diff := diff(want, got); diff != "" {
				t.Fatalf("%s/%s (-stored +remapped):\n%s", s.Family, s.Name, diff)
			}
		}
	}
}

// TestMergeLaws: joining is commutative, idempotent and associative, for pieces
// that have nothing to do with each other as well.
func TestMergeLaws(t *testing.T) {
	t.Parallel()
	var all []trace.Span
	for _, s := range corpus(t) {
		if !isG1(&s) {
			all = append(all, pieces(t, &s)...)
		}
	}
	random := rand.New(rand.NewPCG(3, 4))
	pick := func() *trace.Span {
		s := all[random.IntN(len(all))]
		s.ID, s.Patch = "one", random.IntN(3) == 0
		return &s
	}
	merge := func(a, b *trace.Span) *trace.Span {
		m := trace.Merge(a, b)
		return &m
	}
	for range 300 {
		a, b, c := pick(), pick(), pick()
		if diff := diff(merge(a, b), merge(b, a)); diff != "" {
			t.Fatalf("not commutative:\n%s", diff)
		}
		if diff := diff(a, merge(a, a)); diff != "" {
			t.Fatalf("not idempotent:\n%s", diff)
		}
		ab := merge(a, b)
		if diff := diff(ab, merge(ab, b)); diff != "" {
			t.Fatalf("a repeat changes it:\n%s", diff)
		}
		if diff := diff(merge(ab, c), merge(a, merge(b, c))); diff != "" {
			t.Fatalf("not associative:\n%s", diff)
		}
	}
}

// TestSpanInTwoParts: a span that is sent when it starts and again when it ends
// is one span with all of it.
func TestSpanInTwoParts(t *testing.T) {
	t.Parallel()
	const common = `"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","name":"chat m","startTimeUnixNano":"1769342400000000000"`
	started := mapOne(t, `{`+common+`,"attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.request.model","value":{"stringValue":"m"}}]}`)
	ended := mapOne(t, `{`+common+`,"endTimeUnixNano":"1769342401000000000","status":{"code":2,"message":"boom"},"attributes":[
		{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.request.model","value":{"stringValue":"m"}},
		{"key":"gen_ai.usage.input_tokens","value":{"intValue":"7"}},{"key":"custom","value":{"stringValue":"x"}}]}`)
	if started.DurationMS != nil {
		t.Errorf("a span that has not ended lasts %v ms", *started.DurationMS)
	}
	both := trace.Merge(&started, &ended)
	if both.DurationMS == nil || *both.DurationMS != 1000 || both.Status != trace.StatusError || both.InputTokens == nil || *both.InputTokens != 7 ||
		*both.Model != "m" || *both.Payload.StatusMessage != "boom" || string(both.Payload.Attributes) != `{"custom":"x"}` {
		t.Errorf("merged: %+v", both)
	}
	again, err := otlp.Remap(both.Payload.Raw, now)
	if err != nil {
		t.Fatal(err)
	}
	if diff := diff(both, again); diff != "" {
		t.Errorf("(-merged +remapped):\n%s", diff)
	}
}
