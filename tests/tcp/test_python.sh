#!/usr/bin/env bash
# A peer in another language, written from the docs alone: whoever connects, it calls, and is called.
. "$(dirname "$0")/lib.sh"
has_transport tcp || skip "the tcp transport is not built"
command -v python3 >/dev/null || skip "no python3"
peer=$PATIO_SOURCE/tests/tcp/peer.py
key="open-sesame"
expected="42
echoed 0 0 0 0"

# python ARGUMENT...: peer.py, as `run` runs patio.
python() {
    LAST="peer.py $*"
    timeout 60 python3 "$peer" "$@" >out 2>err
    # shellcheck disable=SC2034 # for what is expected of them
    code=$? out=$(<out) err=$(<err)
}

# It calls: by the first key of who listens, by the second one, by none of them.
worker w.log "tcp+listen://127.0.0.1:0?key=$key&key_next=open-simsim"
port=$(port_of w.log)
for good in $key open-simsim; do
    python call "$port" "$good"
    expect_code 0
    expect_out "$expected"
done
python call "$port" open-barley
expect_code 1
expect_err_has "another key"
! grep -q "another project\|malformed\|wrong place\|does not" w.log || complain "$(<w.log)"

# It is called.
free_port
"$PATIO" call -b "tcp+listen://127.0.0.1:$port?key=$key" --wait-route swap 4 2 >swapped 2>call.log &
caller=$!
pids+=("$caller")
for _ in $(seq 600); do
    python work "$port" $key
    [ "$code" != 0 ] || break # else nobody listens yet
    sleep 0.1
done
wait "$caller" || complain "$(<call.log)"
[ "$(<swapped)" = 204 ] || complain "swapped: $(<swapped)"

# And the other way round.
timeout 60 python3 "$peer" listen work 0 $key >listens 2>&1 &
pids+=($!)
wait_for listens "listening on"
call_is 403 "tcp://127.0.0.1:$(port_of listens)?key=$key" swap 3 4
timeout 60 python3 "$peer" listen call 0 $key >calls 2>&1 &
caller=$!
pids+=("$caller")
wait_for calls "listening on"
"$PATIO" worker -b "tcp://127.0.0.1:$(port_of calls)?key=$key" -m demo 2>w2.log &
pids+=($!)
wait "$caller" || complain "$(<calls)"
LAST="a peer that listens and calls"
[ "$(tail -n +2 calls)" = "$expected" ] || complain "$(<calls)"
finish
