#!/usr/bin/env bash
# What looks after queues, tasks and workers: tests/support/operations.sh, on classic queues.
. "$(dirname "$0")/lib.sh"
. "$PATIO_SOURCE/tests/support/operations.sh"
shared_server
p=operations$$
url="amqp://127.0.0.1:$port"
at=(-b "$url" -p "$p")
run ping "${at[@]}"
expect_code 5
json length 0 workers
worker w.log "$url" -p "$p" -j 1
sender "$url" "$p"
operations amqp topology

# One that was killed is not there any more.
kill -9 "$worker"
wait "$worker" 2>/dev/null
exec 9>&-
run ping "${at[@]}" --json
expect_code 5
[ "$(jq length <<<"$out")" = 0 ] || complain "$out"
finish
