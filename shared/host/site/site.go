// Package site makes the group that serves the dashboard, and what answers for
// all functions where it is deployed apart from them.
package site

import (
	"context"
	"io/fs"
	"os"

	"github.com/pulse-traces/pulse/dashboard"
	"github.com/pulse-traces/pulse/docs"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/authapi"
	"github.com/pulse-traces/pulse/shared/api/dashboardapi"
	"github.com/pulse-traces/pulse/shared/api/webapi"
	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/host"
	"github.com/pulse-traces/pulse/shared/host/routes"
)

// New makes the group from DASHBOARD_DIST_DIR's dashboard, or the one inside
// the program.
func New(d *host.Deps) (*webapi.Group, error) {
	apiBaseURL := "" // the page's own origin
	if d.Config.PublicURLSet {
		apiBaseURL = d.Config.PublicURL
	}
	return webapi.New(webapi.Deps{Dashboard: files(d), OpenAPI: docs.OpenAPI, APIBaseURL: apiBaseURL, HTTPS: host.HTTPS(d.Config)})
}

// Groups are the web function's.
func Groups(_ context.Context, d *host.Deps) ([]api.Group, error) {
	web, err := New(d)
	return []api.Group{web}, err
}

// Elsewhere are the groups of the other functions. They answer what none of
// their routes matches; the routes cannot be called.
func Elsewhere(d *host.Deps) []api.Group {
	parts := routes.Parts{Auth: authapi.Deps{Auth: d.Auth, Log: d.Log}, Control: dashboardapi.Deps{Auth: d.Auth}}
	var groups []api.Group
	for _, name := range routes.Functions {
		if name != "web" {
			groups = append(groups, parts.Of(name)...)
		}
	}
	return groups
}

// files gives the built dashboard; nil if there is none.
func files(d *host.Deps) fs.FS {
	if HasPages(d.Config) {
		return pages(d.Config)
	}
	if d.Config.DashboardDir != "" {
		d.Log.Warn("DASHBOARD_DIST_DIR holds no index.html; serving the page without a dashboard")
	}
	return nil
}

// HasPages reports whether there is a built dashboard to serve.
func HasPages(cfg *config.Config) bool {
	_, err := fs.Stat(pages(cfg), "index.html")
	return err == nil
}

func pages(cfg *config.Config) fs.FS {
	if cfg.DashboardDir != "" {
		return os.DirFS(cfg.DashboardDir)
	}
	return dashboard.Files()
}
