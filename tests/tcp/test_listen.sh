#!/usr/bin/env bash
# Listening on a name with several addresses, and on all addresses of one family or of both. In namespaces of the
# test's own: a hosts file, and ports that nobody else takes.
self=$(realpath "$0")
. "$(dirname "$self")/lib.sh"
has_transport tcp || skip "the tcp transport is not built"
if [ -z "${PATIO_TEST_HOSTS-}" ]; then
    unshare -mn true 2>/dev/null || lacks "no namespaces may be made here"
    cd / && rm -rf "$scratch"
    PATIO_TEST_HOSTS=1 exec unshare -mn bash "$self"
fi
command -v ip >/dev/null || skip "no ip"
ip link set lo up
grep -q '^0*1 ' /proc/net/if_inet6 2>/dev/null || skip "no IPv6"
printf '%s\n' "127.0.0.1 localhost" "127.0.0.1 both" "::1 both" "127.0.0.1 twice" "127.0.0.1 twice" \
    "127.0.0.1 partly" "192.0.2.1 partly" "192.0.2.1 nowhere" "192.0.2.2 nowhere" >hosts
mount --bind hosts /etc/hosts 2>/dev/null || skip "no file may be mounted here"

# ports_of LOG: all of them, each once.
ports_of() {
    sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$1" | sort -u | tr '\n' ' '
}
# refused URL WORD...: a worker does not start there, and says why.
refused() {
    LAST="patio worker -b $1"
    timeout 20 "$PATIO" worker -b "$1" -m demo 2>refused.log
    code=$?
    err=$(<refused.log)
    { [ "$code" != 0 ] && [ "$code" != 124 ]; } || complain "it started"
    shift
    for word in "$@"; do
        expect_err_has "$word"
    done
}
# listens LOG COUNT
listens() {
    LAST="the log of a worker on $2 addresses"
    [ "$(grep -c "listening on" "$1")" = "$2" ] || complain "$(<"$1")"
}

# All of them, on the one port that was free at each.
worker both.log tcp+listen://both:0
port=$(port_of both.log)
listens both.log 2
[ "$(ports_of both.log)" = "$port " ] || complain "$(<both.log)"
call_is 6 "tcp://127.0.0.1:$port" mul 2 3
call_is 6 "tcp://[::1]:$port" mul 2 3
run doctor -b "tcp+listen://both:0"
expect_out_has "listening on 127.0.0.1:"
expect_out_has "listening on [::1]:"
worker twice.log tcp+listen://twice:0
listens twice.log 1

# One of them is taken: it is said which, and nothing listens.
worker six.log "tcp+listen://[::1]:0"
taken=$(port_of six.log)
refused "tcp+listen://both:$taken" "[::1]:$taken" "in use"
worker four.log "tcp+listen://127.0.0.1:0"
taken=$(port_of four.log)
refused "tcp+listen://both:$taken" "127.0.0.1:$taken" "in use"

# What is not an address of this machine is left out, unless it is all there is; each one needs a key as ever.
worker partly.log "tcp+listen://partly:0?key=one"
listens partly.log 1
wait_for partly.log "192.0.2.1:0 is left out"
call_is 6 "tcp://127.0.0.1:$(port_of partly.log)?key=one" mul 2 3
refused "tcp+listen://nowhere:0?key=one" "192.0.2." "Cannot assign"
refused "tcp+listen://partly:0" CONFIG "no key"

# [::] is IPv6 only, so 0.0.0.0 may stand beside it; without a host one socket is for both.
worker any6.log "tcp+listen://[::]:0?insecure=true"
port=$(port_of any6.log)
listens any6.log 1
call_is 6 "tcp://[::1]:$port" mul 2 3
run call -b "tcp://127.0.0.1:$port" -o connect_timeout_ms=500 mul 2 3
[ "$code" != 0 ] || complain "[::] takes IPv4"
expect_err_has UNREACHABLE
worker any4.log "tcp+listen://0.0.0.0:$port?insecure=true"
call_is 6 "tcp://127.0.0.1:$port" mul 2 3
worker any.log "tcp+listen://:0?insecure=true"
port=$(port_of any.log)
listens any.log 1
call_is 6 "tcp://[::1]:$port" mul 2 3
call_is 6 "tcp://127.0.0.1:$port" mul 2 3

# Port 0 where half of what is free for ::1, which is looked at first, is taken for 127.0.0.1; then all of it.
echo "40000 40003" >/proc/sys/net/ipv4/ip_local_port_range || lacks "the range of ports may not be set here"
worker half.log "tcp+listen://127.0.0.1:40000" -b "tcp+listen://127.0.0.1:40001"
for log in one.log two.log; do
    worker "$log" tcp+listen://both:0
    listens "$log" 2
done
[ "$(sort -u <(port_of one.log) <(port_of two.log) | tr '\n' ' ')" = "40002 40003 " ] || complain "$(cat one.log two.log)"
refused "tcp+listen://both:0" "in use"
finish
