#!/usr/bin/env bash
# The broker's consumer_timeout: a task that runs for several times as long runs once, and outlives its worker.
. "$(dirname "$0")/lib.sh"
own_server
url="amqp://127.0.0.1:$port"
# 30 minutes in real life, looked at once a minute
ctl eval 'application:set_env(rabbit, consumer_timeout, 6000), application:set_env(rabbit, channel_tick_interval, 500).' \
    >/dev/null || complain "set consumer_timeout"

# background PROJECT OPTIONS: a call of 13 s in flight
background() {
    "$PATIO" call -b "$url" -p "$1" --timeout 120s sleep 13 >"$1.out" 2>&1 &
    callers[$1]=$!
    pids+=("$!")
}
# await_log FILE TEXT
await_log() {
    for _ in $(seq 600); do
        grep -qF -- "$2" "$1" && return 0
        sleep 0.1
    done
    complain "$1 never said: $2" "$(<"$1")"
}
declare -A callers

# nothing to do, and alive all the same: the broker hangs up on who misses two heartbeats
worker idle.log "$url?heartbeat_ms=1s" -p idle

short="?consumer_timeout_ms=6s"
worker classic.log "$url$short" -p classic
worker quorum.log "$url$short&queue_type=quorum" -p quorum
worker killed.log "$url$short" -p killed --log-level debug
killed=$worker
# does not know it, loses the task once, and has learnt
worker learns.log "$url" -p learns
# has run its task in no time, and cannot settle it: its dead letters take nothing
ctl set_policy --apply-to queues full '^patio:stuck:default:dead$' '{"max-length":0,"overflow":"reject-publish"}' ||
    complain "set_policy"
worker stuck.log "$url$short" -p stuck --log-level debug
run send -b "$url" -p stuck fail
expect_code 0
# its only slot is taken: what is renewed still takes it
worker full.log "$url$short" -p full -j 1 --log-level debug
for project in classic quorum killed learns full; do
    background $project
done
await_log killed.log "renewed 1 task"
kill -9 "$killed"
wait "$killed" 2>/dev/null
worker other.log "$url$short" -p killed
wait_for full.log "renewed 1 task"
run send -b "$url" -p full mul 1 1
expect_code 0
for _ in $(seq 10); do
    run stats -b "$url" -p full -q default --json
    [ "$(jq -r '.[] | "\(.ready) \(.leased)"' <<<"$out")" = "1 1" ] || complain "it waits with who is full: $out"
done

for project in classic quorum killed learns full; do
    wait "${callers[$project]}" || complain "the call of project $project failed: $(<$project.out)"
done
wait_for stuck.log "renewed 1 task"
for log in classic.log quorum.log other.log stuck.log; do
    ! grep -q "took the deliveries back" $log || complain "$log: the broker took a task back: $(<$log)"
done
grep -q "took the deliveries back" learns.log || complain "the broker has no such timeout: $(<learns.log)"
grep -q "consumer_timeout is 6000 ms" learns.log || complain "what the broker said was not heeded: $(<learns.log)"
! grep -q "lost" idle.log || complain "an idle connection was not kept: $(<idle.log)"

ctl clear_policy full
await_messages patio:stuck:default:dead 1
run dlq ls -b "$url" -p stuck --json
[ "$(jq -r '.[0] | .cause, .attempts, .crashes' <<<"$out" | tr '\n' ' ')" = "failed 1 0 " ] || complain "$out"
run dlq drop --all -b "$url" -p stuck
expect_out "1 dropped"

# Nothing is left in any queue: work, dead, held.
for _ in $(seq 20); do
    left=$(ctl list_queues name messages | awk '$2 ~ /^[1-9]/')
    [ -z "$left" ] && break
done
[ -z "$left" ] || complain "left: $left"

# Where it cannot be done, that is said at the start.
worker check.log "$url$short&topology=check" -p classic
grep -q "topology=check makes no queue" check.log || complain "no warning: $(<check.log)"
run doctor -b "$url$short&topology=check" -p classic
expect_out_has "consumer_timeout"
finish
