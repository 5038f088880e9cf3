package sketch

import (
	"encoding/binary"
	"maps"
	"math"
	"math/bits"
	"slices"
)

// ExactDistinct is how many distinct strings a stored Distinct counts exactly.
const ExactDistinct = 1024

// A HyperLogLog of 2^14 registers has a standard error of 0.8%.
const (
	hllBits      = 14
	hllRegisters = 1 << hllBits
	hllMaxRank   = 64 - hllBits + 1
	hllDense     = hllRegisters * 6 / 8 // bytes, six bits per register
)

// Kinds of stored form.
const (
	distinctExact  = 1 // sorted 64-bit hashes, big-endian
	distinctSparse = 2 // (registers passed over as uvarint, rank byte)…
	distinctDense  = 3 // all ranks, six bits each, lowest bits first
)

// Distinct counts distinct strings: exactly, by their 64-bit hashes, until it is
// stored with more than ExactDistinct of them; from then on it is a HyperLogLog
// with a standard error of 0.8%. Distincts that are merged in memory and not
// stored stay exact however large they grow, if all parts are. The zero value is
// empty.
type Distinct struct {
	hashes map[uint64]struct{}  // while hll is nil
	hll    *[hllRegisters]uint8 // ranks
}

// hash64 is FNV-1a with the finish of MurmurHash3, which spreads FNV's weak
// high bits. It is stored: never change it.
func hash64(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// Add counts s if it is new.
func (d *Distinct) Add(s string) { d.addHash(hash64(s)) }

func (d *Distinct) addHash(h uint64) {
	if d.hll != nil {
		addRank(d.hll, h)
		return
	}
	if d.hashes == nil {
		d.hashes = map[uint64]struct{}{}
	}
	d.hashes[h] = struct{}{}
}

func addRank(hll *[hllRegisters]uint8, h uint64) {
	i := h >> (64 - hllBits)
	// The set bit bounds the rank at hllMaxRank.
	rank := uint8(bits.LeadingZeros64(h<<hllBits|1<<(hllBits-1))) + 1
	hll[i] = max(hll[i], rank)
}

// Merge adds what o counted.
func (d *Distinct) Merge(o *Distinct) {
	if o.hll != nil {
		d.hll = d.registers()
		d.hashes = nil
		for i, r := range o.hll {
			d.hll[i] = max(d.hll[i], r)
		}
		return
	}
	for h := range o.hashes {
		d.addHash(h)
	}
}

// registers gives d's HyperLogLog, made from the hashes if d is exact.
func (d *Distinct) registers() *[hllRegisters]uint8 {
	if d.hll != nil {
		return d.hll
	}
	hll := new([hllRegisters]uint8)
	for h := range d.hashes {
		addRank(hll, h)
	}
	return hll
}

// Empty reports whether nothing was counted.
func (d *Distinct) Empty() bool { return d.hll == nil && len(d.hashes) == 0 }

// Estimate gives the number of distinct strings.
func (d *Distinct) Estimate() int64 {
	if d.hll == nil {
		return int64(len(d.hashes))
	}
	// The estimator of O. Ertl, "New cardinality estimation algorithms for
	// HyperLogLog sketches" (2017), algorithm 6: unbiased over the whole range
	// without tables.
	var counts [hllMaxRank + 1]float64
	for _, r := range d.hll {
		counts[r]++
	}
	const m = float64(hllRegisters)
	z := m * hllTau(1-counts[hllMaxRank]/m)
	for k := hllMaxRank - 1; k >= 1; k-- {
		z = 0.5 * (z + counts[k])
	}
	z += m * hllSigma(counts[0]/m)
	return int64(m*m/(2*math.Ln2*z) + 0.5)
}

func hllSigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	for y, z := 1.0, x; ; {
		x *= x
		old := z
		z += x * y
		y += y
		if z == old {
			return z
		}
	}
}

func hllTau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	for y, z := 1.0, 1-x; ; {
		x = math.Sqrt(x)
		old := z
		y *= 0.5
		z -= (1 - x) * (1 - x) * y
		if z == old {
			return z / 3
		}
	}
}

// AppendBinary appends the canonical form: nothing if d is empty, else a byte
// that names the kind and the kind's content, at most 12 kB. It never fails.
func (d *Distinct) AppendBinary(dst []byte) ([]byte, error) {
	if d.hll == nil && len(d.hashes) <= ExactDistinct {
		if len(d.hashes) == 0 {
			return dst, nil
		}
		dst = append(dst, distinctExact)
		for _, h := range slices.Sorted(maps.Keys(d.hashes)) {
			dst = binary.BigEndian.AppendUint64(dst, h)
		}
		return dst, nil
	}
	hll := d.registers()
	start := len(dst)
	dst = append(dst, distinctSparse)
	next := 0
	for i, r := range hll {
		if r == 0 {
			continue
		}
		dst = append(binary.AppendUvarint(dst, uint64(i-next)), r)
		next = i + 1
		if len(dst)-start > hllDense {
			return appendDense(dst[:start], hll), nil
		}
	}
	return dst, nil
}

func appendDense(dst []byte, hll *[hllRegisters]uint8) []byte {
	dst = append(dst, distinctDense)
	for i := 0; i < hllRegisters; i += 4 {
		v := uint32(hll[i]) | uint32(hll[i+1])<<6 | uint32(hll[i+2])<<12 | uint32(hll[i+3])<<18
		dst = append(dst, byte(v), byte(v>>8), byte(v>>16))
	}
	return dst
}

// UnmarshalBinary replaces d by what AppendBinary wrote. Damage is an error,
// never a panic.
func (d *Distinct) UnmarshalBinary(data []byte) error {
	*d = Distinct{}
	if len(data) == 0 {
		return nil
	}
	var out Distinct
	var err error
	switch kind, rest := data[0], data[1:]; kind {
	case distinctExact:
		out.hashes, err = decodeExact(rest)
	case distinctSparse:
		out.hll, err = decodeSparse(rest)
	case distinctDense:
		out.hll, err = decodeDense(rest)
	default:
		err = errDamaged
	}
	if err != nil {
		return err
	}
	*d = out
	return nil
}

func decodeExact(b []byte) (map[uint64]struct{}, error) {
	n := len(b) / 8
	if n == 0 || n > ExactDistinct || len(b)%8 != 0 {
		return nil, errDamaged
	}
	hashes := make(map[uint64]struct{}, n)
	for ; len(b) > 0; b = b[8:] {
		hashes[binary.BigEndian.Uint64(b)] = struct{}{}
	}
	if len(hashes) != n {
		return nil, errDamaged
	}
	return hashes, nil
}

func decodeSparse(b []byte) (*[hllRegisters]uint8, error) {
	if len(b) == 0 {
		return nil, errDamaged
	}
	hll := new([hllRegisters]uint8)
	for next := 0; len(b) > 0; {
		skip, k := binary.Uvarint(b)
		if k <= 0 || k >= len(b) || next >= hllRegisters || skip >= uint64(hllRegisters-next) {
			return nil, errDamaged
		}
		rank := b[k]
		if rank == 0 || rank > hllMaxRank {
			return nil, errDamaged
		}
		next += int(skip)
		hll[next] = rank
		next++
		b = b[k+1:]
	}
	return hll, nil
}

func decodeDense(b []byte) (*[hllRegisters]uint8, error) {
	if len(b) != hllDense {
		return nil, errDamaged
	}
	hll := new([hllRegisters]uint8)
	for i := 0; i < hllRegisters; i += 4 {
		v := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
		b = b[3:]
		for j := range 4 {
			r := uint8(v >> (6 * j) & 63)
			if r > hllMaxRank {
				return nil, errDamaged
			}
			hll[i+j] = r
		}
	}
	return hll, nil
}
