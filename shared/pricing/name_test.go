package pricing

import (
	"os"
	"strings"
	"testing"
	"time"
)

// day is one on which all lists so far apply.
var day = dayOf(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC))

type nameCase struct{ provider, model, rowProvider, rowModel string }

func readNames(t testing.TB) []nameCase {
	t.Helper()
	text, err := os.ReadFile("testdata/names.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var cases []nameCase
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		switch {
		case len(f) == 3 && f[2] == "-":
			cases = append(cases, nameCase{f[0], f[1], "", ""})
		case len(f) == 4:
			cases = append(cases, nameCase{f[0], f[1], f[2], f[3]})
		default:
			t.Fatalf("testdata/names.tsv: %q", line)
		}
	}
	return cases
}

func TestNames(t *testing.T) {
	t.Parallel()
	table := Default()
	for _, c := range readNames(t) {
		got, ok := table.find(c.provider, c.model, day)
		if c.rowModel == "" {
			if ok {
				t.Errorf("%q %q: found %q, want nothing", c.provider, c.model, got)
			}
			continue
		}
		want, listed := table.on(c.rowProvider, c.rowModel, day)
		if !listed {
			t.Errorf("%q %q: there is no row %s %s", c.provider, c.model, c.rowProvider, c.rowModel)
		}
		if !ok || got != want {
			t.Errorf("%q %q: found %q, want %q", c.provider, c.model, got, want)
		}
	}
}

// A name that is longer or shorter than a model's by something that is no issue
// of it is another model's.
func TestSimilarNamesAreOthers(t *testing.T) {
	t.Parallel()
	table := Default()
	for _, c := range readNames(t) {
		if c.rowModel == "" || strings.HasPrefix(c.model, "ft:") {
			continue // what follows the base is the customer's
		}
		for _, model := range []string{c.model + "x", c.model + "-acme", "acme-" + c.model, c.model + "/x", "acme/" + c.model, c.model + ":free"} {
			if _, ok := table.find(c.provider, model, day); ok && !listedAs(table, c.provider, model) {
				t.Errorf("%q %q: found", c.provider, model)
			}
		}
	}
}

// listedAs reports whether a table has a row of just this name.
func listedAs(t *Table, provider, model string) bool {
	_, ok := t.on(ProviderKey(provider), ModelKey(model), day)
	return ok
}

// Without a provider, a name that two sellers have is nobody's.
func TestNameOfTwoSellers(t *testing.T) {
	t.Parallel()
	table := newTable("anthropic\techo\t2025-01-01\tin=1\nanthropic\tsolo\t2025-01-01\tin=2\nopenai\techo\t2025-01-01\tin=3\n")
	if got, ok := table.find("", "echo", day); ok {
		t.Errorf("echo: found %q", got)
	}
	if got, ok := table.find("", "solo", day); !ok || got.prices() != "in=2" {
		t.Errorf("solo: %q, %v", got, ok)
	}
	if got, ok := table.find("openai", "echo", day); !ok || got.prices() != "in=3" {
		t.Errorf("OpenAI's echo: %q, %v", got, ok)
	}
}

// Azure's two APIs sell the models of OpenAI at one price.
func TestAzureInference(t *testing.T) {
	t.Parallel()
	table := newTable("azure.ai.openai\techo\t2025-01-01\tin=1\nazure.ai.inference\tllama\t2025-01-01\tin=2\n")
	for model, want := range map[string]string{"echo": "in=1", "llama": "in=2", "other": ""} {
		if got, _ := table.find("az.ai.inference", model, day); got.prices() != want {
			t.Errorf("%s: found %q, want %q", model, got, want)
		}
	}
	if got, ok := table.find("azure", "llama", day); ok {
		t.Errorf("llama of the other API: found %q", got)
	}
}

func TestProviderKey(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{
		{"openai", "OpenAI", "open_ai", "openai.chat", "openai.responses", "openai.embedding", "text-completion-openai"},
		{"anthropic", "Anthropic", "anthropic.messages", "claude"},
		{"azure.ai.openai", "azure", "Azure", "az.ai.openai", "azure_openai", "Azure OpenAI", "azure-openai.chat", "azure.responses"},
		{"azure.ai.inference", "az.ai.inference", "azure_ai"},
		{"aws.bedrock", "aws_bedrock", "bedrock", "amazon-bedrock", "AWS", "bedrock_converse"},
		{"gcp.gemini", "gemini", "google", "google_genai", "google.generative-ai", "gcp.gen_ai"},
		{"gcp.vertex_ai", "vertex_ai", "vertexai", "google.vertex.chat", "google_vertexai", "vertex.anthropic.messages"},
		{"mistral_ai", "mistral", "mistralai", "mistral.chat"},
		{"x_ai", "xai", "x.ai", "xai.chat"},
		{"ibm.watsonx.ai", "watsonx", "watsonx.ai"},
		{"moonshot_ai", "moonshot", "moonshotai"},
		{"cohere", "cohere_chat", "cohere.chat"},
		{"ollama", "ollama_chat"},
		{"acmecloud", "acme cloud", "Acme-Cloud", "acme.cloud"},
		{"", "langchain", "LangGraph", "litellm", "unknown", " "},
	} {
		for _, name := range names {
			if got := ProviderKey(name); got != names[0] {
				t.Errorf("ProviderKey(%q) = %q, want %q", name, got, names[0])
			}
		}
	}
}

func TestModelKey(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"":                                  "",
		"gpt-4o-mini":                       "gpt-4o-mini",
		" GPT-4o-mini\n":                    "gpt-4o-mini",
		"claude-sonnet-4.5":                 "claude-sonnet-4-5",
		"claude-3-5-sonnet@20240620":        "claude-3-5-sonnet-20240620",
		"anthropic.claude-3-haiku-v1:0":     "anthropic-claude-3-haiku-v1-0",
		"meta-llama/Llama_3.3 70B-Instruct": "meta-llama/llama-3-3-70b-instruct",
	} {
		if got := ModelKey(name); got != want {
			t.Errorf("ModelKey(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestCutDate(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"m-20250929": "m", "m-2025-09-29": "m", "a-b-20991231": "a-b",
		"m-20251329": "", "m-20250932": "", "m-20250900": "", "m-19990101": "", "m-2025-9-29": "", "m-202509290": "",
		"m20250929": "", "-20250929": "", "20250929": "", "m-2025-09": "", "m-0613": "", "m-2407": "", "": "",
	} {
		if got, ok := cutDate(key); got != want || ok != (want != "") {
			t.Errorf("cutDate(%q) = %q, %v, want %q", key, got, ok, want)
		}
	}
}

// FuzzNames looks up any names: none breaks the look-up, keys are keys of
// themselves, and what is found has the name that was looked for, but for what
// providers put around it.
func FuzzNames(f *testing.F) {
	for _, c := range readNames(f) {
		f.Add(c.provider, c.model)
	}
	f.Add("", "ft::::")
	f.Add("aws", "arn:::::/")
	f.Add("gemini", "publishers/models/")
	f.Add("openrouter", strings.Repeat("openrouter/", 50))
	table := Default()
	f.Fuzz(func(t *testing.T, provider, model string) {
		p, m := ProviderKey(provider), ModelKey(model)
		if again := ProviderKey(p); again != p {
			t.Errorf("ProviderKey(%q) = %q, and of that %q", provider, p, again)
		}
		if again := ModelKey(m); again != m {
			t.Errorf("ModelKey(%q) = %q, and of that %q", model, m, again)
		}
		found, ok := table.find(provider, model, day)
		if !ok {
			return
		}
		_, listed, _, prices := found.split()
		if _, valid := parseRates(prices, "", 0); !valid {
			t.Errorf("%q %q: found %q", provider, model, prices)
		}
		if name := listed[strings.LastIndexByte(listed, '/')+1:]; !strings.Contains(m, name) {
			t.Errorf("%q %q: found the row of %s", provider, model, listed)
		}
	})
}
