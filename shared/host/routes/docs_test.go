package routes_test

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/pulse-traces/pulse/docs"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/host/routes"
)

var update = flag.Bool("update", false, "rewrite docs/api.md")

func description(t *testing.T) *openapi3.T {
	t.Helper()
	raw, err := docs.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func everyRoute(t *testing.T) []api.Route {
	t.Helper()
	list, err := routes.Every()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestOpenAPI holds docs/openapi.yaml equal to the routes: the same methods and
// paths, with the same level of access, and nothing else.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	doc := description(t)
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	described := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			described[method+" "+path] = true
		}
	}
	ids := map[string]string{}
	for _, r := range everyRoute(t) {
		name := r.Method + " " + r.Pattern
		if !described[name] {
			t.Errorf("%s is not described", name)
			continue
		}
		delete(described, name)
		op := doc.Paths.Find(r.Pattern).GetOperation(r.Method)
		if level := levelOf(op); level != r.Auth {
			t.Errorf("%s: described for level %s, the route is for %s", name, level, r.Auth)
		}
		project := slices.ContainsFunc(op.Parameters, func(p *openapi3.ParameterRef) bool { return p.Value.Name == "X-Project-Id" && p.Value.Required })
		if project != (r.Auth >= api.AuthProject) {
			t.Errorf("%s: X-Project-Id described: %v", name, project)
		}
		if ids[op.OperationID] != "" {
			t.Errorf("%s and %s are both called %s", name, ids[op.OperationID], op.OperationID)
		}
		ids[op.OperationID] = name
		if op.Summary == "" || strings.Contains(op.Summary, "|") {
			t.Errorf("%s: summary %q", name, op.Summary)
		}
	}
	for name := range described {
		t.Errorf("%s is described, but no route", name)
	}
}

// levelOf reads an operation's security. A key or session that may be left out
// is the handler's own business: level none.
func levelOf(op *openapi3.Operation) api.Auth {
	if op.Security == nil {
		return -1
	}
	level := api.AuthNone
	for _, schemes := range *op.Security {
		if len(schemes) == 0 {
			return api.AuthNone
		}
		if _, ok := schemes["apiKey"]; ok {
			level = api.AuthKey
		}
		if roles, ok := schemes["sessionCookie"]; ok {
			level = map[string]api.Auth{"": api.AuthSession, "user": api.AuthProject, "admin": api.AuthAdmin}[strings.Join(roles, ",")]
		}
	}
	return level
}

// TestAPIPage holds docs/api.md equal to the routes and their description.
func TestAPIPage(t *testing.T) {
	t.Parallel()
	file := filepath.Join("..", "..", "..", "docs", "api.md")
	want := apiPage(t)
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/api.md is stale: run make generate")
	}
}

const apiHead = `<!-- Made by make generate from the routes and docs/openapi.yaml. Do not edit. -->

# HTTP API

[openapi.yaml](openapi.yaml) describes every request and answer; a running Pulse serves it at ` + "`/openapi.json`" + `.
This page lists the routes. Who may call one:

| Access | What the request carries |
|---|---|
| none | nothing; routes below ` + "`/api/auth`" + ` look for a session themselves |
| key | ` + "`Authorization: Bearer <API key>`" + `; the project is the key's. Routes for OpenTelemetry look in more places: see [otlp.md](otlp.md) |
| session | the session cookie that ` + "`/api/auth/sign-in/email`" + ` sets |
| project | the session cookie, and ` + "`X-Project-Id`" + ` with a project that the user is a member of |
| admin | the same, as an administrator of the project |

A POST to ` + "`/dashboard/api`" + ` says ` + "`Content-Type: application/json`" + ` or comes from a page of Pulse's own origin. One to ` + "`/api/auth`" + ` with a
cookie needs the header ` + "`Origin`" + ` or ` + "`Referer`" + `, which browsers send by themselves: with curl, ` + "`-H \"Origin: http://localhost:3000\"`" + `.

`

// apiGuide is Markdown with ´ for the quote that a raw string cannot hold.
const apiGuide = `
## What is sent

A POST holds a JSON array of up to 100 records. Absent and null are the same; unknown fields are ignored. ´/v1´ takes any ´Content-Type´ but what is clearly
no JSON, and bodies compressed with gzip, zstd or deflate.

A trace, one model call, to ´/v1/traces/batch´ or ´/v1/traces/async´:

| Field | | |
|---|---|---|
| ´trace_id´ | required | UUID |
| ´timestamp´ | required | RFC 3339 with a zone, 1970 to 2199 |
| ´provider´, ´model_requested´ | required | text |
| ´status´ | required | ´success´ or ´error´ |
| ´latency_ms´ | required | number |
| ´request_body´ | required | object |
| ´response_body´, ´error´, ´metadata´ | | object |
| ´output_text´, ´model_used´, ´finish_reason´, ´provider_request_id´, ´session_id´ | | text |
| ´input_tokens´, ´output_tokens´ | | whole number |
| ´cost_cents´, ´time_to_first_token_ms´ | | number |

A span, one step of an agent, to ´/v1/spans/batch´ or ´/v1/spans/async´:

| Field | | |
|---|---|---|
| ´span_id´, ´session_id´, ´event_type´ | required | text |
| ´timestamp´ | required | as above |
| ´source´ | required | ´claude_code´, ´codex´, ´opencode´, ´openclaw´ or ´sdk´ |
| ´kind´ | required | ´tool_use´, ´agent_run´, ´session´, ´user_prompt´, ´llm_response´, ´llm_call´, ´notification´, ´embedding´, ´retrieval´, ´rerank´, ´chain´, ´guardrail´, ´evaluator´, ´event´ or ´generic´ |
| ´status´ | required | ´success´ or ´error´ |
| ´trace_id´, ´parent_span_id´ | | text; a span without ´trace_id´ belongs to no trace |
| ´tool_input´, ´tool_response´, ´error´ | | any JSON |
| ´metadata´ | | object |
| ´service´, ´tool_use_id´, ´tool_name´, ´cwd´, ´model´, ´model_used´, ´provider´, ´agent_name´, ´finish_reason´, ´output_text´, ´provider_request_id´ | | text |
| ´duration_ms´, ´time_to_first_token_ms´, ´cost_cents´ | | number |
| ´input_tokens´, ´output_tokens´ | | whole number |
| ´is_interrupt´ | | boolean |

The first record of an id wins, be it the ´trace_id´ of an LLM trace or a ´span_id´; later ones are skipped, and counted in ´skipped´ of a batch's answer. An async call is answered once its records are durable,
a batch once they are stored too, or after ´READ_AFTER_WRITE_TIMEOUT_MS´ (at once where the drain is another process): it is durable then as well.

´´´sh
curl -sS http://localhost:3000/v1/spans/batch -H "Authorization: Bearer $PULSE_API_KEY" -H 'Content-Type: application/json' -d '[{
  "span_id": "span-1", "trace_id": "turn-1", "session_id": "s1", "timestamp": "2026-11-25T09:00:00Z", "source": "sdk", "kind": "tool_use",
  "event_type": "tool_result", "status": "success", "tool_name": "search", "tool_input": {"query": "weather"}, "duration_ms": 120 }]'
´´´

OpenTelemetry exporters send to ´/v1/traces´, ´/v1/logs´ and ´/v1/metrics´, in protobuf or JSON; [otlp.md](otlp.md) tells what becomes of it.

´´´sh
curl -sS http://localhost:3000/v1/traces -H "Authorization: Bearer $PULSE_API_KEY" -H 'Content-Type: application/json' -d '{"resourceSpans": [{"scopeSpans": [{"spans": [{
  "traceId": "5b8aa5a2d2c872e8321cf37308d69df2", "spanId": "051581bf3cb55c13", "name": "chat gpt-4o-mini", "startTimeUnixNano": "1795597200000000000", "endTimeUnixNano": "1795597200420000000",
  "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}, {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o-mini"}},
    {"key": "gen_ai.usage.input_tokens", "value": {"intValue": 8}}, {"key": "gen_ai.usage.output_tokens", "value": {"intValue": 2}}] }] }] }]}'
´´´

## What is read

Lists take ´limit´ (1 to 1000), ´offset´ or ´cursor´, ´fields=summary´ (no payloads), ´date_from´, ´date_to´ (a day, epoch seconds or milliseconds, or RFC 3339), and filters:
´session_id´, ´provider´, ´model´, ´status´, ´source´, ´service´ for traces; ´session_id´, ´trace_id´, ´source´, ´kind´, ´tool_name´, ´status´, ´service´ for spans.
Unknown parameters are ignored. Rates are percentages. ´POST /v1/auth/login´ reads the key from ´Authorization´. Analytics need ´date_from´ and ´date_to´ in RFC 3339, and take ´group_by=day|hour|model|provider´.

´´´sh
curl -sS "http://localhost:3000/v1/traces?status=error&limit=20" -H "Authorization: Bearer $PULSE_API_KEY"
curl -sS "http://localhost:3000/v1/spans?limit=100&cursor=" -H "Authorization: Bearer $PULSE_API_KEY"   # then cursor=<nextCursor>, until it is null
curl -sS "http://localhost:3000/v1/analytics?date_from=2026-11-01T00:00:00Z&date_to=2026-12-01T00:00:00Z&group_by=model" -H "Authorization: Bearer $PULSE_API_KEY"
´´´

## Export, import, delete

´POST /dashboard/api/query/export´ takes ´ids´, or a filter (´q´, ´text´, ´from´, ´to´), and answers a page: up to 200 traces, about 4 MB. ´Pulse-Next-Cursor´ is the ´cursor´
of the next call; what goes or comes between two calls does not move the others. Each line is an object:

| Member | |
|---|---|
| ´traceId´, ´startTime´ | of the trace |
| ´traces´ | records as ´/v1/traces/batch´ takes them |
| ´spans´ | records as ´/v1/spans/batch´ takes them |
| ´resourceSpans´, ´resourceLogs´ | what exporters of OpenTelemetry sent of the trace, as OTLP has it in JSON: the line is a body for ´/v1/traces´ and for ´/v1/logs´, here and elsewhere |
| ´more´ | true if the trace goes on in the next line |
| ´omitted´ | spans that are not there, and why: ´too_large´ for an answer of this host (on Lambda), ´no_payload´ where retention has deleted it |

Spans are as they were sent: ids stay, costs that came from prices are left out and made again. What belongs to no trace is in no export. With ´format=csv´ a row has
what a list shows; a cell that a spreadsheet would take for a formula has an apostrophe before it.

´pulse import --project NAME export.jsonl´ stores the lines in a project, of this or another Pulse; what is there already stays. Repeat it as you like.

´POST /dashboard/api/query/delete´, for administrators, deletes the same choice of traces for good: spans, payloads, and their share of every sum. One call works for about five
seconds; send it again, with ´cursor´ where ´next´ is not null, until it says ´done´. Spans of a deleted trace that are sent later are stored. Copies of a span that came
several times lie in the store unread until retention removes them.

To export what failed, with the cookie of a session in ´PULSE_COOKIE´ (´name=value´, of who is signed in to the dashboard) and the project's id, which its settings show, in ´PULSE_PROJECT´:

´´´sh
cursor=; while :; do
  curl -fsS http://localhost:3000/dashboard/api/query/export -b "$PULSE_COOKIE" -H "X-Project-Id: $PULSE_PROJECT" -H 'Content-Type: application/json' \
    -D headers -d "{\"q\":\"status:error\",\"cursor\":\"$cursor\"}" >> errors.jsonl || break
  cursor=$(tr -d '\r' < headers | sed -n 's/^[Pp]ulse-[Nn]ext-[Cc]ursor: //p'); [ -n "$cursor" ] || break
done
´´´
`

const apiTail = `
## Errors

Every error is JSON, ` + "`{\"error\": \"…\"}`" + `, with ` + "`details`" + ` that name each faulty field or parameter, and ` + "`requestId`" + ` if it is
Pulse's own fault. (Below ` + "`/api/auth`" + ` it is ` + "`{\"code\": \"…\", \"message\": \"…\"}`" + `, as Better Auth's clients expect. OpenTelemetry
exporters get a ` + "`google.rpc.Status`" + ` in the encoding of their request; in JSON it has ` + "`error`" + ` as well.)

| Status | Meaning | Send again? |
|---|---|---|
| 400 | a body, parameter or header is not valid; nothing of the request was stored | after a change |
| 401 | no key or session, or one that is not known | with another |
| 403 | not a member, not an administrator, a page of another origin, or one of the headers that the top of this page asks for is missing | no |
| 404, 405 | no such record, or below ` + "`/v1`, `/api` and `/dashboard/api`" + ` no such path or method (` + "`Allow`" + ` lists those that there are) | no |
| 409 | there already | no |
| 413 | the body is too large, as sent or decompressed | in smaller parts |
| 415 | a body of a type that the route does not take, or an unknown ` + "`Content-Encoding`" + ` | after a change |
| 429, 503 | too much, or a part of Pulse is away | after ` + "`Retry-After`" + ` seconds; storing is idempotent |
| 500 | a fault in Pulse | maybe |
`

func apiPage(t *testing.T) string {
	doc := description(t)
	byTag := map[string][]api.Route{}
	for _, r := range everyRoute(t) {
		tag := doc.Paths.Find(r.Pattern).GetOperation(r.Method).Tags[0]
		byTag[tag] = append(byTag[tag], r)
	}
	var b strings.Builder
	b.WriteString(apiHead)
	for i, tag := range doc.Tags {
		list := byTag[tag.Name]
		slices.SortFunc(list, func(a, b api.Route) int {
			return cmp.Or(cmp.Compare(a.Pattern, b.Pattern), cmp.Compare(a.Method, b.Method))
		})
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "## %s\n\n%s.\n\n| Route | Access | What it does | Answers |\n|---|---|---|---|\n", strings.ToUpper(tag.Name[:1])+tag.Name[1:], tag.Description)
		for _, r := range list {
			op := doc.Paths.Find(r.Pattern).GetOperation(r.Method)
			statuses := slices.Sorted(maps.Keys(op.Responses.Map()))
			fmt.Fprintf(&b, "| `%s %s` | %s | %s | %s |\n", r.Method, r.Pattern, r.Auth, op.Summary, strings.Join(statuses, " "))
		}
	}
	b.WriteString(strings.ReplaceAll(apiGuide, "´", "`"))
	b.WriteString(apiTail)
	return b.String()
}
