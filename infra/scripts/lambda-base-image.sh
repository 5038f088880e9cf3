#!/usr/bin/env bash
# Makes the image that `sam local` puts a function into, without pulling anything:
#
#   infra/scripts/lambda-base-image.sh [tag]
#
# SAM adds its runtime emulator to it. A static bootstrap needs a shell, a few
# small programs and CA certificates beside that, which busybox and this machine
# have: busybox must be linked statically (Debian: busybox-static).
set -euo pipefail
tag=${1:-pulse-lambda-base:local}

die() { echo "lambda-base-image: $*" >&2; exit 1; }

busybox=$(command -v busybox) || die "busybox is missing: install busybox-static"
if ldd "$busybox" >/dev/null 2>&1; then
	die "$busybox needs shared libraries: install busybox-static"
fi
certificates=/etc/ssl/certs/ca-certificates.crt
[ -r "$certificates" ] || die "no CA certificates on this machine: install ca-certificates"

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
root=$context/rootfs
mkdir -p "$root"/{bin,etc/ssl/certs,tmp,var/{task,runtime,rapid}}
chmod 1777 "$root/tmp"
cp "$busybox" "$root/bin/busybox"
for program in sh mv chmod mkdir cat ls; do
	ln -s busybox "$root/bin/$program"
done
cp "$certificates" "$root/etc/ssl/certs/"
echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
cat >"$context/Dockerfile" <<'DOCKERFILE'
FROM scratch
COPY rootfs/ /
ENV PATH=/bin LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime
WORKDIR /var/task
DOCKERFILE
docker build -q -t "$tag" "$context" >/dev/null
