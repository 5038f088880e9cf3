package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
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
	if refusesTLS(err) { // the driver's text would name the user
		return &fault.Error{Code: fault.Unavailable, Err: fmt.Errorf("%w: TLS as sslmode in DATABASE_URL asks for it cannot be had: "+
			"the server has none, or not the certificate that is expected", store.ErrRefused)}
	}
	if isConnectionError(err) {
		return &fault.Error{Code: fault.Unavailable, Err: err}
	}
	return &fault.Error{Code: fault.Internal, Err: err}
}

// refusesTLS reports whether every attempt to connect failed since the server
// has no TLS, or not the certificate that the URL demands.
func refusesTLS(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	switch e := err.(type) { //nolint:errorlint // the tree is walked: one attempt that failed otherwise may pass
	case interface{ Unwrap() []error }:
		all := e.Unwrap()
		for _, one := range all {
			if !refusesTLS(one) {
				return false
			}
		}
		return len(all) > 0
	case interface{ Unwrap() error }:
		return refusesTLS(e.Unwrap())
	}
	return err != nil && err.Error() == "server refused TLS connection" // pgconn has no type or code for it
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
	case "42501", "42P01", "3F000": // insufficient_privilege, undefined_table, invalid_schema_name
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

// advice says what somebody can do about a state that does not mend itself.
// refused: it is about DATABASE_URL, of which it tells nothing.
func advice(state string) (text string, refused bool) {
	switch state {
	case "42P01", "3F000":
		return "the schema is missing or older than this program: run migrate", false
	case "42501":
		return "the user of DATABASE_URL lacks a right", false
	case "28P01":
		return "the user or the password in DATABASE_URL is wrong", true
	case "3D000":
		return "the database that DATABASE_URL names does not exist", true
	}
	if len(state) == 5 && state[:2] == "28" {
		return "the server does not let in the user of DATABASE_URL: there is none, it may not come from here, or only with TLS (sslmode)", true
	}
	return "", false
}

// sqlError is a server's error without its text, which may quote what a client
// sent.
type sqlError struct{ state, severity, table, constraint string }

func withoutValues(pg *pgconn.PgError) error {
	return &sqlError{state: pg.Code, severity: pg.Severity, table: pg.TableName, constraint: pg.ConstraintName}
}

// Is makes an error of the right kind store.ErrRefused.
func (e *sqlError) Is(target error) bool {
	_, refused := advice(e.state)
	return refused && target == store.ErrRefused
}

func (e *sqlError) Error() string {
	msg := "postgres " + e.severity + " " + e.state
	if e.table != "" {
		msg += " table " + e.table
	}
	if e.constraint != "" {
		msg += " constraint " + e.constraint
	}
	if text, refused := advice(e.state); refused {
		msg += ": " + store.ErrRefused.Error() + ": " + text
	} else if text != "" {
		msg += ": " + text
	}
	return msg
}
