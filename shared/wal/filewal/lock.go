package filewal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/pulse-traces/pulse/shared/fault"
)

// lockRole takes the lock of one role in dir until the file is closed, which
// the kernel also does when the process dies. It gives fault.Conflict if
// another Log has it.
func lockRole(dir, role string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, role+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fault.Newf(fault.Conflict, "log directory %s is in use: another process holds its %s lock (is a second server running on the same data?)", dir, role)
	}
	return nil, fmt.Errorf("lock %s: %w", dir, err)
}

// unlock gives a lock back. Closing alone would not while a child that is being
// started still has a copy of the descriptor.
func unlock(f *os.File) {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	_ = f.Close()
}
