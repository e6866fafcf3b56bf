#!/usr/bin/env bash
# docs/redis.md is enough: redis-cli executes a task of a patio caller, and adds one for a patio worker.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1
server protocol
url="redis://127.0.0.1:$port"
T='patio:{default:default}'
settle=$(cat "$PATIO_SOURCE/transports/redis/scripts/lib.lua" "$PATIO_SOURCE/transports/redis/scripts/settle.lua" |
    redis-cli -p "$port" -x script load)

# The answer is a real one: a patio worker gave it to another call before.
worker real.log "$url" -m demo
"$PATIO" call -b "$url" mul 6 7 >first.out &
caller=$!
wait "$caller"
[ "$(<first.out)" = 42 ] || complain "no first answer"
kill "$worker"
wait "$worker"

# A call whose task redis-cli takes and retries: the header counts the attempt.
"$PATIO" call -b "$url" --timeout 60s mul 2 3 >second.out 2>second.err &
caller=$!
until_true "the call is in its stream" sh -c "[ \$(redis-cli -p $port xlen '$T:s:4') = 1 ]"
taken=$(cli --raw xreadgroup group w 00000000000000cc count 1 streams "$T:s:4" '>')
entry=$(sed -n 2p <<<"$taken")
header=$(sed -n 4p <<<"$taken")
case $header in
*" 5 1 0 0 0 "*" mul") ;;
*) complain "another header: $header" ;;
esac
answer=$(cli evalsha "$settle" 1 "$T" 00000000000000cc 10000 0 T 4 "$entry" 0 | wc -l)
[ "$answer" -ge 3 ] || complain "settle said: $answer"
again=$(cli --raw xrange "$T:s:4" - + | sed -n 3p)
case $again in
*" 5 2 0 0 1 "*" mul") ;;
*) complain "after a retry: $again" ;;
esac
# The same settlement once more is stale, and changes nothing.
cli evalsha "$settle" 1 "$T" 00000000000000cc 10000 0 A 4 "$entry" | tail -1 | grep -q 1 || complain "not stale"
worker real.log "$url" -m demo
wait "$caller"
[ "$(<second.out)" = 6 ] || complain "the call was not answered: $(<second.err)"
finish
