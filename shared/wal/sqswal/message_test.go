package sqswal

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"github.com/pulse-traces/pulse/shared/wal"
)

// FuzzMessage reads what anybody may have sent to a queue.
func FuzzMessage(f *testing.F) {
	f.Add(base64.StdEncoding.EncodeToString(wal.Seal(nil, []byte("a record"))), "3", "10", "2026-01-25T12:00:00Z", "no such project")
	f.Add("", "", "", "", "")
	f.Add("AQA=", "-1", strconv.Itoa(math.MaxInt), "yesterday", "\x00\xff🙂")
	f.Fuzz(func(t *testing.T, body, receives, attempts, failedAt, reason string) {
		m := Message{
			ID: "id", Body: body, Attributes: map[string]string{systemReceiveCount: receives, systemSent: receives},
			MessageAttributes: map[string]string{attributeAttempts: attempts, attributeFailedAt: failedAt, attributeReason: reason},
		}
		if data, err := m.data(); err == nil {
			again := Message{Body: base64.StdEncoding.EncodeToString(wal.Seal(nil, data))}
			if got, err := again.data(); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes come back of %d, %v", len(got), len(data), err)
			}
		}
		if n := m.attempts(); n < 1 {
			t.Errorf("attempt %d", n)
		}
		letter := letterOf(queue{}, &m)
		if letter.Reason == "" || letter.Attempts < 0 || letter.Size != len(letter.Data) {
			t.Errorf("dead letter %+v", letter)
		}
		text := reasonText(errors.New(reason))
		if text == "" || len(text) > maxReasonBytes || reasonText(errors.New(text)) != text {
			t.Errorf("reason %q", text)
		}
	})
}

func TestCallsStayWithinLimits(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var messages []outgoing
		for range rng.IntN(40) {
			o := outgoing{body: strings.Repeat("x", 1+rng.IntN(maxBytes-attributeBytes))}
			if rng.IntN(2) == 0 {
				o.body = o.body[:1+len(o.body)/100]
			}
			if rng.IntN(3) == 0 {
				o.attributes = map[string]string{attributeReason: strings.Repeat("r", rng.IntN(maxReasonBytes))}
			}
			messages = append(messages, o)
		}
		var got []outgoing
		calls := inCalls(messages)
		for i, call := range calls {
			size := 0
			for j := range call {
				size += call[j].size()
			}
			if len(call) == 0 || len(call) > maxEntries || size > maxBytes {
				t.Fatalf("a call of %d entries and %d bytes", len(call), size)
			}
			if i > 0 && len(calls[i-1]) < maxEntries {
				before := 0
				for j := range calls[i-1] {
					before += calls[i-1][j].size()
				}
				if before+call[0].size() <= maxBytes {
					t.Fatal("a message begins a call though it had fitted the one before")
				}
			}
			got = append(got, call...)
		}
		if len(got) != len(messages) {
			t.Fatalf("%d messages of %d are in calls", len(got), len(messages))
		}
		for i := range got {
			if got[i].body != messages[i].body {
				t.Fatal("messages change their order")
			}
		}
	}
}

func TestLargestRecordLeavesRoomForAttributes(t *testing.T) {
	t.Parallel()
	body := base64.StdEncoding.EncodeToString(make([]byte, MaxRecordBytes+wal.EnvelopeBytes))
	o := outgoing{body: body, attributes: map[string]string{
		attributeReason: strings.Repeat("r", maxReasonBytes), attributeFailedAt: "2026-01-25T12:00:00.123456789Z",
		attributeAttempts: strconv.Itoa(math.MaxInt), attributeSource: strings.Repeat("q", 80), // the longest name of a queue
	}}
	if n := o.size(); n > maxBytes {
		t.Errorf("%d bytes as a dead letter, and SQS takes %d", n, maxBytes)
	}
}

func TestPasses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want bool
	}{
		{errors.New("connection reset"), true},
		{&smithy.GenericAPIError{Code: "AccessDenied", Fault: smithy.FaultClient}, false},
		{&smithy.GenericAPIError{Code: "InternalError", Fault: smithy.FaultServer}, true},
		{&smithy.GenericAPIError{Code: "KMS.ThrottlingException", Fault: smithy.FaultClient}, true},
		{&smithy.GenericAPIError{Code: "com.amazonaws.sqs#RequestThrottled", Fault: smithy.FaultClient}, true},
		{&smithy.GenericAPIError{Code: "AWS.SimpleQueueService.NonExistentQueue", Fault: smithy.FaultClient}, false},
		{&smithy.GenericAPIError{Code: "OverLimit", Fault: smithy.FaultClient}, true},
	} {
		if got := passes(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

// TestSilenceIsNoSuccess answers a batch without a word on one of its entries.
func TestSilenceIsNoSuccess(t *testing.T) {
	t.Parallel()
	var asked [][]int
	errs := inTries(t.Context(), 3, func(_ context.Context, open []int) (result, error) {
		asked = append(asked, open)
		if len(asked) == 1 {
			return result{done: []*string{entryID(0), entryID(7), aws.String("x"), nil}}, nil
		}
		return result{done: []*string{entryID(1)}}, nil
	})
	if errs[0] != nil || errs[1] != nil || errs[2] == nil || len(asked) != maxTries || !slices.Equal(asked[1], []int{1, 2}) || !slices.Equal(asked[2], []int{2}) {
		t.Errorf("errors %v after %v", errs, asked)
	}
}
