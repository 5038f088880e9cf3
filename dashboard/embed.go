// Package dashboard embeds the built dashboard, so that the local binary and the
// web function serve it without files beside them. It knows no server; what is
// imported here ends up in the binary, so other Lambda functions MUST NOT
// import it.
package dashboard

import (
	"embed"
	"io/fs"
)

// dist is what "npm run build" writes; only .gitkeep before it has run, so that
// the Go module builds without Node.
//
//go:embed all:dist
var dist embed.FS

// Files gives the built dashboard with index.html at its root. Without a build
// it holds no index.html.
func Files() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // only for a name that is no path
	}
	return files
}
