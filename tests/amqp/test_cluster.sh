#!/usr/bin/env bash
# Three nodes in one cluster, all of them in one URL: under load the leader of the queue is stopped, and then a
# node is killed. What was accepted is done, by the ledger of tests/storm, and nobody is restarted but nodes.
. "$(dirname "$0")/lib.sh"
: "${STORM:?}"
own_server
nodes=("$own" "$scratch/rabbit2" "$scratch/rabbit3")
stop_nodes() {
    [ "${#pids[@]}" = 0 ] || kill -9 "${pids[@]}" 2>/dev/null
    for dir in "${nodes[@]}"; do bash "$rabbit" stop "$dir"; done
    end_all
}
trap '[ "$BASHPID" = $$ ] && stop_nodes' EXIT
for dir in "${nodes[@]:1}"; do
    bash "$rabbit" join "$dir" "$own" || { complain "no cluster"; finish; }
done
# where N: host and port of a node
where() {
    echo "127.0.0.1:$(. "${nodes[$1]}/env" && echo "$port")"
}
quick="reconnect_max_ms=200&heartbeat_ms=2s&enqueue_ms=2s"
# hosts N: all of them, that one first
hosts() {
    echo "$(where "$1"),$(where $((($1 + 1) % 3))),$(where $((($1 + 2) % 3)))"
}

# The load: one who sends and calls, three workers, each on a node of its own.
mkdir load
"$STORM" front "amqp://$(hosts 0)/?$quick&queue_type=quorum" load 10000000 4000000 0 200 2>front.log &
front=$!
workers=()
for n in 0 1 2; do
    "$STORM" work "amqp://$(hosts $n)/?$quick&queue_type=quorum" load 4 2>"work$n.log" &
    workers+=($!)
done
pids+=("$front" "${workers[@]}")
done_by() {
    cat "load/ledger.worker.${workers[$1]}" 2>/dev/null | grep -c '^F'
}
# progress WHAT: each worker has ended more runs
progress() {
    local n before=()
    LAST="$1"
    for n in 0 1 2; do before+=("$(done_by "$n")"); done
    for n in 0 1 2; do
        for _ in $(seq 900); do
            now=$(done_by "$n")
            [ "$now" -ge $((before[n] + 50)) ] && continue 2
            kill -0 "$front" 2>/dev/null || break
            sleep 0.1
        done
        complain "worker $n does no work any more" "$(tail -n 3 front.log "work$n.log")"
        finish
    done
}
# leader: the number of the node that leads the queue
leader() {
    local name n
    for _ in $(seq 50); do
        name=$(ctl list_queues name leader 2>/dev/null | awk '$1 == "patio:storm:default" { print $2 }')
        for n in 0 1 2; do
            [ "$name" = "n$(. "${nodes[$n]}/env" && echo "$port")@localhost" ] && { echo "$n"; return; }
        done
        sleep 0.2
    done
}
progress "the start"
first=$(leader)
[ -n "$first" ] || complain "nobody leads the queue"
fault bash "$rabbit" stop "${nodes[$first]}"
server=${nodes[$(((first + 1) % 3))]}
progress "the leader, node $first, is stopped"
second=$(leader)
[ -n "$second" ] && [ "$second" != "$first" ] || complain "who leads after node $first? $second"
fault bash "$rabbit" again "${nodes[$first]}" || complain "node $first did not come back"
progress "node $first is back"
fault bash "$rabbit" kill "${nodes[$second]}"
server=${nodes[$first]}
progress "the leader, node $second, is killed"
fault bash "$rabbit" again "${nodes[$second]}" || complain "node $second did not come back"
progress "node $second is back"
touch load/enough
wait "$front" || complain "who sends: $(tail -n 3 front.log)"
kill -TERM "${workers[@]}"
wait "${workers[@]}" || complain "a worker ended with an error: $(tail -n 3 work?.log)"
LAST="the ledger"
"$STORM" check load 3 4 50 || complain "it is not clean"

# A classic queue is on one node. When that stops, the broker cancels the consumers that have it through
# others; they subscribe again when it is back, and what waited is done.
p=alone
a="amqp://$(where 0)?$quick" b="amqp://$(where 1)?$quick"
run send -b "$a" -p $p mul 1 1
expect_code 0
worker alone.log "$b" -p $p
call_is 42 "$b" -p $p mul 6 7
bash "$rabbit" stop "${nodes[0]}"
wait_for alone.log "cancelled the consumer of patio:$p:default"
run send -b "$b" -p $p mul 1 1
[ "$code" != 0 ] || complain "a send to a queue whose node is down was accepted"
expect_err_has "UNREACHABLE"
expect_err_has "home node"
bash "$rabbit" again "${nodes[0]}" || complain "node 0 did not come back"
call_is 56 "$b" -p $p --timeout 60s mul 7 8
kill -0 "$worker" || complain "the worker has ended"
finish
