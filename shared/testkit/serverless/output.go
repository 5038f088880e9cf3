package serverless

import (
	"bytes"
	"io"
	"sync"
)

// Output collects what many processes print, by whole lines.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// String is all that was printed so far, but for lines that are not ended yet.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// writer gives one process a writer of its own, so that its lines stay whole.
func (o *Output) writer() io.Writer { return &lineWriter{to: o} }

// lineWriter keeps back a line until it has ended. os/exec writes to it from one
// goroutine.
type lineWriter struct {
	to   *Output
	rest []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	end := bytes.LastIndexByte(w.rest, '\n') + 1
	if end > 0 {
		w.to.mu.Lock()
		w.to.text.Write(w.rest[:end])
		w.to.mu.Unlock()
		w.rest = append(w.rest[:0], w.rest[end:]...)
	}
	return len(p), nil
}
