package sketch

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/pulse-traces/pulse/shared/trace"
)

// Values between minLatencyMS and trace.MaxDurationMS fall into bins that
// share a float64's exponent and the first subBits bits of its fraction: 64
// bins per doubling. A bin's bounds differ by 1/64 at most, so the value that
// stands for it is within 0.8% of everything in it. Bins taken from the bits
// are the same on every machine, which a logarithm does not promise.
const (
	subBits      = 6
	minLatencyMS = 0.001
	binShift     = 52 - subBits
)

var (
	firstBin = math.Float64bits(minLatencyMS) >> binShift
	// latencyBins counts all bins, bin 0 for exactly zero included: about 3,000.
	latencyBins = int(math.Float64bits(trace.MaxDurationMS)>>binShift-firstBin) + 2
)

const latencyVersion = 1

// Latency counts durations in milliseconds so that quantiles over any union of
// Latencies are within 1% of the true ones. The zero value is empty. It holds
// at most some 3,000 counters, in practice the few hundred between the
// smallest and the largest value seen.
type Latency struct {
	counts []uint64 // of the bins first, first+1, …
	first  int
	total  uint64
}

// binOf gives the bin of v. Negative values and NaN count as 0, values under
// one microsecond as one microsecond, values over trace.MaxDurationMS as that.
func binOf(v float64) int {
	if !(v > 0) {
		return 0
	}
	v = min(max(v, minLatencyMS), trace.MaxDurationMS)
	return int(math.Float64bits(v)>>binShift-firstBin) + 1
}

// binValue gives the value whose relative distance to both bounds is equal.
func binValue(bin int) float64 {
	if bin == 0 {
		return 0
	}
	bits := (uint64(bin-1) + firstBin) << binShift
	lo, hi := math.Float64frombits(bits), math.Float64frombits(bits+1<<binShift)
	return 2 * lo * hi / (lo + hi)
}

// Add counts one duration in milliseconds.
func (l *Latency) Add(ms float64) { l.addBin(binOf(ms), 1) }

func (l *Latency) addBin(bin int, n uint64) {
	l.reserve(bin, bin)
	l.counts[bin-l.first] += n
	l.total += n
}

// reserve makes room for the bins lo to hi.
func (l *Latency) reserve(lo, hi int) {
	if len(l.counts) == 0 {
		l.first, l.counts = lo, make([]uint64, hi-lo+1)
		return
	}
	if lo < l.first {
		l.counts = slices.Insert(l.counts, 0, make([]uint64, l.first-lo)...)
		l.first = lo
	}
	if missing := hi - (l.first + len(l.counts) - 1); missing > 0 {
		l.counts = append(l.counts, make([]uint64, missing)...)
	}
}

// Merge adds what o counted.
func (l *Latency) Merge(o *Latency) {
	if o.total == 0 {
		return
	}
	l.reserve(o.first, o.first+len(o.counts)-1)
	into := l.counts[o.first-l.first:]
	for i, n := range o.counts {
		into[i] += n
	}
	l.total += o.total
}

// Subtract takes away what o counted. It reports false, and changes nothing, if
// l has not counted all of that.
func (l *Latency) Subtract(o *Latency) bool {
	for i, n := range o.counts {
		if at := o.first + i - l.first; n > 0 && (at < 0 || at >= len(l.counts) || l.counts[at] < n) {
			return false
		}
	}
	for i, n := range o.counts {
		if n > 0 {
			l.counts[o.first+i-l.first] -= n
		}
	}
	l.total -= o.total
	return true
}

// Equal reports whether both counted the same.
func (l *Latency) Equal(o *Latency) bool {
	if l.total != o.total {
		return false
	}
	for i, n := range l.counts {
		var other uint64
		if at := l.first + i - o.first; at >= 0 && at < len(o.counts) {
			other = o.counts[at]
		}
		if n != other {
			return false
		}
	}
	return true // what else o has would make its total larger
}

// Count is how many durations were added.
func (l *Latency) Count() int64 { return int64(l.total) }

// Quantile gives the duration in milliseconds that at least q (0 to 1) of all
// durations do not pass: the smallest such one that was added, within 1%. It is
// 0 if nothing was added.
func (l *Latency) Quantile(q float64) float64 {
	if l.total == 0 {
		return 0
	}
	rank := uint64(min(max(math.Ceil(q*float64(l.total)), 1), float64(l.total)))
	for i, n := range l.counts {
		if n >= rank {
			return binValue(l.first + i)
		}
		rank -= n
	}
	return binValue(l.first + len(l.counts) - 1)
}

// AppendBinary appends the canonical form: nothing if l is empty, else a
// version byte and, for each bin that counted something, in order, the number
// of bins passed over and the count, as uvarints. It never fails.
func (l *Latency) AppendBinary(dst []byte) ([]byte, error) {
	if l.total == 0 {
		return dst, nil
	}
	dst = append(dst, latencyVersion)
	next := 0
	for i, n := range l.counts {
		if n == 0 {
			continue
		}
		bin := l.first + i
		dst = binary.AppendUvarint(dst, uint64(bin-next))
		dst = binary.AppendUvarint(dst, n)
		next = bin + 1
	}
	return dst, nil
}

// UnmarshalBinary replaces l by what AppendBinary wrote. Damage is an error,
// never a panic, and makes it reserve no more than the largest sketch needs.
func (l *Latency) UnmarshalBinary(data []byte) error {
	*l = Latency{}
	if len(data) == 0 {
		return nil
	}
	if data[0] != latencyVersion {
		return errDamaged
	}
	// Twice, so that all counters are made at once.
	first, last, total := -1, 0, uint64(0)
	for next, rest := 0, data[1:]; len(rest) > 0; next = last + 1 {
		skip, n, size := latencyPair(rest)
		if size == 0 || skip >= uint64(latencyBins-next) || n == 0 || n > math.MaxInt64 || total+n > math.MaxInt64 {
			return errDamaged
		}
		last = next + int(skip)
		if first < 0 {
			first = last
		}
		total, rest = total+n, rest[size:]
	}
	if first < 0 {
		return errDamaged
	}
	counts := make([]uint64, last-first+1)
	for next, rest := 0, data[1:]; len(rest) > 0; next++ {
		skip, n, size := latencyPair(rest)
		next += int(skip)
		counts[next-first], rest = n, rest[size:]
	}
	*l = Latency{counts: counts, first: first, total: total}
	return nil
}

// latencyPair reads the bins passed over and a count; size is 0 where there are none.
func latencyPair(data []byte) (skip, n uint64, size int) {
	if len(data) > 1 && data[0]|data[1] < 0x80 { // as most are
		return uint64(data[0]), uint64(data[1]), 2
	}
	skip, k := binary.Uvarint(data)
	if k <= 0 {
		return 0, 0, 0
	}
	n, m := binary.Uvarint(data[k:])
	if m <= 0 {
		return 0, 0, 0
	}
	return skip, n, k + m
}
