// Command drain moves accepted records from the log into the store.
package main

import (
	"os"

	"github.com/pulse-traces/pulse/shared/host/drainer"
)

func main() { os.Exit(drainer.Function().Main(os.Args[1:])) }
