#!/usr/bin/env bash
# A user who may only read and write: topology=none. And what is said when a right is missing.
. "$(dirname "$0")/lib.sh"
shared_server
ctl add_user poor secret 2>/dev/null
ctl clear_permissions poor 2>/dev/null
ctl set_permissions poor '^$' '^(patio:none:.*|amq\.default)$' '^patio:none:.*$' || complain "set_permissions"
admin="amqp://127.0.0.1:$port"
export POOR=secret
poor="amqp://poor@127.0.0.1:$port?password=env:POOR"

# Without the right to declare, declaring is refused, and says what.
run call -b "$poor" -p none mul 1 1
[ "$code" != 0 ] || complain "declared without the right to"
expect_err_has AUTH
expect_err_has poor

# Somebody who may has made the queues.
worker w.log "$admin" -p none
call_is 6 "$admin" -p none mul 2 3
kill -TERM "$worker"
wait "$worker"
worker w2.log "$poor&topology=none" -p none
call_is 42 "$poor&topology=none" -p none mul 6 7
run send -b "$poor&topology=none" -p none mul 1 1
expect_code 0
# A queue that nobody has made is no queue.
run send -b "$poor&topology=none" -p none --queue missing mul 1 1
[ "$code" != 0 ] || complain "sent to a queue that there is not"
expect_err_has NO_ROUTE
ctl delete_user poor
finish
