#!/usr/bin/env bash
# What is revoked, or taken out of the allow-list, while a process runs counts for who is connected, too, on either
# side; who is still good stays, with the calls that run.
. "$(dirname "$0")/lib.sh"
. "$PATIO_SOURCE/tests/support/operations.sh"
has_transport tcp || skip "the tcp transport is not built"
certs=$scratch/certs
"$PATIO_SOURCE/scripts/demo-certificates" "$certs" || complain "no certificates"
trust="tls_ca_file=$certs/ca.crt"
mutual="tls_cert_file=$certs/server.crt&tls_key_file=$certs/server.key&$trust&tls_client=required&tls_reload_ms=100"
second="tls_cert_file=$certs/second.crt&tls_key_file=$certs/second.key"
client="tls_cert_file=$certs/client.crt&tls_key_file=$certs/client.key"

# revoke NAME: in live.pem.
revoke() {
    (cd "$certs" && openssl ca -config ca.cnf -revoke "$1.crt" && openssl ca -config ca.cnf -gencrl -out next.pem) \
        >revoke.log 2>&1 || complain "$(<revoke.log)"
    mv "$certs/next.pem" live.pem
}
# calling NAME URL SECONDS: a call in the background that the worker has begun; its log is NAME.log.
calling() {
    local running
    running=$(busy)
    "$PATIO" call -b "$2" sleep "$3" >"$1.out" 2>"$1.log" &
    eval "$1=\$!"
    pids+=($!)
    for _ in $(seq 200); do
        [ "$(busy)" -le "$running" ] || return
        sleep 0.05
    done
    complain "$1: its call was not begun" "$(<"$1.log")"
}
busy() { "$PATIO" workers "${at[@]}" --json | jq '.[0].running // 0'; }
# ended NAME CODE TEXT
ended() {
    LAST="the call of $1"
    wait "${!1}"
    local was=$?
    [ "$was" = "$2" ] || complain "exit code $was, expected $2" "$(<"$1.log")"
    grep -qF -- "$3" "$1.out" "$1.log" || complain "lacks $3: $(cat "$1.out" "$1.log")"
}

# expect_log LOG TEXT
expect_log() {
    LAST=$1
    grep -qF -- "$2" "$1" || complain "lacks $2: $(<"$1")"
}

# Who listens: a client is revoked in the middle of its call, another one is not.
cp "$certs/crl.pem" live.pem
worker r.log "tls+listen://127.0.0.1:0?$mutual&tls_crl_file=$scratch/live.pem" -j 4
url="tls://localhost:$(port_of r.log)?$trust"
at=(-b "$url&$client")
calling stays "$url&$client" 4
calling goes "$url&$second" 60
revoke second
ended goes 6 PEER_LOST
wait_for r.log "its certificate is not good any more: certificate revoked"
ended stays 0 ""

# Who connects: the one that listens is revoked.
"$PATIO" worker -b "$url&$client&tls_crl_file=$scratch/live.pem&tls_reload_ms=100" -m demo 2>back.log &
pids+=($!)
until_out "2 workers" ping "${at[@]}"
revoke server
wait_for back.log "its certificate is not good any more: certificate revoked"
expect_log r.log "this side's certificate is not good any more for it"

# The list: fewer tasks for who is connected, then none of its projects, then no line at all.
allow() { printf '%s\n' "$@" >allow.new && mv allow.new allow; }
done_is() {
    order call "$1" 0
    wait_for sent.log "done $id $2"
}
allow "client.* * *"
worker a.log "tls+listen://127.0.0.1:0?$mutual&tls_allow_file=$scratch/allow" -p shop
sender "tls://localhost:$(port_of a.log)?$trust&$client" shop
done_is sleep OK
allow "client.* * echo"
wait_for a.log "read again"
done_is echo OK
done_is sleep AUTH
allow "client.* other *"
wait_for a.log 'its certificate may not call in project "shop"'
done_is echo AUTH
[ "$(grep -c "tls_allow_file does not have its certificate" a.log)" = 0 ] || complain "$(<a.log)"
allow "second.* * *"
wait_for a.log "tls_allow_file does not have its certificate"
wait_for sender.err "its allow-list does not have this side's certificate"
finish
