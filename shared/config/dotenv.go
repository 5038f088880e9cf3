package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/joho/godotenv"
)

// withDotEnv puts the variables of the .env files in dir before environ, the
// weakest file first. The runtime of the earlier service did the same, so
// deployments keep their settings there. Which NODE_ENV chooses the file is for
// the environment alone to say.
func withDotEnv(environ []string, dir string) ([]string, error) {
	nodeEnv := string(NodeEnvDevelopment)
	for _, pair := range environ {
		if v, ok := strings.CutPrefix(pair, "NODE_ENV="); ok && v != "" {
			nodeEnv = v
		}
	}
	names := []string{".env", ".env." + nodeEnv, ".env.local"}
	if filepath.Base(names[1]) != names[1] { // a path in NODE_ENV; Load will refuse it
		names = []string{".env", ".env.local"}
	}
	var merged []string
	var faults Errors
	for _, name := range names {
		pairs, err := readDotEnv(filepath.Join(dir, name))
		if err != nil {
			faults = append(faults, Fault{Name: name, Message: err.Error()})
		}
		merged = append(merged, pairs...)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return append(merged, environ...), nil
}

// readDotEnv gives a file's "NAME=value" pairs; none if there is no such file.
func readDotEnv(file string) ([]string, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, errors.Unwrap(err) // the path is the fault's name
	}
	defer f.Close()
	values, err := godotenv.Parse(f)
	if err != nil {
		// The parser's own error quotes the file, which holds secrets.
		return nil, errors.New("cannot be read: expected lines of NAME=value")
	}
	pairs := make([]string, 0, len(values))
	for name, value := range values {
		pairs = append(pairs, fmt.Sprintf("%s=%s", name, value))
	}
	return pairs, nil
}
