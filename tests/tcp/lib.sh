#!/usr/bin/env bash
# lib.sh: what the tcp tests share, on top of what the command's tests share.
. "$PATIO_SOURCE/tests/cli/lib.sh"
pids=()
trap '[ "$BASHPID" = $$ ] && { kill -9 "${pids[@]}" 2>/dev/null; rm -rf "$scratch"; }' EXIT

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

# The port that a worker on port 0 was given.
port_of() {
    sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$1" | head -1
}

# call_is RESULT URL TASK ARGUMENT...
call_is() {
    local expected=$1 url=$2
    shift 2
    run call -b "$url" "$@"
    expect_code 0
    expect_out "$expected"
}

free_port() {
    worker free.log tcp+listen://127.0.0.1:0
    # shellcheck disable=SC2034 # for the test that asked
    port=$(port_of free.log)
    kill -9 "$worker"
    wait "$worker" 2>/dev/null
}

# sums_are FAMILY CONNECTIONS: in $out; those that are there have carried bytes.
sums_are() {
    jq -e --arg f "$1" --argjson n "$2" \
        '.families[$f] | (.connections == $n) and ((.bytes_in > 0) == ($n > 0)) and ((.bytes_out > 0) == ($n > 0))' \
        <<<"$out" >/dev/null || complain "$1: not $2: $out"
}

# family_has FAMILY CONDITION: soon, of what the doctor says at "${at[@]}": open, opened, failed, limited, in, out.
family_has() {
    local words
    for _ in $(seq 100); do
        # shellcheck disable=SC2154 # what to connect to is the test's
        run doctor "${at[@]}"
        words=$(sed -n "s/^ *[a-z]* *connections: $1: //p" <<<"$out")
        # shellcheck disable=SC2034 # the condition has them
        read -r open opened failed limited in out_bytes <<<"$(tr -cs '0-9' ' ' <<<"$words")"
        [ -n "$words" ] && (($2)) && return
        sleep 0.1
    done
    complain "$1 never had $2: $out"
}

# lacks WHAT: skip, unless this is root, who can do all of it: then that it cannot is to be seen.
lacks() {
    [ "$(id -u)" = 0 ] && [ -z "${PATIO_TEST_NO_NAMESPACES-}" ] || skip "$1"
    LAST=$1
    complain "as root this must be possible; PATIO_TEST_NO_NAMESPACES=1 leaves this test out"
    finish
}
