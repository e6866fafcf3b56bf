#!/usr/bin/env bash
# topology=none, and a queue that is not there: its worker looks for it without haste, and works as soon as it is.
. "$(dirname "$0")/lib.sh"
shared_server
url="amqp://127.0.0.1:$port?topology=none"
p=missing$$
run topology print -b "$url" -p $p
expect_code 0
jq '(.queues[] | select(.name == "patio:'$p':default") | .name) = "patio:'$p':early"' "$scratch/out" >early.json
jq . "$scratch/out" >all.json
ctl import_definitions early.json >/dev/null || complain "not imported"

# what it holds of another queue is not lost with each look for this one
"$PATIO" worker -b "$url" -p $p -m demo -o queues.early.weight=1 -o queues.default.weight=1 2>w.log &
worker=$!
pids+=("$worker")
wait_for w.log "no queue 'patio:$p:default'"
call_is 42 "$url" -p $p --queue early mul 6 7
run call -b "$url" -p $p --queue early --timeout 10s sleep 4
expect_code 0
taken=$(grep -c "took the deliveries back" w.log)
[ "$taken" = 1 ] || complain "the deliveries were taken back $taken times: $(head -5 w.log)"
ctl import_definitions all.json >/dev/null || complain "not imported"
call_is 42 "$url" -p $p --timeout 10s mul 6 7

# it is deleted, and comes back
ctl delete_queue "patio:$p:default" >/dev/null || complain "not deleted"
wait_for w.log "the broker cancelled the consumer"
for _ in $(seq 100); do
    [ "$(grep -c "took the deliveries back" w.log)" -lt 2 ] || break
    sleep 0.1
done
run call -b "$url" -p $p --queue early --timeout 10s sleep 3
expect_code 0
taken=$(grep -c "took the deliveries back" w.log)
[ "$taken" = 2 ] || complain "the deliveries were taken back $taken times: $(tail -5 w.log)"
ctl import_definitions all.json >/dev/null || complain "not imported"
call_is 42 "$url" -p $p --timeout 10s mul 6 7
kill -TERM "$worker"
wait "$worker" || complain "the worker did not end well: $(tail -3 w.log)"
finish
