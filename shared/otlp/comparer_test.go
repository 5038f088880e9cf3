package otlp_test

import (
	"testing"

	"github.com/pulse-traces/pulse/shared/otlp/otlptest"
)

// TestComparerNotices: a server that showed the captures wrongly would not pass.
func TestComparerNotices(t *testing.T) {
	t.Parallel()
	mutations := map[string]func(*otlptest.Span){
		"calls that do not count": func(s *otlptest.Span) { s.Counted = false },
		"no usage":                func(s *otlptest.Span) { s.Usage = nil },
		"a token too many": func(s *otlptest.Span) {
			if s.Usage != nil {
				u := *s.Usage
				u.OutputTokens++
				s.Usage = &u
			}
		},
		"cached tokens beside": func(s *otlptest.Span) {
			if s.Usage != nil {
				u := *s.Usage
				u.CacheRead++
				s.Usage = &u
			}
		},
		"another model":              func(s *otlptest.Span) { s.ModelRequested, s.ModelUsed = new(string), new(string) },
		"no provider":                func(s *otlptest.Span) { s.Provider = nil },
		"another reason":             func(s *otlptest.Span) { s.FinishReason = new(string) },
		"no first token":             func(s *otlptest.Span) { s.TimeToFirstTokenMS = nil },
		"no id of the answer":        func(s *otlptest.Span) { s.ProviderRequestID = nil },
		"no input":                   func(s *otlptest.Span) { s.InputMessages = nil },
		"no output":                  func(s *otlptest.Span) { s.OutputMessages = nil },
		"all is well":                func(s *otlptest.Span) { s.Status = "success" },
		"tools have no input":        func(s *otlptest.Span) { s.ToolInput = nil },
		"tools have no result":       func(s *otlptest.Span) { s.ToolResponse = nil },
		"tools have other names":     func(s *otlptest.Span) { s.ToolName = new(string) },
		"all is a chain":             func(s *otlptest.Span) { s.Kind = "chain" },
		"no tree":                    func(s *otlptest.Span) { s.ParentSpanID = nil },
		"no session":                 func(s *otlptest.Span) { s.SessionID = nil },
		"no user":                    func(s *otlptest.Span) { s.UserID = nil },
		"no tags":                    func(s *otlptest.Span) { s.Tags = nil },
		"each in a trace of its own": func(s *otlptest.Span) { s.TraceID += s.SpanID },
	}
	noticed := map[string]int{}
	for _, s := range corpus(t) {
		if isG1(&s) {
			continue
		}
		var store stored
		for i := range s.Requests {
			store.add(mapRequest(t, &s.Requests[i])...)
		}
		right := shown(t, store.spans)
		faults := len(s.Compare(right).Faults)
		for name, mutate := range mutations {
			wrong := append([]otlptest.Span(nil), right...)
			for i := range wrong {
				mutate(&wrong[i])
			}
			if len(s.Compare(wrong).Faults) > faults {
				noticed[name]++
			}
		}
		if len(s.Compare(right[:len(right)/2]).Faults) <= faults {
			t.Logf("%s/%s: half of it passes", s.Family, s.Name)
		}
	}
	for name := range mutations {
		if noticed[name] < 20 {
			t.Errorf("%s: noticed in %d scenarios", name, noticed[name])
		}
	}
	t.Logf("noticed: %v", noticed)
}
