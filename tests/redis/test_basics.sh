#!/usr/bin/env bash
# Calls and sends through a server of our own, over TCP and a unix socket, in two projects.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1

server plain --unixsocket "$scratch/socket"
url=redis://127.0.0.1:$port
socket=redis+unix://$scratch/socket

worker one.log "$url" -m demo
one=$worker
call_is 42 "$url" mul 6 7
call_is 42 "$socket" mul 6 7
run call -b "$url" mul 6 x
expect_code 3

# How far a task has come, for who asked.
run call -b "$url" --progress sleep 1.25
expect_code 0
expect_err_has " of 1250) ms"
run call -b "$url" sleep 0.3
expect_code 0
case $err in *" of 300"*) complain "progress was shown without being asked for" "$err" ;; esac

# Another project on the same server is another world.
run call -b "$url" --project other --timeout 300ms mul 6 7
expect_code 4
expect_err_has "TIMEOUT"

# What was sent before there was a worker is done when there is one.
run send -b "$url" --queue later mul 1 2
expect_code 0
[ "$(cli xlen 'patio:{default:later}:s:4')" = 1 ] || complain "what was sent does not wait"

kill "$one"
wait "$one"
[ $? = 0 ] || complain "the worker did not end well" "$(cat one.log)"

# A worker that has gone leaves the streams and nothing of its own.
left=$(cli --raw keys 'patio:{default:default}:*' | sort | tr '\n' ' ')
[ "$left" = "patio:{default:default}:s:4 patio:{default:default}:s:f " ] || complain "left over: $left"
[ "$(cli xlen 'patio:{default:default}:s:4')" = 0 ] || complain "tasks are left"
finish
