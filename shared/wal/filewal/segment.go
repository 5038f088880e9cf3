package filewal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	segmentMagic    = "PULSEWAL"
	segmentVersion  = 1
	segmentHeadSize = 32
	recordHeadSize  = 28
	segmentSuffix   = ".wal"

	// sectorSize is the least that a disk writes at once: a run of zeros at
	// least that long is data that never reached it.
	sectorSize = 512
	// resyncChunk is how much is searched at a time for the next sound record.
	resyncChunk = 1 << 20
	// tailChunk is how much of a segment's end is searched at first for its last
	// record.
	tailChunk = 64 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

type mark [8]byte

// appendSegmentHead appends the head of a segment to b.
func appendSegmentHead(b []byte, first uint64, m mark) []byte {
	n := len(b)
	b = append(b, segmentMagic...)
	b = binary.LittleEndian.AppendUint32(b, segmentVersion)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint64(b, first)
	b = append(b, m[:]...)
	binary.LittleEndian.PutUint32(b[n+12:], segmentHeadSum(b[n:]))
	return b
}

func segmentHeadSum(head []byte) uint32 {
	return crc32.Update(checksum(head[:12]), castagnoli, head[16:segmentHeadSize])
}

// appendRecord appends a record to b.
func appendRecord(b []byte, m mark, sequence uint64, body []byte) []byte {
	n := len(b)
	b = append(b, m[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)))
	b = binary.LittleEndian.AppendUint64(b, sequence)
	b = binary.LittleEndian.AppendUint32(b, checksum(body))
	b = binary.LittleEndian.AppendUint32(b, checksum(b[n:]))
	return append(b, body...)
}

type recordHead struct {
	sequence uint64
	size     int64 // head and body
	sum      uint32
}

// parseRecordHead reads the head at the start of b. It is not ok if b is too
// short, has another mark or fails its checksum.
func parseRecordHead(b []byte, m mark) (h recordHead, ok bool) {
	if len(b) < recordHeadSize || !bytes.Equal(b[:len(m)], m[:]) ||
		binary.LittleEndian.Uint32(b[24:]) != checksum(b[:24]) {
		return recordHead{}, false
	}
	return recordHead{
		sequence: binary.LittleEndian.Uint64(b[12:]),
		size:     recordHeadSize + int64(binary.LittleEndian.Uint32(b[8:])),
		sum:      binary.LittleEndian.Uint32(b[20:]),
	}, true
}

// bounds says how far a segment may be read and what its end means.
type bounds struct {
	limit int64
	state segmentState
}

type segmentState int

const (
	// segmentSealed: nothing more comes; what is cut off at the end was torn.
	segmentSealed segmentState = iota
	// segmentDurable: this process appends; all bytes up to the limit are whole.
	segmentDurable
	// segmentGrowing: another process appends; the last bytes may be half written.
	segmentGrowing
)

// entry is a record, or a stretch of a segment that is none.
type entry struct {
	sequence uint64
	next     uint64 // the sequence that the cursor has once this entry is dealt with
	body     []byte // of a damaged stretch: the bytes as they are; valid until the next read
	damage   string // what is wrong; "" for a sound record
}

// segmentReader reads one segment forward.
type segmentReader struct {
	file    *os.File
	first   uint64
	next    uint64 // sequence of the record at offset
	offset  int64
	torn    int64 // where a torn end begins; -1 if none was met
	mark    mark
	ready   bool // mark is known
	buf     []byte
	suspect int64 // offset that looked damaged at the last read of a growing segment; -1 if none
}

func openSegment(dir string, first uint64) (*segmentReader, error) {
	f, err := os.Open(segmentPath(dir, first))
	if err != nil {
		return nil, err
	}
	return newSegmentReader(f, first), nil
}

func newSegmentReader(f *os.File, first uint64) *segmentReader {
	return &segmentReader{file: f, first: first, next: first, torn: -1, suspect: -1}
}

func (r *segmentReader) close() { _ = r.file.Close() }

func (r *segmentReader) size() (int64, error) {
	info, err := r.file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// read appends entries to dst: as many as are there, but no more than maxCount
// and about maxBytes, and at least one if one is there. None means that the
// readable part is used up, or that its end is not whole yet.
func (r *segmentReader) read(dst []entry, b bounds, maxCount, maxBytes int) ([]entry, error) {
	if r.offset >= b.limit {
		return dst, nil
	}
	if !r.ready {
		if dst, err := r.begin(dst, b); err != nil || !r.ready {
			return dst, err
		}
	}
	buf, err := r.fill(min(b.limit-r.offset, int64(maxBytes)))
	if err != nil {
		return nil, err
	}
	for len(buf) > 0 && len(dst) < maxCount {
		h, ok := parseRecordHead(buf, r.mark)
		need := h.size
		if !ok {
			need = recordHeadSize
		}
		if need > int64(len(buf)) && r.offset+need <= b.limit {
			if len(dst) > 0 {
				break // the buffer ended within this record, not the segment
			}
			if buf, err = r.fill(need); err != nil {
				return nil, err
			}
			if int64(len(buf)) < need {
				break // cut back since the limit was taken
			}
			continue
		}
		if !ok || h.sequence != r.next || r.offset+h.size > b.limit {
			if len(dst) > 0 {
				break
			}
			return r.readDamage(dst, b, ok && h.sequence == r.next)
		}
		e := entry{sequence: h.sequence, next: h.sequence + 1, body: buf[recordHeadSize:h.size]}
		if checksum(e.body) != h.sum {
			if b.state == segmentSealed && r.offset+h.size == b.limit && zeroTail(e.body) >= sectorSize {
				r.torn, r.offset = r.offset, b.limit
				break
			}
			e.damage = "the body fails its checksum"
		}
		dst = append(dst, e)
		r.offset += h.size
		r.next = e.next
		buf = buf[h.size:]
	}
	return dst, nil
}

// fill reads n bytes at the offset into the reader's buffer.
func (r *segmentReader) fill(n int64) ([]byte, error) {
	if n <= 0 {
		return nil, nil
	}
	if int64(cap(r.buf)) < n {
		r.buf = make([]byte, n)
	}
	buf := r.buf[:n]
	got, err := r.file.ReadAt(buf, r.offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return buf[:got], nil // less than n if the writer has just cut back a failed append
}

// release gives a large buffer back while there is nothing to read.
func (r *segmentReader) release() {
	if cap(r.buf) > idleBufferBytes {
		r.buf = nil
	}
}

// begin reads the segment's head. Without a mark the segment holds nothing that
// can be read.
func (r *segmentReader) begin(dst []entry, b bounds) ([]entry, error) {
	head, err := r.fill(min(b.limit, segmentHeadSize+recordHeadSize))
	if err != nil {
		return nil, err
	}
	if len(head) >= segmentHeadSize && string(head[:8]) == segmentMagic &&
		binary.LittleEndian.Uint32(head[12:]) == segmentHeadSum(head) {
		if v := binary.LittleEndian.Uint32(head[8:]); v != segmentVersion {
			return nil, fmt.Errorf("segment %s has format version %d, newer than this program", r.file.Name(), v)
		}
		copy(r.mark[:], head[24:])
		r.ready = true
	} else if len(head) == segmentHeadSize+recordHeadSize {
		var m mark
		copy(m[:], head[segmentHeadSize:])
		if h, ok := parseRecordHead(head[segmentHeadSize:], m); ok && h.sequence == r.first {
			r.mark, r.ready = m, true
		}
	}
	if r.ready {
		r.offset = segmentHeadSize
		return dst, nil
	}
	if b.state == segmentSealed && b.limit < segmentHeadSize+recordHeadSize {
		r.torn, r.offset = 0, b.limit // no record can have been acknowledged
		return dst, nil
	}
	return r.readTail(dst, b, "neither the segment's head nor its first record is sound")
}

// readDamage deals with what is at the offset and is no whole record. soundHead
// says that a sound head promises more than there is.
func (r *segmentReader) readDamage(dst []entry, b bounds, soundHead bool) ([]entry, error) {
	if soundHead {
		if b.state == segmentSealed {
			r.torn, r.offset = r.offset, b.limit
			return dst, nil
		}
		return r.readTail(dst, b, "the body is cut off")
	}
	at, sequence, err := r.resync(b.limit)
	if err != nil {
		return nil, err
	}
	if at < 0 {
		return r.readTail(dst, b, "the head fails its checksum")
	}
	if b.state == segmentGrowing && r.suspect != r.offset {
		r.suspect = r.offset // a second look tells damage from a write seen half done
		return dst, nil
	}
	raw, err := r.fill(at - r.offset)
	if err != nil {
		return nil, err
	}
	dst = append(dst, entry{sequence: r.next, next: sequence, body: raw, damage: "the head fails its checksum"})
	r.offset, r.next = at, sequence
	return dst, nil
}

// readTail deals with an end of the segment that holds no sound record.
func (r *segmentReader) readTail(dst []entry, b bounds, damage string) ([]entry, error) {
	if b.state == segmentGrowing {
		return dst, nil
	}
	raw, err := r.fill(b.limit - r.offset)
	if err != nil {
		return nil, err
	}
	if b.state == segmentSealed && len(raw)-zeroTail(raw) < recordHeadSize {
		r.torn, r.offset = r.offset, b.limit
		return dst, nil
	}
	dst = append(dst, entry{sequence: r.next, next: r.next + 1, body: raw, damage: damage})
	r.offset = b.limit
	r.next++
	return dst, nil
}

// resync looks behind the offset for the next sound head whose sequence fits
// the distance. It gives -1 if there is none.
func (r *segmentReader) resync(limit int64) (at int64, sequence uint64, err error) {
	chunk := make([]byte, min(limit-r.offset, resyncChunk))
	for from := r.offset + 1; from+recordHeadSize <= limit; {
		n, err := r.file.ReadAt(chunk[:min(limit-from, int64(len(chunk)))], from)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, 0, err
		}
		for i := 0; i+recordHeadSize <= n; i++ {
			j := bytes.Index(chunk[i:n], r.mark[:])
			if j < 0 {
				break
			}
			i += j
			h, ok := parseRecordHead(chunk[i:n], r.mark)
			lost := uint64(from+int64(i)-r.offset) / recordHeadSize
			if ok && h.sequence >= r.next && h.sequence-r.next <= lost+1 {
				return from + int64(i), h.sequence, nil
			}
		}
		if n < recordHeadSize {
			break
		}
		from += int64(n - recordHeadSize + 1)
	}
	return -1, 0, nil
}

// endOfRecords gives the sequence after the last sound head of a segment, and the
// segment's own if there is none. It reads from the end: a segment may be large.
func endOfRecords(dir string, first uint64) (uint64, error) {
	r, err := openSegment(dir, first)
	if err != nil {
		return 0, err
	}
	defer r.close()
	size, err := r.size()
	if err != nil {
		return 0, err
	}
	if _, err := r.begin(nil, bounds{size, segmentGrowing}); err != nil || !r.ready {
		return first, err
	}
	for n := int64(tailChunk); ; n *= 2 {
		r.offset = max(segmentHeadSize, size-n)
		tail, err := r.fill(size - r.offset)
		if err != nil {
			return 0, err
		}
		for at := bytes.LastIndex(tail, r.mark[:]); at >= 0; at = bytes.LastIndex(tail[:at], r.mark[:]) {
			if h, ok := parseRecordHead(tail[at:], r.mark); ok {
				return h.sequence + 1, nil
			}
		}
		if r.offset == segmentHeadSize {
			return first, nil
		}
	}
}

func zeroTail(b []byte) int {
	return len(b) - len(bytes.TrimRight(b, "\x00"))
}

func segmentPath(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%016d", first)+segmentSuffix)
}

// listSegments gives the first sequences of a partition's segments, rising.
func listSegments(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var firsts []uint64
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		if !ok {
			continue
		}
		if first, err := strconv.ParseUint(digits, 10, 64); err == nil {
			firsts = append(firsts, first)
		}
	}
	slices.Sort(firsts)
	return firsts, nil
}
