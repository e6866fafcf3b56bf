#!/usr/bin/env bash
# What goes wrong says so, in time, on the right side.
. "$(dirname "$0")/lib.sh"
has_transport tcp || skip "the tcp transport is not built"

worker w.log tcp+listen://127.0.0.1:0
url=tcp://127.0.0.1:$(port_of w.log)

# No route, an error of the task, a timeout.
run call -b "$url" nobody_has_this
expect_err_has NO_ROUTE
run call -b "$url" div 1 0
expect_code 3
run call -b "$url" --timeout 200ms sleep 5
[ "$code" != 0 ] || complain "a call outlived its deadline"
case $err in # the caller's clock, or the task, which sees the same deadline
*TIMEOUT* | *ancelled*) ;;
*) complain "stderr: $err" ;;
esac

# Who came to the wrong port is told from who breaks the protocol.
port=$(port_of w.log)
exec 7<>"/dev/tcp/127.0.0.1/$port"
printf 'GET / HTTP/1.0\r\n\r\n' >&7
wait_for w.log "it does not speak patio"
exec 7>&-

# Too large: by which limit.
head -c 100000 /dev/zero >zeros
LAST="patio call echo --stdin, with max_frame_bytes=64KiB"
"$PATIO" call -b "$url?max_frame_bytes=64KiB" echo --stdin <zeros >/dev/null 2>large.log
code=$? out="" err=$(<large.log)
expect_code 7
expect_err_has "at most 65536 are allowed (max_frame_bytes)"

# A send is its sender's until it is done: it waits for that, and what is lost with it is said.
worker busy.log tcp+listen://127.0.0.1:0 -j 1
busy=tcp://127.0.0.1:$(port_of busy.log)
"$PATIO" call -b "$busy" --progress sleep 50 >/dev/null 2>holds &
pids+=($!)
wait_for holds " of 50000" # it runs
run send -b "$busy" --timeout 300ms mul 1 2
expect_code 4
expect_err_has "lost with this process"
expect_err_has "give it longer with --timeout"
run send -b "$url" div 1 0
expect_code 0
expect_err_has "dead letter: task \"div\" of queue \"default\", $out: failed: division by zero"
wait_for w.log 'dead letter: task "div", attempt 1, failed: '
grep "dead letter: task" w.log | grep -q "$out" || complain "the worker's log does not name $out: $(<w.log)"
expect_err_has "dead letters that are lost with this process: 1"
kill -9 "$worker"

# The worker dies under a call: at once, not at the deadline.
worker dying.log tcp+listen://127.0.0.1:0
begun=$SECONDS
"$PATIO" call -b "tcp://127.0.0.1:$(port_of dying.log)" --progress --timeout 60s sleep 50 \
    >/dev/null 2>lost &
caller=$!
wait_for lost " of 50000" # it runs
kill -9 "$worker"
wait "$caller"
[ $((SECONDS - begun)) -lt 20 ] || complain "the caller waited for a dead worker"
grep -q PEER_LOST lost || complain "the caller was told: $(<lost)"

# One that may run twice does, with whoever comes next.
worker first.log tcp+listen://127.0.0.1:0
port=$(port_of first.log)
"$PATIO" call -b "tcp://127.0.0.1:$port?reconnect_max_ms=100" --progress --idempotent --wait-route sleep 2 >slept 2>twice &
caller=$!
wait_for twice " of 2000" # it runs
kill -9 "$worker"
wait "$worker" 2>/dev/null
worker second.log "tcp+listen://127.0.0.1:$port"
wait "$caller" || complain "an idempotent call was not run again: $(<twice)"
[ "$(<slept)" = 2.0 ] || complain "$(<slept)"
kill -9 "$worker"

# A peer that breaks the rules is closed, and the log warns of it: HELLO, and a frame of a type that there is not.
worker rules.log tcp+listen://127.0.0.1:0
exec 3<>"/dev/tcp/127.0.0.1/$(port_of rules.log)"
printf '\x40\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0PATIO1\x01\x02\x01\0\0\0\0\0\x10\0anybody!\0\0\0\0\0\0\0\0%032d' 0 >&3
printf '\0\0\0\0\x14\0\0\0\0\0\0\0\0\0\0\0' >&3
wait_for rules.log "a frame of unknown type"
exec 3>&-
LAST="the log of a worker with a peer that breaks the rules"
grep "a frame of unknown type" rules.log | grep -q " warn " || complain "$(<rules.log)"

# Who was halted himself does not say that the other fell silent.
worker patient.log "tcp+listen://127.0.0.1:0?dead_ms=60s"
"$PATIO" call -b "tcp://127.0.0.1:$(port_of patient.log)?dead_ms=1500&ping_ms=300" --progress sleep 5 >slept 2>halted &
caller=$!
wait_for halted " of 5000" # it runs
kill -STOP "$caller"
sleep 2 # longer than dead_ms: the time itself is what is tested
kill -CONT "$caller"
wait "$caller" || complain "a caller that was halted lost its call: $(<halted)"

# Nobody listens; the address is taken; an open address without a key.
run call -b tcp://127.0.0.1:1 -o connect_timeout_ms=200 mul 1 2
expect_code 6
expect_err_has "refused"
run worker -b "tcp+listen://127.0.0.1:$(port_of w.log)" -m demo
expect_err_has "in use"
run worker -b tcp+listen://0.0.0.0:0 -m demo
expect_code 2
expect_err_has "insecure=true"
run call -b tcp://192.0.2.1:1 mul 1 2
expect_err_has "insecure=true"
run call -b tcp://127.0.0.1:0 mul 1 2
expect_code 2

# Keys.
worker key.log "tcp+listen://127.0.0.1:0?key=open-sesame"
keyed=tcp://127.0.0.1:$(port_of key.log)
call_is 6 "$keyed?key=open-sesame" mul 2 3
printf 'open-sesame\n' >secret
call_is 6 "$keyed?key=file:$PWD/secret" mul 2 3
SESAME=open-sesame call_is 6 "$keyed?key=env:SESAME" mul 2 3
for other in "?key=open-simsim" ""; do
    run call -b "$keyed$other" mul 2 3
    [ "$code" != 0 ] || complain "let in with \"$other\""
    expect_err_has AUTH
    case $err in *simsim*) complain "the key is shown: $err" ;; esac
done
run call -b "$url?key=open-sesame" mul 2 3
expect_err_has AUTH

# What does not go together is said before anything is begun.
refused() {
    local words=$1
    shift
    run worker -m demo "$@"
    expect_code 2
    expect_err_has "$words"
}
: >empty
for key in "key=" "key=file:empty" "key=env:EMPTY" "key=x&key_next="; do
    EMPTY='' refused "empty" -b "tcp+listen://127.0.0.1:0?$key"
done
refused "dead_ms" -b "tcp+listen://127.0.0.1:0?ping_ms=5s&dead_ms=5s"
refused "reconnect_max_ms" -b "tcp://127.0.0.1:1?reconnect_min_ms=2s&reconnect_max_ms=1s"
refused "tls_client" -b "tls+listen://127.0.0.1:0?tls_cert_file=a&tls_key_file=b&tls_ca_file=c"
side="tls+listen://127.0.0.1:0?tls_cert_file=a&tls_key_file=b"
refused "tls_client is of who listens" -b "tls://127.0.0.1:1?tls_client=required"
refused "tls_client is of who listens" -b "tls://127.0.0.1:1?tls_client=required" -b "$side&tls_client=optional"
refused "tls_server_name is of who connects" -b "$side&tls_server_name=c"
# Given to all URLs it is of those that have a use for it; the next complaint is of the files.
refused "tls_cert_file a: No such file" -b "tls://127.0.0.1:1" -b "tls+listen://127.0.0.1:0" -o transport.tls_cert_file=a \
    -o transport.tls_client=required -o transport.tls_server_name=c
refused "reachable from other machines" -b tcp+listen://0.0.0.0:0

# Who stops removes its own socket file and nobody else's.
worker first.log "unix+listen://$PWD/s.sock"
first=$worker
rm s.sock
worker second.log "unix+listen://$PWD/s.sock"
kill -TERM "$first"
wait "$first"
call_is 42 "unix://$PWD/s.sock" mul 6 7
kill -TERM "$worker"
wait "$worker"
[ ! -e s.sock ] || complain "a socket file is left"

# Strangers: noise, silence, and a greeting that is cut at every byte, cost others nothing.
port=$(port_of key.log)
for i in $(seq 20); do
    head -c $((i * 37)) /dev/urandom >"/dev/tcp/127.0.0.1/$port"
done
for size in $(seq 0 16 96); do
    printf '\x40\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0PATIO1\x01\x01\x01\x01%090d' 0 | head -c "$size" \
        >"/dev/tcp/127.0.0.1/$port"
done
printf '\xff\xff\xff\xff\x05\0\0\0\0\0\0\0\0\0\0\0' >"/dev/tcp/127.0.0.1/$port"
exec 7<>"/dev/tcp/127.0.0.1/$port"
call_is 6 "$keyed?key=open-sesame" mul 2 3
exec 7>&-

# Who says nothing is shown the door.
worker short.log "tcp+listen://127.0.0.1:0?key=open-sesame&handshake_ms=500"
exec 7<>"/dev/tcp/127.0.0.1/$(port_of short.log)"
LAST="a silent connection"
timeout 5 cat <&7 >silence || complain "a connection that says nothing is still open after 5 s"
exec 7>&-

# One too many is told so; those that say nothing make room.
worker full.log "tcp+listen://127.0.0.1:0?max_connections=2&handshake_ms=10min"
url=tcp://127.0.0.1:$(port_of full.log)
exec 7<>"/dev/tcp/127.0.0.1/$(port_of full.log)" 8<>"/dev/tcp/127.0.0.1/$(port_of full.log)"
call_is 6 "$url" mul 2 3
exec 7>&- 8>&-
worker one.log "$url"
worker two.log "$url"
run call -b "$url" -o connect_timeout_ms=500 mul 2 3
expect_code 6
expect_err_has "too many"
kill "$worker"
call_is 6 "$url" mul 2 3
finish
