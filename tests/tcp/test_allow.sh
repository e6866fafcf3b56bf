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

# certificate NAME COMMON-NAME ALTERNATIVE-NAMES: what is to be shown is in $shown then.
certificate() {
    (cd "$certs" &&
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" \
            -subj "/CN=$2" -config ca.cnf -addext "subjectAltName=$3" &&
        openssl ca -batch -notext -config ca.cnf -in "$1.csr" -out "$1.crt") >openssl.log 2>&1 ||
        complain "$(<openssl.log)"
    shown="tls_cert_file=$certs/$1.crt&tls_key_file=$certs/$1.key"
}
# A certificate whose common name says nothing: one of its DNS names is what the list has.
certificate named "a till" "DNS:till.elsewhere,DNS:shop-7.example"
named=$shown
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
expect_err_has ": refused: the peer does not allow this side to call the task"
run call -b "$url&$client" -p shop-1 div 6 3
expect_err_has AUTH

# listed LINE...: another worker with that list, at $listed.
listed() {
    printf '%s\n' "$@" >list
    worker listed.log "tls+listen://127.0.0.1:0?$mutual&tls_allow_file=$scratch/list&tls_reload_ms=0"
    listed="tls://localhost:$(port_of listed.log)?$trust&$shown"
}
# Of several names that the list has it is the first of its lines that counts, not the first of the names.
certificate both till.elsewhere "DNS:shop-7.example"
listed "shop-*.example * mul" "till.* * *"
call_is 6 "$listed" mul 2 3
run call -b "$listed" div 6 3
expect_err_has AUTH
listed "till.* * div" "shop-*.example * *"
call_is 2.0 "$listed" div 6 3
run call -b "$listed" mul 2 3
expect_err_has AUTH

# A certificate of many names costs no more than to read them once; 256 of them are looked at.
ticks() {
    local fields
    read -ra fields <<<"$(sed 's/.*) //' "/proc/$worker/stat")"
    echo $((fields[11] + fields[12]))
}
# shellcheck disable=SC2046 # many words
certificate many a.till "$(printf 'DNS:n%d.example,' $(seq 2000) | sed 's/,$//')"
listed "n300.* * *" "n200.* * mul"
call_is 6 "$listed" mul 2 3
run call -b "$listed" div 6 3
expect_err_has AUTH
listed "nobody.* * *"
before=$(ticks)
run call -b "$listed" mul 2 3
expect_err_has AUTH
spent=$(($(ticks) - before))
[ "$spent" -lt 50 ] || complain "a handshake took $spent ticks of CPU time"

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
