// Package apitest holds a running Pulse to its contract over HTTP, whatever
// host it runs on: what the earlier service was observed to answer, the
// description of the API, the walls between projects, and what comes of bad
// input. It knows a base URL and makes its own accounts, so the same suites run
// against every host and engine.
package apitest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/api"
)

// Target is the server under test. It must take sign-ups, limit none of them,
// and be told in its configuration of what the suites rely on: NODE_ENV=test.
type Target struct {
	URL string
	// Routes are all that the server has.
	Routes []api.Route
	// MaxBodyBytes is the server's limit of a body, as sent and inflated.
	MaxBodyBytes int
	// Remote says that a gateway is between: local login, which is for the
	// server's own machine, must answer 403 then, whatever it is sent.
	Remote bool
	// Output gives what the server has logged so far. Nil leaves the checks of
	// the log out, for hosts whose log is elsewhere.
	Output func() string
}

// Exercise runs all suites against the target.
func Exercise(t *testing.T, target Target) {
	s := newSuite(t, target)
	t.Run("TooLarge", s.tooLarge) // before those that run beside one another
	t.Run("Observed", s.observed)
	t.Run("Reads", s.reads)
	t.Run("Values", s.values)
	t.Run("OTLP", s.otlp)
	t.Run("Prices", s.prices)
	t.Run("Keys", s.keys)
	t.Run("Control", s.control)
	t.Run("Tenants", s.tenants)
	t.Run("BadInput", s.badInput)
}

type suite struct {
	Target
	client      *http.Client
	description *description
}

func newSuite(t *testing.T, target Target) *suite {
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 8}
	t.Cleanup(transport.CloseIdleConnections)
	return &suite{Target: target, description: newDescription(t), client: &http.Client{
		Transport: transport, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// refusesLocal reports whether the target must refuse a call for where it comes
// from.
func (s *suite) refusesLocal(path string) bool {
	return s.Remote && strings.HasPrefix(path, "/dashboard/api/local-login")
}

// request is one call. A path is sent as it is, even if it is malformed.
type request struct {
	method, path string
	host         string // of the Host header; "" is the target's
	header       http.Header
	body         io.Reader
	length       int64 // of Content-Length where body does not tell it
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) String() string {
	const shown = 400
	return fmt.Sprintf("%d %s", a.status, a.body[:min(len(a.body), shown)])
}

// do sends a request and holds the answer to the description.
func (s *suite) do(t testing.TB, r request) answer {
	t.Helper()
	a, err := s.try(t.Context(), r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.method, r.path, err)
	}
	if err := s.description.check(r, a); err != nil {
		t.Errorf("%s %s: %s: not as described: %v", r.method, r.path, a, err)
	}
	return a
}

func (s *suite) try(ctx context.Context, r request) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, s.URL, r.body)
	if err != nil {
		return answer{}, err
	}
	base := req.URL
	if u, err := url.Parse(s.URL + r.path); err == nil {
		req.URL = u
	} else {
		req.URL = &url.URL{Scheme: base.Scheme, Host: base.Host, Opaque: r.path}
	}
	if r.length > 0 {
		req.ContentLength = r.length
	}
	req.Header = r.header.Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	req.Host = r.host
	resp, err := s.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, body}, errors.Join(err, resp.Body.Close())
}

// person is somebody with an account, who may have a project and its key.
type person struct {
	email, cookie, project, key string
}

const password = "correct horse battery"

// signUp makes an account with a project, and a second project whose key is
// known.
func (s *suite) signUp(t testing.TB) person {
	t.Helper()
	p := person{email: uuid.NewString() + "@example.com"}
	s.want(t, person{}, http.MethodPost, "/dashboard/api/signup",
		fmt.Sprintf(`{"name":"Ann","email":%q,"password":%q,"projectName":"First"}`, p.email, password), http.StatusCreated, nil)
	p.cookie = s.signIn(t, p.email, password)
	s.addProject(t, &p)
	return p
}

func (s *suite) signIn(t testing.TB, email, password string) (cookie string) {
	t.Helper()
	a := s.as(t, person{}, http.MethodPost, "/api/auth/sign-in/email", fmt.Sprintf(`{"email":%q,"password":%q}`, email, password))
	if a.status != http.StatusOK {
		t.Fatalf("sign in: %s", a)
	}
	cookie, _, _ = strings.Cut(a.header.Get("Set-Cookie"), ";")
	return cookie
}

func (s *suite) addProject(t testing.TB, p *person) {
	t.Helper()
	var made struct{ ProjectID, APIKey string }
	s.want(t, *p, http.MethodPost, "/dashboard/api/projects", `{"name":"Second"}`, http.StatusCreated, &made)
	p.project, p.key = made.ProjectID, made.APIKey
}

// credentials are the headers that p sends to a path.
func (p person) credentials(path string) http.Header {
	h := http.Header{}
	switch {
	case strings.HasPrefix(path, "/v1/"), strings.Contains(path, "/otel/v1/"):
		if p.key != "" {
			h.Set("Authorization", "Bearer "+p.key)
		}
	case p.cookie != "":
		h.Set("Cookie", p.cookie)
		if p.project != "" {
			h.Set("X-Project-Id", p.project)
		}
	}
	return h
}

// as sends a JSON body, or none for "", as p.
func (s *suite) as(t testing.TB, p person, method, path, body string) answer {
	t.Helper()
	r := request{method: method, path: path, header: p.credentials(path)}
	if body != "" {
		r.body = strings.NewReader(body)
		r.header.Set("Content-Type", "application/json")
	}
	return s.do(t, r)
}

// want is as with the status that must come, and decodes the answer.
func (s *suite) want(t testing.TB, p person, method, path, body string, status int, v any) {
	t.Helper()
	a := s.as(t, p, method, path, body)
	if a.status != status {
		t.Fatalf("%s %s: %s, want %d", method, path, a, status)
	}
	if v == nil {
		return
	}
	if err := json.NewDecoder(bytes.NewReader(a.body)).Decode(v); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
}
