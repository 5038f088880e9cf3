package fold

import (
	"time"

	"github.com/pulse-traces/pulse/shared/store"
)

// Purge runs steps that each delete some rows of a project and tell how many, the
// first of them spans. It repeats one until that finds none, then goes on with
// the next, whatever the time: each call must bring the end nearer. Done is true
// once none of them finds anything.
func Purge(budget time.Duration, steps int, step func(i int) (int64, error)) (out store.Purged, err error) {
	begin := time.Now()
	for i := 0; i < steps; {
		n, err := step(i)
		if err != nil {
			return out, err
		}
		if i == 0 {
			out.Spans += n
		}
		if n == 0 {
			i++
			continue
		}
		if budget > 0 && time.Since(begin) >= budget {
			return out, nil
		}
	}
	out.Done = true
	return out, nil
}
