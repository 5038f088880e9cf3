package exploreapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/pulse-traces/pulse/shared/trace"
)

type repeats struct {
	Spans                        int
	Complete                     bool
	InputTokens, SameInputTokens *int64
	Calls                        []struct {
		SpanID, After   string
		Messages, Same  int
		SameInputTokens *int64
	}
	Loops []struct {
		Name, Arguments string
		Count, Failed   int
		DurationMS      float64
		SpanIDs         []string
	}
}

func TestRepeats(t *testing.T) {
	t.Parallel()
	s := setup(t)
	spans := []trace.Span{step("root", "", "t", minute(0))}
	// An agent of three steps, each told all that was said before.
	const system, user, answer = `{"role":"system","parts":[{"type":"text","text":"Be short."}]}`, `{"role":"user","parts":[{"type":"text","text":"Hi"}]}`, `{"role":"assistant","parts":[]}`
	for i, messages := range []string{
		system + "," + user,
		system + "," + `{"parts":[{"text":"Hi","type":"text"}],"role":"user"}` + "," + answer, // the same, said in another order
		system + "," + user + "," + answer + "," + user,
		user, // somebody else's
	} {
		llm := step(fmt.Sprint("llm", i), "root", "t", minute(1+2*i))
		llm.Kind, llm.InputTokens = trace.KindLLMCall, ptr(int64(100))
		llm.Payload.InputMessages = []byte("[" + messages + "]")
		tool := step(fmt.Sprint("tool", i), "root", "t", minute(2+2*i))
		tool.Kind, tool.ToolName, tool.DurationMS = trace.KindToolUse, ptr("search"), ptr(10.0)
		tool.Payload.ToolInput = []byte(`{"q": "boots", "n": 1}`)
		switch i {
		case 1:
			tool.Payload.ToolInput, tool.Status = []byte(`{"n":1,"q":"boots"}`), trace.StatusError
		case 3:
			tool.Payload.ToolInput = []byte(`{"q": "` + strings.Repeat("é", 300) + `"}`)
		}
		spans = append(spans, llm, tool)
	}
	s.write(t, mine, spans...)
	var got repeats
	s.ask(t, "/traces/t/repeats", nil, &got)
	if got.Spans != 9 || !got.Complete || *got.InputTokens != 400 {
		t.Errorf("%+v", got)
	}
	calls := ""
	for _, c := range got.Calls {
		calls += fmt.Sprintln(c.SpanID, c.After, c.Messages, c.Same, *c.SameInputTokens > 50 && *c.SameInputTokens < 100)
	}
	if want := "llm1 llm0 3 2 true\nllm2 llm1 4 3 true\n"; calls != want {
		t.Errorf("%s, want %s", calls, want)
	}
	if *got.SameInputTokens != *got.Calls[0].SameInputTokens+*got.Calls[1].SameInputTokens {
		t.Errorf("%d tokens", *got.SameInputTokens)
	}
	if len(got.Loops) != 1 || fmt.Sprint(got.Loops[0]) != `{search {"n":1,"q":"boots"} 3 1 20 [tool0 tool1 tool2]}` {
		t.Errorf("%+v", got.Loops)
	}

	t.Run("Requests of providers", func(t *testing.T) {
		one, two := call("one", minute(1)), step("two", "one", "one", minute(2))
		two.Kind = trace.KindLLMCall
		one.Payload.Request = []byte(`{"model":"m","system":"Be short.","messages":[{"role":"user","content":"Hi"}]}`)
		two.Payload.Request = []byte(`{"model":"m","system":"Be short.","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"12345678901234567890"}]}`)
		s.write(t, mine, one, two)
		var got repeats
		s.ask(t, "/traces/one/repeats", nil, &got)
		if len(got.Calls) != 1 || got.Calls[0].Same != 2 || got.Calls[0].Messages != 3 || got.Calls[0].SameInputTokens != nil || got.SameInputTokens != nil || len(got.Loops) != 0 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("Odd payloads", func(t *testing.T) {
		for i, odd := range []string{`"text"`, `{"messages":"text"}`, `{"messages":{"a":1}}`, `{"messages":[1,null,[]]}`, `{"contents":null}`, `[]`, `{"a":1,"a":2}`} {
			llm := call(fmt.Sprint("odd", i), minute(1))
			llm.Payload.Request = []byte(odd)
			s.write(t, mine, llm)
			var got repeats
			s.ask(t, fmt.Sprint("/traces/odd", i, "/repeats"), nil, &got)
			if got.Spans != 1 || len(got.Calls) != 0 {
				t.Errorf("%s: %+v", odd, got)
			}
		}
	})
	for path, want := range map[string]int{"/traces/none/repeats": 404, "/traces/%00/repeats": 404} {
		if status, _, body := s.send(t, http.MethodGet, path, member, mine, ""); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}
