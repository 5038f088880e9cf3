package sqswal_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/testkit"
	"github.com/pulse-traces/pulse/shared/wal"
	"github.com/pulse-traces/pulse/shared/wal/sqswal"
	"github.com/pulse-traces/pulse/shared/wal/waltest"
)

// TestMain lets more tests run at a time than there are processors: nearly all
// of their time they wait for messages.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// credentials are what the servers of tests do not look at.
var credentials = sqswal.Credentials(sqswal.CredentialSource{AccessKeyID: testkit.AccessKeyID, SecretAccessKey: testkit.SecretAccessKey})

// options are those of a log named name at endpoint, whose queues forget fast
// that somebody died.
func options(t *testing.T, endpoint, name string, partitions int) sqswal.Options {
	return sqswal.Options{
		QueueURLPrefix: endpoint + "/" + testkit.AccountID + "/" + name + "-trace-", Partitions: partitions, Region: testkit.Region, Endpoint: endpoint,
		Credentials: credentials, VisibilityTimeout: 2 * time.Second,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

// open opens a log whose queues are made if they are missing. On a busy machine a
// server may not answer within a request's time; to make queues again is harmless.
func open(t *testing.T, o sqswal.Options) *sqswal.Log {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		err := sqswal.Ensure(t.Context(), o)
		if err == nil {
			break
		}
		if !errors.Is(err, context.DeadlineExceeded) || time.Now().After(end) {
			t.Fatal(err)
		}
	}
	l, err := sqswal.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// nameOf makes a queue's name of a directory's.
func nameOf(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return "pulse-" + hex.EncodeToString(sum[:6])
}

func TestLog(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]func(testing.TB) string{"fauxqs": testkit.SQS, "ElasticMQ": testkit.ElasticMQ} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			endpoint := server(t)
			waltest.Exercise(t, func(t *testing.T, dir string, partitions int) wal.Log {
				l := open(t, options(t, endpoint, nameOf(dir), partitions))
				l.SetAppendTimeout(patience) // the server shares this machine
				return l
			})
		})
	}
}
