package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/pulse-traces/pulse/shared/testkit"
)

// TestPagesOfThisMachineSignIn signs in as a page would that was opened under
// one of the names of this machine, and as one of another site.
func TestPagesOfThisMachineSignIn(t *testing.T) {
	t.Parallel()
	p := testkit.NewPulse(t, "NODE_ENV=development")
	a := p.SignUp()
	port := p.URL[strings.LastIndexByte(p.URL, ':'):]
	for origin, want := range map[string]int{
		"http://localhost" + port: http.StatusOK,
		"http://127.0.0.1" + port: http.StatusOK,
		"http://[::1]" + port:     http.StatusOK,
		"http://localhost:1":      http.StatusForbidden,
		"http://evil.example":     http.StatusForbidden,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL+"/api/auth/sign-in/email",
			strings.NewReader(`{"email":"`+a.Email+`","password":"`+a.Password+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Origin", origin)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if resp.StatusCode != want {
			t.Errorf("from %s: %s, want %d", origin, resp.Status, want)
		}
	}
}
