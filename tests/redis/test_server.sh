#!/usr/bin/env bash
# States that a server of its own is brought into while a worker is connected: each has its name, and
# passes without a restart of the worker.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1
quick="enqueue_wait_ms=500&reconnect_max_ms=300&lease_ms=2000"

# Its last save failed, so it takes no writes.
server saves
url="redis://127.0.0.1:$port?$quick"
worker saves.log "$url" -m demo
call_is 42 "$url" mul 6 7
rmdir "$scratch/saves" || complain "its folder cannot be taken away"
cli config set save "3600 1" >/dev/null
cli bgsave >/dev/null
until_true "the save fails" sh -c "redis-cli -p $port info persistence | grep -q last_bgsave_status:err"
run send -b "$url" mul 6 7
expect_err_has MISCONF
expect_err_has BLOCKED
until_true "the worker says so" grep -q MISCONF saves.log
cli config set stop-writes-on-bgsave-error no >/dev/null
call_is 42 "$url" mul 6 7
kill "$worker"
wait "$worker"

# It reads its data for a long time after a restart.
server loads
url="redis://127.0.0.1:$port?$quick"
worker loading.log "$url" -m demo
cli config set rdbcompression no >/dev/null # what it reads is what it counts: it answers each 2 MiB
cli debug populate 300 key 200000 >/dev/null
cli save >/dev/null
kill -9 "$server"
wait "$server" 2>/dev/null
port_wanted=$port server loads --key-load-delay 100000
[[ $(cli ping) = LOADING* ]] || complain "it is not loading: $(cli ping)"
# the worker has said that the connection ended; the reason is another one now
until_true "the worker says what it waits for" grep -q 'is connecting: .*LOADING' loading.log
run send -b "$url" mul 6 7
expect_err_has LOADING
cli config set key-load-delay 0 >/dev/null
until_true "it has loaded" sh -c "redis-cli -p $port ping | grep -q PONG"
[ "$(cli exists key:299)" = 1 ] || complain "its data is not there"
call_is 42 "$url" mul 6 7

# A replica whose master is gone, and which then becomes master.
cli config set replica-serve-stale-data no >/dev/null
cli replicaof 127.0.0.1 1 >/dev/null
run send -b "$url" mul 6 7
expect_err_has READONLY
cli replicaof no one >/dev/null
call_is 42 "$url" mul 6 7
kill "$worker"
wait "$worker"

# The user of a worker that runs loses its rights, then is removed, and comes back.
server rights
cli acl setuser patio on '>secret' '~patio:*' '+@all' '-@dangerous' '+info' >/dev/null
url="redis://patio:secret@127.0.0.1:$port?$quick"
worker rights.log "$url" -m demo
call_is 42 "$url" mul 6 7
cli acl setuser patio '-@all' >/dev/null
until_true "the worker says so" grep -q 'NOPERM' rights.log
cli acl setuser patio '+@all' '-@dangerous' '+info' >/dev/null
call_is 42 "$url" --wait-route --timeout 30s mul 6 7
cli acl deluser patio >/dev/null
until_true "the worker says so" grep -qE 'WRONGPASS|AUTH was refused' rights.log
cli acl setuser patio on '>secret' '~patio:*' '+@all' '-@dangerous' '+info' >/dev/null
call_is 42 "$url" --wait-route --timeout 30s mul 6 7
kill -0 "$worker" || complain "the worker has ended" "$(tail -3 rights.log)"
! grep -q secret rights.log || complain "a password was printed"
kill "$worker"
wait "$worker"

# The doctor names what a user may not do, and a task that is refused for it says so.
run doctor "$url"
expect_code 0
expect_out_has "every command of the scripts is allowed"
[ -z "$(cli --raw keys '*:probe')" ] || complain "the doctor has left something"
# those that the page lists are all of them
listed=$(sed -n 's/.*one by one: `\([^`]*\)`.*/\1/p' "$PATIO_SOURCE/docs/redis.md")
# shellcheck disable=SC2046,SC2086 # words
cli acl setuser patio -@all $(printf '+%s ' $listed) >/dev/null
run doctor "$url"
expect_code 0
expect_out_has "every command of the scripts is allowed"
cli acl setuser patio +@all -@dangerous +info >/dev/null
cli acl setuser patio -xadd -zadd -hmget >/dev/null
run send -b "$url" mul 6 7
expect_err_has "patio doctor"
expect_err_has "(AUTH)"
run doctor "$url"
expect_code 1
expect_out_has "the scripts may not run xadd zadd hmget"
expect_out_has "ACL SETUSER patio +xadd +zadd +hmget"
cli acl setuser patio '+@all' '-@dangerous' '+info' '-script' >/dev/null
run doctor "$url"
expect_code 1
expect_out_has "error  connection: 127.0.0.1:$port: script enqueue was refused"

# It examines a server that patio does not work with.
url="redis://127.0.0.1:$port"
cli config set maxmemory-policy allkeys-lru >/dev/null
run doctor "$url"
expect_code 1
expect_out_has "error  maxmemory-policy: 127.0.0.1:$port: allkeys-lru"
expect_out_has "set it to noeviction"
cli config set maxmemory-policy noeviction >/dev/null
cli replicaof 127.0.0.1 1 >/dev/null
run doctor "$url"
expect_code 1
expect_out_has "error  role: 127.0.0.1:$port: a replica"
run ping -b "$url"
expect_err_has "READONLY"
[[ $err != *"is the URL right"* ]] || complain "the hint is wrong: $err"
cli replicaof no one >/dev/null
finish
