package local

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/pulse-traces/pulse/shared/wal"
)

func TestInBackground(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var inside sync.WaitGroup
	var handle wal.Handler
	failure := errors.New("no")
	check := func(id string) {
		if errs := handle(t.Context(), []wal.Delivery{{ID: id}}); len(errs) != 1 || !errors.Is(errs[0], failure) {
			t.Errorf("%s: errors %v, want that of the handler", id, errs)
		}
	}
	handle = inBackground(ctx, func(_ context.Context, deliveries []wal.Delivery) []error {
		if ctx.Err() == nil && deliveries[0].ID == "together" {
			inside.Done()
			inside.Wait() // for the others: calls do not wait for each other
		}
		return []error{failure}
	})
	for range 2 { // the second time on threads that are there
		inside.Add(3)
		var callers sync.WaitGroup
		for range 3 {
			callers.Go(func() { check("together") })
		}
		callers.Wait()
	}
	cancel()
	check("late")
}
