// Command web serves the dashboard's files, health and the API description, and
// answers for all functions what none of them has.
package main

import (
	"os"

	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/host/function"
	"github.com/pulse-traces/pulse/shared/host/site"
)

func main() {
	os.Exit(function.HTTP{Name: "web", Needs: config.NeedAuthSecret, Groups: site.Groups, Elsewhere: site.Elsewhere}.Main(os.Args[1:]))
}
