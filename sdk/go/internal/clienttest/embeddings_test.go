package clienttest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	sdk "github.com/pulse-traces/pulse/sdk/go"
	"google.golang.org/genai"
)

// TestCompletionsAndEmbeddings makes the calls that the journey has not, and looks
// at what Pulse has of them.
func TestCompletionsAndEmbeddings(t *testing.T) {
	provider, p, ctx := providers(t), startPulse(t), sdk.Session(context.Background(), "others")
	c := sdk.New(sdk.Options{APIKey: p.key, APIURL: p.url})
	web := &http.Client{Transport: c.Transport(nil)}

	client := openai.NewClient(option.WithAPIKey("none"), option.WithBaseURL(provider+"/v1"), option.WithHTTPClient(web))
	params := openai.CompletionNewParams{Model: "gpt-3.5-turbo-instruct", Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String("Hello there")}}
	answer, err := client.Completions.New(ctx, params)
	if err != nil || answer.Choices[0].Text != "You said: Hello there" {
		t.Fatalf("%v, %+v", err, answer)
	}
	params.StreamOptions.IncludeUsage = openai.Bool(true)
	stream, text := client.Completions.NewStreaming(ctx, params), ""
	for stream.Next() {
		for _, choice := range stream.Current().Choices {
			text += choice.Text
		}
	}
	if stream.Err() != nil || text != "You said: Hello there" {
		t.Fatalf("%v, %q", stream.Err(), text)
	}

	google, err := genai.NewClient(ctx, &genai.ClientConfig{APIKey: "none", Backend: genai.BackendGeminiAPI, HTTPClient: web, HTTPOptions: genai.HTTPOptions{BaseURL: provider}})
	if err != nil {
		t.Fatal(err)
	}
	embedded, err := google.Models.EmbedContent(ctx, "text-embedding-004", append(genai.Text("Hello"), genai.Text("there")...), nil)
	if err != nil || len(embedded.Embeddings) != 2 {
		t.Fatalf("%v, %+v", err, embedded)
	}
	// Some clients ask for one alone.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, provider+"/v1beta/models/gemini-embedding-2:embedContent", strings.NewReader(`{"content":{"parts":[{"text":"Hello"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := web.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(err, resp)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if err := c.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}

	var shown struct {
		Spans []struct {
			Kind, ModelRequested string
			Usage                struct{ InputTokens int }
		}
	}
	var got []string
	eventually(t, func() bool {
		var traces struct{ Traces []struct{ TraceID string } }
		p.get(t, "/v1/traces?session_id=others", &traces)
		got = nil
		for _, tr := range traces.Traces {
			p.get(t, "/v1/traces/"+tr.TraceID+"/spans", &shown)
			for _, s := range shown.Spans {
				got = append(got, fmt.Sprint(s.Kind, " ", s.ModelRequested, " ", s.Usage.InputTokens))
			}
		}
		return len(got) == 4
	})
	want := []string{"embedding gemini-embedding-2 11", "embedding text-embedding-004 11", "llm_call gpt-3.5-turbo-instruct 12", "llm_call gpt-3.5-turbo-instruct 12"}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
