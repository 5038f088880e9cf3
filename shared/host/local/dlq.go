package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/host/stream"
	"github.com/pulse-traces/pulse/shared/logging"
	"github.com/pulse-traces/pulse/shared/record"
	"github.com/pulse-traces/pulse/shared/wal"
	"github.com/pulse-traces/pulse/shared/wal/filewal"
)

// maxListed bounds a list of dead letters; more are seen once these are dealt with.
const maxListed = 1000

// patience is how long the log may take to answer.
const patience = 5 * time.Second

const dlqUsage = usageError("dlq takes: list, show ID, replay ID, replay --all or discard ID")

// deadLetters are the commands "dlq list|show|replay|discard". The server may run.
func (c *command) deadLetters(ctx context.Context, args []string) (err error) {
	most := map[string]int{"list": 1, "show": 2, "replay": 2, "discard": 2} // words
	switch {
	case len(args) == 0:
		return dlqUsage
	case most[args[0]] == 0:
		return dlqUsage + usageError("; not "+printable(args[0]))
	case len(args) < most[args[0]]:
		return dlqUsage
	case len(args) > most[args[0]]:
		return dlqUsage + usageError("; not also "+printable(args[most[args[0]]]))
	}
	cfg, _, err := c.settings()
	if err != nil {
		return err
	}
	where := stream.Where(&cfg)
	logs, err := c.openDeadLetters(ctx, &cfg)
	if err != nil {
		return fmt.Errorf("dlq: cannot look into %s: %w", where, err)
	}
	defer func() { err = errors.Join(err, logs.Close()) }()
	switch args[0] {
	case "list":
		return c.listDeadLetters(ctx, logs, where+missing(&cfg))
	case "show":
		return c.showDeadLetter(ctx, logs, args[1])
	case "replay":
		return c.replayDeadLetters(ctx, logs, args[1])
	case "discard":
		return c.discardDeadLetter(ctx, logs, args[1])
	}
	return dlqUsage
}

// openDeadLetters opens the logs to look at them, and fails soon if they are away.
// Their own warnings would say the same as the error.
func (c *command) openDeadLetters(ctx context.Context, cfg *config.Config) (stream.Logs, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	logs, err := stream.Open(ctx, cfg, filewal.RoleInspect, logging.NewText(c.stderr, max(cfg.LogLevel, slog.LevelError)))
	if err != nil {
		return logs, err
	}
	if err := logs.Ping(ctx); err != nil {
		return logs, errors.Join(err, logs.Close())
	}
	return logs, nil
}

// missing says so where there is no log in the directories that are looked into:
// it is likely that another place was meant.
func missing(cfg *config.Config) string {
	if cfg.WALKind != config.WALFile {
		return ""
	}
	for _, dir := range []string{cfg.TraceWALDir, cfg.SpanWALDir} {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			return ""
		}
	}
	return ", which do not exist: set PULSE_HOME, WAL_URL or the prefixes of the queues as they are for the server"
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

func (c *command) listDeadLetters(ctx context.Context, logs stream.Logs, where string) error {
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
		fmt.Fprintf(c.stdout, "No dead letters in %s.\n", where)
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
	if d.Damaged {
		fmt.Fprintln(c.stdout, "content:   is no record of Pulse, or damaged: it cannot be replayed")
		return nil
	}
	b, err := record.Decode(d.Data)
	if err != nil && len(b.Spans) == 0 {
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
			return notReplayed(id, err)
		}
		fmt.Fprintln(c.stdout, "Replayed 1 dead letter.")
		return nil
	}
	replayed, left, err := c.replayAll(ctx, logs)
	fmt.Fprintf(c.stdout, "Replayed %s.\n", countLetters(replayed))
	if err == nil && left > 0 {
		err = fmt.Errorf("%s cannot be replayed", countLetters(left))
	}
	return err
}

// replayAll replays what it can and says what it cannot. It gives up where a log
// does not answer.
func (c *command) replayAll(ctx context.Context, logs stream.Logs) (replayed, left int, err error) {
	named := logs.Named()
	for _, name := range slices.Sorted(maps.Keys(named)) {
		letters := named[name].DeadLetters()
		list, err := letters.List(ctx, maxListed)
		if err != nil {
			return replayed, left, err
		}
		for _, d := range list {
			err := letters.Replay(ctx, d.ID)
			switch {
			case err == nil:
				replayed++
			case fault.Is(err, fault.NotFound): // somebody else has dealt with it
			case fault.Transient(err) || ctx.Err() != nil:
				return replayed, left, err
			default:
				left++
				fmt.Fprintln(c.stderr, "pulse:", notReplayed(name+"/"+d.ID, err))
			}
		}
	}
	return replayed, left, nil
}

// notReplayed says why a dead letter stays, and if that is its own fault, how to
// be rid of it.
func notReplayed(id string, err error) error {
	if !fault.Is(err, fault.Invalid) {
		return fmt.Errorf("%s: %w", id, err)
	}
	return fmt.Errorf("%s: %w; to remove it: pulse dlq discard %s", id, err, id)
}

func countLetters(n int) string {
	if n == 1 {
		return "1 dead letter"
	}
	return fmt.Sprintf("%d dead letters", n)
}

func (c *command) discardDeadLetter(ctx context.Context, logs stream.Logs, id string) error {
	letters, rest, err := deadLettersOf(logs, id)
	if err != nil {
		return err
	}
	if err := letters.Discard(ctx, rest); err != nil {
		return err
	}
	fmt.Fprintln(c.stdout, "Discarded 1 dead letter.")
	return nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
