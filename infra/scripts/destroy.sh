#!/usr/bin/env bash
# Removes a stack from the account, after it has shown what would be lost and was
# told the stack's name:
#
#   infra/scripts/destroy.sh dev|prod
#
# CONFIRM=<name of the stack> answers beforehand. The database is not touched.
set -euo pipefail
cd "$(dirname "$0")/../.."
. infra/scripts/aws.sh

[ $# = 1 ] || usage "make destroy PROFILE=dev|prod"
profile=$1
stack=${STACK:-pulse-$profile}
sam=${SAM:-}
[ -n "$sam" ] || die "SAM must name the sam command: use make destroy"
export SAM_CLI_TELEMETRY=0
need_aws
stack_exists "$stack" || die "there is no stack $stack in account $account in $region"

queues=$(aws cloudformation list-stack-resources --stack-name "$stack" \
	--query "StackResourceSummaries[?ResourceType=='AWS::SQS::Queue'].PhysicalResourceId" --output text)
echo "This removes $stack from account $account in $region: its address, functions, queues and logs."
echo "The database stays as it is."
lost=0
for queue in $queues; do
	counts=$(aws sqs get-queue-attributes --queue-url "$queue" --output text \
		--attribute-names ApproximateNumberOfMessages ApproximateNumberOfMessagesNotVisible ApproximateNumberOfMessagesDelayed \
		--query '[Attributes.ApproximateNumberOfMessages, Attributes.ApproximateNumberOfMessagesNotVisible, Attributes.ApproximateNumberOfMessagesDelayed]')
	n=0
	for count in $counts; do n=$((n + count)); done
	if [ $n -gt 0 ]; then
		lost=1
		echo "  ${queue##*/} holds $n messages that would be lost"
	fi
done
if [ $lost = 1 ]; then
	echo "Records in them were acknowledged and are not in the database: let them drain, or replay the dead letters, first."
fi

answer=${CONFIRM:-}
if [ -z "$answer" ]; then
	printf 'Type %s to remove it: ' "$stack"
	read -r answer || true
fi
[ "$answer" = "$stack" ] || die "nothing was removed"
"$sam" delete --region "$region" --stack-name "$stack" --no-prompts
