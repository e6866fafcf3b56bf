#!/usr/bin/env bash
# A port is shut for a while, and hundreds of clients want in: they come less and less often and not all
# at once, and each is served when it opens.
. "$(dirname "$0")/lib.sh"
clients=${PATIO_CROWD:-150}
shut_s=${PATIO_CROWD_SHUT_S:-4}
# At most three quick tries, then one in a second on average or rarer; each has two connections at most.
# Without a pause there would be hundreds of tries by each.
bound=$((clients * 2 * (8 + shut_s * 5)))

# crowd SCHEME PORT: the port is free; open_up lets it be served
crowd() {
    local scheme=$1 at=$2 came
    LAST="$clients clients of $scheme, a port that is shut for $shut_s s"
    "$TOOLS/door" "$at" "$shut_s" >"door.$scheme" 2>&1 &
    local door=$!
    pids+=("$door")
    said_in "door.$scheme" shut || finish
    "$TOOLS/crowd" "$scheme://127.0.0.1:$at?reconnect_min_ms=100&reconnect_max_ms=1s" "$clients" \
        >"crowd.$scheme" 2>&1 &
    local crowd=$!
    pids+=("$crowd")
    wait "$door" || complain "$(<"door.$scheme")"
    came=$(awk '/^came/ { print $2 }' "door.$scheme")
    [ "$came" -ge "$clients" ] || complain "only $came came"
    [ "$came" -le "$bound" ] || complain "$came came, more than $bound"
    open_up "$at"
    wait "$crowd" || complain "$(tail -3 "crowd.$scheme")"
    echo "$scheme: $came came while it was shut; then $(tail -1 "crowd.$scheme")"
}

open_up() {
    worker tcp.log "tcp+listen://127.0.0.1:$1" -j 4
}
free_port
crowd tcp "$port"

open_up() {
    redis_on "$1" || complain "redis-server did not start"
    worker redis.log "redis://127.0.0.1:$1" -j 4
}
free_port
crowd redis "$port"

open_up() {
    bash "$rabbit" again "$scratch/rabbit" || complain "RabbitMQ did not start again"
    worker amqp.log "amqp://127.0.0.1:$1" -j 4
}
start_rabbit
bash "$rabbit" kill "$scratch/rabbit"
crowd amqp "$port"
finish
