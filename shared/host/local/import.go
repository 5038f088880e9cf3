package local

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api/ingestapi"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/host"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

const importUsage = `Store the traces of an export (JSON lines) in a project. Their ids stay; spans that
the project has already stay as they are, so that the command may be repeated.
Costs that were made from prices are made from today's. The server may run
meanwhile.

Usage: pulse import [--project NAME-OR-ID] FILE|-

`

// What one write of an import holds, and how long a line may be.
const (
	importSpans   = 1000
	importBytes   = 16 << 20
	importMaxLine = 1 << 30
	importFaults  = 20 // that are told one by one
)

// importTraces is the command "import".
func (c *command) importTraces(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("import", flag.ContinueOnError)
	project := flags.String("project", "", "name or id of the project; needed where there are several")
	var files []string
	for rest := args; ; { // flags may follow the file
		if err := c.parse(flags, importUsage, rest); err != nil {
			return err
		}
		if flags.NArg() == 0 {
			break
		}
		files, rest = append(files, flags.Arg(0)), flags.Args()[1:]
	}
	switch {
	case len(files) > 1:
		return usageError("import takes one file, not also " + printable(files[1]) + "; --help shows all")
	case len(files) == 0:
		return usageError("import takes one file, or - for standard input; --help shows all")
	}
	in := io.Reader(os.Stdin)
	if files[0] != "-" {
		file, err := os.Open(files[0])
		if err != nil {
			return fmt.Errorf("import: %w", err)
		}
		defer file.Close()
		in = file
	}
	cfg, log, st, err := c.openStored(ctx)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	prices, err := host.NewPrices(cfg, log, st)
	if err != nil {
		return err
	}
	id, err := projectNamed(ctx, st, *project)
	if err != nil {
		return err
	}
	i := &importing{store: prices.Over(st), project: id, faults: c.stderr, now: time.Now().UTC()}
	err = i.read(ctx, in)
	fmt.Fprintf(c.stdout, "%d spans of %d lines: %d stored, %d there already.\n", i.spans, i.lines, i.stored, i.spans-i.stored)
	switch {
	case err != nil:
		return fmt.Errorf("import: after line %d: %w", i.lines, err)
	case i.refused > 0:
		return fmt.Errorf("import: %d lines cannot be stored; the others are", i.refused)
	}
	return nil
}

// projectNamed finds a project by its id or name; the only one for "".
func projectNamed(ctx context.Context, st store.Store, name string) (account.ProjectID, error) {
	ids, err := st.Projects(ctx)
	if err != nil {
		return "", err
	}
	var found []account.ProjectID
	for _, id := range ids {
		p, err := st.Project(ctx, id)
		if err != nil {
			return "", err
		}
		if string(id) == name {
			return id, nil
		}
		if name == "" || p.Name == name {
			found = append(found, id)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0 && name == "":
		return "", errors.New("there is no project yet: sign up, or make a key with pulse keys create")
	case len(found) == 0:
		return "", usageError("there is no project with the name or id of --project")
	case name == "":
		return "", usageError(fmt.Sprintf("there are %d projects: say which with --project", len(found)))
	}
	return "", usageError(fmt.Sprintf("there are %d projects of this name: give the id, as %s", len(found), found[0]))
}

// importing is an import under way.
type importing struct {
	store   store.SpanWriter
	project account.ProjectID
	faults  io.Writer
	now     time.Time

	lines, refused int
	spans, stored  int
	pending        []trace.Span
	size           int // of pending
}

func (i *importing) read(ctx context.Context, in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, importMaxLine)
	for lines.Scan() {
		i.lines++
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		spans, err := ingestapi.DecodeLine(bytes.Clone(line), i.now) // which the spans keep
		if err != nil {
			if i.refused++; i.refused <= importFaults {
				fmt.Fprintf(i.faults, "line %d: %s\n", i.lines, faultText(err))
			}
			continue
		}
		i.pending, i.size = append(i.pending, spans...), i.size+len(line)
		if len(i.pending) >= importSpans || i.size >= importBytes {
			if err := i.flush(ctx); err != nil {
				return err
			}
		}
	}
	return errors.Join(lines.Err(), i.flush(ctx))
}

// flush stores what was read.
func (i *importing) flush(ctx context.Context) error {
	if len(i.pending) == 0 {
		return nil
	}
	out, err := i.store.WriteBatches(ctx, []store.Batch{store.Pack(i.project, i.now, i.pending)})
	if err != nil {
		return err
	}
	i.spans += len(i.pending)
	for _, fresh := range out[0].Inserted {
		if fresh {
			i.stored++
		}
	}
	i.pending, i.size = nil, 0
	return nil
}

// faultText says what is wrong with a line, and nothing of what it holds.
func faultText(err error) string {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || len(e.Issues) == 0 {
		return err.Error()
	}
	first := e.Issues[0]
	return fmt.Sprintf("%s: %s %s", e.Message, fmt.Sprint(first.Path), first.Message)
}
