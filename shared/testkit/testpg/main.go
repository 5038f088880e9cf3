// Command testpg runs a command with a private Postgres cluster:
//
//	go run ./shared/testkit/testpg -- go test ./...
//
// The command finds its address in TEST_DATABASE_URL, and PULSE_TEST_REQUIRE=1,
// so that no test is skipped for want of it. Where TEST_DATABASE_URL is set
// already, that server is used. The exit status is the command's.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/pulse-traces/pulse/shared/testkit"
)

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: testpg -- command [argument ...]")
		os.Exit(2)
	}
	code, err := run(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testpg:", err)
	}
	os.Exit(code)
}

// run gives the exit status of the command, or 1 and why it could not be run.
func run(args []string) (code int, err error) {
	// An interrupt reaches the command too; when it has ended, the cluster does.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	address := os.Getenv("TEST_DATABASE_URL")
	if address == "" {
		startCtx, cancel := context.WithTimeout(ctx, 3*time.Minute)
		defer cancel()
		server, err := testkit.StartPostgres(startCtx, "")
		if err != nil {
			return 1, err
		}
		defer func() { err = errors.Join(err, server.Close()) }()
		address = server.URL()
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "TEST_DATABASE_URL="+address, "PULSE_TEST_REQUIRE=1")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return max(exit.ExitCode(), 1), nil
	}
	if err != nil {
		return 1, err
	}
	return 0, nil
}
