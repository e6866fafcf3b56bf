#!/usr/bin/env bash
# The completion parses, and completes commands, options, kinds, names and files.
. "$(dirname "$0")/lib.sh"

script=$PATIO_SOURCE/cli/completion/patio.bash
bash -n "$script" || complain "does not parse"
# shellcheck source=/dev/null
. "$script"
complete -p patio >/dev/null || complain "nothing is registered for patio"

# complete_line WORD...: the last word is the one to complete.
complete_line() {
    COMP_WORDS=("$PATIO" "$@")
    COMP_CWORD=$#
    LAST="completion of: $*"
    _patio
    out="${COMPREPLY[*]-}"
    err=""
}

complete_line w
expect_out "worker workers"
complete_line ""
for command in worker call send plugins describe bench help --help --version; do
    expect_out_has "$command"
done
complete_line call --time
expect_out "--timeout"
complete_line worker --dr
expect_out "--drain-timeout"
complete_line help exit
expect_out "exit-codes"
complete_line dlq re
expect_out "retry"
complete_line send --dedup-conflict at
expect_out "attach"
complete_line send --level di
expect_out "disk"
complete_line send --backoff ex
expect_out "exponential:"
complete_line describe tr
expect_out "transport"
complete_line describe transport mem
expect_out "memory"
complete_line call -b mem
expect_out "memory://"
complete_line worker -x thr
expect_out "thread"
complete_line worker --log-level = de
expect_out "debug"
complete_line worker --log-format js
expect_out "json"
touch my.so my.yaml
complete_line worker -m my
expect_out "my.so"
complete_line worker -f my
expect_out "my.yaml"
finish
