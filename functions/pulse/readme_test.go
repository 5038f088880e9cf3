package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pulse-traces/pulse/shared/testkit"
)

var fence = regexp.MustCompile("(?s)```sh\n(.*?)```")

// TestReadme runs the commands of the README's first minute as they stand, but
// for the address and the place of the program.
func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "## 60 seconds")
	if !ok {
		t.Fatal("the README has no section named 60 seconds")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := fence.FindAllStringSubmatch(section, -1)
	if len(blocks) != 4 || strings.TrimSpace(blocks[0][1]) != "make run" {
		t.Fatalf("the README has %d blocks, and the first is %q", len(blocks), blocks[0][1])
	}
	p := testkit.NewPulse(t)
	var script strings.Builder
	for _, b := range blocks[1:] {
		script.WriteString(b[1])
	}
	body := strings.NewReplacer("http://localhost:3000", p.URL, "dist/pulse", testkit.Binary(t)).Replace(script.String())
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", body)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PULSE_HOME="+p.Home, "NODE_ENV=test")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"total":1`) || !strings.Contains(string(out), `"outputText":"Hi!"`) {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestFirstKey runs the command that follows a deployment, as the documents have
// it but for the address. What comes before it needs AWS.
func TestFirstKey(t *testing.T) {
	t.Parallel()
	p := testkit.NewPulse(t)
	command := regexp.MustCompile(`(?m)^PULSE_PASSWORD=\S+ infra/scripts/first-key.sh https?://\S+ you@example.com`)
	address := regexp.MustCompile(`https?://\S+`)
	for _, file := range []string{"../../README.md", "../../docs/deploy-aws.md", "../../docs/deploy-containers.md"} { // the others find the account there
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		line := command.FindString(string(text))
		if line == "" {
			t.Fatalf("%s does not show it", file)
		}
		run := func(line string) (string, error) {
			cmd := exec.CommandContext(t.Context(), "sh", "-euc", line)
			cmd.Dir = filepath.Join("..", "..")
			out, err := cmd.CombinedOutput()
			return strings.TrimSpace(string(out)), err
		}
		line = address.ReplaceAllString(line, p.URL)
		key, err := run(line)
		if err != nil {
			t.Fatalf("%s: %v\n%s", file, err, key)
		}
		if list, err := run("curl -sS --fail " + p.URL + "/v1/traces -H 'Authorization: Bearer " + key + "'"); err != nil {
			t.Errorf("%s: the key %q does not work: %v\n%s", file, key, err, list)
		}
		if out, err := run(strings.Replace(line, "choose-", "wrong-", 1)); err == nil || !strings.Contains(out, "sign-up answered 400 (") || !strings.Contains(out, "sign-in 401 (Invalid email or password)") {
			t.Errorf("another password: %v\n%s", err, out)
		}
	}
}

// TestAPIExamples runs the commands of the pages about the API and about prices.
func TestAPIExamples(t *testing.T) {
	t.Parallel()
	p := testkit.NewPulse(t)
	a := p.SignUp()
	var blocks [][]string
	for page, least := range map[string]int{"api": 2, "pricing": 1} {
		text, err := os.ReadFile("../../docs/" + page + ".md")
		if err != nil {
			t.Fatal(err)
		}
		found := fence.FindAllStringSubmatch(string(text), -1)
		if len(found) < least {
			t.Fatalf("docs/%s.md has %d blocks of commands", page, len(found))
		}
		blocks = append(blocks, found...)
	}
	for _, b := range blocks {
		cmd := exec.CommandContext(t.Context(), "sh", "-euc", strings.ReplaceAll(b[1], "http://localhost:3000", p.URL))
		cmd.Dir = t.TempDir() // some write files
		cmd.Env = append(os.Environ(), "PULSE_API_KEY="+a.Key, "PULSE_COOKIE="+a.Cookie, "PULSE_PROJECT="+a.Project)
		out, err := cmd.CombinedOutput()
		if err != nil || strings.Contains(string(out), `"error":"`) {
			t.Errorf("%s\n%v\n%s", b[1], err, out)
		}
	}
}

// TestDocumentsNameWhatIsThere follows the links between documents.
func TestDocumentsNameWhatIsThere(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)
	var files []string
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../docs/adr/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", file, m[1])
			}
		}
	}
}
