// Package migrations holds the schema of both engines as goose files: the same
// numbers and names in both directories, forward-only, one transaction each,
// never edited after a release.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// Postgres holds the files for Postgres, at its root.
func Postgres() fs.FS { return sub("postgres") }

// SQLite holds the files for SQLite, at its root.
func SQLite() fs.FS { return sub("sqlite") }

func sub(dir string) fs.FS {
	f, err := fs.Sub(files, dir)
	if err != nil {
		panic(err) // only for a malformed constant
	}
	return f
}
