// Package local wires Pulse into one process: HTTP, the local log, the drain
// and a store, and the commands that an operator runs beside it. It holds no
// rule worth a test of its own: what it connects has them.
package local

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/host"
)

// Program is what the build contributes.
type Program struct {
	Version     string
	DefaultMode string // "single" or "scale": where PULSE_MODE is not set
}

// exit statuses: 1 for what went wrong, 2 for a call that makes no sense.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

const usage = `Pulse %s — LLM observability in one process

Usage:
  pulse [serve]                start the server (the default)
  pulse migrate                bring the database up to date, also one of the earlier service
  pulse keys create            make an API key; --help shows how
  pulse health                 ask the server of this machine whether it is ready; status 1 if not
  pulse dlq list               list records that could not be stored
  pulse dlq show ID            show one, with its reason
  pulse dlq replay ID|--all    hand it to the drain again
  pulse dlq discard ID         remove it for good
  pulse remap                  read stored OpenTelemetry spans again with today's mapping; --help shows how
  pulse reprice                compute the costs of stored spans again with today's prices; --help shows how
  pulse import FILE|-          store the traces of an export in a project; --help shows how
  pulse version                print the version

The environment configures it; nothing is required in single mode. The most used:
  PORT=3000                    port to listen on
  PULSE_HOME=~/.pulse          where data and generated secrets are kept
  PULSE_MODE=%-6s            single (SQLite) or scale (Postgres, needs DATABASE_URL)
docs/configuration.md lists all.
`

// command is one of the program's commands with its parts.
type command struct {
	Program
	stdout, stderr io.Writer
}

// Main runs the program and gives its exit status.
func (p Program) Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := &command{Program: p, stdout: stdout, stderr: stderr}
	err := c.run(ctx, args)
	var u usageError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp) || errors.Is(err, host.ErrStopped):
		return exitOK
	case errors.As(err, &u):
		fmt.Fprintf(stderr, "pulse: %s\nTry: pulse --help\n", u)
		return exitUsage
	}
	if faults, ok := errors.AsType[config.Errors](err); ok {
		fmt.Fprintln(stderr, faults)
	} else {
		fmt.Fprintln(stderr, "pulse:", err)
	}
	return exitError
}

// usageError is a call that makes no sense.
type usageError string

func (e usageError) Error() string { return string(e) }

func (c *command) run(ctx context.Context, args []string) error {
	name, rest := "serve", args
	if len(args) > 0 {
		name, rest = args[0], args[1:]
	}
	switch name {
	case "serve":
		if len(rest) > 0 && !isHelp(rest[0]) {
			return usageError("serve takes no arguments: it is configured by the environment")
		}
		if len(rest) > 0 {
			break
		}
		return c.serve(ctx)
	case "migrate":
		if len(rest) > 0 {
			break
		}
		return c.migrate(ctx)
	case "health":
		if len(rest) > 0 {
			break
		}
		return c.health(ctx)
	case "keys":
		if len(rest) > 0 && isHelp(rest[0]) {
			break
		}
		if len(rest) > 0 && rest[0] == "create" {
			return c.createKey(ctx, rest[1:])
		}
		return usageError("keys takes: create")
	case "dlq":
		if len(rest) > 0 && isHelp(rest[len(rest)-1]) {
			break
		}
		return c.deadLetters(ctx, rest)
	case "remap", "reprice":
		return c.rewrite(ctx, name, rest)
	case "import":
		return c.importTraces(ctx, rest)
	case "version", "--version", "-v":
		fmt.Fprintln(c.stdout, c.Version)
		return nil
	case "help", "--help", "-h":
	default:
		return usageError("there is no command " + strings.ToValidUTF8(name, "?"))
	}
	fmt.Fprintf(c.stdout, usage, c.Version, c.DefaultMode)
	return nil
}

func isHelp(arg string) bool { return arg == "--help" || arg == "-h" || arg == "help" }

// health is the command of that name.
func (c *command) health(ctx context.Context) error {
	cfg, _, err := config.FromEnviron(config.Defaults{Mode: config.Mode(c.DefaultMode), Asks: true})
	switch {
	case err != nil:
		return err
	case cfg.RuntimeMode == config.RuntimeListener:
		return errors.New("health: a process that only drains serves no HTTP")
	}
	return host.AskHealth(ctx, &cfg, c.stdout)
}
