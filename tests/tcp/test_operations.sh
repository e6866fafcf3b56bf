#!/usr/bin/env bash
# What looks after queues, tasks and workers, with real processes: a sender that holds tasks, a
# worker, and the command; whoever of them listens.
. "$(dirname "$0")/lib.sh"
has_transport tcp || skip "the tcp transport is not built"

# sender URL: in the background, reads from fd 9; what it prints is in sent.log.
sender() {
    rm -f "$scratch/orders"
    mkfifo "$scratch/orders"
    "$SENDER" "$1" <"$scratch/orders" >"$scratch/sent.log" 2>"$scratch/sender.err" &
    pids+=($!)
    sender=$!
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

# count FIELD: of the queue "default".
counts_are() {
    for _ in $(seq 100); do
        run stats "${at[@]}" --json
        now=$(jq -r '.[] | select(.queue == "default") | "\(.ready) \(.leased) \(.delayed) \(.dead) \(.consumers)"' \
            <<<"$out" 2>/dev/null)
        [ "$now" != "$1" ] || return
        sleep 0.2
    done
    complain "counts are $now, expected $1" "$out" "$err"
}

# all_of_them: each command through the addresses of "at", with one sender and one worker. Whether
# it goes to one of them or through the other is one way more, not another one.
all_of_them() {
    # who works
    until_out '"tasks_total"' workers "${at[@]}" --json
    LAST="patio workers"
    [ "$(jq length <<<"$out")" = 1 ] || complain "not one worker: $out"
    run ping "${at[@]}"
    expect_code 0
    expect_out_has "answered in"
    expect_out_has "1 worker"

    # counts, and cancelling what runs, what waits for its time, what is over
    order send sleep 60
    running=$id
    counts_are "0 1 0 0 1"
    order send sleep 60 delay=600000
    delayed=$id
    counts_are "0 1 1 0 1"
    order send sleep 60
    waiting=$id
    counts_are "1 1 1 0 1"
    run result "$running" "${at[@]}"
    expect_out running
    run result "$waiting" "${at[@]}"
    expect_out queued
    run cancel "$delayed" "${at[@]}"
    expect_code 0
    expect_out removed
    run cancel "$waiting" "${at[@]}"
    expect_out removed
    run result "$waiting" "${at[@]}"
    expect_out cancelled
    order send sleep 60 ttl=100
    counts_are "0 1 0 1 1" # too late to be started
    run dlq ls "${at[@]}"
    expect_out_has expired
    run dlq drop "$id" "${at[@]}"
    run result "$id" "${at[@]}"
    expect_out dead
    run cancel "$running" "${at[@]}"
    expect_out told
    counts_are "0 0 0 1 1" # it failed, as cancelled, and nobody waited for it
    run cancel "$running" "${at[@]}"
    expect_out "too late"
    order call sleep 60 delay=600000
    run cancel "$id" "${at[@]}"
    expect_out removed
    wait_for "$scratch/sent.log" "done $id CANCELLED"

    # dead letters
    run dlq ls "${at[@]}"
    expect_code 0
    expect_out_has "cancelled with"
    run dlq show "$running" "${at[@]}"
    expect_code 0
    expect_out_has sleep
    expect_out_has 60
    run dlq drop "$running" "${at[@]}"
    expect_out "1 dropped"
    run dlq show "$running" "${at[@]}"
    expect_code 2
    expect_err_has "no such dead letter"
    order send fail 1
    order send fail 2
    counts_are "0 0 0 2 1"
    run dlq ls "${at[@]}" --json
    LAST="patio dlq ls"
    [ "$(jq -r '.[1].id' <<<"$out")" = "$id" ] || complain "not the oldest first: $out"
    run dlq ls "${at[@]}" --limit 1 --json
    [ "$(jq length <<<"$out")" = 1 ] || complain "not one: $out"
    run dlq retry "$id" "${at[@]}"
    expect_out "1 back in the queue"
    counts_are "0 0 0 2 1" # it failed again
    run dlq retry --all "${at[@]}"
    expect_out "2 back in the queue"
    counts_are "0 0 0 2 1"
    run dlq drop --all "${at[@]}"
    expect_out "2 dropped"

    # pausing: accepted, not run
    run pause default "${at[@]}"
    expect_code 0
    order send retry 1 keep=60000
    counts_are "1 0 0 0 1"
    run stats "${at[@]}"
    expect_out_has paused
    run resume default "${at[@]}"
    expect_code 0
    counts_are "0 0 0 0 1"
    until_out 1 result "$id" "${at[@]}"
    expect_code 0
    expect_out 1
    kept=$id

    # draining: nothing new
    run drain default "${at[@]}"
    expect_code 0
    order send retry 1
    [ "$id" = BLOCKED ] || complain "a draining queue took a task: $id"
    run resume default "${at[@]}"

    # purging, and dedup keys
    order send sleep 60 delay=600000 key=same
    order send sleep 60 delay=600000 key=same # accepted before: it is there once
    counts_are "0 0 1 0 1"
    run purge default "${at[@]}"
    expect_code 0
    expect_out "1 removed"
    counts_are "0 0 0 0 1"

    run limit default 3 "${at[@]}"
    expect_code 2
    expect_err_has limits
    run doctor "${at[@]}"
    expect_code 0
    expect_out_has durability
    expect_out_has "0 of 3 processes"
}

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
exec 9>&-
kill -9 "$sender" "$worker"
wait "$sender" "$worker" 2>/dev/null

# The worker listens: sender and command go to it, and know nothing of each other.
worker w2.log tcp+listen://127.0.0.1:0 -j 1
at=(-b "tcp://127.0.0.1:$(port_of w2.log)")
sender "${at[1]}"
all_of_them

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
