package local

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/history"
	"github.com/pulse-traces/pulse/shared/host"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// rewrites are the commands that go through what is stored.
var rewrites = map[string]struct {
	usage string
	run   func(context.Context, history.Store, history.Options) (history.Result, error)
}{
	"remap": {`Read spans that came as OpenTelemetry again, with today's mapping, and bring the
sums up to date. A span changes only if the mapping says something else of it.
The server may run meanwhile; the command may be stopped, and goes on where it
was with --resume.

Usage: pulse remap [--from TIME] [--to TIME] [--project NAME-OR-ID] [--dry-run] [--resume PLACE]

`, history.Remap},
	"reprice": {`Compute the costs of spans again, with today's prices for the time of each, and
bring the sums up to date. Costs that their senders gave stay. The server may run
meanwhile.

Usage: pulse reprice [--from TIME] [--to TIME] [--project NAME-OR-ID] [--dry-run] [--resume PLACE]

`, history.Reprice},
}

// rewrite is one of the commands of rewrites.
func (c *command) rewrite(ctx context.Context, name string, args []string) (err error) {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	from := flags.String("from", "", "only spans that began at this time or later (2026-01-31 or 2026-01-31T12:00:00Z)")
	to := flags.String("to", "", "only spans that began before this time")
	project := flags.String("project", "", "name or id of the only project; all by default")
	dryRun := flags.Bool("dry-run", false, "tell what would change, and change nothing")
	resume := flags.String("resume", "", "go on at the place that a run with the same flags told")
	if err := c.parse(flags, rewrites[name].usage, args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return usageError(name + " takes flags only, not " + printable(flags.Arg(0)) + "; --help shows all")
	}
	o := history.Options{DryRun: *dryRun, Resume: *resume}
	for _, bound := range []struct {
		flag, text string
		to         **time.Time
	}{{"--from", *from, &o.Time.From}, {"--to", *to, &o.Time.To}} {
		if bound.text == "" {
			continue
		}
		at, err := parseMoment(bound.text)
		if err != nil {
			return usageError(bound.flag + " is no time: write 2026-01-31 or 2026-01-31T12:00:00Z")
		}
		*bound.to = &at
	}
	if o.Time.From != nil && o.Time.To != nil && !o.Time.From.Before(*o.Time.To) {
		return usageError(fmt.Sprintf("--from %s is not before --to %s", *from, *to))
	}
	cfg, log, st, err := c.openStored(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if *project != "" {
		if o.Project, err = projectNamed(ctx, st, *project); err != nil {
			return err
		}
	}
	if o.Prices, err = host.NewPrices(cfg, log, st); err != nil {
		return err
	}
	told := time.Now()
	o.Progress = func(r history.Result) {
		if time.Since(told) > progressEvery {
			told = time.Now()
			fmt.Fprintf(c.stderr, "%d spans read, %d changed; to go on from here: --resume %s\n", r.Read, r.Changed, r.Resume)
		}
	}
	result, err := rewrites[name].run(ctx, st, o)
	if err != nil {
		if fault.Is(err, fault.Invalid) && result.Resume == *resume && *resume != "" { // it did not get away from there
			return usageError(fmt.Sprintf("--resume %s: %v", printable(*resume), err))
		}
		if result.Resume != "" {
			fmt.Fprintf(c.stderr, "To go on, repeat the command with --resume %s\n", result.Resume)
		}
		return fmt.Errorf("%s: after %d spans: %w", name, result.Read, err)
	}
	verb := "changed"
	if o.DryRun {
		verb = "would change"
	}
	fmt.Fprintf(c.stdout, "%d of %d spans %s.\n", result.Changed, result.Read, verb)
	for _, d := range result.Differences {
		fmt.Fprintf(c.stdout, "  %s: %d spans, as %s\n", d.Field, d.Spans, d.Examples[0])
	}
	if result.CostNanoUSD != 0 {
		fmt.Fprintf(c.stdout, "  cost in all: %+.6f USD\n", float64(result.CostNanoUSD)/1e9)
	}
	if result.Damaged > 0 {
		fmt.Fprintf(c.stdout, "%d spans have raw bytes that cannot be read; they stay as they are.\n", result.Damaged)
	}
	return nil
}

// progressEvery is how often a person wants to hear that it goes on.
const progressEvery = 2 * time.Second

// parseMoment reads a time, or a day as its beginning in UTC.
func parseMoment(s string) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, s); err == nil {
		return day, nil
	}
	at, ok := trace.ParseTime(s)
	if !ok {
		return at, errors.New("no time")
	}
	return at, nil
}

var _ history.Store = store.Store(nil)
