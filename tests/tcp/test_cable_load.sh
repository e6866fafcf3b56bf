#!/usr/bin/env bash
# A cable is cut under a thousand calls: all of it, and either direction alone; whoever has connected.
# Every call ends as its result or PEER_LOST, nothing runs twice, and once it is mended all is whole.
self=$(realpath "$0")
. "$(dirname "$self")/lib.sh"
has_transport tcp || skip "the tcp transport is not built"
if [ -z "${PATIO_TEST_NAMESPACE-}" ]; then
    unshare -n true 2>/dev/null || lacks "no network namespace may be made here"
    cd / && rm -rf "$scratch"
    PATIO_TEST_NAMESPACE=1 exec unshare -n bash "$self"
fi
for tool in iptables ip; do
    command -v $tool >/dev/null || lacks "no $tool"
done
ip link set lo up
iptables -A INPUT -i lo -p tcp --dport 1 -j DROP || lacks "no packet filter here"
quick="ping_ms=200&dead_ms=1s&reconnect_max_ms=200&handshake_ms=1s"
now_ms() { awk '{printf "%d", $1 * 1000}' /proc/uptime; }

# under_load NAME PORT WHO-LISTENS DROPPED...: what iptables is to drop of the traffic of that port.
under_load() {
    local name=$1 port=$2 listens=$3 caller cut_ms mended_ms worker_url caller_url
    shift 3
    LAST="$name: $*"
    worker_url="tcp://127.0.0.1:$port?$quick"
    caller_url=$worker_url
    [ "$listens" = worker ] && worker_url="tcp+listen://127.0.0.1:$port?$quick"
    [ "$listens" = caller ] && caller_url="tcp+listen://127.0.0.1:$port?$quick"
    : >"$name.ledger"
    "$FAULTS" worker "$worker_url" "$name.ledger" 2>"$name.worker" &
    pids+=($!)
    "$FAULTS" caller "$caller_url" "$name.outcomes" 2>"$name.caller" &
    caller=$!
    pids+=("$caller")
    for _ in $(seq 2000); do
        [ "$(wc -l <"$name.ledger")" -lt 50 ] || break
        sleep 0.005
    done
    iptables -A INPUT -i lo -p tcp "$@" -j DROP
    cut_ms=$(now_ms)
    sleep 2.5 # longer than dead_ms: the time itself is what is tested
    iptables -F INPUT
    mended_ms=$(now_ms)
    wait "$caller" || complain "the caller ended with $?: $(<"$name.caller")"
    [ "$(wc -l <"$name.outcomes")" = 1000 ] || complain "outcomes of $(wc -l <"$name.outcomes") calls"
    # each is OK (0) or PEER_LOST, which is told in time
    awk -v cut="$cut_ms" -v mended="$mended_ms" '
        $1 != 0 { lost++; if ($2 > cut + 1000 + 2000) late++ }
        $1 == 0 { ok++; if ($2 > mended) after++; if ($2 > mended + 5000) late++ }
        END { print ok + 0, lost + 0, after + 0, late + 0 }' "$name.outcomes" >sums
    read -r _ lost after late <sums
    [ "$lost" -gt 0 ] || complain "nothing was in flight: $(<sums)"
    [ "$lost" -le 260 ] || complain "more were lost than credit and prefetch: $(<sums)"
    [ "$after" -gt 0 ] || complain "nothing was left for the time after: $(<sums)"
    [ "$late" = 0 ] || complain "$late were late (ok, lost, after, late: $(<sums))"
    [ -z "$(sort "$name.ledger" | uniq -d)" ] || complain "ran twice: $(sort "$name.ledger" | uniq -d | head -3)"
    awk '$1 == 0 { print NR - 1 }' "$name.outcomes" | sort >answered
    [ -z "$(sort "$name.ledger" | comm -23 answered -)" ] || complain "answered, and did not run"
    kill -9 "${pids[@]}" 2>/dev/null
    pids=()
}

under_load both 4002 worker
under_load towards_the_worker 4003 worker --dport 4003
under_load towards_the_caller 4004 worker --sport 4004
under_load both_worker_connects 4005 caller
under_load one_way_worker_connects 4006 caller --dport 4006
finish
