package testkit

import (
	"os/exec"
	"syscall"
)

// DieWithParent has the kernel end cmd when the test is killed.
func DieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
