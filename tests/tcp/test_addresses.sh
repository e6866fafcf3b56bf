#!/usr/bin/env bash
# What is one address for the limits: all of IPv4, also inside IPv6, and a /64 of IPv6. In a network namespace
# of the test's own.
self=$(realpath "$0")
. "$(dirname "$self")/lib.sh"
has_transport tcp || skip "the tcp transport is not built"
if [ -z "${PATIO_TEST_NAMESPACE-}" ]; then
    unshare -n true 2>/dev/null || skip "no network namespace may be made here"
    cd / && rm -rf "$scratch"
    PATIO_TEST_NAMESPACE=1 exec unshare -n bash "$self"
fi
command -v ip >/dev/null || skip "no ip"
ip link set lo up
for address in fd00:7::1 fd00:7::2 fd00:8::1; do
    ip -6 addr add $address/64 dev lo nodad 2>/dev/null || skip "no IPv6"
done
ip addr add 10.77.0.1/24 dev lo

# expect_full ADDRESS, expect_let_in ADDRESS: to where one goes on this machine, from there one comes.
expect_full() {
    run call -b "tcp://$1:$port?insecure=true" -o connect_timeout_ms=500 mul 2 3
    expect_code 6
    expect_err_has "too many"
}
expect_let_in() {
    call_is 6 "tcp://$1:$port?insecure=true" mul 2 3
}

worker w.log "tcp+listen://:0?insecure=true&max_connections_per_address=2&handshake_ms=10min"
port=$(port_of w.log)
exec 7<>"/dev/tcp/fd00:7::1/$port"
exec 8<>"/dev/tcp/fd00:7::2/$port"
expect_full "[fd00:7::1]"
expect_full "[fd00:7::2]"
expect_let_in "[fd00:8::1]"
expect_let_in "[::1]"
expect_let_in 127.0.0.1

# IPv4 addresses are told apart on a socket of both families.
exec 9<>"/dev/tcp/127.0.0.1/$port"
exec 10<>"/dev/tcp/127.0.0.1/$port"
expect_full 127.0.0.1
expect_let_in 10.77.0.1
exec 7>&- 8>&-
expect_let_in "[fd00:7::1]"
finish
