package local_test

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
	"github.com/pulse-traces/pulse/shared/host/local"
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

func routes(t *testing.T) []api.Route {
	t.Helper()
	list, err := local.Routes()
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
	for _, r := range routes(t) {
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
| key | ` + "`Authorization: Bearer <API key>`" + `; the project is the key's |
| session | the session cookie that ` + "`/api/auth/sign-in/email`" + ` sets |
| project | the session cookie, and ` + "`X-Project-Id`" + ` with a project that the user is a member of |
| admin | the same, as an administrator of the project |

A POST to ` + "`/dashboard/api`" + ` says ` + "`Content-Type: application/json`" + ` or comes from a page of Pulse's own origin.

`

const apiTail = `
## Errors

Every error is JSON, ` + "`{\"error\": \"…\"}`" + `, with ` + "`details`" + ` that name each faulty field or parameter, and ` + "`requestId`" + ` if it is
Pulse's own fault. (Below ` + "`/api/auth`" + ` it is ` + "`{\"code\": \"…\", \"message\": \"…\"}`" + `, as Better Auth's clients expect.)

| Status | Meaning | Send again? |
|---|---|---|
| 400 | a body, parameter or header is not valid; nothing of the request was stored | after a change |
| 401 | no key or session, or one that is not known | with another |
| 403 | not a member, not an administrator, or a page of another origin | no |
| 404, 405 | no such record, path or method (` + "`Allow`" + ` lists those that there are) | no |
| 409 | there already | no |
| 413 | the body is too large, as sent or decompressed | in smaller parts |
| 415 | a body that is not JSON, or an unknown ` + "`Content-Encoding`" + ` | after a change |
| 429, 503 | too much, or a part of Pulse is away | after ` + "`Retry-After`" + ` seconds; storing is idempotent |
| 500 | a fault in Pulse | maybe |
`

func apiPage(t *testing.T) string {
	doc := description(t)
	byTag := map[string][]api.Route{}
	for _, r := range routes(t) {
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
	b.WriteString(apiTail)
	return b.String()
}
