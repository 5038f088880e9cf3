package wal

import "testing"

func TestBackoffGrowsWithinBounds(t *testing.T) {
	t.Parallel()
	for range 100 {
		for attempt := 1; attempt < 10; attempt++ {
			if a, b := Backoff(attempt), Backoff(attempt+1); a < backoffMin*3/4 || b < a {
				t.Fatalf("%v after %d, then %v", a, attempt, b)
			}
		}
		for _, attempt := range []int{-1, 0, 50, 1 << 40} {
			if d := Backoff(attempt); d < backoffMin*3/4 || d > backoffMax {
				t.Fatalf("%v after %d", d, attempt)
			}
		}
	}
}
