// Command auth signs people in and out: /api/auth/….
package main

import (
	"context"
	"os"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/authapi"
	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/host"
	"github.com/pulse-traces/pulse/shared/host/function"
)

func main() {
	os.Exit(function.HTTP{Name: "auth", Needs: config.NeedAuthSecret, Groups: groups}.Main(os.Args[1:]))
}

func groups(_ context.Context, d *host.Deps) ([]api.Group, error) {
	return []api.Group{authapi.New(authapi.Deps{Auth: d.Auth, Log: d.Log})}, nil
}
