package rejection_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/rejection"
	"github.com/pulse-traces/pulse/shared/store"
)

// kept is a store that can fail.
type kept struct {
	err    error
	calls  int
	counts map[string]int64
}

func (k *kept) AddRejections(_ context.Context, project account.ProjectID, rows []store.Rejection) error {
	k.calls++
	if k.err != nil {
		return k.err
	}
	for _, r := range rows {
		k.counts[fmt.Sprintf("%s %s %s", project, r.Minute.Format("15:04"), r.Reason)] += r.Count
	}
	return nil
}

func (k *kept) Rejections(context.Context, account.ProjectID, time.Time, int) ([]store.Rejection, error) {
	return nil, nil
}

func TestBook(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 25, 12, 0, 30, 0, time.UTC)
	k := &kept{counts: map[string]int64{}}
	b := rejection.New(k, slog.New(slog.DiscardHandler), func() time.Time { return now })
	bad, large := fault.New(fault.Invalid, "bad"), fault.New(fault.TooLarge, "large")
	add := func(project account.ProjectID, err error, n int) { b.Add(t.Context(), project, err, n) }

	add("a", bad, 1)
	add("a", bad, 2) // waits
	add("b", large, 1)
	add("a", fault.New(fault.Unavailable, "later"), 1)
	add("", bad, 1)
	want := map[string]int64{"a 12:00 bad": 1, "b 12:00 large": 1}
	if diff := cmp.Diff(want, k.counts); diff != "" {
		t.Fatal(diff)
	}
	now = now.Add(time.Minute)
	k.err = fault.New(fault.Unavailable, "")
	add("a", bad, 4) // which fails, and waits with the others
	k.err = nil
	add("a", bad, 8)
	if k.calls != 3 {
		t.Fatalf("%d writes", k.calls)
	}
	b.Flush(t.Context())
	want["a 12:00 bad"], want["a 12:01 bad"] = 3, 12
	if diff := cmp.Diff(want, k.counts); diff != "" {
		t.Fatal(diff)
	}
}

// What waits is bounded, however many reasons there are.
func TestBookIsBounded(t *testing.T) {
	t.Parallel()
	k := &kept{err: fault.New(fault.Unavailable, ""), counts: map[string]int64{}}
	b := rejection.New(k, slog.New(slog.DiscardHandler), time.Now)
	for i := range 5000 {
		b.Add(t.Context(), account.ProjectID(fmt.Sprint(i)), fault.New(fault.Invalid, "bad"), 1)
	}
	calls := k.calls
	if b.Flush(t.Context()); k.calls != calls+1 {
		t.Fatalf("a store that takes nothing was asked %d times", k.calls-calls)
	}
	k.err = nil
	b.Flush(t.Context())
	if len(k.counts) != 1000 {
		t.Fatalf("%d were kept", len(k.counts))
	}
}

func TestReason(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"Bad":      fault.New(fault.Invalid, "Bad"),
		"invalid":  fault.New(fault.Invalid, ""),
		"internal": context.Canceled,
		"Bad: traces[].id: must be a text": &fault.Error{Code: fault.Invalid, Message: "Bad", Issues: []fault.Issue{
			{Path: []any{"traces", 7, "id"}, Message: "must be a text"}, {Path: []any{"other"}},
		}},
		"Bad: must be a list": &fault.Error{Code: fault.Invalid, Message: "Bad", Issues: []fault.Issue{{Message: "must be a list"}}},
	} {
		if got := rejection.Reason(err); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
	long := rejection.Reason(fault.New(fault.Invalid, strings.Repeat("ü", 400)))
	if len(long) > 300 || !strings.HasSuffix(long, "ü…") {
		t.Errorf("a long reason is %q", long)
	}
}
