#!/usr/bin/env bash
# lib.sh: what the tests of the command share. A test calls `run`, then looks at $code, $out and $err.
set -u
: "${PATIO:?path of the patio command}" "${PATIO_SOURCE:?root of the source tree}"
unset "${!PATIO_BROKER@}" PATIO_PROJECT PATIO_EXECUTOR PATIO_WORKERS PATIO_LOG_LEVEL PATIO_LOG_FORMAT \
      PATIO_PLUGIN_PATH PATIO_CONFIG PATIO_TASK_PATH
scratch=$(mktemp -d)
# Background commands are shells first, and inherit the trap.
trap '[ "$BASHPID" = $$ ] && rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
failures=0
LAST="(nothing run yet)"

run() {
    LAST="patio $*"
    "$PATIO" "$@" >"$scratch/out" 2>"$scratch/err"
    code=$?
    out=$(tr -d '\0' <"$scratch/out")
    err=$(<"$scratch/err")
}

complain() {
    echo "FAILED: $LAST"
    printf '  %s\n' "$@"
    failures=$((failures + 1))
}

expect_code() {
    [ "$code" = "$1" ] || complain "exit code $code, expected $1" "stdout: $out" "stderr: $err"
}

expect_out() {
    [ "$out" = "$1" ] || complain "printed:  $out" "expected: $1" "stderr: $err"
}

expect_out_has() {
    case $out in *"$1"*) ;; *) complain "stdout lacks: $1" "stdout: $out" "stderr: $err" ;; esac
}

expect_err_has() {
    case $err in *"$1"*) ;; *) complain "stderr lacks: $1" "stderr: $err" ;; esac
}

# A call of the demo module within this one process.
call() {
    run call -b memory:// -m demo "$@"
}

has_transport() {
    "$PATIO" plugins | grep -q "^transport  *$1 "
}

skip() {
    echo "skipped: $*"
    exit 77
}

# wait_for FILE TEXT: until the file holds the text, at most 60 s.
wait_for() {
    for _ in $(seq 1200); do
        grep -qF -- "$2" "$1" 2>/dev/null && return 0
        sleep 0.05
    done
    complain "$1 never said: $2" "$(cat "$1" 2>/dev/null)"
    return 1
}

finish() {
    [ "$failures" = 0 ] && exit 0
    echo "$failures failed"
    exit 1
}
