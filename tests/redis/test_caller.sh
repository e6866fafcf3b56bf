#!/usr/bin/env bash
# Who waits for a task whose worker was killed hears what became of it when the lease ends, not at its
# own deadline: by another worker's answer, as a crash too many, or as lost where it must not run again.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1
export PATIO_LOG_LEVEL=error PATIO_WORKERS=1
server caller
url="redis://127.0.0.1:$port?lease_ms=1000"

# worker OPTION...: sets $worker
worker() {
    workers=$((workers + 1))
    "$PATIO" worker -b "$url" -m demo "$@" >"$scratch/worker.$workers.log" 2>&1 &
    worker=$!
    pids+=("$worker")
}
workers=0 seconds=60

# killed_under CALL-OPTION...: a call is begun, its worker killed while it runs it; what the caller hears
# is in the file called, its exit code in $code
killed_under() {
    "$PATIO" call -b "$url" sleep "$seconds" --timeout 10min "$@" >called 2>&1 &
    local caller=$!
    pids+=("$caller")
    # started: handed out, and then told so, which is a second delivery for the server
    until_true "it runs" sh -c \
        "redis-cli -p $port --raw xpending 'patio:{default:default}:s:4' w - + 9 2>/dev/null | tail -1 | grep -q '^[2-9]\|^1...'"
    local victim=$worker
    worker "${next_worker[@]}"
    kill -9 "$victim"
    until_true "the caller has heard" sh -c "! kill -0 $caller 2>/dev/null"
    wait "$caller"
    code=$?
}
next_worker=()

worker
seconds=1 killed_under
[ $code = 0 ] || complain "the call that another worker answers ended with $code" "$(cat called)"

seconds=3600 killed_under --max-crashes 1
[ $code != 0 ] || complain "a call that crashed ended well"
grep -q CRASHED called || complain "$(cat called)"

# at most once: it is not run again, and its dead letter says why
kill "$worker"
wait "$worker"
next_worker=(-o tasks.sleep.ack=on_start)
worker "${next_worker[@]}"
seconds=3600 killed_under
[ $code != 0 ] || complain "a call that died with its worker ended well"
grep -q PEER_LOST called || complain "$(cat called)"
run dlq ls -b "$url" --json
expect_out_has '"cause": "claimed"'

finish
