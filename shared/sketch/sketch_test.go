package sketch

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pulse-traces/pulse/shared/trace"
)

func encode(t testing.TB, s interface {
	AppendBinary([]byte) ([]byte, error)
},
) []byte {
	t.Helper()
	b, err := s.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLatencyQuantilesWithinOnePercent(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	shapes := map[string]func() float64{
		"LogNormal": func() float64 { return math.Exp(rng.NormFloat64()*2 + 6) },
		"Uniform":   func() float64 { return rng.Float64() * 1000 },
		"Zeros":     func() float64 { return float64(rng.IntN(3)) },
		"Tiny":      func() float64 { return 0.001 + rng.Float64()/1000 },
		"Extremes":  func() float64 { return []float64{0, 0.001, 1, trace.MaxDurationMS}[rng.IntN(4)] },
	}
	for name, draw := range shapes {
		var l Latency
		var all []float64
		for range 5000 {
			v := draw()
			l.Add(v)
			all = append(all, v)
		}
		slices.Sort(all)
		for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1} {
			want := all[max(int(math.Ceil(q*float64(len(all)))), 1)-1]
			if got := l.Quantile(q); math.Abs(got-want) > 0.01*want {
				t.Errorf("%s: quantile %v = %v, want %v", name, q, got, want)
			}
		}
		if l.Count() != 5000 {
			t.Errorf("%s: count %d", name, l.Count())
		}
	}
}

func TestLatencyTakesAnyFloat(t *testing.T) {
	t.Parallel()
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 5e-324, math.MaxFloat64} {
		var l, back Latency
		l.Add(v)
		if err := back.UnmarshalBinary(encode(t, &l)); err != nil || back.Count() != 1 {
			t.Errorf("%v: %v, count %d", v, err, back.Count())
		}
	}
}

func TestLatencyOrderAndGroupingDoNotMatter(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	values := make([]float64, 2000)
	for i := range values {
		values[i] = math.Exp(rng.NormFloat64()*3 + 4)
	}
	var whole Latency
	for _, v := range values {
		whole.Add(v)
	}
	want := encode(t, &whole)
	for range 20 {
		rng.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
		parts := make([]Latency, 7)
		for _, v := range values {
			parts[rng.IntN(len(parts))].Add(v)
		}
		var sum Latency
		for i := range parts {
			var part Latency
			if err := part.UnmarshalBinary(encode(t, &parts[i])); err != nil {
				t.Fatal(err)
			}
			sum.Merge(&part)
		}
		if !bytes.Equal(encode(t, &sum), want) {
			t.Fatal("bytes depend on order or grouping")
		}
	}
}

func TestEmptySketchesHaveNoBytes(t *testing.T) {
	t.Parallel()
	var l Latency
	l.Merge(&Latency{})
	var d Distinct
	d.Merge(&Distinct{})
	if len(encode(t, &l)) != 0 || len(encode(t, &d)) != 0 || l.Quantile(0.5) != 0 || d.Estimate() != 0 {
		t.Fatal("an empty sketch is not empty")
	}
	l.Add(1)
	d.Add("x")
	if l.UnmarshalBinary(nil) != nil || d.UnmarshalBinary(nil) != nil || l.Count() != 0 || d.Estimate() != 0 {
		t.Fatal("decoding nothing did not empty the sketch")
	}
}

func TestDistinctEstimates(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 10, ExactDistinct, ExactDistinct + 1, 5000, 40_000, 80_000, 300_000} {
		var d, stored Distinct
		for i := range n {
			d.Add(fmt.Sprint("session-", i))
			d.Add(fmt.Sprint("session-", i/2))
		}
		if d.Estimate() != int64(n) {
			t.Errorf("%d in memory: %d", n, d.Estimate())
		}
		if err := stored.UnmarshalBinary(encode(t, &d)); err != nil {
			t.Fatal(err)
		}
		got := stored.Estimate()
		if n <= ExactDistinct && got != int64(n) {
			t.Errorf("%d stored: %d, want it exact", n, got)
		}
		if diff := math.Abs(float64(got) - float64(n)); diff > 0.02*float64(n) {
			t.Errorf("%d stored: %d", n, got)
		}
	}
}

func TestDistinctOrderAndGroupingDoNotMatter(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{3, 700, ExactDistinct, ExactDistinct + 1, 3000, 50_000} {
		var whole Distinct
		for i := range n {
			whole.Add(fmt.Sprint(i))
		}
		want := encode(t, &whole)
		for range 3 {
			var sum Distinct
			for start := 0; start < n; {
				end := min(n, start+1+rng.IntN(n))
				var part Distinct
				for i := max(0, start-5); i < end; i++ {
					part.Add(fmt.Sprint(i))
				}
				sum.Merge(&part)
				// A store keeps the sum as bytes between the parts.
				stored := encode(t, &sum)
				sum = Distinct{}
				if err := sum.UnmarshalBinary(stored); err != nil {
					t.Fatal(err)
				}
				start = end
			}
			if !bytes.Equal(encode(t, &sum), want) {
				t.Fatalf("%d: bytes depend on order or grouping", n)
			}
		}
	}
}

// The hash is stored, so it may never change.
func TestDistinctHashIsFixed(t *testing.T) {
	t.Parallel()
	var d Distinct
	d.Add("pulse")
	if got := fmt.Sprintf("%x", encode(t, &d)); got != "01ccdb729e78499b3b" {
		t.Fatal(got)
	}
}

func FuzzLatency(f *testing.F) {
	var l Latency
	for i := range 100 {
		l.Add(float64(i * i))
	}
	f.Add(encode(f, &l))
	f.Add([]byte{latencyVersion, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var l, again Latency
		if l.UnmarshalBinary(data) != nil {
			return
		}
		l.Quantile(0.5)
		out := encode(t, &l)
		if err := again.UnmarshalBinary(out); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(encode(t, &again), out) {
			t.Fatal("not canonical")
		}
	})
}

func FuzzDistinct(f *testing.F) {
	for _, n := range []int{3, 2000, 60_000} {
		var d Distinct
		for i := range n {
			d.Add(fmt.Sprint(i))
		}
		f.Add(encode(f, &d))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var d, again Distinct
		if d.UnmarshalBinary(data) != nil {
			return
		}
		d.Estimate()
		d.Add("one more")
		out := encode(t, &d)
		if err := again.UnmarshalBinary(out); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(encode(t, &again), out) {
			t.Fatal("not canonical")
		}
	})
}
