package wal

import (
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// A record travels through a queue in an envelope: a version byte, a codec byte
// and the record. A reader of version n reads all versions up to n, so that a
// queue may hold messages of an older program while a newer one is deployed:
// update what drains before what appends.
const (
	envelopeVersion = 1

	codecNone = 0
	codecZstd = 1
)

// EnvelopeBytes is what Seal adds to a record at most.
const EnvelopeBytes = 2

// maxUnsealedBytes bounds what an envelope may inflate to: far more than any
// queue's message can carry, far less than a drain's memory.
const maxUnsealedBytes = 64 << 20

// One coder of each kind serves the process: making one costs more than a
// message.
var (
	encoder = sync.OnceValue(func() *zstd.Encoder {
		return must(zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20)))
	})
	decoder = sync.OnceValue(func() *zstd.Decoder {
		return must(zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxUnsealedBytes)))
	})
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // only for options that contradict each other
	}
	return v
}

// Seal appends the envelope of data to dst: len(data) + EnvelopeBytes at most.
func Seal(dst, data []byte) []byte {
	start := len(dst)
	dst = encoder().EncodeAll(data, append(dst, envelopeVersion, codecZstd))
	if len(dst)-start > len(data)+EnvelopeBytes {
		dst = append(append(dst[:start], envelopeVersion, codecNone), data...)
	}
	return dst
}

// Unseal gives the record of an envelope, which may share its memory. Whatever
// the bytes are, it takes bounded memory and fails without a panic.
func Unseal(envelope []byte) ([]byte, error) {
	if len(envelope) < EnvelopeBytes {
		return nil, errors.New("the envelope is cut off")
	}
	version, codec, data := envelope[0], envelope[1], envelope[EnvelopeBytes:]
	if version < 1 || version > envelopeVersion {
		return nil, fmt.Errorf("the envelope has version %d, this program reads up to %d", version, envelopeVersion)
	}
	switch codec {
	case codecNone:
		return data, nil
	case codecZstd:
		record, err := decoder().DecodeAll(data, nil)
		if err != nil {
			return nil, fmt.Errorf("inflate envelope: %w", err)
		}
		return record, nil
	}
	return nil, fmt.Errorf("the envelope has the unknown codec %d", codec)
}
