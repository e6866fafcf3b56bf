#!/usr/bin/env bash
# What can happen to a server and to workers while tasks flow: nothing accepted is lost, and all goes
# on without a restart of ours.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1
export PATIO_LOG_LEVEL=error

server durable --appendonly yes --appendfsync always
url="redis://127.0.0.1:$port?lease_ms=2000&reconnect_max_ms=300"

# A worker is killed with its four tasks, another has them within two leases; nothing else runs twice.
export PATIO_WORKERS=4
ledger_worker "$url" killed
first=$worker
"$LEDGER" send "$url" killed 0 40 300
until_true "it works" grep -q '^start' killed
kill -9 "$first"
ledger_worker "$url" killed
second=$worker
expect_all_done killed
[ "$(more_than_once killed | wc -l)" -le 4 ] || complain "redone: $(more_than_once killed | tr '\n' ' ')"
kill "$second"
wait "$second"

# The server is killed while tasks flow; what it had accepted is on its disk.
ledger_worker "$url" crash
"$LEDGER" send "$url" crash 0 3000 0 &
sender=$!
until_true "tasks flow" grep -q '^end' crash
kill -9 "$server"
wait "$server" 2>/dev/null
port_wanted=$port server durable --appendonly yes --appendfsync always
wait "$sender"
expect_all_done crash
[ "$(count_of crash accepted)" -gt 0 ] || complain "nothing was accepted"
[ "$(cat crash | sed -n 's/^accepted \([0-9]*\).*/\1/p' | sort | uniq -d | wc -l)" = 0 ] || complain "two outcomes"

# Scripts are flushed, connections killed, the server sleeps and is paused: calls are answered.
"$LEDGER" call "$url" crash 10000 1500 1 &
caller=$!
for _ in 1 2 3 4; do
    cli script flush >/dev/null
    cli client kill type normal >/dev/null
    cli debug sleep 0.2 >/dev/null
    cli client pause 100 >/dev/null
done
wait "$caller"
[ "$(count_of crash answered)" -gt 1000 ] || complain "answered: $(count_of crash answered)"
bad=$(sed -n 's/^failed [0-9]* //p' crash | grep -v PEER_LOST | sort | uniq -c)
[ -z "$bad" ] || complain "calls ended otherwise than by a lost connection: $bad"

# Everything is flushed, the group destroyed, the stream deleted: new calls work at once.
cli flushall >/dev/null
"$LEDGER" call "$url" crash 20000 50 0
cli xgroup destroy 'patio:{default:default}:s:4' w >/dev/null
"$LEDGER" call "$url" crash 21000 50 0
cli del 'patio:{default:default}:s:4' >/dev/null
"$LEDGER" call "$url" crash 22000 50 0
for from in 200 210 220; do
    [ "$(grep -c "^answered $from" crash)" = 50 ] || complain "after $from: $(grep -c "^answered $from" crash) of 50"
done
finish
