package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/pulse-traces/pulse/shared/fault"
)

// toFault turns an engine's error into a fault by its code. what says what was
// being done, for the log. nil, faults and the context's errors pass.
func toFault(what string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	wrapped := fmt.Errorf("%s: %w", what, err)
	if errors.Is(err, sql.ErrNoRows) {
		return fault.Wrap(fault.NotFound, "", wrapped)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fault.Wrap(fault.Unavailable, "", wrapped)
	}
	e, ok := errors.AsType[*driver.Error](err)
	if !ok {
		return wrapped
	}
	switch e.Code() {
	case lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY:
		return fault.Wrap(fault.Conflict, "", wrapped)
	case lib.SQLITE_CONSTRAINT_FOREIGNKEY, lib.SQLITE_CONSTRAINT_NOTNULL, lib.SQLITE_CONSTRAINT_CHECK:
		return fault.Wrap(fault.Invalid, "", wrapped)
	}
	switch e.Code() & 0xff { // the primary code
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_FULL, lib.SQLITE_IOERR, lib.SQLITE_CANTOPEN, lib.SQLITE_READONLY,
		lib.SQLITE_NOMEM, lib.SQLITE_INTERRUPT, lib.SQLITE_PROTOCOL:
		return fault.Wrap(fault.Unavailable, "", wrapped)
	case lib.SQLITE_TOOBIG:
		return fault.Wrap(fault.Invalid, "", wrapped)
	}
	return wrapped
}

// damaged tells a person what to do where the file at path cannot be read as a
// database; other errors, and nil, pass.
func damaged(path string, err error) error {
	e, ok := errors.AsType[*driver.Error](err)
	if !ok {
		return err
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_NOTADB, lib.SQLITE_CORRUPT:
		return fmt.Errorf("%s is damaged, or no database of SQLite: restore a copy of it, or move it away, with its -wal and -shm, to begin with an empty one: %w", path, e)
	}
	return err
}
