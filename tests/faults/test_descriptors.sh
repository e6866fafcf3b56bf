#!/usr/bin/env bash
# No more descriptors, when connecting and when accepting: it is said, nothing spins, and it passes.
. "$(dirname "$0")/lib.sh"
hz=$(getconf CLK_TCK)

cpu() {
    awk '{ print $14 + $15 }' "/proc/$1/stat"
}

# calm PID WHAT: less than half of a core over two seconds
calm() {
    local from
    from=$(cpu "$1")
    sleep 2
    [ $(($(cpu "$1") - from)) -lt "$hz" ] || complain "$2: $(($(cpu "$1") - from)) ticks of $hz in 2 s"
}

# A caller with few descriptors: whatever is missing, it ends by its deadline, and says why.
few() {
    local url=$1 most
    for most in 4 5 6 7 8 9 10 12 16 32; do
        LAST="patio call with $most descriptors, $url"
        (ulimit -n "$most" && exec timeout 60 "$PATIO" call -b "$url" -p few --timeout 3s \
            -o connect_timeout_ms=1s mul 6 7) >out 2>err
        code=$?
        # What the shell passes on counts, too: with so few no program can be loaded at all.
        if [ "$code" = 127 ] && grep -q "while loading shared libraries" err; then continue; fi
        [ "$code" -lt 124 ] || complain "it ended with $code" "$(<err)"
        [ "$code" = 0 ] || [ -s err ] || complain "it failed without a word"
    done
    [ "$code" = 0 ] || complain "32 were not enough" "$(<err)"
}

# lost NAME URL CUT...: the worker loses its connection and may open nothing
lost() {
    local name=$1 url=$2
    shift 2
    worker "$name.log" "$url" -p few --log-level debug
    few "$url"
    prlimit --pid "$worker" --nofile=3:4096
    "$@"
    said_in "$name.log" "Too many open files" || said_in "$name.log" "EMFILE"
    calm "$worker" "a worker that cannot connect"
    prlimit --pid "$worker" --nofile=4096
    call_is 42 "$url" -p few --timeout 60s mul 6 7
    kill -TERM "$worker"
    wait "$worker" || complain "the worker did not end well"
}
start_redis
lost redis "redis://127.0.0.1:$port?reconnect_max_ms=200" redis-cli -p "$port" client kill type normal
shared_rabbit
close_ours() {
    local pid
    for pid in $(bash "$rabbit" ctl "$PATIO_AMQP_SERVER" list_connections pid client_properties |
        grep '"patio few ' | cut -f1); do
        bash "$rabbit" ctl "$PATIO_AMQP_SERVER" close_connection "$pid" test
    done
}
lost amqp "amqp://127.0.0.1:$port?reconnect_max_ms=200" close_ours

# Who listens cannot accept: callers hear of it by their deadline, and are served afterwards.
free_port
worker tcp.log "tcp+listen://127.0.0.1:$port" -p few
few "tcp://127.0.0.1:$port"
prlimit --pid "$worker" --nofile=3:4096
run call -b "tcp://127.0.0.1:$port" -p few --timeout 2s -o connect_timeout_ms=1s mul 6 7
[ "$code" != 0 ] || complain "a connection was made without a descriptor"
calm "$worker" "a worker that cannot accept"
prlimit --pid "$worker" --nofile=4096
call_is 42 "tcp://127.0.0.1:$port" -p few --timeout 30s -o connect_timeout_ms=30s mul 6 7
finish
