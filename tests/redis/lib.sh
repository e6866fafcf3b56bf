#!/usr/bin/env bash
# lib.sh: what the redis tests share: private servers on free ports, each in a folder of its own, ended
# by their process id. A server that does not start fails the test.
. "${PATIO_SOURCE:?}/tests/cli/lib.sh" || exit 1
pids=()
# the shell would say of each that it was killed
trap '[ "$BASHPID" = $$ ] && { { kill -CONT "${pids[@]}"; kill -9 "${pids[@]}"; wait "${pids[@]}"; } 2>/dev/null; rm -rf "$scratch"; }' EXIT

# The program to test against, any Redis since 6.2 or Valkey; redis-cli is always the installed one.
REDIS_SERVER=${PATIO_REDIS_SERVER:-redis-server}
# 70015 for 7.0.15; nothing if there is none
server_version=$("$REDIS_SERVER" --version | sed -n 's/.* v=\([0-9]*\)\.\([0-9]*\)\.\([0-9]*\).*/\1 \2 \3/p' |
    while read -r major minor patch; do echo $((major * 10000 + minor * 100 + patch)); done)
[ -n "$server_version" ] || { echo "FAILED: $REDIS_SERVER is not a Redis server"; exit 1; }
debug_commands=()
[ "$server_version" -lt 70000 ] || debug_commands=(--enable-debug-command local)

# A port to try. Only the server that has bound it knows that it is free, so whoever starts one looks
# whether it did, and tries another. Below what the kernel gives to connections; a cluster's second
# port, 10000 above, is as well.
try_port() {
    port=$((10000 + RANDOM % 12000))
}

# started PID LOG WORDS: has it said so in its log, and does it answer at $port? 1: it has ended.
started() {
    for _ in $(seq 1200); do
        if grep -q "$3" "$2" 2>/dev/null; then
            case $(redis-cli -p "$port" ping 2>&1) in
            PONG | *NOAUTH* | *LOADING* | *MISCONF*) return 0 ;;
            esac
        fi
        kill -0 "$1" 2>/dev/null || return 1
        sleep 0.05
    done
    kill -9 "$1"
    return 1
}

# server NAME OPTION...: a server in the background; sets $port and $server (its process id), and $tls
# to the port that stands for the option @tls. With $port_wanted at that port.
server() {
    local name=$1 keep=${port_wanted-} log option
    shift
    mkdir -p "$scratch/$name"
    log=$scratch/$name.log
    for _ in $(seq 20); do
        try_port
        tls=$port
        try_port
        port=${keep:-$port}
        local options=()
        for option in "$@"; do options+=("${option/#@tls/$tls}"); done
        rm -f "$log"
        "$REDIS_SERVER" --port "$port" --bind 127.0.0.1 --dir "$scratch/$name" --save "" --daemonize no \
            "${debug_commands[@]}" --logfile "$log" "${options[@]}" >"$scratch/$name.out" 2>&1 &
        server=$!
        if started "$server" "$log" "Server initialized"; then
            pids+=("$server")
            return 0
        fi
    done
    complain "$REDIS_SERVER $name did not start" "$(tail -n 5 "$log" "$scratch/$name.out" 2>&1)"
    finish
}

# sentinel NAME MASTER-PORT: watches over the master "tasks"; sets $port.
sentinel() {
    local name=$1 master=$2
    mkdir -p "$scratch/$name"
    for _ in $(seq 20); do
        try_port
        rm -f "$scratch/$name.log"
        cat >"$scratch/$name.conf" <<C
port $port
bind 127.0.0.1
dir $scratch/$name
logfile $scratch/$name.log
sentinel monitor tasks 127.0.0.1 $master 2
sentinel down-after-milliseconds tasks 3000
sentinel failover-timeout tasks 5000
C
        "$REDIS_SERVER" "$scratch/$name.conf" --sentinel >/dev/null 2>&1 &
        server=$!
        if started "$server" "$scratch/$name.log" "Sentinel ID is"; then
            pids+=("$server")
            return 0
        fi
    done
    complain "sentinel $name did not start" "$(tail -n 5 "$scratch/$name.log" 2>&1)"
    finish
}

# cli COMMAND...: at the server of $port
cli() {
    redis-cli -p "$port" "$@"
}

# worker LOG URL OPTION...: in the background, ready when this returns; its process id is $worker.
worker() {
    local log=$1 url=$2
    shift 2
    LAST="patio worker -b $url $*"
    "$PATIO" worker -b "$url" "$@" 2>"$log" &
    worker=$!
    pids+=("$worker")
    wait_for "$log" "ready: project" || finish
}

# call_is RESULT URL TASK ARGUMENT...
call_is() {
    local expected=$1 url=$2
    shift 2
    run call -b "$url" "$@"
    expect_code 0
    expect_out "$expected"
}

# until_true WHAT COMMAND...: until the command succeeds, at most ${patience:-60} seconds
until_true() {
    local what=$1
    shift
    for _ in $(seq $((${patience:-60} * 20))); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.05
    done
    complain "it never came to pass: $what"
    return 1
}

# ledger_worker URL LOG: in the background, ready when this returns; $worker is its process id.
ledger_worker() {
    LAST="ledger work $1"
    : >"$2.ready"
    "$LEDGER" work "$1" "$2" >"$2.ready" 2>>"$2.err" &
    worker=$!
    pids+=("$worker")
    wait_for "$2.ready" ready || { cat "$2.err"; finish; }
}

# all_done LOG: has every accepted task of the ledger ended?
all_done() {
    [ "$(open_tasks "$1" | wc -l)" = 0 ]
}
open_tasks() {
    comm -23 <(sed -n 's/^accepted \([0-9]*\).*/\1/p' "$1" | sort -u) <(sed -n 's/^end \([0-9]*\).*/\1/p' "$1" | sort -u)
}
# more_than_once LOG: numbers of tasks that were started twice or more
more_than_once() {
    sed -n 's/^start \([0-9]*\).*/\1/p' "$1" | sort | uniq -d
}
count_of() {
    grep -c "^$2 " "$1"
}
expect_all_done() {
    patience=${2:-60} until_true "every accepted task ends" all_done "$1" ||
        complain "not done: $(open_tasks "$1" | head -5 | tr '\n' ' ')" "$(cli xlen 'patio:{default:default}:s:4')"
    ! grep -q '^wrong' "$1" || complain "a reply reached another caller"
}
