// Command echo is a Lambda for the tests of the harness: it does as its events
// say, and speaks the runtime's protocol by itself.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

type event struct {
	RawPath string `json:"rawPath"`
	Records []struct {
		MessageID string `json:"messageId"`
		Body      string `json:"body"`
	}
	SleepMS int
	Do      string // exit, fail, or nothing
}

func main() {
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		resp, err := http.Get(base + "next")
		if err != nil {
			os.Exit(1)
		}
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			os.Exit(1)
		}
		_ = resp.Body.Close()
		kind, answer := answer(raw)
		resp, err = http.Post(base+resp.Header.Get("Lambda-Runtime-Aws-Request-Id")+kind, "application/json", bytes.NewReader(answer))
		if err != nil {
			os.Exit(1)
		}
		_ = resp.Body.Close()
	}
}

func answer(raw []byte) (kind string, answer []byte) {
	var e event
	if err := json.Unmarshal(raw, &e); err != nil {
		panic(err)
	}
	fmt.Printf("%s: %d bytes\n", os.Getenv("AWS_LAMBDA_FUNCTION_NAME"), len(raw))
	switch e.RawPath {
	case "/slow":
		e.SleepMS = 5000
	case "/exit":
		e.Do = "exit"
	case "/nothing":
		return "/response", []byte(`{"statusCode":204}`)
	}
	time.Sleep(time.Duration(e.SleepMS) * time.Millisecond)
	failed := []map[string]string{}
	for _, r := range e.Records {
		switch r.Body {
		case "poison":
			failed = append(failed, map[string]string{"itemIdentifier": r.MessageID})
		case "exit", "fail":
			e.Do = r.Body
		}
	}
	var v any
	switch {
	case e.Do == "exit":
		os.Exit(3)
	case e.Do == "fail":
		return "/error", []byte(`{"errorMessage":"as asked","errorType":"Asked"}`)
	case e.Records != nil:
		v = map[string]any{"batchItemFailures": failed}
	case e.RawPath != "":
		v = map[string]any{
			"statusCode": http.StatusCreated, "headers": map[string]string{"content-type": "application/json", "x-pid": fmt.Sprint(os.Getpid())},
			"cookies": []string{"a=1; Path=/", "b=2"}, "isBase64Encoded": true, "body": base64.StdEncoding.EncodeToString(raw),
		}
	default:
		v = map[string]any{"pid": os.Getpid()}
	}
	answer, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return "/response", answer
}
