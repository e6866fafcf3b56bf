#!/usr/bin/env bash
# lib.sh: what the amqp tests share, on top of what the command's tests share.
. "$PATIO_SOURCE/tests/cli/lib.sh"
rabbit=$PATIO_SOURCE/tests/support/rabbitmq.sh
pids=()
own=
export port="" tls_port=""
end_all() {
    [ "${#pids[@]}" = 0 ] || kill -9 "${pids[@]}" 2>/dev/null
    [ -z "$own" ] || bash "$rabbit" stop "$own"
    rm -rf "$scratch"
}
trap '[ "$BASHPID" = $$ ] && end_all' EXIT

# own_server [tls]: one of this test's own: $port, $tls_port, ctl WORDS...
own_server() {
    own=$scratch/rabbit
    bash "$rabbit" start "$own" "$@" || { complain "no RabbitMQ"; finish; }
    . "$own/env"
    server=$own
}
shared_server() {
    . "$PATIO_AMQP_SERVER/env"
    server=$PATIO_AMQP_SERVER
}
ctl() {
    bash "$rabbit" ctl "$server" "$@"
}

# worker LOG URL OPTION...: in the background, ready when this returns; its process id is $worker.
worker() {
    local log=$1 url=$2
    shift 2
    LAST="patio worker -b $url $*"
    "$PATIO" worker -b "$url" -m demo "$@" 2>"$log" &
    worker=$!
    pids+=("$worker")
    wait_for "$log" "ready: project" || finish
}

# fails_with STATUS DEADLINE_MS WORD...: `patio WORD...` ends with that status by that deadline, and a slack for a
# machine that has other work.
fails_with() {
    local status=$1 deadline=$2 from took
    shift 2
    from=$(date +%s%3N)
    run "$@"
    took=$(($(date +%s%3N) - from))
    [ "$code" != 0 ] || complain "it was no error"
    expect_err_has "($status)"
    [ "$took" -le $((deadline + 4000)) ] || complain "said after $took ms, the deadline was $deadline ms"
}

# fault WORD...: a command that hits all workers, noted as such in load/faults, for the ledger of tests/storm
fault() {
    local begin code
    begin=$(awk '{ printf "%d", $1 * 1000 }' /proc/uptime)
    "$@"
    code=$?
    echo "command 0 $begin $(awk '{ printf "%d", $1 * 1000 }' /proc/uptime)" >>load/faults
    return $code
}

# call_is RESULT URL TASK ARGUMENT...
call_is() {
    local expected=$1 url=$2
    shift 2
    run call -b "$url" "$@"
    expect_code 0
    expect_out "$expected"
}

# messages QUEUE: how many are there, by rabbitmqctl
messages() {
    ctl list_queues name messages 2>/dev/null | awk -v q="$1" '$1 == q { print $2 }'
}

# await_messages QUEUE NUMBER
await_messages() {
    for _ in $(seq 20); do
        [ "$(messages "$1")" = "$2" ] && return 0
        sleep 0.2
    done
    complain "$1 has $(messages "$1") messages, expected $2"
}
