#!/usr/bin/env bash
# Checks the web pages: types, lint, units, then a browser against dist/pulse.
# Where Node or a browser is missing it says so in a line; in CI that fails.
set -euo pipefail
cd "$(dirname "$0")/.."

missing() {
    echo "dashboard: $1 is missing, $2 is not tested" >&2
    exit "$([ -n "${CI:-}" ] && echo 1 || echo 0)"
}

command -v npm >/dev/null || missing "Node 20 or newer with npm" "the dashboard"
npx --no-install tsc --noEmit
npx --no-install oxlint --deny-warnings src e2e scripts
npx --no-install vitest run --reporter=dot
[ -n "${CHROMIUM:-}" ] || compgen -G '/usr/bin/chromium' >/dev/null || compgen -G '/usr/bin/chromium-browser' >/dev/null || compgen -G '/usr/bin/google-chrome' >/dev/null ||
    missing "a browser (chromium, or CHROMIUM)" "what needs one"
npx --no-install playwright test
