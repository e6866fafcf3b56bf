#!/usr/bin/env bash
# compare.sh list TRANSPORT            prints the numbers of `left_out`, one a line
# compare.sh report TRANSPORT FILE     is what was refused or skipped in what `patio conform` printed those?
# compare.sh run TRANSPORT PLUGIN OPTION...   runs the kit, and compares
set -u
verb=$1 transport=$2
shift 2
list() {
    local word
    for word in $(sed -n "s/^$transport //p" "$(dirname "${BASH_SOURCE[0]}")/left_out"); do
        seq "${word%-*}" "${word#*-}"
    done
}
report() {
    diff <(list) <(awk '$2 == "refused" || $2 == "skipped" { print $1 }' "$1" | sort -n) >"$1.diff" && return
    echo "tests/conform/left_out (<) and the kit (>) differ about $transport:"
    cat "$1.diff"
    return 1
}
case $verb in
list) list ;;
report) report "$1" ;;
run)
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    "${PATIO:?}" conform "$@" | tee "$work/report"
    [ "${PIPESTATUS[0]}" = 0 ] && report "$work/report"
    ;;
esac
