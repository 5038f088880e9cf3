package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store/legacy"
)

const (
	copySuffix = ".before-upgrade-" // and the UTC time
	// partialSuffix marks a copy that is not whole: the program was killed while
	// it made it.
	partialSuffix = ".partial"
	// upgradeHeadroomBytes is what an upgrade needs beside the copy: the log of
	// its transactions, and pages that are written before old ones are free.
	upgradeHeadroomBytes = 64 << 20
)

// keepCopy puts a copy of an earlier service's database beside it, readable by
// the owner only, before anything of it changes. It does nothing once the
// upgrade has begun, nor to a database that is new or ours.
func (db *DB) keepCopy(ctx context.Context, progress func(string)) error {
	untouched := false
	for _, t := range legacy.Tables() {
		found, err := isLegacy(ctx, db.w, t)
		if err != nil {
			return err
		}
		untouched = untouched || found
	}
	if !untouched {
		return nil
	}
	var path string
	if err := db.w.QueryRowContext(ctx, `SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(&path); err != nil {
		return toFault("find the database's file", err)
	}
	if err := removePartialCopies(path); err != nil {
		return fault.Wrap(fault.Unavailable, "", err)
	}
	if err := checkFree(path); err != nil {
		return err
	}
	target := path + copySuffix + time.Now().UTC().Format("20060102T150405Z")
	progress("found a database of the earlier service; copying it to " + target)
	if err := db.copyTo(ctx, target+partialSuffix); err != nil {
		return errors.Join(err, os.Remove(target+partialSuffix))
	}
	if err := os.Rename(target+partialSuffix, target); err != nil {
		return fault.Wrap(fault.Unavailable, "", err)
	}
	return syncPath(filepath.Dir(target))
}

// copyTo writes the database as it is to a new file and makes it durable.
func (db *DB) copyTo(ctx context.Context, target string) error {
	// VACUUM INTO takes an empty file; made here, it is nobody else's to read.
	f, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fault.Wrap(fault.Unavailable, "", err)
	}
	if err := f.Close(); err != nil {
		return fault.Wrap(fault.Unavailable, "", err)
	}
	if _, err := db.w.ExecContext(ctx, `VACUUM INTO ?`, target); err != nil {
		return toFault("copy the database", err)
	}
	return syncPath(target)
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fault.Wrap(fault.Unavailable, "", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fault.Wrap(fault.Unavailable, "", fmt.Errorf("sync %s: %w", path, err))
	}
	return nil
}

func removePartialCopies(path string) error {
	dir, base := filepath.Split(path)
	entries, err := os.ReadDir(filepath.Clean(dir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), base+copySuffix) && strings.HasSuffix(e.Name(), partialSuffix) {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkFree refuses to begin what the disk cannot hold.
func checkFree(path string) error {
	var size int64
	for _, file := range []string{path, path + "-wal"} {
		info, err := os.Stat(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fault.Wrap(fault.Unavailable, "", err)
		}
		size += info.Size()
	}
	free, err := freeBytes(filepath.Dir(path))
	if err != nil {
		return fault.Wrap(fault.Unavailable, "", fmt.Errorf("ask for free space: %w", err))
	}
	return enoughFree(free, size)
}

// enoughFree compares what is free with what a database of size bytes needs.
func enoughFree(free uint64, size int64) error {
	need := uint64(size) + upgradeHeadroomBytes
	if free >= need {
		return nil
	}
	return fault.Newf(fault.Unavailable,
		"Upgrading the earlier service's database needs %d MB free beside it, for a copy that is kept; %d MB are. Nothing was changed.",
		need>>20, free>>20)
}
