#!/usr/bin/env bash
# kill -9 of the broker, and again with what it had on its disk.
. "$(dirname "$0")/lib.sh"
. "$PATIO_SOURCE/tests/support/survives.sh"
own_server
module=()
kill_and_restart() {
    bash "$rabbit" kill "$own"
    bash "$rabbit" again "$own" || { complain "RabbitMQ did not come back"; finish; }
}
survives "amqp://127.0.0.1:$port"
finish
