#!/usr/bin/env bash
# What workers ask the server for: next to nothing while they wait, whatever they wait for; less than three
# commands for a task while they work, those inside of scripts counted. Nobody polls: under a limit a worker
# is told when it is worth to look, and no word of that is lost.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1
export PATIO_LOG_LEVEL=error

# sent: commands of workers so far. Those that only scripts use are left out; XREADGROUP counts in both.
sent() {
    cli info commandstats | tr -d '\r' |
        awk -F'[:=,]' '/^cmdstat_(eval|evalsha|xreadgroup|xread|xrange|xclaim|ping|set|client|script)[|:]/ { n += $3 } END { print n + 0 }'
}
all() {
    cli info commandstats | tr -d '\r' | awk -F'[:=,]' '/^cmdstat_(info|config|ping)/ { next } { n += $3 } END { print n + 0 }'
}

# idle WHAT WORKERS: ten seconds of it
idle() {
    local before after most=$((10 * $2))
    before=$(sent)
    sleep 10 # the time that is measured
    after=$(sent)
    [ $((after - before)) -le "$most" ] || complain "$1: $2 workers sent $((after - before)) commands in 10 s"
    echo "$1: $((after - before)) commands of $2 workers in 10 s"
}

server idle
url="redis://127.0.0.1:$port"
ledger_worker "$url" log
first=$worker
ledger_worker "$url" log
second=$worker
"$LEDGER" send "$url" log 0 4 0
expect_all_done log
idle "nothing to do" 2

"$PATIO" limit -b "$url" default 1 || complain "no limit"
"$LEDGER" send "$url" log 10 4 0
expect_all_done log
idle "nothing to do, with a limit" 2

# One works, the other has to wait for its place; three tasks wait with it.
"$LEDGER" send "$url" log 20 4 11000 &
sender=$!
until_true "one works" grep -q '^start 20' log
wait "$sender"
idle "a limit that is reached" 2
kill "$first" "$second"
wait "$first" "$second" 2>/dev/null
"$PATIO" purge -b "$url" default >/dev/null
"$PATIO" limit -b "$url" default 0

# Signs of life are minutes apart, so whoever were forgotten would wait as long.
slow="$url?lease_ms=600000"
workers=()
for _ in 1 2 3; do
    ledger_worker "$slow" limited
    workers+=("$worker")
done
"$PATIO" limit -b "$url" default 2
"$LEDGER" send "$slow" limited 0 2000 0
expect_all_done limited
[ -z "$(more_than_once limited)" ] || complain "some ran twice"
# one at a time, so that nothing else wakes a worker
for n in $(seq 3000 3020); do
    "$LEDGER" send "$slow" limited "$n" 1 0
    patience=20 until_true "task $n is done" grep -q "^end $n " limited || break
done

# A pause, and its end, are heard at once.
"$PATIO" limit -b "$url" default 0
"$PATIO" pause -b "$url" default
idle "paused" 3
"$LEDGER" send "$slow" limited 4000 20 0
"$PATIO" resume -b "$url" default
patience=20 expect_all_done limited 20

# Busy: all that the server does, for each task sent, done and settled.
before=$(all)
"$LEDGER" send "$slow" limited 10000 20000 0
expect_all_done limited
per_task=$((($(all) - before) * 100 / 20000))
echo "busy: $per_task hundredths of a command for a task"
[ "$per_task" -le 300 ] || complain "$per_task hundredths of a command for a task"
finish
