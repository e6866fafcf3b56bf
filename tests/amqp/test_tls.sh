#!/usr/bin/env bash
# TLS: who is trusted is served, everybody else is refused with a reason. The shared server has it.
. "$(dirname "$0")/lib.sh"
shared_server
certs=$server/certs
url="amqps://127.0.0.1:$tls_port"

worker w.log "$url?tls_ca_file=$certs/ca.pem" -p tls
call_is 42 "$url?tls_ca_file=$certs/ca.pem" -p tls mul 6 7
# by name, by a name that the URL does not have, with a client certificate, with a list of revoked ones
call_is 12 "amqps://localhost:$tls_port?tls_ca_file=$certs/ca.pem" -p tls mul 3 4
call_is 13 "$url?tls_ca_file=$certs/ca.pem&tls_server_name=localhost" -p tls mul 1 13
call_is 14 "$url?tls_ca_file=$certs/ca.pem&tls_cert_file=$certs/client.pem&tls_key_file=$certs/client.key" \
    -p tls mul 2 7
call_is 15 "$url?tls_ca_file=$certs/ca.pem&tls_crl_file=$certs/none.crl" -p tls mul 3 5
# TLS and plain meet on one broker
call_is 16 "amqp://127.0.0.1:$port" -p tls mul 4 4

# refused WHAT TEXT URL-OPTIONS
refused() {
    run call -b "$url?$3" -p tls mul 1 1
    [ "$code" != 0 ] || complain "$1 was accepted"
    expect_err_has "$2"
    expect_err_has AUTH
}
refused "a certificate of a stranger" "certificate refused" "tls_ca_file=$certs/stranger.pem"
refused "a certificate of nobody we know" "certificate refused" ""
refused "another name" "mismatch" "tls_ca_file=$certs/ca.pem&tls_server_name=elsewhere.example"
refused "a revoked certificate" "revoked" "tls_ca_file=$certs/ca.pem&tls_crl_file=$certs/server-revoked.crl"

# No TLS where TLS is expected, and the reverse: an end, and a reason.
run call -b "amqp://127.0.0.1:$tls_port?handshake_ms=2s" -o connect_timeout_ms=3s mul 1 1
expect_err_has UNREACHABLE
run call -b "amqps://127.0.0.1:$port?tls_ca_file=$certs/ca.pem&handshake_ms=2s" -o connect_timeout_ms=3s mul 1 1
expect_err_has UNREACHABLE
# Files that are not there are said before anything is connected.
run call -b "$url?tls_ca_file=/nowhere.pem" mul 1 1
expect_err_has CONFIG
expect_err_has /nowhere.pem
finish
