#!/usr/bin/env bash
# Heartbeats go out while nothing happens, and while every slot is busy for longer than the broker waits for
# one: it closes the connection of who is silent for three of them. What waits behind a slow consumer stays with
# the broker, and others are served.
. "$(dirname "$0")/lib.sh"
shared_server
url="amqp://127.0.0.1:$port?heartbeat_ms=2s"
p=beat$$

connections() {
    ctl list_connections pid client_properties | grep "\"patio $p " | cut -f1 | sort
}
worker idle.log "$url" -p "$p"
worker busy.log "$url" -p "$p" -q slow -j 1
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$worker/status"; }
# slow READY UNACKNOWLEDGED
slow() {
    local now
    for _ in $(seq 40); do
        now=$(ctl list_queues name messages_ready messages_unacknowledged | awk -v q="patio:$p:slow" '$1 == q { print $2, $3 }')
        [ "$now" = "$*" ] && return
    done
    complain "the queue has (ready, unacknowledged) $now, expected $*"
}
before=$(connections)
[ "$(wc -l <<<"$before")" = 4 ] || complain "two workers have these connections: $before"
"$PATIO" call -b "$url" -p "$p" --queue slow --timeout 60s sleep 20 >slept 2>&1 &
caller=$!
pids+=("$caller")
slow 0 1
kib=$(rss)
head -c 1000000 /dev/zero >large
for _ in $(seq 20); do
    "$PATIO" send -b "$url" -p "$p" --queue slow --stdin nothing <large >sent 2>&1 || complain "$(<sent)"
done
slow 20 1
[ "$(rss)" -le $((kib + 8000)) ] || complain "the busy worker had $kib KiB, and has $(rss)"
call_is 42 "$url" -p "$p" mul 6 7
wait "$caller" || complain "the call: $(<slept)"
slow 0 0
after=$(connections)
[ "$before" = "$after" ] || complain "connections were made anew" "$before" "$after"
for log in idle.log busy.log; do
    ! grep -q "lost" $log || complain "$(grep lost $log | head -3)"
done
finish
