#!/usr/bin/env bash
# An operator imports what `patio topology print` says into a vhost of its own; a user who may only read
# and write there has all that a task can want: calls, delays, retries, dead letters, and sees them.
. "$(dirname "$0")/lib.sh"
shared_server
vhost=import$$/x
export POOR=secret
ctl add_vhost "$vhost" || complain "add_vhost"
ctl add_user "poor$$" secret >/dev/null || complain "add_user"
ctl set_permissions -p "$vhost" "poor$$" '^$' '^(patio:import-.*|amq\.default)$' '^patio:import-.*$' ||
    complain "set_permissions"

# await VALUE FILTER WORDS...: until what patio prints as JSON is that
await() {
    local expected=$1 filter=$2 now=
    shift 2
    for _ in $(seq 100); do
        run "$@" --json
        now=$(jq -r "$filter" <<<"$out")
        [ "$now" = "$expected" ] && return
        sleep 0.1
    done
    complain "it is $now, expected $expected" "$out" "$err"
}

# every_way TYPE: a project of its own, with queues of this type
every_way() {
    local p=import-$1
    local at=(-b "amqp://poor$$@127.0.0.1:$port/import$$%2Fx?password=env:POOR&topology=none&queue_type=$1" -p "$p")
    run topology print "${at[@]}"
    expect_code 0
    ctl import_definitions "$scratch/out" >/dev/null || complain "not imported"
    ctl list_queues -p "$vhost" name type durable | awk -v p="patio:$p:" 'index($1, p) == 1' >queues
    # work, dead letters, 36 delays
    [ "$(grep -c "[[:space:]]$1[[:space:]]true$" queues)" = 38 ] || complain "$(<queues)"

    worker "$p.log" "${at[1]}" -p "$p"
    call_is 42 "${at[1]}" -p "$p" mul 6 7
    call_is 3 "${at[1]}" -p "$p" retry 3
    run call "${at[@]}" fail
    expect_err_has "failed on demand"
    # one that waits is counted as such, and runs when its time has come
    run send "${at[@]}" --delay 2s mul 1 1
    expect_code 0
    await 1 '.. | .delayed? // empty' stats "${at[@]}" -q default
    await 0 '.. | .delayed? // empty' stats "${at[@]}" -q default
    # dead ones are listed, shown, sent to work again, dropped
    run send "${at[@]}" fail
    expect_code 0
    await "failed on demand" '.[0].message' dlq ls "${at[@]}"
    local id
    id=$(jq -r '.[0].id' <<<"$out")
    run dlq show "$id" "${at[@]}"
    expect_out_has '"failed on demand"'
    run dlq retry "$id" "${at[@]}"
    expect_out "1 back in the queue"
    await "failed on demand" '.[0].message' dlq ls "${at[@]}"
    run dlq drop "$id" "${at[@]}"
    expect_out "1 dropped"
    kill -TERM "$worker"
    wait "$worker" || complain "the worker did not end well: $(tail -2 "$p.log")"
    # nobody works: what is too late is found among the dead
    run send "${at[@]}" --queue-ttl 200ms mul 1 1
    expect_code 0
    await expired '.[0].cause' dlq ls "${at[@]}"
}
every_way classic
every_way quorum
ctl list_queues -p "$vhost" name | grep patio >queues
[ "$(wc -l <queues)" = 76 ] || complain "there are others than were imported: $(<queues)"
ctl delete_vhost "$vhost"
ctl delete_user "poor$$"
finish
