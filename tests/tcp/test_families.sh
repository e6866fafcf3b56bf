#!/usr/bin/env bash
# What IPv4, IPv6 and UNIX sockets carry: `patio peers` of this side's links, `patio doctor` of all processes that
# are reached, with what failed and what a limit turned away. The links of IPv6: test_ipv6.sh.
. "$(dirname "$0")/lib.sh"
has_transport tcp || skip "the tcp transport is not built"

worker w.log "tcp+listen://127.0.0.1:0?key=one&max_connections=3&handshake_ms=10min" -b "unix+listen://$scratch/s?key=one"
port=$(port_of w.log)
at=(-b "tcp://127.0.0.1:$port?key=one")
run peers "${at[@]}" -b "unix://$scratch/s?key=one" --json
expect_code 0
LAST="patio peers --json"
sums_are IPv4 1
sums_are IPv6 0
sums_are unix 1
run peers "${at[@]}"
expect_out_has FAMILY
grep -Eq '^IPv4 +1 +0 +[1-9][0-9]* / [1-9]' <<<"$out" || complain "$out"
grep -Eq '^IPv6 +0 +0 +0 / 0' <<<"$out" || complain "$out"

# The doctor's own link is one at each end; nothing of IPv6 was there.
family_has IPv4 'open == 2 && opened >= 4 && failed == 0 && limited == 0 && in > 0 && out_bytes > 0'
family_has unix 'open == 0 && opened == 1'
case $out in *IPv6*) complain "a family that was not used: $out" ;; esac

# A wrong key.
run call -b "tcp://127.0.0.1:$port?key=other" mul 2 3
[ "$code" != 0 ] || complain "a wrong key was taken"
family_has IPv4 'failed >= 1 && limited == 0'

# Some that say nothing: they fail when they are closed.
exec 7<>"/dev/tcp/127.0.0.1/$port" 8<>"/dev/tcp/127.0.0.1/$port"
exec 7>&- 8>&-
family_has IPv4 'failed >= 3 && limited == 0'

# One more than there is room for.
for number in 1 2 3; do
    worker "full$number.log" "tcp://127.0.0.1:$port?key=one"
done
exec 7<>"/dev/tcp/127.0.0.1/$port"
wait_for w.log "turned away by max_connections"
exec 7>&-
kill "${pids[@]:1}"
family_has IPv4 'limited == 1'
expect_out_has "raise max_connections"

# What this side could not connect is a failure, too.
# shellcheck disable=SC2034 # for the condition below
before=$failed
at+=(-b "tcp://127.0.0.2:$port?key=one")
family_has IPv4 'failed > before'
finish
