#!/usr/bin/env bash
# SIGHUP to `patio worker`: children are replaced under load by such that load the module anew. Every
# call has its result; a module that cannot be loaded, or has other tasks, changes nothing.
. "$PATIO_SOURCE/tests/tcp/lib.sh"
: "${PATIO_RELOAD_MODULES:?folder with versions of the module}" "${PATIO_RELOAD_LOAD:?path of the load}"
: "${PATIO_LISTEN:?path of the listener}"
url=unix://$scratch/socket

# As it is deployed: written beside it, then renamed.
deploy() {
    cp "$1" "$scratch/tasks.new" && mv -f "$scratch/tasks.new" "$scratch/tasks.so"
}

count() {
    grep -c -- "$2" "$1"
}

# after_hup TEXT: SIGHUP, then wait until the log has TEXT once more.
after_hup() {
    local before
    before=$(count worker.log "$1")
    kill -HUP "$worker"
    for _ in $(seq 1200); do
        [ "$(count worker.log "$1")" -gt "$before" ] && return
        sleep 0.05
    done
    complain "after SIGHUP the log never said: $1" "$(<worker.log)"
}

# Whoever is asked now is of that version.
all_are() {
    for _ in 1 2 3 4 5 6; do
        call_is "$1" "$url" version
    done
}

"$PATIO_LISTEN" "$scratch/notify" >notify.log &
listener=$!
pids+=("$listener")
wait_for notify.log listening
deploy "$PATIO_RELOAD_MODULES/v1.so"
LAST="patio worker with executor process"
NOTIFY_SOCKET=$scratch/notify "$PATIO" worker -b "unix+listen://$scratch/socket" -m "$scratch/tasks.so" \
    -x process -j 3 2>worker.log &
worker=$!
pids+=("$worker")
wait_for worker.log "ready: project" || finish

mkfifo gate
"$PATIO_RELOAD_LOAD" "$url" <gate >load.log 2>load.err &
load=$!
pids+=("$load")
exec 9>gate
"$PATIO" call -b "$url" lasts 3000 >lasts.out 2>lasts.err &
lasts=$!
all_are 1

# one after the other, and while another is under way
for version in 2 3 2 3; do
    deploy "$PATIO_RELOAD_MODULES/v$version.so"
    after_hup 'reload: done'
    all_are "$version"
done
for version in 1 2 1 2 3; do
    deploy "$PATIO_RELOAD_MODULES/v$version.so"
    kill -HUP "$worker"
done
deploy "$PATIO_RELOAD_MODULES/v4.so"
after_hup 'reload: [0-9]* child processes are replaced'
while [ "$(grep -E 'reload: (done|[0-9]+ child)' worker.log | tail -1 | grep -c 'done')" = 0 ]; do
    sleep 0.05
done
all_are 4

# began in a child that was replaced meanwhile, and ended there
wait "$lasts" || complain "the task that lasts had no result" "$(<lasts.err)"
[ "$(<lasts.out)" = 1 ] || complain "the task that lasts returned $(<lasts.out), expected 1"

# what cannot be loaded, and what has other tasks
echo broken >"$scratch/broken"
deploy "$scratch/broken"
after_hup 'reload given up, 3 of 3 child processes go on'
grep 'reload given up' worker.log | grep -q 'tasks.so' || complain "no reason" "$(<worker.log)"
all_are 4
deploy "$PATIO_RELOAD_MODULES/other.so"
after_hup 'reload given up, .* has another registry: 3 tasks there, 2 here'
all_are 4

# a new child comes before an old one goes, however long it takes
deploy "$PATIO_RELOAD_MODULES/slow5.so"
after_hup 'reload: done'
all_are 5

exec 9>&-
LAST="calls under load"
wait "$load" || complain "calls without a result" "$(<load.err)"
value() { sed -n "s/^$1 //p" load.log; }
[ "$(value without-result)" = 0 ] || complain "$(<load.log)"
[ "$(value gap-ms)" -lt 2000 ] || complain "for longer than a child loads no call ended" "$(<load.log)"
for version in 1 2 3 4 5; do
    [ "$(value version-$version)" -gt 0 ] || complain "version $version never ran" "$(<load.log)"
done
tr '\n' ' ' <load.log
echo

LAST="what systemd hears"
wait_for notify.log 'RELOADING=1|MONOTONIC_USEC='
[ "$(count notify.log READY=1)" -gt 5 ] || complain "ready was not said anew" "$(<notify.log)"
kill -TERM "$worker"
wait "$worker" || complain "the worker did not drain" "$(<worker.log)"

# threads have nothing to reload
worker two.log tcp+listen://127.0.0.1:0
kill -HUP "$worker"
wait_for two.log 'nothing to reload, restart the worker'
call_is 42 "tcp://127.0.0.1:$(port_of two.log)" mul 6 7
kill -TERM "$worker"
wait "$worker" || complain "the worker did not drain after SIGHUP" "$(<two.log)"
finish
