package lambda_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/queryapi"
	"github.com/pulse-traces/pulse/shared/host/lambda"
	"github.com/pulse-traces/pulse/shared/keyring"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/postgres"
	"github.com/pulse-traces/pulse/shared/store/sqlite"
	"github.com/pulse-traces/pulse/shared/testkit"
	"github.com/pulse-traces/pulse/shared/trace"
)

// oddIDs are what clients may call their sessions.
var oddIDs = []string{
	"plain", "100%", "a%20b", "a%2Fb", "a?b", "a#b", "a b", "a+b", "a/b", "/home/ann/project", "a//b", "a/b/c/spans2", "é☕🙂", `a"b<c>&d`, `a\b`, ".", "..", "a;b=c,d",
}

// TestReadsAreTheSame reads records with odd ids, and what is not there, over a
// connection and by events: the answers are equal, to the byte.
func TestReadsAreTheSame(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func() (store.Store, error){
		"SQLite": func() (store.Store, error) { return sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "pulse.db")) },
		"Postgres": func() (store.Store, error) {
			return postgres.Open(t.Context(), testkit.Postgres(t), postgres.Options{MaxConns: 2})
		},
	} {
		t.Run(name, func(t *testing.T) {
			st, err := open()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := st.Close(); err != nil {
					t.Error(err)
				}
			})
			key := seed(t, st)
			group := queryapi.New(queryapi.Deps{Traces: st, Spans: st, Analytics: st, Sessions: st, Keys: keyring.New(st, keyring.Options{})})
			options := api.Options{Log: quiet, Keys: keyring.New(st, keyring.Options{}), Roles: st}
			server := httptest.NewServer(api.New(options, group))
			t.Cleanup(server.Close)
			options.DecodedPaths = true
			onLambda := lambda.NewHTTP(api.New(options, group), quiet)

			compare := func(method, path string, status int) {
				t.Helper()
				req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Authorization", "Bearer "+key)
				req.Header.Set("Accept-Encoding", "identity")
				req.Header.Set("X-Request-Id", "of-the-client")
				resp, err := http.DefaultTransport.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				var want strings.Builder
				if err := resp.Write(&want); err != nil {
					t.Fatal(err)
				}
				_, body, _ := strings.Cut(want.String(), "\r\n\r\n")
				headers := map[string]string{"authorization": "Bearer " + key, "x-request-id": "of-the-client"}
				a := invoke(t.Context(), t, onLambda, event(method, req.URL.Path, req.URL.RawQuery, headers, nil, nil))
				sent := map[string]string{}
				for name := range resp.Header {
					if name != "Date" {
						sent[name] = resp.Header.Get(name)
					}
				}
				if diff := cmp.Diff(sent, a.Headers); diff != "" || resp.StatusCode != status || a.StatusCode != status || a.body(t) != body {
					t.Errorf("%s %s: %d and %d, want %d\n%.300s\n%.300s\nheaders %s", method, path, resp.StatusCode, a.StatusCode, status, body, a.body(t), diff)
				}
			}
			for _, id := range oddIDs {
				escaped := url.PathEscape(id)
				switch id {
				case ".", "..": // no client can send these as they are
					escaped = strings.ReplaceAll(id, ".", "%2E")
				}
				for _, path := range []string{"/v1/traces/", "/v1/spans/", "/v1/sessions/"} {
					compare("GET", path+escaped, 200)
					compare("DELETE", path+escaped, 405)
				}
				compare("GET", "/v1/sessions/"+escaped+"/spans", 200)
				compare("GET", "/v1/spans?session_id="+url.QueryEscape(id), 200)
				compare("GET", "/v1/traces/no-"+escaped, 404)
			}
			compare("GET", "/v1/traces", 200)
			compare("GET", "/v1/traces/", 200)
			compare("GET", "/v1//traces", 200)
			compare("GET", "/v1/traces?limit=x", 400)
			compare("POST", "/v1/traces", 405)
			compare("GET", "/v1/nothing", 404)
			compare("GET", "/nothing", 404)
			key = "wrong"
			compare("GET", "/v1/traces", 401)
		})
	}
}

// seed makes a project with a key, and a span of each odd id, and gives the key.
func seed(t *testing.T, st store.Store) string {
	t.Helper()
	ctx := t.Context()
	if err := st.Migrate(ctx, nil); err != nil {
		t.Fatal(err)
	}
	now, key := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), account.MintKey()
	err := st.CreateUser(ctx, store.NewUser{
		User: account.User{ID: "user", Name: "u", Email: "u@example.com", CreatedAt: now, UpdatedAt: now}, CredentialID: "c", PasswordHash: "x",
		Project: &store.NewProject{
			Project: account.Project{ID: "project", Name: "p", CreatedAt: now},
			Key:     account.APIKey{ID: "key", ProjectID: "project", Hash: account.HashKey(key), Name: "k", CreatedAt: now},
			Member:  account.Membership{ID: "m", UserID: "user", ProjectID: "project", Role: account.RoleAdmin, CreatedAt: now},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var spans []trace.Span
	for i, id := range oddIDs {
		spans = append(spans, trace.Span{
			ID: trace.SpanID(id), TraceID: trace.TraceID(id), SessionID: trace.SessionID(id), Form: trace.FormSpan, Start: now.Add(time.Duration(i) * time.Second),
			Kind: trace.KindToolUse, Source: trace.SourceSDK, Status: trace.StatusSuccess,
		})
	}
	if _, err := st.WriteBatches(ctx, []store.Batch{store.Pack("project", now, spans)}); err != nil {
		t.Fatal(err)
	}
	return key
}
