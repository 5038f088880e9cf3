package pulse

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	spillLines   = 100
	spillEnding  = ".ndjson"
	foreignAfter = time.Hour // another host's file is left behind if nobody wrote to it for as long
)

// spill keeps spans in files of a directory until they are settled, so that they
// outlive the process. A nil spill keeps nothing.
type spill struct {
	dir string
	mu  sync.Mutex
	now *spillFile
}

// spillFile is a line with the resource and the scope, then a line for each span.
// It goes when all of its spans are settled.
type spillFile struct {
	name        string
	mu          sync.Mutex
	f           *os.File
	lines, open int
}

func openSpill(dir string) (*spill, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &spill{dir: dir}, nil
}

// processToken begins the random part of this process's files: in a container
// another process had its number before.
var processToken = randomHex(4)

func (s *spill) fresh() string {
	host, _ := os.Hostname()
	return filepath.Join(s.dir, fmt.Sprintf("%s-%d-%s%s%s", host, os.Getpid(), processToken, randomHex(4), spillEnding))
}

// write keeps a span; nil if that cannot be.
func (s *spill) write(head string, data []byte) *spillFile {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil || !s.now.takes() {
		name := s.fresh()
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return nil
		}
		if _, err := f.WriteString(head + "\n"); err != nil {
			_ = f.Close()
			return nil
		}
		s.now = &spillFile{name: name, f: f}
	}
	return s.now.append(data)
}

func (s *spill) close() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now != nil {
		s.now.mu.Lock()
		defer s.now.mu.Unlock()
		s.now.close()
	}
}

func (f *spillFile) takes() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.f != nil && f.lines < spillLines
}

func (f *spillFile) append(data []byte) *spillFile {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.f == nil { // settled meanwhile
		return nil
	}
	if _, err := f.f.Write(append(slices.Clip(data), '\n')); err != nil {
		return nil
	}
	f.lines++
	f.open++
	return f
}

func (f *spillFile) settle() {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open--; f.open == 0 {
		f.close()
		_ = os.Remove(f.name) // what stays is sent again, and stored once
	}
}

func (f *spillFile) close() {
	if f.f != nil {
		_ = f.f.Close() // each line was written as it came
		f.f = nil
	}
}

// leftovers gives what processes that are gone left behind, oldest first; it is
// this process's now.
func (s *spill) leftovers() (items []item) {
	if s == nil {
		return nil
	}
	names, _ := filepath.Glob(filepath.Join(s.dir, "*"+spillEnding))
	age := func(name string) time.Time {
		info, err := os.Stat(name)
		if err != nil {
			return time.Now()
		}
		return info.ModTime()
	}
	slices.SortFunc(names, func(a, b string) int { return age(a).Compare(age(b)) })
	for _, name := range names {
		if !leftBehind(name, age(name)) {
			continue
		}
		own := s.fresh()
		if os.Rename(name, own) == nil { // so that no other process sends it too
			items = append(items, readSpill(own)...)
		}
	}
	return items
}

// leftBehind reports whether the process that wrote a file is gone.
func leftBehind(name string, written time.Time) bool {
	parts := strings.Split(strings.TrimSuffix(filepath.Base(name), spillEnding), "-")
	if len(parts) < 3 {
		return false
	}
	own, _ := os.Hostname()
	pid, err := strconv.Atoi(parts[len(parts)-2])
	if strings.Join(parts[:len(parts)-2], "-") != own || err != nil {
		return time.Since(written) > foreignAfter
	}
	if pid == os.Getpid() {
		return !strings.HasPrefix(parts[len(parts)-1], processToken) // else it is another Client's
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return true
	}
	err = process.Signal(syscall.Signal(0))
	return errors.Is(err, os.ErrProcessDone) || errors.Is(err, syscall.ESRCH)
}

// readSpill reads a file. A last line that is torn is left out.
func readSpill(name string) (items []item) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	f := &spillFile{name: name}
	var head string
	for _, line := range bytes.Split(data, []byte("\n")) {
		switch {
		case !bytes.HasPrefix(line, []byte("{")) || !json.Valid(line):
		case head == "":
			head = string(line)
		default:
			items = append(items, item{head: head, data: line, file: f})
		}
	}
	if f.open = len(items); f.open == 0 {
		_ = os.Remove(name) // it has nothing
	}
	return items
}
