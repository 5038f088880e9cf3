#!/usr/bin/env bash
# Tests the SDK, then with the real clients of model providers, which are a module of their own.
#
# PULSE_BINARY is the server (dist/pulse), PULSE_TESTSERVER the command of the fake providers.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)

export PULSE_BINARY=${PULSE_BINARY:-$root/dist/pulse}
[ -x "$PULSE_BINARY" ] || { echo "sdk/go: the server is missing at $PULSE_BINARY: run make dist/pulse" >&2 && exit 1; }
if [ -z "${PULSE_TESTSERVER:-}" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    (cd "$root" && go build -o "$work/testserver" ./sdk/testserver)
    export PULSE_TESTSERVER=$work/testserver
fi

go vet ./...
go test ./...
cd internal/clienttest
go vet ./...
go test -count 1 ./...
