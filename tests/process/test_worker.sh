#!/usr/bin/env bash
# `patio worker` with the installed helper: calls over tcp, a crash that costs one call, a drain, and
# a kill -9 that leaves nothing.
. "$PATIO_SOURCE/tests/tcp/lib.sh"

cat >patio.yaml <<'END'
executor: process
executors: {process: {workers: 2}}
tasks: {crash: {max_crashes: 1}}
END

children() {
    pgrep -P "$1" -x patio-child | wc -l
}

worker one.log tcp+listen://127.0.0.1:0 -f patio.yaml
url=tcp://127.0.0.1:$(port_of one.log)
[ "$(children "$worker")" -eq 2 ] || complain "there are $(children "$worker") children, not 2"
call_is 42 "$url" mul 6 7
run call -b "$url" crash
grep -q 'SIGSEGV' err || complain "the crash is not named: $(cat err)"
grep -q 'backtrace' one.log || complain "the log has no backtrace"
call_is 42 "$url" mul 6 7
kill -TERM "$worker"
wait "$worker" || complain "the worker did not drain"

worker two.log tcp+listen://127.0.0.1:0 -f patio.yaml
left=$(pgrep -P "$worker" -x patio-child)
kill -KILL "$worker"
wait "$worker" 2>/dev/null
for pid in $left; do
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || continue 2
        sleep 0.02
    done
    complain "child $pid outlived its worker by 2 s"
done
finish
