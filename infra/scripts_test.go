package infra

import (
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// awsCLI stands in for the AWS CLI, of which there is none to talk to here: STACK
// is the state of the stack, "" if there is none.
const awsCLI = `#!/bin/sh
echo "aws $*" >>"$CALLS"
case "$*" in
"sts get-caller-identity"*)
	[ "$CREDENTIALS" = yes ] || { printf '\nAn error occurred (ExpiredToken) when calling it\n' >&2; exit 254; }
	echo 000000000000 ;;
"configure get region") exit 1 ;;
"configure export-credentials"*) echo "export AWS_ACCESS_KEY_ID=test" ;;
*describe-stacks*StackStatus*)
	if [ -z "$STACK_STATUS" ]; then
		echo "An error occurred (ValidationError): Stack with id pulse-dev does not exist" >&2
		exit 254
	fi
	echo "$STACK_STATUS" ;;
*describe-stacks*TracePartitions*) echo 0,1,2 ;;
*describe-stacks*SpanPartitions*) echo 0 ;;
*describe-stacks*Architecture*) echo "$STACK_ARCHITECTURE" ;;
*describe-stacks*TraceQueueUrlPrefix*) echo https://sqs.test/0/pulse-dev-trace- ;;
*describe-stacks*SpanQueueUrlPrefix*) echo https://sqs.test/0/pulse-dev-span- ;;
*describe-stacks*) echo https://pulse.test ;;
*list-stack-resources*) echo "https://sqs.test/0/pulse-dev-trace-0	https://sqs.test/0/pulse-dev-trace-0-dlq" ;;
*get-queue-attributes*-dlq*) echo "2	1	0" ;;
*get-queue-attributes*) echo "0	0	0" ;;
*) exit 2 ;;
esac
`

// samCommand stands in for sam: it shows what it was given.
const samCommand = `#!/bin/sh
echo "sam LAMBDA_ARCH=$LAMBDA_ARCH $*" >>"$CALLS"
for argument in "$@"; do
	case $argument in
	*secrets.yaml) { ls -l "${argument#file://}"; cat "${argument#file://}"; } >>"$CALLS" ;;
	esac
done
`

// script runs one of infra/scripts with stand-ins for aws and sam, and gives what it printed, and
// what it called.
func script(t *testing.T, stdin string, env []string, name string, args ...string) (output, calls string, err error) {
	t.Helper()
	bin := t.TempDir()
	for file, text := range map[string]string{"aws": awsCLI, "sam": samCommand} {
		if slices.Contains(env, "NO="+file) {
			continue
		}
		if err := os.WriteFile(filepath.Join(bin, file), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	log := filepath.Join(bin, "calls")
	cmd := exec.CommandContext(t.Context(), "bash", append([]string{filepath.Join("scripts", name)}, args...)...)
	cmd.Env = append([]string{
		"PATH=" + bin + ":/usr/bin:/bin", "HOME=" + bin, "TMPDIR=" + bin, "CALLS=" + log, "SAM=" + filepath.Join(bin, "sam"),
		"CREDENTIALS=yes", "AWS_REGION=us-east-1", "VERSION=v1",
	}, env...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	made, readErr := os.ReadFile(log)
	if readErr != nil && !errors.Is(readErr, os.ErrNotExist) {
		t.Fatal(readErr)
	}
	if left, _ := filepath.Glob(filepath.Join(bin, "tmp.*")); len(left) > 0 {
		t.Errorf("%s leaves %v, which held secrets", name, left)
	}
	return string(out), string(made), err
}

const database = "postgres://user:pass%27word@db.test/pulse?sslmode=require"

func TestDeploySaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("/usr/bin/aws"); err == nil {
		t.Log("this machine has the AWS CLI: that it is missing is not tested")
	}
	for name, c := range map[string]struct {
		env  []string
		want string
	}{
		"Region":      {[]string{"AWS_REGION="}, "no region: set AWS_REGION"},
		"Credentials": {[]string{"CREDENTIALS=no"}, "no AWS credentials that work: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run aws configure (aws: An error occurred (ExpiredToken) when calling it)"},
		"Database":    {nil, "DATABASE_URL is missing"},
		"Quotes":      {[]string{"DATABASE_URL=postgres://a'b"}, "must not hold quotes"},
	} {
		out, calls, err := script(t, "", c.env, "deploy.sh", "dev")
		if err == nil || !strings.HasPrefix(out, "deploy: ") || !strings.Contains(out, c.want) || strings.Count(out, "\n") != 1 || strings.Contains(calls, "sam ") {
			t.Errorf("%s: %v\n%s%s", name, err, out, calls)
		}
	}
	if out, _, err := script(t, "", nil, "deploy.sh", "nowhere"); err == nil || !strings.Contains(out, "there is no profile nowhere") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestScriptsSayHowTheyAreCalled calls each in a way that makes no sense.
func TestScriptsSayHowTheyAreCalled(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"build-image.sh": {"pulse"}, "compose-test.sh": nil, "deploy.sh": nil, "destroy.sh": {"dev", "prod"}, "first-key.sh": {"http://localhost:1"},
		"install-sam.sh": nil, "install-test-deps.sh": {"mysql"}, "queue-env.sh": nil, "sam-local.sh": {"tset"},
	} {
		out, calls, err := script(t, "", nil, name, args...)
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.ExitCode() != 2 || !strings.HasPrefix(out, "usage: ") || strings.Count(out, "\n") != 1 || calls != "" {
			t.Errorf("%s %q: %v\n%s%s", name, args, err, out, calls)
		}
	}
	for name, c := range map[string]struct {
		args []string
		env  string
	}{"deploy.sh": {[]string{"dev"}, "SAM="}, "destroy.sh": {[]string{"dev"}, "SAM="}, "sam-local.sh": {nil, "SAM="}, "first-key.sh": {[]string{"http://localhost:1", "a@example.com"}, "PULSE_PASSWORD="}} {
		out, calls, err := script(t, "", []string{c.env}, name, c.args...)
		variable := strings.TrimSuffix(c.env, "=")
		if err == nil || !strings.HasPrefix(out, strings.TrimSuffix(name, ".sh")+": "+variable+" must ") || strings.Count(out, "\n") != 1 || calls != "" {
			t.Errorf("%s without %s: %v\n%s%s", name, variable, err, out, calls)
		}
	}
}

// TestImageHoldsALinuxProgram builds it as on another system, with a Docker that
// keeps what it is given.
func TestImageHoldsALinuxProgram(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	docker := "#!/bin/sh\nfor context; do :; done\ncp \"$context/pulse\" \"" + bin + "/given\"\n"
	if err := os.WriteFile(filepath.Join(bin, "docker"), []byte(docker), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "make", "image")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "GOOS=darwin")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program, err := elf.Open(filepath.Join(bin, "given"))
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	if program.Type != elf.ET_EXEC && program.Type != elf.ET_DYN {
		t.Errorf("it is a %v", program.Type)
	}
}

func TestDeployNew(t *testing.T) {
	t.Parallel()
	out, calls, err := script(t, "", []string{"DATABASE_URL=" + database, "PARAMETERS=Architecture=x86_64 RetentionDays=30"}, "deploy.sh", "dev")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"sam LAMBDA_ARCH=amd64 build --region us-east-1 --parameter-overrides Architecture=x86_64\n",
		" deploy --region us-east-1 --config-env dev --stack-name pulse-dev --parameter-overrides file://infra/parameters/dev.yaml file:///",
		"-rw------- ", "DatabaseUrl: '" + database + "'\n",
	} {
		if !strings.Contains(calls, want) {
			t.Errorf("no %q in\n%s", want, calls)
		}
	}
	if !regexp.MustCompile(`(?m)^AuthSecret: '[0-9a-f]{64}'\nEncryptionKey: '[0-9a-f]{64}'$`).MatchString(calls) {
		t.Errorf("no secrets of their own in\n%s", calls)
	}
	if !regexp.MustCompile(`(?m) Version=v1\+\d{8}T\d{6}Z Architecture=x86_64 RetentionDays=30$`).MatchString(calls) {
		t.Errorf("no version, or not the parameters, in\n%s", calls)
	}
	if regexp.MustCompile(`(?m)^(sam|aws) .*pass%27word`).MatchString(calls) || strings.Contains(out, "pass%27word") {
		t.Error("the password is an argument, or printed")
	}
	if !strings.Contains(out, "first-key.sh https://pulse.test ") {
		t.Errorf("does not say how to go on:\n%s", out)
	}
}

func TestDeployAgain(t *testing.T) {
	t.Parallel()
	env := []string{"STACK_STATUS=UPDATE_COMPLETE", "STACK_ARCHITECTURE=x86_64", "DATABASE_URL=" + database}
	out, calls, err := script(t, "", env, "deploy.sh", "dev")
	if err != nil || strings.Contains(calls, "secrets.yaml") || !strings.Contains(out, "DATABASE_URL is set and not used") {
		t.Errorf("a stack loses its secrets: %v\n%s%s", err, out, calls)
	}
	if !strings.Contains(calls, "LAMBDA_ARCH=amd64 build") {
		t.Errorf("not built for what the stack runs on:\n%s", calls)
	}
	_, calls, err = script(t, "", append(env, "REPLACE_SECRETS=1"), "deploy.sh", "dev")
	if err != nil || !strings.Contains(calls, "DatabaseUrl: '") || strings.Contains(calls, "AuthSecret") {
		t.Errorf("%v\n%s", err, calls)
	}
	// The first deployment of this one failed: SAM makes it anew.
	if out, _, err := script(t, "", []string{"STACK_STATUS=ROLLBACK_COMPLETE"}, "deploy.sh", "dev"); err == nil || !strings.Contains(out, "DATABASE_URL is missing") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestDestroyAsks(t *testing.T) {
	t.Parallel()
	there := "STACK_STATUS=CREATE_COMPLETE"
	for name, c := range map[string]struct {
		stdin   string
		env     []string
		removed bool
	}{
		"Name": {"pulse-dev\n", []string{there}, true}, "Beforehand": {"", []string{there, "CONFIRM=pulse-dev"}, true},
		"Yes": {"yes\n", []string{there}, false}, "Nothing": {"", []string{there}, false}, "Other": {"", []string{there, "CONFIRM=pulse-prod"}, false},
		"NoStack": {"pulse-dev\n", nil, false},
	} {
		out, calls, err := script(t, c.stdin, c.env, "destroy.sh", "dev")
		if removed := strings.Contains(calls, "delete --region us-east-1 --stack-name pulse-dev --no-prompts"); removed != c.removed || (err == nil) != c.removed {
			t.Errorf("%s: removed: %v, %v\n%s", name, removed, err, out)
		}
		if len(c.env) > 0 && (!strings.Contains(out, "pulse-dev-trace-0-dlq holds 3 messages") || strings.Contains(out, "pulse-dev-trace-0 holds")) {
			t.Errorf("%s does not say what is lost:\n%s", name, out)
		}
	}
}

func TestQueueEnv(t *testing.T) {
	t.Parallel()
	out, _, err := script(t, "", []string{"STACK_STATUS=CREATE_COMPLETE"}, "queue-env.sh", "dev")
	const want = `export AWS_ACCESS_KEY_ID=test
export AWS_REGION=us-east-1 WAL_URL=sqs://
export TRACE_QUEUE_URL_PREFIX=https://sqs.test/0/pulse-dev-trace-
export TRACE_WAL_PARTITIONS=3
export SPAN_QUEUE_URL_PREFIX=https://sqs.test/0/pulse-dev-span-
export SPAN_WAL_PARTITIONS=1
`
	if err != nil || out != want {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestTemplateIsValid asks SAM, where it is installed.
func TestTemplateIsValid(t *testing.T) {
	t.Parallel()
	found, err := filepath.Glob("../.cache/sam-*/bin/sam")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Skip("the sam command is not installed: make sam-validate installs it and checks the same")
	}
	sam, err := filepath.Abs(found[0])
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), sam, "validate", "--lint", "--region", "us-east-1")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "SAM_CLI_TELEMETRY=0", "SAM_CLI_ENABLE_LANGUAGE_EXTENSIONS=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestDocumentsNameTargets holds the commands that the documents show to the
// Makefile and the scripts.
func TestDocumentsNameTargets(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	target, file := regexp.MustCompile("(?m)(?:^|`|&& |=1 )make ([a-z][a-z0-9-]*)"), regexp.MustCompile(`infra/[a-z-]+/[a-z.-]+\.(?:sh|py|yaml)`)
	documents, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, path := range append(documents, "../README.md", "../CONTRIBUTING.md") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range target.FindAllStringSubmatch(string(text), -1) {
			seen++
			if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(m[1]) + `:`).Match(makefile) {
				t.Errorf("%s: there is no make %s", path, m[1])
			}
		}
		for _, name := range file.FindAllString(string(text), -1) {
			if _, err := os.Stat(filepath.Join("..", name)); err != nil {
				t.Errorf("%s: there is no %s", path, name)
			}
		}
	}
	if seen < 20 {
		t.Errorf("found %d commands only", seen)
	}
	guide, err := os.ReadFile("../docs/development.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^([a-z0-9-]+):.*## `).FindAllSubmatch(makefile, -1) {
		if name := string(m[1]); name != "help" && !strings.Contains(string(guide), "`make "+name+"`") {
			t.Errorf("docs/development.md does not tell what make %s is for", name)
		}
	}
}
