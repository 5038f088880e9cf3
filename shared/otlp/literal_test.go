package otlp

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"
)

func TestPythonIsRead(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{'a': None, 'b': True, "c": (1, 2.5,), 'd': 'it\'s "so"'}`: `{"a":null,"b":true,"c":[1,2.5],"d":"it's \"so\""}`,
		`[{'x': nan}, -inf, inf, b'raw']`:                           `[{"x":null},null,null,"raw"]`,
		`{'é\n\x41\u00e9\U0001f600': '\q'}`:                         `{"é\nAé😀":"\\q"}`,
		`{1: 'one', None: 2}`:                                       `{"1":"one","None":2}`,
		`[]`:                                                        `[]`,
		`()`:                                                        `[]`,
		`{'m': Msg(role=<Role.USER: 'user'>, parts=[Text(text='hi')], o=<object at 0x7f>)}`: `{"m":{"role":"user","parts":[{"text":"hi"}],"o":"<object at 0x7f>"}}`,
		`[datetime.datetime(2026, 11, 24)]`:                                                 `[{"0":2026,"1":11,"2":24}]`,
	} {
		tr := parseTree(in)
		if tr == nil {
			t.Errorf("%s is not read", in)
			continue
		}
		if got := string(tr.root().append(nil)); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	for _, in := range []string{"", "text", "{", "[1,2", "{'a'}", "[1 2]", "{'a': }", "hello(world)", "Hello(world)", `"open`, "{]", "[1,,2]", "{'a':1", "nulls", "1.", "01", "--1"} {
		if tr := parseTree(in); tr != nil {
			t.Errorf("%q is read as %s", in, tr.root().append(nil))
		}
	}
}

func TestObjectsAsPythonPrintsThem(t *testing.T) {
	t.Parallel()
	tr := parseObject(`ChatMessage(_role=<ChatRole.ASSISTANT: 'assistant'>, _content=[TextContent(text='Hi (you)')], _meta={'finish_reason': 'stop'})`)
	messages := output(tr.root())
	if len(messages) != 1 || messages[0].Role != roleAssistant || textOf(&messages[0]) != "Hi (you)" || messages[0].FinishReason != "stop" {
		t.Errorf("%+v", messages)
	}
	for _, in := range []string{"Hello (there)", "f(1)", "A(", "A(1", "A(b)", "(1)"} {
		if tr := parseObject(in); tr != nil {
			t.Errorf("%q is read as %s", in, tr.root().append(nil))
		}
	}
}

// FuzzParseTree compares with the standard library: it reads all JSON that is not
// too large or too deep, reads nothing else as JSON, and gives back what it read.
func FuzzParseTree(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,-2.5e3,"x\u00e9\ud83d\ude00\n",null,true,false,{}],"b":{"c":[]}}`, `"\ud800"`, `[1,]`, `{'a': (None, 'x\x41')}`, ` [ 1 , { "a" : 2 } ] `,
		`{"a":1,"a":2}`, "\"\xff\"", `[[[[[]]]]]`, `Infinity`, `-`, `1e`, `[M(a=1, 'b', c=<X.Y: 2>)]`, `{"":0}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tr := parseTree(s)
		if obj := parseObject(s); obj != nil && !json.Valid(obj.root().append(nil)) {
			t.Fatalf("%q becomes %s", s, obj.root().append(nil))
		}
		if tr == nil {
			if json.Valid([]byte(s)) && bytes.Count([]byte(s), []byte{'['})+bytes.Count([]byte(s), []byte{'{'}) < maxTreeDepth && len(s) < maxNodes {
				t.Fatalf("JSON is not read: %q", s)
			}
			return
		}
		if !tr.python && !json.Valid([]byte(s)) {
			t.Fatalf("read as JSON: %q", s)
		}
		out := tr.root().append(nil)
		if !json.Valid(out) || !utf8.Valid(out) {
			t.Fatalf("%q becomes %q", s, out)
		}
		if !tr.python {
			var want, got any
			if json.Unmarshal([]byte(s), &want) == nil && json.Unmarshal(out, &got) == nil {
				a, _ := json.Marshal(want)
				b, _ := json.Marshal(got)
				if !bytes.Equal(a, b) {
					t.Fatalf("%q becomes %s", s, out)
				}
			}
		}
		// Whatever it holds, no reader of messages may break on it.
		for _, messages := range [][]byte{appendMessages(nil, input(tr.root())), appendMessages(nil, output(tr.root()))} {
			if !json.Valid(messages) {
				t.Fatalf("%q gives messages %s", s, messages)
			}
		}
	})
}
