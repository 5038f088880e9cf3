package local

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/host"
	"github.com/pulse-traces/pulse/shared/host/site"
	"github.com/pulse-traces/pulse/shared/store"
)

// opening says what a browser is good for at this server. fresh is that there is
// no account yet.
func opening(cfg *config.Config, pages, fresh bool) string {
	switch {
	case !pages && cfg.DashboardDir != "":
		return "DASHBOARD_DIST_DIR holds no web pages; all of it works over HTTP. To begin:"
	case !pages:
		return "It was built without its web pages; all of it works over HTTP. To begin:"
	case fresh && cfg.SignupMode == config.SignupClosed:
		return "There is no account yet, and SIGNUP_MODE=closed lets nobody make one in a browser. To begin:"
	case fresh:
		return "Open it in a browser and create an account: the page that follows has a key and a first trace. Or here:"
	case cfg.SignupMode == config.SignupOpen:
		return "Open it in a browser and sign in, or create an account. Or here:"
	}
	return "Open it in a browser and sign in; SIGNUP_MODE=" + string(cfg.SignupMode) + " lets nobody create an account there without an invite. Or here:"
}

// welcome prints what to do next: commands that work as they stand.
func (c *command) welcome(ctx context.Context, cfg *config.Config, users store.UserStore) {
	n, err := users.CountUsers(ctx) // unknown: what is said of a server with accounts is not wrong then
	url := "http://" + net.JoinHostPort(host.ReachableHost(cfg.Host, "localhost"), strconv.Itoa(cfg.Port))
	remark, command := firstKey(cfg)
	fmt.Fprintf(c.stdout, `
Pulse %s is running at %s

%s

1. Make an account, a project and a key%s:

   export PULSE_API_KEY=$(%s keys create --email you@example.com)

2. Send a trace:

   curl -sS %s/v1/traces/batch -H "Authorization: Bearer $PULSE_API_KEY" -H 'Content-Type: application/json' -d '[{
     "trace_id": "'$(uuidgen 2>/dev/null || cat /proc/sys/kernel/random/uuid)'", "timestamp": "%s",
     "provider": "openai", "model_requested": "gpt-4o-mini", "status": "success", "latency_ms": 420,
     "request_body": {"messages": [{"role": "user", "content": "Hello"}]}, "output_text": "Hi!",
     "input_tokens": 8, "output_tokens": 2 }]'

3. Read it back:

   curl -sS "%s/v1/traces?limit=1" -H "Authorization: Bearer $PULSE_API_KEY"

`, c.Version, url, opening(cfg, site.HasPages(cfg), err == nil && n == 0), remark, command, url, time.Now().UTC().Format("2006-01-02T15:04:05Z"), url)
}

// firstKey gives how another shell calls this program to make a key, and a remark
// about that shell.
func firstKey(cfg *config.Config) (remark, command string) {
	const password = "PULSE_PASSWORD='choose-a-password'"
	// The first process is a container's, and images of Pulse hold no shell. The
	// engine finds a container by the host name it gave it, and hands the
	// container's settings to what runs in it.
	if name, err := os.Hostname(); os.Getpid() == 1 && err == nil {
		return " (with podman or kubectl, exec likewise)", "docker exec -e " + password + " " + shellQuote(name) + " " + programName()
	}
	secrets, settings := shellNeeds(cfg)
	return secrets, settings + password + " " + programName()
}

// shellNeeds gives what a command in another shell needs to find this server's
// data: assignments to put before it, and a remark that names the secrets,
// which are never printed.
func shellNeeds(cfg *config.Config) (secrets, settings string) {
	var named []string
	for _, name := range cfg.Given {
		switch name {
		case "PULSE_MODE", "PULSE_HOME", "PULSE_DATA_DIR", "DATABASE_PATH", "API_KEY_STORAGE":
			settings += name + "=" + shellQuote(cfg.Value(name)) + " "
		case "DATABASE_URL":
			if cfg.Mode == config.ModeScale {
				named = append(named, name)
			}
		case "BETTER_AUTH_SECRET", "ENCRYPTION_KEY":
			named = append(named, name)
		}
	}
	if len(named) > 0 {
		secrets = ", in a shell that has the server's " + strings.Join(named, ", ")
	}
	return secrets, settings
}

// programName is how another shell, in another directory, calls this program.
func programName() string {
	if !strings.ContainsRune(os.Args[0], os.PathSeparator) {
		return os.Args[0] // found in PATH
	}
	path, err := filepath.Abs(os.Args[0])
	if err != nil {
		path = os.Args[0]
	}
	return shellQuote(path)
}

// plainWord is what a shell takes as it stands.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,-]+$`)

func shellQuote(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
