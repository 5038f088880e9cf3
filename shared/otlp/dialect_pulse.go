package otlp

import (
	"slices"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/trace"
)

// clientMetadata is what some of Pulse's clients put before each name of their
// user's metadata.
const clientMetadata = "pulse.metadata."

// Pulse's own clients of the second generation, as the earlier service read
// them.
func init() {
	register(&dialect{
		name: "pulse", rank: 10,
		rules: []rule{
			{key: "pulse.trace_id", fact: factTraceID},
			{key: "pulse.session_id", fact: factSession},
			{key: "gen_ai.conversation.id", fact: factSession},
			{key: "pulse.session_name", fact: factSessionName},
			{key: "pulse.source", fact: factSource},
			{key: "pulse.event_type", fact: factEventType},
			{key: "pulse.kind", fact: factKind, kinds: pulseKinds},
			{key: "pulse.cwd", fact: factCWD},
			{key: "pulse.is_interrupt", fact: factInterrupt},
			{key: "pulse.agent.name", fact: factAgent},
			{key: "pulse.model", fact: factModel},
			{key: "pulse.provider", fact: factProvider, late: true},
			{key: "pulse.tool.name", fact: factToolName},
			{key: "pulse.tool.id", fact: factToolID},
			{key: "pulse.tool.input", fact: factToolInput},
			{key: "pulse.tool.response", fact: factToolOutput},
			{key: "pulse.error", fact: factError},
			{key: "pulse.cost_cents", fact: factCost, scale: usdPerCent},
			{key: "pulse.output_text", fact: factOutputText},
			{key: "pulse.metadata", fact: factMetadata},
			{key: clientMetadata + "*", fact: factMetadataEntry},

			// The bodies are metadata to clients of the earlier service.
			{key: "pulse.request", fact: factRequest},
			{key: "pulse.request", fact: factInput},
			{key: "pulse.request", fact: factTools},
			{key: "pulse.request", fact: factMetadataEntry},
			{key: "pulse.response", fact: factResponse},
			{key: "pulse.response", fact: factOutput},
			{key: "pulse.response", fact: factMetadataEntry},
			{key: clientMetadata + "pulse.request", fact: factRequest},
			{key: clientMetadata + "pulse.request", fact: factInput},
			{key: clientMetadata + "pulse.request", fact: factTools},
			{key: clientMetadata + "pulse.request", fact: factMetadataEntry},
			{key: clientMetadata + "pulse.response", fact: factResponse},
			{key: clientMetadata + "pulse.response", fact: factOutput},
			{key: clientMetadata + "pulse.response", fact: factMetadataEntry},
		},
		before: pulseBefore,
		after:  pulseAfter,
	})
}

var pulseKinds = func() map[string]trace.Kind {
	m := map[string]trace.Kind{}
	for _, k := range trace.Kinds() {
		m[string(k)] = k
	}
	return m
}()

// pulseBefore decides the kind as the earlier service did: of spans that name
// an event and no kind. A kind that does not exist is left for the check to
// refuse.
func pulseBefore(r *reading) {
	event, named := r.str(factEventType)
	for _, h := range r.of(factKind) {
		if h.rule.key == "pulse.kind" && r.value(h).kind == valueString && len(r.value(h).data) > 0 {
			r.kind = trace.Kind(r.value(h).data)
			return
		}
	}
	if !named {
		return
	}
	if r.kind = trace.KindToolUse; event == eventOfCall {
		r.kind = trace.KindLLMCall
	}
}

// pulseAfter sets what the earlier service set of spans of whatever kind.
func pulseAfter(r *reading, s *trace.Span) {
	if s.EventType == "" && r.kind != "" {
		s.EventType = eventOfCall
	}
	if s.Kind == trace.KindToolUse {
		return
	}
	s.ToolUseID = r.id(factToolID)
	s.Payload.ToolInput, s.Payload.ToolResponse = r.first(factToolInput), r.first(factToolOutput)
}

// pulseClient reports whether the span came from one of Pulse's own clients.
func (r *reading) pulseClient() bool { return r.hasPrefix("pulse.") }

// ofSDK reports whether one of the SDKs in this repository made the span, whose
// metadata need not look as earlier clients' did.
func (r *reading) ofSDK() bool { return string(r.scopeName) == "pulse-sdk" }

// refuse holds spans of Pulse's own clients to what the earlier service took,
// with its words. Other senders' nonsense is left out instead.
func (r *reading) refuse() error {
	if !r.pulseClient() {
		return nil
	}
	invalid := func(field, code, message string) error {
		return &fault.Error{Code: fault.Invalid, Message: message, Issues: []fault.Issue{{Path: []any{field}, Code: code, Message: message}}}
	}
	for _, f := range countFacts[:2] {
		for _, h := range r.of(f.fact) {
			n, ok := number(r.value(h))
			switch {
			case !ok:
			case n > trace.MaxTokens:
				return invalid(f.name, "too_big", "Too big: expected int to be <=9007199254740991")
			case n != float64(int64(n)):
				return invalid(f.name, "invalid_type", "Invalid input: expected int, received number")
			case n < 0:
				return invalid(f.name, "too_small", "Too small: expected number to be >=0")
			}
			if ok {
				break
			}
		}
	}
	i := slices.IndexFunc(r.of(factCost), func(h hit) bool { return h.rule.scale == usdPerCent })
	if i >= 0 {
		if n, ok := number(r.value(r.of(factCost)[i])); ok && n < 0 {
			return invalid("cost_cents", "too_small", "Too small: expected number to be >=0")
		}
	}
	if r.hasStart && r.hasEnd && r.end < r.start {
		return invalid("duration_ms", "too_small", "Too small: expected number to be >=0")
	}
	return nil
}
