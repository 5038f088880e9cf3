package host

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// idleTick is how often the process looks whether it has nothing to do.
	idleTick = 5 * time.Second
	// idleSlack is how much memory may lie unused before it is worth a
	// collection: a password hash takes 34 MB for a moment, a busy drain more.
	idleSlack = 8 << 20
)

// gcPercent lets garbage grow to three times what is live, which is little:
// bodies and rows come and go. Memory goes back when the process is idle.
const gcPercent = 200

// KeepMemorySmall tunes the collector and returns unused memory to the system once nothing was allocated
// for a while, which the Go runtime would put off for minutes. It ends with ctx.
func KeepMemorySmall(ctx context.Context) error {
	if set := debug.SetGCPercent(gcPercent); set != 100 {
		debug.SetGCPercent(set) // GOGC says otherwise
	}
	samples := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},    // collected, not returned
		{Name: "/memory/classes/heap/objects:bytes"}, // live, or garbage not collected yet
		{Name: "/gc/heap/live:bytes"},
	}
	var allocated uint64
	freed := true
	tick := time.NewTicker(idleTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		metrics.Read(samples)
		now, free, objects, live := samples[0].Value.Uint64(), samples[1].Value.Uint64(), samples[2].Value.Uint64(), samples[3].Value.Uint64()
		busy := now-allocated > idleSlack
		allocated = now
		switch {
		case busy:
			freed = false
		case !freed && free+objects-min(live, objects) > idleSlack:
			debug.FreeOSMemory()
			freed = true
		}
	}
}
