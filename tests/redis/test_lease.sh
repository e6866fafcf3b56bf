#!/usr/bin/env bash
# A task that runs five leases long runs once, while others look for dead workers. The long form (three
# minutes under a lease of five seconds): scripts/redis-long.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1
export PATIO_LOG_LEVEL=error PATIO_WORKERS=1
server lease
lease=${LEASE_MS:-2000}
task=${TASK_MS:-10000}
url="redis://127.0.0.1:$port?lease_ms=$lease"
for _ in 1 2 3; do ledger_worker "$url" log; done
"$LEDGER" send "$url" log 0 1 "$task"
expect_all_done log $((task / 1000 + 60))
[ "$(count_of log start)" = 1 ] || complain "it was started $(count_of log start) times"

# A worker that is stopped past its lease: its task is done elsewhere, and what it says later is stale.
"$LEDGER" send "$url" log 100 1 100
expect_all_done log
for each in "${pids[@]:1:2}"; do kill "$each"; done
ledger_worker "$url" slow
slow=$worker
kill "${pids[3]}"
"$LEDGER" send "$url" slow 1 1 3000
until_true "it runs" grep -q '^start 1 ' slow
kill -STOP "$slow"
ledger_worker "$url" slow
until_true "another worker has it" sh -c "[ \$(grep -c '^start 1 ' slow) = 2 ]"
kill -CONT "$slow"
expect_all_done slow
until_true "all is settled" sh -c "[ \$(redis-cli -p $port xlen 'patio:{default:default}:s:f') = 0 ]"

# One that had claimed its task is dead: the dead letter names it, since it cannot.
cli eval "local id = redis.call('XADD', KEYS[1], '*', 'h', ARGV[1], 'b', 'x')
    redis.call('XREADGROUP', 'GROUP', 'w', 'deadbeefdeadbeef', 'COUNT', 1, 'STREAMS', KEYS[1], '>')
    redis.call('XCLAIM', KEYS[1], 'w', 'deadbeefdeadbeef', 0, id, 'RETRYCOUNT', 1000)
    return id" 1 'patio:{default:default}:s:4' "$(printf %032d 7) 0 1 0 0 0 0 0 4 - - log" >/dev/null
until_true "it is a dead letter" sh -c "'$PATIO' dlq ls -b '$url' --json | grep -q '\"cause\": \"claimed\"'"
run dlq ls -b "$url" --json
expect_out_has '"worker": "deadbeefdeadbeef"'
finish
