#!/usr/bin/env bash
# lib.sh: a server of each kind for tests of what can happen to all of them alike, each with ports of its
# own. `each_transport FUNCTION` calls FUNCTION NAME HOST PORT OPTIONS.
. "$PATIO_SOURCE/tests/cli/lib.sh"
: "${TOOLS:?folder of the test programs}" "${SHIM:?}"
rabbit=$PATIO_SOURCE/tests/support/rabbitmq.sh
pids=()
end_all() {
    [ "${#pids[@]}" = 0 ] || kill -9 "${pids[@]}" 2>/dev/null
    [ ! -e "$scratch/rabbit/env" ] || bash "$rabbit" stop "$scratch/rabbit"
    rm -rf "$scratch"
}
trap '[ "$BASHPID" = $$ ] && end_all' EXIT

# What stands before a command that has the shim; a sanitizer's library is then not the first.
# shellcheck disable=SC2034 # the tests that read this file use it
shimmed=(env "LD_PRELOAD=$SHIM" "ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0")

free_port() {
    for _ in $(seq 200); do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
    done
    complain "no free port"
    finish
}

# redis_on PORT [COMMAND-BEFORE...]: its process id is $server
redis_on() {
    local at=$1
    shift
    mkdir -p redis
    "$@" redis-server --port "$at" --bind 127.0.0.1 --dir "$scratch/redis" --save "" --daemonize no \
        --logfile "$scratch/redis/log" >/dev/null 2>&1 &
    server=$!
    pids+=("$server")
    for _ in $(seq 200); do
        [ "$(redis-cli -p "$at" ping 2>/dev/null)" = PONG ] && return 0
        kill -0 "$server" 2>/dev/null || break
        sleep 0.05
    done
    return 1
}
start_redis() {
    for _ in 1 2 3 4 5; do
        free_port
        redis_on "$port" "$@" && return 0
    done
    complain "redis-server did not start" "$(tail -3 redis/log)"
    finish
}
# The server of the tests of amqp, for those that leave it as it was.
shared_rabbit() {
    . "$PATIO_AMQP_SERVER/env"
}
start_rabbit() {
    bash "$rabbit" start "$scratch/rabbit" || { complain "no RabbitMQ"; finish; }
    . "$scratch/rabbit/env"
}

# worker LOG URL OPTION...: in the background, ready when this returns; its process id is $worker
worker() {
    local log=$1 url=$2
    shift 2
    LAST="patio worker -b $url $*"
    "${before[@]}" "$PATIO" worker -b "$url" -m demo "$@" 2>"$log" &
    worker=$!
    pids+=("$worker")
    wait_for "$log" "ready: project" || finish
}
before=()

# call_is RESULT URL TASK ARGUMENT...
call_is() {
    local expected=$1 url=$2
    shift 2
    "${before[@]}" "$PATIO" call -b "$url" "$@" >"$scratch/out" 2>"$scratch/err"
    code=$? out=$(<"$scratch/out") err=$(<"$scratch/err")
    LAST="patio call -b $url $*"
    expect_code 0
    expect_out "$expected"
}

# said_in FILE TEXT: within half a minute
said_in() {
    for _ in $(seq 600); do
        grep -qF -- "$2" "$1" 2>/dev/null && return 0
        sleep 0.05
    done
    complain "$1 never said: $2" "$(tail -5 "$1")"
    return 1
}
