package otlp

import "github.com/pulse-traces/pulse/shared/trace"

// MLflow's tracing. Texts are JSON, with their quotes.
func init() {
	register(&dialect{
		name: "mlflow", rank: 58,
		rules: []rule{
			{key: "mlflow.spanType", quoted: true, fact: factKind, kinds: map[string]trace.Kind{
				"LLM": trace.KindLLMCall, "CHAT_MODEL": trace.KindLLMCall, "CHAIN": trace.KindChain, "AGENT": trace.KindAgentRun,
				"TOOL": trace.KindToolUse, "RETRIEVER": trace.KindRetrieval, "EMBEDDING": trace.KindEmbedding, "RERANKER": trace.KindRerank,
				"PARSER": trace.KindChain, "WORKFLOW": trace.KindChain, "TASK": trace.KindChain, "MEMORY": trace.KindChain,
				"GUARDRAIL": trace.KindGuardrail, "EVALUATOR": trace.KindEvaluator, "UNKNOWN": trace.KindChain,
			}},
			{key: "mlflow.llm.model", fact: factModel, quoted: true},
			{key: "mlflow.llm.provider", fact: factProvider, quoted: true},
			{key: "mlflow.spanInputs", fact: factInput},
			{key: "mlflow.spanInputs", fact: factRequest},
			{key: "mlflow.spanOutputs", fact: factOutput},
			{key: "mlflow.spanOutputs", fact: factResponse},
			{key: "mlflow.chat.tools", fact: factTools},
			{key: "mlflow.chat.tokenUsage", fact: factUsage},
			{key: "mlflow.llm.cost", fact: factCosts},
			{key: "mlflow.trace.session", fact: factSession, quoted: true},
			{key: "mlflow.trace.user", fact: factUser, quoted: true},
			{key: "mlflow.traceTag.*", fact: factMetadataEntry},
		},
	})
}
