#!/usr/bin/env bash
# What is installed, what of it is broken, and what it can do.
. "$(dirname "$0")/lib.sh"

run plugins
expect_code 0
expect_out_has "KIND"
grep -qE '^transport +memory +[0-9.]+ +1\.[0-9]+ +/.*memory\.so +' "$scratch/out" ||
    complain "no row of memory" "$out"
run plugins --json
expect_code 0
expect_out_has '"name": "memory"'
expect_out_has '"problem": null'

mkdir -p broken/transports
echo "no library" >broken/transports/rotten.so
run plugins --plugin-path "$scratch/broken"
expect_code 0
grep -qE '^transport +rotten .*broken \([A-Z]+\): ' "$scratch/out" || complain "rotten is missing" "$out"
run plugins --plugin-path "$scratch/broken" --json
expect_out_has '"name": "rotten"'
run describe transport rotten --plugin-path "$scratch/broken"
expect_code 2
expect_err_has "rotten"

run describe transport memory
expect_code 0
expect_out_has "transport memory"
expect_out_has "Capabilities:"
expect_out_has "Options:"
run describe transport memory --json
expect_code 0
expect_out_has '"capabilities"'
expect_out_has '"options"'
run describe transport fault
expect_code 0
expect_out_has "fault+URL"
for option in seed drop dup delay cut reorder stall stall_ms; do
    grep -qE "^ +$option +" "$scratch/out" || complain "describe transport fault lacks $option" "$out"
done
run describe transport fault --json
expect_code 0
expect_out_has '"name": "reorder"'
run describe transport memroy
expect_code 2
expect_err_has "memory"

run describe tasks -m demo
expect_code 0
for task in mul div sub pow echo sleep fail crash retry; do
    grep -q "^$task " "$scratch/out" || complain "task $task is missing" "$out"
done
run describe tasks -m demo --json
expect_code 0
expect_out_has '"name": "mul"'
expect_out_has '"ack": "on_done"'

# What the configuration leaves of what the code says.
cat >p.yaml <<END
tasks:
  mul: {queue: side, level: disk, max_attempts: 7, backoff: fixed, backoff_base_ms: 2s, queue_ttl_ms: 10min, result_ttl_ms: 1h}
  div: {backoff_list: "1s,5s", idempotent: true, ack: on_start, delay_ms: 5s, dedup: args, dedup_window_ms: 90s, dedup_conflict: attach, call_timeout_ms: forever}
END
run describe tasks -m demo -f p.yaml
expect_code 0
row() {
    tr -s ' ' <"$scratch/out" | grep -qx "$1" || complain "no row: $1" "$out"
}
row "mul side - 30s 5min 7+3 2s each - - 10min 60min disk on_done no"
row "div default - forever 5min 5+3 1s,5s 5s args 90s, attach - - process on_start yes"
run describe tasks -m demo -f p.yaml --json
expect_code 0
for word in '"queue": "side"' '"level": "disk"' '"max_attempts": 7' '"backoff": "fixed"' '"backoff_base_ms": 2000' \
    '"queue_ttl_ms": 600000' '"result_ttl_ms": 3600000' '"backoff_list": "1s,5s"' \
    '"delay_ms": 5000' '"dedup": "args"' '"dedup_window_ms": 90000' '"dedup_conflict": "attach"'; do
    expect_out_has "$word"
done
run describe tasks -m demo -o tasks.mul.level=dusk
expect_code 2
expect_err_has 'tasks.mul.level: "dusk"'

finish
