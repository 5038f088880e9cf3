package postgres

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"github.com/pulse-traces/pulse/shared/fault"
)

// faultOf turns whatever pgx returns into the vocabulary of faults, by SQLSTATE
// and type. Faults pass unchanged; nil stays nil.
func faultOf(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return &fault.Error{Code: codeOfSQLState(pg.Code), Err: withoutValues(pg)}
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return &fault.Error{Code: fault.NotFound, Err: err}
	}
	if isConnectionError(err) {
		return &fault.Error{Code: fault.Unavailable, Err: err}
	}
	return &fault.Error{Code: fault.Internal, Err: err}
}

// isConnectionError reports whether err, which is no answer of the server,
// comes from the way to it or from the caller's deadline.
func isConnectionError(err error) bool {
	if pgconn.SafeToRetry(err) || pgconn.Timeout(err) {
		return true
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	for _, target := range []error{
		context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
		puddle.ErrClosedPool, pgx.ErrTxCommitRollback,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// noPartition is check_violation. The schema has no checks, so it says that a
// payload's day has no partition.
const noPartition = "23514"

// codeOfSQLState reads an SQLSTATE: its first two characters are its class.
// https://www.postgresql.org/docs/15/errcodes-appendix.html
func codeOfSQLState(state string) fault.Code {
	switch state {
	case "23505": // unique_violation
		return fault.Conflict
	case "42501", "42P01": // insufficient_privilege, undefined_table
		// What an operator or a migration mends, not what the record says.
		return fault.Unavailable
	case noPartition:
		// Retention dropped it; the next attempt makes it anew.
		return fault.Unavailable
	}
	if len(state) != 5 {
		return fault.Internal
	}
	switch state[:2] {
	case "08", // connection exceptions
		"25", // read-only transaction: connected to a replica after a failover
		"28", // the password was changed
		"3D", // no such database
		"40", // serialization failure, deadlock
		"53", // disk full, out of memory, too many connections
		"55", // lock not available, object in use
		"57", // administrator's shutdown, query cancelled, starting up
		"58": // input or output of the server failed
		return fault.Unavailable
	case "22", // data exceptions: a number out of range, a NUL in text
		"23", // integrity constraints but the unique ones
		"54": // program limits: an index entry too long
		return fault.Invalid
	}
	return fault.Internal
}

// sqlError is a server's error without its text, which may quote what a client
// sent.
type sqlError struct{ state, severity, table, constraint string }

func withoutValues(pg *pgconn.PgError) error {
	return &sqlError{state: pg.Code, severity: pg.Severity, table: pg.TableName, constraint: pg.ConstraintName}
}

func (e *sqlError) Error() string {
	msg := "postgres " + e.severity + " " + e.state
	if e.table != "" {
		msg += " table " + e.table
	}
	if e.constraint != "" {
		msg += " constraint " + e.constraint
	}
	return msg
}
