package otlp

import "github.com/pulse-traces/pulse/shared/trace"

// told is what the provider's own request and answer say, for instrumentations
// that have no attributes for it.
type bodyFacts struct {
	provider, model, modelUsed, responseID, user, finish, system, tier string
	usage                                                              ref
	cost                                                               float64
}

// readBodies looks into the bodies of a call.
func (r *reading) readBodies() {
	f := &r.bodyFacts
	for _, h := range r.of(factParameters) {
		root := r.tree(h.at).root()
		if f.model == "" {
			f.model = root.get("model", "model_name", "model_id").text()
		}
		if f.user == "" {
			f.user = root.get("user").text()
		}
	}
	if request := r.bodyOf(factRequest); request.there() {
		if f.model == "" {
			f.model = request.get("model", "model_name", "modelId").text()
		}
		if f.user == "" {
			f.user = request.get("user").text()
		}
	}
	if answer := r.bodyOf(factResponse); answer.there() {
		f.answer(answer)
	}
}

// answer reads what is known of a call from what came back.
func (f *bodyFacts) answer(answer ref) {
	places := []ref{answer, answer.get("llm_output"), answer.get("response_metadata")}
	if raw := textTree(answer.get("raw")); raw.kind() == kindObject { // frameworks keep the provider's beside their own
		places = append([]ref{raw}, places...)
	}
	if reply := textTree(answer.get("replies").first()); reply.kind() == kindObject { // Haystack
		places = append(places, reply.get("_meta", "meta"))
	}
	if generation := answer.get("generations").first(); generation.there() { // LangChain
		if generation.kind() == kindList {
			generation = generation.first()
		}
		message := generation.get("message")
		if inner := message.get("kwargs", "data"); inner.there() {
			message = inner
		}
		places = append(places, message, message.get("response_metadata"), generation.get("generation_info"))
	}
	for i, p := range places {
		if f.modelUsed == "" {
			f.modelUsed = p.get("model", "modelVersion", "model_version", "model_name").text()
		}
		if f.responseID == "" {
			// The id of a framework's message is the framework's.
			if id := p.get("id", "responseId", "response_id").text(); id != "" && !p.has("response_metadata") && (i == 0 || !p.has("content")) {
				f.responseID = id
			}
		}
		if f.finish == "" {
			if f.finish = finishOf(p); f.finish == "" {
				f.finish = finishOf(p.get("choices", "candidates").first())
			}
			if f.finish == "" && p.get("object").text() == "response" {
				f.finish = p.get("status").text()
			}
		}
		if f.tier == "" {
			f.tier = p.get("service_tier", "serviceTier").text()
		}
		if f.usage.count() == 0 {
			f.usage = p.get("usage", "usageMetadata", "usage_metadata", "token_usage")
		}
	}
	if f.tier == "" {
		f.tier = f.usage.get("service_tier", "serviceTier").text() // Anthropic's
	}
	f.cost, _ = f.usage.get("cost").number()
}

// passedOn reads the answer that a step, an agent or a program passes on: it may
// hold what the instrumentation of the call did not tell. The span then is a part
// of that call.
func (r *reading) passedOn(s *trace.Span) {
	if s.Usage != nil || s.Role != trace.RoleNone {
		return
	}
	if s.ProviderRequestID == nil {
		var f bodyFacts
		for _, kind := range []fact{factOutput, factInput} {
			for _, h := range r.of(kind) {
				if answer := passedAnswer(r.tree(h.at).root(), 0); f.responseID == "" && answer.there() {
					f.answer(answer)
				}
			}
		}
		if f.responseID == "" && f.finish == "" {
			return
		}
		s.ProviderRequestID, s.ModelUsed = name(f.responseID), name(f.modelUsed)
		if f.finish != "" {
			s.FinishReason = finishText(f.finish)
		}
	}
	s.Role = trace.RolePart
	if s.ProviderRequestID != nil {
		r.callKey = *s.ProviderRequestID
	}
}

// passedAnswer finds a provider's answer, or LangChain's message of one, in what
// a program passes on.
func passedAnswer(v ref, depth int) ref {
	if depth > maxWrappers {
		return ref{}
	}
	switch v.kind() {
	case kindList: // the last that is one
		var last ref
		v.each(func(e ref) bool {
			if a := passedAnswer(e, depth+1); a.there() {
				last = a
			}
			return true
		})
		return last
	case kindObject:
		if v.get("choices").kind() == kindList && v.has("model") || v.get("object").text() == "response" {
			return v
		}
		if inner := v.get("kwargs"); v.has("lc") && inner.there() {
			v = inner
		} else if inner := v.get("data"); v.get("type").isText() && inner.there() {
			v = inner
		}
		if v.get("response_metadata").count() > 0 {
			return v
		}
		for _, name := range []string{"messages", "update", "output", "outputs", "inputs", "input", "result", "response", "value", "kwargs"} {
			if inner := v.get(name); inner.kind() >= kindList {
				if a := passedAnswer(inner, depth+1); a.there() {
					return a
				}
			}
		}
	}
	return ref{}
}

// addUsage adds what the provider's answer says of tokens to what the attributes
// say, if both count the same call.
func (r *reading) addUsage(c *counts) {
	if o := countsOf(r.bodyFacts.usage); !o.empty() && (c.empty() || c.agrees(&o)) {
		parts := *c
		*c = o
		c.fill(&parts)
	}
}

// bodyCost is what the provider says that the call cost.
func (r *reading) bodyCost() (int64, bool) {
	usd := r.bodyFacts.cost
	if usd <= 0 || usd*100 > trace.MaxCostCents {
		return 0, false
	}
	return int64(usd*nanoPerUSD + 0.5), true
}

// hosts says which provider answers at an address, by the end of its name.
var hosts = []struct{ suffix, provider string }{
	{"api.openai.com", "openai"},
	{"openai.azure.com", "azure"},
	{"api.anthropic.com", "anthropic"},
	{"generativelanguage.googleapis.com", "google"},
	{"aiplatform.googleapis.com", "gcp.vertex_ai"},
	{"openrouter.ai", "openrouter"},
	{"api.mistral.ai", "mistral_ai"},
	{"api.groq.com", "groq"},
	{"api.deepseek.com", "deepseek"},
	{"api.x.ai", "x_ai"},
	{"api.cohere.com", "cohere"},
	{"api.together.xyz", "together"},
	{"api.fireworks.ai", "fireworks"},
	{"api.perplexity.ai", "perplexity"},
	{"api.cerebras.ai", "cerebras"},
}
