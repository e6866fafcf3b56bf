#!/usr/bin/env bash
# TLS: the right server is accepted, every wrong one refused with its reason.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1

printf 'connect_timeout_ms: 3s\n' >patio.yaml

# certificate NAME SUBJECT-ALT-NAME CA [DAYS]
certificate() {
    openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>/dev/null &&
        printf 'subjectAltName=%s\n' "$2" >"$1.ext" &&
        openssl x509 -req -in "$1.csr" -CA "$3.pem" -CAkey "$3.key" -CAcreateserial -days 2 \
            -extfile "$1.ext" -out "$1.pem" 2>/dev/null
}
for ca in ca other; do
    openssl req -x509 -newkey rsa:2048 -nodes -keyout $ca.key -out $ca.pem -days 2 -subj "/CN=$ca" 2>/dev/null
done
certificate server DNS:localhost,IP:127.0.0.1 ca || complain "no certificate"
certificate client DNS:client ca
certificate wrong DNS:elsewhere.invalid ca

tls_server() {
    local name=$1 cert=$2 clients=$3
    server "$name" --tls-port @tls --tls-cert-file "$scratch/$cert.pem" --tls-key-file "$scratch/$cert.key" \
        --tls-ca-cert-file "$scratch/ca.pem" --tls-auth-clients "$clients"
}

tls_server good server optional
url="rediss://localhost:$tls?tls_ca_file=$scratch/ca.pem"
worker tls.log "$url" -m demo
call_is 42 "$url" mul 6 7
call_is 42 "rediss://127.0.0.1:$tls?tls_ca_file=$scratch/ca.pem" mul 6 7
big=$(head -c 100000 /dev/zero | tr '\0' x)
call_is "$big" "$url" echo "$big"

run call -f patio.yaml -b "rediss://localhost:$tls?tls_ca_file=$scratch/other.pem" mul 6 7
expect_err_has "certificate was refused"
run call -f patio.yaml -b "rediss://localhost:$tls?tls_ca_file=$scratch/none.pem" mul 6 7
expect_err_has none.pem
run call -f patio.yaml -b "rediss://localhost:$port?handshake_ms=500ms" mul 6 7
expect_err_has TLS
run call -f patio.yaml -b "redis://localhost:$tls" --timeout 2s mul 6 7
[ "$code" != 0 ] || complain "plain text was understood by a TLS port"

tls_server strict server yes
run call -f patio.yaml -b "rediss://localhost:$tls?tls_ca_file=$scratch/ca.pem" mul 6 7
[ "$code" != 0 ] || complain "a client without a certificate was taken"
strict="rediss://localhost:$tls?tls_ca_file=$scratch/ca.pem&tls_cert_file=$scratch/client.pem&tls_key_file=$scratch/client.key"
worker strict.log "$strict" -m demo
call_is 42 "$strict" mul 6 7

tls_server wrong wrong optional
run call -f patio.yaml -b "rediss://localhost:$tls?tls_ca_file=$scratch/ca.pem" mul 6 7
expect_err_has "certificate was refused"
finish
