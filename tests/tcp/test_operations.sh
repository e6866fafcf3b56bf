#!/usr/bin/env bash
# What looks after queues, tasks and workers, with real processes: a sender that holds tasks, a
# worker, and the command; whoever of them listens.
. "$(dirname "$0")/lib.sh"
. "$PATIO_SOURCE/tests/support/operations.sh"
has_transport tcp || skip "the tcp transport is not built"

# The sender listens: worker and command go to it.
free_port
sender "tcp+listen://127.0.0.1:$port"
worker w1.log "tcp://127.0.0.1:$port?reconnect_max_ms=200" -j 1
at=(-b "tcp://127.0.0.1:$port")
until_out "1 worker" ping "${at[@]}"
order send sleep 60
counts_are "0 1 0 0 1"
run cancel "$id" "${at[@]}"
expect_out told
counts_are "0 0 0 1 1"
run dlq ls "${at[@]}"
expect_out_has "cancelled with"
order send sleep 60 ttl=1 delay=100 # too late to be started
counts_are "0 0 0 2 1"
row "^$id .* expired " dlq ls
exec 9>&-
kill -9 "$sender" "$worker"
wait "$sender" "$worker" 2>/dev/null

# The worker listens: sender and command go to it, and know nothing of each other. All commands through
# these addresses: whether one goes to one of them or through the other is one way more, not another one.
worker w2.log tcp+listen://127.0.0.1:0 -j 1
at=(-b "tcp://127.0.0.1:$(port_of w2.log)")
sender "${at[1]}"
operations dedup results peers
row "0 of 3 processes" doctor

# The sender has gone: the worker still has the result.
kill -9 "$sender"
wait "$sender" 2>/dev/null
exec 9>&-
run result "$kept" "${at[@]}"
expect_code 0
expect_out 1

# Both listen, and know each other: each answers once.
worker w3.log tcp+listen://127.0.0.1:0 -j 1
third=$(port_of w3.log)
worker w4.log "tcp+listen://127.0.0.1:0" -b "tcp://127.0.0.1:$third" -j 1
fourth=$(port_of w4.log)
until_out "2 workers" ping -b "tcp://127.0.0.1:$third" -b "tcp://127.0.0.1:$fourth"
run ping -b "tcp://127.0.0.1:$fourth"
expect_out_has "2 workers"

# Who cannot be reached is said, not left out.
free_port
run stats -b "tcp://127.0.0.1:$third" -b "tcp://127.0.0.1:$port" --timeout 1s
[ "$code" != 0 ] || complain "a URL that is not there was passed over: $out"
expect_err_has UNREACHABLE
expect_err_has "127.0.0.1:$port"
finish
