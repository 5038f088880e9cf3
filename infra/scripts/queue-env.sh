#!/usr/bin/env bash
# Prints what a shell needs for `pulse dlq` to work on the queues of a stack: where
# they are, how many, and credentials that the AWS CLI has.
#
#   make build
#   vars=$(infra/scripts/queue-env.sh dev|prod) && eval "$vars" && dist/pulse dlq list
#
# STACK is another name than pulse-<profile>.
set -euo pipefail
cd "$(dirname "$0")/../.."
. infra/scripts/aws.sh

[ $# = 1 ] || usage "queue-env.sh dev|prod"
profile=$1
stack=${STACK:-pulse-$profile}
need_aws
stack_exists "$stack" || die "there is no stack $stack in account $account in $region"

# count gives how many members a list with commas has.
count() { printf '%s\n' "$1" | tr ',' '\n' | grep -c .; }

aws configure export-credentials --format env || die "this AWS CLI cannot hand over credentials: install version 2"
echo "export AWS_REGION=$region WAL_URL=sqs://"
for stream in Trace Span; do
	name=$(printf %s "$stream" | tr '[:lower:]' '[:upper:]')
	echo "export ${name}_QUEUE_URL_PREFIX=$(stack_output "$stack" "${stream}QueueUrlPrefix")"
	echo "export ${name}_WAL_PARTITIONS=$(count "$(stack_parameter "$stack" "${stream}Partitions")")"
done
