#!/usr/bin/env bash
# Several hosts in one URL: one whose name nobody resolves in time, one where nothing listens, and one that
# is there. The lookup has a thread of its own: it is given up like any other step of a login.
. "$(dirname "$0")/lib.sh"
shared_server
export ASAN_OPTIONS="verify_asan_link_order=0:${ASAN_OPTIONS:-}"
url="amqp://slow.test:$port,127.0.0.1:1,127.0.0.1:$port?handshake_ms=1s&reconnect_max_ms=300"
LD_PRELOAD=$PATIO_SLOW_NAMES "$PATIO" worker -b "$url" -p hosts -m demo -o connect_timeout_ms=60s \
    --log-level debug 2>w.log &
pids+=("$!")
LAST="patio worker -b $url"
for _ in $(seq 600); do
    grep -q "ready: project" w.log && break
    sleep 0.1
done
grep -q "ready: project" w.log || complain "not connected: $(<w.log)"
grep -q "look up slow.test: no answer within 1000 ms" w.log || complain "the lookup was waited for: $(<w.log)"
grep -q "connect to 127.0.0.1:1: Connection refused" w.log || complain "the second host was not tried: $(<w.log)"
call_is 42 "amqp://127.0.0.1:1,127.0.0.1:$port" -p hosts --timeout 60s mul 6 7
finish
