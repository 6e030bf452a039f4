#!/bin/sh
# Tells how an operation on the platform goes on: a thin wrapper of `operatorctl devops` for Helm hooks and CI scripts.
#
#   id=$(publish-progress.sh start "Deploy web 2.1.0" --steps pull,apply,wait)
#   publish-progress.sh step "$id" pull running
#   publish-progress.sh step "$id" pull completed
#   publish-progress.sh step "$id" apply failed --error "no room on the nodes"
#   publish-progress.sh complete "$id"                      # or: fail "$id" --error TEXT
#   publish-progress.sh list [--limit N] | show [ID]
#
# The operation is in the daemon, not in this shell: whoever has the id may go on with it, from any shell or job. With
# `start ... --id ID` the id is yours; it has to be new for each run, like "web-$CI_PIPELINE_ID".
#
# Environment:
#   PROGRESS_OPTIONAL=1  a failure to tell (no daemon, no operatorctl, a refusal) is a warning, and the exit code 0: the
#                        deployment goes on without its progress being shown. A wrong command line still fails with 2.
#   OPERATORCTL          the command, if it is not `operatorctl` on the PATH
#   OPERATOR_ENDPOINT, OPERATOR_KEY
#                        the daemon: a runtime directory, or tcp://HOST:PORT and a key file
#
# Exit codes are those of operatorctl: 0 done, 1 refused, 2 usage, 3 no daemon, 4 timed out; 127 without operatorctl.
set -u

usage() {
    sed -n '2,/^set -u/{/^#/{s/^# \{0,1\}//;p;};}' "$0"
}

case "${1-}" in
    start | step | complete | fail | list | show) ;;
    -h | --help | help)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 2
        ;;
esac

optional() {
    [ -n "${PROGRESS_OPTIONAL-}" ] && [ "$PROGRESS_OPTIONAL" != 0 ]
}

# What could not be started has no id, and nothing can be told of it.
case "$1" in
    step | complete | fail)
        if [ -z "${2-}" ] && optional; then
            echo "publish-progress: no operation to tell of: start gave no id" >&2
            exit 0
        fi
        ;;
esac

"${OPERATORCTL:-operatorctl}" devops "$@"
status=$?
if [ "$status" -ne 0 ] && [ "$status" -ne 2 ] && optional; then
    echo "publish-progress: going on without telling it (exit code $status)" >&2
    exit 0
fi
exit "$status"
