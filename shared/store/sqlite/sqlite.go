// Package sqlite is the storage engine of single mode: one file, one writer,
// many readers, no server. It holds SQL and nothing else; what the numbers mean
// is in the packages trace and fold, and the contract is in package store.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite", pure Go

	"github.com/pulse-traces/pulse/shared/store"
)

var _ store.Store = (*DB)(nil)

const (
	busyTimeout = 5 * time.Second
	// writeCacheKiB holds the hot pages of the indexes with random keys; more
	// of them means fewer pages read and spilt per transaction.
	writeCacheKiB = 16 << 10
	readCacheKiB  = 2 << 10
	// mmapBytes lets readers share the system's page cache instead of copying: the
	// most that SQLite maps.
	mmapBytes = 2047 << 20
	// maxReaders bounds concurrent queries; each holds a cache of its own.
	maxReaders     = 4
	readerIdleTime = time.Minute
	// checkpointPages is how many pages the log grows to before they are moved
	// into the file: 128 MB. Most pages of a write belong to indexes with random
	// keys; the more transactions share a checkpoint, the more of those are
	// moved once for several changes (a fifth fewer bytes than with 32 MB).
	checkpointPages = 32 << 10
)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	path string
	w    *sql.DB // one connection, BEGIN IMMEDIATE
	r    *sql.DB // query_only

	bulk struct {
		mu sync.Mutex
		bulks
	}
}

// Open opens the database at path and makes the file if there is none; the
// directory must exist. Call Migrate before anything else. Unavailable if the
// file cannot be opened.
func Open(ctx context.Context, path string) (*DB, error) {
	// synchronous=FULL: the log of the drain is given up after a commit, so a
	// commit must survive a power cut.
	write := dsn(path, "immediate",
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "journal_mode(WAL)", "foreign_keys(1)", "synchronous(FULL)",
		fmt.Sprintf("cache_size(-%d)", writeCacheKiB), fmt.Sprintf("wal_autocheckpoint(%d)", checkpointPages), "temp_store(MEMORY)")
	read := dsn(path, "deferred",
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "query_only(1)",
		fmt.Sprintf("cache_size(-%d)", readCacheKiB), fmt.Sprintf("mmap_size(%d)", mmapBytes), "temp_store(MEMORY)")
	w, err := sql.Open("sqlite", write)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	w.SetMaxOpenConns(1)
	w.SetMaxIdleConns(1)
	if err := w.PingContext(ctx); err != nil {
		return nil, errors.Join(damaged(path, toFault("open database "+path, err)), w.Close())
	}
	r, err := sql.Open("sqlite", read)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), w.Close())
	}
	r.SetMaxOpenConns(maxReaders)
	r.SetMaxIdleConns(maxReaders)
	r.SetConnMaxIdleTime(readerIdleTime)
	return &DB{path: path, w: w, r: r}, nil
}

func dsn(path, txlock string, pragmas ...string) string {
	q := url.Values{"_txlock": {txlock}, "_pragma": pragmas}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// Close ends all connections. What was written stays written.
func (db *DB) Close() error { return errors.Join(db.r.Close(), db.w.Close()) }

// Ping answers nil if the database can be read and its schema is there.
func (db *DB) Ping(ctx context.Context) error {
	var one int
	err := db.r.QueryRowContext(ctx, `SELECT 1 FROM projects UNION ALL SELECT 1 LIMIT 1`).Scan(&one)
	return toFault("ping", err)
}

// inTx runs fn in a write transaction: commits if it answers nil, else undoes
// all of it. fn uses tx only: there is one write connection, and asking for
// another waits for ever.
func (db *DB) inTx(ctx context.Context, fn func(tx *sql.Tx) error) error {
	t, err := db.w.BeginTx(ctx, nil)
	if err != nil {
		return toFault("begin", err)
	}
	if err := fn(t); err != nil {
		return errors.Join(err, ignoreDone(t.Rollback()))
	}
	return toFault("commit", t.Commit())
}

// ignoreDone drops the error of rolling back what an ended context has already
// rolled back.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// inRead runs fn on one snapshot.
func (db *DB) inRead(ctx context.Context, fn func(q querier) error) error {
	return db.inReadTx(ctx, func(tx *sql.Tx) error { return fn(tx) })
}

// inReadTx is inRead for what also writes.
func (db *DB) inReadTx(ctx context.Context, fn func(tx *sql.Tx) error) error {
	t, err := db.r.BeginTx(ctx, nil)
	if err != nil {
		return toFault("begin", err)
	}
	defer t.Rollback() // a read has nothing to lose
	return fn(t)
}

// querier is a connection, pool or transaction that reads.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// query runs a query and calls scan for each row.
func query(ctx context.Context, q querier, what string, scan func(*sql.Rows) error, text string, args ...any) error {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return toFault(what, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return toFault(what, err)
		}
	}
	return toFault(what, rows.Err())
}
