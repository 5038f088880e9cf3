// Command stream-server streams answers: GET /?q=question.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	pulse "github.com/pulse-traces/pulse/sdk/go"
)

func main() {
	pulse.Init(pulse.Options{ServiceName: "stream-server"})
	client := openai.NewClient(option.WithHTTPClient(pulse.HTTPClient()))

	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		question := r.URL.Query().Get("q")
		ctx, step := pulse.Trace(r.Context(), "GET /")
		defer step.End()
		step.SetInput(question)
		// The reader may leave in the middle: what it has got until then is recorded.
		stream := client.Chat.Completions.NewStreaming(ctx, openai.ChatCompletionNewParams{
			Model: "gpt-4o-mini", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(question)},
		})
		defer stream.Close()
		for stream.Next() {
			for _, choice := range stream.Current().Choices {
				io.WriteString(w, choice.Delta.Content)
			}
			http.NewResponseController(w).Flush()
		}
		step.SetError(stream.Err())
	})}

	port := os.Getenv("PORT")
	if port == "" {
		port = "8000"
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("http://" + l.Addr().String())

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		server.Shutdown(context.Background())
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		log.Print(err)
	}
	pulse.Shutdown(context.Background())
}
