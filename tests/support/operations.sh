#!/usr/bin/env bash
# operations.sh: each command that looks after a running system, as a table and as --json: with a task that
# runs, one that waits for the only slot, one that waits for its time, and dead ones. For every transport; a
# test reads this after its lib.sh, starts a worker with `-m demo -j 1`, and calls
#
#   sender URL [PROJECT]           another process that holds and sends tasks; "order" tells it what
#   operations CAPABILITY...       with the words that every command gets in the array "at"
#
# CAPABILITY is of: dedup, results, limits, topology, peers. What is not named must be refused by its name.
# "amqp": what is cancelled while it waits stays in its queue until its turn comes, and a paused queue has no
# consumers (docs/delivery.md).
# shellcheck disable=SC2034,SC2154 # what the lib.sh of the test has

# sender URL [PROJECT]: in the background, reads from fd 9; what it prints is in sent.log.
sender() {
    rm -f "$scratch/orders"
    mkfifo "$scratch/orders"
    "${SENDER:?}" "$@" <"$scratch/orders" >"$scratch/sent.log" 2>"$scratch/sender.err" &
    sender=$!
    pids+=("$sender")
    exec 9>"$scratch/orders"
    wait_for "$scratch/sent.log" ready || finish
}

# order LINE: $id is what the sender says to it.
order() {
    local before
    before=$(grep -vc '^done' "$scratch/sent.log")
    echo "$*" >&9
    LAST="sender: $*"
    for _ in $(seq 400); do
        [ "$(grep -vc '^done' "$scratch/sent.log")" -le "$before" ] || break
        sleep 0.05
    done
    id=$(grep -v '^done' "$scratch/sent.log" | tail -1)
}

# ask COMMAND...: `patio COMMAND...` at the addresses of "at"
ask() {
    run "$@" "${at[@]}"
}

# prints TEXT COMMAND...: this and nothing else
prints() {
    local text=$1
    shift
    ask "$@"
    expect_code 0
    expect_out "$text"
}

# row REGEX COMMAND...: a line of the table is like that
row() {
    local regex=$1
    shift
    ask "$@"
    expect_code 0
    grep -qE -- "$regex" "$scratch/out" || complain "no line is like: $regex" "stdout: $out" "stderr: $err"
}

# json FILTER TEXT COMMAND...: its --json is JSON, of which the filter of jq makes the text
json() {
    local filter=$1 text=$2 found
    shift 2
    ask "$@" --json
    expect_code 0
    found=$(jq -r "$filter" <<<"$out" 2>&1)
    [ "$found" = "$text" ] || complain "$filter is: $found" "expected: $text" "stdout: $out" "stderr: $err"
}

# refused CAPABILITY COMMAND...: by its name
refused() {
    local capability=$1
    shift
    ask "$@"
    expect_code 2
    expect_err_has "(UNSUPPORTED)"
    expect_err_has "$capability"
}

# until_out TEXT COMMAND...: run it until it prints the text, at most 20 s.
until_out() {
    local text=$1
    shift
    for _ in $(seq 100); do
        run "$@"
        case $out in *"$text"*) return ;; esac
        sleep 0.2
    done
    complain "never printed: $text" "stdout: $out" "stderr: $err"
}

# counts_are "READY LEASED DELAYED DEAD WORKERS": soon, of the queue "default".
counts_are() {
    local now
    for _ in $(seq 100); do
        ask stats -q default --json
        now=$(jq -r '.[] | select(.queue == "default") | "\(.ready) \(.leased) \(.delayed) \(.dead) \(.consumers)"' \
            <<<"$out" 2>/dev/null)
        [ "$now" != "$1" ] || return
        sleep 0.2
    done
    complain "counts are $now, expected $1, after line ${BASH_LINENO[0]}" "$out" "$err"
}

has() {
    [[ " $can " = *" $1 "* ]]
}

operations() {
    can=$*
    who_works
    one_of_each_kind
    dead_letters
    cancelling
    states_of_queues
    what_is_refused
}

who_works() {
    until_out '"tasks_total"' workers "${at[@]}" --json
    row ":$worker: (answered in|last seen) " ping
    grep -q "^1 worker, asked for " "$scratch/out" || complain "not one worker: $out"
    json '.[] | "\(.pid) \(.state)"' "$worker ready" ping
    row ":$worker +[0-9.]+[^ ]* +default +[0-9]+ +0/1 +0/0 .* ready$" workers
    json '.[] | "\(.pid) \(.slots) \(.queues | join(",")) \(.ready) \(.tasks | index("sleep") != null)"' \
        "$worker 1 default true true" workers
    row "^ready: transport [a-z]+, 1 of 1 workers" health
    json .state ready health
}

one_of_each_kind() {
    order send fail 1
    first=$id
    order send fail 2
    second=$id
    counts_are "0 0 0 2 1"
    order send sleep 60
    running=$id
    counts_are "0 1 0 2 1"
    order send sleep 60 delay=600000
    delayed=$id
    counts_are "0 1 1 2 1"
    order send sleep 60
    queued=$id
    counts_are "1 1 1 2 1"
    row "^default +1 +1 +1 +2 +([0-9.]+ [a-z].*|-) +1 +(none|-) +open$" stats -q default
    json '.[] | "\(.queue) \(.limit) \(.state)"' "default $(has limits && echo 0 || echo null) open" stats -q default
    for _ in $(seq 100); do # a worker says it again about every five seconds
        ask workers --json
        [ "$(jq '.[0].running' <<<"$out")" != 1 ] || break
        sleep 0.2
    done
    row ":$worker .* 1/1 " workers
    if has results; then
        prints running result "$running"
        json .state running result "$running"
        prints queued result "$queued"
        json .state queued result "$delayed"
        json .state dead result "$first"
        json .state unknown result 00112233445566778899aabbccddeeff
    fi
}

dead_letters() {
    row "^$first +fail +failed +1\+0 .*failed on demand$" dlq ls
    json '[.[].id] | join(" ")' "$first $second" dlq ls # the oldest first
    json '[.[].id] | join(" ")' "$first" dlq ls --limit 1
    expect_err_has "there are more"
    for how in "" --json; do # it is JSON either way
        ask dlq show "$second" $how
        expect_code 0
        [ "$(jq -r '"\(.task) \(.cause) \(.status) \(.attempts) \(.crashes) \(.args[0])"' <<<"$out")" = "fail failed TASK_FAILED 1 0 2" ] ||
            complain "$out"
    done
    prints "1 back in the queue" dlq retry "$first"
    counts_are "2 1 1 1 1"
    json '"\(.queue) \(.retried)"' "default 1" dlq retry "$second"
    counts_are "3 1 1 0 1"
    ask dlq retry "$second"
    expect_code 2
    expect_err_has "(NOT_FOUND)"
}

# What waits, what waits for its time, what runs, what is over; then dead letters go away.
cancelling() {
    json '"\(.id) \(.outcome)"' "$queued removed" cancel "$queued"
    prints removed cancel "$delayed"
    ! has results || prints cancelled result "$queued"
    left=$(has amqp && echo 1 || echo 0)
    counts_are "$((2 + left)) 1 $left 0 1"
    json .outcome told cancel "$running"
    counts_are "0 0 $left 3 1" # it failed, as cancelled, and the two after it have failed again
    json .outcome "too late" cancel "$running"
    prints "too late" cancel "$first"
    row "^$running .*cancelled with" dlq ls
    prints "1 dropped" dlq drop "$running"
    json '"\(.queue) \(.dropped)"' "default 1" dlq drop "$second"
    counts_are "0 0 $left 1 1"
    ask dlq show "$running"
    expect_code 2
    expect_err_has "(NOT_FOUND)"
    ! has results || json .state dead result "$running"
    json .retried 1 dlq retry --all
    counts_are "0 0 $left 1 1"
    prints "1 dropped" dlq drop --all
    prints "$left removed" purge default
    order call sleep 60 delay=600000
    prints removed cancel "$id"
    wait_for "$scratch/sent.log" "done $id CANCELLED" # whoever waits for it hears so at once
    prints "$((left > 0)) removed" purge default
    counts_are "0 0 0 0 1"
}

states_of_queues() {
    # paused: accepted, and not run
    json '"\(.queue) \(.state)"' "default paused" pause default
    order send retry 1 "$(has results && echo keep=60000)"
    kept=$id
    counts_are "1 0 0 0 $(has amqp && echo 0 || echo 1)"
    row "^default .* paused$" stats -q default
    prints "" resume default
    counts_are "0 0 0 0 1"
    if has results; then
        until_out 1 result "$kept" "${at[@]}"
        prints 1 result "$kept"
        json '"\(.state) \(.result)"' "done 1" result "$kept"
    fi
    prints "" pause default
    json '.[] | .state' paused stats -q default
    json .state open resume default

    # draining: nothing new, and what it holds is worked off
    order send sleep 60
    running=$id
    order send fail 3
    counts_are "1 1 0 0 1"
    json '"\(.queue) \(.state)"' "default draining" drain default
    row "^default .* draining$" stats -q default
    order send retry 1
    [ "$id" = BLOCKED ] || complain "a draining queue took a task: $id"
    prints told cancel "$running"
    counts_are "0 0 0 2 1"
    prints "" resume default
    prints "" drain default
    order send retry 1
    [ "$id" = BLOCKED ] || complain "a draining queue took a task: $id"
    prints "" resume default
    json .dropped 2 dlq drop --all

    # emptied
    order send sleep 60 delay=600000 "$(has results && echo keep=60000)"
    prints "1 removed" purge default
    ! has results || prints cancelled result "$id"
    order send sleep 60 delay=600000
    json '"\(.queue) \(.removed)"' "default 1" purge default
    counts_are "0 0 0 0 1"
}

what_is_refused() {
    if has limits; then
        prints "" limit default 2
        row "^default .* 2 +open$" stats -q default
        json '"\(.queue) \(.max_in_flight)"' "default 3" limit default 3
        json '.[] | .limit' 3 stats -q default
        json .max_in_flight null limit default 0
    else
        refused limits limit default 3
        refused limits limit default 3 --json
    fi
    if has dedup; then
        order send sleep 60 delay=600000 key=same
        order send sleep 60 delay=600000 key=same # accepted before: it is there once
        counts_are "0 0 1 0 1"
        json .removed 1 purge default
    else
        order send sleep 60 key=same
        [ "$id" = UNSUPPORTED ] || complain "a dedup key was taken: $id"
    fi
    if ! has results; then
        refused results result 00112233445566778899aabbccddeeff
        refused results result 00112233445566778899aabbccddeeff --json
        order send sleep 60 keep=60000
        [ "$id" = UNSUPPORTED ] || complain "a result to be kept was taken: $id"
    fi
    if has peers; then
        json 'length > 0' true peers
    else
        refused peers peers
    fi
    run topology print "${at[@]}"
    if has topology; then
        expect_code 0
        jq -e '.queues | length > 0' <<<"$out" >/dev/null || complain "$out"
    else
        expect_code 2
        expect_err_has topology
    fi
    row "^(ok|note) " doctor
    json 'length > 3 and all(.severity != "error")' true doctor
}
