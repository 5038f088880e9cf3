package local

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/host/stream"
	"github.com/pulse-traces/pulse/shared/logging"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/wal"
	"github.com/pulse-traces/pulse/shared/wal/filewal"
)

// maxListed bounds a list of dead letters; more are seen once these are dealt with.
const maxListed = 1000

// deadLetters are the commands "dlq list|show|replay". The server may run.
func (c *command) deadLetters(ctx context.Context, args []string) (err error) {
	if len(args) == 0 || (args[0] != "list") == (len(args) == 1) {
		return usageError("dlq takes: list, show ID, replay ID or replay --all")
	}
	cfg, _, err := c.dlqSettings()
	if err != nil {
		return err
	}
	logs, err := stream.Open(ctx, &cfg, filewal.RoleInspect, logging.NewText(c.stderr, cfg.LogLevel))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logs.Close()) }()
	switch args[0] {
	case "list":
		return c.listDeadLetters(ctx, logs)
	case "show":
		return c.showDeadLetter(ctx, logs, args[1])
	case "replay":
		return c.replayDeadLetters(ctx, logs, args[1])
	}
	return usageError("dlq takes: list, show ID, replay ID or replay --all")
}

// dlqSettings are the settings without secrets being made for them.
func (c *command) dlqSettings() (config.Config, []string, error) {
	return config.FromEnviron(config.Defaults{Mode: config.Mode(c.DefaultMode)})
}

// deadLettersOf finds the log of an id as the list shows it: traces/ID or spans/ID.
func deadLettersOf(logs stream.Logs, id string) (wal.DeadLetters, string, error) {
	name, rest, _ := strings.Cut(id, "/")
	l, ok := logs.Named()[name]
	if !ok || rest == "" {
		return nil, "", usageError("an id looks like traces/… or spans/…: see pulse dlq list")
	}
	return l.DeadLetters(), rest, nil
}

func (c *command) listDeadLetters(ctx context.Context, logs stream.Logs) error {
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tFAILED\tATTEMPTS\tBYTES\tREASON")
	n := 0
	for name, l := range logs.Named() {
		letters, err := l.DeadLetters().List(ctx, maxListed)
		if err != nil {
			return err
		}
		for _, d := range letters {
			fmt.Fprintf(w, "%s/%s\t%s\t%d\t%d\t%s\n", name, d.ID, d.FailedAt.UTC().Format(time.RFC3339), d.Attempts, d.Size, oneLine(d.Reason))
			n++
		}
	}
	if n == 0 {
		fmt.Fprintln(c.stdout, "There are no dead letters.")
		return nil
	}
	return w.Flush()
}

// showDeadLetter tells what a dead letter holds without its payloads, which are
// people's prompts and answers.
func (c *command) showDeadLetter(ctx context.Context, logs stream.Logs, id string) error {
	letters, rest, err := deadLettersOf(logs, id)
	if err != nil {
		return err
	}
	d, err := letters.Get(ctx, rest)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "id:        %s\nfailed:    %s\nattempts:  %d\nbytes:     %d\nreason:    %s\n",
		id, d.FailedAt.UTC().Format(time.RFC3339), d.Attempts, d.Size, oneLine(d.Reason))
	b, err := store.UnmarshalBatch(d.Data)
	if err != nil {
		fmt.Fprintf(c.stdout, "content:   cannot be read: %v\n", err)
		return nil
	}
	fmt.Fprintf(c.stdout, "project:   %s\naccepted:  %s\nspans:     %d\n", b.Project, b.Arrived.Format(time.RFC3339), len(b.Spans))
	for i := range b.Spans {
		s := &b.Spans[i]
		fmt.Fprintf(c.stdout, "  %q  trace %q  %s  %s\n", s.ID, s.TraceID, s.Kind, s.Start.Format(time.RFC3339Nano))
	}
	return nil
}

func (c *command) replayDeadLetters(ctx context.Context, logs stream.Logs, id string) error {
	if id != "--all" {
		letters, rest, err := deadLettersOf(logs, id)
		if err != nil {
			return err
		}
		if err := letters.Replay(ctx, rest); err != nil {
			return err
		}
		fmt.Fprintln(c.stdout, "Replayed 1 dead letter.")
		return nil
	}
	n := 0
	for _, l := range logs.Named() {
		letters, err := l.DeadLetters().List(ctx, maxListed)
		if err != nil {
			return err
		}
		for _, d := range letters {
			if err := l.DeadLetters().Replay(ctx, d.ID); err != nil {
				return fmt.Errorf("after %d: %w", n, err)
			}
			n++
		}
	}
	fmt.Fprintf(c.stdout, "Replayed %d dead letters.\n", n)
	return nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
