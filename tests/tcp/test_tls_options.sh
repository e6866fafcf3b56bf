#!/usr/bin/env bash
# What the tls_ options do, seen by OpenSSL's own client and server: versions, ciphers, names, trust.
. "$(dirname "$0")/lib.sh"
has_transport tcp || skip "the tcp transport is not built"
certs=$scratch/certs
"$PATIO_SOURCE/scripts/demo-certificates" "$certs" || complain "no certificates"
good="tls_cert_file=$certs/server.crt&tls_key_file=$certs/server.key"
trust="tls_ca_file=$certs/ca.crt"

# says TEXT PORT OPTION...: OpenSSL's client, with patio/1 unless $alpn is other.
alpn="-alpn patio/1"
says() {
    local text=$1 port=$2
    shift 2
    LAST="openssl s_client $*"
    # shellcheck disable=SC2086 # two words, or none
    timeout 10 openssl s_client -connect "127.0.0.1:$port" $alpn "$@" </dev/null >said 2>&1
    grep -q -- "$text" said || complain "not \"$text\": $(<said)"
}

# fails TEXT URL: a call ends as AUTH, with these words.
fails() {
    run call -b "$2" -o connect_timeout_ms=8s mul 2 3
    [ "$code" != 0 ] || complain "it worked"
    expect_err_has AUTH
    expect_err_has "$1"
}

# Versions: 1.2 is spoken unless tls_min is 1.3, on either side.
worker w.log "tls+listen://127.0.0.1:0?$good"
any=$(port_of w.log)
says "New, TLSv1.2, Cipher is ECDHE" "$any" -tls1_2
says "New, TLSv1.3, Cipher is TLS_" "$any"
worker new.log "tls+listen://127.0.0.1:0?$good&tls_min=1.3"
new=$(port_of new.log)
says "alert protocol version" "$new" -tls1_2
wait_for new.log "no version of TLS that is allowed"
says "New, TLSv1.3, Cipher is TLS_" "$new"

# A peer that speaks 1.2 only works, its key is bound to the channel as well.
printf '%s\n' "openssl_conf = all" "[all]" "ssl_conf = ssl" "[ssl]" "system_default = old" "[old]" \
    "MaxProtocol = TLSv1.2" >old.cnf
worker key.log "tls+listen://127.0.0.1:0?$good&key=open-sesame"
keyed="tls://localhost:$(port_of key.log)?$trust&key=open-sesame"
export OPENSSL_CONF=$scratch/old.cnf
run peers -b "$keyed"
expect_code 0
expect_out_has "TLSv1.2"
expect_out_has "key"
call_is 6 "$keyed" mul 2 3
fails "key" "tls://localhost:$(port_of key.log)?$trust&key=open-barley"
fails "it refused this side" "tls://localhost:$new?$trust"
worker old.log "tls+listen://127.0.0.1:0?$good"
unset OPENSSL_CONF
call_is 6 "tls://localhost:$(port_of old.log)?$trust" mul 2 3
fails "alert protocol version" "tls://localhost:$(port_of old.log)?$trust&tls_min=1.3"

# Ciphers of 1.2, suites of 1.3; on the connecting side, too.
worker c.log "tls+listen://127.0.0.1:0?$good&tls_ciphers=ECDHE-ECDSA-AES256-GCM-SHA384&tls_suites=TLS_CHACHA20_POLY1305_SHA256"
picky=$(port_of c.log)
says "Cipher is ECDHE-ECDSA-AES256-GCM-SHA384" "$picky" -tls1_2
says "alert handshake failure" "$picky" -tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256
says "Cipher is TLS_CHACHA20_POLY1305_SHA256" "$picky" -tls1_3
says "alert handshake failure" "$picky" -tls1_3 -ciphersuites TLS_AES_128_GCM_SHA256
call_is 6 "tls://localhost:$picky?$trust" mul 2 3
fails "it refused this side" "tls://localhost:$picky?$trust&tls_min=1.3&tls_suites=TLS_AES_128_GCM_SHA256"
OPENSSL_CONF=$scratch/old.cnf fails "it refused this side" \
    "tls://localhost:$picky?$trust&tls_ciphers=ECDHE-ECDSA-AES128-GCM-SHA256"
for option in tls_ciphers tls_suites; do
    run call -b "tls://localhost:$picky?$trust&$option=NONSENSE" mul 2 3
    expect_err_has CONFIG
    expect_err_has "$option NONSENSE"
done

# What is in a file is not what it should be, or nobody could type its password.
openssl pkey -in "$certs/server.key" -aes128 -passout pass:secret -out locked.key 2>/dev/null
echo nonsense >nonsense.crt
for files in "nonsense.crt&tls_key_file=$certs/server.key" "$certs/server.crt" "$certs/server.crt&tls_key_file=locked.key"; do
    run worker -b "tls+listen://127.0.0.1:0?tls_cert_file=$files" -m demo
    expect_code 2
    expect_err_has "nothing in PEM that is one and needs no password (CONFIG)"
done

# tls_client=optional: without a certificate, with a good one, not with a bad one.
worker o.log "tls+listen://127.0.0.1:0?$good&$trust&tls_client=optional"
optional=$(port_of o.log)
call_is 6 "tls://localhost:$optional?$trust" mul 2 3
call_is 6 "tls://localhost:$optional?$trust&tls_cert_file=$certs/client.crt&tls_key_file=$certs/client.key" mul 2 3
fails "it refused this side" "tls://localhost:$optional?$trust&tls_cert_file=$certs/stranger.crt&tls_key_file=$certs/stranger.key"
wait_for o.log "unable to get local issuer"

# No ALPN at all: refused by both sides, in words.
alpn=
says "New, TLSv1.3" "$any"
wait_for w.log "not patio/1 inside"

# server OPTION...: OpenSSL's server on a port of its own, $other.
server() {
    free_port
    other=$port
    openssl s_server -accept "127.0.0.1:$other" -cert "$certs/other-host.crt" \
        -key "$certs/other-host.key" "$@" >server.log 2>&1 < <(sleep 60) &
    pids+=($!)
    wait_for server.log ACCEPT
}
server -cert "$certs/server.crt" -key "$certs/server.key"
fails "not patio/1 inside" "tls://localhost:$other?$trust"

# The name in tls_server_name, or else the host, is what is asked for: another gets another certificate.
server -alpn patio/1 -servername localhost -cert2 "$certs/server.crt" -key2 "$certs/server.key"
run call -b "tls://127.0.0.1:$other?$trust" -o connect_timeout_ms=8s mul 2 3
expect_err_has mismatch
for url in "tls://127.0.0.1:$other?$trust&tls_server_name=localhost" "tls://localhost:$other?$trust"; do
    before=$(grep -c "Switching server context" server.log)
    fails "not patio/1 inside" "$url" # the certificate is good, and that comes after it
    LAST="the name that the server was asked for"
    [ "$(grep -c "Switching server context" server.log)" -gt "$before" ] || complain "$(<server.log)"
done

# Without tls_ca_file it is the system's authorities; OpenSSL's own variable says where they are.
export SSL_CERT_FILE=$certs/ca.crt
call_is 6 "tls://localhost:$any" mul 2 3
export SSL_CERT_FILE=$certs/other-ca.crt
fails "unable to get local issuer" "tls://localhost:$any"
unset SSL_CERT_FILE
finish
