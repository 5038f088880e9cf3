// Package storetest is the suite that every engine passes whole: what the
// comments in package store promise, checked against a model in Go that is too
// simple to be wrong. There is no skip list. A fault found in one engine is
// first a case here.
package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// OpenFunc gives an empty store whose schema is up to date, closed when the
// test ends.
type OpenFunc func(t *testing.T) store.Store

// Exercise runs the suite.
func Exercise(t *testing.T, open OpenFunc) {
	for name, test := range map[string]func(t *testing.T, open OpenFunc){
		"Accounts": accounts, "Writes": writes, "Reads": reads, "Sums": sums, "Maintenance": maintenance,
		"Updates": updates, "Calls": calls, "Trees": trees, "Searches": searches, "Signatures": signatures, "Counts": counts, "Explorations": explorations, "SessionSearches": sessionSearches,
		"Rewrites": rewrites, "Deletions": deletions, "Exports": exports, "Prices": prices, "Controls": controls, "Receipts": receipts, "APIKeys": apiKeys, "Rejections": rejections,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open)
		})
	}
}

// cases runs independent subtests, each on a store of its own.
func cases(t *testing.T, open OpenFunc, tests map[string]func(t *testing.T, s store.Store)) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// start is a full hour and a full day.
var start = time.Date(2026, 1, 25, 0, 0, 0, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantCode fails unless err carries code.
func wantCode(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if fault.CodeOf(err) != code {
		t.Fatalf("got %v, want code %q", err, code)
	}
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// newProjectID gives the id that newProject gives a project.
func newProjectID(name string) account.ProjectID { return newUser(name).Project.Project.ID }

// newProject makes a user and a project and gives the project's id.
func newProject(t *testing.T, s store.Store, name string) account.ProjectID {
	t.Helper()
	n := newUser(name)
	ok(t, s.CreateUser(t.Context(), n))
	return n.Project.Project.ID
}

// newUser gives a user with a project, both named for name.
func newUser(name string) store.NewUser {
	now := start.Add(123 * time.Millisecond)
	user, project := account.UserID("user-"+name), account.ProjectID("project-"+name)
	return store.NewUser{
		User:         account.User{ID: user, Name: name, Email: name + "@example.com", CreatedAt: now, UpdatedAt: now},
		CredentialID: "credential-" + name, PasswordHash: "salt:hash-" + name,
		Project: &store.NewProject{
			Project: account.Project{ID: project, Name: "Project " + name, CreatedAt: now},
			Key: account.APIKey{
				ID: account.KeyID("key-" + name), ProjectID: project, Hash: account.HashKey("pulse_sk_" + name), Sealed: "sealed",
				Name: "Default Key", CreatedAt: now,
			},
			Member: account.Membership{ID: "member-" + name, UserID: user, ProjectID: project, Role: account.RoleAdmin, CreatedAt: now},
		},
	}
}

// write stores spans in one call, of one batch, and gives what was new.
func write(t *testing.T, s store.Store, project account.ProjectID, spans ...trace.Span) []bool {
	t.Helper()
	return must[[]store.Outcome](t)(s.WriteBatches(t.Context(), []store.Batch{pack(project, spans)}))[0].Inserted
}

// pack packs copies, so that the caller's spans keep their payloads.
func pack(project account.ProjectID, spans []trace.Span) store.Batch {
	return store.Pack(project, start.Add(time.Hour), append([]trace.Span(nil), spans...))
}

// span gives a minimal span of an agent.
func span(id string, at time.Time) trace.Span {
	return trace.Span{
		ID: trace.SpanID(id), Form: trace.FormSpan, Start: at, Source: trace.SourceClaudeCode, Kind: trace.KindToolUse,
		EventType: "post_tool_use", Status: trace.StatusSuccess, SessionID: "session",
	}
}

// llmTrace gives a minimal model call of /v1/traces.
func llmTrace(id string, at time.Time) trace.Span {
	return trace.Span{
		ID: trace.SpanID(id), TraceID: trace.TraceID(id), Form: trace.FormTrace, Start: at, Source: trace.SourceSDK,
		Kind: trace.KindLLMCall, EventType: "llm_call", Status: trace.StatusSuccess, Provider: ptr("openai"), Model: ptr("gpt"),
	}
}

func minute(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }

func numbered(prefix string, n int) string { return fmt.Sprintf("%s%05d", prefix, n) }
