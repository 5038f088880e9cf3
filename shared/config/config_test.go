package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	longSecret  = "0123456789abcdef0123456789abcdef" // exactly 32 characters
	otherSecret = "fedcba9876543210fedcba9876543210-and-more"
)

// load loads an environment whose HOME is /home/ada and whose working directory
// is /srv.
func load(t *testing.T, mode Mode, environ ...string) (Config, []string, error) {
	t.Helper()
	return Load(append([]string{"HOME=/home/ada"}, environ...), Defaults{Mode: mode, WorkDir: "/srv"})
}

func mustLoad(t *testing.T, mode Mode, environ ...string) Config {
	t.Helper()
	cfg, _, err := load(t, mode, environ...)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

var scaleEnviron = []string{"DATABASE_URL=postgres://pulse:pw@db/pulse", "BETTER_AUTH_SECRET=" + longSecret, "ENCRYPTION_KEY=" + longSecret}

func TestLoadDefaults(t *testing.T) {
	t.Parallel()
	want := Config{
		Mode: ModeSingle, RuntimeMode: RuntimeAll, NodeEnv: NodeEnvDevelopment,
		Home: "/home/ada/.pulse", DataDir: "/home/ada/.pulse/.data", DatabasePath: "/home/ada/.pulse/.data/pulse.db", DatabaseMaxConns: 10,
		Port: 3000, GRPCPort: 4317, PublicURL: "http://localhost:3000",
		ShutdownTimeout: 30 * time.Second, MaxBodyBytes: 32 << 20, MaxSentBodyBytes: 32 << 20, MaxInFlightBytes: 512 << 20,
		SignupMode: SignupOpen, AuthRateLimit: true, APIKeyStorage: APIKeyStorageSealed, KeyCacheTTL: 10 * time.Second, KeyCacheStale: 15 * time.Minute, WALKind: WALFile, NATSReplicas: 1,
		TraceWALDir: "/home/ada/.pulse/.data/wal", SpanWALDir: "/home/ada/.pulse/.data/wal-spans",
		TraceWALPartitions: 1, SpanWALPartitions: 1, WALSegmentBytes: 104857600,
		DrainBatchRecords: 1000, DrainBatchBytes: 16 << 20, ReadAfterWriteTimeout: 2 * time.Second,
		LogLevel: slog.LevelInfo, LogFormat: LogFormatText, Metrics: true, PayloadSearch: true,
	}
	t.Run("Single", func(t *testing.T) {
		t.Parallel()
		cfg, warnings, err := load(t, "")
		if err != nil || len(warnings) != 0 {
			t.Fatalf("warnings %q, error %v", warnings, err)
		}
		if diff := cmp.Diff(want, cfg); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("Scale", func(t *testing.T) {
		t.Parallel()
		want := want
		want.Mode, want.TraceWALPartitions, want.SpanWALPartitions = ModeScale, 4, 4
		want.Given = []string{"DATABASE_URL", "BETTER_AUTH_SECRET", "ENCRYPTION_KEY"}
		want.DatabaseURL, want.AuthSecret, want.EncryptionKey = "postgres://pulse:pw@db/pulse", longSecret, longSecret
		if diff := cmp.Diff(want, mustLoad(t, ModeScale, scaleEnviron...)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("EnvironmentBeatsTheBinary", func(t *testing.T) {
		t.Parallel()
		if got := mustLoad(t, ModeScale, "PULSE_MODE=single").Mode; got != ModeSingle {
			t.Errorf("got %s", got)
		}
	})
}

func TestGivenAndValue(t *testing.T) {
	t.Parallel()
	cfg := mustLoad(t, ModeSingle, "PULSE_PASSWORD="+longSecret, "PULSE_HOME=h", "PULSE_MODE=", "PORT=")
	if diff := cmp.Diff([]string{"PULSE_HOME", "PULSE_PASSWORD"}, cfg.Given); diff != "" {
		t.Error(diff)
	}
	if got := cfg.Value("PULSE_HOME"); got != "/srv/h" {
		t.Errorf("PULSE_HOME is %q", got)
	}
	if got := cfg.Value("PULSE_PASSWORD"); strings.Contains(got, longSecret) {
		t.Error("a secret is shown")
	}
}

func TestLoadPaths(t *testing.T) {
	t.Parallel()
	type paths struct{ Home, DataDir, DatabasePath, TraceWALDir, SpanWALDir string }
	for name, tc := range map[string]struct {
		environ []string
		want    paths
	}{
		"Home":                  {[]string{"PULSE_HOME=~/p"}, paths{"/home/ada/p", "/home/ada/p/.data", "/home/ada/p/.data/pulse.db", "/home/ada/p/.data/wal", "/home/ada/p/.data/wal-spans"}},
		"BareTilde":             {[]string{"PULSE_HOME=~"}, paths{"/home/ada", "/home/ada/.data", "/home/ada/.data/pulse.db", "/home/ada/.data/wal", "/home/ada/.data/wal-spans"}},
		"TildeOfAnotherIsAName": {[]string{"PULSE_HOME=~bob"}, paths{"/srv/~bob", "/srv/~bob/.data", "/srv/~bob/.data/pulse.db", "/srv/~bob/.data/wal", "/srv/~bob/.data/wal-spans"}},
		"Relative":              {[]string{"PULSE_HOME=h", "PULSE_DATA_DIR=../d"}, paths{"/srv/h", "/d", "/d/pulse.db", "/d/wal", "/d/wal-spans"}},
		"DataFollowsDatabase":   {[]string{"DATABASE_PATH=/db/x.sqlite"}, paths{"/home/ada/.pulse", "/db", "/db/x.sqlite", "/db/wal", "/db/wal-spans"}},
		"DataBeatsDatabase":     {[]string{"DATABASE_PATH=/db/x.sqlite", "PULSE_DATA_DIR=/d", "WAL_SPAN_DIR=s"}, paths{"/home/ada/.pulse", "/d", "/db/x.sqlite", "/d/wal", "/srv/s"}},
		"EmptyIsUnset":          {[]string{"PULSE_HOME=", "PULSE_DATA_DIR="}, paths{"/home/ada/.pulse", "/home/ada/.pulse/.data", "/home/ada/.pulse/.data/pulse.db", "/home/ada/.pulse/.data/wal", "/home/ada/.pulse/.data/wal-spans"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := mustLoad(t, ModeSingle, tc.environ...)
			if diff := cmp.Diff(tc.want, paths{c.Home, c.DataDir, c.DatabasePath, c.TraceWALDir, c.SpanWALDir}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLoadFaults(t *testing.T) {
	t.Parallel()
	const heading = "Invalid environment configuration:"
	for name, tc := range map[string]struct {
		mode    Mode
		environ []string
		want    string
	}{
		"AllAtOnce": {ModeSingle, []string{"PORT=abc", "BETTER_AUTH_SECRET=short", "ENCRYPTION_KEY=short", "NODE_ENV=prod", "SPAN_WAL_PARTITIONS=0"}, heading + `
  NODE_ENV: Invalid option: expected one of "development"|"production"|"test"
  PORT: Invalid input: expected number, received NaN
  BETTER_AUTH_SECRET: BETTER_AUTH_SECRET must be at least 32 characters
  ENCRYPTION_KEY: ENCRYPTION_KEY must be at least 32 characters
  SPAN_WAL_PARTITIONS: Too small: expected number to be >=1`},
		"Mode": {ModeSingle, []string{"PULSE_MODE=both"}, heading + `
  PULSE_MODE: Invalid PULSE_MODE: both. Expected "single" or "scale".`},
		"RuntimeMode": {ModeSingle, []string{"PULSE_RUNTIME_MODE=web"}, heading + `
  PULSE_RUNTIME_MODE: Invalid option: expected one of "all"|"api"|"listener"`},
		"ScaleNothingSet": {ModeScale, nil, heading + `
  DATABASE_URL: DATABASE_URL is required in scale mode
  BETTER_AUTH_SECRET: BETTER_AUTH_SECRET is required in scale mode
  ENCRYPTION_KEY: ENCRYPTION_KEY is required in scale mode`},
		"ScaleNoURL":       {ModeScale, scaleEnviron[1:], "Invalid environment configuration: DATABASE_URL is required in scale mode"},
		"ScaleWrongScheme": {ModeScale, append([]string{"DATABASE_URL=mysql://root:pw@db/x"}, scaleEnviron[1:]...), "Invalid DATABASE_URL: PostgreSQL URL required (expected postgres:// or postgresql://)"},
		"PortRange": {ModeSingle, []string{"PORT=65536"}, heading + `
  PORT: Too big: expected number to be <=65535`},
		"PortInfinite": {ModeSingle, []string{"PORT=Infinity"}, heading + `
  PORT: Too big: expected number to be <=65535`},
		"PortNegative": {ModeSingle, []string{"PORT=-1"}, heading + `
  PORT: Too small: expected number to be >=0`},
		"PublicURL": {ModeSingle, []string{"BETTER_AUTH_URL=https://user:hunter2@pulse.example"}, heading + `
  BETTER_AUTH_URL: Invalid URL: expected http://host[:port] or https://host[:port], without a path`},
		"PublicURLWithPath": {ModeSingle, []string{"BETTER_AUTH_URL=http://localhost:4163/sub"}, heading + `
  BETTER_AUTH_URL: Invalid URL: expected http://host[:port] or https://host[:port], without a path`},
		"OriginWithPath": {ModeSingle, []string{"PULSE_ALLOWED_ORIGINS=http://a.example, http://u:hunter2@b.example/app"}, heading + `
  PULSE_ALLOWED_ORIGINS: "b.example/app" is not an origin: expected scheme://host[:port] without a path`},
		"OriginsWrong": {ModeSingle, []string{"PULSE_ALLOWED_ORIGINS=a.example, http://good.example, http://u:hunter2@b.example/app, https://c.example?q"}, heading + `
  PULSE_ALLOWED_ORIGINS: "a.example", "b.example/app", "https://c.example?q" are not origins: expected scheme://host[:port] without a path`},
		"OriginPattern": {ModeSingle, []string{"PULSE_ALLOWED_ORIGINS=https://*.example"}, heading + `
  PULSE_ALLOWED_ORIGINS: "https://*.example" is not an origin: expected scheme://host[:port] without a path`},
		"CipherKeyNotASCII": {ModeSingle, []string{"ENCRYPTION_KEY=é" + longSecret}, heading + `
  ENCRYPTION_KEY: ENCRYPTION_KEY: character 1 is not ASCII; the first 32 must be`},
		"LogURL": {ModeSingle, []string{"WAL_URL=kafka://u:hunter2@b"}, heading + `
  WAL_URL: Invalid WAL_URL: expected file:///directory, sqs://host/account/name-, sqs:// or nats://host:port`},
		"LogInRelativeFolder": {ModeSingle, []string{"WAL_URL=file:data"}, heading + `
  WAL_URL: Invalid WAL_URL: expected file:///directory, sqs://host/account/name-, sqs:// or nats://host:port`},
		"LogOnNoPort": {ModeSingle, []string{"WAL_URL=nats://u:hunter2@host:99999"}, heading + `
  WAL_URL: Invalid WAL_URL: expected file:///directory, sqs://host/account/name-, sqs:// or nats://host:port`},
		"NoPort": {ModeSingle, []string{"SQS_ENDPOINT=http://host:0"}, heading + `
  SQS_ENDPOINT: Invalid URL: expected http://host[:port][/path] or https://host[:port][/path]`},
		"QueuesOfTwoServers": {ModeSingle, []string{"AWS_REGION=r", "TRACE_QUEUE_URL_PREFIX=http://a:1/1/t-", "SPAN_QUEUE_URL_PREFIX=http://b:1/1/s-"}, heading + `
  SPAN_QUEUE_URL_PREFIX: must be of the same server as TRACE_QUEUE_URL_PREFIX, or SQS_ENDPOINT must say where requests go`},
		"QueuesWithoutRegion": {ModeSingle, []string{"TRACE_QUEUE_URL_PREFIX=https://sqs.example/1/t-"}, heading + `
  SPAN_QUEUE_URL_PREFIX: SPAN_QUEUE_URL_PREFIX is required where the log is in SQS
  AWS_REGION: AWS_REGION is required where the log is in SQS`},
		"OneQueue": {ModeSingle, []string{"AWS_REGION=r", "TRACE_QUEUE_URL_PREFIX=https://sqs.example/1/t-", "SPAN_QUEUE_URL_PREFIX=https://sqs.example/1/t-"}, heading + `
  SPAN_QUEUE_URL_PREFIX: must not be the same as TRACE_QUEUE_URL_PREFIX`},
		"OneLog": {ModeSingle, []string{"WAL_DIR=/l", "WAL_SPAN_DIR=/l/"}, heading + `
  WAL_SPAN_DIR: must not be the same directory as WAL_DIR`},
		"LogLevel": {ModeSingle, []string{"LOG_LEVEL=loud", "METRICS=maybe"}, heading + `
  LOG_LEVEL: Invalid option: expected one of "debug"|"info"|"warn"|"error"
  METRICS: Invalid option: expected one of "on"|"off"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := load(t, tc.mode, tc.environ...)
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(tc.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("NoHome", func(t *testing.T) {
		t.Parallel()
		_, _, err := Load([]string{"DATABASE_PATH=~/x"}, Defaults{WorkDir: "/srv"})
		want := heading + "\n  DATABASE_PATH: ~ cannot be used: the home directory is not known\n  PULSE_HOME: must be set: the home directory is not known"
		if err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
	})
}

func TestLoadNumbers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"": 0, "0": 0, "8080": 8080, " 8080\n": 8080, "1e3": 1000, "0x1F90": 8080, "0b11": 3, "0o17": 15, "80.9": 80, "+80": 80, ".5e2": 50, "010": 10,
	} {
		t.Run("OK"+text, func(t *testing.T) {
			t.Parallel()
			if got := mustLoad(t, ModeSingle, "PORT="+text).Port; got != want {
				t.Errorf("PORT=%q gives %d, want %d", text, got, want)
			}
		})
	}
	for _, text := range []string{"abc", "80a", "1_0", "0x", "0x1p3", "0x_1", "inf", "NaN", "-0x10", "8080;", "1e", "0b2", "--1"} {
		t.Run("Err"+text, func(t *testing.T) {
			t.Parallel()
			if cfg, _, err := load(t, ModeSingle, "PORT="+text); err == nil {
				t.Errorf("PORT=%q gives %d", text, cfg.Port)
			}
		})
	}
}

func TestPublicURL(t *testing.T) {
	t.Parallel()
	t.Run("FollowsPort", func(t *testing.T) {
		t.Parallel()
		cfg := mustLoad(t, ModeSingle, "PORT=4000")
		if cfg.PublicURL != "http://localhost:4000" || cfg.PublicURLSet {
			t.Errorf("got %s, set %t", cfg.PublicURL, cfg.PublicURLSet)
		}
		cfg.BindPort(4001)
		if cfg.PublicURL != "http://localhost:4001" || cfg.Port != 4001 {
			t.Errorf("after BindPort: %s", cfg.PublicURL)
		}
	})
	t.Run("SetStays", func(t *testing.T) {
		t.Parallel()
		cfg := mustLoad(t, ModeSingle, "BETTER_AUTH_URL=https://pulse.example/", "PORT=0")
		cfg.BindPort(4001)
		if cfg.PublicURL != "https://pulse.example" || !cfg.PublicURLSet {
			t.Errorf("got %s, set %t", cfg.PublicURL, cfg.PublicURLSet)
		}
	})
}

func TestAllowedOrigins(t *testing.T) {
	t.Parallel()
	cfg, warnings, err := load(t, ModeSingle, "PULSE_ALLOWED_ORIGINS= http://LOCALHOST:5173/,*, https://a.example:443,https://a.example,,app://x, http://[::1]:80")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"http://localhost:5173", "https://a.example", "app://x", "http://[::1]"}, cfg.AllowedOrigins); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"PULSE_ALLOWED_ORIGINS: * is ignored: name each origin exactly"}, warnings); diff != "" {
		t.Error(diff)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	_, warnings, err := load(t, ModeSingle, "ADMIN_KEY=hunter2", "WAL_MAX_RETRIES=3", "WAL_DLQ_DIR=", "DATABASE_URL=mysql://pw", "UNRELATED=1")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"DATABASE_URL has no effect in single mode: data is stored in DATABASE_PATH; PULSE_MODE=scale stores in Postgres",
		"ADMIN_KEY is accepted for compatibility and has no effect",
		"WAL_MAX_RETRIES is accepted for compatibility and has no effect",
	}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Error(diff)
	}
}

func TestAuthRateLimit(t *testing.T) {
	t.Parallel()
	for environ, want := range map[string]bool{
		"NODE_ENV=production": true, "NODE_ENV=development": true, "NODE_ENV=test": false,
		"NODE_ENV=test AUTH_RATE_LIMIT=on": true, "AUTH_RATE_LIMIT=off": false,
	} {
		if got := mustLoad(t, ModeSingle, strings.Fields(environ)...).AuthRateLimit; got != want {
			t.Errorf("%s: got %t", environ, got)
		}
	}
}

// TestEveryVariableIsRead sets each variable to something that is not its
// default and looks whether the Config changed: a row that is bound to another
// row's field, or to none, fails.
func TestEveryVariableIsRead(t *testing.T) {
	t.Parallel()
	samples := map[string]string{
		"PULSE_MODE": "scale", "PULSE_RUNTIME_MODE": "api", "NODE_ENV": "production", "AUTH_RATE_LIMIT": "off", "METRICS": "off", "PAYLOAD_SEARCH": "off",
		"DATABASE_URL": "postgres://other/db", "SIGNUP_MODE": "first", "API_KEY_STORAGE": "hash", "LOG_LEVEL": "debug", "LOG_FORMAT": "json",
		"PULSE_ALLOWED_ORIGINS": "http://a.example", "BETTER_AUTH_URL": "https://b.example", "PULSE_HOST": "127.0.0.1", "METRICS_TOKEN": "t",
		"WAL_URL": "nats://nats.example:4222", "SQS_CREATE_QUEUES": "on", "NATS_REPLICAS": "3", "SQS_ENDPOINT": "http://sqs.example",
		"TRACE_QUEUE_URL_PREFIX": "https://sqs.example/1/other-trace-", "SPAN_QUEUE_URL_PREFIX": "https://sqs.example/1/other-span-",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://credentials.example/v1",
		authSecretName:                       otherSecret, encryptionKeyName: otherSecret,
	}
	queues := []string{"AWS_REGION=eu-central-1", "TRACE_QUEUE_URL_PREFIX=https://sqs.example/1/t-", "SPAN_QUEUE_URL_PREFIX=https://sqs.example/1/s-"}
	environ := append(queues, scaleEnviron...)
	base := mustLoad(t, ModeSingle, environ...)
	for _, v := range variables {
		sample, ok := samples[v.Name]
		if !ok {
			switch v.bind(&loader{}).(type) {
			case path:
				sample = "/elsewhere/" + v.Name
			default:
				sample = "4099"
				if strings.HasSuffix(v.Name, "PARTITIONS") || v.Name == "TRUSTED_PROXY_HOPS" || strings.HasSuffix(v.Name, "SECONDS") {
					sample = "7"
				}
			}
		}
		cfg := mustLoad(t, ModeSingle, append(environ, v.Name+"="+sample)...)
		got, want := v.bind(&loader{cfg: cfg}).String(), sample
		if _, isSecret := v.bind(&loader{}).(secret); isSecret {
			want = "[redacted]"
		}
		if got != want {
			t.Errorf("%s=%s reads back as %s", v.Name, sample, got)
		}
		if cmp.Equal(base, cfg) {
			t.Errorf("%s=%s changes nothing", v.Name, sample)
		}
	}
}

func TestNothingPrintsSecrets(t *testing.T) {
	t.Parallel()
	secrets := []string{"url-password", "auth-secret-" + longSecret, "cipher-key-" + longSecret, "metrics-token", "nats-password", "aws-secret"}
	cfg := mustLoad(t, ModeScale, "DATABASE_URL=postgres://pulse:"+secrets[0]+"@db/pulse", "BETTER_AUTH_SECRET="+secrets[1],
		"ENCRYPTION_KEY="+secrets[2], "METRICS_TOKEN="+secrets[3],
		"WAL_URL=nats://pulse:"+secrets[4]+"@nats:4222", "AWS_SECRET_ACCESS_KEY="+secrets[5])
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T%v"} {
		fmt.Fprintf(&out, verb+"\n", cfg, cfg)
		fmt.Fprintf(&out, verb+"\n", &cfg, cfg)
		fmt.Fprintf(&out, verb+"\n", cfg.AuthSecret, cfg.DatabaseURL)
		fmt.Fprintf(&out, verb+"\n", struct{ C Config }{cfg}, []Secret{cfg.EncryptionKey})
	}
	for _, v := range []any{cfg, &cfg, cfg.AuthSecret, map[string]any{"c": cfg, "s": cfg.MetricsToken}} {
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(encoded)
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "v", v)
	}
	for _, s := range secrets {
		if strings.Contains(out.String(), s) || strings.Contains(out.String(), fmt.Sprintf("%x", s)) {
			t.Errorf("%s was printed", s)
		}
	}
	if !strings.Contains(cfg.String(), "\nPORT=3000\n") || !strings.Contains(cfg.String(), "\nMETRICS_TOKEN=[redacted]\n") {
		t.Errorf("String() does not show what it should:\n%s", cfg)
	}
	if cfg.DatabaseURL.Reveal() != "postgres://pulse:url-password@db/pulse" {
		t.Error("Reveal does not give the value")
	}
}

func TestDotEnv(t *testing.T) {
	t.Parallel()
	write := func(t *testing.T, dir, name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("Precedence", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		write(t, dir, ".env", "# weakest\nPORT=1\nPULSE_HOME=/from-env\nRETENTION_DAYS=1\nLOG_LEVEL=warn\n")
		write(t, dir, ".env.production", "export PORT=2\nPULSE_HOME='/from-production'\nRETENTION_DAYS=2\n")
		write(t, dir, ".env.development", "PORT=3\n")
		write(t, dir, ".env.local", "PORT=4\nPULSE_HOME=\"/from local\" # a comment\n")
		environ, err := withDotEnv([]string{"NODE_ENV=production", "PORT=5"}, dir)
		if err != nil {
			t.Fatal(err)
		}
		cfg := mustLoad(t, ModeSingle, environ...)
		if cfg.Port != 5 || cfg.Home != "/from local" || cfg.RetentionDays != 2 || cfg.LogLevel != slog.LevelWarn {
			t.Errorf("port %d, home %s, retention %d, level %s", cfg.Port, cfg.Home, cfg.RetentionDays, cfg.LogLevel)
		}
	})
	t.Run("None", func(t *testing.T) {
		t.Parallel()
		environ, err := withDotEnv([]string{"PORT=5"}, t.TempDir())
		if err != nil || len(environ) != 1 {
			t.Errorf("%v, %v", environ, err)
		}
	})
	t.Run("ErrSyntaxWithoutContents", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		write(t, dir, ".env", "hunter2 hunter2\n=hunter2")
		_, err := withDotEnv(nil, dir)
		if want := "Invalid environment configuration:\n  .env: cannot be read: expected lines of NAME=value"; err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
	})
	t.Run("NodeEnvIsNoPath", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		write(t, dir, "secret", "PORT=7\n")
		environ, err := withDotEnv([]string{"NODE_ENV=/../secret"}, dir)
		if err != nil || len(environ) != 1 {
			t.Errorf("%v, %v", environ, err)
		}
	})
}

func TestFromEnviron(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("PULSE_HOME", "here")
	t.Setenv("PULSE_MODE", "")
	if err := os.WriteFile(".env", []byte("PULSE_HOME=there\nSIGNUP_MODE=closed\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := FromEnviron(Defaults{Mode: ModeSingle})
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Base(cfg.Home) != "here" || !filepath.IsAbs(cfg.Home) || cfg.SignupMode != SignupClosed {
		t.Errorf("home %s, sign-up %s", cfg.Home, cfg.SignupMode)
	}
}

// TestFunction asks of each function only for what it needs.
func TestFunction(t *testing.T) {
	t.Parallel()
	const database = "DATABASE_URL=postgres://db/pulse"
	function := Defaults{WorkDir: "/var/task", Function: true}
	cfg, _, err := Load([]string{database}, function)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Mode != ModeScale || cfg.LogFormat != LogFormatJSON {
		t.Errorf("mode %s, log format %s", cfg.Mode, cfg.LogFormat)
	}
	function.Needs = NeedAuthSecret | NeedEncryptionKey | NeedLog
	_, _, err = Load([]string{database}, function)
	want := `Invalid environment configuration:
  WAL_URL: WAL_URL, or TRACE_QUEUE_URL_PREFIX and SPAN_QUEUE_URL_PREFIX, must say where accepted records wait
  BETTER_AUTH_SECRET: BETTER_AUTH_SECRET is required: make one with openssl rand -hex 32, and give all functions the same
  ENCRYPTION_KEY: ENCRYPTION_KEY is required: make one with openssl rand -hex 32, and give all functions the same`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	function.Needs = 0
	if _, _, err = Load(nil, function); err == nil || !strings.Contains(err.Error(), "DATABASE_URL is required") || strings.Contains(err.Error(), "scale mode") {
		t.Errorf("without a database: %v", err)
	}
	function.Needs, function.Asks = NeedAuthSecret|NeedEncryptionKey|NeedLog, true
	if _, _, err = Load([]string{"PORT=8080"}, function); err != nil {
		t.Errorf("to ask a server how it is: %v", err)
	}
}

// A command that works on the database alone needs no secrets, but what it is given
// must be right.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	scale := []string{"PULSE_MODE=scale", "DATABASE_URL=postgres://db/pulse"}
	alone := Defaults{WorkDir: "/srv", NoSecrets: true}
	if _, _, err := Load(append(scale, "PULSE_HOME=/p"), alone); err != nil {
		t.Error(err)
	}
	if _, _, err := Load([]string{"PULSE_MODE=scale", "PULSE_HOME=/p", "ENCRYPTION_KEY=short"}, alone); err == nil || err.Error() != `Invalid environment configuration:
  ENCRYPTION_KEY: ENCRYPTION_KEY must be at least 32 characters
  DATABASE_URL: DATABASE_URL is required in scale mode` {
		t.Errorf("got %v", err)
	}
}

// TestFunctionOnLambda is about what differs where AWS_LAMBDA_RUNTIME_API is set.
func TestFunctionOnLambda(t *testing.T) {
	t.Parallel()
	const database, runtime = "DATABASE_URL=postgres://db/pulse", "AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001"
	function := Defaults{WorkDir: "/var/task", Function: true, Needs: NeedLog, LambdaConns: 2}
	for name, c := range map[string]struct {
		environ []string
		want    int
	}{
		"OnLambda":  {[]string{runtime}, 2},
		"Set":       {[]string{runtime, "DATABASE_MAX_CONNS=7"}, 7},
		"Container": {nil, 10},
	} {
		cfg, _, err := Load(append(c.environ, database, "WAL_URL=nats://n:4222"), function)
		if err != nil || cfg.DatabaseMaxConns != c.want {
			t.Errorf("%s: %d connections, %v, want %d", name, cfg.DatabaseMaxConns, err, c.want)
		}
	}
	if _, _, err := Load([]string{database, "WAL_URL=file:///log"}, function); err != nil {
		t.Errorf("a log in files in a container: %v", err)
	}
	_, _, err := Load([]string{database, runtime, "WAL_URL=file:///log"}, function)
	if err == nil || !strings.Contains(err.Error(), "\n  WAL_URL: WAL_URL must not be file:// on Lambda") {
		t.Errorf("a log in files on Lambda: %v", err)
	}
	// Who makes queues must know which, though it needs no log.
	_, _, err = Load([]string{database, "WAL_URL=sqs://", "SQS_CREATE_QUEUES=on"}, Defaults{WorkDir: "/", Function: true})
	if err == nil || strings.Count(err.Error(), "is required where the log is in SQS") != 3 {
		t.Errorf("queues without names: %v", err)
	}
}

func TestWALURL(t *testing.T) {
	t.Parallel()
	cfg := mustLoad(t, ModeSingle, "AWS_REGION=eu-west-1", "WAL_URL=sqs://sqs.eu-west-1.amazonaws.com/123456789012/pulse-")
	if cfg.WALKind != WALSQS || cfg.TraceQueueURLPrefix != "https://sqs.eu-west-1.amazonaws.com/123456789012/pulse-trace-" ||
		cfg.SpanQueueURLPrefix != "https://sqs.eu-west-1.amazonaws.com/123456789012/pulse-span-" {
		t.Errorf("sqs: %s %s %s", cfg.WALKind, cfg.TraceQueueURLPrefix, cfg.SpanQueueURLPrefix)
	}
	cfg = mustLoad(t, ModeSingle, "WAL_URL=file:///srv/log")
	if cfg.WALKind != WALFile || cfg.TraceWALDir != "/srv/log/wal" || cfg.SpanWALDir != "/srv/log/wal-spans" {
		t.Errorf("file: %s %s %s", cfg.WALKind, cfg.TraceWALDir, cfg.SpanWALDir)
	}
	if got := mustLoad(t, ModeSingle, "WAL_URL=nats://u:pw@n:4222").Value("WAL_URL"); got != "nats://%5Bredacted%5D@n:4222" {
		t.Errorf("nats shows as %s", got)
	}
}

// TestSQSEndpoint: requests go to the server that has the queues.
func TestSQSEndpoint(t *testing.T) {
	t.Parallel()
	for queues, want := range map[string]string{
		"http://172.25.0.3:9324/000000000000/":               "http://172.25.0.3:9324",
		"https://queues.example/1/":                          "https://queues.example",
		"https://sqs.eu-west-1.amazonaws.com/1/":             "",
		"https://sqs.cn-north-1.amazonaws.com.cn/1/":         "",
		"https://sqs.amazonaws.com.example/1/":               "https://sqs.amazonaws.com.example",
		"https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com/1/": "",
		"https://SQS.eu-west-1.AMAZONAWS.com/1/":             "",
	} {
		env := []string{"AWS_REGION=r", "TRACE_QUEUE_URL_PREFIX=" + queues + "t-", "SPAN_QUEUE_URL_PREFIX=" + queues + "s-"}
		if got := mustLoad(t, ModeSingle, env...).SQSEndpoint; got != want {
			t.Errorf("queues at %s: requests go to %q, want %q", queues, got, want)
		}
		if got := mustLoad(t, ModeSingle, append(env, "SQS_ENDPOINT=http://given")...).SQSEndpoint; got != "http://given" {
			t.Errorf("queues at %s: SQS_ENDPOINT became %q", queues, got)
		}
	}
}
