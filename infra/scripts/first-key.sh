#!/usr/bin/env bash
# Makes an account with a project and an API key on a running Pulse, over HTTP, and
# prints the key:
#
#   PULSE_PASSWORD=... infra/scripts/first-key.sh https://pulse.example.com you@example.com
#
# An account that is there with this password is taken as it is.
set -euo pipefail
die() { echo "first-key: $*" >&2; exit 1; }

if [ $# != 2 ]; then
	echo "usage: PULSE_PASSWORD=... first-key.sh URL EMAIL" >&2
	exit 2
fi
url=${1%/} email=$2 password=${PULSE_PASSWORD:-}
[ -n "$password" ] || die "PULSE_PASSWORD must hold the account's password"

case "$email$password" in
*[\"\\]* | *[[:cntrl:]]*) die "an address or password with quotes or backslashes must be signed up otherwise" ;;
esac

# call METHOD PATH [header ...] sends standard input and gives the answer with its
# headers. Nothing secret is an argument, which other users of the machine can see.
call() {
	local method=$1 path=$2
	shift 2
	curl -sS -i --max-time 60 -X "$method" --data-binary @- -K <(printf 'header = "%s"\n' "Content-Type: application/json" "$@") "$url$path"
}
status() { sed -n '1s,^HTTP/[^ ]* \([0-9]*\).*,\1,p'; }
# field gives the first text of that name.
field() { grep -o "\"$1\":\"[^\"]*\"" | head -n 1 | cut -d '"' -f 4; }
# outcome gives an answer's status, and the server's own words if it refused.
outcome() {
	local answer body text
	answer=$(cat) body=$(tail -n 1 <<<"$answer")
	text=$(field error <<<"$body" || field message <<<"$body" || true)
	echo "$(status <<<"$answer")${text:+ ($text)}"
}

answer=$(printf '{"name":"%s","email":"%s","password":"%s","projectName":"%s"}' "$email" "$email" "$password" default |
	call POST /dashboard/api/signup)
signed_up=$(outcome <<<"$answer")

answer=$(printf '{"email":"%s","password":"%s"}' "$email" "$password" | call POST /api/auth/sign-in/email)
if [ "$(status <<<"$answer")" != 200 ]; then
	die "sign-up answered $signed_up and sign-in $(outcome <<<"$answer")"
fi
cookie=$(sed -n 's/^[Ss]et-[Cc]ookie: \([^;]*\).*/\1/p' <<<"$answer" | tr -d '\r' | paste -sd '~' - | sed 's/~/; /g')

answer=$(call GET /dashboard/api/projects "Cookie: $cookie" </dev/null)
project=$(tail -n 1 <<<"$answer" | field id || true)
[ -n "$project" ] || die "the account has no project: $(outcome <<<"$answer")"

answer=$(echo '{"name":"first"}' | call POST /dashboard/api/api-keys "Cookie: $cookie" "X-Project-Id: $project")
key=$(tail -n 1 <<<"$answer" | field apiKey || true)
[ -n "$key" ] || die "no key was made: $(outcome <<<"$answer")"
echo "$key"
