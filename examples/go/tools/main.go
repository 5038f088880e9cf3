// Command tools is an agent that calls a tool until it has its answer.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	pulse "github.com/pulse-traces/pulse/sdk/go"
)

func main() {
	pulse.Init(pulse.Options{ServiceName: "tools"})
	defer pulse.Shutdown(context.Background())
	client := openai.NewClient(option.WithHTTPClient(pulse.HTTPClient()))

	text, err := answer(pulse.Session(context.Background(), "tools-1"), client, strings.Join(os.Args[1:], " "))
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println(text)
}

type place struct {
	City string `json:"city"`
}

func weather(_ context.Context, p place) (map[string]any, error) {
	return map[string]any{"city": p.City, "temperature": 21}, nil
}

func answer(ctx context.Context, client openai.Client, question string) (text string, err error) {
	ctx, step := pulse.Trace(ctx, "agent")
	step.SetInput(question)
	defer func() {
		step.SetOutput(text)
		step.SetError(err)
		step.End()
	}()
	params := openai.ChatCompletionNewParams{
		Model:    "gpt-4o-mini",
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(question)},
		Tools: []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
			Name:        "get_weather",
			Description: openai.String("Tells the weather in a city."),
			Parameters:  map[string]any{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"}},
		})},
	}
	for {
		completion, err := client.Chat.Completions.New(ctx, params)
		if err != nil {
			return "", err
		}
		message := completion.Choices[0].Message
		if len(message.ToolCalls) == 0 {
			return message.Content, nil
		}
		params.Messages = append(params.Messages, message.ToParam())
		for _, call := range message.ToolCalls {
			var p place
			if err := json.Unmarshal([]byte(call.Function.Arguments), &p); err != nil {
				return "", err
			}
			result, err := pulse.RunTool(ctx, call.Function.Name, call.ID, p, weather)
			if err != nil {
				return "", err
			}
			data, err := json.Marshal(result)
			if err != nil {
				return "", err
			}
			params.Messages = append(params.Messages, openai.ToolMessage(string(data), call.ID))
		}
	}
}
