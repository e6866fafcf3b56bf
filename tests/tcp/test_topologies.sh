#!/usr/bin/env bash
# Each way in which processes can meet: who listens decides nothing.
. "$(dirname "$0")/lib.sh"
has_transport tcp || skip "the tcp transport is not built"

# One worker that listens, on a port of the kernel's choice; IPv4 and a host name.
worker w1.log tcp+listen://127.0.0.1:0
port=$(port_of w1.log)
call_is 42 "tcp://127.0.0.1:$port" mul 6 7
call_is 42 "tcp://localhost:$port" mul 6 7

# The other way round: the caller listens, the worker connects, and comes back for the next one.
free_port
"$PATIO" worker -b "tcp://127.0.0.1:$port?reconnect_max_ms=100" -m demo 2>w2.log &
pids+=($!)
for i in 1 2 3; do
    call_is $((i * 3)) "tcp+listen://127.0.0.1:$port" --wait-route --timeout 10s mul 3 $i
done

# UNIX sockets. A socket file left over by a killed process is not in the way.
worker w3.log "unix+listen://$scratch/socket"
call_is 8 "unix://$scratch/socket" mul 2 4
kill -9 "$worker"
wait "$worker" 2>/dev/null
[ -S "$scratch/socket" ] || complain "no socket file was left over"
worker w3.log "unix+listen://$scratch/socket"
call_is 8 "unix://$scratch/socket" mul 2 4

# A path that cannot be: what is wrong with it.
touch file
run worker -b "unix+listen://$scratch/file" -m demo
expect_code 6
expect_err_has "what is there is no socket"
[ -f file ] || complain "the file was removed"
run call -b unix://socket mul 2 4
expect_code 2
expect_err_has "from the root on"
run call -b "unix:///$(printf 'x%.0s' {1..120})" mul 2 4
expect_code 2
expect_err_has "the path has 121 bytes, and a socket's may have 107"

# One caller, three workers that listen.
urls=()
for i in 1 2 3; do
    worker "m$i.log" tcp+listen://127.0.0.1:0 -j 1
    [ "$i" != 1 ] || first=$worker
    urls+=(-b "tcp://127.0.0.1:$(port_of "m$i.log")")
done
run call "${urls[@]}" mul 5 5
expect_code 0
expect_out 25

# Who knows several is served when one of them is gone.
kill -9 "$first"
wait "$first" 2>/dev/null
run call "${urls[@]}" --wait-route --timeout 10s mul 5 6
expect_code 0
expect_out 30

# A call at once after the start waits for the URLs that have not been tried yet: each of these has a
# task of its own, and who answers first decides nothing. One that says nothing is not waited for.
for i in a b; do
    "$PATIO" worker -b tcp+listen://127.0.0.1:0 --exec "$i=cat" 2>"own_$i.log" &
    pids+=($!)
    stopped=$!
    wait_for "own_$i.log" "ready: project" || finish
done
urls=(-b "tcp://127.0.0.1:$(port_of own_a.log)" -b "tcp://127.0.0.1:$(port_of own_b.log)")
for _ in {1..20}; do
    for task in a b; do
        run call "${urls[@]}" "$task"
        expect_code 0
    done
done
kill -STOP "$stopped"
begun=$SECONDS
run call "${urls[@]}" --timeout 60s nobody
expect_code 5
expect_err_has NO_ROUTE
[ $((SECONDS - begun)) -lt 15 ] || complain "it was said after $((SECONDS - begun)) s"
kill -CONT "$stopped"

# What is of the whole broker is said once: a second URL must not say otherwise, and be ignored.
run call -b "tcp://127.0.0.1:1?max_queued=7" -b "tcp://127.0.0.1:2?max_queued=5" mul 1 2
expect_code 2
expect_err_has "max_queued is of the whole broker"

# Two projects never meet.
run call -b "tcp://127.0.0.1:$(port_of w1.log)" -p other mul 1 2
[ "$code" != 0 ] || complain "a worker of another project answered"
expect_err_has NO_ROUTE
finish
