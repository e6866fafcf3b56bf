#!/usr/bin/env bash
# A worker says when it is ready, drains on the first signal, and ends at once on the second.
. "$(dirname "$0")/lib.sh"

# start_worker OPTION...: in the background, ready when this returns.
start_worker() {
    rm -f log
    LAST="patio worker $*"
    "$PATIO" worker -b memory:// -m demo "$@" 2>log &
    worker=$!
    wait_for log "ready: project" || { kill -9 "$worker"; finish; }
}

# end_worker CODE
end_worker() {
    wait "$worker"
    code=$? out="" err=$(<log)
    expect_code "$1"
}

for signal in TERM INT; do
    start_worker -p shop -x thread -j 3
    expect_log=$(<log)
    case $expect_log in *'"shop"'*"transport memory"*"executor thread"*"9 tasks"*) ;; *) complain "$expect_log" ;; esac
    kill -$signal "$worker"
    end_worker 0
    expect_err_has "draining"
    expect_err_has "drained"
done

start_worker --log-format json
kill -TERM "$worker"
end_worker 0
[[ $err == *'"text":"ready: project'* ]] || complain "no JSON line" "$err"

start_worker --log-level info -o drain_timeout_ms=1s
kill -TERM "$worker"
end_worker 0
expect_err_has "up to 1000 ms"

run worker -b tcp://127.0.0.1:1 -m demo -o connect_timeout_ms=300 -o connect_required=true
if has_transport tcp; then
    expect_code 6
else
    expect_code 2
fi
finish
