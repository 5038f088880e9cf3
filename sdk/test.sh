#!/usr/bin/env bash
# Builds and tests every SDK whose language is on this machine, and says which it left out.
#
# PULSE_BINARY is the server (dist/pulse). Arguments name the SDKs; none are all. Each has a test.sh that is run by this one, with the server
# and the command of the fake providers in PULSE_BINARY and PULSE_TESTSERVER; it ends with 77 and says why if its language is missing. With
# PULSE_TEST_REQUIRE=1 nothing is left out: a language or a runtime that is missing is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

export PULSE_BINARY=${PULSE_BINARY:-$PWD/dist/pulse}
[ -x "$PULSE_BINARY" ] || { echo "sdk: the server is missing at $PULSE_BINARY: run make dist/pulse" >&2 && exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/testserver" ./sdk/testserver
export PULSE_TESTSERVER=$work/testserver

[ $# -gt 0 ] || set -- python typescript go
for sdk in "$@"; do
    echo "sdk/$sdk"
    status=0
    "sdk/$sdk/test.sh" || status=$?
    case $status in
    0) ;;
    77)
        echo "sdk/$sdk: left out"
        [ "${PULSE_TEST_REQUIRE:-}" != 1 ] || exit 1
        ;;
    *) exit "$status" ;;
    esac
done
