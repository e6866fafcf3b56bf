#!/usr/bin/env bash
# A worker that connects is there before anybody listens: it stays, and works once somebody does.
. "$(dirname "$0")/lib.sh"
has_transport tcp || skip "the tcp transport is not built"
free_port
url=tcp://127.0.0.1:$port

"$PATIO" worker -b "$url" -m demo -o connect_timeout_ms=200 --ready-file ready 2>early.log &
worker=$!
pids+=("$worker")
wait_for early.log "going on without"
expect_log() {
    grep -q "$1" early.log || complain "the worker's log has no \"$1\": $(<early.log)"
}
expect_log "refused"
! grep -q "ready: project" early.log || complain "it says ready with nobody there: $(<early.log)"
[ ! -e ready ] || complain "its ready file is there with nobody there"
kill -0 "$worker" || complain "it has gone: $(<early.log)"

run call -b "tcp+listen://127.0.0.1:$port" --wait-route --timeout 30s mul 6 7
expect_code 0
expect_out 42
early=$worker
worker other.log "tcp+listen://127.0.0.1:$port"
wait_for early.log "ready: project"
wait_for_file() { for _ in $(seq 200); do [ -e "$1" ] && return; sleep 0.05; done; complain "no file $1"; }
wait_for_file ready
kill -TERM "$early"
wait "$early" || complain "drained with $?: $(<early.log)"
kill -TERM "$worker"
wait "$worker"

# SIGTERM while there is still nobody.
"$PATIO" worker -b "$url" -m demo -o connect_timeout_ms=200 2>lone.log &
worker=$!
pids+=("$worker")
wait_for lone.log "going on without"
kill -TERM "$worker"
wait "$worker" || complain "stopped with $?: $(<lone.log)"

# And while it waits for its link, with all the time that connecting may take.
for required in false true; do
    "$PATIO" worker -b "$url" -m demo -o connect_timeout_ms=90s -o connect_required=$required \
        -o log.level=debug --ready-file none 2>waits.log &
    worker=$!
    pids+=("$worker")
    wait_for waits.log "connection to $url: "
    begun=$SECONDS
    kill -TERM "$worker"
    wait "$worker"
    code=$? err=$(<waits.log)
    LAST="SIGTERM while a worker starts, connect_required=$required"
    expect_code 0
    expect_err_has "drained: 0 tasks"
    [ $((SECONDS - begun)) -lt 60 ] || complain "it took $((SECONDS - begun)) s"
done
# Told before it has begun at all, and once more.
"$PATIO" worker -b "$url" -m demo -o connect_timeout_ms=90s 2>told.log &
worker=$!
pids+=("$worker")
# SIGHUP, SIGINT and SIGTERM are heard from here on
until grep -q 'SigBlk:[[:space:]]*0*4003$' "/proc/$worker/status" 2>/dev/null || ! kill -0 "$worker"; do :; done
kill -TERM "$worker"
wait "$worker" || complain "told early, it ended with $?: $(<told.log)"

# What no time heals ends it: a wrong key. And who wants to be told at the start is.
"$PATIO" worker -b "tcp+listen://127.0.0.1:$port?key=open-sesame" -m demo 2>keyed.log &
pids+=($!)
wait_for keyed.log "ready: project"
run worker -b "$url?key=open-simsim" -m demo
[ "$code" != 0 ] || complain "a worker with a wrong key goes on"
expect_err_has AUTH
free_port
run worker -b "tcp://127.0.0.1:$port" -m demo -o connect_required=true -o connect_timeout_ms=200
expect_code 6
# And a caller that waits for a worker has its whole deadline for one that is not there yet, longer than
# connecting may take by itself.
free_port
"$PATIO" call -b "tcp://127.0.0.1:$port?reconnect_max_ms=200" --wait-route --timeout 60s mul 5 6 >answer 2>patient.log &
caller=$!
pids+=("$caller")
begun=$SECONDS
while kill -0 "$caller" 2>/dev/null && [ $((SECONDS - begun)) -lt 7 ]; do
    sleep 0.1
done
worker late.log "tcp+listen://127.0.0.1:$port"
LAST="a caller that was there first"
wait "$caller"
[ "$(<answer)" = 30 ] || complain "no answer: $(<patient.log)"
free_port
run call -b "tcp://127.0.0.1:$port" --wait-route --timeout 1s mul 5 6
expect_code 6
expect_err_has "within 1000 ms"

# The log says of each URL once why it is not connected, while there is none; and when it is.
dead=$port
free_port
"$PATIO" worker -b "tcp://127.0.0.1:$dead,127.0.0.1:$port" -m demo -o transport.reconnect_max_ms=20 \
    -o transport.reconnect_min_ms=10 -o connect_timeout_ms=1s 2>both.log &
pids+=($!)
wait_for both.log "going on without"
LAST="the log of a worker that can connect with nobody"
[ "$(grep -c "link of transport tcp" both.log)" = 2 ] || complain "$(<both.log)"
wait_for both.log "127.0.0.1, port $dead): Connection refused"
wait_for both.log "127.0.0.1, port $port): Connection refused"
worker there.log "tcp+listen://127.0.0.1:$port"
wait_for both.log "127.0.0.1, port $port): connected (plain, project \"default\")"
wait_for there.log ": connected (plain, project \"default\")"
finish
