package filewal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/logging"
	"github.com/pulse-traces/pulse/shared/wal"
)

const letterSuffix = ".json"

// letterID is what an id looks like: partition, sequence and checksum of the
// body, so that a record that is buried twice leaves one letter.
var letterID = regexp.MustCompile(`^p[0-9]{2,9}-[0-9]{16,20}-[0-9a-f]{8}$`)

// letter is the file of a dead letter.
type letter struct {
	ID        string    `json:"id"`
	Partition int       `json:"partition"`
	Reason    string    `json:"reason"`
	FailedAt  time.Time `json:"failedAt"`
	Attempts  int       `json:"attempts"`
	// Damaged: Data is what was left on disk of one or more records.
	Damaged bool   `json:"damaged,omitempty"`
	Data    []byte `json:"data"` // base64
}

func (f letter) deadLetter() wal.DeadLetter {
	return wal.DeadLetter{ID: f.ID, Reason: f.Reason, FailedAt: f.FailedAt, Attempts: f.Attempts, Size: len(f.Data), Data: f.Data, Damaged: f.Damaged}
}

// deadLetters is the folder of dead letters, and the one in which they wait for
// the appending process to append them again.
type deadLetters struct {
	log            *Log
	dir, replayDir string
}

func (d *deadLetters) path(id string) string { return filepath.Join(d.dir, id+letterSuffix) }
func (d *deadLetters) replayPath(id string) string {
	return filepath.Join(d.replayDir, id+letterSuffix)
}

// write makes a dead letter durable.
func (d *deadLetters) write(f letter) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return replaceFile(d.path(f.ID), b, true)
}

func readLetter(path string) (letter, error) {
	var f letter
	b, err := os.ReadFile(path)
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return f, fault.New(fault.Invalid, "the dead letter's file is not readable") // the cause might quote data
	}
	return f, nil
}

// listLetters gives the ids of a folder's letters, in no order; none if there is
// no such folder, as where a process that makes nothing looks.
func listLetters(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	ids := names[:0]
	for _, name := range names {
		if id, ok := strings.CutSuffix(name, letterSuffix); ok && letterID.MatchString(id) {
			ids = append(ids, id)
		}
	}
	return ids, err
}

func (d *deadLetters) count() int64 {
	ids, _ := listLetters(d.dir)
	return int64(len(ids))
}

// List implements wal.DeadLetters. A letter that cannot be read is listed with
// that as its reason.
func (d *deadLetters) List(ctx context.Context, limit int) ([]wal.DeadLetter, error) {
	ids, err := listLetters(d.dir)
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	// By the files' times, so that only those that are shown are read.
	type dated struct {
		id string
		at time.Time
	}
	var all []dated
	for _, id := range ids {
		if info, err := os.Stat(d.path(id)); err == nil {
			all = append(all, dated{id, info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b dated) int {
		return cmp.Or(a.at.Compare(b.at), strings.Compare(a.id, b.id))
	})
	list := []wal.DeadLetter{}
	for _, a := range all {
		if len(list) >= limit {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f, err := readLetter(d.path(a.id))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			f = letter{Reason: err.Error(), FailedAt: a.at.UTC()}
		}
		f.ID = a.id
		l := f.deadLetter()
		l.Data, l.Damaged = nil, false
		list = append(list, l)
	}
	return list, nil
}

// Get implements wal.DeadLetters.
func (d *deadLetters) Get(_ context.Context, id string) (wal.DeadLetter, error) {
	f, err := d.get(id)
	return f.deadLetter(), err
}

func (d *deadLetters) get(id string) (letter, error) {
	if !letterID.MatchString(id) {
		return letter{}, errNoLetter()
	}
	f, err := readLetter(d.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return letter{}, errNoLetter()
	}
	return f, err
}

// Replay implements wal.DeadLetters. In a process that does not append, it hands
// the letter to the one that does, which appends it within about a second, or
// when it is started. It gives fault.Invalid for what is left of a damaged
// record.
func (d *deadLetters) Replay(ctx context.Context, id string) error {
	f, err := d.get(id)
	if err != nil {
		return err
	}
	if f.Damaged {
		return fault.New(fault.Invalid, "the remains of a damaged record cannot be replayed")
	}
	if !d.log.opts.Role.appends() {
		return moveFile(d.path(id), d.replayPath(id))
	}
	return d.appendAgain(ctx, d.path(id), f)
}

// Discard implements wal.DeadLetters.
func (d *deadLetters) Discard(_ context.Context, id string) error {
	if !letterID.MatchString(id) {
		return errNoLetter()
	}
	err := os.Remove(d.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return errNoLetter()
	}
	if err != nil {
		return fmt.Errorf("remove dead letter: %w", err)
	}
	return syncDir(d.dir)
}

// appendAgain appends a letter's record and removes its file.
func (d *deadLetters) appendAgain(ctx context.Context, path string, f letter) error {
	record := wal.Record{Partition: f.Partition % d.log.opts.Partitions, Data: f.Data}
	if err := d.log.Append(ctx, []wal.Record{record}); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove replayed dead letter: %w", err)
	}
	return nil
}

// moveFile moves a file to another folder so that it survives a power failure
// in one of the two.
func moveFile(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return errNoLetter()
		}
		return fmt.Errorf("move dead letter: %w", err)
	}
	return errors.Join(syncDir(filepath.Dir(to)), syncDir(filepath.Dir(from)))
}

// replayLoop appends what other processes hand over, until the log closes.
func (l *Log) replayLoop() {
	ctx := context.Background() // no request's: what Close still accepts is awaited
	ticker := time.NewTicker(replayInterval)
	defer ticker.Stop()
	for {
		l.dead.appendHandedOver(ctx)
		select {
		case <-ticker.C:
		case <-l.life.Closed():
			return
		}
	}
}

func (d *deadLetters) appendHandedOver(ctx context.Context) {
	ids, err := listLetters(d.replayDir)
	if err != nil {
		d.log.opts.Logger.Warn("list dead letters to replay", logging.KeyError, err)
		return
	}
	slices.Sort(ids)
	for _, id := range ids {
		f, err := readLetter(d.replayPath(id))
		if err == nil {
			err = d.appendAgain(ctx, d.replayPath(id), f)
		}
		switch {
		case err == nil:
			d.log.opts.Logger.Info("dead letter replayed", logging.KeyDeadLetter, id)
		case fault.Transient(err):
			return // the disk is full or the log closes: the next pass tries again
		default:
			d.log.opts.Logger.Error("dead letter cannot be replayed", logging.KeyDeadLetter, id, logging.KeyError, err)
			if err := moveFile(d.replayPath(id), d.path(id)); err != nil {
				d.log.opts.Logger.Error("give back a dead letter", logging.KeyDeadLetter, id, logging.KeyError, err)
			}
		}
	}
}

func errNoLetter() error { return fault.New(fault.NotFound, "there is no such dead letter") }
