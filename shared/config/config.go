// Package config turns the environment into one value. It is the only reader of
// the environment in Pulse, reports every fault at once, and prints itself
// without its secrets. What each variable means is in one table (variables.go),
// from which docs/configuration.md is made.
//
// It decides nothing that the variables do not say, opens nothing but the .env
// files and the secrets file, and knows no other package of Pulse.
package config

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Mode is where data is stored.
type Mode string

// The modes.
const (
	ModeSingle Mode = "single" // a SQLite file
	ModeScale  Mode = "scale"  // Postgres
)

// RuntimeMode is which parts of Pulse run in the process.
type RuntimeMode string

// The runtime modes.
const (
	RuntimeAll      RuntimeMode = "all"      // HTTP and drain
	RuntimeAPI      RuntimeMode = "api"      // HTTP and appending to the log, no drain
	RuntimeListener RuntimeMode = "listener" // drain only
)

// NodeEnv is the kind of environment, under the earlier service's name.
type NodeEnv string

// The environments.
const (
	NodeEnvDevelopment NodeEnv = "development"
	NodeEnvProduction  NodeEnv = "production"
	NodeEnvTest        NodeEnv = "test"
)

// SignupMode is who may create an account.
type SignupMode string

// The sign-up modes.
const (
	SignupOpen   SignupMode = "open"   // everybody
	SignupFirst  SignupMode = "first"  // only while there is no account
	SignupClosed SignupMode = "closed" // nobody
)

// APIKeyStorage is what is kept of an API key.
type APIKeyStorage string

// The storage forms.
const (
	APIKeyStorageSealed APIKeyStorage = "sealed" // its hash, and an encrypted copy that administrators can list
	APIKeyStorageHash   APIKeyStorage = "hash"   // its hash only
)

// LogFormat is how log lines are written.
type LogFormat string

// The formats.
const (
	LogFormatText LogFormat = "text"
	LogFormatJSON LogFormat = "json"
)

// WALKind is the technology of the durable log.
type WALKind string

// The kinds, by the scheme of WAL_URL.
const (
	WALFile WALKind = "file"
	WALSQS  WALKind = "sqs"
	WALNATS WALKind = "nats"
)

// AWS is how requests to AWS are signed.
type AWS struct {
	Region                                     string
	AccessKeyID, SecretAccessKey, SessionToken Secret
	// Of a container's endpoint for credentials; "" where there is none.
	CredentialsURI, CredentialsPath, TokenFile string
}

// Config is the whole configuration, validated. Every path in it is absolute.
// The meaning of each field is that of its variable.
type Config struct {
	// Given names the variables that were set, in the order of the documentation.
	Given []string

	Mode        Mode
	RuntimeMode RuntimeMode
	NodeEnv     NodeEnv

	Home             string
	DataDir          string
	DatabasePath     string // SQLite's file; used in ModeSingle only
	DatabaseURL      Secret // never empty in ModeScale
	DatabaseMaxConns int
	RetentionDays    int // 0 keeps data for ever
	PayloadSearch    bool
	PricesFile       string // "": there are none but the projects' own and the built-in ones

	Host             string // "" listens on all interfaces
	Port             int    // 0 until BindPort: the system chooses
	GRPCPort         int    // 0: no gRPC
	PublicURL        string // scheme://host[:port]
	PublicURLSet     bool   // false if PublicURL follows Port
	DashboardDir     string // "" serves the embedded dashboard
	AllowedOrigins   []string
	TrustedProxies   int // how many proxies in front append to X-Forwarded-For
	ShutdownTimeout  time.Duration
	MaxBodyBytes     int64 // after decompression
	MaxSentBodyBytes int64 // as it is sent
	MaxInFlightBytes int64 // of all requests at once

	// AuthSecret and EncryptionKey may be empty in ModeSingle until
	// EnsureSecrets was called.
	AuthSecret    Secret
	EncryptionKey Secret
	NewPassword   Secret // for keys create alone
	SignupMode    SignupMode
	AuthRateLimit bool
	APIKeyStorage APIKeyStorage
	KeyCacheTTL   time.Duration // 0 asks the database for every request
	KeyCacheStale time.Duration // how long a known key works while the database is away

	WALKind               WALKind
	WALURL                Secret // as given
	NATSReplicas          int
	TraceWALDir           string
	SpanWALDir            string
	TraceWALPartitions    int
	SpanWALPartitions     int
	WALSegmentBytes       int64
	DrainBatchRecords     int
	DrainBatchBytes       int64
	ReadAfterWriteTimeout time.Duration // 0 does not wait

	TraceQueueURLPrefix string // of SQS; the partition's number follows
	SpanQueueURLPrefix  string
	SQSEndpoint         string // "" is that of AWS
	SQSCreateQueues     bool
	AWS                 AWS
	LambdaRuntimeAPI    string // "" outside Lambda

	LogLevel     slog.Level
	LogFormat    LogFormat
	Metrics      bool
	MetricsToken Secret // "" asks for none
}

// BindPort tells the configuration which port was opened, so that PublicURL is
// right where PORT left the choice to the system.
func (c *Config) BindPort(port int) {
	c.Port = port
	if !c.PublicURLSet {
		c.PublicURL = fmt.Sprintf("http://localhost:%d", port)
	}
}

// Value gives a variable's value in effect as it would be written; a secret says
// only whether it is there. There must be such a variable.
func (c Config) Value(name string) string {
	i := slices.IndexFunc(variables, func(v variable) bool { return v.Name == name })
	return variables[i].bind(&loader{cfg: c}).String()
}

// String lists the variables with the values in effect, one a line, without
// secrets.
func (c Config) String() string {
	var b strings.Builder
	for _, v := range variables {
		fmt.Fprintf(&b, "%s=%s\n", v.Name, v.bind(&loader{cfg: c}))
	}
	return b.String()
}

// Format prints String whatever the verb, so that no %#v finds a way around it.
func (c Config) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }

// LogValue is a group of the variables, without secrets.
func (c Config) LogValue() slog.Value {
	attrs := make([]slog.Attr, 0, len(variables))
	for _, v := range variables {
		attrs = append(attrs, slog.String(v.Name, v.bind(&loader{cfg: c}).String()))
	}
	return slog.GroupValue(attrs...)
}

// MarshalText is String, so that a JSON encoder shows no more than a log does.
func (c Config) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Secret is a value that is never printed: not by fmt, log/slog or JSON.
type Secret string

// Reveal gives the value, to hand it to what needs it.
func (s Secret) Reveal() string { return string(s) }

// String says whether there is a value.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[redacted]"
}

// Format prints String whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue is String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Names lists the variables that have an effect, in the order of the
// documentation.
func Names() []string {
	names := make([]string, len(variables))
	for i, v := range variables {
		names[i] = v.Name
	}
	return names
}
