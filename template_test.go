package pulse

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/host/routes"
	"github.com/pulse-traces/pulse/shared/testkit/serverless"
	"github.com/pulse-traces/pulse/shared/wal"
)

// The tests of this file hold template.yaml to the code. Nothing here has been
// run on AWS: what AWS asks for is written down beside each check.

// parameter is one of the template's.
type parameter struct {
	Type        string `yaml:"Type"`
	Default     string `yaml:"Default"`
	Description string `yaml:"Description"`
	NoEcho      bool   `yaml:"NoEcho"`
}

// resource is one of the template's. Functions of CloudFormation in it stay what
// they are: a node with a tag.
type resource struct {
	Type       string    `yaml:"Type"`
	Condition  string    `yaml:"Condition"`
	DependsOn  string    `yaml:"DependsOn"`
	Metadata   yaml.Node `yaml:"Metadata"`
	Properties yaml.Node `yaml:"Properties"`
}

// get follows names, and numbers of list members, from the properties; nil if
// one leads nowhere.
func (r resource) get(names ...string) *yaml.Node { return get(&r.Properties, names...) }

// text is the scalar that names lead to, "" if there is none.
func (r resource) text(names ...string) string {
	if n := r.get(names...); n != nil && n.Kind == yaml.ScalarNode {
		return n.Value
	}
	return ""
}

// number is the number that names lead to, -1 if there is none.
func (r resource) number(names ...string) int {
	n, err := strconv.Atoi(r.text(names...))
	if err != nil {
		return -1
	}
	return n
}

func get(n *yaml.Node, names ...string) *yaml.Node {
	for _, name := range names {
		if n == nil {
			return nil
		}
		i := -1
		switch n.Kind {
		case yaml.MappingNode:
			if i = slices.IndexFunc(n.Content, func(k *yaml.Node) bool { return k.Value == name }); i >= 0 {
				i++
			}
		case yaml.SequenceNode:
			if number, err := strconv.Atoi(name); err == nil && number < len(n.Content) {
				i = number
			}
		}
		if i < 0 {
			return nil
		}
		n = n.Content[i]
	}
	return n
}

// texts lists the scalars of a list, or the one scalar.
func texts(n *yaml.Node) []string {
	if n == nil {
		return nil
	}
	if n.Kind == yaml.ScalarNode {
		return []string{n.Value}
	}
	var list []string
	for _, c := range n.Content {
		list = append(list, c.Value)
	}
	return list
}

type templateFile struct {
	Parameters map[string]parameter `yaml:"Parameters"`
	Globals    struct {
		Function yaml.Node `yaml:"Function"`
	} `yaml:"Globals"`
	Body      yaml.Node           `yaml:"Resources"`
	Resources map[string]resource `yaml:"-"` // with the loops of Body unrolled for the parameters' defaults
}

var readTemplate = sync.OnceValues(func() (*templateFile, error) {
	raw, err := os.ReadFile("template.yaml")
	if err != nil {
		return nil, err
	}
	t := &templateFile{Resources: map[string]resource{}}
	if err := yaml.Unmarshal(raw, t); err != nil {
		return nil, err
	}
	for i := 0; i < len(t.Body.Content); i += 2 {
		key, value := t.Body.Content[i].Value, t.Body.Content[i+1]
		if !strings.HasPrefix(key, "Fn::ForEach::") {
			err = t.add(key, value)
		} else {
			err = t.unroll(value)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	return t, nil
})

// unroll adds what a loop makes: variable, collection, resources.
func (t *templateFile) unroll(loop *yaml.Node) error {
	variable, collection := get(loop, "0").Value, texts(get(loop, "1"))
	if p, ok := t.Parameters[get(loop, "1").Value]; ok {
		collection = strings.Split(p.Default, ",")
	}
	body := get(loop, "2")
	for _, value := range collection {
		for i := 0; i < len(body.Content); i += 2 {
			if err := t.add(strings.ReplaceAll(body.Content[i].Value, "${"+variable+"}", value), substitute(body.Content[i+1], variable, value)); err != nil {
				return err
			}
		}
	}
	return nil
}

// substitute copies a node with a loop's variable replaced.
func substitute(n *yaml.Node, variable, value string) *yaml.Node {
	c := *n
	c.Value = strings.ReplaceAll(n.Value, "${"+variable+"}", value)
	c.Content = nil
	for _, child := range n.Content {
		c.Content = append(c.Content, substitute(child, variable, value))
	}
	return &c
}

func (t *templateFile) add(id string, n *yaml.Node) error {
	var r resource
	if _, ok := t.Resources[id]; ok {
		return fmt.Errorf("%s is there twice", id)
	}
	err := n.Decode(&r)
	t.Resources[id] = r
	return err
}

// of lists the resources of a type by id.
func (t *templateFile) of(kind string) map[string]resource {
	found := map[string]resource{}
	for id, r := range t.Resources {
		if r.Type == kind {
			found[id] = r
		}
	}
	return found
}

func template(t *testing.T) *templateFile {
	t.Helper()
	f, err := readTemplate()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// setting is a function's own property, or that of all functions.
func (t *templateFile) setting(id string, name string) resource {
	r := t.Resources[id]
	if r.get(name) == nil {
		return resource{Properties: t.Globals.Function}
	}
	return r
}

// folders are the functions that are deployed to Lambda.
func folders(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("functions")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != "pulse" { // the local binary
			names = append(names, e.Name())
		}
	}
	return names
}

// TestTemplateFunctions holds the functions of the template to the folders.
func TestTemplateFunctions(t *testing.T) {
	t.Parallel()
	file := template(t)
	functions := file.of("AWS::Serverless::Function")
	var names []string
	for id, r := range functions {
		names = append(names, strings.ToLower(id))
		if get(&r.Metadata, "BuildMethod") == nil {
			t.Errorf("%s: sam build would not know how to build it", id)
		}
		if role := r.text("Role"); role != id+"Role.Arn" {
			t.Errorf("%s has the role %q, not one of its own", id, role)
		}
		if group := r.text("LoggingConfig", "LogGroup"); group != id+"LogGroup" {
			t.Errorf("%s logs to %q, not to a group of its own", id, group)
		}
		if file.Resources[id+"LogGroup"].text("RetentionInDays") != "LogRetentionDays" {
			t.Errorf("%s: nothing removes its log lines", id)
		}
		// New code must not meet an old schema.
		if want := map[bool]string{true: "", false: "Migration"}[id == "Migrate"]; r.DependsOn != want {
			t.Errorf("%s depends on %q, not on %q", id, r.DependsOn, want)
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff(folders(t), names); diff != "" {
		t.Errorf("folders and functions differ:\n%s", diff)
	}
	for name, want := range map[string]string{"Runtime": "provided.al2023", "Handler": "bootstrap"} {
		if got := get(&file.Globals.Function, name).Value; got != want {
			t.Errorf("%s is %s, the functions are built for %s", name, got, want)
		}
	}
}

// httpEvent is a route as the template has it.
type httpEvent struct{ Method, Path string }

func (e httpEvent) String() string {
	if e.Path == "" {
		return "$default"
	}
	return e.Method + " " + e.Path
}

// events lists the HTTP events of a function.
func events(t *testing.T, r resource) []httpEvent {
	t.Helper()
	var list []httpEvent
	n := r.get("Events")
	if n == nil {
		return nil
	}
	for i := 0; i < len(n.Content); i += 2 {
		id, e := n.Content[i].Value, n.Content[i+1]
		if kind := get(e, "Type").Value; kind != "HttpApi" || get(e, "Properties", "ApiId").Value != "Api" {
			t.Errorf("event %s is of type %s, or of another API", id, kind)
		}
		var event httpEvent
		if m := get(e, "Properties", "Method"); m != nil {
			event = httpEvent{m.Value, get(e, "Properties", "Path").Value}
		}
		list = append(list, event)
	}
	return list
}

// greedy is what a pattern is to an API that hands over decoded paths: a value
// takes the rest, with what follows it. What the dashboard's pages ask is one
// event for each method: statements for each route would not fit a policy.
func greedy(pattern string) string {
	const questions = "/dashboard/api/query/"
	if strings.HasPrefix(pattern, questions) {
		return questions + "{question+}"
	}
	before, after, ok := strings.Cut(pattern, "{")
	if !ok {
		return pattern
	}
	name, _, _ := strings.Cut(after, "}")
	return before + "{" + name + "+}"
}

// anyMethod reports whether a pattern is one event for all methods: those of what
// administrators set have too many for a policy. The function refuses the
// others, as it does elsewhere.
func anyMethod(pattern string) bool {
	for _, what := range []string{"projects", "users", "invites", "api-keys", "prices", "views", "settings"} {
		if rest, ok := strings.CutPrefix(pattern, "/dashboard/api/"+what); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

// TestTemplateRoutes holds the events equal to the routes that the functions
// declare, with HEAD beside each GET, and $default to web.
func TestTemplateRoutes(t *testing.T) {
	t.Parallel()
	file := template(t)
	table, err := routes.Table()
	if err != nil {
		t.Fatal(err)
	}
	for id, r := range file.of("AWS::Serverless::Function") {
		want := map[string]bool{}
		for _, route := range table[strings.ToLower(id)] {
			if anyMethod(route.Pattern) {
				want[httpEvent{"ANY", greedy(route.Pattern)}.String()] = true
				continue
			}
			want[httpEvent{route.Method, greedy(route.Pattern)}.String()] = true
			if route.Method == "GET" {
				want[httpEvent{"HEAD", greedy(route.Pattern)}.String()] = true
			}
		}
		if id == "Web" {
			want["$default"] = true
		}
		got := map[string]bool{}
		for _, e := range events(t, r) {
			if got[e.String()] {
				t.Errorf("%s has %s twice", id, e)
			}
			got[e.String()] = true
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: routes (-) and events (+) differ:\n%s", id, diff)
		}
	}

	api := file.Resources["Api"]
	if api.get("CorsConfiguration") != nil {
		t.Error("the API would answer preflights itself, in other words than the handlers")
	}
	if stage := api.text("StageName"); stage != "$default" {
		t.Errorf("the stage %s would be a prefix of each path", stage)
	}
	settings := api.get("RouteSettings")
	for i := 0; i < len(settings.Content); i += 2 {
		key := settings.Content[i].Value // AWS refuses settings of a route that is not there
		if !slices.ContainsFunc(slices.Collect(maps.Values(file.Resources)), func(r resource) bool {
			return slices.ContainsFunc(events(t, r), func(e httpEvent) bool { return e.String() == key })
		}) {
			t.Errorf("%s is throttled, and no route", key)
		}
		for _, name := range []string{"ThrottlingRateLimit", "ThrottlingBurstLimit"} {
			if n := get(settings.Content[i+1], name); n == nil || n.Tag != "!!int" {
				t.Errorf("%s: %s must be a number in the template; a parameter would arrive as text", key, name)
			}
		}
	}
}

// TestTemplatePermissionsFit bounds the policy of each function that lets the API
// invoke it: SAM puts a statement of its own into it for each event, and Lambda
// takes 20 KB.
func TestTemplatePermissionsFit(t *testing.T) {
	t.Parallel()
	const (
		limit  = 20_480
		stack  = "a-stack-with-a-name-of-forty-characters-" // docs/deploy-aws.md names the limit
		region = "ap-southeast-2"                           // as long as they come
	)
	value := regexp.MustCompile(`\{[^}]*\}`)
	for id, r := range template(t).of("AWS::Serverless::Function") {
		list := events(t, r)
		if slices.Contains(list, httpEvent{}) {
			continue // $default: one statement for all
		}
		size := 0
		for _, e := range list {
			sid := fmt.Sprintf("%s-%s%sPermission-ABCDEFGHIJKL", stack, id, e)
			function := fmt.Sprintf("%s-%s-ABCDEFGHIJKL", stack, id)
			size += len(fmt.Sprintf(`{"Sid":"%.100s","Effect":"Allow","Principal":{"Service":"apigateway.amazonaws.com"},"Action":"lambda:InvokeFunction",`+
				`"Resource":"arn:aws:lambda:%s:123456789012:function:%.64s","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:execute-api:%s:123456789012:abcdefghij/*/%s%s"}}},`,
				sid, region, function, region, strings.Replace(e.Method, "ANY", "*", 1), value.ReplaceAllString(e.Path, "*")))
		}
		if size > limit {
			t.Errorf("%s: %d events make a policy of %d bytes, more than Lambda takes: see docs/adr/018-template.md", id, len(list), size)
		}
	}
}

// TestTemplateQueues holds the queues to their names, to what the log needs of
// them, and to what Lambda asks of a queue that feeds a function.
func TestTemplateQueues(t *testing.T) {
	t.Parallel()
	const fortnight = 14 * 24 * 60 * 60 // the longest that SQS keeps a message, counted from the first send in a dead-letter queue too
	file := template(t)
	queues := file.of("AWS::SQS::Queue")
	mapped, dead := map[string]bool{}, map[string]bool{}
	for id, r := range queues {
		if r.number("MessageRetentionPeriod") != fortnight {
			t.Errorf("%s keeps messages for %d seconds, not %d", id, r.number("MessageRetentionPeriod"), fortnight)
		}
		if r.number("MaximumMessageSize") != 1<<20 {
			t.Errorf("%s takes messages of %d bytes, not 1 MiB", id, r.number("MaximumMessageSize"))
		}
		if r.text("SqsManagedSseEnabled") != "true" {
			t.Errorf("%s is not encrypted", id)
		}
		if target := r.text("RedrivePolicy", "deadLetterTargetArn", "0"); target != "" {
			dead[target] = true
			if name := queues[target].text("QueueName"); name != r.text("QueueName")+"-dlq" {
				t.Errorf("the dead letters of %s are in %s", r.text("QueueName"), name)
			}
			if n := r.number("RedrivePolicy", "maxReceiveCount"); n != wal.MaxDeliveries {
				t.Errorf("%s gives a message up after %d deliveries, not %d", id, n, wal.MaxDeliveries)
			}
		}
	}
	for id, m := range file.of("AWS::Lambda::EventSourceMapping") {
		source, function := m.text("EventSourceArn", "0"), m.text("FunctionName")
		mapped[source] = true
		if queues[source].get("RedrivePolicy") == nil {
			t.Errorf("%s: %s has no dead letters", id, source)
		}
		if !slices.Equal(texts(m.get("FunctionResponseTypes")), []string{"ReportBatchItemFailures"}) {
			t.Errorf("%s: one message that fails would bring back all of its event", id)
		}
		window, batch := m.number("MaximumBatchingWindowInSeconds"), m.number("BatchSize")
		if batch > 10 && window < 1 {
			t.Errorf("%s: a batch of more than ten needs a window", id)
		}
		timeout := file.setting(function, "Timeout").number("Timeout")
		if least := 6*timeout + window; queues[source].number("VisibilityTimeout") < least {
			t.Errorf("%s: messages come back after %d seconds, less than six times the timeout of %s and the window: %d",
				source, queues[source].number("VisibilityTimeout"), function, least)
		}
		if m.DependsOn != "DrainPolicy" {
			t.Errorf("%s: AWS refuses a mapping whose function may not read the queue yet", id)
		}
		// With a limit an idle mapping keeps five pollers instead of two.
		if got := texts(m.get("ScalingConfig")); m.get("ScalingConfig").Tag != "!If" || got[0] != "LimitsDrains" || file.Parameters["DrainConcurrency"].Default != "0" {
			t.Errorf("%s: concurrency is limited by default", id)
		}
	}
	for id, r := range queues {
		if mapped[id] == dead[id] {
			t.Errorf("%s is not exactly one of drained and dead letters", id)
		}
		prefix := map[bool]string{true: "trace", false: "span"}[strings.HasPrefix(id, "Trace")]
		want := regexp.MustCompile(`^\$\{AWS::StackName\}-` + prefix + `-\d+(-dlq)?$`)
		if name := r.text("QueueName"); !want.MatchString(name) || strings.HasSuffix(name, "-dlq") != dead[id] {
			t.Errorf("%s is called %s", id, name)
		}
	}
	// Four of each, as scale mode has.
	if len(mapped) != 8 || len(queues) != 16 {
		t.Errorf("%d queues are drained, of %d", len(mapped), len(queues))
	}
}

// grant is what a statement of a policy allows.
type grant struct{ Actions, Resources []string }

// grants lists what a function may do beside writing its own log lines.
func grants(file *templateFile, function string) []grant {
	var list []grant
	statements := func(n *yaml.Node) {
		for _, s := range n.Content {
			list = append(list, grant{texts(get(s, "Action")), texts(get(s, "Resource"))})
		}
	}
	for _, p := range file.Resources[function+"Role"].get("Policies").Content {
		if get(p, "PolicyName").Value != "logs" {
			statements(get(p, "PolicyDocument", "Statement"))
		}
	}
	for _, r := range file.of("AWS::IAM::Policy") {
		if slices.Contains(texts(r.get("Roles")), function+"Role") {
			statements(r.get("PolicyDocument", "Statement"))
		}
	}
	return list
}

// allows reports whether grants cover an action on a queue of the stack.
func allows(list []grant, action, queue string) bool {
	for _, g := range list {
		for _, r := range g.Resources {
			pattern := "^" + strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(r)) + "$"
			arn := "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${AWS::StackName}-" + queue
			if slices.Contains(g.Actions, action) && regexp.MustCompile(pattern).MatchString(arn) {
				return true
			}
		}
	}
	return false
}

// TestTemplatePrivileges walks every action of SQS that some function has over
// queues and dead letters, and holds each function to those it needs.
func TestTemplatePrivileges(t *testing.T) {
	t.Parallel()
	file := template(t)
	const send = "sqs:SendMessage"
	drain := []string{send, "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"}
	needs := map[string]struct{ queues, deadLetters []string }{
		"Ingest":    {[]string{send}, nil},
		"Dashboard": {[]string{send}, nil},
		"Drain":     {drain, []string{send}},
		"Query":     {}, "Auth": {}, "Web": {}, "Migrate": {},
	}
	for function := range file.of("AWS::Serverless::Function") {
		need, ok := needs[function]
		if !ok {
			t.Errorf("%s: say what it may do", function)
		}
		list := grants(file, function)
		var actions []string
		for _, g := range list {
			actions = append(actions, g.Actions...)
			for _, r := range g.Resources {
				if !strings.HasPrefix(r, "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${AWS::StackName}-") {
					t.Errorf("%s may reach %s", function, r)
				}
			}
		}
		for _, action := range slices.Concat(actions, drain) {
			for _, number := range []string{"0", "9", "10", "99", "100", "255"} {
				for _, stream := range []string{"trace-", "span-"} {
					queue := stream + number
					if got, want := allows(list, action, queue), slices.Contains(need.queues, action); got != want {
						t.Errorf("%s: %s on %s is %v", function, action, queue, got)
					}
					if got, want := allows(list, action, queue+"-dlq"), slices.Contains(need.deadLetters, action); got != want {
						t.Errorf("%s: %s on %s-dlq is %v", function, action, queue, got)
					}
				}
			}
		}

		role := file.Resources[function+"Role"]
		logs := role.get("Policies", "0", "PolicyDocument", "Statement", "0")
		if got := texts(get(logs, "Action")); !slices.Equal(got, []string{"logs:CreateLogStream", "logs:PutLogEvents"}) {
			t.Errorf("%s may %v logs", function, got)
		}
		group := file.Resources[function+"LogGroup"].text("LogGroupName")
		if got := get(logs, "Resource").Value; !strings.HasSuffix(got, ":log-group:"+group+":*") {
			t.Errorf("%s may write to %s, and its logs are in %s", function, got, group)
		}
		if managed := role.get("ManagedPolicyArns"); managed.Tag != "!If" || managed.Content[0].Value != "InVpc" {
			t.Errorf("%s has managed policies outside a VPC too", function)
		}
	}
}

// notInTemplate is what config knows and the functions on Lambda are not told,
// with the reason. A pattern may end in *.
var notInTemplate = map[string]string{
	"PULSE_MODE": "functions store in Postgres", "PULSE_RUNTIME_MODE": "each function is one part",
	"SHUTDOWN_TIMEOUT_SECONDS": "Lambda ends processes", "PULSE_HOME": "no disk", "PULSE_DATA_DIR": "no disk", "DATABASE_PATH": "no SQLite",
	"DATABASE_MAX_CONNS": "the functions' own defaults fit one event at a time",
	"PULSE_HOST":         "no port", "PORT": "no port", "OTLP_GRPC_PORT": "no port", "DASHBOARD_DIST_DIR": "the dashboard is in the binary",
	"MAX_*BODY_BYTES": "Lambda's 6 MB come first", "MAX_IN_FLIGHT_BYTES": "one request at a time",
	"PULSE_PASSWORD": "of the local binary", "AUTH_RATE_LIMIT": "on", "WAL_*": "the log is in SQS: the prefixes say so", "NATS_REPLICAS": "no NATS",
	"DRAIN_BATCH_*": "the mapping makes the batches", "READ_AFTER_WRITE_TIMEOUT_MS": "the drain is another process", "SQS_CREATE_QUEUES": "the template makes them",
	"AWS_*": "set by Lambda", "LOG_FORMAT": "json in the functions", "METRICS_TOKEN": "no metrics are served",
	"PRICES_FILE": "a package has the binary alone: projects set prices over the API",
}

// TestTemplateVariables holds the functions' environment to config: each takes
// what it is given, is given what it needs, and every variable is either named or
// left out for a reason.
func TestTemplateVariables(t *testing.T) {
	t.Parallel()
	secrets := map[string]string{
		"DatabaseUrl": "postgres://user@db.example.com/pulse", "AuthSecret": strings.Repeat("a", 32), "EncryptionKey": strings.Repeat("b", 32),
	}
	loaded, err := serverless.LoadTemplate("template.yaml", "pulse", secrets)
	if err != nil {
		t.Fatal(err)
	}
	var known []string // Config lists every variable
	for line := range strings.Lines(config.Config{}.String()) {
		name, _, _ := strings.Cut(line, "=")
		known = append(known, name)
	}
	needs := map[string]config.Needs{"NeedLog": config.NeedLog, "NeedAuthSecret": config.NeedAuthSecret, "NeedEncryptionKey": config.NeedEncryptionKey}
	named := map[string]bool{}
	for _, f := range loaded.Functions {
		environ := []string{"AWS_REGION=us-east-1", "AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001"} // Lambda's own
		for name, value := range f.Env {
			named[name] = true
			if !slices.Contains(known, name) {
				t.Errorf("%s is given %s, which nothing reads", f.ID, name)
			}
			environ = append(environ, name+"="+value)
		}
		var need config.Needs
		for name, n := range needs {
			if strings.Contains(source(t, strings.ToLower(f.ID)), "config."+name) {
				need |= n
			}
		}
		cfg, warnings, err := config.Load(environ, config.Defaults{Function: true, Needs: need, WorkDir: "/var/task"})
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v %v", f.ID, err, warnings)
			continue
		}
		for name, has := range map[config.Needs]bool{config.NeedAuthSecret: cfg.AuthSecret != "", config.NeedEncryptionKey: cfg.EncryptionKey != ""} {
			if has && need&name == 0 {
				t.Errorf("%s is given a secret that it does not need", f.ID)
			}
		}
		if cfg.WALKind != config.WALSQS || cfg.TraceWALPartitions != 4 || cfg.SpanWALPartitions != 4 ||
			cfg.TraceQueueURLPrefix != "https://sqs.us-east-1.amazonaws.com/000000000000/pulse-trace-" ||
			cfg.SpanQueueURLPrefix != "https://sqs.us-east-1.amazonaws.com/000000000000/pulse-span-" {
			t.Errorf("%s: the log is %v at %s and %s with %d and %d partitions", f.ID, cfg.WALKind, cfg.TraceQueueURLPrefix, cfg.SpanQueueURLPrefix,
				cfg.TraceWALPartitions, cfg.SpanWALPartitions)
		}
		if cfg.SignupMode != config.SignupFirst || cfg.KeyCacheTTL != time.Minute || cfg.KeyCacheStale <= cfg.KeyCacheTTL {
			t.Errorf("%s: sign-up is %s, keys are kept for %s and %s", f.ID, cfg.SignupMode, cfg.KeyCacheTTL, cfg.KeyCacheStale)
		}
	}
	if len(loaded.Functions) == 0 {
		t.Error("there are no functions")
	}
	for _, name := range known {
		why := slices.ContainsFunc(slices.Collect(maps.Keys(notInTemplate)), func(pattern string) bool {
			ok, err := filepath.Match(pattern, name)
			return err == nil && ok
		})
		if why == named[name] {
			t.Errorf("%s is named in the template: %v; left out for a reason: %v", name, named[name], why)
		}
	}
}

// source is the code that says what a function needs.
func source(t *testing.T, function string) string {
	t.Helper()
	var text strings.Builder
	for _, pattern := range []string{"functions/" + function + "/*.go", "shared/host/" + map[string]string{"drain": "drainer", "migrate": "migrator"}[function] + "/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			text.Write(raw)
		}
	}
	return text.String()
}

// TestTemplateAlarms holds the alarms to what may fail, and to the pages that say
// what to do.
func TestTemplateAlarms(t *testing.T) {
	t.Parallel()
	file := template(t)
	page, err := os.ReadFile("docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	watched := map[string]bool{}
	fixed, perPair := 0, 0 // alarms, and those that a trace and a span partition add
	for id, r := range file.of("AWS::CloudWatch::Alarm") {
		target := r.get("Dimensions", "0", "Value")
		name := target.Value
		if target.Kind == yaml.SequenceNode {
			name = target.Content[0].Value
		}
		watched[r.text("MetricName")+" "+name] = true
		if r.Condition != "HasAlarms" {
			t.Errorf("%s: Alarms=off would not switch it off", id)
		}
		_, anchor, _ := strings.Cut(r.text("AlarmDescription"), "docs/operations.md#")
		heading := regexp.MustCompile(`(?mi)^#+ ` + strings.ReplaceAll(regexp.QuoteMeta(anchor), "-", "[ -]") + `$`)
		if anchor == "" || !heading.Match(page) {
			t.Errorf("%s: docs/operations.md has no section %q", id, anchor)
		}
		switch {
		case strings.HasSuffix(id, "Alarm0"):
			perPair++
		case strings.HasSuffix(id, "Alarm"):
			fixed++
		}
	}
	want := []string{"5xx Api"} // what fails behind the API, in any function
	for id := range file.of("AWS::SQS::Queue") {
		metric := "ApproximateNumberOfMessagesVisible"
		if file.Resources[id].get("RedrivePolicy") != nil {
			metric = "ApproximateAgeOfOldestMessage"
		}
		want = append(want, metric+" "+id)
	}
	for id, r := range file.of("AWS::Serverless::Function") {
		if len(events(t, r)) == 0 {
			want = append(want, "Errors "+id)
		}
	}
	want = append(want, "Throttles Ingest", "Throttles Drain")
	for _, w := range want {
		if !watched[w] {
			t.Errorf("no alarm watches %s", w)
		}
	}
	if n := fixed + perPair; n > 10 {
		t.Errorf("a stack with one partition of each kind has %d alarms; ten are free", n)
	}
}

// TestTemplateParameters holds profiles and documents to the parameters, and
// secrets out of both.
func TestTemplateParameters(t *testing.T) {
	t.Parallel()
	file := template(t)
	page, err := os.ReadFile("docs/deploy-aws.md")
	if err != nil {
		t.Fatal(err)
	}
	secret := regexp.MustCompile(`(?i)secret|key$|url$`)
	for name, p := range file.Parameters {
		if p.Description == "" {
			t.Errorf("%s has no description", name)
		}
		if p.NoEcho != (secret.MatchString(name) && name != "PublicUrl") {
			t.Errorf("%s is a secret: %v", name, p.NoEcho)
		}
		byDefault := "`" + p.Default + "`"
		switch {
		case p.NoEcho:
			byDefault = "required"
		case p.Default == "":
			byDefault = "none"
		}
		if row := fmt.Sprintf("| `%s` | %s | %s |", name, byDefault, p.Description); !strings.Contains(string(page), row+"\n") {
			t.Errorf("docs/deploy-aws.md lacks the row\n%s", row)
		}
	}
	config, err := os.ReadFile("samconfig.toml")
	if err != nil {
		t.Fatal(err)
	}
	profiles, err := filepath.Glob("infra/parameters/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(profiles) < 2 {
		t.Errorf("profiles: %v", profiles)
	}
	for _, path := range profiles {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		values := map[string]string{}
		if err := yaml.Unmarshal(raw, &values); err != nil {
			t.Fatal(err)
		}
		for name := range values {
			if p, ok := file.Parameters[name]; !ok || p.NoEcho {
				t.Errorf("%s: %s is no parameter for a profile", path, name)
			}
		}
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		for _, line := range []string{"[" + name + ".deploy.parameters]\nstack_name = \"pulse-" + name + "\"\n", "\"file://" + path + "\""} {
			if !strings.Contains(string(config), line) {
				t.Errorf("samconfig.toml lacks %s", line)
			}
		}
		loaded, err := serverless.LoadTemplate("template.yaml", "pulse", values)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[string]int{"dev": 2, "prod": 8}[name]; len(loaded.Mappings) != want {
			t.Errorf("%s has %d mappings, not %d", path, len(loaded.Mappings), want)
		}
	}
}

// TestTemplateMaintenance checks that nothing wakes a database that sleeps more
// than once a day, and that the event is one that migrate knows.
func TestTemplateMaintenance(t *testing.T) {
	t.Parallel()
	file := template(t)
	for id, r := range file.of("AWS::Events::Rule") {
		if at := r.text("ScheduleExpression"); !regexp.MustCompile(`^cron\(\d+ \d+ \* \* \? \*\)$`).MatchString(at) {
			t.Errorf("%s runs at %s, not once a day", id, at)
		}
		if input := r.text("Targets", "0", "Input"); input != `{"action":"maintain"}` || r.text("Targets", "0", "Arn") != "Migrate.Arn" {
			t.Errorf("%s sends %s to %s", id, input, r.text("Targets", "0", "Arn"))
		}
	}
	migration := file.Resources["Migration"]
	for _, stream := range []string{"Trace", "Span"} { // or functions would send to queues that are not there yet
		if migration.get("Fn::ForEach::"+stream+"QueueNames", "1").Value != stream+"Partitions" {
			t.Errorf("nothing makes the functions wait for the queues of %s", stream)
		}
	}
	if migration.text("ServiceToken") != "Migrate.Arn" || migration.text("Version") != "Version" {
		t.Error("a deployment does not run the migrations")
	}
	if wait, timeout := migration.number("ServiceTimeout"), file.setting("Migrate", "Timeout").number("Timeout"); wait <= timeout {
		t.Errorf("CloudFormation waits for %d seconds, and Migrate may take %d", wait, timeout)
	}
}
