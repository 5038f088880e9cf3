package testkit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// Client calls a running Pulse, whatever host it runs on.
type Client struct {
	URL string // without a slash at its end

	t testing.TB
}

// NewClient makes a client whose failures are those of t.
func NewClient(t testing.TB, url string) *Client { return &Client{URL: url, t: t} }

// Account is somebody who signed up, with a project and a key.
type Account struct {
	Email, Password string
	Cookie          string // for the Cookie header
	Project         string
	Key             string
}

// SignUp makes an account with a project and a key over HTTP.
func (c *Client) SignUp() Account {
	c.t.Helper()
	a := Account{Email: uuid.NewString() + "@example.com", Password: "correct horse battery"}
	c.must(a, http.MethodPost, "/dashboard/api/signup", fmt.Sprintf(`{"name":"Ann","email":%q,"password":%q,"projectName":"First"}`, a.Email, a.Password), http.StatusCreated, nil)
	resp, _ := c.Do(Account{}, http.MethodPost, "/api/auth/sign-in/email", fmt.Sprintf(`{"email":%q,"password":%q}`, a.Email, a.Password))
	a.Cookie, _, _ = strings.Cut(resp.Header.Get("Set-Cookie"), ";")
	var made struct{ ProjectID, APIKey string }
	c.must(a, http.MethodPost, "/dashboard/api/projects", `{"name":"Second"}`, http.StatusCreated, &made)
	a.Project, a.Key = made.ProjectID, made.APIKey
	return a
}

// Do sends a request as a: with the key under /v1, else with cookie and project.
func (c *Client) Do(a Account, method, path, body string) (*http.Response, []byte) {
	c.t.Helper()
	resp, b, err := c.Try(context.Background(), a, method, path, body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp, b
}

// Try is Do for servers that may be down.
func (c *Client) Try(ctx context.Context, a Account, method, path, body string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.URL+path, strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if strings.HasPrefix(path, "/v1/") {
		req.Header.Set("Authorization", "Bearer "+a.Key)
	} else if a.Cookie != "" {
		req.Header.Set("Cookie", a.Cookie)
		req.Header.Set("X-Project-Id", a.Project)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	b, err := io.ReadAll(resp.Body)
	return resp, b, errors.Join(err, resp.Body.Close())
}

// JSON sends a request as a, demands a status and decodes the answer into v.
func (c *Client) JSON(a Account, method, path, body string, status int, v any) {
	c.t.Helper()
	c.must(a, method, path, body, status, v)
}

func (c *Client) must(a Account, method, path, body string, status int, v any) {
	c.t.Helper()
	resp, b := c.Do(a, method, path, body)
	if resp.StatusCode != status {
		c.t.Fatalf("%s %s: %s: %s; want %d", method, path, resp.Status, b, status)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal(b, v); err != nil {
		c.t.Fatalf("%s %s: %v in %s", method, path, err, b)
	}
}

// TraceBody makes the wire form of traces with the given ids.
func TraceBody(ids ...string) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"trace_id":%q,"timestamp":"2026-01-25T12:%02d:00.000Z","provider":"openai","model_requested":"gpt-4o","status":"success",`+
			`"latency_ms":%d,"request_body":{"messages":[{"role":"user","content":"Hello %d"}]},"output_text":"Hi","input_tokens":%d,"output_tokens":2,`+
			`"cost_cents":0.25,"session_id":"session-%d"}`, id, i%60, 100+i, i, 10+i, i%7)
	}
	b.WriteByte(']')
	return b.String()
}
