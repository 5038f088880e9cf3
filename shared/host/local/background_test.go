package local

import (
	"bytes"
	"context"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pulse-traces/pulse/shared/wal"
)

// niceOfThread gives how far the calling thread yields to others.
func niceOfThread(t *testing.T) int {
	if runtime.GOOS != "linux" {
		return 0
	}
	stat, err := os.ReadFile("/proc/thread-self/stat")
	if err != nil {
		t.Error(err)
		return 0
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	nice, err := strconv.Atoi(fields[16])
	if err != nil {
		t.Error(err)
	}
	return nice
}

// usualNice is niceOfThread for a test that sees threads yield, which no thread
// can where all are the last to run.
func usualNice(t *testing.T) int {
	usual := niceOfThread(t)
	if usual == 19 {
		t.Skip("the test itself runs at the lowest priority")
	}
	return usual
}

func TestInBackground(t *testing.T) {
	usual := usualNice(t)
	ctx, cancel := context.WithCancel(t.Context())
	var inside sync.WaitGroup
	var handle wal.Handler
	failure := errors.New("no")
	check := func(id string) {
		if errs := handle(t.Context(), []wal.Delivery{{ID: id}}); len(errs) != 1 || !errors.Is(errs[0], failure) {
			t.Errorf("%s: errors %v, want that of the handler", id, errs)
		}
	}
	var urgent atomic.Bool
	handle = inBackground(ctx, func(_ context.Context, deliveries []wal.Delivery) []error {
		if yields := niceOfThread(t) > usual; runtime.GOOS == "linux" && yields != (deliveries[0].ID == "together") {
			t.Errorf("%s: on a thread that yields: %v", deliveries[0].ID, yields)
		}
		if ctx.Err() == nil && deliveries[0].ID == "together" {
			inside.Done()
			inside.Wait() // for the others: calls do not wait for each other
		}
		return []error{failure}
	}, urgent.Load)
	for range 2 { // the second time on threads that are there
		inside.Add(3)
		var callers sync.WaitGroup
		for range 3 {
			callers.Go(func() { check("together") })
		}
		callers.Wait()
	}
	urgent.Store(true)
	check("urgent")
	urgent.Store(false)
	cancel()
	check("late")
}

func TestBesideBackground(t *testing.T) {
	usual := usualNice(t)
	for _, urgent := range []bool{false, true} {
		nice := make(chan int)
		besideBackground(func() bool { return urgent })(func() { nice <- niceOfThread(t) })
		if yields := <-nice > usual; runtime.GOOS == "linux" && yields == urgent {
			t.Errorf("urgent %v: on a thread that yields: %v", urgent, yields)
		}
	}
}
