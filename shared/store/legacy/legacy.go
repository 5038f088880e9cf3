// Package legacy takes over what the earlier service left in its database. That
// service had two generations (G1 and G2), each on SQLite and on Postgres:
//
//   - G1 keeps model calls in a table traces and agent events in a table spans;
//     its table sessions only repeats the session ids of the traces.
//   - G2 keeps everything in spans, with ten columns more. Its migrations drop
//     traces and sessions; its built-in table creation leaves them, and forgets
//     the column service.
//
// So any mixture of tables and columns may be found. An engine renames what it
// finds to names that begin with "legacy_", makes today's tables, and then Move
// empties the old ones step by step: each step writes some rows through the
// engine's usual way of writing spans and deletes them from the old table in the
// same transaction. Whenever it is killed, each row is either still there or
// moved, and Move goes on from that.
//
// The package holds what both engines do alike: what a row means, what becomes
// of a row that breaks today's limits, and the loop. SQL is the engines'.
package legacy

import (
	"context"
	"fmt"
	"strconv"
)

// Table is a table of the earlier service, by the name that it gave it.
type Table string

// The tables whose names today's schema uses, with another layout.
const (
	Traces   Table = "traces"
	Spans    Table = "spans"
	Sessions Table = "sessions" // holds nothing that traces do not tell; dropped
)

// Tables lists them in an order in which they can be dropped: traces refers to
// sessions.
func Tables() []Table { return []Table{Traces, Spans, Sessions} }

// Aside is the name that t has from the first moment of an upgrade until it is
// empty and dropped.
func (t Table) Aside() string { return "legacy_" + string(t) }

// Kept is the name of the table for rows of t that could not be moved, or not
// without a change: whole, as they were, with a column reason. It is made when
// the first such row is met and never dropped by Pulse.
func (t Table) Kept() string { return "legacy_kept_" + string(t) }

// Limits bound a step.
type Limits struct {
	Rows  int // at least 1
	Bytes int // a step ends with the row that passes it
}

// DefaultLimits make steps that are large enough for the cost of a transaction
// to vanish, and small enough that memory stays low and progress is seen.
func DefaultLimits() Limits { return Limits{Rows: 2000, Bytes: 16 << 20} }

// Step says what a step did.
type Step struct {
	Taken int64 // rows that left the old table
	Kept  int64 // of these, rows that are in the table of kept rows
}

// Engine is what a storage engine does for Move.
type Engine interface {
	// CountLegacy gives the number of rows of t.Aside(), and false if there is
	// no such table.
	CountLegacy(ctx context.Context, t Table) (int64, bool, error)
	// MoveLegacy takes the next rows out of t.Aside(), writes what NewPlan makes
	// of them and puts those that Plan.Kept names into t.Kept(), all in one
	// transaction. It takes none only at the end of the table.
	MoveLegacy(ctx context.Context, t Table, limits Limits) (Step, error)
	// DropLegacy drops t.Aside().
	DropLegacy(ctx context.Context, t Table) error
}

// progressEvery is after how many rows a line tells how far a move is: a few
// seconds' work.
const progressEvery = 20_000

// Move empties and drops the tables that were set aside, if there are any. It
// may be killed and called again at any time. progress gets lines for a person.
func Move(ctx context.Context, e Engine, limits Limits, progress func(string)) error {
	for _, t := range Tables() {
		if err := move(ctx, e, t, limits, progress); err != nil {
			return fmt.Errorf("move %s of the earlier service: %w", t, err)
		}
	}
	return nil
}

func move(ctx context.Context, e Engine, t Table, limits Limits, progress func(string)) error {
	total, found, err := e.CountLegacy(ctx, t)
	if err != nil || !found {
		return err
	}
	if t != Sessions && total > 0 {
		if err := moveRows(ctx, e, t, total, limits, progress); err != nil {
			return err
		}
	}
	return e.DropLegacy(ctx, t)
}

func moveRows(ctx context.Context, e Engine, t Table, total int64, limits Limits, progress func(string)) error {
	progress(fmt.Sprintf("moving %s %s of the earlier service", thousands(total), t))
	var moved, kept, told int64
	for {
		step, err := e.MoveLegacy(ctx, t, limits)
		if err != nil {
			return err
		}
		moved, kept = moved+step.Taken, kept+step.Kept
		if step.Taken == 0 {
			break
		}
		if moved-told >= progressEvery && moved < total {
			progress(fmt.Sprintf("moved %s of %s %s", thousands(moved), thousands(total), t))
			told = moved
		}
	}
	progress(fmt.Sprintf("moved all %s %s", thousands(moved), t))
	if kept > 0 {
		progress(fmt.Sprintf("%s of them do not fit today's limits: they are kept as they were in table %s, whose column reason says what became of each",
			thousands(kept), t.Kept()))
	}
	return nil
}

// thousands writes n as people read it: 3,400,000.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
