// Package infra holds no code: its tests hold the files that deploy Pulse
// against what the programs read and serve.
package infra

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/host/routes"
)

// functions are the names of the deployables but the local binary.
func functions(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("../functions")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != "pulse" {
			names = append(names, e.Name())
		}
	}
	if len(names) < 7 {
		t.Fatalf("functions/ holds %v only", names)
	}
	return names
}

// object is as much of a Kubernetes object as the tests read.
type object struct {
	Kind     string
	Metadata struct{ Name, Namespace string }
	Data     map[string]string
	Spec     struct {
		Template struct {
			Spec struct{ Containers []container }
		}
		ScaleTargetRef struct{ Name string } `yaml:"scaleTargetRef"`
	}
}

type container struct {
	Image           string
	EnvFrom         []source `yaml:"envFrom"`
	SecurityContext struct {
		RunAsNonRoot           bool `yaml:"runAsNonRoot"`
		ReadOnlyRootFilesystem bool `yaml:"readOnlyRootFilesystem"`
	} `yaml:"securityContext"`
}

// source is where a container gets variables from.
type source struct {
	SecretRef struct{ Name string } `yaml:"secretRef"`
}

func objects(t *testing.T, file string) []object {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []object
	for dec := yaml.NewDecoder(f); ; {
		var o object
		if err := dec.Decode(&o); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		list = append(list, o)
	}
}

// TestManifestsRunEveryFunction looks for each function in the manifests of
// Kubernetes, and for each HTTP function in those of Knative, in a container that
// can do no more than it needs.
func TestManifestsRunEveryFunction(t *testing.T) {
	t.Parallel()
	http := slices.DeleteFunc(functions(t), func(name string) bool { return name == "drain" || name == "migrate" })
	for file, want := range map[string][]string{"kubernetes/pulse.yaml": functions(t), "knative/pulse.yaml": http} {
		var got []string
		for _, o := range objects(t, file) {
			for _, c := range o.Spec.Template.Spec.Containers {
				name, ok := strings.CutPrefix(c.Image, "pulse-")
				if !ok {
					continue
				}
				got = append(got, name)
				if !c.SecurityContext.RunAsNonRoot || !c.SecurityContext.ReadOnlyRootFilesystem {
					t.Errorf("%s: %s may be root or write to its file system", file, name)
				}
				secrets := slices.ContainsFunc(c.EnvFrom, func(s source) bool { return s.SecretRef.Name == "pulse-auth" })
				if signsIn := slices.Contains([]string{"auth", "dashboard", "web"}, name); secrets != signsIn {
					t.Errorf("%s: %s is given the secrets of signing in: %v", file, name, secrets)
				}
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s runs %v, want %v", file, got, want)
		}
	}
}

// TestScalersNameWhatIsThere checks that each function that can rest at no pods
// has a scaler.
func TestScalersNameWhatIsThere(t *testing.T) {
	t.Parallel()
	var scaled []string
	for _, o := range objects(t, "kubernetes/scale.yaml") {
		scaled = append(scaled, o.Spec.ScaleTargetRef.Name)
	}
	slices.Sort(scaled)
	want := slices.DeleteFunc(functions(t), func(name string) bool { return name == "migrate" })
	if !slices.Equal(scaled, want) {
		t.Errorf("scaled are %v, want %v", scaled, want)
	}
}

// TestVariablesAreRead looks for names that no program reads, which would be
// settings without effect.
func TestVariablesAreRead(t *testing.T) {
	t.Parallel()
	known := config.Names()
	// What other programs read, and what compose fills in.
	others := []string{"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"}
	check := func(file, name string) {
		if !slices.Contains(known, name) && !slices.Contains(others, name) {
			t.Errorf("%s sets %s, which nothing reads", file, name)
		}
	}
	for _, o := range objects(t, "kubernetes/pulse.yaml") {
		for name := range o.Data {
			check("kubernetes/pulse.yaml", name)
		}
	}
	compose, err := os.ReadFile("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^ +([A-Z][A-Z_]+): `).FindAllStringSubmatch(string(compose), -1)
	if len(found) < 10 {
		t.Fatalf("compose.yaml sets %d variables only", len(found))
	}
	for _, m := range found {
		check("compose.yaml", m[1])
	}
}

// TestComposeRunsEveryFunction looks for each function in compose's cloud
// profile.
func TestComposeRunsEveryFunction(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct{ Image string }
	}
	if err := yaml.Unmarshal(raw, &compose); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range compose.Services {
		if name, ok := strings.CutPrefix(s.Image, "pulse-"); ok {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	if want := functions(t); !slices.Equal(got, want) {
		t.Errorf("compose.yaml runs %v, want %v", got, want)
	}
}

// TestGatewaysSendTheSame holds the gateway of Knative equal to compose's: which
// request goes to which function.
func TestGatewaysSendTheSame(t *testing.T) {
	t.Parallel()
	rule := regexp.MustCompile(`(?m)^ +(default|"~[^"]+") +(\w+);`)
	rules := func(file string) (list []string) {
		raw, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range rule.FindAllStringSubmatch(string(raw), -1) {
			list = append(list, m[1]+" "+m[2])
		}
		return list
	}
	a, b := rules("gateway/nginx.conf"), rules("knative/pulse.yaml")
	if len(a) < 6 || !slices.Equal(a, b) {
		t.Errorf("compose's gateway has\n%q\nKnative's has\n%q", a, b)
	}
}

// TestGatewaysKnowEveryRoute asks compose's gateway where each route goes.
func TestGatewaysKnowEveryRoute(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.FromSlash("gateway/nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	type rule struct {
		request  *regexp.Regexp
		function string
	}
	var rules []rule
	for _, m := range regexp.MustCompile(`(?m)^ +"~([^"]+)" +(\w+);`).FindAllStringSubmatch(string(raw), -1) {
		rules = append(rules, rule{regexp.MustCompile(m[1]), m[2]})
	}
	table, err := routes.Table()
	if err != nil {
		t.Fatal(err)
	}
	for function, list := range table {
		for _, r := range list {
			request, goes := r.Method+" "+strings.NewReplacer("{", "", "}", "").Replace(r.Pattern), "web"
			if i := slices.IndexFunc(rules, func(rule rule) bool { return rule.request.MatchString(request) }); i >= 0 {
				goes = rules[i].function
			}
			if goes != function {
				t.Errorf("%s goes to %s, and is %s's", request, goes, function)
			}
		}
	}
}
