#!/usr/bin/env bash
# Three masters: queues on each of them, and a slot that moves while tasks flow through it.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1
export PATIO_WORKERS=4

nodes=()
for n in 1 2 3; do
    server "node$n" --cluster-enabled yes --cluster-config-file nodes.conf --cluster-node-timeout 5000
    nodes+=("$port")
done
redis-cli --cluster create "127.0.0.1:${nodes[0]}" "127.0.0.1:${nodes[1]}" "127.0.0.1:${nodes[2]}" \
    --cluster-yes >create.log 2>&1 || complain "no cluster" "$(tail -3 create.log)"
for port in "${nodes[@]}"; do
    until_true "node $port agrees" sh -c "redis-cli -p $port cluster info | grep -q cluster_state:ok"
done
url="redis+cluster://127.0.0.1:${nodes[0]},127.0.0.1:${nodes[2]}?lease_ms=2000&reconnect_max_ms=300"

worker cluster.log "$url" -m demo
call_is 42 "$url" mul 6 7
kill "$worker"
wait "$worker"
export PATIO_LOG_LEVEL=error
ledger_worker "$url" log
for n in 1 2 3 4 5 6; do
    run send -b "$url" --queue "queue$n" mul 1 2
    expect_code 0
done
used=0
for port in "${nodes[@]}"; do
    [ "$(cli keys 'patio:{default:queue*' | wc -l)" = 0 ] || used=$((used + 1))
done
[ "$used" -ge 2 ] || complain "six queues are on $used node"

run call -b "redis://127.0.0.1:${nodes[0]}" mul 6 7
expect_err_has "redis+cluster"

# The slot of the queue moves from its node to another.
port=${nodes[0]}
slot=$(cli cluster keyslot 'patio:{default:default}')
for port in "${nodes[@]}"; do
    [ "$(cli cluster countkeysinslot "$slot")" = 0 ] || from=$port
done
for port in "${nodes[@]}"; do
    [ "$port" = "$from" ] || to=$port
done
id_of() {
    redis-cli -p "$1" cluster myid
}
"$LEDGER" call "$url" log 0 3000 1 &
caller=$!
until_true "calls are answered" grep -q '^end' log
source_id=$(id_of "$from") target_id=$(id_of "$to")
redis-cli -p "$to" cluster setslot "$slot" importing "$source_id" >/dev/null
redis-cli -p "$from" cluster setslot "$slot" migrating "$target_id" >/dev/null
for _ in $(seq 50); do
    mapfile -t keys < <(redis-cli -p "$from" cluster getkeysinslot "$slot" 100)
    [ -n "${keys[0]-}" ] || break
    redis-cli -p "$from" migrate 127.0.0.1 "$to" "" 0 5000 KEYS "${keys[@]}" >/dev/null
done
for port in "$to" "$from" "${nodes[@]}"; do
    redis-cli -p "$port" cluster setslot "$slot" node "$target_id" >/dev/null
done
wait "$caller"
[ "$(count_of log answered)" = 3000 ] || complain "answered: $(count_of log answered) of 3000" \
    "$(sed -n 's/^failed [0-9]* //p' log | sort | uniq -c)"
port=$to
[ "$(cli cluster countkeysinslot "$slot")" -gt 0 ] || complain "nothing moved"
finish
