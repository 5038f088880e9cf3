package wal

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func TestSealKeepsEveryRecord(t *testing.T) {
	t.Parallel()
	random := make([]byte, 100_000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(rng.Uint32())
	}
	for name, record := range map[string][]byte{
		"Empty": {}, "One": {7}, "Repeated": bytes.Repeat([]byte("prompt "), 50_000), "Random": random,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sealed := Seal([]byte("before"), record)
			if n := len(sealed) - len("before"); n > len(record)+EnvelopeBytes {
				t.Errorf("%d bytes for a record of %d", n, len(record))
			}
			got, err := Unseal(sealed[len("before"):])
			if err != nil || !bytes.Equal(got, record) {
				t.Errorf("%d bytes come back of %d, %v", len(got), len(record), err)
			}
		})
	}
	if n := len(Seal(nil, bytes.Repeat([]byte("prompt "), 50_000))); n > 1000 {
		t.Errorf("repeated text takes %d bytes", n)
	}
}

func TestUnsealRefuses(t *testing.T) {
	t.Parallel()
	bomb, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, envelope := range map[string][]byte{
		"Nothing": nil, "CutOff": {1}, "VersionZero": {0, 0, 1}, "NewerVersion": {2, 0, 1}, "UnknownCodec": {1, 9, 1},
		"NoZstd": {1, codecZstd, 1, 2, 3}, "Bomb": bomb.EncodeAll(make([]byte, maxUnsealedBytes+1), []byte{1, codecZstd}),
	} {
		if got, err := Unseal(envelope); err == nil {
			t.Errorf("%s: %d bytes and no error", name, len(got))
		}
	}
}

func FuzzUnseal(f *testing.F) {
	f.Add(Seal(nil, []byte("a record")))
	f.Add([]byte{1, codecNone, 'x'})
	f.Fuzz(func(t *testing.T, envelope []byte) {
		record, err := Unseal(envelope)
		if err != nil {
			return
		}
		again, err := Unseal(Seal(nil, record))
		if err != nil || !bytes.Equal(again, record) {
			t.Errorf("%d bytes come back of %d, %v", len(again), len(record), err)
		}
	})
}
