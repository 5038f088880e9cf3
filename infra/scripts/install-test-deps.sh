#!/usr/bin/env bash
# Installs what the tests need beside Go and is missing: Postgres and a browser by apt-get,
# and into .cache the SQS servers, fauxqs by npm and ElasticMQ by Maven, and
# Lambda's runtime emulator by pip. It does nothing where all is there. Where a part cannot be installed it says so in a
# line and goes on: the tests of that part are skipped with the same line, or
# find another way, as those of Postgres do with a Docker engine. Arguments name
# the parts to install; without any it is all of them.
set -euo pipefail
cd "$(dirname "$0")/../.."

say() { echo "install-test-deps: $*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# keep DIR STAMP moves what was made in DIR.new to DIR, whole or not at all: a
# directory is complete if it holds the file of this checkout that it was made
# from.
keep() {
	cp "$2" "$1.new/"
	rm -rf "$1"
	mv "$1.new" "$1"
}
is_kept() { cmp -s "$2" "$1/$(basename "$2")"; }

install_postgres() {
	if [ -n "${TEST_DATABASE_URL:-}" ] || have initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
		return
	fi
	if ! have apt-get || [ "$(id -u)" -ne 0 ]; then
		say "Postgres is missing and cannot be installed here (apt-get and root are needed)"
		return
	fi
	say "installing postgresql"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends postgresql
}

install_chromium() {
	if [ -n "${CHROMIUM:-}" ] || have chromium || have chromium-browser || have google-chrome; then
		return
	fi
	if ! have apt-get || [ "$(id -u)" -ne 0 ]; then
		say "a browser is missing and cannot be installed here (apt-get and root are needed): the web pages are not tested"
		return
	fi
	say "installing chromium"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk >/dev/null
}

install_fauxqs() {
	local dir=.cache/sqs from=infra/testservers
	if [ -n "${TEST_SQS_ENDPOINT:-}" ] || is_kept $dir $from/package-lock.json; then
		return
	fi
	if ! have npm; then
		say "npm is missing: tests against an SQS server (fauxqs) are skipped"
		return
	fi
	say "installing fauxqs"
	rm -rf $dir.new
	mkdir -p $dir.new
	cp $from/package.json $from/package-lock.json $dir.new
	(cd $dir.new && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
	keep $dir $from/package-lock.json
}

install_elasticmq() {
	local dir=.cache/elasticmq from=infra/testservers
	if is_kept $dir $from/pom.xml; then
		return
	fi
	if ! have java || ! have mvn; then
		say "java or mvn is missing: tests against a second SQS server (ElasticMQ) are skipped"
		return
	fi
	say "installing ElasticMQ"
	rm -rf $dir.new
	mkdir -p $dir.new
	mvn -q -B -Dstyle.color=never -f $from/pom.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$PWD/$dir.new/lib" >/dev/null
	keep $dir $from/pom.xml
}

# install_rie takes the emulators out of the wheel of the SAM CLI, of which it
# needs nothing else.
install_rie() {
	local dir=.cache/rie from=infra/testservers/rie.txt
	if is_kept $dir $from; then
		return
	fi
	if [ "$(uname -s)" != Linux ] || ! have python3 || ! python3 -m pip --version >/dev/null 2>&1; then
		say "Linux, python3 or pip is missing: tests of the functions under Lambda's runtime emulator are skipped"
		return
	fi
	say "installing Lambda's runtime emulator"
	rm -rf $dir.new
	mkdir -p $dir.new/wheel
	python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest $dir.new/wheel --require-hashes -r $from
	python3 -m zipfile -e $dir.new/wheel/*.whl $dir.new/wheel
	mv $dir.new/wheel/samcli/local/rapid/aws-lambda-rie-* $dir.new/
	rm -r $dir.new/wheel
	chmod +x $dir.new/aws-lambda-rie-*
	keep $dir $from
}

if [ $# -eq 0 ]; then
	set -- postgres fauxqs elasticmq rie chromium
fi
for part in "$@"; do
	case $part in
	postgres | fauxqs | elasticmq | rie | chromium) "install_$part" ;;
	*)
		echo "usage: install-test-deps.sh [postgres] [fauxqs] [elasticmq] [rie] [chromium]" >&2
		exit 2
		;;
	esac
done
