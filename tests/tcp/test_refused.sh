#!/usr/bin/env bash
# One of several URLs is refused: the log says which and why, once, and it is tried until it is let in.
. "$(dirname "$0")/lib.sh"
has_transport tcp || skip "the tcp transport is not built"

# The key is wrong, until who listens has the other one, too.
worker locked.log "tcp+listen://127.0.0.1:0?key=open-simsim"
port=$(port_of locked.log)
listener=$worker
worker key.log "tcp+listen://127.0.0.1:0?reconnect_max_ms=100" -b "tcp://127.0.0.1:$port?key=open-sesame"
wait_for key.log "AUTH: connection to tcp://127.0.0.1:$port?key=***: it has another key"
LAST="the log of a worker with a wrong key"
for _ in $(seq 600); do
    [ "$(grep -c "peer 127.0.0.1" locked.log)" -lt 5 ] || break
    sleep 0.1
done
[ "$(grep -c "peer 127.0.0.1" locked.log)" -ge 5 ] || complain "it does not try again: $(<locked.log)"
[ "$(grep -c "another key" key.log)" = 1 ] || complain "said more than once: $(<key.log)"
! grep -q sesame key.log || complain "the key is shown: $(<key.log)"
kill -9 "$listener"
wait "$listener" 2>/dev/null
call_is 42 "tcp+listen://127.0.0.1:$port?key=open-simsim&key_next=open-sesame" --wait-route --timeout 30s mul 6 7

# The certificate has expired, until it is replaced; beside it a URL that works.
certs=$scratch/certs
"$PATIO_SOURCE/scripts/demo-certificates" "$certs" || complain "no certificates"
cp "$certs/expired.crt" live.crt
cp "$certs/expired.key" live.key
worker good.log tcp+listen://127.0.0.1:0
free_port
"$PATIO" call -b "tls+listen://127.0.0.1:$port?tls_cert_file=$scratch/live.crt&tls_key_file=$scratch/live.key&tls_reload_ms=100" \
    --wait-route --timeout 60s mul 6 7 >answer 2>call.log &
caller=$!
pids+=("$caller")
worker tls.log "tcp://127.0.0.1:$(port_of good.log)?reconnect_max_ms=100" -b "tls://localhost:$port?tls_ca_file=$certs/ca.crt"
wait_for tls.log "has expired"
LAST="the log of a worker, of a certificate that has expired"
grep "has expired" tls.log | grep -qF "connection to tls://localhost:$port?" || complain "$(<tls.log)"
cp "$certs/server.key" live.key
cp "$certs/server.crt" live.crt
LAST="a call after the certificate was replaced"
wait "$caller" || complain "$(<call.log)"
[ "$(<answer)" = 42 ] || complain "$(<answer)"

# The only URL: a worker that was never let in ends, for its supervisor to notice; who was let in once goes on.
free_port
url="tcp://127.0.0.1:$port?reconnect_max_ms=100&key"
"$PATIO" worker -b "$url=open-sesame" -m demo -o connect_timeout_ms=200 2>never.log &
never=$!
pids+=("$never")
wait_for never.log "going on without"
worker first.log "tcp+listen://127.0.0.1:$port?key=open-simsim"
LAST="a worker with a wrong key, there before who listens"
wait "$never"
code=$? out="" err=$(<never.log)
expect_code 6
expect_err_has "it has another key; it has given up"
listener=$worker
worker once.log "$url=open-simsim"
once=$worker
kill -9 "$listener"
wait "$listener" 2>/dev/null
worker second.log "tcp+listen://127.0.0.1:$port?key=open-barley"
wait_for once.log "it has another key"
kill -9 "$worker"
wait "$worker" 2>/dev/null
call_is 42 "tcp+listen://127.0.0.1:$port?key=open-simsim" --wait-route --timeout 30s mul 6 7
kill -TERM "$once"
LAST="a worker that was let in once"
wait "$once" || complain "ended with $?: $(<once.log)"
finish
