#!/usr/bin/env bash
# Runs every fuzz target of the repository for FUZZTIME, one after the other. The
# targets are found in the sources, so that none is forgotten.
set -euo pipefail
cd "$(dirname "$0")/../.."

go=${GO:-go}
fuzztime=${FUZZTIME:-30s}

targets=$(git ls-files -co --exclude-standard -- '*_test.go' | xargs grep -HoE '^func Fuzz[A-Za-z0-9_]*\(' |
	sed -E 's,^(.*)/[^/]*:func (Fuzz[A-Za-z0-9_]*)\($,\1 \2,' | sort -u)
if [ -z "$targets" ]; then
	echo "fuzz: no targets found" >&2
	exit 1
fi
while read -r package target; do
	echo "== $package $target"
	# from within, as the Go SDK is a module of its own
	(cd "$package" && "$go" test . -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime")
done <<<"$targets"
