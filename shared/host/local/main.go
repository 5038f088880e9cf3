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
	"slices"
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
  pulse keys create            make an API key
  pulse health                 ask the server of this machine whether it is ready; status 1 if not
  pulse dlq list               list records that could not be stored
  pulse dlq show ID            show one, with its reason
  pulse dlq replay ID|--all    hand it to the drain again
  pulse dlq discard ID         remove it for good
  pulse remap                  read stored OpenTelemetry spans again with today's mapping
  pulse reprice                compute the costs of stored spans again with today's prices
  pulse import FILE|-          store the traces of an export in a project
  pulse version                print the version
  pulse COMMAND --help         show what the command does and takes

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
		return c.plain(name, rest, func() error { return c.serve(ctx) })
	case "migrate":
		return c.plain(name, rest, func() error { return c.migrate(ctx) })
	case "health":
		return c.plain(name, rest, func() error { return c.health(ctx) })
	case "keys":
		switch {
		case len(rest) == 0:
			return usageError("keys takes: create")
		case rest[0] == "create":
			return c.createKey(ctx, rest[1:])
		case isHelp(rest[0]):
			return c.createKey(ctx, []string{"--help"})
		}
		return usageError("keys takes: create; not " + printable(rest[0]))
	case "dlq":
		if asksHelp(rest) {
			return c.help(name)
		}
		return c.deadLetters(ctx, rest)
	case "remap", "reprice":
		return c.rewrite(ctx, name, rest)
	case "import":
		return c.importTraces(ctx, rest)
	case "version", "--version", "-v":
		return c.plain("version", rest, func() error {
			fmt.Fprintln(c.stdout, c.Version)
			return nil
		})
	case "help", "--help", "-h":
		if len(rest) > 0 && !isHelp(rest[0]) { // of a command
			return c.run(ctx, []string{rest[0], "--help"})
		}
		fmt.Fprintf(c.stdout, usage, c.Version, c.DefaultMode)
		return nil
	}
	return usageError("there is no command " + printable(name))
}

// usages are those of the commands without flags.
var usages = map[string]string{
	"serve": `Start the server. The environment configures it: docs/configuration.md lists all.

Usage: pulse [serve]
`,
	"migrate": `Bring the database up to date, also one of the earlier service: make it where there
is none, apply what its schema lacks, and move what the earlier service stored. A
copy of a SQLite file of the earlier service is kept beside it. It may be stopped at
any moment, and goes on where it was.

Usage: pulse migrate
`,
	"health": `Ask the server of this machine, on PULSE_HOST and PORT, whether it is ready. The
status is 0 if it is, 1 if not.

Usage: pulse health
`,
	"dlq": `Look at the records that could not be stored, and deal with them. The server may
run meanwhile; the command must have the same PULSE_HOME or WAL_URL.

Usage:
  pulse dlq list               list them with their reasons
  pulse dlq show ID            show what one holds, without prompts and answers
  pulse dlq replay ID|--all    hand it to the drain again
  pulse dlq discard ID         remove it for good

An ID is as the list shows it: traces/… or spans/…
`,
	"version": `Print the version.

Usage: pulse version
`,
}

// help prints the usage of a command of usages.
func (c *command) help(name string) error {
	_, err := fmt.Fprint(c.stdout, usages[name])
	return err
}

// plain runs a command that takes no arguments.
func (c *command) plain(name string, args []string, run func() error) error {
	switch {
	case asksHelp(args):
		return c.help(name)
	case len(args) > 0:
		return usageError(name + " takes no arguments, and got " + printable(args[0]))
	}
	return run()
}

// parse reads the flags of a command. With --help it prints usage and what the
// flags are, and gives flag.ErrHelp.
func (c *command) parse(flags *flag.FlagSet, usage string, args []string) error {
	flags.SetOutput(io.Discard)
	err := flags.Parse(args)
	if err == nil && asksHelp(flags.Args()) { // behind an argument
		err = flag.ErrHelp
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(c.stdout, usage)
		flags.SetOutput(c.stdout)
		flags.PrintDefaults()
		return err
	case err != nil:
		return usageError(flags.Name() + ": " + printable(err.Error()))
	}
	return nil
}

// asksHelp reports whether a person asks what a command takes.
func asksHelp(args []string) bool {
	return len(args) > 0 && args[0] == "help" || slices.Contains(args, "--help") || slices.Contains(args, "-h")
}

func isHelp(arg string) bool { return asksHelp([]string{arg}) }

// printable is what somebody typed, as it may be shown.
func printable(arg string) string { return strings.ToValidUTF8(arg, "?") }

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
