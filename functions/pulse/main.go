// Command pulse is Pulse in one process: the API, the durable log, the drain
// and the store. `pulse --help` shows its commands.
package main

import (
	"os"

	"github.com/pulse-traces/pulse/shared/host/local"
)

// Set by the build: see the Makefile.
var (
	version     = "dev"
	defaultMode = "single"
)

func main() {
	program := local.Program{Version: version, DefaultMode: defaultMode}
	os.Exit(program.Main(os.Args[1:], os.Stdout, os.Stderr))
}
