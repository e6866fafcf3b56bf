#!/usr/bin/env bash
# Three sentinels, a master and a replica: the master dies under load, the replica takes over.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1
export PATIO_LOG_LEVEL=error PATIO_WORKERS=4

server master --repl-diskless-sync-delay 0
master=$server
master_port=$port
server replica --replicaof 127.0.0.1 "$master_port" --repl-diskless-sync-delay 0
replica_port=$port
until_true "the replica follows" sh -c "redis-cli -p $replica_port info replication | grep -q master_link_status:up"

guards=
for n in 1 2 3; do
    sentinel "sentinel$n" "$master_port"
    guards=$guards,127.0.0.1:$port
done
guards=${guards#,}
until_true "the sentinels know each other" sh -c \
    "redis-cli -p $port sentinel master tasks | grep -A1 num-other-sentinels | tail -1 | grep -q 2"
until_true "the sentinels know the replica" sh -c \
    "redis-cli -p $port sentinel master tasks | grep -A1 num-slaves | tail -1 | grep -q 1"

url="redis+sentinel://$guards/tasks?lease_ms=2000&reconnect_max_ms=300&enqueue_wait_ms=60s"
ledger_worker "$url" log
"$LEDGER" call "$url" log 0 2000 5 &
caller=$!
until_true "calls are answered" grep -q '^end' log
kill -9 "$master"
wait "$caller"
port=$replica_port
grep -q "role:master" <(cli info replication) || complain "no failover: $(cli info replication | head -3)"
# A write that the replica had not seen is lost with its master: its call ends by its deadline.
bad=$(sed -n 's/^failed [0-9]* //p' log | grep -vE 'PEER_LOST|TIMEOUT' | sort | uniq -c)
[ -z "$bad" ] || complain "calls failed otherwise: $bad"
[ "$(count_of log answered)" -gt 1800 ] || complain "answered: $(count_of log answered) of 2000"
"$LEDGER" call "$url" log 500000 100 0
[ "$(grep -c '^answered 5000' log)" = 100 ] || complain "after the failover: $(grep -c '^answered 5000' log) of 100"
run call -b "redis+sentinel://$guards/nobody?reconnect_max_ms=300" mul 6 7
expect_err_has nobody
finish
