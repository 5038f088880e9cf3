package otlp

import (
	"strings"

	"github.com/pulse-traces/pulse/shared/trace"
)

// Haystack's own tracer, which names the class of each component.
func init() {
	register(&dialect{
		name: "haystack", rank: 162,
		rules: []rule{
			{key: "haystack.component.input", fact: factInput},
			{key: "haystack.component.output", fact: factOutput},
			{key: "haystack.component.output", fact: factResponse},
			{key: "haystack.pipeline.input_data", fact: factInput},
			{key: "haystack.pipeline.output_data", fact: factOutput},
			{key: "haystack.tool.name", fact: factToolName},
			{key: "haystack.component.name", fact: factNone, keep: true},
			{key: "haystack.component.type", fact: factNone, keep: true},
			{key: "haystack.component.*", fact: factNone},
		},
		before: func(r *reading) {
			class := r.attrText("haystack.component.type")
			for _, of := range []struct {
				suffix string
				kind   trace.Kind
			}{
				{"Generator", trace.KindLLMCall},
				{"TextEmbedder", trace.KindEmbedding},
				{"DocumentEmbedder", trace.KindEmbedding},
				{"Retriever", trace.KindRetrieval},
				{"Ranker", trace.KindRerank},
				{"Agent", trace.KindAgentRun},
				{"", trace.KindChain},
			} {
				if strings.HasSuffix(class, of.suffix) {
					r.kind = of.kind
					return
				}
			}
		},
	})
}
