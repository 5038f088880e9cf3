package clienttest

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	sdk "github.com/pulse-traces/pulse/sdk/go"
)

// TestRetries: each attempt of a client is a span that says which it is, and only
// the last has tokens.
func TestRetries(t *testing.T) {
	var mu sync.Mutex
	attempts := 0
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if attempts++; attempts < 3 {
			w.Header().Set("Retry-After-Ms", "1")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = fmt.Fprint(w, `{"error":{"message":"not now"}}`)
			return
		}
		_, _ = fmt.Fprint(w, `{"id":"c-1","object":"chat.completion","model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],
			"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}`)
	}))
	defer provider.Close()

	type attribute struct {
		Key   string
		Value struct{ IntValue, StringValue any }
	}
	type span struct{ Attributes []attribute }
	var spans []span
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			ResourceSpans []struct{ ScopeSpans []struct{ Spans []span } }
		}
		body, err := gzip.NewReader(r.Body)
		if err == nil {
			err = json.NewDecoder(body).Decode(&request)
		}
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, rs := range request.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				spans = append(spans, ss.Spans...)
			}
		}
	}))
	defer receiver.Close()

	c := sdk.New(sdk.Options{APIKey: "pulse_sk_test", APIURL: receiver.URL})
	client := openai.NewClient(option.WithAPIKey("none"), option.WithBaseURL(provider.URL+"/v1"), option.WithHTTPClient(&http.Client{Transport: c.Transport(nil)}), option.WithMaxRetries(2))
	if _, err := client.Chat.Completions.New(context.Background(), openai.ChatCompletionNewParams{
		Model: "gpt-4o-mini", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Hello")},
	}); err != nil {
		t.Fatal(err)
	}
	if err := c.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}

	var got [][2]string
	for _, s := range spans {
		var of [2]string
		for _, a := range s.Attributes {
			switch a.Key {
			case "http.request.resend_count":
				of[0] = fmt.Sprint(a.Value.IntValue)
			case "gen_ai.usage.raw":
				of[1] = fmt.Sprint(a.Value.StringValue)
			}
		}
		got = append(got, of)
	}
	if want := [][2]string{{"", ""}, {"1", ""}, {"2", `{"completion_tokens":2,"prompt_tokens":3,"total_tokens":5}`}}; !reflect.DeepEqual(got, want) {
		t.Errorf("resend counts and usage %v, want %v", got, want)
	}
}
