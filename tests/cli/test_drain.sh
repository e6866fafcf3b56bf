#!/usr/bin/env bash
# With a task running: a drain waits for it, and says with 8 when it did not wait long enough.
. "$(dirname "$0")/lib.sh"
: "${PATIO_BUSY:?path of the library that begins a task}"

# busy_worker SECONDS OPTION...: a worker that sleeps for so long in one task, and was told to end.
busy_worker() {
    seconds=$1
    shift
    rm -f log
    LAST="patio worker $* (busy for $seconds s)"
    ASAN_OPTIONS="${ASAN_OPTIONS-}:verify_asan_link_order=0" BUSY_SECONDS=$seconds LD_PRELOAD=$PATIO_BUSY \
        "$PATIO" worker -b memory:// -m demo "$@" 2>log &
    worker=$!
    wait_for log "ready: project" || { kill -9 "$worker"; finish; }
    sleep 0.3
    kill -TERM "$worker"
}

end_worker() {
    wait "$worker"
    code=$? out="" err=$(<log)
    expect_code "$1"
}

busy_worker 1
end_worker 0
expect_err_has "drained: 1 tasks ok"

busy_worker 30 --drain-timeout 200ms
end_worker 8
expect_err_has "still running and left to another worker: 1"

# timeout(1) sends its signal twice, to the process and to its group: that is one.
LAST="timeout patio worker"
: >log
timeout --preserve-status 2 "$PATIO" worker -b memory:// -m demo 2>log
code=$? out="" err=$(<log)
expect_code 0
expect_err_has "drained"

busy_worker 30
wait_for log "draining"
while kill -TERM "$worker" 2>/dev/null; do # a person's second time, not the echo of the first one
    sleep 0.05
done
end_worker 130
expect_err_has "second signal"

has_transport tcp || finish

# The same with a caller in another process.
port=$((20000 + RANDOM % 20000))
rm -f log
LAST="worker and caller over tcp"
"$PATIO" worker -b "tcp+listen://127.0.0.1:$port" -m demo 2>log &
worker=$!
wait_for log "ready: project" || { kill -9 "$worker"; finish; }
"$PATIO" call -b "tcp://127.0.0.1:$port" sleep 1 >result 2>&1 &
caller=$!
sleep 0.5
kill -TERM "$worker"
end_worker 0
wait "$caller"
[ "$(<result)" = 1.0 ] || complain "the caller got: $(<result)"
finish
