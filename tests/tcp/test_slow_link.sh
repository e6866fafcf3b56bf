#!/usr/bin/env bash
# A link so slow that one message takes several times as long as a peer may be silent: who sends it hears
# that the other side is alive, though its own ping waits behind the message.
self=$(realpath "$0")
. "$(dirname "$self")/lib.sh"
has_transport tcp || skip "the tcp transport is not built"
if [ -z "${PATIO_TEST_NAMESPACE-}" ]; then
    unshare -n true 2>/dev/null || lacks "no network namespace may be made here"
    cd / && rm -rf "$scratch"
    PATIO_TEST_NAMESPACE=1 exec unshare -n bash "$self"
fi
for tool in ip tc nsenter; do
    command -v $tool >/dev/null || lacks "no $tool"
done
unshare -n sleep 300 &
far=$!
pids+=("$far")
for _ in $(seq 200); do
    [ "$(readlink /proc/$far/ns/net)" != "$(readlink /proc/$$/ns/net)" ] && break
    sleep 0.05
done
ip link add near type veth peer name far netns "$far" || skip "no veth here"
ip addr add 10.78.0.1/24 dev near
ip link set near up
nsenter -t "$far" -n sh -c 'ip addr add 10.78.0.2/24 dev far; ip link set far up; ip link set lo up'
tc qdisc add dev near root tbf rate 2mbit burst 16kb limit 1mb || skip "no token bucket here"

times="ping_ms=300&dead_ms=1s&insecure=true"
LAST="a worker behind a slow link"
nsenter -t "$far" -n "$PATIO" worker -b "tcp+listen://10.78.0.2:15390?$times" -m demo 2>w.log &
pids+=($!)
wait_for w.log "ready: project" || finish
head -c 900000 /dev/zero | tr '\0' x >large
begun=$(date +%s%3N)
"$PATIO" call -b "tcp://10.78.0.2:15390?$times" --timeout 60s echo --stdin <large >back 2>error
code=$?
took=$(($(date +%s%3N) - begun))
[ "$code" = 0 ] || complain "it ended with $code after $took ms: $(<error)"
[ "$took" -gt 2000 ] || complain "it took $took ms: the link is not slow"
cmp -s large back || complain "it came back changed"
! grep -q "fallen silent" w.log || complain "$(<w.log)"
finish
