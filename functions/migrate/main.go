// Command migrate brings the database up to date, and removes what is too old when asked.
package main

import (
	"os"

	"github.com/pulse-traces/pulse/shared/host/migrator"
)

func main() { os.Exit(migrator.Function().Main(os.Args[1:])) }
