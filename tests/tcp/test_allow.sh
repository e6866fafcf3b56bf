#!/usr/bin/env bash
# The allow-list: by which name, in which project, which task; a call and a send; a broken list.
. "$(dirname "$0")/lib.sh"
has_transport tcp || skip "the tcp transport is not built"
certs=$scratch/certs
"$PATIO_SOURCE/scripts/demo-certificates" "$certs" || complain "no certificates"
mutual="tls_cert_file=$certs/server.crt&tls_key_file=$certs/server.key&tls_ca_file=$certs/ca.crt&tls_client=required"
trust="tls_ca_file=$certs/ca.crt"
client="tls_cert_file=$certs/client.crt&tls_key_file=$certs/client.key"
second="tls_cert_file=$certs/second.crt&tls_key_file=$certs/second.key"

# A certificate whose common name says nothing: one of its DNS names is what the list has.
(cd "$certs" &&
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout named.key -out named.csr \
        -subj "/CN=a till" -config ca.cnf -addext "subjectAltName=DNS:till.elsewhere,DNS:shop-7.example" &&
    openssl ca -batch -notext -config ca.cnf -in named.csr -out named.crt) >openssl.log 2>&1 ||
    complain "$(<openssl.log)"
named="tls_cert_file=$certs/named.crt&tls_key_file=$certs/named.key"
# allow LINE...: the list, all of it at once.
allow() { printf '%s\n' "$@" >allow.new && mv allow.new allow; }
allow "shop-*.example * mul" "client.* other,shop* *" "second.* other *"
worker a.log "tls+listen://127.0.0.1:0?$mutual&tls_allow_file=$scratch/allow&tls_reload_ms=100" -p shop-1
url="tls://localhost:$(port_of a.log)?$trust"

run call -b "$url&$named" -p shop-1 mul 2 3
expect_code 0
expect_out 6
run call -b "$url&$named" -p shop-1 div 6 3
expect_err_has AUTH
run call -b "$url&$client" -p shop-1 mul 2 3
expect_code 0
expect_out 6

# Let in, but not to call in this project.
run call -b "$url&$second" -p shop-1 mul 2 3
[ "$code" != 0 ] || complain "it called in a project that the list does not give it"
expect_err_has AUTH
expect_err_has "does not allow"
wait_for a.log 'its certificate may not call in project "shop-1"'

# A send of what is not allowed is a dead letter of its sender's, and does not run.
allow "client.* * mul"
wait_for a.log "read again"
run send -b "$url&$client" -p shop-1 mul 2 3
expect_code 0
case $err in *"dead letters"*) complain "stderr: $err" ;; esac
run send -b "$url&$client" -p shop-1 div 6 3
expect_code 0
expect_err_has "dead letters that are lost with this process: 1"
run call -b "$url&$client" -p shop-1 div 6 3
expect_err_has AUTH

# A list that cannot be read changes nothing, and the log says in which line.
allow "# broken" "second.* *"
wait_for a.log "stays in use"
wait_for a.log "allow:2:"
run call -b "$url&$client" -p shop-1 mul 2 3
expect_code 0
run call -b "$url&$second" -p shop-1 -o connect_timeout_ms=8s mul 2 3
[ "$code" != 0 ] || complain "let in by a broken list"
expect_err_has "allow-list"
finish
