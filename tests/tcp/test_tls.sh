#!/usr/bin/env bash
# TLS and mutual TLS work, and what is wrong with a certificate is said on the right side.
. "$(dirname "$0")/lib.sh"
has_transport tcp || skip "the tcp transport is not built"
certs=$scratch/certs
"$PATIO_SOURCE/scripts/demo-certificates" "$certs" || complain "no certificates"
good="tls_cert_file=$certs/server.crt&tls_key_file=$certs/server.key"
trust="tls_ca_file=$certs/ca.crt"
me="tls_cert_file=$certs/client.crt&tls_key_file=$certs/client.key"

# fails STATUS TEXT URL: a call ends with that exit status word and words.
fails() {
    local begun=$SECONDS
    run call -b "$3" -o connect_timeout_ms=8s mul 2 3
    [ "$code" != 0 ] || complain "it worked"
    expect_err_has "$1"
    expect_err_has "$2"
    [ $((SECONDS - begun)) -lt 8 ] || complain "the error came only after the time to connect"
}

# One side is checked: by name, by IPv4 (by IPv6: test_ipv6.sh); a long message; the reverse direction.
worker w.log "tls+listen://:0?$good&insecure=true"
port=$(port_of w.log)
call_is 42 "tls://localhost:$port?$trust" mul 6 7
call_is 42 "tls://127.0.0.1:$port?$trust" mul 6 7
call_is 42 "tls://127.0.0.1:$port?$trust&tls_server_name=localhost" mul 6 7
call_is 42 "tls://127.0.0.1:$port?$trust&tls_min=1.3" mul 6 7
free_port
"$PATIO" worker -b "tls://localhost:$port?$trust&reconnect_max_ms=100" -m demo 2>back.log &
pids+=($!)
call_is 21 "tls+listen://127.0.0.1:$port?$good" --wait-route --timeout 10s mul 3 7

# What the connecting side says of a certificate that is not good, and the listening side hears.
port=$(port_of w.log)
fails AUTH "unable to get local issuer" "tls://localhost:$port" # no tls_ca_file: the system's authorities
wait_for w.log "unknown ca"
fails AUTH "unable to get local issuer" "tls://localhost:$port?tls_ca_file=$certs/other-ca.crt"
fails AUTH "hostname mismatch" "tls://localhost:$port?$trust&tls_server_name=elsewhere.example"
fails CONFIG "No such file" "tls://localhost:$port?tls_ca_file=$certs/none.crt"
for bad in expired:"has expired" other-host:"hostname mismatch" self-signed:"self-signed certificate" \
    stranger:"unable to get local issuer" revoked:"certificate revoked"; do
    name=${bad%%:*}
    worker "$name.log" "tls+listen://127.0.0.1:0?tls_cert_file=$certs/$name.crt&tls_key_file=$certs/$name.key"
    fails AUTH "${bad#*:}" "tls://localhost:$(port_of "$name.log")?$trust&tls_crl_file=$certs/crl.pem"
done
call_is 6 "tls://localhost:$port?$trust&tls_crl_file=$certs/crl.pem" mul 2 3

# Both sides are checked; each says why not.
worker m.log "tls+listen://127.0.0.1:0?$good&$trust&tls_client=required&tls_crl_file=$certs/crl.pem"
mutual=$(port_of m.log)
call_is 6 "tls://localhost:$mutual?$trust&$me" mul 2 3
fails AUTH "certificate required" "tls://localhost:$mutual?$trust"
wait_for m.log "it showed no certificate"
for bad in expired:"has expired" self-signed:"self-signed certificate" \
    stranger:"unable to get local issuer" revoked:"certificate revoked"; do
    name=${bad%%:*}
    fails AUTH "it refused this side" \
        "tls://localhost:$mutual?$trust&tls_cert_file=$certs/$name.crt&tls_key_file=$certs/$name.key"
    wait_for m.log "${bad#*:}"
done

# An allow-list: who may call what; it is read again when it changes.
printf '# who projects tasks\nclient.* default,demo mul,sum\n' >allow
worker a.log "tls+listen://127.0.0.1:0?$good&$trust&tls_client=required&tls_allow_file=$scratch/allow&tls_reload_ms=100"
allowed=$(port_of a.log)
call_is 6 "tls://localhost:$allowed?$trust&$me" mul 2 3
run call -b "tls://localhost:$allowed?$trust&$me" div 6 3
expect_err_has AUTH
expect_err_has "does not allow"
second="tls_cert_file=$certs/second.crt&tls_key_file=$certs/second.key"
fails AUTH "allow-list" "tls://localhost:$allowed?$trust&$second"
wait_for a.log "tls_allow_file does not have its certificate"
printf 'second.* * mul\n' >allow
wait_for a.log "read again"
call_is 8 "tls://localhost:$allowed?$trust&$second" mul 2 4
fails AUTH "allow-list" "tls://localhost:$allowed?$trust&$me"

# Operating it is a right of its own.
run stats -b "tls://localhost:$allowed?$trust&$second"
[ "$code" != 0 ] || complain "operated without the right: $out"
expect_err_has AUTH
expect_err_has '"operate"'
run doctor -b "tls://localhost:$allowed?$trust&$second"
expect_out_has '"operate"'
printf 'second.* * mul operate\n' >allow
for _ in $(seq 100); do
    run stats -b "tls://localhost:$allowed?$trust&$second"
    [ "$code" != 0 ] || break
    sleep 0.1
done
expect_code 0
expect_out_has default
printf 'second.* * mul all\n' >allow
wait_for a.log '"operate" behind them'

# A certificate is replaced while the worker runs; a broken one changes nothing.
cp "$certs/expired.crt" live.crt
cp "$certs/expired.key" live.key
worker l.log "tls+listen://127.0.0.1:0?tls_cert_file=$scratch/live.crt&tls_key_file=$scratch/live.key&tls_reload_ms=100"
live=$(port_of l.log)
wait_for l.log "tls_cert_file $scratch/live.crt has expired"
fails AUTH "has expired" "tls://localhost:$live?$trust"
cp "$certs/server.key" live.key
wait_for l.log "stays in use"
cp "$certs/server.crt" live.crt
wait_for l.log "read again"
[ "$(grep -c "has expired; peers" l.log)" = 1 ] || complain "a good certificate was complained of: $(<l.log)"
call_is 6 "tls://localhost:$live?$trust" mul 2 3

# Old versions, other protocols inside, plain on a TLS port, TLS on a plain port.
for version in tls1 tls1_1; do
    LAST="openssl s_client -$version"
    openssl s_client -connect "127.0.0.1:$port" "-$version" -cipher 'DEFAULT@SECLEVEL=0' -alpn patio/1 \
        </dev/null >old 2>&1 && complain "$version was accepted"
    grep -q "alert protocol version" old || complain "$(<old)"
done
wait_for w.log "no version of TLS that is allowed"
openssl s_client -connect "127.0.0.1:$port" -alpn http/1.1 </dev/null >old 2>&1 &&
    complain "another protocol was accepted"
grep -q "alert no application protocol" old || complain "$(<old)"
fails CONFIG "it speaks TLS" "tcp://127.0.0.1:$port"
wait_for w.log "it does not speak TLS"
worker plain.log tcp+listen://127.0.0.1:0
fails CONFIG "it does not speak TLS" "tls://localhost:$(port_of plain.log)?$trust"
wait_for plain.log "it speaks TLS"
call_is 6 "tcp://127.0.0.1:$(port_of plain.log)" mul 2 3

# A key inside TLS, bound to its channel; two keys while they are changed.
worker k.log "tls+listen://:0?$good&key=open-sesame&key_next=open-simsim"
keyed="tls://localhost:$(port_of k.log)?$trust"
call_is 6 "$keyed&key=open-sesame" mul 2 3
call_is 6 "$keyed&key=open-simsim" mul 2 3
call_is 6 "$keyed&key=open-barley&key_next=open-simsim" mul 2 3
fails AUTH "key" "$keyed&key=open-barley"
fails AUTH "key" "$keyed"

# Full is no refusal: who is turned away before TLS has begun comes again, and is let in when there is room.
worker full.log "tls+listen://127.0.0.1:0?$good&max_connections=1"
full="tls://localhost:$(port_of full.log)?$trust&reconnect_max_ms=100"
"$PATIO" call -b "$full" --progress sleep 50 >/dev/null 2>holds &
holder=$!
pids+=("$holder")
wait_for holds " of 50000" # it runs
run call -b "$full" --timeout 500ms mul 2 3
expect_code 6
expect_err_has "it has too many connections"
"$PATIO" call -b "$full" --wait-route mul 2 3 >later 2>later.log &
caller=$!
pids+=("$caller")
wait_for later.log "it has too many connections"
kill -9 "$holder"
LAST="a call that was turned away at first"
wait "$caller" || complain "$(<later.log)"
[ "$(<later)" = 6 ] || complain "$(<later)"

# What cannot be meant.
run worker -b "tls+listen://127.0.0.1:0" -m demo
expect_err_has "needs tls_cert_file"
run worker -b "tls+listen://0.0.0.0:0?$good" -m demo
expect_err_has "tls_client=required"
run call -b "tcp://127.0.0.1:$port?$trust" mul 2 3
expect_err_has "tls_ca_file is of tls://"
run call -b "tcp://127.0.0.1:$port?$trust" -b "tls://localhost:$port" mul 2 3
expect_err_has "tls_ca_file is of tls://"

# What is given to all URLs counts where it has a use: a mesh behind TLS, and a socket of this machine.
to_all=(-o "transport.tls_cert_file=$scratch/both.pem" -o "transport.tls_ca_file=$certs/ca.crt"
    -o transport.tls_client=required -o "transport.tls_allow_file=$scratch/allow-all")
cat "$certs/server.crt" "$certs/server.key" >both.pem
echo '* * *' >allow-all
worker one.log tls+listen://127.0.0.1:0 "${to_all[@]}"
one=$(port_of one.log)
run worker -b "tls://localhost:$one" -m demo "${to_all[@]}"
expect_code 2
expect_err_has "is of who listens, and this side connects"
worker two.log tls+listen://127.0.0.1:0 -b "unix+listen://$scratch/s" -b "tls://localhost:$one" "${to_all[@]}"
call_is 6 "unix://$scratch/s" mul 2 3
run call -b "tls://localhost:$(port_of two.log)?$trust" mul 2 3
expect_err_has AUTH
call_is 6 "tls://localhost:$(port_of two.log)?$trust&tls_cert_file=$certs/client.crt&tls_key_file=$certs/client.key" mul 2 3
wait_for two.log "connection to tls://localhost:$one: connected"
finish
