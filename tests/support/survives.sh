#!/usr/bin/env bash
# survives.sh: what a server was told is so after its kill -9 as well. A test reads this after its lib.sh, says with
# the function "kill_and_restart" how that is done, and calls
#
#   survives URL [CAPABILITY...]   of: results, cancels (that of a task that waits, without any process there)
#
# "module" are the options that load the module demo, where the worker of the lib.sh does not.
# shellcheck disable=SC2034,SC2154 # what the lib.sh of the test has

# now_is JQ-FILTER TEXT COMMAND...: at once
now_is() {
    local filter=$1 text=$2
    shift 2
    run "$@" -b "$url" --json
    [ "$(jq -r "$filter" <<<"$out" 2>/dev/null)" = "$text" ] || complain "$filter is not $text: $out" "$err"
}

# soon JQ-FILTER TEXT COMMAND...: within 20 s
soon() {
    local filter=$1 text=$2
    shift 2
    for _ in $(seq 200); do
        run "$@" -b "$url" --json
        [ "$(jq -r "$filter" <<<"$out" 2>/dev/null)" = "$text" ] && return
        sleep 0.1
    done
    complain "$filter never was $text: $out" "$err"
}

# hand QUEUE WORD...: $id is the task's
hand() {
    local queue=$1
    shift
    run send -b "$url" --queue "$queue" "$@"
    expect_code 0
    id=$out
}

survives() {
    url=$1
    local can=" ${*:2} " every=died,backoff,kept,delayed,paused,cancelled died delayed waits cancelled kept='' started
    worker before.log "$url" -j 2 "${module[@]}" -q died,backoff,kept
    hand died div 1 0
    died=$id
    soon '.[0].dead' 1 stats -q died
    hand backoff retry 9 --kw after_ms=0 --backoff fixed:5s --max-attempts 2
    waits=$id
    soon '.[0].delayed' 1 stats -q backoff
    if [[ $can = *" results "* ]]; then
        hand kept mul 6 7 --result-ttl 5min
        kept=$id
        soon .result 42 result -q kept "$kept"
    fi
    run pause -b "$url" paused
    expect_code 0
    hand paused fail
    kill "$worker"
    wait "$worker"
    hand cancelled fail
    cancelled=$id
    run cancel -b "$url" -q cancelled "$id"
    expect_out removed
    started=$(date +%s%3N)
    hand delayed fail --delay 12s
    delayed=$id
    soon '.[0].delayed' 1 stats -q delayed

    kill_and_restart
    now_is '.[] | "\(.ready + .delayed) \(.dead)"' "1 0" stats -q delayed # a server may take that long to start
    now_is '.[] | "\(.id) \(.cause) \(.attempts)"' "$died failed 1" dlq ls -q died
    worker after.log "$url" -j 2 "${module[@]}" -q $every
    [ -z "$kept" ] || now_is .result 42 result -q kept "$kept"

    # paused, until it is opened
    now_is '.[] | "\(.ready) \(.state) \(.dead)"' "1 paused 0" stats -q paused
    run resume -b "$url" paused
    soon '.[0].dead' 1 stats -q paused

    # dead, and given another chance
    now_is .retried 1 dlq retry "$died" -q died
    soon '.[0].dead' 1 stats -q died

    # its second attempt, and its last; a server that was killed may not know whether it had been handed out
    soon '.[] | "\(.id) \(.cause) \(.attempts)"' "$waits attempts 2" dlq ls -q backoff

    # at its time, and once
    soon '.[] | "\(.id) \(.attempts) \(.crashes)"' "$delayed 1 0" dlq ls -q delayed
    LAST="a delay of 12 s"
    started=$(($(jq '.[0].died_at_unix_ms' <<<"$out") - started))
    [ "$started" -ge 12000 ] || complain "over after $started ms"
    now_is '.[] | "\(.ready) \(.delayed) \(.dead)"' "0 0 1" stats -q delayed

    if [[ $can = *" cancels "* ]]; then # forgotten, it would have run by now, and be dead
        now_is '.[] | "\(.ready) \(.leased) \(.dead)"' "0 0 0" stats -q cancelled
        now_is .state cancelled result -q cancelled "$cancelled"
    else # nobody remembers it: docs/delivery.md, rule 7
        soon '.[] | .id' "$cancelled" dlq ls -q cancelled
    fi
}
