// Package rejection keeps a count of what was refused of each project's data, so
// that its members can see why something that they sent is not there.
package rejection

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/logging"
	"github.com/pulse-traces/pulse/shared/store"
)

const (
	// every is how often a project's counts are stored at most: a client that
	// sends nothing but what is refused costs one small write in that time.
	every = 2 * time.Second
	// patience bounds how long a request waits for that.
	patience = 250 * time.Millisecond
	// maxPending bounds what waits in memory; beyond it nothing new is counted.
	maxPending = 1000
	// maxReasonBytes bounds a reason, which names fields as the client did.
	maxReasonBytes = 300
)

// Book counts. A count that waits in memory is stored with the next one of its
// project, or by Flush: a process that is killed takes it along.
type Book struct {
	store store.RejectionStore
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex
	pending map[account.ProjectID]map[kind]int64
	size    int // of pending
	due     map[account.ProjectID]time.Time
}

type kind struct {
	minute int64
	reason string
}

// New makes a book over a store.
func New(s store.RejectionStore, log *slog.Logger, now func() time.Time) *Book {
	return &Book{store: s, log: log, now: now, pending: map[account.ProjectID]map[kind]int64{}, due: map[account.ProjectID]time.Time{}}
}

// Add counts n records of a project, or a request, that were refused with err.
// What may succeed when it is sent again is not counted: a client that hears of
// Unavailable sends it.
func (b *Book) Add(ctx context.Context, project account.ProjectID, err error, n int) {
	if project == "" || n <= 0 {
		return
	}
	switch fault.CodeOf(err) {
	case fault.Invalid, fault.TooLarge, fault.Unsupported:
	default:
		return
	}
	now := b.now()
	b.mu.Lock()
	b.add(project, kind{now.Truncate(time.Minute).Unix(), Reason(err)}, int64(n))
	if now.Before(b.due[project]) {
		b.mu.Unlock()
		return
	}
	if len(b.due) >= maxPending {
		clear(b.due)
	}
	b.due[project] = now.Add(every)
	counts := b.take(project)
	b.mu.Unlock()
	b.write(ctx, project, counts)
}

// Flush stores all that waits, as far as the store takes it.
func (b *Book) Flush(ctx context.Context) {
	b.mu.Lock()
	waiting := slices.Collect(maps.Keys(b.pending))
	b.mu.Unlock()
	for _, project := range waiting {
		b.mu.Lock()
		counts := b.take(project)
		b.mu.Unlock()
		if !b.write(ctx, project, counts) {
			return // at the end of a program: each of the others would wait for as long
		}
	}
}

func (b *Book) add(project account.ProjectID, k kind, n int64) {
	counts := b.pending[project]
	if counts == nil {
		counts = map[kind]int64{}
		b.pending[project] = counts
	}
	if _, known := counts[k]; !known {
		if b.size >= maxPending {
			return
		}
		b.size++
	}
	counts[k] += n
}

func (b *Book) take(project account.ProjectID) map[kind]int64 {
	counts := b.pending[project]
	delete(b.pending, project)
	b.size -= len(counts)
	return counts
}

// write stores counts, or puts them back and gives false.
func (b *Book) write(ctx context.Context, project account.ProjectID, counts map[kind]int64) bool {
	if len(counts) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	rows := make([]store.Rejection, 0, len(counts))
	for k, n := range counts {
		rows = append(rows, store.Rejection{Minute: time.Unix(k.minute, 0).UTC(), Reason: k.reason, Count: n})
	}
	err := b.store.AddRejections(ctx, project, rows)
	if err == nil || fault.Is(err, fault.Invalid) { // the project is gone
		return true
	}
	b.log.DebugContext(ctx, "rejections not stored", logging.KeyError, err)
	b.mu.Lock()
	defer b.mu.Unlock()
	for k, n := range counts {
		b.add(project, k, n)
	}
	return false
}

// Reason gives what a sender was told, the same for the same fault in another
// place of a list. It quotes no value: faults do not.
func Reason(err error) string {
	var f *fault.Error
	if !errors.As(err, &f) {
		return string(fault.CodeOf(err))
	}
	text := f.Message
	if text == "" {
		text = string(f.Code)
	}
	if len(f.Issues) > 0 {
		i := f.Issues[0]
		if path := pathOf(i.Path); path != "" {
			text += ": " + path
		}
		text += ": " + i.Message
	}
	if len(text) > maxReasonBytes {
		text = strings.ToValidUTF8(text[:maxReasonBytes-len("…")], "") + "…"
	}
	return text
}

func pathOf(path []any) string {
	var b strings.Builder
	for _, step := range path {
		switch step := step.(type) {
		case int:
			b.WriteString("[]")
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			fmt.Fprint(&b, step)
		}
	}
	return b.String()
}
