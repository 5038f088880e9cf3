package local

import "syscall"

// niceness is what the system weighs a yielding thread by: 0 is the usual, 19
// the last to run. It still gets a share, so a log under load is drained.
const niceness = 10

// yieldThread lets the other threads of the machine run before this one. Where
// the system refuses, all are equal.
func yieldThread() {
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), niceness)
}
