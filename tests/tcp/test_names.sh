#!/usr/bin/env bash
# A name with several addresses: one is dead, the other is not, in either order. With a hosts file of
# the test's own.
self=$(realpath "$0")
. "$(dirname "$self")/lib.sh"
has_transport tcp || skip "the tcp transport is not built"
if [ -z "${PATIO_TEST_HOSTS-}" ]; then
    unshare -m true 2>/dev/null || skip "no mount namespace may be made here"
    cd / && rm -rf "$scratch"
    PATIO_TEST_HOSTS=1 exec unshare -m bash "$self"
fi
printf '%s\n' "127.0.0.1 localhost" "127.0.0.2 first" "127.0.0.1 first" "127.0.0.1 second" "127.0.0.2 second" >hosts
mount --bind hosts /etc/hosts 2>/dev/null || skip "no file may be mounted here"
for name in first second; do
    LAST="getent ahosts $name"
    [ "$(getent ahosts $name | awk '{print $1}' | sort -u | wc -l)" = 2 ] || complain "$(getent ahosts $name)"
done

# Nobody listens at 127.0.0.2: the caller goes on to the other address, in one attempt.
worker w.log tcp+listen://127.0.0.1:0
port=$(port_of w.log)
for name in first second; do
    call_is 42 "tcp://$name:$port" mul 6 7
done

# The same for a worker that connects, and again after the listener was restarted at the other one.
free_port
"$PATIO" worker -b "tcp://first:$port?reconnect_max_ms=100" -m demo 2>back.log &
back=$!
pids+=("$back")
call_is 12 "tcp+listen://127.0.0.1:$port" --wait-route --timeout 20s mul 3 4
call_is 20 "tcp+listen://127.0.0.2:$port" --wait-route --timeout 20s mul 4 5

# A name moves: it is looked up anew at each attempt.
printf '%s\n' "127.0.0.1 localhost" "127.0.0.9 first" >hosts
call_is 30 "tcp+listen://127.0.0.9:$port" --wait-route --timeout 20s mul 5 6

# One of its addresses is its own: it goes on to the other.
kill -9 "$back"
wait "$back" 2>/dev/null
printf '%s\n' "127.0.0.1 localhost" "127.0.0.2 first" "127.0.0.1 first" "127.0.0.1 second" "127.0.0.2 second" >hosts
for name in first second; do
    worker self.log "tcp+listen://127.0.0.1:$port?reconnect_max_ms=100" -b "tcp://$name:$port"
    call_is 42 "tcp+listen://127.0.0.2:$port" --wait-route --timeout 20s mul 6 7
    kill -9 "$worker"
    wait "$worker" 2>/dev/null
    LAST="the log of a worker that met itself"
    ! grep "this very" self.log || complain "it is worth no line"
done

# No address at all.
run call -b tcp://nobody.invalid:1 -o connect_timeout_ms=1s mul 2 3
expect_code 6
finish
