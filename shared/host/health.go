package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pulse-traces/pulse/shared/config"
)

const (
	// healthTimeout is shorter than what those who run the command allow it.
	healthTimeout = 3 * time.Second
	maxHealthBody = 4 << 10
)

// AskHealth asks the server of this machine whether it is ready and writes what
// it says to out: for images that hold no other program that could ask.
func AskHealth(ctx context.Context, cfg *config.Config, out io.Writer) error {
	if cfg.Port == 0 {
		return errors.New("health: only a server that listens on a known PORT can be asked")
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	url := "http://" + net.JoinHostPort(ReachableHost(cfg.Host, "127.0.0.1"), strconv.Itoa(cfg.Port)) + "/health/ready"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	// A proxy of the environment has no business with this machine's server.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxHealthBody))
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("health: not ready: %s: %s", resp.Status, strings.Join(strings.Fields(string(body)), " "))
	}
	fmt.Fprintln(out, strings.TrimSpace(string(body)))
	return nil
}

// ReachableHost gives where a server that listens on host is reached from its
// own machine: loopback if it listens on all interfaces.
func ReachableHost(host, loopback string) string {
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		return loopback
	}
	return host
}
