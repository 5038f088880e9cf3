package queryapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/queryapi"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/sqlite"
	"github.com/pulse-traces/pulse/shared/trace"
)

// server is both groups over a database of its own.
type server struct {
	db       *sqlite.DB
	handler  http.Handler
	barriers int // how often a read waited for writes
}

const (
	member   account.UserID = "member"
	stranger account.UserID = "stranger"
)

func setup(t testing.TB) *server { return setupWith(t, 0) }

func setupWith(t testing.TB, maxPayloadBytes int) *server {
	t.Helper()
	ctx := t.Context()
	db, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "pulse.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(ctx, nil); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, id := range []account.UserID{member, stranger} {
		user := account.User{ID: id, Name: string(id), Email: string(id) + "@example.com", CreatedAt: now, UpdatedAt: now}
		if err := db.CreateUser(ctx, store.NewUser{User: user, CredentialID: "credential-of-" + string(id), PasswordHash: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	s := &server{db: db}
	deps := queryapi.Deps{
		Traces: db, Spans: db, Sessions: db, Analytics: db, Keys: keys{}, MaxPayloadBytes: maxPayloadBytes,
		Barrier: func(context.Context) { s.barriers++ },
	}
	s.handler = api.New(api.Options{Log: slog.New(slog.DiscardHandler), Keys: keys{}, Sessions: sessions{}, Roles: db},
		queryapi.New(deps), queryapi.NewDashboard(deps))
	return s
}

// keys takes "key-of-" and a project for that project's key.
type keys struct{}

func (keys) Check(_ context.Context, key string) (account.APIKey, error) {
	project, ok := strings.CutPrefix(key, "key-of-")
	switch {
	case key == "key-while-down":
		return account.APIKey{}, fault.New(fault.Unavailable, "")
	case !ok:
		return account.APIKey{}, fault.New(fault.Unauthenticated, "Invalid API key")
	}
	return account.APIKey{ProjectID: account.ProjectID(project)}, nil
}

// sessions takes the cookie "session" for a user's id.
type sessions struct{}

func (sessions) CheckSession(r *http.Request) (*account.User, []*http.Cookie, error) {
	for _, c := range r.CookiesNamed("session") {
		return &account.User{ID: account.UserID(c.Value)}, nil, nil
	}
	return nil, nil, nil
}

// store writes records, inputs of either form, as the drain
// does. The project is made when it is first written to.
func (s *server) store(t testing.TB, project account.ProjectID, records ...json.RawMessage) {
	t.Helper()
	ctx := t.Context()
	if _, err := s.db.Project(ctx, project); fault.Is(err, fault.NotFound) {
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		err := s.db.CreateProject(ctx, store.NewProject{
			Project: account.Project{ID: project, Name: "p", CreatedAt: now},
			Key:     account.APIKey{ID: account.KeyID("id-" + project), ProjectID: project, Hash: "hash-" + string(project), Name: "k", CreatedAt: now},
			Member:  account.Membership{ID: "m-" + string(project), UserID: member, ProjectID: project, Role: account.RoleUser, CreatedAt: now},
		})
		if err != nil {
			t.Fatal(err)
		}
	} else if err != nil {
		t.Fatal(err)
	}
	spans := make([]trace.Span, len(records))
	for i, raw := range records {
		var err error
		if spans[i], err = spanOf(raw); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.db.WriteBatches(ctx, []store.Batch{store.Pack(project, time.Now(), spans)}); err != nil {
		t.Fatal(err)
	}
}

// spanOf reads a valid record of either form.
func spanOf(raw json.RawMessage) (trace.Span, error) {
	var in struct {
		SpanID            trace.SpanID    `json:"span_id"`
		TraceID           trace.TraceID   `json:"trace_id"`
		ParentSpanID      trace.SpanID    `json:"parent_span_id"`
		SessionID         trace.SessionID `json:"session_id"`
		Timestamp         string          `json:"timestamp"`
		DurationMS        *float64        `json:"duration_ms"`
		LatencyMS         *float64        `json:"latency_ms"`
		TimeToFirstToken  *float64        `json:"time_to_first_token_ms"`
		Source            trace.Source    `json:"source"`
		Service           *string         `json:"service"`
		Kind              trace.Kind      `json:"kind"`
		EventType         string          `json:"event_type"`
		Status            trace.Status    `json:"status"`
		ToolUseID         *string         `json:"tool_use_id"`
		ToolName          *string         `json:"tool_name"`
		ToolInput         json.RawMessage `json:"tool_input"`
		ToolResponse      json.RawMessage `json:"tool_response"`
		Error             json.RawMessage `json:"error"`
		CWD               *string         `json:"cwd"`
		Model             *string         `json:"model"`
		ModelRequested    *string         `json:"model_requested"`
		ModelUsed         *string         `json:"model_used"`
		AgentName         *string         `json:"agent_name"`
		Provider          *string         `json:"provider"`
		InputTokens       *int64          `json:"input_tokens"`
		OutputTokens      *int64          `json:"output_tokens"`
		CostCents         *float64        `json:"cost_cents"`
		FinishReason      *string         `json:"finish_reason"`
		OutputText        *string         `json:"output_text"`
		ProviderRequestID *string         `json:"provider_request_id"`
		RequestBody       json.RawMessage `json:"request_body"`
		ResponseBody      json.RawMessage `json:"response_body"`
		Metadata          json.RawMessage `json:"metadata"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return trace.Span{}, err
	}
	start, ok := trace.ParseTime(in.Timestamp)
	if !ok {
		return trace.Span{}, fmt.Errorf("timestamp %q", in.Timestamp)
	}
	s := trace.Span{
		ID: in.SpanID, TraceID: in.TraceID, ParentID: in.ParentSpanID, SessionID: in.SessionID, Form: trace.FormSpan, Start: start,
		Source: in.Source, Kind: in.Kind, EventType: in.EventType, Status: in.Status, DurationMS: in.DurationMS,
		TimeToFirstTokenMS: in.TimeToFirstToken, Service: in.Service, ToolUseID: in.ToolUseID, ToolName: in.ToolName, CWD: in.CWD,
		Model: in.Model, AgentName: in.AgentName, Provider: in.Provider, ModelUsed: in.ModelUsed, InputTokens: in.InputTokens,
		OutputTokens: in.OutputTokens, FinishReason: in.FinishReason, ProviderRequestID: in.ProviderRequestID,
		Payload: trace.Payload{
			Request: in.RequestBody, Response: in.ResponseBody, ToolInput: in.ToolInput, ToolResponse: in.ToolResponse,
			Error: in.Error, Metadata: in.Metadata, OutputText: in.OutputText,
		},
	}
	if in.CostCents != nil {
		nano := trace.NanoUSD(*in.CostCents)
		s.CostNanoUSD = &nano
	}
	if in.ModelRequested != nil {
		s.Form, s.ID, s.Model, s.DurationMS = trace.FormTrace, trace.SpanID(in.TraceID), in.ModelRequested, in.LatencyMS
		s.Source, s.Kind, s.EventType = trace.SourceSDK, trace.KindLLMCall, "provider_call"
	}
	if s.ToolName != nil && trace.EditsFiles(*s.ToolName) {
		var input struct {
			FilePath *string `json:"file_path"`
		}
		if err := json.Unmarshal(in.ToolInput, &input); err != nil {
			return s, err
		}
		s.EditedFile = input.FilePath
	}
	return s, nil
}

// get asks for a path, whose query may be malformed.
func (s *server) get(t *testing.T, target string, header http.Header) (int, []byte) {
	t.Helper()
	path, query, _ := strings.Cut(target, "?")
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	r.URL.RawQuery = query
	r.Header = header
	return s.do(t, r)
}

func (s *server) do(t *testing.T, r *http.Request) (int, []byte) {
	t.Helper()
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("%s: Content-Type %q", r.URL, got)
	}
	return w.Code, body
}
