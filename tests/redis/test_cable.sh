#!/usr/bin/env bash
# A cable is cut under load: packets vanish both ways, and the server keeps connections that lead nowhere,
# which it hands tasks to. In a network namespace of the test's own.
self=$(realpath "$0")
if [ -z "${PATIO_TEST_NAMESPACE-}" ]; then
    unshare -n true 2>/dev/null || { echo "skipped: no network namespace may be made here"; exit 77; }
    PATIO_TEST_NAMESPACE=1 exec unshare -n bash "$self"
fi
ip link set lo up
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1
export PATIO_WORKERS=4
iptables -A INPUT -p tcp --dport 1 -j DROP 2>/dev/null || skip "no packet filter here"

server far
url="redis://127.0.0.1:$port?lease_ms=2000&dead_ms=1000&block_ms=500&reconnect_max_ms=300&enqueue_wait_ms=500"
cut() {
    iptables -A INPUT -p tcp --dport "$port" -j DROP
    iptables -A INPUT -p tcp --sport "$port" -j DROP
}
mend() {
    iptables -F INPUT
}
ledger_worker "$url" log
for from in 0 2000 4000; do
    before=$(count_of log end)
    noticed=$(grep -c 'is connecting' log.err)
    "$LEDGER" send "$url" log "$from" 2000 5 &
    sender=$!
    until_true "tasks flow" sh -c "[ \$(grep -c '^end' log) -gt $((before + 100)) ]"
    cut
    until_true "the worker notices" sh -c "[ \$(grep -c 'is connecting' log.err) -gt $noticed ]"
    mend
    wait "$sender"
    expect_all_done log
done
bad=$(sed -nE 's/^(refused|unknown) [0-9]* //p' log | grep -vE 'PEER_LOST|UNREACHABLE|BLOCKED|TIMEOUT' | sort | uniq -c)
[ -z "$bad" ] || complain "sends ended otherwise: $bad"
[ "$(count_of log accepted)" -ge 300 ] || complain "accepted: $(count_of log accepted)"
finish
