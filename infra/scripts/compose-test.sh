#!/usr/bin/env bash
# Starts a profile of infra/compose.yaml on this machine, makes an account and a
# key, sends a batch, reads it back after a restart, and takes all down again:
#
#   infra/scripts/compose-test.sh single|scale|cloud
#
# It needs Docker with compose, and the images of `make image` and `make images`.
# Images that cannot be pulled are replaced by stand-ins (stand-in-images.sh).
set -euo pipefail
cd "$(dirname "$0")/../.."

die() { echo "compose-test: $*" >&2; exit 1; }

if [ $# != 1 ]; then
	echo "usage: compose-test.sh single|scale|cloud" >&2
	exit 2
fi
profile=$1

docker info >/dev/null 2>&1 || die "no Docker engine answers: start one"
if docker compose version >/dev/null 2>&1; then
	compose=(docker compose)
elif command -v docker-compose >/dev/null 2>&1; then
	compose=(docker-compose)
else
	die "compose is missing: install Docker's compose plugin or docker-compose"
fi
export COMPOSE_PROJECT_NAME=pulse-compose-test
export PORT=${PORT:-3900} SCALE_PORT=${SCALE_PORT:-3901} CLOUD_PORT=${CLOUD_PORT:-3902}
export BETTER_AUTH_SECRET=compose-test-secret-of-32-characters ENCRYPTION_KEY=compose-test-encryption-key-32ch
# pull fetches the images of a profile, or has stand-ins made.
pull() {
	local image missing=
	for image in $("${compose[@]}" -f infra/compose.yaml --profile "$1" config | sed -n 's/^ *image: *//p' | tr -d '"' | grep -v '^pulse' | sort -u); do
		docker image inspect "$image" >/dev/null 2>&1 || docker pull -q "$image" >/dev/null 2>&1 || missing=1
	done
	if [ -n "$missing" ]; then
		infra/scripts/stand-in-images.sh
		export POSTGRES_IMAGE=pulse-stand-in-postgres NGINX_IMAGE=pulse-stand-in-nginx SQS_IMAGE=pulse-stand-in-sqs
	fi
}
case $profile in
single) services=(pulse) restart=(pulse) arguments=() url=http://localhost:$PORT ;;
scale)
	services=(pulse-scale) restart=(pulse-scale) arguments=(--profile scale) url=http://localhost:$SCALE_PORT
	pull scale
	;;
cloud)
	export BETTER_AUTH_URL=http://localhost:$CLOUD_PORT
	services=(gateway drain) restart=(drain ingest query) arguments=(--profile cloud) url=http://localhost:$CLOUD_PORT
	pull cloud
	;;
*) die "there is no profile $profile: single, scale or cloud" ;;
esac
compose+=(-f infra/compose.yaml "${arguments[@]}")

down() {
	status=$?
	[ "$status" = 0 ] || "${compose[@]}" logs --no-color --tail 40 >&2 || true
	"${compose[@]}" down -v --remove-orphans >/dev/null 2>&1 || true
	exit "$status"
}
trap down EXIT

# until_ok WHAT COMMAND... waits for a minute until a command succeeds.
until_ok() {
	local what=$1 end=$((SECONDS + 60))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || die "$what: not within a minute"
		sleep 0.5
	done
}
ready() { curl -fsS --max-time 5 "$url/health/ready"; }

"${compose[@]}" up -d "${services[@]}"
until_ok "ready" ready
if [ "$profile" = single ]; then # as the server itself says, and with what it prints
	# shellcheck disable=SC2016 # it is what the server printed
	command=$("${compose[@]}" logs --no-color --no-log-prefix pulse | sed -n 's/^ *export PULSE_API_KEY=$(\(.*\))$/\1/p')
	key=$(bash -c "$command")
else
	key=$(PULSE_PASSWORD=compose-test-password infra/scripts/first-key.sh "$url" "test@example.com")
fi
trace=7f3c0c4e-2f6f-4b9e-9c37-8e0a4ce3b5aa
listed() { curl -fsS --max-time 5 "$url/v1/traces?limit=1" -H "Authorization: Bearer $key" | grep -q "$trace"; }
curl -fsS --max-time 20 "$url/v1/traces/batch" -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d '[{
  "trace_id": "'$trace'", "timestamp": "'"$(date -u +%Y-%m-%dT%H:%M:%SZ)"'", "provider": "openai", "model_requested": "gpt-4o-mini",
  "status": "success", "latency_ms": 420, "request_body": {"messages": [{"role": "user", "content": "Hello"}]}, "output_text": "Hi!"}]' >/dev/null
until_ok "the trace is listed" listed
"${compose[@]}" restart "${restart[@]}" >/dev/null 2>&1
until_ok "ready after a restart" ready
until_ok "the trace is listed after a restart" listed
for want in "404 GET /v1/nothing" "405 DELETE /v1/traces" "401 GET /v1/traces" "401 GET /dashboard/api/projects" "200 GET /health" "200 GET /openapi.json" "200 GET /"; do
	read -r status method path <<<"$want"
	got=$(curl -sS -o /dev/null -w '%{http_code}' --max-time 10 -X "$method" "$url$path")
	[ "$got" = "$status" ] || die "$method $path: $got, want $status"
done
echo "compose-test: $profile passed"
