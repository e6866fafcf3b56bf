#!/usr/bin/env bash
# What the broker does not take: a settlement waits, and is not forgotten; a caller hears it by name.
. "$(dirname "$0")/lib.sh"
shared_server
url="amqp://127.0.0.1:$port"
p=refused$$

# unsettled QUEUE: how many deliveries are with workers
unsettled() {
    ctl list_queues name messages_unacknowledged | awk -v q="$1" '$1 == q { print $2 }'
}
# packets PROJECT: how many the broker has sent on the connection that publishes
packets() {
    ctl list_connections send_cnt client_properties | grep "\"patio $1 publishing" | cut -f1
}
# is_paused PROJECT: nobody repeats himself as fast as he can
is_paused() {
    local from to
    from=$(packets "$1")
    to=$(packets "$1")
    LAST="packets to the publishing connection of $1, half a second apart"
    [ "$((to - from))" -lt 30 ] || complain "from $from to $to"
}
# waits PROJECT TEXT: the one task of w-PROJECT.log waits to be settled, and its log has said so once
waits() {
    wait_for "w-$1.log" "$2"
    is_paused "$1"
    [ "$(grep -c "cannot be settled" "w-$1.log")" = 1 ] || complain "said more than once: $(<"w-$1.log")"
    [ "$(unsettled "patio:$1:default")" = 1 ] || complain "the broker does not keep the task"
}

# topology=none, and the operator has forgotten the dead letters.
run topology print -b "$url" -p "$p-none"
expect_code 0
jq 'del(.queues[] | select(.name | endswith(":dead")))' "$scratch/out" >some.json
cp "$scratch/out" all.json
ctl import_definitions some.json >/dev/null || complain "not imported"
worker "w-$p-none.log" "$url?topology=none" -p "$p-none"
run send -b "$url?topology=none" -p "$p-none" fail
expect_code 0
waits "$p-none" "queue patio:$p-none:default:dead is not there, and topology=none makes none"
call_is 42 "$url?topology=none" -p "$p-none" mul 6 7
# its worker is killed meanwhile: another runs it, and has to wait as well
kill -9 "$worker"
wait "$worker" 2>/dev/null
worker "w-$p-none.log" "$url?topology=none" -p "$p-none"
waits "$p-none" "queue patio:$p-none:default:dead is not there"
ctl import_definitions all.json >/dev/null || complain "not imported"
await_messages "patio:$p-none:default:dead" 1
await_messages "patio:$p-none:default" 0

# topology=check says it of the queue that is looked for in vain.
jq 'del(.queues[] | select(.name | endswith(":delay:100")))' all.json |
    sed "s/$p-none/$p-check/g" >some.json
sed "s/$p-none/$p-check/g" all.json >all-check.json
ctl import_definitions some.json >/dev/null || complain "not imported"
worker "w-$p-check.log" "$url?topology=check" -p "$p-check"
run send -b "$url?topology=check" -p "$p-check" retry 2
expect_code 0
waits "$p-check" "topology=check makes nothing"
ctl import_definitions all-check.json >/dev/null || complain "not imported"
await_messages "patio:$p-check:default" 0

# The dead letters are full, and a policy says that no more are taken (basic.nack).
full() {
    ctl set_policy --apply-to queues "$1" "^patio:$1:default$2\$" "{\"max-length\":$3,\"overflow\":\"reject-publish\"}"
}
full "$p-nack" :dead 0 || complain "set_policy"
worker "w-$p-nack.log" "$url" -p "$p-nack"
run send -b "$url" -p "$p-nack" fail
expect_code 0
waits "$p-nack" "queue patio:$p-nack:default:dead is full"
ctl clear_policy "$p-nack"
await_messages "patio:$p-nack:default:dead" 1
await_messages "patio:$p-nack:default" 0
kill -TERM "$worker"
wait "$worker" || complain "the worker did not end well"

# A full work queue is FULL to who sends, who calls, and who revives dead letters.
full "$p-nack" "" 1 || complain "set_policy"
run send -b "$url" -p "$p-nack" nothing
expect_code 0
for verb in send call; do
    run $verb -b "$url" -p "$p-nack" nothing
    [ "$code" != 0 ] || complain "a full queue took more"
    expect_err_has FULL
    expect_err_has "queue patio:$p-nack:default is full"
done
run dlq retry --all -b "$url" -p "$p-nack"
[ "$code" != 0 ] || complain "a full queue took more"
expect_err_has FULL
expect_err_has "queue patio:$p-nack:default is full"
await_messages "patio:$p-nack:default:dead" 1
ctl clear_policy "$p-nack"
run dlq retry --all -b "$url" -p "$p-nack"
expect_code 0
await_messages "patio:$p-nack:default" 2
await_messages "patio:$p-nack:default:dead" 0
finish
