#!/usr/bin/env bash
# What operators do to a broker, while work goes on: connections closed, alarms, rights taken away. What
# was accepted is done, by the ledger of tests/storm, and nobody is restarted.
. "$(dirname "$0")/lib.sh"
: "${STORM:?}"
own_server
url="amqp://guest:guest@127.0.0.1:$port/?reconnect_max_ms=200&heartbeat_ms=2s&enqueue_ms=2s"

# Load, until `enough` says so: one who sends and calls, two workers, each with a ledger.
mkdir load
"$STORM" front "$url" load 10000000 4000000 0 500 2>front.log &
front=$!
workers=()
for n in 1 2; do
    "$STORM" work "$url" load 4 2>"work$n.log" &
    workers+=($!)
done
pids+=("$front" "${workers[@]}")

# progress: at least 200 more runs have ended, so all is well again
done_now() {
    cat load/ledger.worker.* 2>/dev/null | grep -c '^F'
}
progress() {
    local from
    from=$(done_now)
    for _ in $(seq 600); do
        [ "$(done_now)" -ge $((from + 200)) ] && return 0
        kill -0 "$front" 2>/dev/null || break
        sleep 0.1
    done
    complain "no work is done any more after: $1" "$(tail -3 front.log work1.log work2.log)"
    finish
}
progress "the start"

# Fifty times the connections of everybody are closed from the management side, as soon as the workers
# are back: one evaluation in the broker, for each rabbitmqctl takes a second to come up.
LAST="close all connections, ${PATIO_CLOSES:-50} times"
fault ctl eval "
Consumers = fun() ->
    length([C || C <- rabbit_amqqueue:consumers_all(<<\"/\">>),
                 element(2, lists:keyfind(queue_name, 1, C)) =:=
                     rabbit_misc:r(<<\"/\">>, queue, <<\"patio:storm:default\">>)]) end,
Await = fun Again(0) -> throw(workers_do_not_come_back);
            Again(N) -> case Consumers() of 2 -> ok; _ -> timer:sleep(20), Again(N - 1) end end,
Close = fun Again(0) -> closed;
            Again(N) -> Await(3000),
                        [catch rabbit_networking:close_connection(P, \"test\")
                         || P <- rabbit_networking:connections()],
                        Again(N - 1) end,
Close(${PATIO_CLOSES:-50})." >closes 2>&1
grep -q closed closes || complain "$(<closes)"
progress "closed connections"

# Alarms: tasks on their way are finished, callers are told by name, all goes on when it is over.
# alarm WHAT ON OFF: words for rabbitmqctl
alarm() {
    local what=$1 on=$2 off=$3
    LAST="$what alarm"
    # shellcheck disable=SC2086 # words
    ctl $on || complain "the alarm was not set"
    for _ in $(seq 100); do
        run send -b "$url" -p alarm nothing
        [ "$code" != 0 ] && break
    done
    expect_err_has "(BLOCKED)"
    expect_err_has "$what"
    # the broker reads no more of a large one than fits: the rest stays with us, the call does not
    LAST="a send of 8 MB in the $what alarm"
    head -c 8000000 /dev/zero | timeout 60 "$PATIO" send -b "$url" -p alarm -o max_body_bytes=16MiB \
        --timeout 3s --stdin nothing >large 2>&1
    code=$?
    [ "$code" != 0 ] && [ "$code" -lt 124 ] || complain "it ended with $code: $(<large)"
    # shellcheck disable=SC2086
    ctl $off
    progress "the $what alarm"
}
fault alarm disk "set_disk_free_limit 1000000000000000" "set_disk_free_limit 50MB"
fault alarm memory "set_vm_memory_high_watermark 0.000001" "set_vm_memory_high_watermark absolute 1GB"

# Rights are taken away: what was allowed on a connection that is there the broker may still allow, on
# a new one nothing. Given back, all goes on.
no_rights() {
    LAST="clear_permissions"
    ctl clear_permissions guest
    ctl close_all_connections "rights" >/dev/null
    wait_for work1.log "refused for user"
    ctl set_permissions guest '.*' '.*' '.*'
    progress "the rights are back"
}
fault no_rights

touch load/enough
wait "$front" || complain "who sends: $(tail -3 front.log)"
kill -TERM "${workers[@]}"
wait "${workers[@]}" || complain "a worker ended with an error: $(tail -3 work1.log work2.log)"
LAST="the ledger"
"$STORM" check load 2 4 10 || complain "it is not clean"
finish
