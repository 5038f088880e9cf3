package ingestapi

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/trace"
)

const (
	validTrace = `{"trace_id":"8609df2c-4c56-4d35-9d88-f4a23e6d7fa8","timestamp":"2026-01-25T06:30:00.123Z","provider":"openai",` +
		`"model_requested":"gpt-4o","request_body":{"z":1,"a":[1,2.50,12345678901234567890]},"status":"success","latency_ms":150}`
	validSpan = `{"span_id":"a","session_id":"s","timestamp":"2026-01-25T06:30:00Z","source":"codex","kind":"tool_use","event_type":"x","status":"success"}`
)

func TestDecodeKeepsBytes(t *testing.T) {
	spans, err := decodeTraces([]byte("\xEF\xBB\xBF [ " + validTrace + " ] "))
	if err != nil {
		t.Fatal(err)
	}
	s := spans[0]
	if string(s.Payload.Request) != `{"z":1,"a":[1,2.50,12345678901234567890]}` {
		t.Errorf("request is %s", s.Payload.Request)
	}
	if s.ID != "8609df2c-4c56-4d35-9d88-f4a23e6d7fa8" || string(s.TraceID) != string(s.ID) || *s.Model != "gpt-4o" || *s.DurationMS != 150 ||
		s.Form != trace.FormTrace || s.Kind != trace.KindLLMCall || s.SessionID != "" || s.Payload.Metadata != nil {
		t.Errorf("span is %+v", s)
	}
}

func TestDecodeOddities(t *testing.T) {
	ok := map[string]string{
		"empty":                    `[]`,
		"unknown fields":           `[` + strings.Replace(validSpan, `{`, `{"x":{"y":[]},"span_ID":5,`, 1) + `]`,
		"escaped name":             `[` + strings.Replace(validSpan, `"kind"`, `"k\u0069nd"`, 1) + `]`,
		"NUL in a payload":         `[` + strings.Replace(validSpan, `{`, `{"tool_input":"a\u0000b",`, 1) + `]`,
		"last of two names counts": `[` + strings.Replace(validSpan, `{`, `{"tool_name":"a","tool_name":null,`, 1) + `]`,
	}
	for name, body := range ok {
		if _, err := decodeSpans([]byte(body)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	bad := map[string]struct{ body, path string }{
		"not an array":          {`{"spans":[]}`, `[]`},
		"null":                  {`null`, `[]`},
		"not JSON":              {`[{bad`, ``},
		"cut off":               {`[` + validSpan, ``},
		"text behind":           {`[` + validSpan + `] x`, ``},
		"comma behind":          {`[` + validSpan + `],`, ``},
		"nothing":               {``, ``},
		"item null":             {`[null]`, `[0]`},
		"item of another type":  {`[` + validSpan + `,5]`, `[1]`},
		"NUL in an id":          {`[` + strings.Replace(validSpan, `"a"`, `"a\u0000"`, 1) + `]`, `[0 span_id]`},
		"id too long":           {`[` + strings.Replace(validSpan, `"a"`, `"`+strings.Repeat("x", trace.MaxIDBytes+1)+`"`, 1) + `]`, `[0 span_id]`},
		"huge number":           {`[` + strings.Replace(validSpan, `{`, `{"duration_ms":1e400,`, 1) + `]`, `[0 duration_ms]`},
		"large number":          {`[` + strings.Replace(validSpan, `{`, `{"duration_ms":1e14,`, 1) + `]`, `[0 duration_ms]`},
		"huge integer":          {`[` + strings.Replace(validSpan, `{`, `{"input_tokens":99999999999999999999,`, 1) + `]`, `[0 input_tokens]`},
		"negative huge integer": {`[` + strings.Replace(validSpan, `{`, `{"input_tokens":-1e300,`, 1) + `]`, `[0 input_tokens]`},
		"huge cost":             {`[` + strings.Replace(validSpan, `{`, `{"cost_cents":1e300,`, 1) + `]`, `[0 cost_cents]`},
		"invalid UTF-8":         {`[` + strings.Replace(validSpan, `"a"`, "\"\xff\"", 1) + `]`, `[0 span_id]`},
		"deep":                  {`[` + strings.Replace(validSpan, `{`, `{"tool_input":`+strings.Repeat("[", 300)+strings.Repeat("]", 300)+`,`, 1) + `]`, ``},
		"many":                  {`[` + strings.Repeat(validSpan+",", trace.MaxBatch) + validSpan + `]`, `[]`},
	}
	for name, c := range bad {
		_, err := decodeSpans([]byte(c.body))
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		e, _ := errors.AsType[*fault.Error](err)
		if c.path != "" && (len(e.Issues) != 1 || fmt.Sprint(e.Issues[0].Path) != c.path) {
			t.Errorf("%s: issues %v, want path %s", name, e.Issues, c.path)
		}
	}
}

func TestDecodeReportsAllFaults(t *testing.T) {
	_, err := decodeTraces([]byte(`[{},` + validTrace + `,{"status":5,"trace_id":"x","request_body":[]}]`))
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || len(e.Issues) != 14 {
		t.Fatalf("%v: %v", err, e)
	}
}

func TestEditedFile(t *testing.T) {
	for input, want := range map[string]string{
		`{"tool_name":"Edit","tool_input":{"x":[{"file_path":"no"}],"file_path":"/日.go"}}`: "/日.go",
		`{"tool_name":"Edit","tool_input":{"file_path":""}}`:                               "<nil>",
		`{"tool_name":"Edit","tool_input":{"file_path":5}}`:                                "<nil>",
		`{"tool_name":"Edit","tool_input":"file_path"}`:                                    "<nil>",
		`{"tool_name":"Read","tool_input":{"file_path":"/x"}}`:                             "<nil>",
	} {
		spans, err := decodeSpans([]byte(`[` + strings.Replace(validSpan, "{", input[:len(input)-1]+",", 1) + `]`))
		if err != nil {
			t.Fatal(err)
		}
		got := "<nil>"
		if p := spans[0].EditedFile; p != nil {
			got = *p
		}
		if got != want {
			t.Errorf("%s: %s, want %s", input, got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`[` + validTrace + `]`))
	f.Add([]byte(`[` + validSpan + `]`))
	f.Add([]byte(`[{"tool_name":"Edit","tool_input":{"file_path":"x"},"is_interrupt":true,"error":null}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, decode := range []func([]byte) ([]trace.Span, error){decodeTraces, decodeSpans} {
			spans, err := decode(body)
			if err != nil && !fault.Is(err, fault.Invalid) {
				t.Fatalf("error of code %s: %v", fault.CodeOf(err), err)
			}
			for i := range spans {
				if issues := spans[i].Check(); len(issues) > 0 {
					t.Fatalf("accepted a span that Check refuses: %v", issues)
				}
			}
		}
	})
}

// FuzzDecodeLine reads lines of an export, which anybody may have written.
func FuzzDecodeLine(f *testing.F) {
	f.Add([]byte(`{"traces":[` + validTrace + `],"spans":[` + validSpan + `],"startTime":"2026-01-25T06:30:00Z"}`))
	f.Add([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"x"}]}]}]}`))
	f.Add([]byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}]}],"spans":null}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		spans, err := DecodeLine(line, time.Unix(1, 0))
		if err != nil && (!fault.Is(err, fault.Invalid) && !fault.Is(err, fault.TooLarge) || len(spans) > 0) {
			t.Fatalf("%d spans, error of code %s: %v", len(spans), fault.CodeOf(err), err)
		}
		for i := range spans {
			if issues := spans[i].Check(); len(issues) > 0 {
				t.Fatalf("accepted a span that Check refuses: %v", issues)
			}
		}
	})
}

func BenchmarkDecodeTraces(b *testing.B) {
	record := strings.Replace(validTrace, `"z":1`, `"z":"`+strings.Repeat("some text of a prompt ", 150)+`"`, 1)
	body := []byte(`[` + strings.Repeat(record+",", 99) + record + `]`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeTraces(body); err != nil {
			b.Fatal(err)
		}
	}
}

// TestDecodeCutEmoji reads texts that end in half a surrogate pair, as
// JavaScript writes what was cut within an emoji.
func TestDecodeCutEmoji(t *testing.T) {
	body := strings.Replace(validTrace, `{"z":1,"a":[1,2.50,12345678901234567890]}`, `{"q":"cut \ud83d"}`, 1)
	body = strings.TrimSuffix(body, "}") + `,"output_text":"cut \ud83d"}`
	spans, err := decodeTraces([]byte("[" + body + "]"))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(spans[0].Payload.Request); got != `{"q":"cut \ud83d"}` {
		t.Errorf("request is %s", got)
	}
	if got := *spans[0].Payload.OutputText; got != "cut \uFFFD" {
		t.Errorf("text is %q", got)
	}
	if _, err := decodeTraces([]byte("[" + strings.Replace(validTrace, "openai", "open\xffai", 1) + "]")); !fault.Is(err, fault.Invalid) {
		t.Errorf("bytes that are not UTF-8: %v", err)
	}
}

// TestDecodeFirstYear tells a time that Go holds for none from none.
func TestDecodeFirstYear(t *testing.T) {
	_, err := decodeTraces([]byte("[" + strings.Replace(validTrace, "2026-01-25T06:30:00.123Z", "0001-01-01T00:00:00Z", 1) + "]"))
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || len(e.Issues) != 1 || !strings.Contains(e.Issues[0].Message, "1970") {
		t.Errorf("got %v, want one issue that names the range", err)
	}
}
