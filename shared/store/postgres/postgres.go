// Package postgres stores everything in PostgreSQL 15 or newer. It holds SQL
// and nothing of its own to decide: the arithmetic that both engines share is
// in store/fold.
//
// It works behind poolers that hand out a connection per transaction: it
// prepares no named statements, sets nothing for a session and takes locks
// within transactions only. Text that decides an order or is compared is
// declared or queried with COLLATE "C" (bytewise), so that the database's own
// collation never shows.
package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
)

const (
	// connectTimeout bounds one attempt to connect where the URL names no
	// connect_timeout: long enough for TLS to another zone, short enough for a
	// request to be answered 503 in time.
	connectTimeout = 4 * time.Second
	// rollbackTimeout bounds the rollback of a transaction whose context ended.
	rollbackTimeout = 5 * time.Second
)

// Options tune a DB. The zero value is usable.
type Options struct {
	MaxConns int // connections in the pool; 0: what the URL says (pool_max_conns), else pgx's default
}

// DB is a store.Store on PostgreSQL. It may be used by many goroutines.
type DB struct {
	pool *pgxpool.Pool
	// days holds the UTC days whose payload partition is known to be there.
	days sync.Map // of string "2006-01-02" to struct{}
}

var _ store.Store = (*DB)(nil)

// Open prepares a pool for url; it connects only when the first call needs it,
// so that a down database does not keep a program from starting.
//
// Parameters are encoded by descriptions that a connection caches
// (QueryExecModeCacheDescribe), which transaction poolers can bear; a
// default_query_exec_mode in the URL overrides this. The error never holds the
// URL's password.
func Open(ctx context.Context, url string, o Options) (*DB, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "the database URL cannot be read", err)
	}
	if !strings.Contains(url, "default_query_exec_mode") {
		config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	if !strings.Contains(url, "connect_timeout") {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	config.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		// Else times come in the zone of the machine.
		conn.TypeMap().RegisterType(&pgtype.Type{
			Name: "timestamptz", OID: pgtype.TimestamptzOID,
			Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
		})
		return nil
	}
	if o.MaxConns > 0 {
		config.MaxConns = int32(min(o.MaxConns, 10_000))
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("make the connection pool: %w", faultOf(err))
	}
	return &DB{pool: pool}, nil
}

// Close waits for the calls that run and ends all connections.
func (db *DB) Close() error {
	db.pool.Close()
	return nil
}

// Ping answers nil if the database can be read and its schema is there.
func (db *DB) Ping(ctx context.Context) error {
	return execute(ctx, db.pool, `SELECT EXISTS (SELECT FROM projects)`)
}

// inTx runs fn in one transaction (READ COMMITTED), which is committed if fn
// returns nil. Within fn only tx may be used. Errors are faults.
func (db *DB) inTx(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return db.inTxWith(ctx, pgx.TxOptions{}, fn)
}

// inSnapshot is inTx for reads of several statements that must see one state.
func (db *DB) inSnapshot(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return db.inTxWith(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, fn)
}

func (db *DB) inTxWith(ctx context.Context, options pgx.TxOptions, fn func(tx pgx.Tx) error) error {
	tx, err := db.pool.BeginTx(ctx, options)
	if err != nil {
		return faultOf(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_ = tx.Rollback(ctx) // after a commit it does nothing; failing, it closes the connection, which rolls back too
	}()
	if err := fn(tx); err != nil {
		return faultOf(err)
	}
	return faultOf(tx.Commit(ctx))
}

// querier is what a pool and a transaction have in common.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// collect runs a query and scans every row of its answer.
func collect[T any](ctx context.Context, q querier, scan pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, faultOf(err)
	}
	out, err := pgx.CollectRows(rows, scan)
	return out, faultOf(err)
}

// each runs a query and gives every row of its answer to do, one at a time.
func each[T any](ctx context.Context, q querier, scan pgx.RowToFunc[T], do func(T) error, sql string, args ...any) error {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return faultOf(err)
	}
	defer rows.Close()
	for rows.Next() {
		v, err := scan(rows)
		if err == nil {
			err = do(v)
		}
		if err != nil {
			return faultOf(err)
		}
	}
	return faultOf(rows.Err())
}

// collectOne is collect for the first row: NotFound if there is none.
func collectOne[T any](ctx context.Context, q querier, scan pgx.RowToFunc[T], sql string, args ...any) (T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		var zero T
		return zero, faultOf(err)
	}
	out, err := pgx.CollectOneRow(rows, scan)
	return out, faultOf(err)
}
