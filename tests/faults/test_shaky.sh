#!/usr/bin/env bash
# Sockets that do everything in part, not just now or not at all this time, and threads that pause wherever it
# hurts: every result comes, and is right. Both sides are like that.
. "$(dirname "$0")/lib.sh"
: "${SHAKY:?}"
shaken=(env "LD_PRELOAD=$SHAKY" PATIO_SHAKY_IO=6 PATIO_SHAKY_PAUSE=400)

# shaky URL-OF-THE-WORKER [URL-OF-THE-CALLER]
shaky() {
    local caller=${2:-$1}
    before=("${shaken[@]}")
    worker "w$((++count)).log" "$1" -m bench_tasks -p shaky
    LAST="patio bench -b $caller, shaken"
    "${shaken[@]}" "$PATIO" bench --no-floors -b "$caller" -p shaky --remote --count 300 --in-flight 24 --size 9000 >out 2>err
    code=$? out=$(<out) err=$(<err)
    expect_code 0
    case $err in *preload*) complain "$err" ;; esac
    kill -9 "$worker"
    before=()
}
count=0

shaky "unix+listen://$scratch/s?key=one" "unix://$scratch/s?key=one"
"$PATIO_SOURCE/scripts/demo-certificates" certificates >/dev/null || complain "no certificates"
free_port
shaky "tls+listen://127.0.0.1:$port?tls_cert_file=certificates/server.crt&tls_key_file=certificates/server.key&key=one" \
    "tls://localhost:$port?tls_ca_file=certificates/ca.crt&key=one"
start_redis
shaky "redis://127.0.0.1:$port"
shared_rabbit
shaky "amqp://127.0.0.1:$port"
finish
