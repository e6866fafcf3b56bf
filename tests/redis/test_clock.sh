#!/usr/bin/env bash
# Wall clocks that jump: a worker's does not matter, and a step of the server's ends all leases at once
# and kills nobody who lives.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1
export PATIO_LOG_LEVEL=error PATIO_WORKERS=4

# ahead FILE SECONDS: the clock that looks at this file jumps
ahead() {
    printf '%-24s' "$2" | dd of="$1" conv=notrunc status=none
}
ahead worker.clock 0
ahead server.clock 0
years=$((10 * 366 * 86400))

LD_PRELOAD=${REDIS_CLOCK:?} PATIO_TEST_CLOCK=$scratch/server.clock server jumpy
url="redis://127.0.0.1:$port?lease_ms=2000"
server_year() {
    date -u -d "@$(cli --raw time | head -1)" +%Y
}
now=$(date -u +%Y)

# The worker's host jumps by years, there and back, while an honest worker looks for dead ones.
PATIO_TEST_CLOCK=$scratch/worker.clock ledger_worker "$url" log
jumpy=$worker
ledger_worker "$url" log
honest=$worker
from=0
for jump in "$years" -3600 0 "$years"; do
    "$LEDGER" send "$url" log "$from" 16 300
    until_true "they run" grep -q "^start $from" log
    ahead worker.clock "$jump"
    "$LEDGER" call "$url" log "$((from * 100 + 10000))" 100 1
    expect_all_done log
    from=$((from + 16))
done
[ "$(count_of log answered)" = 400 ] || complain "answered: $(count_of log answered) of 400"
[ "$(count_of log accepted)" = 64 ] || complain "accepted: $(count_of log accepted) of 64"
[ -z "$(more_than_once log)" ] || complain "twice: $(more_than_once log | tr '\n' ' ')"
kill "$honest"
kill "$jumpy"
wait "$honest" "$jumpy"
said=$(sed -n 's/^clock //p' log | sort -n | tail -1)
[ "$said" -gt "$(($(date +%s) + years / 2))" ] || complain "the worker's clock did not jump: $said"

# The server's: tasks that outlast a lease, two workers, a step of an hour, and back.
ledger_worker "$url" steps
ledger_worker "$url" steps
from=0
for jump in 3600 0 "$years"; do
    "$LEDGER" send "$url" steps "$from" 8 2500
    until_true "they run" sh -c "[ \$(grep -c '^start' steps) -ge $((from + 8)) ]"
    ahead server.clock "$jump"
    expect_all_done steps
    from=$((from + 8))
done
[ "$(server_year)" -gt "$now" ] || complain "the server's clock did not jump: $(server_year)"
expect_all_done steps
[ "$(count_of steps accepted)" = 24 ] || complain "accepted: $(count_of steps accepted) of 24"
[ -z "$(more_than_once steps)" ] || complain "twice: $(more_than_once steps | tr '\n' ' ')"
finish
