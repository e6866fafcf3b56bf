#!/usr/bin/env bash
# Heartbeats go out while nothing happens, and while every slot is busy for longer than the broker waits for
# one: it closes the connection of who is silent for three of them.
. "$(dirname "$0")/lib.sh"
shared_server
url="amqp://127.0.0.1:$port?heartbeat_ms=2s"
p=beat$$

connections() {
    ctl list_connections pid client_properties | grep "\"patio $p " | cut -f1 | sort
}
worker idle.log "$url" -p "$p"
worker busy.log "$url" -p "$p" -q slow -j 1
before=$(connections)
[ "$(wc -l <<<"$before")" = 4 ] || complain "two workers have these connections: $before"
"$PATIO" call -b "$url" -p "$p" --queue slow --timeout 60s sleep 9 >slept 2>&1 || complain "the call: $(<slept)"
after=$(connections)
[ "$before" = "$after" ] || complain "connections were made anew" "$before" "$after"
for log in idle.log busy.log; do
    ! grep -q "lost" $log || complain "$(grep lost $log | head -3)"
done
finish
