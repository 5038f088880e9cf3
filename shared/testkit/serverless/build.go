package serverless

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/pulse-traces/pulse/shared/testkit"
)

// binaries builds the functions once per test binary, as for a deployment but
// for this machine, and gives the directory that holds <function>/bootstrap.
var binaries = sync.OnceValues(func() (string, error) {
	root, err := testkit.ModuleRoot()
	if err != nil {
		return "", err
	}
	const dir = "dist/lambda-test" // what was built to be deployed stays
	cmd := exec.Command("make", "build-lambda", "LAMBDA_ARCH="+runtime.GOARCH, "LAMBDA_DIR="+dir, "VERSION=test")
	cmd.Dir = root
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "MAKE") { // of a make that runs this test
			cmd.Env = append(cmd.Env, e)
		}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make build-lambda: %w\n%s", err, out)
	}
	return filepath.Join(root, dir), nil
})

// secrets are what a deployment generates.
var secrets = map[string]string{"BETTER_AUTH_SECRET": "0123456789abcdef0123456789abcdef", "ENCRYPTION_KEY": "0123456789abcdef0123456789abcdef"}

// loadTemplate reads the template of this checkout.
func loadTemplate(stack string, parameters map[string]string) (*Template, error) {
	root, err := testkit.ModuleRoot()
	if err != nil {
		return nil, err
	}
	return LoadTemplate(filepath.Join(root, "template.yaml"), stack, parameters)
}

// functions gives the template's functions, built. Each gets the variables that
// the template names for it, those in given with their values from there; and
// what is in always, also where the template does not name it.
func (t *Template) functions(given, always map[string]string) ([]Function, error) {
	dir, err := binaries()
	if err != nil {
		return nil, err
	}
	given = maps.Clone(given)
	maps.Copy(given, secrets)
	var functions []Function
	for _, f := range t.Functions {
		env := map[string]string{}
		for name, value := range f.Env {
			if v, ok := given[name]; ok {
				value = v
			}
			env[name] = value
		}
		maps.Copy(env, always)
		name := strings.ToLower(f.ID)
		fn := Function{ID: f.ID, Name: name, Bootstrap: filepath.Join(dir, name, "bootstrap"), MemoryMB: f.MemoryMB, Timeout: f.Timeout}
		for name, value := range env {
			fn.Env = append(fn.Env, name+"="+value)
		}
		functions = append(functions, fn)
	}
	return functions, nil
}
