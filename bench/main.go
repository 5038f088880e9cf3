// Command bench measures Pulse as docs/benchmarks.md shows it: each figure
// beside the limit that it is compared with, both measured in the same run on
// the same machine. It starts servers of its own on loopback and stops by
// itself.
//
//	make bench                  # everything, 1 M traces
//	go run ./bench -traces 0    # ingest only
//	go run ./bench -ingest      # acknowledged and sustained ingest only
//	go run ./bench -otlp        # ingest through OTLP only
//	go run ./bench -reads sqlite -dir /tmp/reads  # reads only; again on the same store
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/postgres"
	"github.com/pulse-traces/pulse/shared/store/sqlite"
	"github.com/pulse-traces/pulse/shared/trace"
)

func main() {
	var b bench
	flag.StringVar(&b.binary, "binary", "dist/pulse", "the server to measure; make build makes it")
	flag.StringVar(&b.postgres, "postgres", os.Getenv("TEST_DATABASE_URL"), "Postgres to measure; none without")
	flag.IntVar(&b.traces, "traces", 1_000_000, "size of the store that reads are measured on")
	flag.StringVar(&b.engine, "reads", "", "measure only the reads, of this engine: sqlite or postgres")
	flag.BoolVar(&b.onlyIngest, "ingest", false, "measure only acknowledged and sustained ingest")
	flag.BoolVar(&b.onlyOTLP, "otlp", false, "measure only ingest through OTLP")
	flag.DurationVar(&b.seconds, "for", 10*time.Second, "how long the ingest load runs")
	flag.StringVar(&b.dir, "dir", "", "where to keep the stores, to measure reads again without filling them; a temporary directory by default")
	bare := flag.String("bare", "", "only serve what ingest is compared with, on this address; the benchmark starts it")
	out := flag.String("o", "", "write the table to this file too")
	flag.Parse()
	if *bare != "" {
		fmt.Fprintln(os.Stderr, "bench:", serveBare(*bare, b.dir))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	report := b.report()
	fmt.Print(report)
	if *out != "" {
		if err := os.WriteFile(*out, []byte(report), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
	}
}

type bench struct {
	binary, postgres, dir string
	engine                string // "" is all there is to measure
	onlyIngest, onlyOTLP  bool
	traces                int
	seconds               time.Duration
	rows                  []row
	costs                 []cost
}

// row is a line of the table.
type row struct{ what, measured, limit, ratio, target string }

func (b *bench) add(r row) {
	b.rows = append(b.rows, r)
	fmt.Fprintf(os.Stderr, "%s: %s (limit %s, ratio %s, target %s)\n", r.what, r.measured, r.limit, r.ratio, r.target)
}

const (
	connections = 8
	targetRate  = 25_000
	seed        = 7
	project     = account.ProjectID("5b3f6c1e-0000-4000-8000-000000000001")
	benchKey    = "pulse_sk_bench" // of that project
)

func (b *bench) run(ctx context.Context) (err error) {
	if b.binary, err = filepath.Abs(b.binary); err != nil {
		return err
	}
	if _, err := os.Stat(b.binary); err != nil {
		return fmt.Errorf("%w: run make build first", err)
	}
	if b.dir == "" {
		if b.dir, err = os.MkdirTemp("", "pulse-bench-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	}
	all := b.engine == "" && !b.onlyIngest && !b.onlyOTLP
	var steps []func(context.Context) error
	if all {
		steps = append(steps, b.atRest)
	}
	if all || b.onlyIngest {
		steps = append(steps, b.ingestLocal)
	}
	if all || b.onlyOTLP {
		steps = append(steps, b.otlp)
	}
	if all && b.postgres != "" {
		steps = append(steps, b.drainPostgres, b.functions)
	}
	if b.traces > 0 && (all || b.engine == "sqlite") {
		steps = append(steps, b.readsSQLite)
	}
	if b.traces > 0 && b.postgres != "" && (all || b.engine == "postgres") {
		steps = append(steps, b.readsPostgres)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// atRest measures a server that nobody talks to.
func (b *bench) atRest(ctx context.Context) error {
	s, err := startServer(ctx, b.binary, b.sub("rest"), access{})
	if err != nil {
		return err
	}
	defer s.stop()
	time.Sleep(15 * time.Second) // past the work of the start and the sign-up
	rss, core, err := s.rest(10 * time.Second)
	if err != nil {
		return err
	}
	b.add(row{"resident memory at rest", fmt.Sprintf("%.1f MiB", rss), "", "", "< 40 MB"})
	b.add(row{"processor at rest", fmt.Sprintf("%.2f%% of a core", core*100), "", "", "< 1%"})
	return nil
}

func (b *bench) ingestLocal(ctx context.Context) error {
	g := newGenerator(seed, time.Now().Add(-time.Minute), time.Minute) // live traffic
	bodies := make([][]byte, 64)
	for i := range bodies {
		bodies[i] = g.body(batchSize)
	}
	records := make([]record, 20_000)
	for i := range records {
		records[i] = g.record()
	}
	s, err := startServer(ctx, b.binary, b.sub("ingest"), access{})
	if err != nil {
		return err
	}
	defer s.stop()
	start := time.Now()
	asked, err := ingest(ctx, s, tracesAsync, load{time: b.seconds}, bodies)
	if err != nil {
		return err
	}
	if err := s.waitFor(ctx, "/v1/traces", asked.acked); err != nil {
		return err
	}
	queryable := float64(asked.acked) / time.Since(start).Seconds()
	p50, p99, longest := jitter(b.seconds / 2)
	b.add(row{
		"a millisecond of arithmetic on every processor at once: p50 / p99 / longest",
		fmt.Sprintf("%s / %s / %s", ms(p50), ms(p99), ms(longest)), "", "", "",
	})
	bare, err := startBare(ctx, b.sub("bare"))
	if err != nil {
		return err
	}
	defer bare.stop()
	bareAsked, err := ingest(ctx, bare, tracesAsync, load{time: b.seconds / 2}, bodies)
	if err != nil {
		return err
	}
	paced, barePaced, err := b.paced(ctx, s, bare, asked.acked, bodies)
	if err != nil {
		return err
	}
	raw, err := rawSQLite(b.dir, records, asked.acked, 1000)
	if err != nil {
		return err
	}
	b.add(row{
		"acknowledged ingest, batches of 100, 8 connections, as fast as answers come", perSecond(asked.rate()), perSecond(bareAsked.rate()) + " bare: read JSON, zstd, fsync; no drain",
		ratio(asked.rate(), bareAsked.rate()), "≥ 25,000 traces/s",
	})
	b.add(row{
		"its p50 / p99 until the answer", fmt.Sprintf("%s / %s", ms(asked.p50), ms(asked.p99)),
		fmt.Sprintf("%s / %s bare", ms(bareAsked.p50), ms(bareAsked.p99)), ratio(asked.p99.Seconds(), bareAsked.p99.Seconds()), "p99 < 50 ms",
	})
	b.add(row{"acknowledged ingest at 25,000 traces/s", perSecond(paced.rate()), "", "", "≥ 25,000 traces/s"})
	b.add(row{
		"its p50 / p99 from when a request was due, medians of " + strconv.Itoa(turns) + " turns", fmt.Sprintf("%s / %s", ms(paced.p50), ms(paced.p99)),
		fmt.Sprintf("%s / %s bare, in turns with it", ms(barePaced.p50), ms(barePaced.p99)),
		ratio(paced.p99.Seconds(), barePaced.p99.Seconds()), "p99 < 50 ms",
	})
	b.add(row{
		"sustained ingest until queryable", perSecond(queryable), perSecond(raw) + " raw SQLite insert of as many, 1,000 a transaction",
		ratio(queryable, raw), "≥ 1.0",
	})
	sync, err := ingest(ctx, s, tracesBatch, load{time: b.seconds / 2}, bodies)
	if err != nil {
		return err
	}
	b.add(row{
		"`/v1/traces/batch`: stored before the answer", perSecond(sync.rate()), perSecond(raw) + " raw SQLite insert",
		ratio(sync.rate(), raw), "",
	})
	return nil
}

// turns is how often two servers take turns under the load that has a rate: one
// stall of the machine, which others share, is the p99 of a whole turn.
const turns = 5

// paced gives the load that has a rate to s, which holds stored traces, and to
// bare in turns, and tells the medians.
func (b *bench) paced(ctx context.Context, s, bare *server, stored int, bodies [][]byte) (ours, limit loadResult, err error) {
	l := load{rate: targetRate, time: b.seconds / 2}
	var all, allBare []loadResult
	for range turns {
		r, err := ingest(ctx, s, tracesAsync, l, bodies)
		if err != nil {
			return ours, limit, err
		}
		stored += r.acked
		if err := s.waitFor(ctx, "/v1/traces", stored); err != nil {
			return ours, limit, err
		}
		all = append(all, r)
		if r, err = ingest(ctx, bare, tracesAsync, l, bodies); err != nil {
			return ours, limit, err
		}
		allBare = append(allBare, r)
	}
	return median(all), median(allBare), nil
}

func (b *bench) drainPostgres(ctx context.Context) error {
	g := newGenerator(seed+1, time.Now().Add(-time.Minute), time.Minute)
	records := make([]record, 40_000)
	for i := range records {
		records[i] = g.record()
	}
	const perTx = 2000
	var batches []store.Batch
	for at := 0; at < len(records); at += batchSize {
		batches = append(batches, pack(records[at:at+batchSize]))
	}
	db, err := postgres.Open(ctx, b.postgres, postgres.Options{MaxConns: 1})
	if err != nil {
		return err
	}
	defer db.Close()
	if err := prepare(ctx, db); err != nil {
		return err
	}
	// In turns, so that a machine that slows down slows both.
	var drained, copied float64
	const rounds = 4
	for i := range rounds {
		part := records[i*len(records)/rounds : (i+1)*len(records)/rounds]
		rate, err := rawCopy(ctx, b.postgres, part, perTx)
		if err != nil {
			return err
		}
		copied += rate / rounds
		mine := batches[i*len(batches)/rounds : (i+1)*len(batches)/rounds]
		start := time.Now()
		for at := 0; at < len(mine); at += perTx / batchSize {
			if _, err := db.WriteBatches(ctx, mine[at:min(at+perTx/batchSize, len(mine))]); err != nil {
				return err
			}
		}
		drained += float64(len(part)) / time.Since(start).Seconds() / rounds
	}
	b.add(row{
		"drain into Postgres, one connection", perSecond(drained), perSecond(copied) + " raw COPY of the same rows, JSONB, three indexes",
		ratio(drained, copied), "≥ 1.0",
	})
	return nil
}

func (b *bench) readsSQLite(ctx context.Context) error {
	home := b.sub("reads")
	who, err := keptAccess(home)
	if err != nil {
		return err
	}
	if who == (access{}) {
		if who, err = b.fillSQLite(ctx, home); err != nil {
			return err
		}
	}
	s, err := startServer(ctx, b.binary, home, who)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := b.reads(s, "SQLite"); err != nil {
		return err
	}
	return b.browser(ctx, s, fmt.Sprintf(", %s traces stored", thousands(b.traces)))
}

// fillSQLite makes a store in home and fills it while no server runs.
func (b *bench) fillSQLite(ctx context.Context, home string) (access, error) {
	s, err := startServer(ctx, b.binary, home, access{})
	if err != nil {
		return access{}, err
	}
	s.stop()
	db, err := sqlite.Open(ctx, filepath.Join(home, ".data", "pulse.db"))
	if err != nil {
		return access{}, err
	}
	if err := errors.Join(b.fill(ctx, db, account.ProjectID(s.Project)), db.Close()); err != nil {
		return access{}, err
	}
	return s.access, keepAccess(home, s.access)
}

func (b *bench) readsPostgres(ctx context.Context) error {
	db, err := postgres.Open(ctx, b.postgres, postgres.Options{MaxConns: 1})
	if err != nil {
		return err
	}
	defer db.Close()
	home := b.sub("reads-postgres")
	env := []string{"PULSE_MODE=scale", "DATABASE_URL=" + b.postgres, "BETTER_AUTH_SECRET=" + strings.Repeat("s", 32), "ENCRYPTION_KEY=" + strings.Repeat("k", 32)}
	who, err := keptAccess(home)
	if err != nil {
		return err
	}
	s, err := startServer(ctx, b.binary, home, who, env...)
	if err != nil {
		return err
	}
	defer s.stop()
	if who == (access{}) {
		if err := b.fill(ctx, db, account.ProjectID(s.Project)); err != nil {
			return err
		}
		if err := keepAccess(home, s.access); err != nil {
			return err
		}
	}
	return b.reads(s, "Postgres")
}

// fill stores b.traces traces of the last 30 days.
func (b *bench) fill(ctx context.Context, w interface {
	store.SpanWriter
	store.TextIndexer
}, owner account.ProjectID,
) error {
	g := newGenerator(seed+2, time.Now().Add(-30*24*time.Hour), 30*24*time.Hour)
	// Making a million texts takes longer than storing them: contents repeat.
	texts := make([]record, 5000)
	for i := range texts {
		texts[i] = g.record()
	}
	start := time.Now()
	for done := 0; done < b.traces; {
		var batches []store.Batch
		for range 20 {
			spans := make([]trace.Span, batchSize)
			for i := range spans {
				fresh := g.narrow(texts[g.rng.IntN(len(texts))], done+i, b.traces)
				spans[i] = fresh.span()
			}
			batches = append(batches, store.Pack(owner, time.Now(), spans))
			done += batchSize
		}
		if _, err := w.WriteBatches(ctx, batches); err != nil {
			return err
		}
		if done%200_000 == 0 {
			fmt.Fprintf(os.Stderr, "stored %d of %d traces, %s\n", done, b.traces, perSecond(float64(done)/time.Since(start).Seconds()))
		}
	}
	start = time.Now()
	for { // what a server does beside its work
		if signed, err := w.SignChunks(ctx, 200); err != nil || signed == 0 {
			fmt.Fprintf(os.Stderr, "indexed their texts, %s\n", perSecond(float64(b.traces)/time.Since(start).Seconds()))
			return err
		}
	}
}

func (b *bench) reads(s *server, engine string) error {
	of := fmt.Sprintf(" of %s traces, %s", thousands(b.traces), engine)
	day := func(back int) string {
		return time.Now().Add(-time.Duration(back) * 24 * time.Hour).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	page, err := s.get("/v1/traces?limit=50")
	if err != nil {
		return err
	}
	id, _, _ := strings.Cut(strings.SplitN(string(page), `"traceId":"`, 2)[1], `"`)
	for _, q := range []struct{ what, path, target string }{
		{"`GET /v1/analytics`, 30 days" + of, "/v1/analytics?date_from=" + day(31) + "&date_to=" + day(0), "< 30 ms"},
		{"`GET /v1/analytics`, 7 days, by hour" + of, "/v1/analytics?group_by=hour&date_from=" + day(7) + "&date_to=" + day(0), "< 30 ms"},
		{"`GET /v1/traces?limit=50`" + of, "/v1/traces?limit=50", "< 15 ms"},
		{"`GET /v1/traces?limit=50&fields=summary`" + of, "/v1/traces?limit=50&fields=summary", "< 15 ms"},
		{"`GET /v1/traces/:id`" + of, "/v1/traces/" + id, "< 15 ms"},
	} {
		p50, p95, err := quantiles(100, func() error { _, err := s.get(q.path); return err })
		if err != nil {
			return err
		}
		b.add(row{q.what, fmt.Sprintf("p50 %s, p95 %s", ms(p50), ms(p95)), "", "", "p95 " + q.target})
	}
	return b.pages(s, of)
}

// pages measures what the dashboard's pages ask, over all that is stored.
func (b *bench) pages(s *server, of string) error {
	window := func(days int) string {
		now := time.Now().UTC()
		return fmt.Sprintf(`"from":%q,"to":%q`, now.Add(-time.Duration(days)*24*time.Hour).Format(time.RFC3339), now.Format(time.RFC3339))
	}
	for _, q := range []struct{ what, path, body string }{
		{"overview, 24 hours", "overview", `{` + window(1) + `}`},
		{"overview, 30 days", "overview", `{` + window(30) + `}`},
		{"heatmap, 30 days", "heatmap", `{"measure":"latency",` + window(30) + `}`},
		{"list, the newest", "traces/search", `{` + window(30) + `}`},
		{"list, the costliest", "traces/search", `{"sort":"cost",` + window(30) + `}`},
		{"list, `status:error`", "traces/search", `{"q":"status:error",` + window(30) + `}`},
		{"list, `latency>5s model:gpt-4o*`", "traces/search", `{"q":"latency>5s model:gpt-4o*",` + window(30) + `}`},
		{"list, a text that nobody said, in the newest 20,000", "traces/search", `{"text":"invoice 4f1d9a7c3e",` + window(30) + `}`},
		{"facets, 24 hours", "facets", `{` + window(1) + `}`},
		{"facets, 30 days", "facets", `{` + window(30) + `}`},
		{"histogram, 30 days", "histogram", `{"buckets":60,` + window(30) + `}`},
		{"breakdown by model, 30 days", "breakdown", `{"by":["model"],` + window(30) + `}`},
	} {
		p50, p95, err := quantiles(20, func() error { _, err := s.ask(q.path, q.body); return err })
		if err != nil {
			return err
		}
		b.add(row{"dashboard: " + q.what + of, fmt.Sprintf("p50 %s, p95 %s", ms(p50), ms(p95)), "", "", "p95 < 300 ms"})
	}
	return nil
}

func pack(records []record) store.Batch {
	spans := make([]trace.Span, len(records))
	for i := range records {
		spans[i] = records[i].span()
	}
	return store.Pack(project, time.Now(), spans)
}

// prepare makes the schema and the project that pack names.
func prepare(ctx context.Context, db *postgres.DB) error {
	if err := db.Migrate(ctx, nil); err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	user := account.User{ID: "bench-user", Name: "Bench", Email: "store@bench.example", CreatedAt: now, UpdatedAt: now}
	return db.CreateUser(ctx, store.NewUser{User: user, CredentialID: "bench-credential", PasswordHash: "none", Project: &store.NewProject{
		Project: account.Project{ID: project, Name: "Bench", CreatedAt: now},
		Key:     account.APIKey{ID: "bench-key", ProjectID: project, Hash: account.HashKey(benchKey), Name: "bench", CreatedAt: now},
		Member:  account.Membership{ID: "bench-member", UserID: user.ID, ProjectID: project, Role: account.RoleAdmin, CreatedAt: now},
	}})
}

// sub makes a directory of its own for a step.
func (b *bench) sub(name string) string {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		panic(err)
	}
	return dir
}

func (b *bench) report() string {
	var w strings.Builder
	fmt.Fprintf(&w, "# Benchmarks\n\nMade by `go run ./bench` (see `make bench`) on %s: %s/%s, %d processors, %s. Limits were measured in the same run. Figures of one machine\nare no promise for another: compare the ratios.\n\n",
		time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	w.WriteString("| what | measured | limit | ratio | target |\n|---|---|---|---|---|\n")
	for _, r := range b.rows {
		fmt.Fprintf(&w, "| %s | %s | %s | %s | %s |\n", r.what, r.measured, r.limit, r.ratio, r.target)
	}
	w.WriteString(costReport(b.costs))
	w.WriteString("\nTraces are chat calls of about 3.3 KB of JSON. The load generator runs on the same processors as the server.\n")
	return w.String()
}

func perSecond(rate float64) string { return thousands(int(rate)) + "/s" }

func ratio(a, b float64) string { return fmt.Sprintf("%.2f", a/b) }

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
