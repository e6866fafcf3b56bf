#!/usr/bin/env bash
# lib.sh: what the redis tests share: private servers on free ports, each in a folder of its own, ended
# by their process id. A server that does not start fails the test.
. "${PATIO_SOURCE:?}/tests/cli/lib.sh" || exit 1
pids=()
trap '[ "$BASHPID" = $$ ] && { kill -CONT "${pids[@]}" 2>/dev/null; kill -9 "${pids[@]}" 2>/dev/null; rm -rf "$scratch"; }' EXIT

# A port that nobody listens on now; a server that finds it taken all the same is started anew.
free_port() {
    for _ in $(seq 200); do
        port=$((20000 + RANDOM % 20000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
    done
    complain "no free port"
    finish
}

# server NAME OPTION...: a redis-server in the background; sets $port and $server (its process id).
server() {
    local name=$1 keep=${port_wanted-}
    shift
    mkdir -p "$scratch/$name"
    for _ in 1 2 3 4 5; do
        if [ -n "$keep" ]; then port=$keep; else free_port; fi
        redis-server --port "$port" --bind 127.0.0.1 --dir "$scratch/$name" --save "" --daemonize no \
            --enable-debug-command local --logfile "$scratch/$name/log" "$@" >/dev/null 2>&1 &
        server=$!
        pids+=("$server")
        for _ in $(seq 200); do
            case $(redis-cli -p "$port" ping 2>&1) in
            PONG | *NOAUTH* | *LOADING* | *MISCONF*) return 0 ;;
            esac
            kill -0 "$server" 2>/dev/null || break
            sleep 0.02
        done
    done
    complain "redis-server $name did not start" "$(tail -n 5 "$scratch/$name/log")"
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

# until_true WHAT COMMAND...: until the command succeeds, at most ${patience:-10} seconds
until_true() {
    local what=$1
    shift
    for _ in $(seq $((${patience:-10} * 20))); do
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
    patience=${2:-20} until_true "every accepted task ends" all_done "$1" ||
        complain "not done: $(open_tasks "$1" | head -5 | tr '\n' ' ')" "$(cli xlen 'patio:{default:default}:s:4')"
    ! grep -q '^wrong' "$1" || complain "a reply reached another caller"
}
