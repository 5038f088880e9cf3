# shellcheck shell=bash
# What deploy.sh and destroy.sh have in common; they source it.

say() { echo "$(basename "$0" .sh): $*"; }
die() { echo "$(basename "$0" .sh): $*" >&2; exit 1; }
usage() { echo "usage: $*" >&2; exit 2; }

# need_aws ends the script, with what is missing in a line, or sets region and
# account.
need_aws() {
	command -v aws >/dev/null || die "the AWS CLI is missing: https://aws.amazon.com/cli"
	region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}
	[ -n "$region" ] || die "no region: set AWS_REGION"
	export AWS_REGION=$region AWS_DEFAULT_REGION=$region
	# Both streams: it prints the account, or else why not, at the end of some lines.
	account=$(aws sts get-caller-identity --query Account --output text 2>&1) ||
		die "no AWS credentials that work: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run aws configure (aws: $(tail -n 1 <<<"$account"))"
	account=$(tail -n 1 <<<"$account") # warnings come before it
}

# stack_exists tells whether a stack is there. One whose first deployment failed
# is not: SAM makes it anew.
stack_exists() {
	local status
	if ! status=$(aws cloudformation describe-stacks --stack-name "$1" --query 'Stacks[0].StackStatus' --output text 2>&1); then
		case $status in
		*"does not exist"*) return 1 ;;
		*) die "$status" ;;
		esac
	fi
	case $status in
	REVIEW_IN_PROGRESS | ROLLBACK_COMPLETE | DELETE_COMPLETE) return 1 ;;
	esac
}

# stack_parameter STACK NAME gives a parameter of a stack, nothing if there is none.
stack_parameter() {
	aws cloudformation describe-stacks --stack-name "$1" \
		--query "Stacks[0].Parameters[?ParameterKey=='$2'].ParameterValue" --output text 2>/dev/null || true
}

# stack_output STACK NAME gives an output of a stack.
stack_output() {
	aws cloudformation describe-stacks --stack-name "$1" --query "Stacks[0].Outputs[?OutputKey=='$2'].OutputValue" --output text
}
