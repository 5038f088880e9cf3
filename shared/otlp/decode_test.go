package otlp_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/otlp"
	"github.com/pulse-traces/pulse/shared/trace"
)

// withoutRaw compares spans but for their raw bytes, which depend on who encoded
// them.
var withoutRaw = cmpopts.IgnoreFields(trace.Payload{}, "Raw")

// diff is cmp.Diff, which is slow, for what is not equal.
func diff(want, got any, options ...cmp.Option) string {
	if len(options) == 0 && reflect.DeepEqual(want, got) {
		return ""
	}
	return cmp.Diff(want, got, options...)
}

// oneSpan wraps the JSON of a span into a request.
func oneSpan(span string) []byte {
	return []byte(`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"svc"}}]},"scopeSpans":[{"scope":{"name":"s"},"spans":[` + span + `]}]}]}`)
}

func mapJSON(t *testing.T, body []byte) []trace.Span {
	t.Helper()
	traces, err := otlp.DecodeTraces(body, otlp.JSON)
	if err != nil {
		t.Fatal(err)
	}
	spans := traces.Map(now)
	if traces.Rejected > 0 {
		t.Fatalf("rejected: %s", traces.Reason)
	}
	return spans
}

func mapOne(t *testing.T, span string) trace.Span {
	t.Helper()
	spans := mapJSON(t, oneSpan(span))
	if len(spans) != 1 {
		t.Fatalf("%d spans", len(spans))
	}
	return spans[0]
}

// TestEncodingsAgree reads what came as protobuf again as the JSON that the
// Collector's library makes of it.
func TestEncodingsAgree(t *testing.T) {
	t.Parallel()
	for _, s := range corpus(t) {
		for i := range s.Requests {
			r := &s.Requests[i]
			if r.JSON() || r.Signal == "metrics" {
				continue
			}
			asJSON := *r
			asJSON.File += ".json"
			var err error
			if r.Signal == "traces" {
				req := ptraceotlp.NewExportRequest()
				if err = req.UnmarshalProto(r.Body); err == nil {
					asJSON.Body, err = req.MarshalJSON()
				}
			} else {
				req := plogotlp.NewExportRequest()
				if err = req.UnmarshalProto(r.Body); err == nil {
					asJSON.Body, err = req.MarshalJSON()
				}
			}
			if err != nil {
				t.Fatalf("%s/%s: %v", s.Family, r.File, err)
			}
			want, got := mapRequest(t, r), mapRequest(t, &asJSON)
			if diff := diff(want, got, withoutRaw); diff != "" {
				t.Errorf("%s/%s (-protobuf +JSON):\n%s", s.Family, r.File, diff)
			}
		}
	}
}

// TestRawJSONComesBack reads what RawJSON writes.
func TestRawJSONComesBack(t *testing.T) {
	t.Parallel()
	for _, s := range corpus(t) {
		if isG1(&s) {
			continue
		}
		for i := range s.Requests {
			r := &s.Requests[i]
			for _, want := range mapRequest(t, r) {
				raw, err := otlp.RawJSON(want.Payload.Raw)
				if err != nil {
					t.Fatalf("%s/%s: %v", s.Family, r.File, err)
				}
				again := *r
				again.File, again.Body = "x.json", raw
				if r.Signal == "logs" { // beside an empty list of spans
					var both map[string]json.RawMessage
					if err := json.Unmarshal(raw, &both); err != nil {
						t.Fatal(err)
					}
					again.Body = []byte(`{"resourceLogs":` + string(both["resourceLogs"]) + `}`)
				}
				got := mapRequest(t, &again)
				if len(got) != 1 {
					t.Fatalf("%s/%s: %d spans in %s", s.Family, r.File, len(got), raw)
				}
				if diff := diff(want, got[0], withoutRaw); diff != "" {
					t.Fatalf("%s/%s (-first +second):\n%s", s.Family, r.File, diff)
				}
				if second, err := otlp.RawJSON(got[0].Payload.Raw); err != nil || !bytes.Equal(second, raw) {
					t.Fatalf("%s/%s: %v: first %s, second %s", s.Family, r.File, err, raw, second)
				}
			}
		}
	}
}

func TestJSONIsRead(t *testing.T) {
	t.Parallel()
	const ids = `"traceId":"0AF7651916CD43DD8448EB211C80319C","spanId":"b7ad6b7169203331"`
	base := mapOne(t, `{`+ids+`,"name":"n","startTimeUnixNano":"1769342400000000000","endTimeUnixNano":"1769342400250000000","status":{"code":2},
		"attributes":[{"key":"a","value":{"intValue":"5"}}]}`)
	if base.TraceID != "0af7651916cd43dd8448eb211c80319c" || base.ID != "b7ad6b7169203331" || base.Status != trace.StatusError ||
		string(base.Payload.Attributes) != `{"a":5}` || *base.DurationMS != 250 || base.Kind != trace.KindGeneric || *base.Service != "svc" {
		t.Fatalf("%+v", base)
	}
	for name, span := range map[string]string{
		"Numbers":   `{` + ids + `,"name":"n","startTimeUnixNano":1769342400000000000,"endTimeUnixNano":1769342400250000000,"status":{"code":2},"attributes":[{"key":"a","value":{"intValue":5}}]}`,
		"EnumNames": `{` + ids + `,"name":"n","kind":"SPAN_KIND_CLIENT","startTimeUnixNano":"1769342400000000000","endTimeUnixNano":"1769342400250000000","status":{"code":"STATUS_CODE_ERROR"},"attributes":[{"key":"a","value":{"intValue":"5"}}]}`,
		"SnakeCase": `{"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331","name":"n","start_time_unix_nano":"1769342400000000000","end_time_unix_nano":"1769342400250000000","status":{"code":"2"},"attributes":[{"key":"a","value":{"int_value":"5"}}]}`,
		"Unknown":   `{` + ids + `,"name":"n","x":{"y":[1,{"z":null}]},"startTimeUnixNano":"1769342400000000000","endTimeUnixNano":"1769342400250000000","status":{"code":2,"deprecatedCode":1},"attributes":[{"key":"a","value":{"intValue":"5"},"q":1}]}`,
		"Nulls":     `{` + ids + `,"name":"n","parentSpanId":null,"kind":null,"traceState":null,"flags":null,"startTimeUnixNano":"1769342400000000000","endTimeUnixNano":"1769342400250000000","status":{"message":null,"code":2},"events":null,"links":[null],"attributes":[null,{"key":"a","value":{"stringValue":null,"intValue":"5"}}]}`,
		"Twice":     `{` + ids + `,"name":"m","name":"n","startTimeUnixNano":"1","startTimeUnixNano":"1769342400000000000","endTimeUnixNano":"1769342400250000000","status":{"code":2},"attributes":[{"key":"a","value":{"intValue":"4"}},{"key":"a","value":{"intValue":"5"}}]}`,
		"Escapes":   `{"trace\u0049d":"0af7651916cd43dd8448eb211c80319c","spanId":"\u00627ad6b7169203331","name":"\u006e","startTimeUnixNano":"1769342400000000000","endTimeUnixNano":"1769342400250000000","status":{"code":2},"attributes":[{"key":"a","value":{"intValue":"5"}}]}`,
		"Reordered": `{"attributes":[{"value":{"intValue":"5"},"key":"a"}],"status":{"code":2},"endTimeUnixNano":"1769342400250000000","startTimeUnixNano":"1769342400000000000","name":"n",` + ids + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := diff(base, mapOne(t, span), withoutRaw); diff != "" {
				t.Errorf("(-base +got):\n%s", diff)
			}
		})
	}
}

func TestValuesAreRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ value, want string }{
		"Int64":         {`{"intValue":"9223372036854775807"}`, `9223372036854775807`},
		"IntTooLarge":   {`{"intValue":"99999999999999999999"}`, `100000000000000000000`},
		"Double":        {`{"doubleValue":0.5}`, `0.5`},
		"DoubleAsText":  {`{"doubleValue":"1e3"}`, `1000`},
		"NaN":           {`{"doubleValue":"NaN"}`, `"NaN"`},
		"Infinity":      {`{"doubleValue":"-Infinity"}`, `"-Infinity"`},
		"Bool":          {`{"boolValue":false}`, `false`},
		"Bytes":         {`{"bytesValue":"AAE="}`, `"AAE="`},
		"BytesURL":      {`{"bytesValue":"_-8"}`, `"/+8="`},
		"List":          {`{"arrayValue":{"values":[{"boolValue":true},{"stringValue":"x"},{},null]}}`, `[true,"x",null,null]`},
		"EmptyList":     {`{"arrayValue":{}}`, `[]`},
		"Pairs":         {`{"kvlistValue":{"values":[{"key":"a","value":{"intValue":1}},{"key":"b"},null]}}`, `{"a":1,"b":null}`},
		"Nothing":       {`{}`, `null`},
		"Null":          {`null`, `null`},
		"BareText":      {`"text"`, `"text"`},
		"BareNumber":    {`5`, `5`},
		"FirstOfTwo":    {`{"boolValue":true,"stringValue":"s"}`, `"s"`},
		"WrongType":     {`{"stringValue":5,"intValue":[1]}`, `null`},
		"NUL":           {`{"stringValue":"a\u0000b"}`, `"a\u0000b"`},
		"HalfSurrogate": {`{"stringValue":"a\ud800b"}`, "\"a\uFFFDb\""},
		"InvalidUTF8":   {"{\"stringValue\":\"a\xffb\"}", "\"a\uFFFDb\""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mapOne(t, `{"spanId":"b7ad6b7169203331","attributes":[{"key":"k","value":`+c.value+`}]}`)
			if got := string(s.Payload.Attributes); got != `{"k":`+c.want+`}` {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestIDs: OTLP's own are hex in one form; any other is the client's, and stays.
func TestIDs(t *testing.T) {
	t.Parallel()
	const hex32, hex16 = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for name, c := range map[string]struct {
		traceID, spanID, parentID string
		want                      [3]string
	}{
		"Hex":     {hex32, hex16, hex16[:15] + "2", [3]string{hex32, hex16, hex16[:15] + "2"}},
		"Upper":   {strings.ToUpper(hex32), strings.ToUpper(hex16), "", [3]string{hex32, hex16, ""}},
		"Own":     {"trace-1", "Span/ä", "p", [3]string{"trace-1", "Span/ä", "p"}},
		"Base64":  {"CvdlGRbNQ92ESOshHIAxnA==", "t61rcWkgMzE=", "", [3]string{"CvdlGRbNQ92ESOshHIAxnA==", "t61rcWkgMzE=", ""}},
		"Short":   {"ABC1", "F", "", [3]string{"ABC1", "F", ""}},
		"NUL":     {"a\\u0000b", "c", "", [3]string{"a\uFFFDb", "c", ""}},
		"UUID":    {"0190f3c1-7c2e-7000-8000-000000000000", "x", "", [3]string{"0190f3c1-7c2e-7000-8000-000000000000", "x", ""}},
		"Itself":  {hex32, hex16, hex16, [3]string{hex32, hex16, ""}},
		"Sixteen": {"trace-1234567890", "span-123", "", [3]string{"trace-1234567890", "span-123", ""}}, // as long as OTLP's own
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			traces, err := otlp.DecodeTraces(oneSpan(fmt.Sprintf(`{"traceId":"%s","spanId":"%s","parentSpanId":"%s"}`, c.traceID, c.spanID, c.parentID)), otlp.JSON)
			if err != nil {
				t.Fatal(err)
			}
			spans := traces.Map(now)
			s := spans[0]
			if got := [3]string{string(s.TraceID), string(s.ID), string(s.ParentID)}; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if got := traces.Spans[0].TraceID(); got != s.TraceID {
				t.Errorf("TraceID %q, mapped %q", got, s.TraceID)
			}
			raw, err := otlp.RawJSON(s.Payload.Raw)
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf(`"spanId":"%s"`, c.want[1]); !strings.Contains(string(raw), want) {
				t.Errorf("raw %s does not have %s", raw, want)
			}
		})
	}
	t.Run("None", func(t *testing.T) {
		t.Parallel()
		a, b := mapOne(t, `{"name":"a"}`), mapOne(t, `{"name":"a"}`)
		if len(a.TraceID) != 32 || len(a.ID) != 16 || a.ID != b.ID {
			t.Errorf("made ids %q %q, again %q", a.TraceID, a.ID, b.ID)
		}
		if c := mapOne(t, `{"name":"c"}`); c.ID == a.ID {
			t.Error("two spans without ids have one")
		}
	})
}

func TestWholeRequests(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body     string
		enc      otlp.Encoding
		spans    int
		rejected int
		reason   string
		err      string
	}{
		"Empty":              {body: `{"resourceSpans":[]}`, enc: otlp.JSON},
		"EmptyProtobuf":      {body: ``, enc: otlp.Protobuf},
		"NotJSON":            {body: `{x`, enc: otlp.JSON, err: "Invalid JSON body"},
		"Trailing":           {body: `{"resourceSpans":[]}x`, enc: otlp.JSON, err: "Invalid JSON body"},
		"Missing":            {body: `{}`, enc: otlp.JSON, err: "Missing resourceSpans"},
		"Object":             {body: `{"resourceSpans":{}}`, enc: otlp.JSON, err: "Missing resourceSpans"},
		"Array":              {body: `[]`, enc: otlp.JSON, err: "Missing resourceSpans"},
		"SnakeCase":          {body: `{"resource_spans":[{"scope_spans":[{"spans":[{"span_id":"1"}]}]}]}`, enc: otlp.JSON, spans: 1},
		"NullEntries":        {body: `{"resourceSpans":[null,5,{"scopeSpans":[null,{"spans":null},{"spans":[]}]},{"scopeSpans":{}}]}`, enc: otlp.JSON},
		"NullSpan":           {body: `{"resourceSpans":[{"scopeSpans":[{"spans":[null,{"spanId":"1"}]}]}]}`, enc: otlp.JSON, spans: 1, rejected: 1, reason: "Invalid span: expected object, received null"},
		"NumberAsSpan":       {body: `{"resourceSpans":[{"scopeSpans":[{"spans":[5]}]}]}`, enc: otlp.JSON, spans: 1},
		"ResourceLast":       {body: `{"resourceSpans":[{"scopeSpans":[{"spans":[{"spanId":"1"}],"scope":{"name":"z"}}],"resource":{"attributes":[]}}]}`, enc: otlp.JSON, spans: 1},
		"Truncated":          {body: "\x0a\x05\x12", enc: otlp.Protobuf, err: "Invalid protobuf body"},
		"LyingLength":        {body: "\x0a\xff\xff\xff\xff\x0f\x12", enc: otlp.Protobuf, err: "Invalid protobuf body"},
		"JSONAsProtobuf":     {body: `{"resourceSpans":[]}`, enc: otlp.Protobuf, err: "Invalid protobuf body"},
		"BadKind":            {body: string(oneSpan(`{"spanId":"1","attributes":[{"key":"pulse.kind","value":{"stringValue":"bad_kind"}}]}`)), enc: otlp.JSON, rejected: 1, reason: `Invalid option: expected one of "tool_use"|"agent_run"|"session"|"user_prompt"|"llm_response"|"llm_call"|"notification"|"embedding"|"retrieval"|"rerank"|"chain"|"guardrail"|"evaluator"|"event"|"generic"`},
		"BadSource":          {body: string(oneSpan(`{"spanId":"1","attributes":[{"key":"pulse.source","value":{"stringValue":"weird"}}]}`)), enc: otlp.JSON, rejected: 1, reason: `Invalid option: expected one of "claude_code"|"codex"|"opencode"|"openclaw"|"sdk"`},
		"FarFuture":          {body: string(oneSpan(`{"spanId":"1","startTimeUnixNano":"18446744073709551615"}`)), enc: otlp.JSON, rejected: 1, reason: "Invalid ISO datetime: expected a time from 1970-01-01 to before 2200-01-01"},
		"LongID":             {body: string(oneSpan(`{"spanId":"` + strings.Repeat("x", 600) + `"}`)), enc: otlp.JSON, rejected: 1, reason: "Invalid span: an id is too long"},
		"NegativeTokens":     {body: string(oneSpan(`{"spanId":"1","attributes":[{"key":"pulse.kind","value":{"stringValue":"llm_call"}},{"key":"gen_ai.usage.input_tokens","value":{"intValue":"-1"}}]}`)), enc: otlp.JSON, rejected: 1, reason: "Too small: expected number to be >=0"},
		"FractionOfTokens":   {body: string(oneSpan(`{"spanId":"1","attributes":[{"key":"pulse.kind","value":{"stringValue":"llm_call"}},{"key":"gen_ai.usage.input_tokens","value":{"doubleValue":5.5}}]}`)), enc: otlp.JSON, rejected: 1, reason: "Invalid input: expected int, received number"},
		"OthersNegative":     {body: string(oneSpan(`{"spanId":"1","attributes":[{"key":"gen_ai.usage.input_tokens","value":{"intValue":"-1"}}]}`)), enc: otlp.JSON, spans: 1},
		"EndBeforeStart":     {body: string(oneSpan(`{"spanId":"1","startTimeUnixNano":"2000","endTimeUnixNano":"1000","attributes":[{"key":"pulse.kind","value":{"stringValue":"llm_call"}}]}`)), enc: otlp.JSON, rejected: 1, reason: "Too small: expected number to be >=0"},
		"OthersEndBefore":    {body: string(oneSpan(`{"spanId":"1","startTimeUnixNano":"2000","endTimeUnixNano":"1000"}`)), enc: otlp.JSON, spans: 1},
		"MalformedSpanInner": {body: string(resourceSpans([]byte("\x4a\x04\x0a\x7fab"))), enc: otlp.Protobuf, rejected: 1, reason: "Invalid span: malformed message"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			traces, err := otlp.DecodeTraces([]byte(c.body), c.enc)
			if c.err != "" {
				if fault.CodeOf(err) != fault.Invalid || !strings.HasPrefix(err.Error(), c.err) {
					t.Fatalf("error %v, want %s", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			spans := traces.Map(now)
			if len(spans) != c.spans || traces.Rejected != c.rejected || traces.Reason != c.reason {
				t.Errorf("%d spans, %d rejected: %q; want %d, %d: %q", len(spans), traces.Rejected, traces.Reason, c.spans, c.rejected, c.reason)
			}
		})
	}
}

// resourceSpans wraps the bytes of a span into a request.
func resourceSpans(spans ...[]byte) []byte {
	var scope []byte
	for _, s := range spans {
		scope = protowire.AppendBytes(protowire.AppendTag(scope, 2, protowire.BytesType), s)
	}
	resource := protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), scope)
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), resource)
}

// field writes a length-delimited field.
func field(num protowire.Number, data []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), data)
}

// TestHostileInput: what is meant to exhaust a server is refused, or read, within
// a small multiple of its own size.
func TestHostileInput(t *testing.T) {
	deep := func(levels int) []byte { // an AnyValue within AnyValues
		v := field(1, []byte("x"))
		for range levels {
			v = field(5, field(1, v))
		}
		return field(9, append(field(1, []byte("k")), field(2, v)...))
	}
	deepJSON := func(levels int) []byte {
		return oneSpan(`{"spanId":"1","attributes":[{"key":"k","value":` + strings.Repeat(`{"arrayValue":{"values":[`, levels) + `{"intValue":1}` + strings.Repeat(`]}}`, levels) + `}]}`)
	}
	attribute := append(field(1, []byte("k")), field(2, field(1, nil))...)
	const million = 1_000_000
	for name, c := range map[string]struct {
		body   []byte
		enc    otlp.Encoding
		reason string
		code   fault.Code
	}{
		"DeepValue":          {body: resourceSpans(deep(150)), enc: otlp.Protobuf, reason: "Invalid span: a value is nested too deeply"},
		"VeryDeepValue":      {body: resourceSpans(deep(20_000)), enc: otlp.Protobuf, reason: "Invalid span: a value is nested too deeply"},
		"DeepJSON":           {body: deepJSON(150), enc: otlp.JSON, reason: "Invalid span: a value is nested too deeply"},
		"VeryDeepJSON":       {body: deepJSON(100_000), enc: otlp.JSON, code: fault.Invalid},
		"MillionAttributes":  {body: resourceSpans(bytes.Repeat(field(9, attribute), million)), enc: otlp.Protobuf, reason: "Invalid span: too many attributes"},
		"MillionEvents":      {body: resourceSpans(bytes.Repeat(field(11, nil), million)), enc: otlp.Protobuf, reason: "Invalid span: too many attributes"},
		"MillionPairs":       {body: resourceSpans(field(9, append(field(1, []byte("k")), field(2, field(6, bytes.Repeat(field(1, attribute), million)))...))), enc: otlp.Protobuf, reason: "Invalid span: too many attributes"},
		"MillionSpans":       {body: resourceSpans(bytes.Split(bytes.Repeat([]byte{0}, million), []byte{0})...), enc: otlp.Protobuf, code: fault.TooLarge},
		"MillionGroups":      {body: bytes.Repeat(field(1, field(2, nil)), million), enc: otlp.Protobuf},
		"MillionResources":   {body: field(1, bytes.Repeat(field(1, []byte("\x0a\x00")), million)), enc: otlp.Protobuf, code: fault.Invalid},
		"MillionJSONSpans":   {body: []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[` + strings.Repeat("1,", million) + `1]}]}]}`), enc: otlp.JSON, code: fault.TooLarge},
		"BracketsInText":     {body: oneSpan(`{"spanId":"1","attributes":[{"key":"gen_ai.input.messages","value":{"stringValue":"` + strings.Repeat("[", million) + `"}}]}`), enc: otlp.JSON},
		"ListsInText":        {body: oneSpan(`{"spanId":"1","attributes":[{"key":"gen_ai.request.model","value":{"stringValue":"m"}},{"key":"gen_ai.input.messages","value":{"stringValue":"[` + strings.Repeat("[],", million) + `[]]"}}]}`), enc: otlp.JSON},
		"ManyFlattened":      {body: manyFlattened(19_000), enc: otlp.JSON},
		"ManyRepeatedFields": {body: resourceSpans(bytes.Repeat(field(5, []byte("n")), 39_000)), enc: otlp.Protobuf},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			traces, err := otlp.DecodeTraces(c.body, c.enc)
			var spans []trace.Span
			if err == nil {
				spans = traces.Map(now)
			}
			runtime.ReadMemStats(&after)
			const limit = 64
			if used := after.TotalAlloc - before.TotalAlloc; used > uint64(limit*len(c.body)+(8<<20)) {
				t.Errorf("%d bytes took %d", len(c.body), used)
			}
			t.Logf("%d bytes: %d spans in %v, %d bytes of memory", len(c.body), len(spans), time.Since(start), after.TotalAlloc-before.TotalAlloc)
			switch {
			case c.code != "":
				if fault.CodeOf(err) != c.code {
					t.Errorf("error %v, want %s", err, c.code)
				}
			case err != nil:
				t.Error(err)
			case traces.Reason != c.reason:
				t.Errorf("reason %q, want %q", traces.Reason, c.reason)
			}
		})
	}
}

// manyFlattened is a span whose messages are taken apart, in an order that makes
// it hard to find them.
func manyFlattened(n int) []byte {
	var attributes strings.Builder
	for i := range n {
		fmt.Fprintf(&attributes, `{"key":"llm.input_messages.%d.message.content","value":{"stringValue":"x"}},`, (i*7919)%n)
	}
	return oneSpan(`{"spanId":"1","attributes":[` + attributes.String() + `{"key":"openinference.span.kind","value":{"stringValue":"LLM"}}]}`)
}
