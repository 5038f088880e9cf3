#!/usr/bin/env bash
# Installs what the tests need beside Go and is missing: Postgres. Does nothing
# where TEST_DATABASE_URL is set or Postgres is there, and where it cannot
# install (no apt-get, or not root) says so and leaves the rest to the tests,
# which also take a Docker engine.
set -euo pipefail

have_postgres() {
	command -v initdb >/dev/null 2>&1 || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

if [ -n "${TEST_DATABASE_URL:-}" ] || have_postgres; then
	exit 0
fi
if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" -ne 0 ]; then
	echo "install-test-deps: Postgres is missing and cannot be installed here (apt-get and root are needed)" >&2
	exit 0
fi
echo "install-test-deps: installing postgresql"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends postgresql
