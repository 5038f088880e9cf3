package config

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Defaults are what the program, not the environment, contributes.
type Defaults struct {
	Mode    Mode   // where PULSE_MODE is not set; empty means ModeSingle
	WorkDir string // what relative paths start from; absolute
	// Function says that the program is one of the functions of a deployment,
	// which are always in ModeScale and keep nothing on a disk unless told so,
	// and what it needs to be given.
	Function bool
	Needs    Needs
	// Asks says that the program only asks a server of this machine how it is: what
	// the server itself must be given may be missing.
	Asks bool
	// NoSecrets says that the program works on the database or the log alone, and
	// does without BETTER_AUTH_SECRET and ENCRYPTION_KEY.
	NoSecrets bool
	// LambdaConns is DATABASE_MAX_CONNS of the function on Lambda, which gives a
	// process one event at a time, where the variable is not set; 0 leaves it.
	LambdaConns int
}

// Needs is a set of what a function must be given.
type Needs uint

// What a function may need beside the database, which all of them do.
const (
	NeedAuthSecret    Needs = 1 << iota // BETTER_AUTH_SECRET
	NeedEncryptionKey                   // ENCRYPTION_KEY
	NeedLog                             // WAL_URL, or the prefixes of the queues
)

// Fault is one thing that is wrong with the configuration.
type Fault struct {
	Name    string // the variable (or file)
	Message string // what is wrong; holds no secret
	// alone is the line that stands for the whole report when this is the only
	// fault: the earlier service had such lines, and scripts look for them.
	alone string
}

// Errors is every fault of a configuration, in the order of the variables. Its
// text is made to be printed as it is, before the program exits with status 1.
type Errors []Fault

// Error is the report: a heading, and a line for each fault.
func (e Errors) Error() string {
	const heading = "Invalid environment configuration:"
	if len(e) == 1 && e[0].alone != "" {
		return e[0].alone
	}
	var b strings.Builder
	b.WriteString(heading)
	for _, f := range e {
		fmt.Fprintf(&b, "\n  %s: %s", f.Name, f.Message)
	}
	return b.String()
}

// FromEnviron loads the configuration of this process: from its environment,
// then .env.local, .env.<NODE_ENV> and .env in the working directory, the first
// that has a variable giving its value. The working directory becomes
// defaults.WorkDir. Warnings and errors are those of Load.
func FromEnviron(defaults Defaults) (Config, []string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return Config{}, nil, fmt.Errorf("find working directory: %w", err)
	}
	environ, err := withDotEnv(os.Environ(), dir)
	if err != nil {
		return Config{}, nil, err
	}
	defaults.WorkDir = dir
	return Load(environ, defaults)
}

// Load reads a configuration from "NAME=value" pairs, of which the last of a
// name wins, and touches nothing else. A variable that is empty counts as not
// set, except PORT. warnings are lines for the log: what was set but does
// nothing, without values. The error is of type Errors.
func Load(environ []string, defaults Defaults) (cfg Config, warnings []string, err error) {
	l := &loader{env: make(map[string]string, len(environ)), defaults: defaults}
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			l.env[name] = value
		}
	}
	for _, v := range variables {
		if l.isSet(v.Name) {
			l.cfg.Given = append(l.cfg.Given, v.Name)
		}
		l.set(v)
	}
	l.derive()
	for _, name := range withoutEffect {
		if l.isSet(name) {
			l.warnings = append(l.warnings, name+" is accepted for compatibility and has no effect")
		}
	}
	if len(l.faults) > 0 {
		return Config{}, l.warnings, l.faults
	}
	return l.cfg, l.warnings, nil
}

// loader is a Config on its way.
type loader struct {
	env      map[string]string
	defaults Defaults
	cfg      Config
	faults   Errors
	warnings []string
}

// isSet reports whether a variable has a value that counts.
func (l *loader) isSet(name string) bool { return l.env[name] != "" }

func (l *loader) set(v variable) {
	value, set := l.env[v.Name]
	if value == "" && (!set || !v.EmptyCounts) {
		if value = v.Default; value == "" {
			return // nothing, or derived later
		}
	}
	if complaint := v.bind(l).set(value); complaint != "" {
		l.fail(v.Name, complaint)
	}
}

func (l *loader) fail(name, message string) {
	l.faults = append(l.faults, Fault{Name: name, Message: message})
}

// derive fills what follows from other variables and checks what concerns more
// than one. Defaults between variables are described in their Derived texts.
func (l *loader) derive() {
	c := &l.cfg
	if l.defaults.Function {
		c.Mode = ModeScale
	}
	if c.Mode == "" && !l.isSet("PULSE_MODE") {
		if c.Mode = l.defaults.Mode; c.Mode == "" {
			c.Mode = ModeSingle
		}
	}
	l.derivePaths()
	l.deriveLog()
	partitions := 1
	if c.Mode == ModeScale {
		partitions = 4
	}
	orElse(&c.TraceWALPartitions, partitions)
	orElse(&c.SpanWALPartitions, partitions)
	orElse(&c.MaxSentBodyBytes, c.MaxBodyBytes)
	orElse(&c.MaxInFlightBytes, 16*c.MaxBodyBytes)
	if !l.isSet("LOG_FORMAT") {
		c.LogFormat = LogFormatText
		if l.defaults.Function {
			c.LogFormat = LogFormatJSON
		}
	}
	if n := l.defaults.LambdaConns; n > 0 && c.LambdaRuntimeAPI != "" && !l.isSet("DATABASE_MAX_CONNS") {
		c.DatabaseMaxConns = n
	}
	if !l.isSet("AUTH_RATE_LIMIT") {
		c.AuthRateLimit = c.NodeEnv != NodeEnvTest
	}
	if c.PublicURLSet = l.isSet("BETTER_AUTH_URL"); !c.PublicURLSet {
		c.BindPort(c.Port)
	}
	l.checkStorage()
	l.warnOrigins()
}

func orElse[T comparable](p *T, fallback T) {
	var zero T
	if *p == zero {
		*p = fallback
	}
}

func (l *loader) derivePaths() {
	c := &l.cfg
	if c.Home == "" && l.homeDir() != "" {
		c.Home = filepath.Join(l.homeDir(), ".pulse")
	}
	if c.DataDir == "" && c.DatabasePath != "" {
		c.DataDir = filepath.Dir(c.DatabasePath)
	}
	if c.Home == "" && l.defaults.Function {
		c.Home = l.defaults.WorkDir // nothing is written there unless WAL_URL says so
	}
	if c.Home == "" && !l.isSet("PULSE_HOME") {
		l.fail("PULSE_HOME", "must be set: the home directory is not known")
		return
	}
	orElse(&c.DataDir, filepath.Join(c.Home, ".data"))
	orElse(&c.DatabasePath, filepath.Join(c.DataDir, "pulse.db"))
	orElse(&c.TraceWALDir, filepath.Join(c.DataDir, "wal"))
	orElse(&c.SpanWALDir, filepath.Join(c.DataDir, "wal-spans"))
	if c.TraceWALDir == c.SpanWALDir {
		l.fail("WAL_SPAN_DIR", "must not be the same directory as WAL_DIR")
	}
}

// checkStorage checks what scale mode needs. Nothing is generated there: two
// servers of one deployment must have the same secrets.
func (l *loader) checkStorage() {
	c := &l.cfg
	if l.defaults.Asks {
		return
	}
	if c.Mode != ModeScale {
		if l.isSet("DATABASE_URL") && c.Mode == ModeSingle {
			l.warnings = append(l.warnings, "DATABASE_URL has no effect in single mode: data is stored in DATABASE_PATH; PULSE_MODE=scale stores in Postgres")
		}
		return
	}
	const wrongScheme = "Invalid DATABASE_URL: PostgreSQL URL required (expected postgres:// or postgresql://)"
	url := c.DatabaseURL.Reveal()
	switch {
	case url == "" && l.defaults.Function:
		l.fail("DATABASE_URL", "DATABASE_URL is required")
	case url == "":
		const missing = "DATABASE_URL is required in scale mode"
		l.faults = append(l.faults, Fault{Name: "DATABASE_URL", Message: missing, alone: "Invalid environment configuration: " + missing})
	case !strings.HasPrefix(url, "postgres://") && !strings.HasPrefix(url, "postgresql://"):
		l.faults = append(l.faults, Fault{Name: "DATABASE_URL", Message: wrongScheme, alone: wrongScheme})
	}
	for _, v := range []struct {
		name string
		need Needs
	}{{authSecretName, NeedAuthSecret}, {encryptionKeyName, NeedEncryptionKey}} {
		switch {
		case l.isSet(v.name) || !l.needs(v.need):
		case l.defaults.Function: // which have no other mode
			l.fail(v.name, v.name+" is required: make one with openssl rand -hex 32, and give all functions the same")
		default:
			l.fail(v.name, v.name+" is required in scale mode")
		}
	}
}

// needs reports whether the program needs n; a server of everything does.
func (l *loader) needs(n Needs) bool {
	const secrets = NeedAuthSecret | NeedEncryptionKey
	if l.defaults.Asks || l.defaults.NoSecrets && n&secrets != 0 {
		return false
	}
	return !l.defaults.Function || l.defaults.Needs&n != 0
}

// deriveLog settles which log there is and checks what it needs.
func (l *loader) deriveLog() {
	c := &l.cfg
	if c.WALKind == "" && !l.isSet("WAL_URL") {
		c.WALKind = WALFile
		if c.TraceQueueURLPrefix != "" || c.SpanQueueURLPrefix != "" {
			c.WALKind = WALSQS
		} else if l.defaults.Function && l.needs(NeedLog) {
			l.fail("WAL_URL", "WAL_URL, or TRACE_QUEUE_URL_PREFIX and SPAN_QUEUE_URL_PREFIX, must say where accepted records wait")
		}
	}
	needed := l.needs(NeedLog) || c.SQSCreateQueues && !l.defaults.Asks
	if c.WALKind == WALFile && l.isSet("WAL_URL") && c.LambdaRuntimeAPI != "" && l.needs(NeedLog) {
		l.fail("WAL_URL", "WAL_URL must not be file:// on Lambda, whose disk does not last")
	}
	if c.WALKind != WALSQS || !needed {
		return
	}
	for _, v := range []struct{ name, value string }{
		{"TRACE_QUEUE_URL_PREFIX", c.TraceQueueURLPrefix}, {"SPAN_QUEUE_URL_PREFIX", c.SpanQueueURLPrefix}, {"AWS_REGION", c.AWS.Region},
	} {
		if v.value == "" {
			l.fail(v.name, v.name+" is required where the log is in SQS")
		}
	}
	if c.TraceQueueURLPrefix != "" && c.TraceQueueURLPrefix == c.SpanQueueURLPrefix {
		l.fail("SPAN_QUEUE_URL_PREFIX", "must not be the same as TRACE_QUEUE_URL_PREFIX")
	}
	if c.SQSEndpoint == "" {
		l.deriveSQSEndpoint()
	}
}

// deriveSQSEndpoint takes the server of the queues' URLs, unless it is AWS's own:
// requests for another server's queues must not go to AWS.
func (l *loader) deriveSQSEndpoint() {
	c := &l.cfg
	traces, spans := foreignServer(c.TraceQueueURLPrefix), foreignServer(c.SpanQueueURLPrefix)
	if traces != spans && c.TraceQueueURLPrefix != "" && c.SpanQueueURLPrefix != "" {
		l.fail("SPAN_QUEUE_URL_PREFIX", "must be of the same server as TRACE_QUEUE_URL_PREFIX, or SQS_ENDPOINT must say where requests go")
		return
	}
	c.SQSEndpoint = traces
}

// foreignServer gives scheme and host of a queue's URL; "" for those of AWS, whose
// endpoint follows from the region.
func foreignServer(queue string) string {
	u, err := url.Parse(queue)
	if err != nil || u.Host == "" {
		return ""
	}
	host := strings.ToLower(u.Hostname())
	for _, suffix := range []string{".amazonaws.com", ".amazonaws.com.cn"} {
		if strings.HasSuffix(host, suffix) {
			return ""
		}
	}
	return u.Scheme + "://" + u.Host
}

// warnOrigins names the entry that the list leaves out: answering any origin
// with credentials would hand every visitor's session to every page.
func (l *loader) warnOrigins() {
	for entry := range strings.SplitSeq(l.env["PULSE_ALLOWED_ORIGINS"], ",") {
		if strings.TrimSpace(entry) == "*" {
			l.warnings = append(l.warnings, "PULSE_ALLOWED_ORIGINS: * is ignored: name each origin exactly")
			return
		}
	}
}

// homeDir is the user's home directory, "" if the environment does not say.
func (l *loader) homeDir() string {
	for _, name := range []string{"HOME", "USERPROFILE"} {
		if dir := l.env[name]; filepath.IsAbs(dir) {
			return dir
		}
	}
	return ""
}
