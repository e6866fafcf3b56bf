#!/usr/bin/env bash
# A server that is killed and comes back with nothing: what it had is gone, which its level said; pending
# calls end by their deadline, and all goes on with new groups and new scripts, without a restart of ours.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1
server forgetful
url="redis://127.0.0.1:$port?lease_ms=1000&reconnect_max_ms=300"
worker w.log "$url" -m demo -j 2
call_is 42 "$url" mul 6 7
"$PATIO" call -b "$url" --timeout 4s sleep 60 >pending 2>&1 &
caller=$!
pids+=("$caller")
until_true "it runs" sh -c "[ \$(redis-cli -p $port xlen 'patio:{default:default}:s:4') = 1 ]"
kill -9 "$server"
wait "$server" 2>/dev/null
port_wanted=$port server forgetful
patience=30 until_true "the group is there again" sh -c "redis-cli -p $port exists 'patio:{default:default}:s:4' | grep -q 1 || '$PATIO' call -b '$url' --timeout 5s mul 1 1"
call_is 56 "$url" --timeout 20s mul 7 8
wait "$caller" && complain "a call whose task is lost was answered: $(<pending)"
grep -qE 'TIMEOUT|PEER_LOST|CRASHED' pending || complain "the caller was told: $(<pending)"
run stats -b "$url" -q default --json
[ "$(jq -r '.. | .ready? // empty' <<<"$out" | head -1)" = 0 ] || complain "something is left: $out"
finish
