// Command oldest is the journey with the oldest clients that are supported, which
// have other names for some of it. It is a module of its own, since a module has
// one version of each.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go"
	"github.com/openai/openai-go/option"
	"github.com/openai/openai-go/responses"
	pulse "github.com/pulse-traces/pulse/sdk/go"
	"google.golang.org/genai"
)

func main() {
	pulse.Init(pulse.Options{ServiceName: "journey"})
	if err := errors.Join(journey(context.Background(), os.Getenv("PROVIDER_URL")), pulse.Shutdown(context.Background())); err != nil {
		log.Fatal(err)
	}
}

func user(text string) []openai.ChatCompletionMessageParamUnion {
	return []openai.ChatCompletionMessageParamUnion{openai.UserMessage(text)}
}

func journey(ctx context.Context, provider string) error {
	web := pulse.HTTPClient()
	client := openai.NewClient(option.WithAPIKey("none"), option.WithBaseURL(provider+"/v1"), option.WithHTTPClient(web))

	first := pulse.Metadata(pulse.Session(ctx, "s-1"), map[string]any{"userId": "user-42", "feature": "chat"})
	if _, err := client.Chat.Completions.New(first, openai.ChatCompletionNewParams{Model: "gpt-4o-mini", Messages: user("Hello")}); err != nil {
		return err
	}
	stream := client.Chat.Completions.NewStreaming(pulse.Session(ctx, "s-1"), openai.ChatCompletionNewParams{
		Model: "gpt-4o-mini", Messages: user("Hello [pieces 7]"), StreamOptions: openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)},
	})
	for stream.Next() {
	}
	if err := stream.Err(); err != nil {
		return err
	}

	if _, err := client.Responses.New(ctx, responses.ResponseNewParams{Model: "gpt-4o-mini", Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("Hello")}}); err != nil {
		return err
	}
	if _, err := client.Embeddings.New(ctx, openai.EmbeddingNewParams{Model: "text-embedding-3-small", Input: openai.EmbeddingNewParamsInputUnion{OfString: openai.String("Hello")}}); err != nil {
		return err
	}

	if err := agent(pulse.Session(ctx, "s-2"), client); err != nil {
		return err
	}

	claude := anthropic.NewClient(anthropicoption.WithAPIKey("none"), anthropicoption.WithBaseURL(provider), anthropicoption.WithHTTPClient(web))
	message := anthropic.MessageNewParams{
		Model: "claude-sonnet-4-5", MaxTokens: 100,
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("Hello [reasoning]"))},
	}
	if _, err := claude.Messages.New(ctx, message); err != nil {
		return err
	}
	events := claude.Messages.NewStreaming(ctx, message)
	for events.Next() {
	}
	if err := events.Err(); err != nil {
		return err
	}

	google, err := genai.NewClient(ctx, &genai.ClientConfig{APIKey: "none", HTTPClient: web, HTTPOptions: genai.HTTPOptions{BaseURL: provider}})
	if err != nil {
		return err
	}
	if _, err := google.Models.GenerateContent(ctx, "gemini-2.5-flash", genai.Text("Hello"), nil); err != nil {
		return err
	}
	for _, err := range google.Models.GenerateContentStream(ctx, "gemini-2.5-flash", genai.Text("Hello"), nil) {
		if err != nil {
			return err
		}
	}

	if _, err := client.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{Model: "gpt-4o-mini", Messages: user("[status 400] bad")}); err == nil {
		return errors.New("the error is gone")
	}
	router := openai.NewClient(option.WithAPIKey("none"), option.WithBaseURL(provider+"/api/v1"), option.WithHTTPClient(web))
	_, err = router.Chat.Completions.New(pulse.WithProvider(ctx, "openrouter"), openai.ChatCompletionNewParams{Model: "openai/gpt-4o-mini", Messages: user("Hello")})
	return err
}

func agent(ctx context.Context, client openai.Client) error {
	ctx, step := pulse.Trace(ctx, "agent")
	defer step.End()
	params := openai.ChatCompletionNewParams{
		Model: "gpt-4o-mini", Messages: user("[tool] Weather?"),
		Tools: []openai.ChatCompletionToolParam{{Function: openai.FunctionDefinitionParam{
			Name:       "get_weather",
			Parameters: map[string]any{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"}},
		}}},
	}
	answer, err := client.Chat.Completions.New(ctx, params)
	if err != nil {
		return err
	}
	call := answer.Choices[0].Message.ToolCalls[0]
	result, err := pulse.RunTool(ctx, "get_weather", call.ID, json.RawMessage(call.Function.Arguments), func(context.Context, json.RawMessage) (map[string]int, error) {
		return map[string]int{"temperature": 21}, nil
	})
	if err != nil {
		return err
	}
	text, _ := json.Marshal(result)
	params.Messages = append(params.Messages, answer.Choices[0].Message.ToParam(), openai.ToolMessage(string(text), call.ID))
	_, err = client.Chat.Completions.New(ctx, params)
	return err
}
