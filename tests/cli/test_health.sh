#!/usr/bin/env bash
# Is it fit for work? By command, by file, and as a service manager hears it.
. "$(dirname "$0")/lib.sh"
: "${PATIO_STUCK:?path of the module whose task never returns}" "${PATIO_LISTEN:?path of the listener}"
has_transport tcp || skip "the tcp transport is not built"

url=unix://$scratch/socket
run health "$url" --timeout 200ms
expect_code 1
expect_out_has "not ready: connect to unix://"
run health "$url" --timeout 200ms --json
expect_code 1
expect_out_has '"ready": false'
run health -b memory://
expect_code 1
expect_out "not ready: 0 of 0 workers are ready, wanted: 1"
run health -b memory:// --workers 0
expect_code 0
expect_out "ready: transport memory"
run health -b memory:// --pid nobody
expect_code 2
run health
expect_code 2

# A worker with a thread that is lost: degraded, and ready.
"$PATIO_LISTEN" "$scratch/notify" >notify.log &
listener=$!
wait_for notify.log listening || finish
NOTIFY_SOCKET=$scratch/notify WATCHDOG_USEC=400000 "$PATIO" worker -b "unix+listen://$scratch/socket" -m demo \
    -m "$PATIO_STUCK" -j 2 -o executor.stuck_after_ms=100 -o tasks.hang.attempt_timeout_ms=500 \
    -o tasks.hang.max_attempts=1 -o executor.stuck_max=9 --ready-file "$scratch/ready" 2>worker.log &
worker=$!
LAST="patio worker --ready-file"
wait_for worker.log "ready: project" || finish
wait_for "$scratch/ready" "$worker" || finish
wait_for notify.log "READY=1|WATCHDOG=1|STATUS=ready" || finish
wait_for notify.log "WATCHDOG=1" || finish
run health "$url"
expect_code 0
expect_out_has "ready: transport tcp"

run call -b "$url" hang
expect_code 3
wait_for notify.log "STATUS=degraded: 1 tasks do not return" || finish
LAST="patio worker, ended"
kill -TERM "$worker"
wait_for notify.log "STOPPING=1" || finish
[ ! -e "$scratch/ready" ] || complain "the ready file is there while it drains"
kill -KILL "$worker" # its thread would hold it
wait "$worker" 2>/dev/null
kill "$listener" 2>/dev/null

# One that cannot be written to is found at once.
mkdir dir
run worker -b memory:// -m demo --ready-file "$scratch/dir"
expect_code 2
expect_err_has "remove the ready file"
finish
