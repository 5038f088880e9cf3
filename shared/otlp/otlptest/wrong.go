package otlptest

// wrongExpectations are those of the corpus that are themselves wrong, by family,
// scenario and field, with the reason. Compare leaves them out.
var wrongExpectations = map[string]string{
	"openinference-0.1.18-openai/embed spans[0] CreateEmbeddingResponse.kind": "the span says EMBEDDING, and the totals count it as one",
	"litellm-otel/embed spans[1] raw_gen_ai_request.kind":                     "it repeats a call for embeddings",
	"litellm-otel/session tags":                                               "the tag 東京 was not sent: the word is in the answer",
	"langfuse-js/tools calls[0].finish_reason":                                "not sent: tool_calls is the name of a member",
	"langfuse-py-v3/tools calls[0].finish_reason":                             "not sent: tool_calls is the name of a member",
	"langfuse-py-v5/tools calls[0].finish_reason":                             "not sent: tool_calls is the name of a member",
	"langwatch/tools calls[0].finish_reason":                                  "not sent: tool_calls is the name of a member",
	"otel-openai-agents-v2/tools calls[0].finish_reason":                      "not sent: completed is the status of an item",
	"otel-openai-agents-v2/tools calls[1].finish_reason":                      "not sent: completed is the status of another call's item",
	"pulse-python-sdk-0.2.8/a_tools calls[0].finish_reason":                   "not sent: tool_use is the kind of a span; the SDK translates to tool_calls",
	"openllmetry-openai/responses_tools calls[0].tool_calls[0].id":            "the span has the item's id; the call's is in the next request only",
	"otel-go-sdk/tools tools[0].result":                                       "the program's tool gave the model more than it told of on its span",
	"vercel-ai-v4/object calls[0].tool_calls[0]":                              "the name of the tool that the SDK made up was not sent",
	"openinference-smolagents/chat tools[0].result":                           "a remark, not a result",
	"openinference-smolagents/session tools[1].result":                        "a remark, not a result",
	"openinference-smolagents/tools tools[1].result":                          "a remark, not a result",
}
