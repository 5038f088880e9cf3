package otlp

import "github.com/pulse-traces/pulse/shared/trace"

// Laminar's SDK.
func init() {
	register(&dialect{
		name: "laminar", rank: 52,
		rules: []rule{
			{key: "lmnr.span.type", fact: factKind, kinds: map[string]trace.Kind{
				"LLM": trace.KindLLMCall, "TOOL": trace.KindToolUse, "DEFAULT": trace.KindChain, "EVALUATOR": trace.KindEvaluator,
				"HUMAN_EVALUATOR": trace.KindEvaluator, "EXECUTOR": trace.KindChain, "EVALUATION": trace.KindChain, "PIPELINE": trace.KindChain,
				"EVENT": trace.KindEvent, "CACHED": trace.KindChain,
			}},
			{key: "aisdk.model.id", fact: factModel, late: true},
			{key: "aisdk.model.provider", fact: factProvider, late: true},
			{key: "lmnr.span.input", fact: factInput},
			{key: "lmnr.span.output", fact: factOutput},
			{key: "lmnr.association.properties.session_id", fact: factSession},
			{key: "lmnr.association.properties.user_id", fact: factUser},
			{key: "lmnr.association.properties.tags", fact: factTags},
			{key: "lmnr.association.properties.metadata.*", fact: factMetadataEntry},
			{key: "lmnr.trace.metadata", fact: factMetadata},
			{key: "lmnr.span.parent_path", fact: factNone},
			{key: "lmnr.span.parent_ids_path", fact: factNone},
			{key: "lmnr.span.ids_path", fact: factNone},
		},
		after: func(_ *reading, s *trace.Span) {
			if s.Kind == trace.KindChain && namedAgent(s.Name) {
				s.Kind = trace.KindAgentRun
			}
		},
	})
}
