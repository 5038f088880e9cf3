#!/usr/bin/env bash
# Tells what a wrapped call costs beside a bare one, in one run: p50, p90 and p99 of both, and the 95% interval of the differences, with Pulse in
# each of the states that MODES names. Arguments name the SDKs; none are all. Needs what sdk/test.sh has made, and a machine that does nothing else.
#
# "ok" is a Pulse that takes everything at next to no cost, as one on another machine does; "pulse" is a real one on this machine, whose work competes
# with the program's. The others are what the proxy of sdk/testserver makes of "ok". BLOCKS of CALLS bare and as many wrapped calls follow each other
# in random order, with batches of 10 so that they are sent while the calls of their own block run. What is left at its end is sent before the next begins.
set -euo pipefail
cd "$(dirname "$0")/.."

blocks=${BLOCKS:-60} calls=${CALLS:-50}
modes=${MODES:-ok pulse delay blackhole reset lose 429 500 503 garbage}
pulse=${PULSE_BINARY:-$PWD/dist/pulse}
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$work"' EXIT
go build -o "$work/testserver" ./sdk/testserver
go build -o "$work/bench" ./sdk/bench
(cd sdk/go/internal/clienttest && go build -o "$work/overhead" ./overhead)

real=
export PULSE_API_KEY=pulse_sk_bench
if [[ " $modes " == *" pulse "* ]]; then
    export PULSE_HOME=$work PORT=$((20000 + RANDOM % 10000)) OTLP_GRPC_PORT=0 PULSE_PASSWORD=a-long-password
    "$pulse" serve >"$work/log" 2>&1 &
    for _ in $(seq 100); do
        ! "$pulse" health >/dev/null 2>&1 || break
        sleep 0.1
    done
    PULSE_API_KEY=$("$pulse" keys create --email you@example.com 2>>"$work/log")
    real=http://127.0.0.1:$PORT
fi
coproc "$work/testserver" -sink
read -r addresses <&"${COPROC[0]}"
proxy=$(sed 's/.*"proxy":"\([^"]*\)".*/\1/' <<<"$addresses")

[ $# -gt 0 ] || set -- python typescript go
for sdk in "$@"; do
    echo "sdk/$sdk: calls of each kind, ms bare, wrapped, difference (its 95% interval)"
    for mode in $modes; do
        if [ "$mode" = pulse ]; then
            export PULSE_API_URL=$real
        else
            export PULSE_API_URL=$proxy
            curl -fsS -o /dev/null -X PUT "$proxy/trouble" -d '{"mode":"'"$mode"'","delayMs":300}'
        fi
        case $sdk in
        python) sdk/python/.cache/newest/bin/python sdk/python/bench/overhead.py "$blocks" "$calls" ;;
        typescript) node sdk/typescript/bench/overhead.mjs "$blocks" "$calls" ;;
        go) "$work/overhead" "$blocks" "$calls" ;;
        esac >"$work/times" 2>"$work/said" || { cat "$work/said" >&2 && exit 1; }
        "$work/bench" -pulse "$mode" <"$work/times"
    done
done
