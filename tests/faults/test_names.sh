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
finish
