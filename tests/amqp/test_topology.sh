#!/usr/bin/env bash
# Who makes the queues, of which type, and on which of several hosts.
. "$(dirname "$0")/lib.sh"
shared_server
mine=t$$
url="amqp://127.0.0.1:$port"

# Several hosts of one cluster in a URL: the first is not there.
many="amqp://127.0.0.1:1,127.0.0.1:$port?reconnect_max_ms=200"
worker w.log "$many" -p "$mine-hosts"
call_is 12 "$many" -p "$mine-hosts" mul 3 4
kill -TERM "$worker"
wait "$worker"

# check: what is not there is named and not made; what is there is used.
run call -b "$url?topology=check" -p "$mine-checked" mul 1 1
[ "$code" != 0 ] || complain "a queue that there is not was called"
expect_err_has "patio:$mine-checked:"
expect_err_has NOT_FOUND
expect_err_has "look at exchange \"patio:$mine-checked:@control\""
expect_err_has "topology print"
[ -z "$(messages "patio:$mine-checked:default")" ] || complain "topology=check has made a queue"
# The operator makes them, from what is printed without a connection. A user without the right to
# configure has enough.
run topology print -b "$url" -p "$mine-checked"
expect_code 0
jq . "$scratch/out" >definitions.json || complain "no JSON: $out"
LAST="import_definitions"
ctl import_definitions definitions.json >/dev/null || complain "not imported"
worker w2.log "$url?topology=check" -p "$mine-checked"
call_is 20 "$url?topology=check" -p "$mine-checked" mul 4 5
wait_for w2.log "queue patio:$mine-checked:default: taken to be classic: topology=check cannot see"
run send -b "$url?topology=check" -p "$mine-checked" --delay 300ms mul 1 1
expect_code 0
kill -TERM "$worker"
wait "$worker"

# One with another argument is explained: which queue, which argument, what it has, what patio wants.
sed "s/$mine-checked/$mine-other/g" definitions.json |
    jq '(.queues[].arguments | select(."x-max-priority")."x-max-priority") = 5' >other.json
ctl import_definitions other.json >/dev/null || complain "not imported"
run call -b "$url" -p "$mine-other" mul 1 1
[ "$code" != 0 ] || complain "a queue with another argument was called"
expect_err_has CONFIG
expect_err_has "queue \"patio:$mine-other:default\" exists with another x-max-priority"
case $err in *"it has "*"'5'"*"patio wants "*"'9'"*) ;; *) complain "it does not say has and wants: $err" ;; esac

# An operator has made a quorum queue: it is taken as it is.
worker w3.log "$url?queue_type=quorum" -p "$mine-raft"
call_is 56 "$url?queue_type=quorum" -p "$mine-raft" mul 7 8
kill -TERM "$worker"
wait "$worker"
worker w4.log "$url" -p "$mine-raft"
call_is 30 "$url" -p "$mine-raft" mul 5 6
[ "$(ctl list_queues name type | awk '$1 == "'"patio:$mine-raft:default"'" { print $2 }')" = quorum ] ||
    complain "it is not a quorum queue"
# Which type it is, and why, is said; the priorities it has not are refused, whoever asks first.
wait_for w4.log "queue patio:$mine-raft:default: quorum, because it was made so before"
[ "$(grep -c ": quorum, because" w4.log)" = 1 ] || complain "said more than once: $(grep quorum, w4.log)"
run send -b "$url" -p "$mine-raft" --priority 9 mul 1 1
[ "$code" != 0 ] || complain "a priority was accepted for a queue that has none"
expect_err_has UNSUPPORTED
expect_err_has 'capability "priority"'
run send -b "$url" -p "$mine-raft" --priority 9 --delay 200ms mul 1 1
[ "$code" != 0 ] || complain "a delayed priority was accepted for a queue that has none"
run doctor -b "$url" -p "$mine-raft"
expect_out_has "AMQP lists no queues"
expect_out_has "may declare, write and read"
expect_out_has "quorum, because it was made so before"
worker w5.log "$url" -p "$mine-plain"
wait_for w5.log "queue patio:$mine-plain:default: classic, because queue_type=auto"
run doctor -b "$url" -p "$mine-plain"
expect_out_has "classic, because queue_type=auto"
run send -b "$url" -p "$mine-plain" --priority 9 mul 1 1
expect_code 0
run doctor -b "$url" -p "$mine-nobody"
expect_out_has "not made yet: classic, because"
[ -z "$(messages "patio:$mine-nobody:default")" ] || complain "patio doctor has made a queue"
finish
