#!/usr/bin/env bash
# Builds and tests every SDK whose language is on this machine, and says which it left out.
#
# PULSE_BINARY is the server (dist/pulse). Arguments name the SDKs; none are all.
set -euo pipefail
cd "$(dirname "$0")/.."

export PULSE_BINARY=${PULSE_BINARY:-$PWD/dist/pulse}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/testserver" ./sdk/testserver
export PULSE_TESTSERVER=$work/testserver

# What each language needs beside Go, which testserver needs anyway, as a command that fails without it.
declare -A needs=(
    [go]=true
    [python]='python3 -c "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))"'
    [typescript]='npm --version >/dev/null && node -e "process.exit(+process.versions.node.split(\".\")[0] < 20 ? 1 : 0)"'
)
declare -A named=(
    [go]=Go
    [python]='Python 3.9 or newer with venv'
    [typescript]='Node 20 or newer with npm'
)

[ $# -gt 0 ] || set -- python typescript go
for sdk in "$@"; do
    if ! eval "${needs[$sdk]}" 2>/dev/null; then
        echo "sdk/$sdk: left out, because ${named[$sdk]} is missing"
        continue
    fi
    echo "sdk/$sdk"
    "sdk/$sdk/test.sh"
done
