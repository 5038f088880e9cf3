package sqlite

import (
	"testing"

	"github.com/pulse-traces/pulse/shared/fault"
)

func TestEnoughFree(t *testing.T) {
	t.Parallel()
	const size = 1 << 30
	if err := enoughFree(size+upgradeHeadroomBytes, size); err != nil {
		t.Errorf("what is needed is free: %v", err)
	}
	if err := enoughFree(size+upgradeHeadroomBytes-1, size); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a byte less is free: %v", err)
	}
	if free, err := freeBytes(t.TempDir()); err != nil || free == 0 {
		t.Errorf("%d bytes free, %v", free, err)
	}
}
