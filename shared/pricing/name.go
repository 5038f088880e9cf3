package pricing

import "strings"

// Providers that rules below name.
const (
	openAI    = "openai"
	anthropic = "anthropic"
	azure     = "azure.ai.openai"
	// azureInference is Azure's API for the models of all makers.
	azureInference = "azure.ai.inference"
	bedrock        = "aws.bedrock"
	gemini         = "gcp.gemini"
	vertexAI       = "gcp.vertex_ai"
	fireworks      = "fireworksai"
)

// aliases brings the names that senders have for a provider, folded, to one: its
// name in OpenTelemetry's GenAI conventions if there is one, else a folded name.
// "" means that the name says nothing of who is paid: it is that of a framework
// or of a proxy.
var aliases = map[string]string{
	"openai": openAI, "textcompletionopenai": openAI,
	"azure": azure, "azureopenai": azure, "azaiopenai": azure, "azureaiopenai": azure, "azuretext": azure, "microsoftazure": azure,
	"azureai": azureInference, "azaiinference": azureInference, "azureaiinference": azureInference, "azureaifoundry": azureInference,
	"claude": anthropic,
	"aws":    bedrock, "amazon": bedrock, "bedrock": bedrock, "awsbedrock": bedrock, "amazonbedrock": bedrock,
	"bedrockconverse": bedrock, "bedrockmantle": bedrock, "awsbedrockconverse": bedrock,
	"gemini": gemini, "google": gemini, "googleai": gemini, "googlegenai": gemini, "googlegenerativeai": gemini, "googleaistudio": gemini,
	"googlegemini": gemini, "gcpgemini": gemini, "gcpgenai": gemini,
	"vertex": vertexAI, "vertexai": vertexAI, "vertexaibeta": vertexAI, "gcpvertexai": vertexAI, "googlevertex": vertexAI, "googlevertexai": vertexAI,
	"googlevertexanthropic": vertexAI, "vertexanthropic": vertexAI,
	"mistral": "mistral_ai", "mistralai": "mistral_ai", "codestral": "mistral_ai", "textcompletioncodestral": "mistral_ai",
	"xai": "x_ai", "watsonx": "ibm.watsonx.ai", "watsonxai": "ibm.watsonx.ai", "ibmwatsonx": "ibm.watsonx.ai", "ibmwatsonxai": "ibm.watsonx.ai",
	"moonshot": "moonshot_ai", "moonshotai": "moonshot_ai",
	"coherechat": "cohere", "ollamachat": "ollama", "together": "togetherai", "fireworks": fireworks, "fireworksaiembeddingmodels": fireworks,
	"voyageai": "voyage", "jina": "jinaai", "hf": "huggingface", "alibaba": "dashscope", "novitaai": "novita", "ai21labs": "ai21",
	"nvidia": "nvidianim", "workersai": "cloudflare", "cloudflareworkersai": "cloudflare", "perplexityai": "perplexity",
	"gateway": "vercelaigateway", "aigateway": "vercelaigateway", "vercel": "vercelaigateway",

	"unknown": "", "langchain": "", "langgraph": "", "llamaindex": "", "haystack": "", "crewai": "", "autogen": "", "semantickernel": "",
	"smolagents": "", "agno": "", "dspy": "", "pydanticai": "", "strandsagents": "", "openaiagents": "", "googleadk": "", "gcpvertexagent": "",
	"litellm": "", "litellmproxy": "", "portkey": "", "helicone": "",
}

// surfaces are the names of a provider's APIs that SDKs append to its own:
// openai.responses, google.vertex.chat.
var surfaces = map[string]bool{
	"chat": true, "responses": true, "messages": true, "completion": true, "completions": true, "embedding": true, "embeddings": true,
	"textembedding": true, "image": true, "rerank": true, "reranking": true, "transcription": true, "speech": true, "languagemodel": true,
}

// ProviderKey brings a provider's name to the one by which prices are found: it
// is the same for every spelling, and "" for a name that says nothing of who is
// paid, as that of a framework does.
func ProviderKey(name string) string {
	name = strings.ToLower(name)
	for {
		folded := fold(name)
		if key, ok := aliases[folded]; ok {
			return key
		}
		dot := strings.LastIndexByte(name, '.')
		if dot < 0 || !surfaces[fold(name[dot+1:])] {
			return folded
		}
		name = name[:dot]
	}
}

// fold leaves out what spellings of one name differ in.
func fold(name string) string {
	if !strings.ContainsAny(name, foldedAway) {
		return name
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(foldedAway, r) {
			return -1
		}
		return r
	}, name)
}

const foldedAway = " ._-/:\t\r\n"

// ModelKey brings a model's name to the form in which the table has it: lower
// case, with dashes for the other characters that providers put between the
// parts of a name (claude-sonnet-4.5, claude-3-5-sonnet@20240620, …-v1:0).
func ModelKey(name string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '.', ':', '@', '_', ' ', '\t', '\r', '\n':
			return '-'
		}
		return r
	}, strings.ToLower(strings.TrimSpace(name)))
}

// maxModelBytes is more than any name in the table has.
const maxModelBytes = 256

// find gives the line of a model on a day, by the names that a sender has for
// it and its provider. docs/pricing.md lists the rules.
func (t *Table) find(provider, model string, day date) (found listing, ok bool) {
	name := strings.ToLower(strings.TrimSpace(model))
	if name == "" || len(name) > maxModelBytes {
		return "", false
	}
	p := ProviderKey(provider)
	if p == "" {
		return t.unsaid(name, day)
	}
	if found, ok = t.sold(p, name, day); ok {
		return found, true
	}
	if vendor, rest, prefixed := strings.Cut(name, "/"); prefixed {
		// A router's name for a model begins with its maker's. OpenAI's API is
		// also what routers speak, so that a sender may name OpenAI for one.
		if maker := makers[vendor]; maker != "" && (routers[p] || p == openAI) {
			return t.sold(maker, rest, day)
		}
		return "", false
	}
	if p == azureInference { // the other API sells the same models
		return t.sold(azure, name, day)
	}
	if routers[p] { // some senders cut the maker's name off
		return t.onlyMaker(name, day)
	}
	return "", false
}

// routers resell the models of many makers at the makers' prices.
var routers = map[string]bool{"openrouter": true, "vercelaigateway": true}

// makers are those who alone sell their models, by the names that routers have
// for them: whoever delivers such a model charges what its maker does. Open
// models have as many prices as hosts, so their makers are not here.
var makers = map[string]string{
	"openai": openAI, "anthropic": anthropic, "google": gemini, "gemini": gemini, "x-ai": "x_ai", "xai": "x_ai", "perplexity": "perplexity", "cohere": "cohere",
}

// hosts are providers that begin the name of a model that says itself who
// serves it, as LiteLLM writes them.
var hosts = map[string]bool{
	"azure": true, "azure_ai": true, "bedrock": true, "vertex_ai": true, "groq": true, "together_ai": true, "fireworks_ai": true, "deepinfra": true,
	"cerebras": true, "sambanova": true, "openrouter": true, "vercel_ai_gateway": true, "ollama": true, "ollama_chat": true, "mistral": true,
	"voyage": true, "jina_ai": true, "watsonx": true, "databricks": true, "replicate": true, "novita": true, "nebius": true, "hyperbolic": true,
	"nscale": true, "dashscope": true, "moonshot": true, "github_copilot": true, "cohere_chat": true, "text-completion-openai": true, "ai21": true,
	"oci": true, "snowflake": true, "baseten": true, "lambda_ai": true, "wandb": true, "gradient_ai": true, "volcengine": true, "friendliai": true,
}

// unsaid finds a model whose provider the sender did not name.
func (t *Table) unsaid(name string, day date) (found listing, ok bool) {
	if vendor, rest, prefixed := strings.Cut(name, "/"); prefixed {
		if maker := makers[vendor]; maker != "" {
			return t.sold(maker, rest, day)
		}
		if hosts[vendor] {
			return t.find(vendor, rest, day)
		}
	}
	return t.onlyMaker(name, day)
}

// soleSellers are the providers whose names for models no other host uses for
// something else. Of Bedrock's this holds because they begin with the maker's.
var soleSellers = [...]string{openAI, anthropic, gemini, "x_ai", "voyage", bedrock}

// onlyMaker finds a model by its name alone, which exactly one of soleSellers
// must know.
func (t *Table) onlyMaker(name string, day date) (found listing, ok bool) {
	for _, seller := range soleSellers {
		if seller == bedrock && !strings.Contains(name, ".") {
			continue
		}
		if r, here := t.sold(seller, name, day); here {
			if ok {
				return "", false
			}
			found, ok = r, true
		}
	}
	return found, ok
}

// sold finds a model among those of one provider, by the names that this
// provider has for it.
func (t *Table) sold(provider, name string, day date) (found listing, ok bool) {
	region := ""
	switch provider {
	case bedrock:
		if region, name, ok = bedrockName(name); !ok {
			return "", false
		}
	case vertexAI, gemini:
		name = googleName(name)
	case openAI:
		// A model that a customer tuned costs what tuned ones of its base do.
		if parts := strings.SplitN(name, ":", 3); parts[0] == "ft" && len(parts) == 3 {
			name = parts[0] + ":" + parts[1]
		}
	}
	if found, ok = t.inRegion(provider, region, name, day); ok {
		return found, true
	}
	if prefix, rest, prefixed := strings.Cut(name, "/"); prefixed && ProviderKey(prefix) == provider {
		return t.sold(provider, rest, day)
	}
	switch provider {
	case bedrock:
		if geography, rest, cut := strings.Cut(name, "."); cut && geographies[geography] {
			return t.inRegion(provider, region, rest, day)
		}
	case vertexAI:
		if rest, cut := strings.CutPrefix(name, "google/"); cut {
			return t.dated(provider, rest, day)
		}
	case fireworks:
		return t.dated(provider, "accounts/fireworks/models/"+name, day)
	}
	return "", false
}

// inRegion finds a model as sold in a region, if that is known, or anywhere.
func (t *Table) inRegion(provider, region, name string, day date) (found listing, ok bool) {
	if region != "" {
		if found, ok = t.dated(provider, region+"/"+name, day); ok {
			return found, true
		}
	}
	return t.dated(provider, name, day)
}

// dated finds a model by its name, or by the name without what only says which
// issue of the same model it is.
func (t *Table) dated(provider, name string, day date) (found listing, ok bool) {
	key := ModelKey(name)
	if found, ok = t.on(provider, key, day); ok {
		return found, true
	}
	if undated, cut := cutIssue(provider, key); cut {
		return t.on(provider, undated, day)
	}
	return "", false
}

// cutIssue takes a date, "-latest", Google's three-digit version or Anthropic's
// -0 (claude-opus-4-0) from the end of a key.
func cutIssue(provider, key string) (string, bool) {
	if rest, ok := strings.CutSuffix(key, "-latest"); ok {
		return rest, true
	}
	switch provider {
	case anthropic:
		if rest, ok := strings.CutSuffix(key, "-0"); ok {
			return rest, true
		}
	case gemini, vertexAI:
		if n := len(key) - len("-001"); n > 0 && key[n:n+3] == "-00" && isDigits(key[n+3:]) {
			return key[:n], true
		}
	}
	return cutDate(key)
}

// cutDate takes a date (-20250929 or -2025-09-29) from the end of a key.
func cutDate(key string) (string, bool) {
	n := len(key) - len("-20250929")
	if n > 0 && key[n] == '-' && isDay(key[n+1:n+5], key[n+5:n+7], key[n+7:]) {
		return key[:n], true
	}
	n = len(key) - len("-2025-09-29")
	if n > 0 && key[n] == '-' && key[n+5] == '-' && key[n+8] == '-' && isDay(key[n+1:n+5], key[n+6:n+8], key[n+9:]) {
		return key[:n], true
	}
	return "", false
}

func isDay(year, month, day string) bool {
	return isDigits(year) && isDigits(month) && isDigits(day) && year >= "2020" && year < "2100" &&
		month >= "01" && month <= "12" && day >= "01" && day <= "31"
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// geographies begin the names of Bedrock's inference profiles, which serve the
// model that the rest names.
var geographies = map[string]bool{
	"us": true, "eu": true, "apac": true, "global": true, "jp": true, "au": true, "ca": true, "us-gov": true,
}

// bedrockName takes a model's name out of an ARN, with the region that the ARN
// names, and off the routes and context sizes around it. It fails for an ARN
// that does not name a model, but something that a customer made.
func bedrockName(name string) (region, model string, ok bool) {
	if parts := strings.SplitN(name, ":", 6); parts[0] == "arn" {
		if len(parts) < 6 || parts[2] != "bedrock" {
			return "", "", false
		}
		kind, id, _ := strings.Cut(parts[5], "/")
		if kind != "foundation-model" && kind != "inference-profile" {
			return "", "", false
		}
		region, name = parts[3], id
	}
	name = strings.TrimPrefix(name, "bedrock/")
	name = strings.TrimPrefix(name, "converse/")
	name = strings.TrimPrefix(name, "invoke/")
	// amazon.nova-lite-v1:0:300k
	if colon := strings.LastIndexByte(name, ':'); colon > 0 {
		if size, kilo := strings.CutSuffix(name[colon+1:], "k"); kilo && isDigits(size) {
			name = name[:colon]
		}
	}
	return region, name, true
}

// googleName takes a model's name off the resource that it is part of:
// models/X, publishers/google/models/X, projects/…/publishers/…/models/X.
func googleName(name string) string {
	kind, _, _ := strings.Cut(name, "/")
	i := strings.LastIndex(name, "models/")
	switch {
	case i == 0, i > 0 && kind == "publishers", i > 0 && kind == "projects" && strings.Contains(name[:i], "/publishers/"):
		return name[i+len("models/"):]
	}
	return name
}
