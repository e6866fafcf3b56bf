#!/usr/bin/env bash
# The path for servers before 7.0, on whatever server is here. A user who may not ask for INFO gets it,
# for the version is not known then: scripts without flags. And all commands that came after 6.2 are taken
# from that user. What this cannot show is an older server's own wording of errors inside of scripts.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1
[ "$server_version" -ge 70000 ] || skip "this server is an older one; every test runs on that path"
server older
newer=$(redis-cli -p "$port" --json command docs |
    jq -r 'to_entries[] | select((.value.since | split(".") | map(tonumber)) >= [6, 3]) | "-" + .key')
case $newer in *-function*) ;; *) complain "which commands are new is not known" "$newer" ;; esac
# shellcheck disable=SC2086 # one word each
cli acl setuser old on '>secret' '~patio:*' '+@all' '-@dangerous' $newer >/dev/null
url="redis://old:secret@127.0.0.1:$port"

LAST="patio conform"
"$PATIO" conform "$REDIS_PLUGIN" --url "$url?lease_ms=1000&dead_ms=3000" -j 4 >report 2>&1 ||
    complain "$(grep -A3 FAILED report | head -40)" "$(tail -1 report)"
folder=$PATIO_SOURCE/transports/redis/scripts
plain=$(cat "$folder/lib.lua" "$folder/settle.lua" | sha1sum | cut -d' ' -f1)
[ "$(cli script exists "$plain")" = 1 ] || complain "the scripts had flags: it was not the older path"

# Short of memory: what ends tasks passes all the same, for its first write is one that is allowed.
url="$url?enqueue_wait_ms=500&reconnect_max_ms=300&lease_ms=2000"
worker older.log "$url" -m demo
run send -b "$url" sleep 1
until_true "it runs" sh -c "[ \$(redis-cli -p $port xlen 'patio:{default:default}:s:4') = 1 ]"
cli config set maxmemory 1 >/dev/null
run send -b "$url" mul 6 7
[ "$code" != 0 ] || complain "a task was taken by a server without memory"
expect_err_has OOM
until_true "the running task ends" sh -c "[ \$(redis-cli -p $port xlen 'patio:{default:default}:s:4') = 0 ]"
cli config set maxmemory 0 >/dev/null
call_is 42 "$url" mul 6 7
finish
