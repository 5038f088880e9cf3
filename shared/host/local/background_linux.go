package local

import "syscall"

// niceness is added to what the system weighs a yielding thread by: 0 is the
// usual, leastPriority the last to run. It still gets a share, so a log under
// load is drained.
const (
	niceness      = 10
	leastPriority = 19
)

// yieldThread lets the other threads of the process run before this one. Where
// the system refuses, all are equal.
func yieldThread() {
	thread := syscall.Gettid()
	above, err := syscall.Getpriority(syscall.PRIO_PROCESS, thread) // as the kernel has it: 20 less the niceness
	if err != nil {
		return
	}
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, thread, min(20-above+niceness, leastPriority))
}
