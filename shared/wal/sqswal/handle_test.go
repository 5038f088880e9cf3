package sqswal_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/testkit"
	"github.com/pulse-traces/pulse/shared/wal"
	"github.com/pulse-traces/pulse/shared/wal/sqswal"
)

// long is a visibility timeout that no test waits for.
func long(o *sqswal.Options) { o.VisibilityTimeout = time.Hour }

// handleEvent serves an event and gives what it reports as failed.
func (r *rig) handleEvent(ctx context.Context, messages []sqswal.Message, handle wal.Handler) []string {
	r.t.Helper()
	failed, err := r.Handle(ctx, r.name, messages, handle)
	if err != nil {
		r.t.Fatal(err)
	}
	return failed
}

func TestHandleStoresAnEventInOneCall(t *testing.T) {
	t.Parallel()
	r := setup(t, long)
	r.append("a", "b", "c")
	h := newHandler(nil)
	event := r.event(3)
	if failed := r.handleEvent(t.Context(), event, h.handle); len(failed) != 0 || h.calls != 1 || len(h.seen) != 3 {
		t.Errorf("failed %v, %d calls, %d bodies", failed, h.calls, len(h.seen))
	}
	// Lambda deletes what is not reported.
	if all, hidden := r.waiting(); all != 3 || hidden != 3 {
		t.Errorf("%d messages, %d of them hidden", all, hidden)
	}
}

func TestHandleBuriesPoisonAlone(t *testing.T) {
	t.Parallel()
	r := setup(t, long)
	r.append("a", "poison", "b")
	h := newHandler(func(d wal.Delivery) error {
		if string(d.Data) == "poison" {
			return wal.Permanent(errors.New("no such project: \x00 🙂"))
		}
		return nil
	})
	before := time.Now().Add(-time.Second)
	event := r.event(3)
	if failed := r.handleEvent(t.Context(), event, h.handle); len(failed) != 0 {
		t.Errorf("failed %v", failed)
	}
	letters := r.letters()
	if len(letters) != 1 || len(letters["poison"]) != 1 {
		t.Fatalf("dead letters %+v", letters)
	}
	one := letters["poison"][0]
	if !strings.HasPrefix(one.Reason, "no such project: ") || one.Attempts != 1 || one.FailedAt.Before(before) || one.FailedAt.After(time.Now()) || one.Size != 6 {
		t.Errorf("dead letter %+v", one)
	}
	// It left the queue by itself: an event that fails after this brings no second.
	if all, _ := r.waiting(); all != 2 {
		t.Errorf("%d messages are left", all)
	}
}

func TestHandleBuriesTheLargestRecord(t *testing.T) {
	t.Parallel()
	r := setup(t, long)
	body := make([]byte, sqswal.MaxRecordBytes)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range body {
		body[i] = byte(rng.Uint32())
	}
	r.append(string(body))
	h := newHandler(func(wal.Delivery) error { return wal.Permanent(errors.New(strings.Repeat("längst ", 1000))) })
	if failed := r.handleEvent(t.Context(), r.event(1), h.handle); len(failed) != 0 {
		t.Errorf("failed %v", failed)
	}
	if letters := r.letters(); len(letters[string(body)]) != 1 {
		t.Errorf("%d dead letters", len(letters))
	}
}

func TestHandleBuriesWhatIsDamaged(t *testing.T) {
	t.Parallel()
	r := setup(t, long)
	r.append("sound")
	event := append(r.event(1), sqswal.Message{ID: "damaged", ReceiptHandle: "none", Body: "no envelope"})
	h := newHandler(nil)
	if failed := r.handleEvent(t.Context(), event, h.handle); len(failed) != 0 || len(h.seen) != 1 {
		t.Errorf("failed %v, seen %v", failed, h.seen)
	}
	letters := r.letters()
	if one := letters["no envelope"]; len(one) != 1 || !strings.Contains(one[0].Reason, "decode message") {
		t.Errorf("dead letters %+v", letters)
	}
}

func TestHandleBringsBackWhatHasToWait(t *testing.T) {
	t.Parallel()
	r := setup(t, long)
	r.append("now", "later")
	h := newHandler(func(d wal.Delivery) error {
		if string(d.Data) == "later" {
			return fault.New(fault.Unavailable, "the database is away")
		}
		return nil
	})
	event := r.event(2)
	failed := r.handleEvent(t.Context(), event, h.handle)
	if len(failed) != 1 {
		t.Fatalf("failed %v", failed)
	}
	// It comes after its pause, though the queue hides messages for an hour.
	again := r.event(1)
	if again[0].ID != failed[0] {
		t.Errorf("%s comes back, and %s failed", again[0].ID, failed[0])
	}
	r.handleEvent(t.Context(), again, h.handle)
	if got := h.attempts("later"); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("attempts %v", got)
	}
}

func TestHandleRenewsWhatWasDeliveredOften(t *testing.T) {
	t.Parallel()
	r := setup(t, long)
	r.append("patient")
	h := newHandler(func(wal.Delivery) error { return errors.New("not now") })
	r.SetBackoff(func(int) time.Duration { return 0 })
	old := ""
	for i := 1; i <= wal.RenewAfter; i++ {
		event := r.event(1)
		if old != "" && event[0].ID != old {
			t.Fatalf("renewed before delivery %d", i)
		}
		old = event[0].ID
		failed := r.handleEvent(t.Context(), event, h.handle)
		if want := i < wal.RenewAfter; (len(failed) == 1) != want {
			t.Fatalf("delivery %d: failed %v", i, failed)
		}
	}
	event := r.event(1)
	if event[0].ID == old || event[0].Attributes["ApproximateReceiveCount"] != "1" {
		t.Errorf("after %s comes %+v", old, event[0])
	}
	r.handleEvent(t.Context(), event, h.handle)
	if got := h.attempts("patient"); !slices.IsSorted(got) || got[len(got)-1] != wal.RenewAfter+1 {
		t.Errorf("attempts %v", got)
	}
	if all, _ := r.waiting(); all != 1 {
		t.Errorf("%d messages for one record", all)
	}
}

func TestHandleReportsWhatItCannotMove(t *testing.T) {
	t.Parallel()
	r := setup(t, long)
	r.append("poison", "sound")
	h := newHandler(func(d wal.Delivery) error {
		if string(d.Data) == "poison" {
			return wal.Permanent(errors.New("broken"))
		}
		return nil
	})
	f := r.proxy.Fault(testkit.SQSFault{Kind: testkit.SQSError, Queue: r.name + "-dlq"})
	event := r.event(2)
	if failed := r.handleEvent(t.Context(), event, h.handle); len(failed) != 1 {
		t.Errorf("failed %v", failed)
	}
	f.Stop()
	if failed := r.handleEvent(t.Context(), r.event(1), h.handle); len(failed) != 0 {
		t.Errorf("failed %v once dead letters are taken", failed)
	}
	if letters := r.letters(); len(letters["poison"]) != 1 {
		t.Errorf("dead letters %v", letters)
	}
}

func TestHandleKeepsToTheDeadline(t *testing.T) {
	t.Parallel()
	t.Run("HandlerEndsEarlier", func(t *testing.T) {
		t.Parallel()
		r := setup(t, long)
		r.append("slow")
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		failed := r.handleEvent(ctx, r.event(1), func(ctx context.Context, d []wal.Delivery) []error {
			<-ctx.Done()
			return []error{ctx.Err()}
		})
		if len(failed) != 1 || ctx.Err() != nil {
			t.Errorf("failed %v, and the event's time is over: %v", failed, ctx.Err())
		}
		r.event(1) // there was time left to put it off
	})
	t.Run("Ended", func(t *testing.T) {
		t.Parallel()
		r := setup(t, long)
		r.append("stored", "waits", "poison")
		ctx, cancel := context.WithCancel(t.Context())
		h := newHandler(func(d wal.Delivery) error {
			cancel()
			switch string(d.Data) {
			case "waits":
				return errors.New("not now")
			case "poison":
				return wal.Permanent(errors.New("broken"))
			}
			return nil
		})
		event := r.event(3)
		if failed := r.handleEvent(ctx, event, h.handle); len(failed) != 2 {
			t.Errorf("failed %v", failed)
		}
		if all, hidden := r.waiting(); all != 3 || hidden != 3 {
			t.Errorf("%d messages, %d of them hidden", all, hidden)
		}
	})
}

func TestHandleFailsAllForAWrongNumberOfVerdicts(t *testing.T) {
	t.Parallel()
	r := setup(t, long)
	r.append("a", "b")
	event := r.event(2)
	if failed := r.handleEvent(t.Context(), event, func(context.Context, []wal.Delivery) []error { return nil }); len(failed) != 2 {
		t.Errorf("failed %v", failed)
	}
}

func TestHandleRefusesOtherQueues(t *testing.T) {
	t.Parallel()
	r := setup(t, nil)
	for _, name := range []string{"", "other-0", r.name + "-dlq", strings.TrimSuffix(r.name, "0"), r.name + "x", strings.TrimSuffix(r.name, "0") + "-1", strings.TrimSuffix(r.name, "0") + "00"} {
		_, err := r.Handle(t.Context(), name, []sqswal.Message{{ID: "1", Body: "AQA="}}, func(context.Context, []wal.Delivery) []error {
			t.Errorf("%q was handed out", name)
			return []error{nil}
		})
		if err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}
