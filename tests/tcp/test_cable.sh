#!/usr/bin/env bash
# A cable is cut: packets vanish, nobody is told. In a network namespace of the test's own.
self=$(realpath "$0")
. "$(dirname "$self")/lib.sh"
has_transport tcp || skip "the tcp transport is not built"
if [ -z "${PATIO_TEST_NAMESPACE-}" ]; then
    unshare -n true 2>/dev/null || lacks "no network namespace may be made here"
    cd / && rm -rf "$scratch"
    PATIO_TEST_NAMESPACE=1 exec unshare -n bash "$self"
fi
ip link set lo up
for tool in iptables ip; do
    command -v $tool >/dev/null || lacks "no $tool"
done
cut() { iptables -A INPUT -i lo -p tcp -j DROP || lacks "no packet filter here"; }
mend() { iptables -F INPUT; }
quick="ping_ms=200&dead_ms=1s&reconnect_max_ms=200&handshake_ms=1s"

worker w.log "tcp+listen://127.0.0.1:4000?$quick" -j 4
url="tcp://127.0.0.1:4000?$quick"
call_is 6 "$url" mul 2 3

# A call in flight is told within dead_ms and a little, not at its deadline.
"$PATIO" call -b "$url" --progress --timeout 60s sleep 50 >/dev/null 2>lost &
caller=$!
wait_for lost " of 50000" # it runs
cut
begun=$SECONDS
wait "$caller"
[ $((SECONDS - begun)) -lt 10 ] || complain "told after $((SECONDS - begun)) s"
grep -q PEER_LOST lost || complain "the caller was told: $(<lost)"

# Nobody answers while it is cut; that has an end, too.
run call -b "$url" -o connect_timeout_ms=1s mul 2 3
expect_code 6

# A worker that connects comes back by itself once it is mended, and a call that waits is run.
mend
"$PATIO" worker -b "tcp://127.0.0.1:4001?$quick" -m demo 2>back.log &
pids+=($!)
call_is 12 "tcp+listen://127.0.0.1:4001?$quick" --wait-route --timeout 10s mul 3 4
cut
"$PATIO" call -b "tcp+listen://127.0.0.1:4001?$quick" --wait-route --timeout 30s mul 5 5 \
    >result 2>error &
caller=$!
wait_for back.log "timed out"
mend
begun=$SECONDS
wait "$caller" || complain "the call that waits: $(<error)"
[ "$(<result)" = 25 ] || complain "its result: $(<result)"
[ $((SECONDS - begun)) -lt 10 ] || complain "whole again only after $((SECONDS - begun)) s"
call_is 6 "$url" mul 2 3
finish
