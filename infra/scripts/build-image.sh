#!/usr/bin/env bash
# Builds the container image from dist/pulse, without pulling anything:
#
#   infra/scripts/build-image.sh [tag]
#
# dist/pulse must be a Linux binary: GOOS=linux make build.
set -euo pipefail
cd "$(dirname "$0")/../.."
tag=${1:-pulse}

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
cp dist/pulse "$context/pulse"
docker build -f infra/Dockerfile.binary -t "$tag" "$context"
