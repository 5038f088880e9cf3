// Package otlptest has the captured export requests of real instrumentations,
// each with the truth about the program that made them, and compares what a
// server shows of them with it. It is for tests: of package otlp, and of
// everything between a request and a page.
package otlptest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// The corpus: one archive per family, a directory of the family's name in each.
// What is in it is described in docs/otlp-mapping.md.
//
//go:embed testdata/*.tar.gz
var archives embed.FS

// A Scenario is one program that was traced.
type Scenario struct {
	Family, Name string
	Requests     []Request // in the order in which they were sent
	Expect       Expect
}

// A Request is the body of one export, as it was before compression.
type Request struct {
	File        string
	Signal      string // traces, logs or metrics
	Path        string // that it was sent to
	ContentType string
	Body        []byte
}

// JSON reports whether the body is JSON.
func (r *Request) JSON() bool { return strings.HasSuffix(r.File, ".json") }

// Expect is what is true about a scenario. It was written from what the provider
// was asked and answered, not from spans.
type Expect struct {
	Requests []string        `json:"requests"`
	Traces   int             `json:"traces"`
	Totals   Totals          `json:"totals"`
	Calls    []Call          `json:"calls"`
	Tools    []Tool          `json:"tools"`
	Spans    []ExpectedSpan  `json:"spans"`
	Set      *Set            `json:"set_by_app"`
	SetLost  []string        `json:"set_by_app_absent"` // session_id, user_id, tags:x, metadata:x
	Search   *Search         `json:"retrieval"`
	Differs  json.RawMessage `json:"llm_span_count_differs"`
	Note     string          `json:"note"`
}

// Totals count each call once.
type Totals struct {
	LLMCalls             int    `json:"llm_calls"`
	EmbeddingCalls       int    `json:"embedding_calls"`
	Errors               int    `json:"errors"`
	InputTokens          *int64 `json:"input_tokens"`
	OutputTokens         *int64 `json:"output_tokens"`
	EmbeddingInputTokens *int64 `json:"embedding_input_tokens"`
}

// Call is one request that reached the provider.
type Call struct {
	ID            string          `json:"id"`
	API           string          `json:"api"`
	Provider      string          `json:"provider"`
	RequestModel  string          `json:"request_model"`
	ResponseModel string          `json:"response_model"`
	ResponseID    string          `json:"response_id"`
	Stream        bool            `json:"stream"`
	UsageSent     *bool           `json:"stream_usage_sent"`
	Status        string          `json:"status"`
	Error         *CallError      `json:"error"`
	Input         *int64          `json:"input_tokens_total"`
	Cached        *int64          `json:"input_tokens_cached"`
	CacheWrite    *int64          `json:"input_tokens_cache_write"`
	Output        *int64          `json:"output_tokens"`
	Reasoning     *int64          `json:"reasoning_tokens"`
	FinishReason  string          `json:"finish_reason"`
	CostUSD       float64         `json:"provider_cost_usd"`
	LastUser      json.RawMessage `json:"last_user_text"`
	System        json.RawMessage `json:"system_text"`
	Assistant     json.RawMessage `json:"assistant_text"`
	Thinking      json.RawMessage `json:"thinking_text"`
	ToolCalls     []ToolCall      `json:"tool_calls"`
	Embedded      []string        `json:"embedding_inputs"`
	FirstChunkMS  *float64        `json:"time_to_first_chunk_ms"`
	Lost          []string        `json:"absent_from_capture"` // facts that no request of the scenario has
}

// CallError is what the provider said of a failure.
type CallError struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

// ToolCall is a call of a tool that a model asked for.
type ToolCall struct {
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"`
}

// Tool is the execution of a tool.
type Tool struct {
	ToolCall
	Status string          `json:"status"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// ExpectedSpan is a span of the capture; Kind was assigned by hand.
type ExpectedSpan struct {
	Name   string  `json:"name"`
	Parent *string `json:"parent"` // its name; nil for a root
	Scope  string  `json:"scope"`
	Kind   string  `json:"kind"`
	Call   string  `json:"call"`
}

// Set is what the program said about itself.
type Set struct {
	SessionID string         `json:"session_id"`
	UserID    string         `json:"user_id"`
	Tags      []string       `json:"tags"`
	Metadata  map[string]any `json:"metadata"`
	OnRoot    map[string]any `json:"metadata_on_root"`
}

// Search is what a retrieval looked for and must have found.
type Search struct {
	Query    string `json:"query"`
	Document string `json:"expected_document"`
}

// Load reads the whole corpus, by family and name.
func Load() ([]Scenario, error) {
	entries, err := archives.ReadDir("testdata")
	if err != nil {
		return nil, err
	}
	var all []Scenario
	for _, e := range entries {
		data, err := archives.ReadFile(path.Join("testdata", e.Name()))
		if err != nil {
			return nil, err
		}
		scenarios, err := loadFamily(strings.TrimSuffix(e.Name(), ".tar.gz"), data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		all = append(all, scenarios...)
	}
	return all, nil
}

func loadFamily(family string, archive []byte) ([]Scenario, error) {
	gz, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	var names []string
	for tr := tar.NewReader(gz); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(tr)
		if err != nil {
			return nil, err
		}
		name := path.Base(h.Name)
		files[name] = data
		if strings.HasSuffix(name, ".expect.json") {
			names = append(names, strings.TrimSuffix(name, ".expect.json"))
		}
	}
	var out []Scenario
	for _, name := range names {
		s := Scenario{Family: family, Name: name}
		if err := json.Unmarshal(files[name+".expect.json"], &s.Expect); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, file := range s.Expect.Requests {
			r := Request{File: file, Body: files[file]}
			var meta struct {
				Signal      string `json:"signal"`
				Path        string `json:"path"`
				ContentType string `json:"content_type"`
			}
			if err := json.Unmarshal(files[strings.TrimSuffix(file, path.Ext(file))+".meta.json"], &meta); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			r.Signal, r.Path, r.ContentType = meta.Signal, meta.Path, meta.ContentType
			if r.Body == nil {
				return nil, fmt.Errorf("%s: no body", file)
			}
			s.Requests = append(s.Requests, r)
		}
		out = append(out, s)
	}
	return out, nil
}
