package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/postgres"
	"github.com/pulse-traces/pulse/shared/testkit"
	"github.com/pulse-traces/pulse/shared/trace"
	"github.com/pulse-traces/pulse/shared/wal"
)

// List prices of us-east-1 as AWS published them in 2025, in dollars; see
// docs/deploy-aws.md.
const (
	priceHTTPRequest  = 1.00 / 1e6 // for each started 512 KB
	priceInvocation   = 0.20 / 1e6
	priceGBSecond     = 0.0000133334 // arm64
	priceQueueRequest = 0.40 / 1e6   // for each started 64 KB

	ingestGB, drainGB = 0.5, 1.0
	// vcpuGB is the memory at which Lambda gives a whole processor.
	vcpuGB = 1769.0 / 1024

	httpUnitBytes  = 512 << 10
	queueUnitBytes = 64 << 10
	// eventBytes is what a mapping hands to the drain at once.
	eventBytes = 6 << 20
)

const modulePath = "github.com/pulse-traces/pulse"

// batchSizes are the requests that the cost model is made for.
var batchSizes = [...]int{1, 10, 100}

// functions measures the functions as containers, over a real server that
// speaks SQS: what a request to ingest costs in processor time, and from that
// and the drain's rate what a million spans would cost on Lambda. The database
// is the one that drainPostgres prepared.
func (b *bench) functions(ctx context.Context) (err error) {
	endpoint, stop, err := testkit.StartSQS()
	if errors.Is(err, testkit.ErrNotInstalled) {
		fmt.Fprintln(os.Stderr, "the functions are not measured:", err)
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	dir := b.sub("functions")
	for _, name := range []string{"ingest", "migrate"} {
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", filepath.Join(dir, name), modulePath+"/functions/"+name)
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("build %s: %w", name, err)
		}
	}
	prefix := endpoint + "/" + testkit.AccountID + "/bench-"
	env := []string{
		"DATABASE_URL=" + b.postgres, "SQS_ENDPOINT=" + endpoint, "TRACE_QUEUE_URL_PREFIX=" + prefix + "trace-", "SPAN_QUEUE_URL_PREFIX=" + prefix + "span-",
		"TRACE_WAL_PARTITIONS=1", "SPAN_WAL_PARTITIONS=1", "KEY_CACHE_SECONDS=60", "AWS_REGION=" + testkit.Region,
		"AWS_ACCESS_KEY_ID=" + testkit.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + testkit.SecretAccessKey,
	}
	migrate := exec.CommandContext(ctx, filepath.Join(dir, "migrate"))
	migrate.Env = append(append(os.Environ(), env...), "SQS_CREATE_QUEUES=on")
	if out, err := migrate.CombinedOutput(); err != nil {
		return fmt.Errorf("migrate: %w: %s", err, out)
	}
	db, err := postgres.Open(ctx, b.postgres, postgres.Options{MaxConns: 1})
	if err != nil {
		return err
	}
	defer db.Close()
	s, err := startServer(ctx, filepath.Join(dir, "ingest"), dir, access{Key: benchKey}, env...)
	if err != nil {
		return err
	}
	defer s.stop()

	g := newGenerator(seed+3, time.Now().Add(-time.Minute), time.Minute)
	var costs []cost
	for _, size := range batchSizes {
		bodies := make([][]byte, max(1, 640/size))
		for i := range bodies {
			bodies[i] = g.body(size)
		}
		requests, cpu, err := ingestCPU(ctx, s, bodies, b.seconds/2)
		if err != nil {
			return err
		}
		c, err := b.costOf(ctx, db, g, size, cpu/float64(requests))
		if err != nil {
			return err
		}
		costs = append(costs, c)
		if size != batchSize {
			continue
		}
		bare, err := bareCPU(bodies, b.seconds/2)
		if err != nil {
			return err
		}
		mine := cpu / float64(requests*size)
		b.add(row{
			"ingest function, processor time per trace in batches of 100, SQS included", micros(mine),
			micros(bare) + " bare JSON decode and zstd of the same rows", fmt.Sprintf("%.2f", mine/bare), "≤ 2.0",
		})
	}
	b.costs = costs
	return nil
}

// ingestCPU posts bodies one after the other for d and gives the processor time
// that the function used, in seconds.
func ingestCPU(ctx context.Context, s *server, bodies [][]byte, d time.Duration) (requests int, cpu float64, err error) {
	client := newClient(1)
	send := func(i int) error {
		body := append([]byte{}, bodies[i%len(bodies)]...)
		renew(body)
		return post(ctx, client, s, tracesAsync, body)
	}
	for i := range 20 { // the key, the connections and the buffers are there
		if err := send(i); err != nil {
			return 0, 0, err
		}
	}
	before, err := cpuSeconds(s.cmd.Process.Pid)
	if err != nil {
		return 0, 0, err
	}
	for end := time.Now().Add(d); time.Now().Before(end); requests++ {
		if err := send(requests); err != nil {
			return 0, 0, err
		}
	}
	after, err := cpuSeconds(s.cmd.Process.Pid)
	return requests, after - before, err
}

// bareCPU decodes and compresses bodies for d, one after the other, and gives
// the seconds of processor time per trace.
func bareCPU(bodies [][]byte, d time.Duration) (float64, error) {
	encoder, err := bareEncoder(zstd.SpeedDefault)
	if err != nil {
		return 0, err
	}
	var out []byte
	traces := 0
	before, err := cpuSeconds(os.Getpid())
	if err != nil {
		return 0, err
	}
	start := time.Now()
	for i := 0; time.Since(start) < d; i++ {
		var n int
		if out, n, err = barePack(encoder, out[:0], bodies[i%len(bodies)]); err != nil {
			return 0, err
		}
		traces += n
	}
	after, err := cpuSeconds(os.Getpid())
	return (after - before) / float64(traces), err
}

// cost is what a million spans take, in batches of one size.
type cost struct {
	batch                                   int
	requestBytes, messageBytes              int
	ingestMS, drainMS                       float64 // of Lambda's time: per request, per message
	http, ingest, send, receive, drain, sum float64 // dollars
}

// costOf makes a line of the cost model. cpu is the measured processor time of
// one request, in seconds.
func (b *bench) costOf(ctx context.Context, db *postgres.DB, g *generator, size int, cpu float64) (cost, error) {
	const records = 400 // of the drain's measurement
	var batches []store.Batch
	c := cost{batch: size, requestBytes: len(g.body(size))}
	n := max(1, records/size)
	for range n {
		spans := make([]trace.Span, size)
		for i := range spans {
			r := g.record()
			spans[i] = r.span()
		}
		batch := store.Pack(project, time.Now(), spans)
		c.messageBytes += base64.StdEncoding.EncodedLen(len(wal.Seal(nil, store.AppendBatch(nil, &batch))))
		batches = append(batches, batch)
	}
	c.messageBytes /= n
	perEvent := max(1, min(eventBytes/(c.messageBytes+1<<10), 1000))
	start := time.Now()
	for at := 0; at < n; at += perEvent {
		if _, err := db.WriteBatches(ctx, batches[at:min(at+perEvent, n)]); err != nil {
			return c, err
		}
	}
	drainSeconds := time.Since(start).Seconds() / float64(n)

	million := 1e6 / float64(size)
	c.ingestMS = cpu * 1000 * vcpuGB / ingestGB
	c.drainMS = drainSeconds * 1000
	units := float64((c.messageBytes + queueUnitBytes - 1) / queueUnitBytes)
	c.http = million * priceHTTPRequest * float64((c.requestBytes+httpUnitBytes-1)/httpUnitBytes)
	c.ingest = million * (priceInvocation + c.ingestMS/1000*ingestGB*priceGBSecond)
	c.send = million * units * priceQueueRequest
	// Ten messages come with one receive and go with one delete, if they are small.
	c.receive = million * (units + 1) / 10 * priceQueueRequest
	if size == batchSize {
		c.receive = million * (units + 0.1) * priceQueueRequest
	}
	c.drain = million * (priceInvocation/float64(perEvent) + drainSeconds*drainGB*priceGBSecond)
	c.sum = c.http + c.ingest + c.send + c.receive + c.drain
	return c, nil
}

// costReport is the table of the cost model.
func costReport(costs []cost) string {
	if len(costs) == 0 {
		return ""
	}
	var w strings.Builder
	w.WriteString("\n## What a million spans cost on AWS\n\n" +
		"Made from the bytes and milliseconds of this run and list prices of us-east-1 in 2025; nothing was run on AWS. Lambda's time is the processor\n" +
		"time of the function, stretched to the share of a processor that 512 MB get. The database is not in it. `docs/deploy-aws.md` shows the sums.\n\n" +
		"| spans in a request | request | message | ingest | drain per message | HTTP API | ingest | send | receive, delete | drain | sum |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range costs {
		fmt.Fprintf(&w, "| %d | %s B | %s B | %.1f ms | %.1f ms | $%.3f | $%.3f | $%.3f | $%.3f | $%.3f | **$%.3f** |\n",
			c.batch, thousands(c.requestBytes), thousands(c.messageBytes), c.ingestMS, c.drainMS, c.http, c.ingest, c.send, c.receive, c.drain, c.sum)
	}
	return w.String()
}

func micros(seconds float64) string { return fmt.Sprintf("%.1f µs", seconds*1e6) }
