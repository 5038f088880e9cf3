#!/usr/bin/env bash
# Builds a container image around a program that was built on this machine,
# without pulling anything:
#
#   infra/scripts/build-image.sh image program
#
# The program must be a Linux one, as make image and make images build.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ $# != 2 ]; then
	echo "usage: build-image.sh IMAGE PROGRAM" >&2
	exit 2
fi
image=$1 program=$2

certificates=
for file in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
	if [ -r "$file" ]; then
		certificates=$file
		break
	fi
done
if [ -z "$certificates" ]; then
	echo "build-image: no CA certificates on this machine: install ca-certificates" >&2
	exit 1
fi

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
mkdir "$context/data"
touch "$context/data/.keep"
cp "$certificates" "$context/ca-certificates.crt"
cp "$program" "$context/pulse"
docker build -f infra/Dockerfile --target binary -t "$image" "$context"
