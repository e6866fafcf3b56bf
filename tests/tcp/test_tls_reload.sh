#!/usr/bin/env bash
# What is revoked or replaced while a process runs counts for its next connection, on either side. Those that are
# open: test_tls_dismiss.sh.
. "$(dirname "$0")/lib.sh"
has_transport tcp || skip "the tcp transport is not built"
certs=$scratch/certs
"$PATIO_SOURCE/scripts/demo-certificates" "$certs" || complain "no certificates"
good="tls_cert_file=$certs/server.crt&tls_key_file=$certs/server.key"
trust="tls_ca_file=$certs/ca.crt"
second="tls_cert_file=$certs/second.crt&tls_key_file=$certs/second.key"
client="tls_cert_file=$certs/client.crt&tls_key_file=$certs/client.key"

# A list of revoked certificates grows.
cp "$certs/crl.pem" live.pem
worker r.log "tls+listen://127.0.0.1:0?$good&$trust&tls_client=required&tls_crl_file=$scratch/live.pem&tls_reload_ms=100"
url="tls://localhost:$(port_of r.log)?$trust"
call_is 6 "$url&$second" mul 2 3
(cd "$certs" && openssl ca -config ca.cnf -revoke second.crt && openssl ca -config ca.cnf -gencrl -out next.pem) \
    >revoke.log 2>&1 || complain "$(<revoke.log)"
echo "no list" >live.pem
wait_for r.log "stays in use"
call_is 6 "$url&$second" mul 2 3
cp "$certs/next.pem" live.pem
wait_for r.log "read again"
run call -b "$url&$second" -o connect_timeout_ms=8s mul 2 3
[ "$code" != 0 ] || complain "a revoked certificate was let in"
expect_err_has AUTH
wait_for r.log "certificate revoked"
call_is 6 "$url&$client" mul 2 3

# Who connects has its certificate replaced: it shows the new one when it connects again.
# shows NAME: whom a listener sees that the worker connects to.
shows() {
    run peers -b "tls+listen://127.0.0.1:$port?$good&$trust&tls_client=required" --json
    expect_code 0
    expect_out_has "CN=$1.patio.example"
}
cat "$certs/client.crt" "$certs/client.key" >live.crt
free_port
"$PATIO" worker -b "tls://localhost:$port?$trust&tls_cert_file=$scratch/live.crt&tls_reload_ms=100&reconnect_max_ms=100" \
    -m demo 2>back.log &
pids+=($!)
shows client
cat "$certs/second.crt" "$certs/second.key" >live.new
mv live.new live.crt
wait_for back.log "read again"
shows second
finish
