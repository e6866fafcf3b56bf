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
run send -b "$url?topology=check" -p "$mine-checked" --delay 300ms mul 1 1
expect_code 0
kill -TERM "$worker"
wait "$worker"

# An operator has made a quorum queue: it is taken as it is.
worker w3.log "$url?queue_type=quorum" -p "$mine-raft"
call_is 56 "$url?queue_type=quorum" -p "$mine-raft" mul 7 8
kill -TERM "$worker"
wait "$worker"
worker w4.log "$url" -p "$mine-raft"
call_is 30 "$url" -p "$mine-raft" mul 5 6
[ "$(ctl list_queues name type | awk '$1 == "'"patio:$mine-raft:default"'" { print $2 }')" = quorum ] ||
    complain "it is not a quorum queue"
finish
