package otlp

import (
	"bytes"
	"strings"

	"github.com/pulse-traces/pulse/shared/trace"
)

// OpenLIT. It speaks the conventions, with a few habits of its own.
func init() {
	register(&dialect{
		name: "openlit", rank: 120, scopes: []string{"openlit"},
		rules: []rule{
			{key: "gen_ai.client.token.usage", fact: factNone}, // the sum
			{key: "telemetry.sdk.name", fact: factNone},
			{key: "gen_ai.sdk.version", fact: factNone, keep: true},
		},
		before: func(r *reading) {
			// It passes on what Anthropic counts: cached tokens beside the input.
			r.exclusive = bytes.HasSuffix(r.scopeName, []byte(".anthropic"))
			// A call that failed early has nothing but its name.
			if op, model, ok := strings.Cut(string(r.name), " "); ok && r.in("openlit.instrumentation.") && r.kindSaid() == "" {
				if r.kind = genAIKinds[op]; isCall(r.kind) {
					r.bodyFacts.model = model
					r.provider = r.scope.Name[strings.LastIndexByte(r.scope.Name, '.')+1:]
				}
			}
			if r.scope.Name == "openlit" && r.kindSaid() == "" { // its decorator
				if r.kind = trace.KindChain; namedAgent(string(r.name)) {
					r.kind = trace.KindAgentRun
				}
			}
		},
		after: func(r *reading, s *trace.Span) {
			// A call that is not streamed has its first token with the last.
			if v := r.attr("gen_ai.request.stream"); v.kind == valueBool && !v.bool() {
				s.TimeToFirstTokenMS = nil
			}
		},
	})
}
