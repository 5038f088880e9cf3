package filewal

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/logging"
	"github.com/pulse-traces/pulse/shared/wal"
)

const (
	// pollMin and pollMax are the pauses between looks at files that another
	// process writes.
	pollMin = 50 * time.Millisecond
	pollMax = 250 * time.Millisecond
	// ageStep is how finely the age of pending records is kept, and maxAges how
	// many steps: with more, every second one is dropped.
	ageStep = 100 * time.Millisecond
	maxAges = 4096
)

// partition is one directory of segments. commitLoop alone touches file and
// size; mu guards what is below it.
type partition struct {
	log    *Log
	index  int
	dir    string
	logger *slog.Logger

	file *os.File // the segment being written; nil until the next append begins one
	size int64    // its bytes, written and durable

	mu      sync.Mutex
	wake    sync.Cond    // for commitLoop: waiters, sealing or closing changed
	pending []byte       // encoded records of waiters
	begin   uint64       // sequence of the first of them
	spare   []byte       // the buffer of the last write, for reuse
	waiters []chan error // appends that wait for the next fsync
	next    uint64       // sequence of the next record
	active  *active      // the segment of file, for the consumer
	sealing bool         // the active segment shall end: it is consumed, or the disk is full
	closing bool

	appended int64
	durable  uint64        // the sequence after the last durable record
	acked    uint64        // the sequence after the last consumed record
	progress chan struct{} // closed when acked moves; nil if nobody waits
	ages     []age         // since when records from a sequence on are pending
	gaps     []gap         // sequences from acked on that no record has, rising

	notify chan struct{} // tells the consumer that there may be something new
}

type active struct {
	first   uint64
	durable int64 // bytes that the consumer may read
}

type age struct {
	sequence uint64
	since    time.Time // with a monotonic reading: clock jumps do not count
}

// gap is a stretch of sequences that belong to no record, as those of a failed
// write.
type gap struct{ begin, end uint64 }

// openPartition finds where a partition ends. The appending process also cuts
// off a torn end; it goes on in a new segment.
func openPartition(l *Log, index int) (*partition, error) {
	dir := partitionDir(l.opts.Dir, index)
	p := &partition{
		log: l, index: index, dir: dir,
		logger: l.opts.Logger.With("dir", dir),
		notify: make(chan struct{}, 1),
	}
	p.wake.L = &p.mu
	cursor, err := readCursor(dir)
	if errors.Is(err, errCursorDamaged) {
		if l.opts.Role.consumes() {
			p.logger.Error("log cursor is damaged: everything on disk is delivered again")
			if err := setCursorAside(dir); err != nil {
				return nil, err
			}
		}
	} else if err != nil {
		return nil, err
	}
	p.acked, p.next, p.durable = cursor, cursor, cursor

	firsts, err := listSegments(dir)
	if err != nil {
		return nil, err
	}
	for i := len(firsts) - 1; i >= 0; i-- {
		end, err := p.scan(firsts[i], i == len(firsts)-1)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the consuming process has just removed it
		}
		if err != nil {
			return nil, err
		}
		if end > firsts[i] {
			p.next, p.durable = max(p.next, end), max(p.durable, end)
			break
		}
		p.next = max(p.next, firsts[i]+1) // its name is taken, though it is empty
	}
	if p.durable > p.acked {
		p.ages = []age{{p.acked, time.Now()}}
	}
	p.findGaps(firsts)
	return p, nil
}

// findGaps looks for sequences without a record between segments. What it cannot
// read counts as records.
func (p *partition) findGaps(firsts []uint64) {
	end := p.acked
	for i, first := range firsts {
		if i+1 < len(firsts) && firsts[i+1] <= p.acked {
			continue
		}
		if first > end {
			p.addGapLocked(end, first)
		}
		if i+1 < len(firsts) {
			last, err := endOfRecords(p.dir, first)
			if err != nil {
				last = firsts[i+1]
			}
			end = max(p.acked, last)
		}
	}
	if p.next > p.durable && len(firsts) > 0 {
		p.addGapLocked(max(firsts[len(firsts)-1], p.durable), p.next) // an empty one's name
	}
}

// scan gives the sequence after a segment's last record. Of the last segment it
// cuts off a torn end if this process appends.
func (p *partition) scan(first uint64, last bool) (uint64, error) {
	r, err := openSegment(p.dir, first)
	if err != nil {
		return 0, err
	}
	defer r.close()
	size, err := r.size()
	if err != nil {
		return 0, err
	}
	state := segmentSealed
	if !p.log.opts.Role.appends() {
		state = segmentGrowing
	}
	var entries []entry
	for {
		entries, err = r.read(entries[:0], bounds{size, state}, p.log.opts.BatchRecords, p.log.opts.BatchBytes)
		if err != nil {
			return 0, err
		}
		if len(entries) == 0 {
			break
		}
	}
	if last && r.torn >= 0 && p.log.opts.Role.appends() {
		p.logger.Info("cut off the torn end of a log segment", "segment", filepath.Base(r.file.Name()), "bytes", size-r.torn)
		if err := cutSegment(r.file.Name(), r.torn); err != nil {
			return 0, err
		}
	}
	return r.next, nil
}

func cutSegment(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Sync(), f.Close())
}

// enqueue encodes this partition's records for the next write. The channel gets
// the outcome.
func (p *partition) enqueue(records []wal.Record) (chan error, error) {
	done := make(chan error, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing {
		return nil, wal.ErrClosed()
	}
	if len(p.pending) > maxPendingBytes {
		return nil, fault.New(fault.Unavailable, "the log's disk is too slow")
	}
	if len(p.waiters) == 0 {
		p.begin = p.next
	}
	size := 0
	for _, r := range records {
		if r.Partition == p.index {
			size += recordHeadSize + len(r.Data)
		}
	}
	p.pending = slices.Grow(p.pending, size)
	for _, r := range records {
		if r.Partition == p.index {
			p.pending = appendRecord(p.pending, p.log.mark, p.next, r.Data)
			p.next++
		}
	}
	p.waiters = append(p.waiters, done)
	p.wake.Signal()
	return done, nil
}

// commitLoop writes and flushes what appends have enqueued, all of it at once,
// until the partition closes.
func (p *partition) commitLoop() {
	for {
		p.mu.Lock()
		for len(p.waiters) == 0 && !p.sealing && !p.closing {
			p.wake.Wait()
		}
		batch, waiters, begin, end := p.pending, p.waiters, p.begin, p.next
		sealing, closing := p.sealing, p.closing
		p.pending, p.waiters, p.spare, p.sealing = p.spare[:0], nil, nil, false
		p.mu.Unlock()

		if len(waiters) > 0 {
			err := p.commit(batch, begin, end)
			for _, done := range waiters {
				done <- err
			}
			p.mu.Lock()
			if len(p.waiters) > 0 || cap(batch) <= idleBufferBytes {
				p.spare = batch[:0]
			}
			if len(p.waiters) == 0 && cap(p.pending) > idleBufferBytes {
				p.pending = nil
			}
			p.mu.Unlock()
			continue
		}
		if p.file != nil && (sealing || closing) {
			p.endSegment()
		}
		if sealing && p.log.opts.Role == RoleAppend {
			p.mu.Lock()
			first := p.next
			free := len(p.waiters) == 0
			if free {
				p.next++
				p.addGapLocked(first, p.next)
			}
			p.mu.Unlock()
			if free {
				p.markEnd(first)
			}
		}
		if closing {
			return
		}
	}
}

// commit makes a batch durable: its sequences are from begin up to end.
func (p *partition) commit(batch []byte, begin, end uint64) error {
	created := p.file == nil
	err := p.write(batch, begin)
	if err == nil {
		err = p.log.syncFunc(p.file)
	}
	if err == nil && created {
		err = syncDir(p.dir)
	}
	if err != nil {
		p.logger.Error("log append failed", logging.KeyError, err)
		p.abandonSegment()
		p.mu.Lock()
		p.addGapLocked(begin, end)
		p.mu.Unlock()
		if noSpace(err) && p.log.opts.Role == RoleAppend {
			p.markEnd(begin)
		}
		return fault.Wrap(fault.Unavailable, "the log cannot be written", err)
	}
	p.mu.Lock()
	p.active.durable = p.size
	p.appended += int64(end - begin)
	p.durable = end
	p.addAgeLocked(begin)
	p.mu.Unlock()
	if p.size >= p.log.opts.SegmentBytes {
		p.endSegment()
	}
	p.signal()
	return nil
}

// write appends batch to the segment, which it begins if there is none.
func (p *partition) write(batch []byte, begin uint64) error {
	if p.file == nil {
		// The consumer must know the segment as the active one before it can
		// see the file.
		p.mu.Lock()
		p.active = &active{first: begin}
		p.mu.Unlock()
		f, err := os.OpenFile(segmentPath(p.dir, begin), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		p.file, p.size = f, 0
		head := appendSegmentHead(nil, begin, p.log.mark)
		if _, err := f.Write(head); err != nil {
			return err
		}
		p.size = int64(len(head))
	}
	n, err := p.file.Write(batch)
	p.size += int64(n)
	return err
}

// endSegment closes the active segment; the next append begins another.
func (p *partition) endSegment() {
	_ = p.file.Close() // its data is durable
	p.file = nil
	p.mu.Lock()
	p.active = nil
	p.mu.Unlock()
	p.signal()
}

// abandonSegment gives up a segment in which a write or fsync failed. What is
// not durable is cut off, since nobody was promised it; if that fails too it is
// delivered, which is harmless.
func (p *partition) abandonSegment() {
	p.mu.Lock()
	durable := p.active.durable
	p.mu.Unlock()
	if p.file != nil {
		err := p.file.Truncate(durable)
		if durable == 0 {
			err = errors.Join(err, os.Remove(p.file.Name()))
		}
		err = errors.Join(err, p.file.Close())
		p.file = nil
		if err != nil {
			p.logger.Warn("cut back a log segment", logging.KeyError, err)
		}
	}
	p.mu.Lock()
	p.active = nil
	p.mu.Unlock()
	p.signal()
}

// makeRoom ends the active segment on a full disk, so that the process that
// consumes can remove it.
func (p *partition) makeRoom() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiters) == 0 {
		p.sealing = true
		p.wake.Signal()
	}
}

// markEnd tells the process that consumes that the last segment has ended, by an
// empty one after it, which takes a name but no room. first is no record's.
func (p *partition) markEnd(first uint64) {
	firsts, err := listSegments(p.dir)
	if err == nil && len(firsts) > 0 {
		var info fs.FileInfo
		info, err = os.Stat(segmentPath(p.dir, firsts[len(firsts)-1]))
		if err == nil && info.Size() > 0 {
			err = os.WriteFile(segmentPath(p.dir, first), nil, 0o600)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.logger.Warn("mark the end of a log segment", logging.KeyError, err)
	}
}

// signal wakes the consumer of this process, if there is one.
func (p *partition) signal() {
	select {
	case p.notify <- struct{}{}:
	default:
	}
}

// sealIfConsumed ends the active segment if it is first and wholly consumed.
func (p *partition) sealIfConsumed(first uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.active != nil && p.active.first == first && p.acked >= p.durable && len(p.waiters) == 0 {
		p.sealing = true
		p.wake.Signal()
	}
}

func (p *partition) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closing = true
	p.wake.Signal()
}

// end gives the sequence after the last record whose append has returned.
func (p *partition) end() (uint64, error) {
	if p.log.opts.Role == RoleConsume {
		other, err := openPartition(p.log, p.index)
		if err != nil {
			return 0, err
		}
		return other.durable, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.durable, nil
}

// waitAcked waits until every record before end is consumed.
func (p *partition) waitAcked(ctx context.Context, end uint64) error {
	pause := pollMin / 10 // a consumer that keeps up needs only a few milliseconds
	for {
		p.refreshAcked()
		p.mu.Lock()
		if p.acked >= end {
			p.mu.Unlock()
			return nil
		}
		if p.progress == nil {
			p.progress = make(chan struct{})
		}
		progress := p.progress
		p.mu.Unlock()

		var poll <-chan time.Time
		if p.log.opts.Role == RoleAppend {
			poll = time.After(pause)
			pause = min(2*pause, pollMin)
		}
		select {
		case <-progress:
		case <-poll:
		case <-ctx.Done():
			return ctx.Err()
		case <-p.log.life.Closed():
			return wal.ErrClosed()
		}
	}
}

// refreshAcked takes the cursor from its file where another process writes it.
func (p *partition) refreshAcked() {
	if p.log.opts.Role != RoleAppend {
		return
	}
	if cursor, err := readCursor(p.dir); err == nil {
		p.setAcked(cursor)
	}
}

func (p *partition) setAcked(sequence uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if sequence <= p.acked {
		return
	}
	p.acked = sequence
	if p.progress != nil {
		close(p.progress)
		p.progress = nil
	}
	past := 0
	for past < len(p.gaps) && p.gaps[past].end <= p.acked {
		past++
	}
	p.gaps = slices.Delete(p.gaps, 0, past)
	if p.acked >= p.durable {
		p.ages = nil
		return
	}
	for len(p.ages) > 1 && p.ages[1].sequence <= p.acked {
		p.ages = p.ages[1:]
	}
}

// addAgeLocked notes that records from sequence on wait since now.
func (p *partition) addAgeLocked(sequence uint64) {
	now := time.Now()
	if n := len(p.ages); n > 0 && now.Sub(p.ages[n-1].since) < ageStep {
		return
	}
	if len(p.ages) >= maxAges {
		kept := p.ages[:0]
		for i := 0; i < len(p.ages); i += 2 {
			kept = append(kept, p.ages[i])
		}
		p.ages = kept
	}
	p.ages = append(p.ages, age{sequence, now})
}

// addGapLocked notes that the sequences from begin up to end have no record.
func (p *partition) addGapLocked(begin, end uint64) {
	if n := len(p.gaps); n > 0 && p.gaps[n-1].end == begin {
		p.gaps[n-1].end = end
		return
	}
	p.gaps = append(p.gaps, gap{begin, end})
}

// waitingLocked gives how many records are durable and not consumed.
func (p *partition) waitingLocked() int64 {
	if p.durable <= p.acked {
		return 0
	}
	n := int64(p.durable - p.acked)
	for _, g := range p.gaps {
		if begin, end := max(g.begin, p.acked), min(g.end, p.durable); end > begin {
			n -= int64(end - begin)
		}
	}
	return n
}

// sawRecords notes in a process that only consumes how far the log goes.
func (p *partition) sawRecords(begin, end uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if begin > p.durable {
		p.addGapLocked(p.durable, begin)
	}
	if end > p.durable {
		p.durable = end
		p.addAgeLocked(begin)
	}
}

func (p *partition) addStats(s *wal.Stats) {
	p.refreshAcked()
	p.mu.Lock()
	s.Appended += p.appended
	waiting := p.waitingLocked()
	s.Pending += waiting
	if waiting > 0 && len(p.ages) > 0 {
		s.PendingAge = max(s.PendingAge, time.Since(p.ages[0].since))
	}
	p.mu.Unlock()
	firsts, _ := listSegments(p.dir)
	for _, first := range firsts {
		if info, err := os.Stat(segmentPath(p.dir, first)); err == nil {
			s.Bytes += info.Size()
		}
	}
}
