#!/usr/bin/env bash
# Installs the SAM command into .cache/sam-<version>, a Python environment of its
# own, if it is not there:
#
#   infra/scripts/install-sam.sh version
#
# It takes a minute or two, and 250 MB.
set -euo pipefail
cd "$(dirname "$0")/../.."

die() { echo "install-sam: $*" >&2; exit 1; }

if [ $# != 1 ]; then
	echo "usage: install-sam.sh VERSION" >&2
	exit 2
fi
version=$1
dir=.cache/sam-$version

if [ -x "$dir/bin/sam" ]; then
	exit 0
fi
command -v python3 >/dev/null || die "python3 is missing: install Python 3.10 or newer"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || die "python3 is too old: install Python 3.10 or newer"
echo "install-sam: installing aws-sam-cli $version" >&2
rm -rf "$dir"
mkdir -p .cache
python3 -m venv "$dir" || die "python3 has no venv: install it (Debian: python3-venv)"
if ! "$dir/bin/pip" install -q --disable-pip-version-check "aws-sam-cli==$version"; then
	rm -rf "$dir" # whole, or not at all
	exit 1
fi
