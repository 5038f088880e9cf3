package testkit

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel end cmd when the test is killed.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
