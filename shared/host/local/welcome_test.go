package local

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/store"
)

type users struct {
	store.UserStore
	n int64
}

func (u users) CountUsers(context.Context) (int64, error) { return u.n, nil }

// TestWelcome: what a new server says of the browser is what happens there.
func TestWelcome(t *testing.T) {
	t.Parallel()
	built := t.TempDir()
	if err := os.WriteFile(filepath.Join(built, "index.html"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		mode  config.SignupMode
		dir   string
		users int64
		want  string
	}{
		"Fresh":        {config.SignupOpen, built, 0, "Open it in a browser and create an account: the page"},
		"FreshFirst":   {config.SignupFirst, built, 0, "Open it in a browser and create an account: the page"},
		"FreshClosed":  {config.SignupClosed, built, 0, "SIGNUP_MODE=closed lets nobody make one in a browser. To begin:"},
		"Known":        {config.SignupOpen, built, 1, "Open it in a browser and sign in, or create an account. Or here:"},
		"KnownFirst":   {config.SignupFirst, built, 2, "sign in; SIGNUP_MODE=first lets nobody create an account there without an invite. Or here:"},
		"KnownClosed":  {config.SignupClosed, built, 2, "sign in; SIGNUP_MODE=closed lets nobody create an account there without an invite. Or here:"},
		"NoPages":      {config.SignupOpen, t.TempDir(), 0, "DASHBOARD_DIST_DIR holds no web pages; all of it works over HTTP. To begin:"},
		"PagesNowhere": {config.SignupClosed, filepath.Join(built, "nowhere"), 1, "DASHBOARD_DIST_DIR holds no web pages"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			c := &command{Program: Program{Version: "dev"}, stdout: &out}
			c.welcome(t.Context(), &config.Config{Port: 3000, SignupMode: tc.mode, DashboardDir: tc.dir}, users{n: tc.users})
			if !strings.Contains(out.String(), tc.want) || (tc.users > 0 && strings.Contains(out.String(), "the page that follows")) {
				t.Errorf("no %q in\n%s", tc.want, &out)
			}
		})
	}
}

func TestOpeningWithoutPages(t *testing.T) {
	t.Parallel()
	for _, fresh := range []bool{true, false} {
		if got := opening(&config.Config{SignupMode: config.SignupOpen}, false, fresh); strings.Contains(got, "Open it in a browser") || !strings.Contains(got, "without its web pages") {
			t.Errorf("fresh %t: %s", fresh, got)
		}
	}
}
