#!/usr/bin/env bash
# Tells what a wrapped call costs beside a bare one: p50 and p99 of both, which take turns in one run, while Pulse is well and in each trouble
# that the proxy of sdk/testserver makes. Arguments name the SDKs; none are all. CALLS are 900 for each line, and BENCH_MODES all. Needs what
# sdk/test.sh has made, and a machine that does nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."

calls=${CALLS:-900}
pulse=${PULSE_BINARY:-$PWD/dist/pulse}
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$work"' EXIT
go build -o "$work/testserver" ./sdk/testserver

export PULSE_HOME=$work PORT=$((20000 + RANDOM % 10000)) OTLP_GRPC_PORT=0 PULSE_PASSWORD=a-long-password
"$pulse" serve >"$work/log" 2>&1 &
for _ in $(seq 100); do
    ! "$pulse" health >/dev/null 2>&1 || break
    sleep 0.1
done
PULSE_API_KEY=$("$pulse" keys create --email you@example.com 2>>"$work/log")
coproc "$work/testserver" -pulse "http://127.0.0.1:$PORT"
read -r addresses <&"${COPROC[0]}"
BENCH_PROXY=$(sed 's/.*"proxy":"\([^"]*\)".*/\1/' <<<"$addresses")
BENCH_MODES=${BENCH_MODES:-ok delay blackhole reset lose 429 500 503 garbage}
export PULSE_API_KEY BENCH_PROXY BENCH_MODES

[ $# -gt 0 ] || set -- python typescript go
for sdk in "$@"; do
    echo "sdk/$sdk"
    case $sdk in
    python) (cd sdk/python && .cache/newest/bin/python bench/overhead.py "$calls") ;;
    typescript) (cd sdk/typescript && node bench/overhead.mjs "$calls") ;;
    go) (cd sdk/go/internal/clienttest && go test -run '^$' -bench Overhead -benchtime "${calls}x" .) ;;
    esac
done
