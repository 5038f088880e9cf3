#!/usr/bin/env bash
# Builds the functions and deploys template.yaml with a profile of samconfig.toml:
#
#   DATABASE_URL=postgres://... infra/scripts/deploy.sh dev|prod
#
# DATABASE_URL is needed for a new stack, which gets secrets of its own, or those
# of BETTER_AUTH_SECRET and ENCRYPTION_KEY. A stack that is there keeps what it
# has; REPLACE_SECRETS=1 gives it those of the three that are set. PARAMETERS holds
# further parameters ("AlarmEmail=me@example.com RetentionDays=30"), which last.
# STACK is another name than pulse-<profile>.
set -euo pipefail
cd "$(dirname "$0")/../.."
. infra/scripts/aws.sh

[ $# = 1 ] || usage "make deploy PROFILE=dev|prod"
profile=$1
parameters=infra/parameters/$profile.yaml
[ -r "$parameters" ] || die "there is no profile $profile: $parameters is missing"
stack=${STACK:-pulse-$profile}
sam=${SAM:-}
[ -n "$sam" ] || die "SAM must name the sam command: use make deploy"
export SAM_CLI_TELEMETRY=0 SAM_CLI_ENABLE_LANGUAGE_EXTENSIONS=1
need_aws

secrets=$(mktemp -d)
trap 'rm -rf "$secrets"' EXIT
# secret PARAMETER VALUE puts one into a file that nobody else reads: arguments of
# programs can be seen.
secret() {
	case $2 in
	*[[:cntrl:]\'\"\\]*) die "$1 must not hold quotes, backslashes or line breaks (in a URL they are written %27, %22, %5C)" ;;
	esac
	(umask 077 && printf "%s: '%s'\n" "$1" "$2" >>"$secrets/secrets.yaml")
}
random() { od -An -tx1 -N 32 /dev/urandom | tr -d ' \n'; }

overrides=("file://$parameters")
if ! stack_exists "$stack"; then
	[ -n "${DATABASE_URL:-}" ] || die "DATABASE_URL is missing: a new stack needs a Postgres, postgres://user:password@host/database?sslmode=require"
	secret DatabaseUrl "$DATABASE_URL"
	secret AuthSecret "${BETTER_AUTH_SECRET:-$(random)}"
	secret EncryptionKey "${ENCRYPTION_KEY:-$(random)}"
else
	for pair in DATABASE_URL=DatabaseUrl BETTER_AUTH_SECRET=AuthSecret ENCRYPTION_KEY=EncryptionKey; do
		name=${pair%%=*}
		[ -n "${!name:-}" ] || continue
		if [ "${REPLACE_SECRETS:-}" = 1 ]; then
			secret "${pair#*=}" "${!name}"
		else
			say "$name is set and not used: $stack keeps its own (REPLACE_SECRETS=1 replaces it)"
		fi
	done
fi
[ ! -e "$secrets/secrets.yaml" ] || overrides+=("file://$secrets/secrets.yaml")
# Each deployment has a version of its own, so that each runs the migrations.
overrides+=("Version=${VERSION:-dev}+$(date -u +%Y%m%dT%H%M%SZ)")
# shellcheck disable=SC2206 # words are what it holds
overrides+=(${PARAMETERS:-})

architecture=$(printf '%s\n' "${PARAMETERS:-}" | tr ' ' '\n' | sed -n 's/^Architecture=//p')
[ -n "$architecture" ] || architecture=$(sed -n 's/^Architecture: *//p' "$parameters")
[ -n "$architecture" ] || architecture=$(stack_parameter "$stack" Architecture)
case ${architecture:-arm64} in
arm64) export LAMBDA_ARCH=arm64 ;;
x86_64) export LAMBDA_ARCH=amd64 ;;
*) die "Architecture must be arm64 or x86_64, not $architecture" ;;
esac
say "building for ${architecture:-arm64}"
"$sam" build --region "$region" --parameter-overrides "Architecture=${architecture:-arm64}"
say "deploying $stack to account $account in $region"
"$sam" deploy --region "$region" --config-env "$profile" --stack-name "$stack" --parameter-overrides "${overrides[@]}"
url=$(stack_output "$stack" Url)
cat <<TEXT

Pulse answers at $url

Make the first account now, with a project and an API key. Until then anybody can be
first; after that, sign-up is closed:

  PULSE_PASSWORD='choose-a-password' infra/scripts/first-key.sh $url you@example.com
TEXT
