package wal

import (
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/fault"
)

func TestLifetime(t *testing.T) {
	t.Parallel()
	l := NewLifetime()
	for range 2 { // one after the other
		_, end, err := l.Consume(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := l.Consume(t.Context()); fault.CodeOf(err) != fault.Internal || !l.IsConsumed() {
			t.Errorf("a second one beside the first: %v", err)
		}
		end()
		if l.IsConsumed() {
			t.Error("it is over")
		}
	}

	ctx, end, err := l.Consume(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	returned := make(chan bool)
	go func() { returned <- l.Close() }()
	<-ctx.Done()
	if !l.IsClosed() {
		t.Error("it does not say that it is closed")
	}
	select {
	case <-returned:
		t.Error("Close has not waited for what consumes")
	case <-time.After(10 * time.Millisecond):
	}
	end()
	if !<-returned || l.Close() {
		t.Error("only the first Close closes")
	}
	if _, _, err := l.Consume(t.Context()); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("after Close: %v", err)
	}
}
