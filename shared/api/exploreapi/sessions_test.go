package exploreapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/pulse-traces/pulse/shared/trace"
)

func TestSessions(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ask := func(id, session string, n int, said string) trace.Span {
		sp := call(id, minute(n))
		sp.SessionID, sp.CostNanoUSD = trace.SessionID(session), ptr(int64(n))
		sp.Payload.Request, sp.Payload.OutputText = fmt.Appendf(nil, `{"messages":[{"role":"user","content":%q}]}`, said), ptr("answer to "+said)
		return sp
	}
	failed := ask("t3", "b", 3, "third")
	failed.Status = trace.StatusError
	edit := ask("t3", "b", 3, "")
	edit.ID, edit.Kind, edit.Form, edit.EditedFile, edit.Status = "edit", trace.KindToolUse, trace.FormSpan, ptr("/x"), trace.StatusError
	edit.CostNanoUSD = nil
	s.write(t, mine, ask("t1", "a", 1, "first"), ask("t2", "b", 2, strings.Repeat("long ", 100)), failed, edit, ask("t4", "a", 4, "fourth"))
	s.write(t, theirs, ask("other", "a", 9, "secret"))

	var list struct {
		Items []struct {
			SessionID, FirstTraceID string
			TraceCount, ErrorCount  int
			ToolCalls, EditedFiles  int
			CostNanoUSD             string
			DurationMS              float64
			Preview                 struct{ Input, Output string }
		}
		Next  *string
		Total *struct {
			Value int
			Exact bool
		}
		CompleteTo *string
	}
	s.ask(t, "/sessions/search", object{}, &list)
	if len(list.Items) != 2 || list.Items[0].SessionID != "a" || list.Items[1].SessionID != "b" || list.Total.Value != 2 || !list.Total.Exact || list.Next != nil || list.CompleteTo == nil {
		t.Fatalf("%+v", list)
	}
	if a := list.Items[0]; a.FirstTraceID != "t1" || a.TraceCount != 2 || a.CostNanoUSD != "5" || a.DurationMS != 180100 || a.Preview.Input != "first" || a.Preview.Output != "answer to first" {
		t.Errorf("%+v", a)
	}
	if b := list.Items[1]; b.ToolCalls != 1 || b.EditedFiles != 1 {
		t.Errorf("%+v", b)
	}
	for body, want := range map[string]string{
		`{"q":"status:error"}`: "b", `{"q":"status:error trace:t2"}`: "", `{"q":"cost>=0.000000004","sort":"oldest"}`: "a", `{"sort":"errors"}`: "b a", `{"sort":"cost"}`: "a b",
		`{"from":"2026-01-25T00:04:00Z"}`: "a", `{"to":"2026-01-25T00:02:00Z"}`: "a", `{"sort":"oldest","limit":1}`: "a",
	} {
		list.Items = nil
		s.askText(t, "/sessions/search", body, &list)
		var ids []string
		for _, i := range list.Items {
			ids = append(ids, i.SessionID)
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
	for body, want := range map[string]string{
		`{"text":"x"}`: "Invalid query: [[q]]", `{"q":"meta.a:b"}`: "Invalid query: [[q]]", `{"sort":"start","limit":0}`: "Invalid query: [[sort] [limit]]", `{"cursor":"x"}`: "Invalid query: [[cursor]]",
	} {
		if got := s.refused(t, "/sessions/search", body); got != want {
			t.Errorf("%s: %s", body, got)
		}
	}

	var turns struct {
		Session struct{ TraceCount int }
		Items   []struct {
			Trace         struct{ TraceID, Status string }
			Input, Output string
			ToolCalls     int
			FailedTools   int
		}
		Total int
		Next  *string
	}
	s.ask(t, "/sessions/b/turns?limit=1", nil, &turns)
	if turns.Session.TraceCount != 2 || turns.Total != 2 || len(turns.Items) != 1 || turns.Items[0].Trace.TraceID != "t2" || turns.Items[0].Input != strings.Repeat("long ", 100) || turns.Next == nil {
		t.Fatalf("%+v", turns)
	}
	s.ask(t, "/sessions/b/turns?limit=1&cursor="+*turns.Next, nil, &turns)
	if len(turns.Items) != 1 || turns.Items[0].Trace.TraceID != "t3" || turns.Items[0].Trace.Status != "error" || turns.Items[0].Output != "answer to third" || turns.Items[0].ToolCalls != 1 || turns.Items[0].FailedTools != 1 {
		t.Errorf("%+v", turns)
	}
	// An agent answers with the last thing that its model said, unless its root says it.
	said := func(id, session string, n int, kind trace.Kind, parent trace.SpanID, text string) trace.Span {
		sp := ask(session, session, n, "question")
		sp.ID, sp.Kind, sp.Form, sp.ParentID, sp.Payload.OutputText = trace.SpanID(id), kind, trace.FormSpan, parent, nil
		sp.MappingVersion = map[string]int{"told": 1, "mapped": 1}[session]
		if text != "" {
			sp.Payload.OutputText = &text
		}
		return sp
	}
	s.write(t, mine,
		said("a0", "agent", 1, trace.KindAgentRun, "", ""), said("a1", "agent", 2, trace.KindLLMCall, "a0", "I will look"), said("a2", "agent", 3, trace.KindLLMCall, "a0", "the plan"),
		said("b0", "told", 1, trace.KindAgentRun, "", "all done"), said("b1", "told", 2, trace.KindLLMCall, "b0", "I will look"),
		said("d0", "mapped", 1, trace.KindAgentRun, "", ""), said("d1", "mapped", 2, trace.KindLLMCall, "d0", "I will look"), said("d2", "mapped", 3, trace.KindLLMCall, "d0", "the plan"),
		said("c0", "hooks", 1, trace.KindUserPrompt, "", ""), said("c1", "hooks", 2, trace.KindLLMResponse, "", "it is fixed"),
	)
	for id, want := range map[string]string{"agent": "the plan", "mapped": "the plan", "told": "all done", "hooks": "it is fixed"} {
		s.ask(t, "/sessions/"+id+"/turns", nil, &turns)
		if len(turns.Items) != 1 || turns.Items[0].Output != want {
			t.Errorf("%s: %+v", id, turns)
		}
	}
	for path, want := range map[string]int{"/sessions/none/turns": 404, "/sessions/b/turns?limit=0": 400, "/sessions/b/turns?cursor=x": 400} {
		if status, _, body := s.send(t, http.MethodGet, path, member, mine, ""); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}
