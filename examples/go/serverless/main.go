// Command serverless is a function as AWS Lambda calls it, whose process is frozen
// as soon as it has answered: what it recorded is sent before.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	pulse "github.com/pulse-traces/pulse/sdk/go"
)

var client openai.Client

func handler(ctx context.Context, event map[string]string) (string, error) {
	defer pulse.Flush(ctx)
	ctx, step := pulse.Trace(ctx, "handler")
	defer step.End()
	answer, err := client.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{
		Model: "gpt-4o-mini", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(event["question"])},
	})
	if err != nil {
		step.SetError(err)
		return "", err
	}
	return answer.Choices[0].Message.Content, nil
}

func main() {
	pulse.Init(pulse.Options{ServiceName: "serverless"})
	client = openai.NewClient(option.WithHTTPClient(pulse.HTTPClient()))
	text, err := handler(context.Background(), map[string]string{"question": "Hello"}) // lambda.Start(handler)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(text)
}
