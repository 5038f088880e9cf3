// Command chat makes one call, with its session and metadata.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	pulse "github.com/pulse-traces/pulse/sdk/go"
)

func main() {
	pulse.Init(pulse.Options{ServiceName: "chat"})
	defer pulse.Shutdown(context.Background())
	client := openai.NewClient(option.WithHTTPClient(pulse.HTTPClient()))

	ctx := pulse.Session(context.Background(), "session-123")
	ctx = pulse.Metadata(ctx, map[string]any{"userId": "user-42", "feature": "chat"})
	answer, err := client.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{
		Model:    "gpt-4o-mini",
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(strings.Join(os.Args[1:], " "))},
	})
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println(answer.Choices[0].Message.Content)
}
