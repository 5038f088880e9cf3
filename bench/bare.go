package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/zstd"
)

// What no ingest can do without is the limit that ours is measured against: read
// the JSON, make it small, and put it on the disk.

func bareEncoder(level zstd.EncoderLevel) (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)), zstd.WithEncoderLevel(level))
}

// barePack decodes body and appends it to dst compressed. n is how many traces
// it has.
func barePack(encoder *zstd.Encoder, dst, body []byte) (packed []byte, n int, err error) {
	var rows []struct {
		record
		RequestBody  jsontext.Value `json:"request_body"`
		ResponseBody jsontext.Value `json:"response_body"`
		Metadata     jsontext.Value `json:"metadata"`
	}
	if err := json.Unmarshal(body, &rows); err != nil {
		return nil, 0, err
	}
	return encoder.EncodeAll(body, dst), len(rows), nil
}

// serveBare answers on address once the packed body is in a file below dir that
// an fsync has made durable, one for all who wait, and does nothing else.
func serveBare(address, dir string) error {
	encoder, err := bareEncoder(zstd.SpeedFastest)
	if err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(dir, "bare.log"))
	if err != nil {
		return err
	}
	type packed struct {
		data []byte
		kept chan error
	}
	waiting := make(chan packed, 100)
	go func() {
		for next := range waiting {
			group := []packed{next}
			for range len(waiting) {
				group = append(group, <-waiting)
			}
			var err error
			for _, p := range group {
				_, failed := file.Write(p.data)
				err = errors.Join(err, failed)
			}
			err = errors.Join(err, file.Sync())
			for _, p := range group {
				p.kept <- err
			}
		}
	}()
	keep := func(body io.Reader) error {
		raw, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		p := packed{kept: make(chan error, 1)}
		if p.data, _, err = barePack(encoder, nil, raw); err != nil {
			return err
		}
		waiting <- p
		return <-p.kept
	}
	return http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := tracesAsync.status
		if err := keep(r.Body); err != nil {
			status = http.StatusInternalServerError
		}
		w.WriteHeader(status)
	}))
}

// jitter does the same millisecond of work again and again for d, on every
// processor at once, and tells how long it took: what a machine that others
// share, or that is held back, adds to whatever runs on it.
func jitter(d time.Duration) (p50, p99, longest time.Duration) {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		times []time.Duration
	)
	for range runtime.NumCPU() {
		wg.Go(func() {
			work := millisecond()
			var mine []time.Duration
			for start := time.Now(); time.Since(start) < d; {
				began := time.Now()
				work()
				mine = append(mine, time.Since(began))
			}
			mu.Lock()
			times = append(times, mine...)
			mu.Unlock()
		})
	}
	wg.Wait()
	slices.Sort(times)
	return times[len(times)/2], times[len(times)*99/100], times[len(times)-1]
}

// millisecond gives a function that takes one where nothing disturbs it.
func millisecond() func() {
	table := make([]uint32, 1<<14)
	sum := uint32(1)
	do := func(rounds int) {
		for i := range rounds {
			sum = sum*2654435761 + uint32(i)
			table[sum>>18] ^= sum
		}
	}
	const sample = 1 << 14
	best := time.Hour
	for range 200 {
		start := time.Now()
		do(sample)
		best = min(best, time.Since(start))
	}
	rounds := int(sample * time.Millisecond / best)
	return func() { do(rounds) }
}
