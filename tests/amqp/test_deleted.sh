#!/usr/bin/env bash
# The work queue is deleted under load, three times: nobody is restarted, and what is missing in the ledger of
# tests/storm is not more than what rabbitmqctl says was in the queue, and what was on its way to it. Calls that were in it end at their deadline.
. "$(dirname "$0")/lib.sh"
: "${STORM:?}"
own_server
url="amqp://guest:guest@127.0.0.1:$port/?reconnect_max_ms=200&heartbeat_ms=2s&enqueue_ms=2s"
mkdir load
"$STORM" front "$url" load 10000000 4000000 0 500 2>front.log &
front=$!
workers=()
for n in 1 2; do
    "$STORM" work "$url" load 4 2>"work$n.log" &
    workers+=($!)
done
pids+=("$front" "${workers[@]}")
done_now() {
    cat load/ledger.worker.* 2>/dev/null | grep -c '^F'
}
progress() {
    local from
    from=$(done_now)
    for _ in $(seq 600); do
        [ "$(done_now)" -ge $((from + 200)) ] && return 0
        kill -0 "$front" 2>/dev/null || break
        sleep 0.1
    done
    complain "no work is done any more after: $1" "$(tail -n 3 front.log work1.log work2.log)"
    finish
}
progress "the start"
lost=0
ctl_all() { ctl "$@" 2>&1; }
for round in 1 2 3; do
    LAST="delete_queue, the time $round"
    # so that something is in it: workers that stand still hold no more than their slots
    kill -STOP "${workers[@]}"
    for _ in $(seq 100); do
        [ "$(messages patio:storm:default)" -gt 50 ] 2>/dev/null && break
    done
    said=$(fault ctl_all delete_queue patio:storm:default)
    kill -CONT "${workers[@]}"
    ready=$(grep -o '[0-9]* ready messages' <<<"$said" | cut -d' ' -f1)
    [ "${ready:-0}" -gt 0 ] || complain "it said: $said"
    lost=$((lost + ${ready:-0}))
    progress "queue deleted"
done
touch load/enough
wait "$front" || complain "who sends: $(tail -n 3 front.log)"
kill -TERM "${workers[@]}"
wait "${workers[@]}" || complain "a worker ended with an error: $(tail -n 3 work1.log work2.log)"
LAST="the ledger, but for the $lost that were deleted"
"$STORM" check load 2 4 10 >verdict
missing=$(sed -n 's/^WRONG: \([0-9]*\) .*neither finished nor.*/\1/p' verdict)
# RabbitMQ confirms what is on its way to a queue that is deleted in that moment; the load has 256 of those at most
[ "${missing:-0}" -le $((lost + 3 * 256)) ] || complain "$(<verdict)"
! grep "^WRONG" verdict | grep -v "neither finished nor" || complain "$(<verdict)"
echo "$lost messages were in the deleted queues, ${missing:-0} accepted tasks are missing"
finish
