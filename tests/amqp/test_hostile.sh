#!/usr/bin/env bash
# Messages of somebody else, in every kind of queue and in the exchange of ours: the worker goes on, what was meant
# to be work is parked with a reason, and what was meant to be a reply or a question is dropped.
. "$(dirname "$0")/lib.sh"
: "${PATIO_HOSTILE:?}"
shared_server
p=hostile$$
url="amqp://127.0.0.1:$port?consumer_timeout_ms=3s"
queue=patio:$p:default
worker w.log "$url" -p $p -j 2

# hostile EXCHANGE KEY TYPE: $count of them
hostile() {
    LAST="amqp_hostile $*"
    count=$("$PATIO_HOSTILE" "$@") || complain "it did not publish"
}
# goes_on WHAT: the same worker answers
goes_on() {
    call_is 42 "$url" -p $p mul 6 7
    kill -0 "$worker" 2>/dev/null || { complain "the worker died of $1" "$(tail -n 5 w.log)"; finish; }
}

# one of them says that workers died of it more often than may be, and whom to answer: that is told TASK_CRASHED
answered=1
hostile "" "$queue" mul
dead=$((count - answered))
await_messages "$queue:dead" "$dead"
goes_on "foreign tasks"
LAST="the reasons of dead letters"
run dlq ls -q default -b "$url" -p $p --limit 100 --json
expect_code 0
[ "$(jq length <<<"$out")" = "$dead" ] || complain "listed are $(jq length <<<"$out") of $dead"
odd=$(jq -c '.[] | select(.cause == "" or .message == "")' <<<"$out")
[ -z "$odd" ] || complain "some have no reason: $odd"
# the broker that moved them knows no status of ours
[ "$(jq -r '[.[].status | select(. == null)] | length > 0' <<<"$out")" = true ] || complain "$out"
[ "$(jq -r '[.[].status | select(. == "OK")] | length' <<<"$out")" = 0 ] || complain "dead, and OK: $out"

for reply in $(ctl list_queues name | grep "^patio:$p:@reply:"); do
    for type in patio.reply patio.partial patio.control.ask patio.control.answer patio.probe; do
        hostile "" "$reply" $type
    done
    await_messages "$reply" 0
done
goes_on "foreign replies"
for type in patio.control.ask patio.control.answer patio.reply; do
    hostile "patio:$p:@control" "" $type
done
goes_on "foreign questions"

run send -b "$url" -p $p --delay 100ms nothing
expect_code 0
hostile "" "$queue:delay:100" mul
dead=$((dead + count - answered))
await_messages "$queue:dead" "$dead"
goes_on "foreign delayed tasks"

hostile "" "$queue:dead" mul
dead=$((dead + count))
await_messages "$queue:dead" "$dead"
run dlq ls -q default -b "$url" -p $p --limit 100
expect_code 0
goes_on "foreign dead letters"

# What holds tasks that run for long: there as long as one does.
"$PATIO" call -b "$url" -p $p --timeout 60s sleep 8 >slept 2>&1 &
caller=$!
pids+=("$caller")
for _ in $(seq 100); do
    held=$(ctl list_queues name | grep "^$queue:held:")
    [ -z "$held" ] || break
done
[ -n "$held" ] || complain "no queue holds the task that runs for long"
hostile "" "$held" mul
dead=$((dead + count - answered))
await_messages "$queue:dead" "$dead"
wait "$caller" || complain "the call that was held: $(<slept)"
goes_on "foreign held tasks"

kill -TERM "$worker"
wait "$worker" || complain "the worker ended with $?"
finish
