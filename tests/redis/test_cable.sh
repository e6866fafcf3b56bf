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
export PATIO_LOG_LEVEL=error PATIO_WORKERS=4
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
"$LEDGER" send "$url" log 0 20000 1 &
sender=$!
for _ in 1 2 3; do
    before=$(count_of log end)
    told=$(grep -cE '^(refused|unknown)' log)
    until_true "tasks flow" sh -c "[ \$(grep -c '^end' log) -gt $((before + 100)) ]"
    cut
    until_true "the sender is told" sh -c "[ \$(grep -cE '^(refused|unknown)' log) -gt $told ]"
    until_true "the worker has nothing left to run" sh -c \
        "n=\$(grep -c '^end' log); sleep 0.5; [ \$(grep -c '^end' log) = \$n ]"
    mend
done
wait "$sender"
expect_all_done log
bad=$(sed -nE 's/^(refused|unknown) [0-9]* //p' log | grep -vE 'PEER_LOST|UNREACHABLE|BLOCKED|TIMEOUT' | sort | uniq -c)
[ -z "$bad" ] || complain "sends ended otherwise: $bad"
[ "$(count_of log accepted)" -gt 1000 ] || complain "accepted: $(count_of log accepted)"
finish
