#!/usr/bin/env bash
# A task that never returns costs its thread; too many of them, the process.
. "$(dirname "$0")/lib.sh"
: "${PATIO_STUCK:?path of the module whose task never returns}"
has_transport tcp || skip "the tcp transport is not built"

limits=(-o executor.stuck_after_ms=100 -o tasks.hang.attempt_timeout_ms=1s -o tasks.hang.max_attempts=1)
url=unix://$scratch/socket
LAST="patio worker with a task that never returns"
"$PATIO" worker -b "unix+listen://$scratch/socket" -m demo -m "$PATIO_STUCK" -j 1 "${limits[@]}" \
    -o executor.stuck_max=2 2>worker.log &
worker=$!
wait_for worker.log "ready: project" || finish
run call -b "$url" hang
expect_code 3
expect_err_has "Stuck (203)"
run call -b "$url" mul 6 7
expect_out 42
run call -b "$url" hang
expect_code 3
for _ in $(seq 400); do
    kill -0 "$worker" 2>/dev/null || break
    sleep 0.05
done
kill -9 "$worker" 2>/dev/null # only if it is still there
wait "$worker"
code=$?
LAST="patio worker"
[ "$code" = 9 ] || complain "exit code $code, expected 9" "$(<worker.log)"
grep -q "2 threads are held by tasks that do not return" worker.log || complain "no reason" "$(<worker.log)"
finish
