#!/usr/bin/env bash
# Over IPv6: a call, who is at the other end, TLS with an address for a name, numbers of its own. Where this machine
# has no ::1, in a network namespace of the test's own.
self=$(realpath "$0")
. "$(dirname "$self")/lib.sh"
has_transport tcp || skip "the tcp transport is not built"
if ! grep -q '^0*1 ' /proc/net/if_inet6 2>/dev/null; then
    [ -z "${PATIO_TEST_NAMESPACE-}" ] || skip "no ::1 on this machine, nor in a network namespace"
    unshare -rn true 2>/dev/null || lacks "no ::1 on this machine, and no network namespace may be made"
    command -v ip >/dev/null || skip "no ::1 on this machine, and no ip to have it in a network namespace"
    cd / && rm -rf "$scratch"
    # shellcheck disable=SC2016 # it is that shell's $0
    PATIO_TEST_NAMESPACE=1 exec unshare -rn bash -c '
        echo 0 >/proc/sys/net/ipv6/conf/lo/disable_ipv6
        ip link set lo up
        exec bash "$0"' "$self"
fi

worker w.log "tcp+listen://[::1]:0"
port=$(port_of w.log)
call_is 10 "tcp://[::1]:$port" mul 2 5
run peers -b "tcp://[::1]:$port"
expect_out_has "[::1]:$port"
expect_out_has mul

# 127.0.0.1 written as IPv6 is as near as it is otherwise, and 192.0.2.1 as far.
worker near.log tcp+listen://127.0.0.1:0
call_is 10 "tcp://[::ffff:127.0.0.1]:$(port_of near.log)" mul 2 5
run call -b "tcp://[::ffff:192.0.2.1]:$(port_of near.log)" mul 2 5
expect_code 2
expect_err_has "is not on this machine and there is no key"

# A link-local address is one of an interface, which has a name or a number.
for url in "tcp://[fe80::1]:1?key=one" "tcp+listen://[fe80::1]:0?key=one"; do
    run call -b "$url" mul 2 5
    expect_code 2
    expect_err_has "a link-local address needs its interface: [fe80::1%25eth0]"
done
run call -b "tcp://[fe80::1%251]:$port?key=one" mul 2 5 -o connect_timeout_ms=200
expect_code 6

# The name in a certificate may be an address.
certs=$scratch/certs
"$PATIO_SOURCE/scripts/demo-certificates" "$certs" || complain "no certificates"
worker tls.log "tls+listen://[::1]:0?tls_cert_file=$certs/server.crt&tls_key_file=$certs/server.key"
call_is 42 "tls://[::1]:$(port_of tls.log)?tls_ca_file=$certs/ca.crt" mul 6 7
run call -b "tls://[::1]:$(port_of tls.log)?tls_ca_file=$certs/ca.crt&tls_server_name=::2" mul 6 7
[ "$code" != 0 ] || complain "another address was taken"
expect_err_has AUTH

# IPv6 has numbers of its own, and IPv4 on a socket of both is IPv4.
worker both.log "tcp+listen://:0?key=one"
port=$(port_of both.log)
run peers -b "tcp://[::1]:$port?key=one" -b "tcp://127.0.0.1:$port?key=one" --json
sums_are IPv4 1
sums_are IPv6 1
at=(-b "tcp://[::1]:$port?key=one")
family_has IPv6 'open == 2 && opened >= 3'
family_has IPv4 'open == 0 && opened == 1'
finish
