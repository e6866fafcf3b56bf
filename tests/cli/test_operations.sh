#!/usr/bin/env bash
# What looks after a running system, as far as one process can show it: shapes of the output, and errors. With
# workers and tasks, over each other transport: tests/support/operations.sh; on memory: tests/api/test_operate.c.
. "$(dirname "$0")/lib.sh"

on="-b memory://"
id=00112233445566778899aabbccddeeff

# shellcheck disable=SC2086
{
    run stats $on
    expect_code 0
    expect_out "QUEUE  READY  LEASED  DELAYED  DEAD  OLDEST  WORKERS  LIMIT  STATE"
    run stats $on -q mail --json
    expect_code 0
    expect_out_has '"queue": "mail"'
    expect_out_has '"oldest_age_ms": 0'
    expect_out_has '"state": "open"'
    expect_out_has '"limit": 0'
    run workers $on --json
    expect_code 0
    run ping $on
    expect_code 5
    expect_out_has "0 workers"
    for command in ping workers "dlq ls"; do
        run $command $on --json
        jq -e '. == []' "$scratch/out" >/dev/null || complain "not an empty list: $out"
    done
    run dlq ls $on
    expect_code 0
    expect_out_has "LAST ERROR"
    run dlq show $id $on
    expect_code 2
    expect_err_has "no such dead letter"
    run dlq retry $on
    expect_code 2
    expect_err_has "wants one ID, or --all"
    run dlq retry --all $on
    expect_code 0
    expect_out "0 back in the queue"
    run dlq retry --all $on --json
    jq -e '. == {queue: "default", retried: 0}' "$scratch/out" >/dev/null || complain "$out"
    run dlq drop --all -q mail $on --json
    jq -e '. == {queue: "mail", dropped: 0}' "$scratch/out" >/dev/null || complain "$out"
    run dlq bury $id $on
    expect_code 2
    expect_err_has "say ls, show ID, retry ID or drop ID"
    run dlq drop not-an-id $on
    expect_code 2
    expect_err_has "32 hexadecimal digits"
    run cancel $id $on
    expect_code 0
    expect_out "too late"
    run cancel $on
    expect_code 2
    run result $id $on
    expect_code 0
    expect_out "unknown"
    run result $id $on --json
    expect_out_has '"state": "unknown"'
    run cancel $id $on --json
    expect_out_has '"outcome": "too late"'
    run purge mail $on
    expect_code 0
    expect_out "0 removed"
    run purge mail $on --json
    expect_out_has '"removed": 0'
    for pair in pause:paused resume:open drain:draining; do
        run "${pair%:*}" mail $on --json
        jq -e '. == {queue: "mail", state: "'"${pair#*:}"'"}' "$scratch/out" >/dev/null || complain "$out"
    done
    run limit mail 3 $on --json
    expect_out_has '"max_in_flight": 3'
    for command in pause resume drain; do
        run $command mail $on
        expect_code 0
        run $command "no queue" $on
        expect_code 2
    done
    run limit mail 3 $on
    expect_code 0
    run limit mail many $on
    expect_code 2
    run doctor memory://
    expect_code 0
    expect_out_has "durability"
    run doctor memory:// --json
    expect_out_has '"severity": "note"'
    run topology print $on
    expect_code 2
    expect_err_has "topology"
}
run stats
expect_code 2
expect_err_has "no broker is named"

# A result is kept where it was asked for, and a send says so only where it can.
run send -b tcp://127.0.0.1:1 x --result-ttl 5s --timeout 200ms -o connect_timeout_ms=200
[ "$code" != 0 ] || complain "sent to nobody"

finish
