#!/usr/bin/env bash
# What rabbitmqctl shows is what patio says: queues, consumers, ready, unacknowledged; and what is left.
. "$(dirname "$0")/lib.sh"
shared_server
# one who stands still is not given up meanwhile
url="amqp://127.0.0.1:$port?heartbeat_ms=60s&reply_expires_ms=1s"
p=facts$$
queue=patio:$p:default

# facts WANTED: "ready unacknowledged consumers" of the work queue
facts() {
    local now
    for _ in $(seq 30); do
        now=$(ctl list_queues name messages_ready messages_unacknowledged consumers | awk -v q="$queue" '$1 == q { print $2, $3, $4 }')
        [ "$now" = "$1" ] && return 0
        sleep 0.2
    done
    complain "$queue has (ready, unacknowledged, consumers) $now, expected $1"
}
# stats READY LEASED CONSUMERS: the same, as patio says
stats() {
    run stats -b "$url" -p "$p" -q default --json
    for pair in "ready:$1" "leased:$2" "consumers:$3"; do
        [ "$(jq -r ".. | .${pair%:*}? // empty" <<<"$out" | head -1)" = "${pair#*:}" ] ||
            complain "patio says otherwise about ${pair%:*}, expected ${pair#*:}: $out"
    done
}

for _ in 1 2 3 4 5; do
    run send -b "$url" -p "$p" sleep 500
    expect_code 0
done
facts "5 0 0"
stats 5 0 0
worker w.log "$url" -p "$p" -j 2
facts "3 2 1"
stats 3 2 1

# A worker that stands still holds what it has, and nothing more: another one is served meanwhile.
kill -STOP "$worker"
still=$worker
worker w2.log "$url" -p "$p" -j 2
facts "1 4 2"
# Both are gone, and what they had is there again.
kill -9 "$still" "$worker"
wait "$still" "$worker" 2>/dev/null
facts "5 0 0"
run purge default -b "$url" -p "$p"
expect_out "5 removed"
facts "0 0 0"

# Queues are those of docs/amqp.md. Who calls or works has one for replies, and takes it along; one that
# was killed leaves it to its time to live.
queues() {
    ctl list_queues name | grep "^patio:$p:" | sed 's/@reply:.*/@reply/' | sort | uniq -c | sed 's/^ *//'
}
worker w3.log "$url" -p "$p"
queues | grep -q reply || complain "a worker has no queue for replies: $(queues)"
call_is 42 "$url" -p "$p" mul 6 7
kill -TERM "$worker"
wait "$worker" || complain "the worker did not end well"
expected="1 $queue
1 $queue:dead"
for _ in $(seq 30); do
    [ "$(queues)" = "$expected" ] && break
    sleep 0.2
done
LAST="queues that are left"
[ "$(queues)" = "$expected" ] || complain "there are: $(queues)" "expected: $expected"
[ -z "$(ctl list_consumers queue_name | grep ":$p:")" ] || complain "consumers are left"
finish
