#!/usr/bin/env bash
# With tasks running: a drain waits for them, and says with 8 when it did not wait long enough.
. "$(dirname "$0")/lib.sh"
has_transport tcp || skip "there is no transport between processes yet (tcp)"

port=$((20000 + RANDOM % 20000))

# busy_worker SECONDS OPTION...: a worker that has begun to sleep for so long.
busy_worker() {
    seconds=$1
    shift
    port=$((port + 1))
    LAST="patio worker $* (sleeping $seconds)"
    "$PATIO" worker -b "tcp+listen://127.0.0.1:$port" -m demo "$@" 2>log &
    worker=$!
    wait_for log "ready: project" || { kill -9 "$worker"; finish; }
    "$PATIO" call -b "tcp://127.0.0.1:$port" sleep "$seconds" >result 2>&1 &
    caller=$!
    sleep 0.5
    kill -TERM "$worker"
}

end_worker() {
    wait "$worker"
    code=$? out="" err=$(<log)
    expect_code "$1"
}

busy_worker 1
end_worker 0
wait "$caller"
[ "$(<result)" = 1.0 ] || complain "the caller got: $(<result)"

busy_worker 20 --drain-timeout 200ms
end_worker 8
expect_err_has "still running"
kill "$caller" 2>/dev/null

busy_worker 20
wait_for log "draining"
kill -TERM "$worker"
end_worker 130
kill "$caller" 2>/dev/null
finish
