package pulse

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// What is kept of requests and answers with OmitContent, as sdk/testdata/content.json
// has it.
const (
	keptOfRequest = "model stream temperature top_p top_k n seed max_tokens max_completion_tokens max_output_tokens frequency_penalty presence_penalty " +
		"logprobs top_logprobs service_tier reasoning_effort reasoning.effort thinking.type thinking.budget_tokens parallel_tool_calls dimensions " +
		"encoding_format store truncation generationConfig.temperature generationConfig.topP generationConfig.topK generationConfig.maxOutputTokens " +
		"generationConfig.candidateCount generationConfig.seed generationConfig.thinkingConfig.thinkingBudget"
	keptOfResponse = "id object type model created created_at status service_tier system_fingerprint role stop_reason incomplete_details.reason usage " +
		"modelVersion responseId createTime usageMetadata choices[].index choices[].finish_reason candidates[].index candidates[].finishReason " +
		"promptFeedback.blockReason"
)

type tree map[string]tree

func treeOf(paths string) tree {
	t := tree{}
	for _, path := range strings.Fields(paths) {
		node := t
		for _, name := range strings.Split(path, ".") {
			if node[name] == nil {
				node[name] = tree{}
			}
			node = node[name]
		}
	}
	return t
}

var requestTree, responseTree = treeOf(keptOfRequest), treeOf(keptOfResponse)

// content gives what is sent in place of a content, as JSON; "" sends nothing.
// Without a tree nothing of it is kept with OmitContent.
func (s *settings) content(value any, kept tree) string {
	if s.OmitContent && kept == nil {
		return ""
	}
	if !s.OmitContent && s.Redact == nil && !s.HashImages && s.MaxContentBytes == 0 {
		return toJSON(value)
	}
	value = decoded([]byte(toJSON(value))) // a copy: Redact may change what it is given
	if s.OmitContent {
		value = keep(value, kept)
	}
	if s.Redact != nil {
		value = s.redacted(value)
	}
	if s.HashImages {
		value = hashed(value)
	}
	if s.MaxContentBytes > 0 {
		value = cut(value, s.MaxContentBytes)
	}
	return toJSON(value)
}

// message gives what is sent in place of an error's.
func (s *settings) message(text string) string {
	if s.Redact == nil {
		return text
	}
	redacted := s.redacted(text)
	if plain, ok := redacted.(string); ok {
		return plain
	}
	return toJSON(redacted)
}

func (s *settings) redacted(value any) (out any) {
	defer func() {
		if recover() != nil {
			out = "[redaction failed]"
		}
	}()
	return decoded([]byte(toJSON(s.Redact(value))))
}

// toJSON writes a value, or what it was if JSON does not know it.
func toJSON(value any) (text string) {
	defer func() { // somebody else's MarshalJSON
		if recover() != nil {
			text = fmt.Sprintf("%q", fmt.Sprintf("[%T that panics]", value))
		}
	}()
	if raw, ok := value.(json.RawMessage); ok && json.Valid(raw) {
		return string(raw)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return fmt.Sprintf("%q", fmt.Sprintf("[%T: %v]", value, err))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// decoded reads JSON, with its numbers as they are; nil of what is none.
func decoded(data []byte) any {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

func keep(value any, t tree) any {
	out := map[string]any{}
	from, _ := value.(map[string]any)
	for name, below := range t {
		member := strings.TrimSuffix(name, "[]")
		found, ok := from[member]
		switch {
		case !ok:
		case member != name:
			if list, ok := found.([]any); ok {
				kept := make([]any, len(list))
				for i, e := range list {
					kept[i] = keep(e, below)
				}
				out[member] = kept
			}
		case len(below) == 0:
			out[member] = found
		default:
			if _, ok := found.(map[string]any); ok {
				out[member] = keep(found, below)
			}
		}
	}
	return out
}

var dataURL = regexp.MustCompile(`data:(image/[\w.+-]+);base64,([A-Za-z0-9+/_=-]+)`)

func hashed(value any) any {
	switch v := value.(type) {
	case string:
		return dataURL.ReplaceAllStringFunc(v, func(url string) string {
			m := dataURL.FindStringSubmatch(url)
			return hashOf(m[1], m[2])
		})
	case []any:
		for i := range v {
			v[i] = hashed(v[i])
		}
	case map[string]any:
		kind, _ := v["media_type"].(string) // Anthropic and Google give an image's type beside its data
		if kind == "" {
			kind, _ = v["mimeType"].(string)
		}
		if data, ok := v["data"].(string); ok && strings.HasPrefix(kind, "image/") {
			v["data"] = hashOf(kind, data)
			return v
		}
		for name := range v {
			v[name] = hashed(v[name])
		}
	}
	return value
}

func hashOf(kind, data string) string {
	plain := strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(data), "=")
	raw, err := base64.RawStdEncoding.DecodeString(plain)
	if err != nil {
		raw = []byte(data)
	}
	sum := sha256.Sum256(raw)
	return "data:" + kind + ";sha256," + hex.EncodeToString(sum[:])
}

func cut(value any, size int) any {
	switch v := value.(type) {
	case string:
		if len(v) <= size {
			return v
		}
		for size > 0 && !utf8.RuneStart(v[size]) {
			size--
		}
		return v[:size]
	case []any:
		for i := range v {
			v[i] = cut(v[i], size)
		}
	case map[string]any:
		for name := range v {
			v[name] = cut(v[name], size)
		}
	}
	return value
}
