#!/usr/bin/env bash
# A name with several addresses, the first of them dead: one that swallows every packet, one that refuses.
# The next one is tried within the time to connect.
. "$(dirname "$0")/lib.sh"

# names TRANSPORT PORT OPTIONS: served at 127.0.0.1:PORT
names() {
    local scheme=$1 at=$2 options=$3
    "$TOOLS/hole" 127.0.0.2 "$at" >hole.$scheme 2>&1 &
    pids+=($!)
    said_in "hole.$scheme" ready || finish
    for addresses in 127.0.0.2,127.0.0.1 127.0.0.3,127.0.0.1; do
        before=("${shimmed[@]}" "PATIO_SHIM_NAME=broker.test=$addresses")
        call_is 42 "$scheme://broker.test:$at?$options" -p names --timeout 60s \
            -o connect_timeout_ms=60s mul 6 7
        before=()
    done
}

start_redis
worker redis.log "redis://127.0.0.1:$port" -p names
names redis "$port" "handshake_ms=1s&reconnect_max_ms=200"
free_port
worker tcp.log "tcp+listen://127.0.0.1:$port" -p names
names tcp "$port" "handshake_ms=1s&reconnect_max_ms=200"
shared_rabbit
worker amqp.log "amqp://127.0.0.1:$port" -p names
names amqp "$port" "handshake_ms=1s&reconnect_max_ms=200"

# A name server that does not answer: told in time, and nobody waits for it at the end.
for scheme in redis tcp amqp; do
    query=
    [ $scheme != tcp ] || query="?insecure=true"
    LAST="patio call -b $scheme://broker.test, whose name server says nothing"
    begun=$SECONDS
    "${shimmed[@]}" "PATIO_SHIM_NAME=broker.test=never" timeout -s KILL 60 \
        "$PATIO" call -b "$scheme://broker.test:1$query" -o connect_timeout_ms=1s mul 6 7 >out 2>err
    code=$?
    err=$(<err)
    expect_code 6
    [ $((SECONDS - begun)) -lt 20 ] || complain "it ended after $((SECONDS - begun)) s"
done
finish
