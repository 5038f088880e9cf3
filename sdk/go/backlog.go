package pulse

import (
	"context"
	"runtime"
	"sync"
)

// backlog does what the program need not wait for, one job after the other.
type backlog struct {
	most    int // bytes that may wait; with more a job is done at once
	mu      sync.Mutex
	jobs    []job
	bytes   int
	running bool
}

type job struct {
	bytes int // that it holds
	do    func()
}

// add does a job soon, or at once if too much waits. Two jobs may run at the same
// time then.
func (b *backlog) add(bytes int, do func()) {
	b.mu.Lock()
	if b.bytes+bytes > b.most {
		b.mu.Unlock()
		do()
		return
	}
	b.jobs = append(b.jobs, job{bytes, do})
	b.bytes += bytes
	begin := !b.running
	b.running = true
	b.mu.Unlock()
	if begin {
		go b.work()
	}
}

// work does jobs until there is none.
func (b *backlog) work() {
	for {
		b.mu.Lock()
		jobs := b.jobs
		b.jobs = nil
		b.running = len(jobs) > 0
		b.mu.Unlock()
		if len(jobs) == 0 {
			return
		}
		for i, j := range jobs {
			runtime.Gosched() // what the program does goes first
			j.do()
			jobs[i].do = nil // what it held is free
			b.mu.Lock()
			b.bytes -= j.bytes
			b.mu.Unlock()
		}
	}
}

// wait waits until the jobs of now are done, or ctx is.
func (b *backlog) wait(ctx context.Context) {
	b.mu.Lock()
	idle := !b.running
	b.mu.Unlock()
	if idle {
		return
	}
	done := make(chan struct{})
	b.add(0, func() { close(done) })
	select {
	case <-done:
	case <-ctx.Done():
	}
}
