package config

import (
	"fmt"
	"math"
	"time"
)

// variable is one row of the table that the loader, the printed form and
// docs/configuration.md are made from.
type variable struct {
	Section string // the heading it stands under in the documentation
	Name    string
	Default string // as it would be written; "" if there is none, or Derived says
	Derived string // how the default follows from other things (Markdown)
	Effect  string // Markdown
	New     bool   // the earlier service did not know it
	// EmptyCounts makes an empty value differ from none.
	EmptyCounts bool

	bind func(l *loader) value
}

const (
	authSecretName    = "BETTER_AUTH_SECRET"
	encryptionKeyName = "ENCRYPTION_KEY"

	minSecretChars = 32
	unbounded      = math.MaxInt32 // "as many as you like" for a count
	maxBytes       = 1 << 40

	// maxKeyCacheSeconds bounds how long a deleted key can work on.
	maxKeyCacheSeconds = 60
)

const (
	sectionGeneral = "What runs"
	sectionStorage = "Storage"
	sectionHTTP    = "HTTP"
	sectionAuth    = "Accounts and keys"
	sectionLog     = "Durable log and drain"
	sectionAWS     = "AWS"
	sectionObserve = "Logs and metrics"
)

// variables is every variable that has an effect, in the order of the
// documentation and of the faults.
var variables = []variable{
	{
		Section: sectionGeneral, Name: "PULSE_MODE", Derived: "`single`; `scale` in `pulse-scale`",
		Effect: "Where data is stored: `single` in a SQLite file, `scale` in Postgres.",
		bind: func(l *loader) value {
			c := oneOf(&l.cfg.Mode, ModeSingle, ModeScale)
			c.refuse = func(text string) string {
				return fmt.Sprintf("Invalid PULSE_MODE: %s. Expected \"single\" or \"scale\".", text)
			}
			return c
		},
	},
	{
		Section: sectionGeneral, Name: "PULSE_RUNTIME_MODE", Default: string(RuntimeAll),
		Effect: "Which parts run in this process: `api` serves HTTP and appends to the log, `listener` drains the log into the store and serves no HTTP, `all` does both.",
		bind:   func(l *loader) value { return oneOf(&l.cfg.RuntimeMode, RuntimeAll, RuntimeAPI, RuntimeListener) },
	},
	{
		Section: sectionGeneral, Name: "NODE_ENV", Default: string(NodeEnvDevelopment),
		Effect: "`test` switches off the origin check of `/api/auth` and the rate limit. Also names the file `.env.<NODE_ENV>`.",
		bind: func(l *loader) value {
			return oneOf(&l.cfg.NodeEnv, NodeEnvDevelopment, NodeEnvProduction, NodeEnvTest)
		},
	},
	{
		Section: sectionGeneral, Name: "SHUTDOWN_TIMEOUT_SECONDS", Default: "30", New: true,
		Effect: "How long a stop may take to finish requests and the drain before the process exits with status 1.",
		bind:   func(l *loader) value { return duration(&l.cfg.ShutdownTimeout, 1, 3600, time.Second, "seconds") },
	},

	{
		Section: sectionStorage, Name: "PULSE_HOME", Derived: "`~/.pulse`",
		Effect: "Base directory. Holds `server-secrets.json` and, unless told otherwise, the data.",
		bind:   func(l *loader) value { return path{&l.cfg.Home, l} },
	},
	{
		Section: sectionStorage, Name: "PULSE_DATA_DIR", Derived: "directory of `DATABASE_PATH` if that is set, else `$PULSE_HOME/.data`",
		Effect: "Directory of the database and the log.",
		bind:   func(l *loader) value { return path{&l.cfg.DataDir, l} },
	},
	{
		Section: sectionStorage, Name: "DATABASE_PATH", Derived: "`$PULSE_DATA_DIR/pulse.db`",
		Effect: "SQLite file, in single mode. Its directory is made.",
		bind:   func(l *loader) value { return path{&l.cfg.DatabasePath, l} },
	},
	{
		Section: sectionStorage, Name: "DATABASE_URL", Derived: "none; required in scale mode and by the functions",
		Effect: "Postgres, as `postgres://` or `postgresql://`. No effect in single mode.",
		bind:   func(l *loader) value { return secret{p: &l.cfg.DatabaseURL, name: "DATABASE_URL"} },
	},
	{
		Section: sectionStorage, Name: "DATABASE_MAX_CONNS", Default: "10", New: true,
		Effect: "Size of the Postgres connection pool. On Lambda the default is 2, and 1 for the drain.",
		bind:   func(l *loader) value { return whole(&l.cfg.DatabaseMaxConns, 1, 10_000, "") },
	},
	{
		Section: sectionStorage, Name: "RETENTION_DAYS", Default: "0", New: true,
		Effect: "Traces, spans and roll-ups older than this are removed. 0 keeps them for ever.",
		bind:   func(l *loader) value { return whole(&l.cfg.RetentionDays, 0, 36_500, "days") },
	},
	{
		Section: sectionStorage, Name: "PAYLOAD_SEARCH", Default: "on", New: true,
		Effect: "Searches for texts, errors and metadata, and keeps the index that makes them fast, some percent of the bytes stored. `off` refuses such searches and makes no index.",
		bind:   func(l *loader) value { return onOff{&l.cfg.PayloadSearch} },
	},
	{
		Section: sectionStorage, Name: "PRICES_FILE", Derived: "none", New: true,
		Effect: "JSON file with prices of all projects, for calls that a project has no price of its own for: docs/pricing.md. It is read at the start, which fails if something in it is wrong.",
		bind:   func(l *loader) value { return path{&l.cfg.PricesFile, l} },
	},

	{
		Section: sectionHTTP, Name: "PULSE_HOST", Derived: "all interfaces", New: true,
		Effect: "Address to listen on; `127.0.0.1` for this machine only.",
		bind:   func(l *loader) value { return text{&l.cfg.Host, "host name or address"} },
	},
	{
		Section: sectionHTTP, Name: "PORT", Default: "3000", EmptyCounts: true,
		Effect: "Port to listen on. 0, or an empty value, takes a free one.",
		bind:   func(l *loader) value { return whole(&l.cfg.Port, 0, math.MaxUint16, "") },
	},
	{
		Section: sectionHTTP, Name: "OTLP_GRPC_PORT", Default: "4317", New: true,
		Effect: "Port that takes OTLP over gRPC, as `PORT` does beside HTTP. 0 turns gRPC off. If it is in use, the process goes on without it, unless the variable was set. No effect on Lambda.",
		bind:   func(l *loader) value { return whole(&l.cfg.GRPCPort, 0, math.MaxUint16, "") },
	},
	{
		Section: sectionHTTP, Name: "BETTER_AUTH_URL", Derived: "`http://localhost:<PORT>`; on Lambda the host of each request, under https",
		Effect: "Public base URL. Its scheme decides the name and the `Secure` attribute of the session cookie, its origin is trusted, and if it is set the dashboard calls the API there (otherwise at its own origin).",
		bind:   func(l *loader) value { return publicURL{&l.cfg.PublicURL} },
	},
	{
		Section: sectionHTTP, Name: "PULSE_ALLOWED_ORIGINS", Derived: "none",
		Effect: "Origins (`scheme://host[:port]`) whose pages may call `/dashboard/api` and `/api/auth` with the session cookie. `*` is ignored, with a warning.",
		bind:   func(l *loader) value { return origins{&l.cfg.AllowedOrigins} },
	},
	{
		Section: sectionHTTP, Name: "TRUSTED_PROXY_HOPS", Default: "0", New: true,
		Effect: "How many proxies in front append to `X-Forwarded-For`. With 0 the header is ignored and the peer's address counts.",
		bind:   func(l *loader) value { return whole(&l.cfg.TrustedProxies, 0, 100, "") },
	},
	{
		Section: sectionHTTP, Name: "DASHBOARD_DIST_DIR", Derived: "the dashboard inside the binary",
		Effect: "Directory with a built dashboard to serve instead.",
		bind:   func(l *loader) value { return path{&l.cfg.DashboardDir, l} },
	},
	{
		Section: sectionHTTP, Name: "MAX_BODY_BYTES", Default: "33554432", New: true,
		Effect: "Largest request body after decompression; more is answered 413.",
		bind:   func(l *loader) value { return whole(&l.cfg.MaxBodyBytes, 1024, maxBytes, "bytes") },
	},
	{
		Section: sectionHTTP, Name: "MAX_COMPRESSED_BODY_BYTES", Derived: "`MAX_BODY_BYTES`", New: true,
		Effect: "Largest request body as it is sent.",
		bind:   func(l *loader) value { return whole(&l.cfg.MaxSentBodyBytes, 1024, maxBytes, "bytes") },
	},
	{
		Section: sectionHTTP, Name: "MAX_IN_FLIGHT_BYTES", Derived: "16 × `MAX_BODY_BYTES`", New: true,
		Effect: "What the bodies of all requests under way may hold together after decompression; a request that would pass it is answered 503.",
		bind:   func(l *loader) value { return whole(&l.cfg.MaxInFlightBytes, 1024, maxBytes, "bytes") },
	},

	{
		Section: sectionAuth, Name: authSecretName, Derived: "generated in single mode; required by a server in scale mode, and by the functions that use it",
		Effect: "Signs the session cookies. Changing it signs everybody out.",
		bind: func(l *loader) value {
			return secret{p: &l.cfg.AuthSecret, name: authSecretName, min: minSecretChars}
		},
	},
	{
		Section: sectionAuth, Name: encryptionKeyName, Derived: "generated in single mode; required by a server in scale mode, and by the functions that use it",
		Effect: "Encrypts the copies of API keys that administrators can list. The first 32 characters count and must be ASCII. After a change the older keys still work but are no longer shown.",
		bind: func(l *loader) value {
			return secret{p: &l.cfg.EncryptionKey, name: encryptionKeyName, min: minSecretChars, check: checkEncryptionKey}
		},
	},
	{
		Section: sectionAuth, Name: "SIGNUP_MODE", Default: string(SignupOpen), New: true,
		Effect: "Who may create an account: everybody (`open`), only the first person (`first`), nobody (`closed`).",
		bind:   func(l *loader) value { return oneOf(&l.cfg.SignupMode, SignupOpen, SignupFirst, SignupClosed) },
	},
	{
		Section: sectionAuth, Name: "PULSE_PASSWORD", Derived: "none", New: true,
		Effect: "Password of the account that `pulse keys create` makes, of 8 to 128 characters. The server does not read it.",
		bind:   func(l *loader) value { return secret{p: &l.cfg.NewPassword, name: "PULSE_PASSWORD"} },
	},
	{
		Section: sectionAuth, Name: "AUTH_RATE_LIMIT", Derived: "`on`; `off` if `NODE_ENV` is `test`", New: true,
		Effect: "Limits attempts to sign in and to sign up, which then get 429 and `Retry-After`: 10 wrong passwords a minute for an account, and from one address 20 attempts in 10 seconds (3 if `NODE_ENV` is `production`).",
		bind:   func(l *loader) value { return onOff{&l.cfg.AuthRateLimit} },
	},
	{
		Section: sectionAuth, Name: "API_KEY_STORAGE", Default: string(APIKeyStorageSealed), New: true,
		Effect: "`sealed` keeps an encrypted copy of each new API key, which administrators and the older command-line client can list; `hash` keeps none, so that a key is shown once.",
		bind:   func(l *loader) value { return oneOf(&l.cfg.APIKeyStorage, APIKeyStorageSealed, APIKeyStorageHash) },
	},
	{
		Section: sectionAuth, Name: "KEY_CACHE_SECONDS", Default: "10", New: true,
		Effect: "How long a process remembers that an API key is good, and so how long a deleted key may still work in another process. 0 asks the database each time.",
		bind: func(l *loader) value {
			return duration(&l.cfg.KeyCacheTTL, 0, maxKeyCacheSeconds, time.Second, "seconds")
		},
	},
	{
		Section: sectionAuth, Name: "KEY_CACHE_STALE_SECONDS", Default: "900", New: true,
		Effect: "How long a process goes on taking a key that it knew while the database cannot be asked, so that ingest goes on into the log.",
		bind:   func(l *loader) value { return duration(&l.cfg.KeyCacheStale, 0, 604_800, time.Second, "seconds") },
	},

	{
		Section: sectionLog, Name: "WAL_URL", Derived: "`file://` in the directories below; `sqs://` where `TRACE_QUEUE_URL_PREFIX` is set", New: true,
		Effect: "What accepted records wait in until they are stored. `file:///dir`: segment files of this machine in `dir/wal` and `dir/wal-spans`. `sqs://host/account/name-`: SQS queues `name-trace-0`, `name-span-0` and so on; a bare `sqs://` takes the two prefixes below. `nats://[user:password@]host[:port]`, or `tls://`: NATS JetStream. docs/deploy-containers.md says what each promises.",
		bind:   func(l *loader) value { return walURL{l} },
	},
	{
		Section: sectionLog, Name: "WAL_DIR", Derived: "`$PULSE_DATA_DIR/wal`",
		Effect: "Directory of the log of traces.",
		bind:   func(l *loader) value { return path{&l.cfg.TraceWALDir, l} },
	},
	{
		Section: sectionLog, Name: "WAL_SPAN_DIR", Derived: "`$PULSE_DATA_DIR/wal-spans`",
		Effect: "Directory of the log of spans.",
		bind:   func(l *loader) value { return path{&l.cfg.SpanWALDir, l} },
	},
	{
		Section: sectionLog, Name: "WAL_MAX_SEGMENT_SIZE", Default: "104857600",
		Effect: "Size at which a new segment file is begun.",
		bind:   func(l *loader) value { return whole(&l.cfg.WALSegmentBytes, 1, maxBytes, "bytes") },
	},
	{
		Section: sectionLog, Name: "TRACE_WAL_PARTITIONS", Derived: "1; 4 in scale mode",
		Effect: "How many partitions of the log of traces are drained side by side. May be changed at any time.",
		bind:   func(l *loader) value { return whole(&l.cfg.TraceWALPartitions, 1, 256, "") },
	},
	{
		Section: sectionLog, Name: "SPAN_WAL_PARTITIONS", Derived: "1; 4 in scale mode",
		Effect: "The same for spans.",
		bind:   func(l *loader) value { return whole(&l.cfg.SpanWALPartitions, 1, 256, "") },
	},
	{
		Section: sectionLog, Name: "NATS_REPLICAS", Default: "1", New: true,
		Effect: "On how many NATS servers a record must be before it is acknowledged, in streams that are made by Pulse.",
		bind:   func(l *loader) value { return whole(&l.cfg.NATSReplicas, 1, 5, "") },
	},
	{
		Section: sectionLog, Name: "DRAIN_BATCH_RECORDS", Default: "1000", New: true,
		Effect: "How many log records the drain takes at once at most.",
		bind:   func(l *loader) value { return whole(&l.cfg.DrainBatchRecords, 1, 100_000, "") },
	},
	{
		Section: sectionLog, Name: "DRAIN_BATCH_BYTES", Default: "16777216", New: true,
		Effect: "How many bytes of log records the drain takes at once at most; a record that is larger goes alone. It stores about 16 MiB of them, inflated, in one transaction.",
		bind:   func(l *loader) value { return whole(&l.cfg.DrainBatchBytes, 1, maxBytes, "bytes") },
	},
	{
		Section: sectionLog, Name: "READ_AFTER_WRITE_TIMEOUT_MS", Default: "2000", New: true,
		Effect: "How long a read waits for writes that were accepted before it. 0 does not wait.",
		bind: func(l *loader) value {
			return duration(&l.cfg.ReadAfterWriteTimeout, 0, 60_000, time.Millisecond, "milliseconds")
		},
	},

	{
		Section: sectionAWS, Name: "TRACE_QUEUE_URL_PREFIX", Derived: "follows `WAL_URL`", New: true,
		Effect: "URL of the queues of traces up to their number: partition 0 is `<prefix>0`, its dead letters are in `<prefix>0-dlq`.",
		bind:   func(l *loader) value { return httpURL{&l.cfg.TraceQueueURLPrefix} },
	},
	{
		Section: sectionAWS, Name: "SPAN_QUEUE_URL_PREFIX", Derived: "follows `WAL_URL`", New: true,
		Effect: "The same for spans.",
		bind:   func(l *loader) value { return httpURL{&l.cfg.SpanQueueURLPrefix} },
	},
	{
		Section: sectionAWS, Name: "SQS_ENDPOINT", Derived: "that of AWS; the server of `TRACE_QUEUE_URL_PREFIX` if it is another one", New: true,
		Effect: "Where to send SQS requests instead: a server that speaks SQS.",
		bind:   func(l *loader) value { return httpURL{&l.cfg.SQSEndpoint} },
	},
	{
		Section: sectionAWS, Name: "SQS_CREATE_QUEUES", Default: "off", New: true,
		Effect: "Lets `migrate`, and `pulse serve`, make the queues that are missing. On AWS `template.yaml` makes them.",
		bind:   func(l *loader) value { return onOff{&l.cfg.SQSCreateQueues} },
	},
	{
		Section: sectionAWS, Name: "AWS_REGION", Derived: "none; set by Lambda", New: true,
		Effect: "Region that requests to SQS are signed for. Needed for `sqs://`.",
		bind:   func(l *loader) value { return text{&l.cfg.AWS.Region, "region"} },
	},
	{
		Section: sectionAWS, Name: "AWS_ACCESS_KEY_ID", Derived: "none; set by Lambda", New: true,
		Effect: "Credentials for SQS. Without them the container's endpoint below or the instance's metadata is asked.",
		bind:   func(l *loader) value { return secret{p: &l.cfg.AWS.AccessKeyID, name: "AWS_ACCESS_KEY_ID"} },
	},
	{
		Section: sectionAWS, Name: "AWS_SECRET_ACCESS_KEY", Derived: "none; set by Lambda", New: true,
		Effect: "The secret that belongs to it.",
		bind: func(l *loader) value {
			return secret{p: &l.cfg.AWS.SecretAccessKey, name: "AWS_SECRET_ACCESS_KEY"}
		},
	},
	{
		Section: sectionAWS, Name: "AWS_SESSION_TOKEN", Derived: "none; set by Lambda", New: true,
		Effect: "The token of temporary credentials.",
		bind:   func(l *loader) value { return secret{p: &l.cfg.AWS.SessionToken, name: "AWS_SESSION_TOKEN"} },
	},
	{
		Section: sectionAWS, Name: "AWS_CONTAINER_CREDENTIALS_FULL_URI", Derived: "none; set by EKS", New: true,
		Effect: "Where a container gets credentials.",
		bind:   func(l *loader) value { return httpURL{&l.cfg.AWS.CredentialsURI} },
	},
	{
		Section: sectionAWS, Name: "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", Derived: "none; set by ECS", New: true,
		Effect: "The same, as a path of ECS's endpoint.",
		bind:   func(l *loader) value { return text{&l.cfg.AWS.CredentialsPath, "path"} },
	},
	{
		Section: sectionAWS, Name: "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", Derived: "none; set by EKS", New: true,
		Effect: "File with what that endpoint asks for as `Authorization`.",
		bind:   func(l *loader) value { return path{&l.cfg.AWS.TokenFile, l} },
	},
	{
		Section: sectionAWS, Name: "AWS_LAMBDA_RUNTIME_API", Derived: "none; set by Lambda", New: true,
		Effect: "Where the functions take their events from. Without it they listen on `PORT`.",
		bind:   func(l *loader) value { return text{&l.cfg.LambdaRuntimeAPI, "host and port"} },
	},

	{
		Section: sectionObserve, Name: "LOG_LEVEL", Default: "info", New: true,
		Effect: "The least severe lines to log. No level shows prompts, completions or keys.",
		bind:   func(l *loader) value { return logLevel{&l.cfg.LogLevel} },
	},
	{
		Section: sectionObserve, Name: "LOG_FORMAT", Derived: "`text`; `json` in the functions", New: true,
		Effect: "How log lines are written.",
		bind:   func(l *loader) value { return oneOf(&l.cfg.LogFormat, LogFormatText, LogFormatJSON) },
	},
	{
		Section: sectionObserve, Name: "METRICS", Default: "on", New: true,
		Effect: "Serves Prometheus metrics at `/metrics`.",
		bind:   func(l *loader) value { return onOff{&l.cfg.Metrics} },
	},
	{
		Section: sectionObserve, Name: "METRICS_TOKEN", Derived: "none", New: true,
		Effect: "If set, `/metrics` asks for it as a bearer token.",
		bind:   func(l *loader) value { return secret{p: &l.cfg.MetricsToken, name: "METRICS_TOKEN"} },
	},
}

// withoutEffect is what the earlier service read and Pulse does not need. Each
// that is set is named once in the log.
var withoutEffect = []string{
	"ADMIN_KEY", "FRONTEND_URL",
	"WAL_DLQ_DIR", "WAL_FSYNC_EVERY", "WAL_MAX_RETENTION_AGE", "WAL_MAX_RETRIES",
	"WAL_MAX_SEGMENTS", "WAL_MAX_SEGMENT_AGE", "WAL_MAX_SEGMENT_LINES",
	"WAL_PROCESSING_BATCH_SIZE", "WAL_PROCESSING_INTERVAL_MS",
}
