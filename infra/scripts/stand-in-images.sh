#!/usr/bin/env bash
# Makes images of Postgres, nginx and an SQS server from this machine's own
# programs, for compose where nothing can be pulled:
#
#   infra/scripts/stand-in-images.sh
#   POSTGRES_IMAGE=pulse-stand-in-postgres NGINX_IMAGE=pulse-stand-in-nginx SQS_IMAGE=pulse-stand-in-sqs docker compose …
#
# It needs Docker, Postgres, nginx, and the SQS server of install-test-deps.sh.
# They are made for tests: no more is in them than the programs need to start.
set -euo pipefail
cd "$(dirname "$0")/../.."

die() { echo "stand-in-images: $*" >&2; exit 1; }

# add_libraries ROOT FILE... copies what programs load.
add_libraries() {
	local root=$1 library
	shift
	{ ldd "$@" 2>/dev/null || true; } | { grep -o '/[^ :]*' || true; } | sort -u | while read -r library; do
		case " $* " in *" $library "*) continue ;; esac # ldd names the files themselves too
		[ -e "$root$library" ] || { mkdir -p "$root$(dirname "$library")" && cp -L "$library" "$root$library"; }
	done
}

# add ROOT FILE... copies programs with what they load, links resolved.
add() {
	local root=$1 file
	for file in "${@:2}"; do
		mkdir -p "$root$(dirname "$file")"
		cp -L "$file" "$root$file"
	done
	add_libraries "$@"
}

# base makes a root with a shell, users and a temporary directory.
base() {
	mkdir -p "$1/tmp" "$1/etc" "$1/bin" "$1/run" "$1/var"
	chmod 1777 "$1/tmp"
	ln -s /run "$1/var/run"
	printf 'root:x:0:0::/:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n' >"$1/etc/passwd"
	printf 'root:x:0:\npostgres:x:999:\nnogroup:x:65534:\nwww-data:x:33:\n' >"$1/etc/group"
	add "$1" /bin/sh
}

# import NAME ROOT CHANGE...
import() {
	local name=$1 root=$2 change arguments=()
	shift 2
	for change in "$@"; do arguments+=(--change "$change"); done
	tar -C "$root" --numeric-owner -c . | docker import "${arguments[@]}" - "$name" >/dev/null
	echo "made $name" >&2
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || die "Postgres is missing: run infra/scripts/install-test-deps.sh"
version=$(basename "$(dirname "$bin")")
root=$work/postgres
base "$root"
add "$root" "$bin"/{postgres,initdb,psql,pg_isready,pg_ctl} /bin/{mkdir,chmod,cat,ls} /usr/bin/id
cp -R "/usr/lib/postgresql/$version/lib" "$root/usr/lib/postgresql/$version/"
add_libraries "$root" "/usr/lib/postgresql/$version/lib"/*.so
mkdir -p "$root/usr/share/postgresql" "$root/usr/share/zoneinfo" "$root/var/lib/postgresql/data"
cp -R "/usr/share/postgresql/$version" "$root/usr/share/postgresql/"
cp -R /usr/share/zoneinfo/. "$root/usr/share/zoneinfo/"
cat >"$root/start" <<EOF
#!/bin/sh
# As the official image is told: POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB.
set -e
export PATH=$bin:/bin:/usr/bin PGDATA=/var/lib/postgresql/data/cluster
if [ ! -s "\$PGDATA/PG_VERSION" ]; then
	echo "\$POSTGRES_PASSWORD" >/tmp/password
	initdb --no-locale --encoding=UTF8 -A scram-sha-256 -U "\$POSTGRES_USER" --pwfile=/tmp/password >/dev/null
	echo "host all all all scram-sha-256" >>"\$PGDATA/pg_hba.conf"
	pg_ctl -w -o "-c listen_addresses= -k /tmp" start >/dev/null
	PGPASSWORD=\$POSTGRES_PASSWORD psql -q -h /tmp -U "\$POSTGRES_USER" postgres -c "CREATE DATABASE \\"\$POSTGRES_DB\\"" || true
	pg_ctl -w stop >/dev/null
fi
exec postgres -c listen_addresses='*' -k /tmp
EOF
chmod +x "$root/start"
ln -s "$bin/pg_isready" "$root/bin/pg_isready"
chown -R 999:999 "$root/var/lib/postgresql"
import pulse-stand-in-postgres "$root" 'USER postgres' 'ENTRYPOINT ["/start"]' 'ENV PATH=/bin:/usr/bin PGHOST=/tmp'

nginx=$(command -v nginx || echo /usr/sbin/nginx)
[ -x "$nginx" ] || die "nginx is missing: install it (Debian: nginx-light)"
root=$work/nginx
base "$root"
add "$root" "$nginx"
mkdir -p "$root/var/log/nginx" "$root/var/lib/nginx"
ln -s "$nginx" "$root/bin/nginx"
import pulse-stand-in-nginx "$root" 'ENV PATH=/bin:/usr/sbin'

[ -d .cache/sqs/node_modules/fauxqs ] || die "the SQS server is missing: run infra/scripts/install-test-deps.sh"
node=$(find .cache/sqs/node_modules -path '*/node-*/bin/node' | head -n 1)
[ -n "$node" ] || node=$(command -v node)
root=$work/sqs
base "$root"
mkdir -p "$root/app"
cp -RL .cache/sqs/. "$root/app/"
rm -rf "$root"/app/node_modules/node-*
cp "$node" "$root/bin/node"
add_libraries "$root" "$node"
cat >"$root/app/serve.mjs" <<'EOF'
import { buildApp } from "fauxqs";
const app = buildApp({ logger: false });
process.on("SIGTERM", () => process.exit());
await app.listen({ host: "0.0.0.0", port: 9324 });
EOF
import pulse-stand-in-sqs "$root" 'WORKDIR /app' 'ENTRYPOINT ["/bin/node", "--no-warnings", "/app/serve.mjs"]'
