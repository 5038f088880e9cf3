package filewal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/wal"
)

const (
	// MaxRecordBytes is the largest body that Append takes.
	MaxRecordBytes = 64 << 20
	// maxPendingBytes bounds what waits in memory for a slow disk, per partition.
	maxPendingBytes = 64 << 20
	// idleBufferBytes is the most that a buffer keeps while it is not needed: the
	// records of a few busy clients, so that steady load allocates nothing.
	idleBufferBytes = 512 << 10
	// replayInterval is how often the appending process looks for dead letters
	// that another process handed over.
	replayInterval = time.Second
	// rescanInterval is how often a consuming process looks for directories that
	// an appending process with more partitions has made.
	rescanInterval = time.Second
)

// Role says what a process does with a log directory. Each role but Inspect is
// held by one process at a time.
type Role int

// The roles.
const (
	RoleAll     Role = iota // appends and consumes
	RoleAppend              // appends; another process consumes
	RoleConsume             // consumes what another process appends
	RoleInspect             // reads and replays dead letters only, beside any other process
)

func (r Role) appends() bool  { return r == RoleAll || r == RoleAppend }
func (r Role) consumes() bool { return r == RoleAll || r == RoleConsume }

// Options say where a log is and who uses it. Dir and Logger must be set.
type Options struct {
	Dir        string // made if it is missing
	Partitions int    // at least 1, which 0 means too
	Role       Role
	// SegmentBytes is the size from which on a segment is closed and the next
	// append begins a new one; 0 means 16 MiB. Disk space is given back by the
	// segment.
	SegmentBytes int64
	// BatchRecords and BatchBytes bound what one call of the handler gets; 0
	// means 512 records and 8 MiB. A larger record comes alone.
	BatchRecords int
	BatchBytes   int
	Logger       *slog.Logger
	Now          func() time.Time // stamps dead letters; nil means time.Now
}

// Log is a wal.Log in a directory.
type Log struct {
	opts        Options
	mark        mark
	dead        *deadLetters
	appendLock  *os.File
	consumeLock *os.File
	// syncFunc makes a segment's data durable.
	syncFunc func(*os.File) error

	life    *wal.Lifetime
	workers sync.WaitGroup

	mu    sync.Mutex
	parts []*partition // ordered by index
}

var _ wal.Ordered = (*Log)(nil)

// Open opens or makes a log. It gives fault.Conflict if another process holds
// the same role in the directory. It reads the last segment of each partition.
func Open(o Options) (_ *Log, err error) {
	o.Partitions = max(o.Partitions, 1)
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = 16 << 20
	}
	if o.BatchRecords <= 0 {
		o.BatchRecords = 512
	}
	if o.BatchBytes <= 0 {
		o.BatchBytes = 8 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	l := &Log{opts: o, life: wal.NewLifetime(), syncFunc: (*os.File).Sync}
	rand.Read(l.mark[:])
	l.dead = &deadLetters{log: l, dir: filepath.Join(o.Dir, "dead-letter"), replayDir: filepath.Join(o.Dir, "replay")}
	dirs := []string{o.Dir, l.dead.dir, l.dead.replayDir}
	if o.Role == RoleInspect {
		dirs = nil // a look makes nothing
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("open log: %w", err)
		}
	}
	defer func() {
		if err != nil {
			l.releaseLocks()
		}
	}()
	if o.Role.appends() {
		if l.appendLock, err = lockRole(o.Dir, "append"); err != nil {
			return nil, err
		}
	}
	if o.Role.consumes() {
		if l.consumeLock, err = lockRole(o.Dir, "consume"); err != nil {
			return nil, err
		}
	}
	if err := l.openPartitions(); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	if o.Role.appends() {
		for _, p := range l.parts[:o.Partitions] {
			l.workers.Go(p.commitLoop)
		}
		l.workers.Go(l.replayLoop)
	}
	return l, nil
}

// openPartitions makes this log's directories and opens them and every other
// one that an earlier number of partitions left.
func (l *Log) openPartitions() error {
	if l.opts.Role == RoleInspect {
		return nil
	}
	for i := range l.opts.Partitions {
		if err := os.MkdirAll(partitionDir(l.opts.Dir, i), 0o700); err != nil {
			return err
		}
	}
	if err := syncDir(l.opts.Dir); err != nil {
		return err
	}
	_, err := l.findPartitions()
	return err
}

// findPartitions opens the partitions on disk that are not open yet.
func (l *Log) findPartitions() (found []*partition, err error) {
	entries, err := os.ReadDir(l.opts.Dir)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), "p")
		n, err := strconv.Atoi(digits)
		if !e.IsDir() || !ok || err != nil || n < 1 || partitionDir(l.opts.Dir, n-1) != filepath.Join(l.opts.Dir, e.Name()) ||
			slices.ContainsFunc(l.parts, func(p *partition) bool { return p.index == n-1 }) {
			continue
		}
		p, err := openPartition(l, n-1)
		if err != nil {
			return nil, err
		}
		found = append(found, p)
		l.parts = append(l.parts, p)
	}
	slices.SortFunc(l.parts, func(a, b *partition) int { return a.index - b.index })
	return found, nil
}

func partitionDir(dir string, index int) string {
	return filepath.Join(dir, fmt.Sprintf("p%02d", index+1))
}

func (l *Log) partitions() []*partition {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.parts)
}

// Partitions is the number that Append spreads over.
func (l *Log) Partitions() int { return l.opts.Partitions }

// Append implements wal.Log. Calls that come while an fsync runs share the next
// one. When ctx ends first, the records may still become durable.
func (l *Log) Append(ctx context.Context, records []wal.Record) error {
	if !l.opts.Role.appends() {
		return fault.New(fault.Internal, "this process does not append to the log")
	}
	for _, r := range records {
		if r.Partition < 0 || r.Partition >= l.opts.Partitions {
			return fault.Newf(fault.Internal, "there is no partition %d of %d", r.Partition, l.opts.Partitions)
		}
		if len(r.Data) > MaxRecordBytes {
			return fault.Newf(fault.TooLarge, "a record of %d bytes passes the limit of %d", len(r.Data), MaxRecordBytes)
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// All partitions are told before the first is waited for: their fsyncs run
	// side by side.
	var waits []chan error
	var errs []error
	for _, p := range l.parts[:l.opts.Partitions] {
		if !slices.ContainsFunc(records, func(r wal.Record) bool { return r.Partition == p.index }) {
			continue
		}
		done, err := p.enqueue(records)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		waits = append(waits, done)
	}
	for _, done := range waits {
		select {
		case err := <-done:
			if err != nil {
				errs = append(errs, err)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.Join(errs...)
}

// Barrier implements wal.Ordered. Where another process consumes it reads the
// cursors until they have passed. It gives fault.Unavailable if the log is
// closed meanwhile.
func (l *Log) Barrier(ctx context.Context) error {
	parts := l.partitions()
	ends := make([]uint64, len(parts))
	for i, p := range parts {
		end, err := p.end()
		if err != nil {
			return err
		}
		ends[i] = end
	}
	for i, p := range parts {
		if err := p.waitAcked(ctx, ends[i]); err != nil {
			return err
		}
	}
	return nil
}

// MaxRecordBytes implements wal.Log.
func (l *Log) MaxRecordBytes() int { return MaxRecordBytes }

// Ping implements wal.Log: it fails while the directory takes no file, as on a
// full disk. A process that only looks does not try.
func (l *Log) Ping(context.Context) error {
	if l.opts.Role == RoleInspect {
		return nil
	}
	f, err := os.CreateTemp(l.opts.Dir, "ready-")
	if err == nil {
		_, err = f.WriteString("ready")
		err = errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	if err != nil {
		if noSpace(err) && l.opts.Role == RoleAppend {
			for _, p := range l.parts[:l.opts.Partitions] {
				p.makeRoom()
			}
		}
		return fault.Wrap(fault.Unavailable, "the log takes no files", err)
	}
	return nil
}

// Stats implements wal.Log; it asks nothing but memory, and never fails. In a
// process that only consumes, Pending and PendingAge cover what it has read so
// far.
func (l *Log) Stats(context.Context) (wal.Stats, error) {
	s := wal.Stats{DeadLetters: l.dead.count()}
	for _, p := range l.partitions() {
		p.addStats(&s)
	}
	return s, nil
}

// DeadLetters implements wal.Log.
func (l *Log) DeadLetters() wal.DeadLetters { return l.dead }

// Close implements wal.Log: appends that were accepted are made durable, then
// Consume is ended as if its context had ended, and waited for. A handler MUST
// NOT call it. Closing twice is harmless.
func (l *Log) Close() error {
	if !l.life.Close() {
		return nil
	}
	for _, p := range l.partitions() {
		p.close()
	}
	l.workers.Wait()
	l.releaseLocks()
	return nil
}

func (l *Log) releaseLocks() {
	for _, f := range []*os.File{l.appendLock, l.consumeLock} {
		if f != nil {
			unlock(f)
		}
	}
}
