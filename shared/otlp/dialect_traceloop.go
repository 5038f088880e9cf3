package otlp

import (
	"strings"

	"github.com/pulse-traces/pulse/shared/trace"
)

// OpenLLMetry (Traceloop). Its model calls speak the conventions; this is what
// it says of the program around them.
func init() {
	register(&dialect{
		name: "traceloop", rank: 90,
		rules: []rule{
			{key: "traceloop.span.kind", fact: factKind, kinds: map[string]trace.Kind{
				"workflow": trace.KindChain, "agent": trace.KindAgentRun, "tool": trace.KindToolUse,
			}},
			{key: "traceloop.span.kind", fact: factKind, late: true, kinds: map[string]trace.Kind{"task": trace.KindChain}},
			{key: "traceloop.entity.name", fact: factToolName, keep: true},
			{key: "traceloop.entity.input", fact: factInput},
			{key: "traceloop.entity.output", fact: factOutput},
			{key: "db.system", fact: factNone, keep: true},
			{key: "traceloop.entity.version", fact: factRelease},
			{key: "gen_ai.task.input", fact: factNone}, // says the same again
			{key: "gen_ai.task.output", fact: factNone},
			{key: "traceloop.association.properties.session_id", fact: factSession},
			{key: "traceloop.association.properties.thread_id", fact: factSession},
			{key: "traceloop.association.properties.conversation_id", fact: factSession},
			{key: "traceloop.association.properties.user_id", fact: factUser},
			{key: "traceloop.association.properties.tags", fact: factTags},
			{key: "traceloop.association.properties.ls_*", fact: factNone, keep: true},
			{key: "traceloop.association.properties.lc_*", fact: factNone, keep: true},
			{key: "traceloop.association.properties.langgraph_*", fact: factNone, keep: true},
			{key: "traceloop.association.properties.checkpoint_ns", fact: factNone, keep: true},
			{key: "traceloop.association.properties.*", fact: factMetadataEntry},
		},
		before: func(r *reading) {
			name := strings.ToLower(string(r.name))
			if vectorStores[r.attrText("db.system")] && (strings.Contains(name, "query") || strings.Contains(name, "search")) && r.kindSaid() == "" {
				r.kind = trace.KindRetrieval
			}
			// A graph's root says that it invokes an agent, and its nodes that they
			// execute a task.
			if r.kindSaid() == trace.KindToolUse && r.attrText("traceloop.span.kind") != "tool" && !r.has(factToolInput) && r.has(factModel) {
				r.kind = trace.KindLLMCall
			}
		},
	})
}

// vectorStores are the databases that its instrumentations of retrievals name.
var vectorStores = map[string]bool{
	"chroma": true, "pinecone": true, "qdrant": true, "weaviate": true, "milvus": true, "lancedb": true, "marqo": true,
}
