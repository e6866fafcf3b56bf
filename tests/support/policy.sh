#!/usr/bin/env bash
# policy.sh: what a caller says of one task holds at a worker in another process. Sourced behind a
# transport's lib.sh; check_policy URL with a worker of the module demo there, whose tasks have the
# options $policy_options.
# shellcheck disable=SC2034
policy_options=(-o tasks.retry.ack=on_start -o tasks.retry.backoff_list=1h -o tasks.div.max_attempts=1)

# dead URL FIELD: of the one dead letter there is
dead() {
    "$PATIO" dlq ls -b "$1" --json | sed -n "s/^ *\"$2\": \"*\([^\",]*\)\"*,*$/\1/p"
}

check_policy() {
    local url=$1
    # the worker's own words: settled before it runs, so it runs once
    run call -b "$url" retry 3
    expect_code 3
    expect_err_has "attempt 1 of 3"
    # the caller's: after its run, with waits of its own in place of an hour
    run call -b "$url" retry 3 --kw after_ms=0 --ack on_done --backoff 1ms,2ms
    expect_code 0
    run call -b "$url" retry 9 --kw after_ms=0 --ack on_done --backoff 1ms,2ms --max-attempts 3
    expect_code 3
    expect_err_has "attempt 3 of 9"
    run call -b "$url" retry 2 --kw after_ms=0 --ack on_done --backoff fixed:1ms
    expect_code 0
    run call -b "$url" sleep 60 --attempt-timeout 50ms --max-attempts 1
    expect_code 3
    # and of what nobody waits for
    run send -b "$url" retry 9 --kw after_ms=0 --ack on_done --backoff 1ms --max-attempts 2
    case $url in
    unix://*) # the dead letter is its sender's, and ends with it
        expect_err_has "dead letters that are lost with this process: 1"
        return
        ;;
    esac
    expect_code 0
    for _ in $(seq 1200); do
        [ "$(dead "$url" attempts)" = 2 ] && break
        sleep 0.05
    done
    run dlq ls -b "$url" --json
    expect_out_has '"cause": "attempts"'
    expect_out_has '"attempts": 2'
}
