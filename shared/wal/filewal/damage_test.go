package filewal

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// written makes a log of one partition and one segment that holds bodies, and
// gives the path and content of the segment.
func written(t testing.TB, dir string, bodies ...string) (string, []byte) {
	t.Helper()
	l := open(t, Options{Dir: dir})
	add(t, l, 0, bodies...)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path := segmentPath(partitionDir(dir, 0), 0)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, b
}

// copyLog makes a directory that holds one segment with the given content.
func copyLog(t testing.TB, segment []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(partitionDir(dir, 0), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(segmentPath(partitionDir(dir, 0), 0), segment, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func letters(t testing.TB, dir string) []letter {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "dead-letter", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []letter
	for _, path := range paths {
		f, err := readLetter(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

func wantDelivered(t testing.TB, what, dir string, want ...string) {
	t.Helper()
	if got := delivered(t, dir); !slices.Equal(got, want) {
		t.Fatalf("%s: delivered %q, want %q", what, got, want)
	}
}

func TestTornEndIsCutAtEveryByte(t *testing.T) {
	t.Parallel()
	_, segment := written(t, t.TempDir(), "first", "second", "the third, torn one")
	last := bytes.LastIndex(segment, []byte("the third")) - recordHeadSize
	for cut := last; cut < len(segment); cut++ {
		dir := copyLog(t, segment[:cut])
		open(t, Options{Dir: dir}).Close()
		if info, err := os.Stat(segmentPath(partitionDir(dir, 0), 0)); err != nil || info.Size() != int64(last) {
			t.Fatalf("cut at %d: %v, %v: want %d bytes after the repair", cut, info, err, last)
		}
		l := open(t, Options{Dir: dir})
		add(t, l, 0, "new")
		l.Close()
		wantDelivered(t, fmt.Sprintf("cut at %d", cut), dir, "first", "second", "new")
		if got := letters(t, dir); len(got) != 0 {
			t.Fatalf("cut at %d: dead letters %+v", cut, got)
		}
	}
}

func TestTornHeadOfSegment(t *testing.T) {
	t.Parallel()
	_, segment := written(t, t.TempDir(), "first")
	for cut := range segmentHeadSize {
		dir := copyLog(t, segment[:cut])
		l := open(t, Options{Dir: dir})
		add(t, l, 0, "new")
		l.Close()
		wantDelivered(t, fmt.Sprintf("cut at %d", cut), dir, "new")
		if got := letters(t, dir); len(got) != 0 {
			t.Fatalf("cut at %d: dead letters %+v", cut, got)
		}
	}
}

func TestZeroEndIsTorn(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("x", 5000)
	_, segment := written(t, t.TempDir(), "first", body)
	last := bytes.Index(segment, []byte(body)) - recordHeadSize
	zeros := make([]byte, 4096)
	for what, damaged := range map[string][]byte{
		"zeros after a whole record":   append(slices.Clone(segment[:last]), zeros...),
		"zeros after half a head":      append(slices.Clone(segment[:last+9]), zeros...),
		"zeros in place of the body":   append(slices.Clone(segment[:last+recordHeadSize]), make([]byte, len(body))...),
		"a last sector that is lost":   append(slices.Clone(segment[:len(segment)-sectorSize]), make([]byte, sectorSize)...),
		"zeros in place of everything": append(slices.Clone(segment[:last]), make([]byte, len(segment)-last)...),
	} {
		dir := copyLog(t, damaged)
		wantDelivered(t, what, dir, "first")
		if got := letters(t, dir); len(got) != 0 {
			t.Errorf("%s: dead letters %+v", what, got)
		}
	}
}

func TestBitFlipCostsOneRecordAtMost(t *testing.T) {
	t.Parallel()
	_, segment := written(t, t.TempDir(), "first", "the middle one", "third")
	begin := bytes.Index(segment, []byte("the middle one")) - recordHeadSize
	end := begin + recordHeadSize + len("the middle one")
	for at := begin; at < end; at++ {
		for _, flip := range []byte{0x01, 0x80} {
			damaged := slices.Clone(segment)
			damaged[at] ^= flip
			dir := copyLog(t, damaged)
			what := fmt.Sprintf("flip %#x at %d of the record", flip, at-begin)
			wantDelivered(t, what, dir, "first", "third")
			got := letters(t, dir)
			if len(got) != 1 || !got[0].Damaged || got[0].Reason == "" {
				t.Fatalf("%s: dead letters %+v", what, got)
			}
			want := damaged[begin:end] // the head is damaged: all of it is kept
			if at-begin >= recordHeadSize {
				want = want[recordHeadSize:]
			}
			if !bytes.Equal(got[0].Data, want) {
				t.Fatalf("%s: kept %q, want %q", what, got[0].Data, want)
			}
			wantDelivered(t, what+", opened again", dir)
		}
	}
}

func TestBitFlipInLastRecordIsKept(t *testing.T) {
	t.Parallel()
	_, segment := written(t, t.TempDir(), "first", "last")
	begin := bytes.Index(segment, []byte("last")) - recordHeadSize
	for at := begin; at < len(segment); at++ {
		damaged := slices.Clone(segment)
		damaged[at] ^= 0x10
		dir := copyLog(t, damaged)
		what := fmt.Sprintf("flip at %d of the record", at-begin)
		l := open(t, Options{Dir: dir})
		add(t, l, 0, "new")
		l.Close()
		wantDelivered(t, what, dir, "first", "new")
		if got := letters(t, dir); len(got) != 1 {
			t.Fatalf("%s: dead letters %+v", what, got)
		}
	}
}

func TestBitFlipInSegmentHeadCostsNothing(t *testing.T) {
	t.Parallel()
	_, segment := written(t, t.TempDir(), "first", "second")
	for at := range segmentHeadSize {
		damaged := slices.Clone(segment)
		damaged[at] ^= 0x04
		dir := copyLog(t, damaged)
		wantDelivered(t, fmt.Sprintf("flip at %d", at), dir, "first", "second")
		if got := letters(t, dir); len(got) != 0 {
			t.Fatalf("flip at %d: dead letters %+v", at, got)
		}
	}
}

func TestUnreadableSegmentIsKept(t *testing.T) {
	t.Parallel()
	_, segment := written(t, t.TempDir(), "first", "second")
	segment[3] ^= 1
	segment[segmentHeadSize+25] ^= 1
	dir := copyLog(t, segment)
	wantDelivered(t, "segment without a mark", dir)
	if got := letters(t, dir); len(got) != 1 || !bytes.Equal(got[0].Data, segment) {
		t.Fatalf("dead letters %+v", got)
	}
}

func TestStretchOfGarbageIsPassedOver(t *testing.T) {
	t.Parallel()
	bodies := []string{"first"}
	for i := range 50 {
		bodies = append(bodies, strings.Repeat(fmt.Sprint(i%10), 60_000))
	}
	bodies = append(bodies, "last")
	_, segment := written(t, t.TempDir(), bodies...)
	// Longer than resyncChunk, so that the search crosses chunks.
	begin := segmentHeadSize + recordHeadSize + len("first") + 10
	for i := begin; i < begin+3*resyncChunk/2; i++ {
		segment[i] = byte(i * 7)
	}
	dir := copyLog(t, segment)
	got := delivered(t, dir)
	lost := 3*resyncChunk/2/(60_000+recordHeadSize) + 1
	if want := append([]string{"first"}, bodies[1+lost:]...); !slices.Equal(got, want) {
		t.Fatalf("delivered %d records, want %d", len(got), len(want))
	}
	if kept := letters(t, dir); len(kept) != 1 {
		t.Fatalf("%d dead letters", len(kept))
	}
}

func TestForgedRecordInBodyIsNotDelivered(t *testing.T) {
	t.Parallel()
	// A client that knows the format, but not the mark, sends a record as a body.
	forged := string(appendRecord(nil, mark{1, 2, 3, 4, 5, 6, 7, 8}, 1, []byte("forged")))
	_, segment := written(t, t.TempDir(), "first", forged, "third")
	segment[bytes.Index(segment, []byte(forged))-recordHeadSize+8] ^= 0x40 // the length
	wantDelivered(t, "forged record", copyLog(t, segment), "first", "third")
}

func TestNewerFormatIsRefused(t *testing.T) {
	t.Parallel()
	head := appendSegmentHead(nil, 0, mark{1})
	head[8] = segmentVersion + 1
	sum := segmentHeadSum(head)
	head[12], head[13], head[14], head[15] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
	o := Options{Dir: copyLog(t, head), Logger: slog.New(slog.DiscardHandler)}
	if l, err := Open(o); err == nil {
		l.Close()
		t.Fatal("a segment of a newer format was opened")
	}
}

func TestDamagedCursorDeliversAllAgain(t *testing.T) {
	t.Parallel()
	_, segment := written(t, t.TempDir(), "first", "second")
	for what, cursor := range map[string]string{
		"empty": "", "garbage": "\x00\xff", "bad checksum": cursorHead + " 0000000000000001 00000000\n",
		"longer": formatCursor(1) + "x", "cut": formatCursor(1)[:30],
	} {
		dir := copyLog(t, segment)
		path := filepath.Join(partitionDir(dir, 0), cursorName)
		if err := os.WriteFile(path, []byte(cursor), 0o600); err != nil {
			t.Fatal(err)
		}
		wantDelivered(t, what, dir, "first", "second")
		if kept, err := os.ReadFile(path + ".damaged"); err != nil || string(kept) != cursor {
			t.Errorf("%s: the damaged cursor was not set aside: %v", what, err)
		}
	}
	dir := copyLog(t, segment)
	if err := writeCursor(partitionDir(dir, 0), 1, true); err != nil {
		t.Fatal(err)
	}
	wantDelivered(t, "sound cursor", dir, "second")
}

func FuzzSegmentReader(f *testing.F) {
	sound := appendSegmentHead(nil, 0, mark{9, 8, 7})
	sound = appendRecord(sound, mark{9, 8, 7}, 0, []byte("body"))
	sound = appendRecord(sound, mark{9, 8, 7}, 1, nil)
	f.Add(sound, 0)
	f.Add(sound[:len(sound)-3], 2)
	f.Add(append(bytes.Clone(sound), make([]byte, 600)...), 1)
	f.Fuzz(func(t *testing.T, segment []byte, state int) {
		path := filepath.Join(t.TempDir(), "s")
		if err := os.WriteFile(path, segment, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		r := newSegmentReader(file, 0)
		defer r.close()
		b := bounds{int64(len(segment)), segmentState(((state % 3) + 3) % 3)}
		var next uint64
		for {
			offset := r.offset
			entries, err := r.read(nil, b, 4, 64)
			if err != nil {
				return // a newer format
			}
			for _, e := range entries {
				if e.sequence < next || e.next < e.sequence {
					t.Fatalf("sequence %d, next %d, after %d", e.sequence, e.next, next)
				}
				next = e.next
			}
			if r.offset > b.limit {
				t.Fatal("read past the limit")
			}
			if len(entries) == 0 && r.offset == offset {
				break
			}
		}
		if b.state != segmentGrowing && r.offset < b.limit {
			t.Fatalf("stuck at %d of %d", r.offset, b.limit)
		}
	})
}
