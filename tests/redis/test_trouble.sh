#!/usr/bin/env bash
# A server that does not do what it is asked for: each condition has its name, by the deadline, and
# passes without a restart.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1

server plain
url="redis://127.0.0.1:$port?enqueue_wait_ms=500&reconnect_max_ms=300&lease_ms=2000"
worker trouble.log "$url" -m demo

# Out of memory: what is running ends, new tasks are refused by name.
run send -b "$url" sleep 1
cli config set maxmemory 1 >/dev/null
run send -b "$url" mul 6 7
[ "$code" != 0 ] || complain "a task was taken by a server without memory"
expect_err_has OOM
expect_err_has BLOCKED
until_true "the running task ends" sh -c "[ \$(redis-cli -p $port xlen 'patio:{default:default}:s:4') = 0 ]"
cli config set maxmemory 0 >/dev/null
call_is 42 "$url" mul 6 7

# A replica for a while.
cli replicaof 127.0.0.1 1 >/dev/null
run send -b "$url" mul 6 7
expect_err_has READONLY
cli replicaof no one >/dev/null
call_is 42 "$url" mul 6 7

# A script that does not end.
redis-cli -p "$port" config set lua-time-limit 100 >/dev/null
redis-cli -p "$port" eval 'while true do end' 0 >/dev/null 2>&1 &
pids+=($!)
until_true "the script runs" sh -c "redis-cli -p $port get x | grep -q BUSY"
run send -b "$url" mul 6 7
expect_err_has BUSY
cli script kill >/dev/null
call_is 42 "$url" mul 6 7

# Eviction is refused, and allowed by name.
cli config set maxmemory-policy allkeys-lru >/dev/null
run call -b "$url" mul 6 7
expect_err_has maxmemory-policy
expect_err_has noeviction
call_is 42 "$url&allow_eviction=true" mul 6 7
cli config set maxmemory-policy noeviction >/dev/null

# Nobody listens: said within the time to connect.
run call -b "redis://127.0.0.1:1" --timeout 1s mul 6 7
expect_err_has UNREACHABLE

# A password that is wrong, one that is right, rights that are taken away and given back.
cli acl setuser patio on '>secret' '~patio:*' '+@all' '-@dangerous' '+info' >/dev/null
user="redis://patio:secret@127.0.0.1:$port?enqueue_wait_ms=500&reconnect_max_ms=300"
run call -b "redis://patio:wrong@127.0.0.1:$port" mul 6 7
expect_err_has AUTH
case $err in *wrong@*) complain "a password was printed: $err" ;; esac
call_is 42 "$user" mul 6 7
cli acl setuser patio '-@all' >/dev/null
run send -b "$user" mul 6 7
expect_err_has AUTH
cli acl setuser patio '+@all' '-@dangerous' '+info' >/dev/null
call_is 42 "$user" mul 6 7

# Entries that are none of ours: kept, with the reason, and the work goes on.
before=$(cli xlen 'patio:{default:default}:x')
cli xadd 'patio:{default:default}:s:4' '*' foo bar >/dev/null
cli xadd 'patio:{default:default}:s:4' '*' h 'not a header' b x >/dev/null
cli xadd 'patio:{default:default}:s:4' '*' h '00112233445566778899aabbccddeeff 0 1 0 0 0 0 0 4 - - mul' b 'no envelope' >/dev/null
until_true "they are dead letters" sh -c "[ \$(redis-cli -p $port xlen 'patio:{default:default}:x') = $((before + 3)) ]"
call_is 42 "$url" mul 6 7
finish
