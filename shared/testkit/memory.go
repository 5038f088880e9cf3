package testkit

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
)

var peakKB = regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`)

// PeakMemory gives the most bytes of memory that the process has had at a time
// since its start; 0 where the system does not tell.
func (p *Pulse) PeakMemory() int64 {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if os.IsNotExist(err) {
		return 0 // not Linux
	}
	if err != nil {
		p.t.Fatal(err)
	}
	m := peakKB.FindSubmatch(status)
	if m == nil {
		p.t.Fatalf("no VmHWM in %s", status)
	}
	kb, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return kb << 10
}
