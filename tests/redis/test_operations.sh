#!/usr/bin/env bash
# The commands that look after a running system, against a server and workers in other processes: those of
# tests/support/operations.sh, and what only this transport has.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1
. "$PATIO_SOURCE/tests/support/operations.sh"

server plain
url=redis://127.0.0.1:$port
at=(-b "$url" -p everything)
worker everything.log "$url" -m demo -j 1 -p everything
sender "$url" everything
operations dedup results limits
kill -9 "$sender"
wait "$sender" 2>/dev/null
exec 9>&-

on="-b $url"

# field QUEUE NAME: one number of `patio stats --json`
field() {
    "$PATIO" stats $on -q "$1" --json | sed -n "s/^ *\"$2\": \"*\([a-z0-9]*\)\"*,*$/\1/p"
}
is() {
    [ "$(field "$1" "$2")" = "$3" ]
}

# shellcheck disable=SC2086
{
    run ping $on
    expect_code 5
    worker one.log "$url" -m demo -j 2
    one=$worker
    until_true "the worker is seen" "$PATIO" ping $on

    # for probes
    run health $on
    expect_code 0
    expect_out "ready: transport redis, 1 of 1 workers"
    run health $on --pid "$one"
    expect_code 0
    run health $on --pid 1 --json
    expect_code 1
    expect_out_has '"reason": "0 of 0 workers are ready, wanted: 1"'
    run health $on --host nowhere
    expect_code 1
    run health $on --workers 2
    expect_code 1
    expect_out_has "1 of 1 workers are ready, wanted: 2"
    expect_out_has ":$one  ready"

    # what is a duplicate, and of what; how safe it is; not before its time
    run send $on echo 1 --dedup-key once --dedup-window 1min
    expect_err_has "accepted, level 1: peer"
    first=$out
    run send $on echo 1 --dedup-key once --dedup-window 1min
    expect_code 0
    expect_out "$first"
    expect_err_has "a duplicate"
    run send $on echo 1 --dedup-key once --dedup-window 1min --json
    expect_out_has "\"id\": \"$first\""
    expect_out_has '"duplicate": true'
    for options in "--level disk" "-o tasks.echo.level=disk" "-o tasks.echo.level=disk -m demo"; do
        run send $on echo 1 $options
        expect_code 2
        expect_err_has "(UNSUPPORTED)"
    done
    run send $on echo 1 --queue later --wait-route --at "@$(($(date +%s) + 3600))"
    expect_code 0
    is later delayed 1 || complain "delayed: $(field later delayed)"

    # a paused queue keeps what comes
    run pause default $on
    expect_code 0
    # it takes nothing from the moment it has heard of it, and then removes the word
    until_true "the worker has heard" sh -c \
        "[ \$(redis-cli -p $port xlen \"\$(redis-cli -p $port --raw keys 'patio:{default:default}:n:*')\") = 0 ]"
    for n in 1 2 3; do
        run send $on mul 6 "$n" --result-ttl 1min
        expect_code 0
        id=$out
    done
    is default ready 3 || complain "ready: $(field default ready)"
    run cancel $on "$id"
    expect_code 0
    expect_out "removed"
    # whoever waits for what another one removes hears so at once
    "$PATIO" call $on mul 4 4 --timeout 10min >called 2>&1 &
    caller=$!
    pids+=("$caller")
    until_true "the call waits" is default ready 3
    run cancel $on "$(redis-cli -p "$port" --raw xrevrange 'patio:{default:default}:s:4' + - COUNT 1 |
        sed -n 's/^\([0-9a-f]\{32\}\) .*/\1/p')"
    expect_out "removed"
    wait "$caller" && complain "the call of a task that was removed ended well"
    grep -q "it was cancelled by somebody else" called || complain "$(cat called)"
    run resume default $on
    expect_code 0
    until_true "the rest is done" is default ready 0

    # a failed one is a dead letter, with its arguments
    run send $on div 1 0
    id=$out
    until_true "it is dead" is default dead 1
    run dlq ls $on
    expect_out_has "$id  div   failed"
    expect_out_has "ZeroDivision"
    run dlq show $on "$id"
    expect_code 0
    expect_out_has ":$one\""
    run dlq ls --limit 1 $on
    [ -z "$err" ] || complain "there are no more" "$err"

    # what nobody can start in time neither counts nor takes a place
    for n in 1 2; do "$PATIO" call $on --queue late mul 1 "$n" --timeout 300ms >/dev/null 2>&1; done
    run send -b "$url?max_queued=2" --queue late mul 1 3 --queue-ttl 1ms
    expect_code 0
    [ "$(redis-cli -p "$port" xlen 'patio:{default:late}:s:4')" = 1 ] || complain "late calls take places"
    until_true "the send is too late as well" is late dead 1
    is late ready 0 || complain "ready: $(field late ready)"
    run dlq ls -q late $on
    expect_out_has "expired"

    # a name that was a mistake leaves nothing behind
    for words in "pause typo" "resume typo" "limit typo 3" "limit typo 0"; do
        run $words $on
        expect_code 0
    done
    [ -z "$(redis-cli -p "$port" --raw keys 'patio:{default:typo}*')" ] || complain "something is left of typo"

    # a running one is not replaced
    "$PATIO" call $on --dedup-key one --dedup-window 1min sleep 3 >slept 2>&1 &
    caller=$!
    pids+=("$caller")
    until_true "it runs" is default leased 1
    run send $on --dedup-key one --dedup-window 1min --dedup-conflict replace sleep 1
    expect_code 0
    expect_err_has "a duplicate"
    wait "$caller" || complain "it was replaced while it ran: $(<slept)"
    until_true "it is done" is default leased 0

    # a running one is told
    "$PATIO" call $on sleep 3 >slept 2>&1 &
    caller=$!
    pids+=("$caller")
    until_true "it runs" is default leased 1
    redis-cli -p "$port" xgroup create 'patio:{default:old}:s:4' w 0 mkstream >/dev/null
    run doctor "$url"
    expect_code 0
    expect_out_has "ok"
    expect_out_has "queues hold nothing and have no workers: "
    grep -q "no workers:.* old" "$scratch/out" || complain "the doctor does not name the old queue: $out"
    [[ $out != *default,* && $out != *", default"* ]] || complain "a queue with a worker is called a leftover"
}
kill "$one"
wait "$one"
until_true "it is gone" sh -c "! '$PATIO' ping $on"
finish
