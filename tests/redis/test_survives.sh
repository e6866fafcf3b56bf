#!/usr/bin/env bash
# kill -9 of a server that writes each change to its disk, and again with what it had there.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1
. "$PATIO_SOURCE/tests/support/survives.sh"
module=(-m demo)
durable=(durable --appendonly yes --appendfsync always)
server "${durable[@]}"
kill_and_restart() {
    kill -9 "$server"
    wait "$server" 2>/dev/null
    port_wanted=$port server "${durable[@]}"
}
survives "redis://127.0.0.1:$port" results cancels
finish
