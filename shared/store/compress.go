package store

import (
	"math"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// maxChunkBytes bounds what a chunk may inflate to. It is above the largest
// request body that is accepted, so only damage passes it.
const maxChunkBytes = 256 << 20

var encoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(128<<10),
		zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // only for options that contradict each other
	}
	return e
})

var decoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxChunkBytes), zstd.WithDecoderConcurrency(runtime.GOMAXPROCS(0)),
		zstd.WithDecoderLowmem(true))
	if err != nil {
		panic(err)
	}
	return d
})

// Compress makes raw small, as chunks are kept.
func Compress(raw []byte) []byte { return encoder().EncodeAll(raw, make([]byte, 0, len(raw)/4+64)) }

// InflatedBytes gives how many bytes Decompress will give, as data says; the
// size of data where it does not say.
func InflatedBytes(data []byte) int {
	var h zstd.Header
	if h.Decode(data) != nil || !h.HasFCS {
		return len(data)
	}
	return int(min(h.FrameContentSize, maxChunkBytes))
}

// CompressedBytes is the most that Compress makes of n bytes.
func CompressedBytes(n int) int { return n + min(n/1024+64, math.MaxInt-n) }

// Decompress gives what Compress took. Whatever data is, it takes bounded memory.
func Decompress(data []byte) ([]byte, error) { return decoder().DecodeAll(data, nil) }
