#!/usr/bin/env bash
# The demo and the checksum job over amqp and amqps: each line of the manifest is what sha256sum says.
. "$(dirname "$0")/lib.sh"
: "${PATIO_CHECKSUM:?}"
shared_server
certs=$server/certs
mkdir -p tree/deep
for n in $(seq 300); do echo "$n" >"tree/deep/$n"; done
head -c 3000000 /dev/urandom >tree/large
: >"tree/no bytes"

# over PROJECT URL
over() {
    local p=$1 url=$2
    worker "$p.log" "$url" -p "$p"
    call_is 42 "$url" -p "$p" mul 6 7
    kill -TERM "$worker"
    wait "$worker" || complain "the worker did not end well: $(tail -2 "$p.log")"
    LAST="patio-checksum --broker $url"
    "$PATIO_CHECKSUM" --broker "$url" --workers 2 --manifest "$p.sums" tree >"$p.out" 2>&1 ||
        complain "$(tail -5 "$p.out")"
    [ "$(wc -l <"$p.sums")" = 302 ] || complain "$(wc -l <"$p.sums") lines"
    sha256sum --check --strict --quiet "$p.sums" || complain "sha256sum does not agree"
}
over plain "amqp://127.0.0.1:$port"
over secret "amqps://127.0.0.1:$tls_port?tls_ca_file=$certs/ca.pem"
finish
