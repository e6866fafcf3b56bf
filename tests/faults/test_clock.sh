#!/usr/bin/env bash
# The wall clock is an hour off, at the caller, at the worker, at Redis; then it jumps while a task runs:
# deadlines, leases and delays follow the monotonic clock, and do not notice.
. "$(dirname "$0")/lib.sh"
echo 0 >none
echo 3600 >ahead
echo -3600 >behind

# by CLOCK-FILE: what runs next has this clock
by() {
    before=("${shimmed[@]}" "PATIO_SHIM_CLOCK=$scratch/$1")
}

# held URL PROJECT: "ready delayed dead"
held() {
    "$PATIO" stats -b "$1" -p "$2" -q default --json 2>/dev/null |
        jq -r '.. | objects | select(has("delayed")) | "\(.ready) \(.delayed) \(.dead)"' | head -1
}

# clocks NAME URL-OF-WORKER URL-OF-CALLER
clocks() {
    local name=$1 at=$2 url=$3 number=0 project
    for pair in "ahead none" "behind none" "none ahead" "none behind" "ahead behind"; do
        number=$((number + 1)) project=clock$number
        by "${pair% *}"
        worker "$name.log" "$at" -p $project -j 2
        by "${pair#* }"
        call_is 42 "$url" -p $project --timeout 30s mul 6 7
        # a deadline is kept, though the task would run for much longer
        LAST="$name, worker and caller: $pair"
        "${before[@]}" "$PATIO" call -b "$url" -p $project --timeout 1s sleep 20 >out 2>err &&
            complain "the call came back with a result"
        grep -q TIMEOUT err || complain "said: $(<err)"
        # of two delays that of half a second is soon over, that of 50 minutes is not
        if [ "$name" != tcp ]; then
            for delay in 50min 500ms; do
                "${before[@]}" "$PATIO" send -b "$url" -p $project --delay $delay mul 3 4 >/dev/null ||
                    complain "the send failed"
            done
            for _ in $(seq 100); do
                [ "$(held "$url" $project)" = "0 1 0" ] && break
                sleep 0.1
            done
            [ "$(held "$url" $project)" = "0 1 0" ] ||
                complain "ready, delayed, dead: $(held "$url" $project), expected 0 1 0"
        fi
        kill -9 "$worker"
        wait "$worker" 2>/dev/null
    done
    # jumps, forth and back, while a task runs
    echo 0 >jumping
    by jumping
    worker "$name.jump.log" "$at" -p jump -j 2
    "${before[@]}" "$PATIO" call -b "$url" -p jump --timeout 60s sleep 3 >slept 2>&1 &
    local caller=$!
    for offset in 3600 -3600 86400 0; do
        echo $offset >jumping
        call_is 30 "$url" -p jump --timeout 30s mul 5 6
    done
    wait "$caller" || complain "a task that ran while the clock jumped: $(<slept)"
    kill -TERM "$worker"
    wait "$worker" || complain "the worker did not end well: $(tail -3 "$name.jump.log")"
    before=()
}

free_port
clocks tcp "tcp+listen://127.0.0.1:$port" "tcp://127.0.0.1:$port"
for server_clock in none ahead; do
    start_redis "${shimmed[@]}" "PATIO_SHIM_CLOCK=$scratch/$server_clock"
    clocks redis "redis://127.0.0.1:$port?lease_ms=2000" "redis://127.0.0.1:$port?lease_ms=2000"
    kill -9 "$server"
    wait "$server" 2>/dev/null
done
shared_rabbit
clocks amqp "amqp://127.0.0.1:$port" "amqp://127.0.0.1:$port"
finish
