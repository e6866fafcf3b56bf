#!/usr/bin/env bash
# The listener is restarted under load, and a worker is stopped (not killed): every call ends.
. "$(dirname "$0")/lib.sh"
has_transport tcp || skip "the tcp transport is not built"
free_port
url=tcp://127.0.0.1:$port

# Callers go on while the worker is replaced again and again; each call ends in a result or an error
# that has a name.
callers() {
    for i in $(seq 30); do
        timeout 20 "$PATIO" call -b "$url" -o connect_timeout_ms=5s --wait-route --timeout 10s \
            mul 2 "$i" >"result.$i" 2>"error.$i"
        echo "$i $?" >>codes
    done
}
callers &
caller=$!
for i in 1 2 3 4 5; do
    worker "w$i.log" "tcp+listen://127.0.0.1:$port"
    sleep 0.3
    kill -9 "$worker"
    wait "$worker" 2>/dev/null
done
worker last.log "tcp+listen://127.0.0.1:$port"
wait "$caller"
[ "$(wc -l <codes)" = 30 ] || complain "not every call ended: $(<codes)"
while read -r i status; do
    case $status in
    0) [ "$(<"result.$i")" = $((2 * i)) ] || complain "call $i: $(<"result.$i")" ;;
    124 | 137) complain "call $i did not end in time" ;;
    *) grep -Eq 'PEER_LOST|UNREACHABLE|NO_ROUTE' "error.$i" || complain "call $i: $(<"error.$i")" ;;
    esac
done <codes

# A process that is stopped keeps its connection; the ping finds it.
worker stopped.log "tcp+listen://127.0.0.1:0"
begun=$SECONDS
"$PATIO" call -b "tcp://127.0.0.1:$(port_of stopped.log)?ping_ms=200&dead_ms=1s" --progress --timeout 60s \
    sleep 50 >/dev/null 2>lost &
caller=$!
wait_for lost " of 50000" # it runs
kill -STOP "$worker"
wait "$caller"
kill -CONT "$worker"
[ $((SECONDS - begun)) -lt 20 ] || complain "the caller waited for a stopped worker"
grep -q PEER_LOST lost || complain "the caller was told: $(<lost)"
finish
