#!/usr/bin/env bash
# Runs the whole of template.yaml on this machine, and stops it on Ctrl-C:
#
#   infra/scripts/sam-local.sh          until it is stopped
#   infra/scripts/sam-local.sh test     until a trace went all the way through it; status 1 if one did not
#
# The functions run in containers behind `sam local start-api` on PORT (3000). A
# Postgres and a queue server of their own run on the machine, with data in a
# temporary directory. SAM runs no queue mappings, so the drain runs beside it as
# it does in a container; the test invokes it with an event as Lambda would.
#
# Needed: Docker's engine, npm, and the SAM command in SAM; Postgres and a static
# busybox, or images from outside in their place.
set -euo pipefail
cd "$(dirname "$0")/../.."

mode=${1:-serve}
if [ $# -gt 1 ] || { [ "$mode" != serve ] && [ "$mode" != test ]; }; then
	echo "usage: sam-local.sh [test]" >&2
	exit 2
fi
port=${PORT:-3000}
sam=${SAM:-}
go=${GO:-go}
image=pulse-lambda-base:local
export SAM_CLI_TELEMETRY=0 SAM_CLI_ENABLE_LANGUAGE_EXTENSIONS=1 AWS_DEFAULT_REGION=us-east-1

die() { echo "sam-local: $*" >&2; exit 1; }
say() { echo "sam-local: $*"; }

[ -n "$sam" ] || die "SAM must name the sam command: use make sam-local"
command -v docker >/dev/null || die "docker is missing: install Docker"
arch=$(docker version --format '{{.Server.Arch}}' 2>/dev/null) || die "Docker's engine does not answer: start it"
case $arch in
amd64) architecture=x86_64 ;;
arm64) architecture=arm64 ;;
*) die "Lambda has no architecture like $arch" ;;
esac
if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
	die "port $port is in use: set PORT to another one"
fi

# The address that containers reach this machine at. Docker Desktop leads them to
# its loopback, a Linux engine to the gateway of its network.
address=127.0.0.1 subnet=127.0.0.0/8
if [ "$(uname)" = Linux ]; then
	subnet=$(docker network inspect bridge --format '{{(index .IPAM.Config 0).Subnet}}')
	address=$(docker network inspect bridge --format '{{with index .IPAM.Config 0}}{{or .Gateway ""}}{{end}}')
	if [ -z "$address" ]; then # before the first container the engine does not say
		address=$(python3 -c 'import ipaddress, sys; print(next(ipaddress.ip_network(sys.argv[1]).hosts()))' "$subnet")
	fi
fi

home=$(mktemp -d)
chmod 711 "$home" # Postgres has another user
processes='' last=''
postgres_stop=true
stop() {
	local status=$?
	trap - EXIT INT TERM
	if [ $status -eq 1 ] && [ "$mode" = test ]; then
		tail -n 40 "$home"/*.log >&2 || true
		echo "sam-local: failed" >&2
	fi
	for pid in $processes; do
		kill -TERM "$pid" 2>/dev/null || true
	done
	for pid in $processes; do
		wait "$pid" 2>/dev/null || true
	done
	$postgres_stop >/dev/null 2>&1 || true
	rm -rf "$home"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# background NAME COMMAND... starts a program that stop ends, with a log of its own,
# and in a group of its own, where Ctrl-C does not reach it.
background() {
	local name=$1
	shift
	set -m
	"$@" >"$home/$name.log" 2>&1 </dev/null &
	set +m
	last=$!
	processes="$processes $last"
}
# await SECONDS WHAT COMMAND... waits until a command succeeds, and shows the log of
# what did not come up.
await() {
	local end=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		if [ $SECONDS -ge $end ] || ! kill -0 "$last" 2>/dev/null; then
			tail -n 20 "$home/$what.log" >&2
			die "$what did not come up"
		fi
		sleep 0.2
	done
}
# free_port gives one that nobody listens on.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])'; }
random() { od -An -tx1 -N "$1" /dev/urandom | tr -d ' \n'; }

# ---- Postgres: for the containers and this machine only, with a password
database_port=$(free_port) password=$(random 16)
start_postgres() {
	local bin=
	for dir in "$(dirname "$(command -v initdb || echo /none/initdb)")" /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin; do
		if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ]; then
			bin=$dir
		fi
	done
	if [ -z "$bin" ]; then
		say "there is no Postgres on this machine; running its image"
		docker run -d --rm --name "pulse-sam-local-$$" -e POSTGRES_PASSWORD="$password" \
			-p "127.0.0.1:$database_port:5432" -p "$address:$database_port:5432" postgres:15-alpine >/dev/null || die "Postgres is missing: install it (initdb and postgres)"
		postgres_stop="docker rm -f pulse-sam-local-$$"
		until docker exec "pulse-sam-local-$$" pg_isready -h 127.0.0.1 -U postgres >/dev/null 2>&1; do sleep 0.2; done
		return
	fi
	local as=
	mkdir "$home/postgres"
	echo "$password" >"$home/postgres/password"
	if [ "$(id -u)" = 0 ]; then # which Postgres refuses to run as
		chown -R postgres "$home/postgres"
		as="runuser -u postgres --"
	fi
	chmod 700 "$home/postgres"
	(
		cd "$home/postgres"
		$as "$bin/initdb" -D data -U postgres -A scram-sha-256 --pwfile=password -E UTF8 --locale=C --no-sync >/dev/null
		echo "host all all $subnet scram-sha-256" >>data/pg_hba.conf
		listen=$address
		[ "$address" = 127.0.0.1 ] || listen=127.0.0.1,$address
		$as "$bin/pg_ctl" -D data -w -l log -o "-p $database_port -k $home/postgres -c listen_addresses=$listen -c fsync=off" start >/dev/null || { cat log >&2; exit 1; }
	)
	postgres_stop="$as $bin/pg_ctl -D $home/postgres/data -m immediate stop"
}
say "starting Postgres"
start_postgres

# ---- The queue server
infra/scripts/install-test-deps.sh fauxqs
queues_port=$(free_port)
node=$(compgen -G '.cache/sqs/node_modules/node-*/bin/node' | head -n 1 || true)
cat >"$home/queues.mjs" <<SCRIPT
const { buildApp } = await import("$PWD/.cache/sqs/node_modules/fauxqs/dist/app.js");
await buildApp({ logger: false }).listen({ host: "$address", port: $queues_port });
SCRIPT
say "starting the queue server"
background queues "${node:-node}" --no-warnings "$home/queues.mjs"
await 60 queues curl -sS "http://$address:$queues_port/health"

# ---- What the functions are told. Containers know this machine by another name.
export BETTER_AUTH_SECRET ENCRYPTION_KEY SQS_ENDPOINT DATABASE_URL TRACE_QUEUE_URL_PREFIX SPAN_QUEUE_URL_PREFIX \
	TRACE_WAL_PARTITIONS=1 SPAN_WAL_PARTITIONS=1 AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local
BETTER_AUTH_SECRET=$(random 32) ENCRYPTION_KEY=$(random 32)
DATABASE_URL="postgres://postgres:$password@127.0.0.1:$database_port/postgres?sslmode=disable"
SQS_ENDPOINT=http://$address:$queues_port
TRACE_QUEUE_URL_PREFIX=$SQS_ENDPOINT/000000000000/pulse-local-trace- SPAN_QUEUE_URL_PREFIX=$SQS_ENDPOINT/000000000000/pulse-local-span-
(
	umask 077
	cat >"$home/env.json" <<JSON
{"Parameters": {
  "DATABASE_URL": "postgres://postgres:$password@host.docker.internal:$database_port/postgres?sslmode=disable",
  "SQS_ENDPOINT": "http://host.docker.internal:$queues_port",
  "TRACE_QUEUE_URL_PREFIX": "http://host.docker.internal:$queues_port/000000000000/pulse-local-trace-",
  "SPAN_QUEUE_URL_PREFIX": "http://host.docker.internal:$queues_port/000000000000/pulse-local-span-",
  "TRACE_WAL_PARTITIONS": "1", "SPAN_WAL_PARTITIONS": "1",
  "BETTER_AUTH_SECRET": "$BETTER_AUTH_SECRET", "ENCRYPTION_KEY": "$ENCRYPTION_KEY",
  "BETTER_AUTH_URL": "http://localhost:$port"
}}
JSON
)

# ---- Build: the functions for Lambda, and two of them for this machine
say "building"
build=.cache/sam-local
options=(--region us-east-1 --parameter-overrides "Architecture=$architecture")
LAMBDA_ARCH=$arch "$sam" build --build-dir "$build" "${options[@]}" >"$home/build.log" 2>&1 || {
	tail -n 30 "$home/build.log" >&2
	die "sam build failed"
}
rm "$home/build.log" # it is long, and of no use from here on
own_image=yes
infra/scripts/lambda-base-image.sh "$image" 2>"$home/image.log" || own_image=no
if [ $own_image = no ]; then
	say "$(tail -n 1 "$home/image.log"); SAM pulls the image of AWS instead"
fi
for function in migrate drain; do
	CGO_ENABLED=0 "$go" build -o "$home/$function" "./functions/$function"
done

say "migrating the database, and making the queues"
SQS_CREATE_QUEUES=on "$home/migrate" 2>"$home/migrate.log" || {
	cat "$home/migrate.log" >&2
	die "migrate failed"
}

# ---- Serve
options+=(--template "$build/template.yaml" --env-vars "$home/env.json" --add-host host.docker.internal:host-gateway)
if [ $own_image = yes ]; then
	options+=(--invoke-image "$image" --skip-pull-image)
fi
say "starting the API"
background api "$sam" local start-api --host 127.0.0.1 --port "$port" --warm-containers LAZY "${options[@]}"
await 120 api curl -sS --fail "http://localhost:$port/health"

PULSE_PASSWORD=$(random 8)
export PULSE_PASSWORD
key=$(infra/scripts/first-key.sh "http://localhost:$port" you@example.com)

# ---- The test: a trace goes in by HTTP, through the queue and the drain, and out
check() {
	local url=http://localhost:$port trace python event answer
	python=$(dirname "$sam")/python
	trace=$(python3 -c 'import uuid; print(uuid.uuid4())')
	say "sending a trace"
	curl -sS --fail-with-body "$url/v1/traces/batch" -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d '[{
	  "trace_id": "'"$trace"'", "timestamp": "'"$(date -u +%Y-%m-%dT%H:%M:%SZ)"'", "provider": "openai", "model_requested": "gpt-4o-mini",
	  "status": "success", "latency_ms": 420, "request_body": {"messages": [{"role": "user", "content": "Hello"}]}, "output_text": "Hi!" }]'
	echo
	say "invoking Drain with what is in the queue"
	event=$home/event.json answer=$home/answer.json
	"$python" infra/scripts/sqs-event.py receive "${TRACE_QUEUE_URL_PREFIX}0" >"$event"
	"$sam" local invoke Drain --event "$event" "${options[@]}" >"$answer" 2>"$home/drain.log"
	"$python" infra/scripts/sqs-event.py settle "$event" "$answer"
	say "reading it back"
	curl -sS --fail-with-body "$url/v1/traces?limit=1" -H "Authorization: Bearer $key" | tee "$home/list.json"
	echo
	grep -q "$trace" "$home/list.json"
	[ "$("$python" infra/scripts/sqs-event.py receive "${TRACE_QUEUE_URL_PREFIX}0")" = null ]
	say "asking for what is not there"
	[ "$(curl -sS -o /dev/null -w '%{http_code}' "$url/v1/nothing")" = 404 ]
	[ "$(curl -sS -o /dev/null -w '%{http_code}' -X DELETE "$url/v1/traces")" = 405 ]
}
if [ "$mode" = test ]; then
	check
	say "passed"
	exit 0
fi

PORT=$(free_port) PULSE_HOST=127.0.0.1 background drain "$home/drain"
cat <<TEXT

Pulse is running at http://localhost:$port, as Lambda functions in containers. Its data go when it stops.

  export PULSE_API_KEY=$key        # of you@example.com, password $PULSE_PASSWORD

Send a trace:

  curl -sS http://localhost:$port/v1/traces/batch -H "Authorization: Bearer \$PULSE_API_KEY" -H 'Content-Type: application/json' -d '[{
    "trace_id": "'\$(uuidgen 2>/dev/null || cat /proc/sys/kernel/random/uuid)'", "timestamp": "'\$(date -u +%Y-%m-%dT%H:%M:%SZ)'",
    "provider": "openai", "model_requested": "gpt-4o-mini", "status": "success", "latency_ms": 420,
    "request_body": {"messages": [{"role": "user", "content": "Hello"}]}, "output_text": "Hi!",
    "input_tokens": 8, "output_tokens": 2 }]'

Read it back, a moment later:

  curl -sS "http://localhost:$port/v1/traces?limit=1" -H "Authorization: Bearer \$PULSE_API_KEY"

Ctrl-C stops it.
TEXT
while :; do
	for pid in $processes; do
		kill -0 "$pid" 2>/dev/null || {
			tail -n 20 "$home"/*.log >&2
			die "a part ended by itself"
		}
	done
	sleep 1
done
