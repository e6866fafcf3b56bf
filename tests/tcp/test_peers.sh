#!/usr/bin/env bash
# `patio peers` tells who is at the other end, over each kind of link.
. "$(dirname "$0")/lib.sh"
has_transport tcp || skip "the tcp transport is not built"
certs=$scratch/certs
"$PATIO_SOURCE/scripts/demo-certificates" "$certs" || complain "no certificates"

worker w.log "tcp+listen://127.0.0.1:0" -p shop
port=$(port_of w.log)
run peers -b "tcp://127.0.0.1:$port" -p shop
expect_code 0
expect_out_has "ADDRESS"
for word in "127.0.0.1:$port" "we went" plain shop mul " ms"; do
    expect_out_has "$word"
done
run peers -b "tcp://127.0.0.1:$port" -p shop --json
expect_code 0
LAST="patio peers --json"
[ "$(jq -r '.peers[0] | [.address, .role, .up, .security, .project, .in_flight] | join(" ")' <<<"$out")" = \
    "127.0.0.1:$port we went true plain shop 0" ] || complain "$out"
jq -e '.peers[0] | .rtt_us > 0 and .bytes_in > 0 and .bytes_out > 0 and (.tasks | index("mul")) != null' \
    <<<"$out" >/dev/null || complain "$out"

# What it runs for others is asked of it.
[ "$(jq '.peers[0].running' <<<"$out")" = 0 ] || complain "$out"
"$PATIO" call -b "tcp://127.0.0.1:$port" -p shop --progress sleep 50 >/dev/null 2>sleeps &
sleeper=$!
pids+=("$sleeper")
for _ in {1..100}; do
    run peers -b "tcp://127.0.0.1:$port" -p shop --json
    [ "$(jq '.peers[0].running' <<<"$out")" != 1 ] || break
done
[ "$(jq '.peers[0].running' <<<"$out")" = 1 ] || complain "$out"
run peers -b "tcp://127.0.0.1:$port" -p shop
expect_out_has "RUNNING"
kill "$sleeper"

# Two of them, one through TLS with a certificate.
worker t.log "tls+listen://127.0.0.1:0?tls_cert_file=$certs/server.crt&tls_key_file=$certs/server.key" -p shop
tls="tls://127.0.0.1:$(port_of t.log)?tls_ca_file=$certs/ca.crt"
run peers -b "tcp://127.0.0.1:$port" -b "$tls" -p shop --json
expect_code 0
expect_out_has "TLSv1.3 CN=server.patio.example"

# One that listens sees who came; it says where it listens.
free_port
"$PATIO" worker -b "tcp://127.0.0.1:$port?reconnect_max_ms=50" -m demo 2>w2.log &
pids+=($!)
run peers -b "tcp+listen://127.0.0.1:$port"
expect_code 0
expect_out_has "came"

# Over a UNIX socket; over IPv6: test_ipv6.sh.
worker u.log "unix+listen://$scratch/s" -p shop
run peers -b "unix://$scratch/s" -p shop --json
expect_out_has '"unix socket"'

# What is not connected is there, too, and why that is so says the doctor; also when there is nothing else.
free_port
for more in "" "-b tcp://127.0.0.1:$port"; do
    # shellcheck disable=SC2086 # two words, or none
    run doctor -b unix://$scratch/nobody $more --timeout 1s
    expect_code 1
    expect_out_has "error  peer: connection to unix://$scratch/nobody: No such file or directory"
done
run peers -b "unix://$scratch/s" -b "tcp://127.0.0.1:$port" -p shop
expect_code 0
expect_out_has "unix socket"
expect_out_has "tcp://127.0.0.1:$port  not connected"
run peers -b "unix://$scratch/s" -b "tcp://127.0.0.1:$port" -p shop --json
LAST="the one that answers says how many it runs, whoever else does not"
[ "$(jq -c '[.peers[] | .running]' <<<"$out")" = '[0,null]' ] || complain "$out"

run peers -b memory://
expect_err_has "UNSUPPORTED"
finish
