#!/usr/bin/env bash
# The conformance kit, without two cases that take all of the machine for half a minute each, and others'
# heartbeats with it: a life for each allocation that may fail (16), and a flood into stop (18). They have
# the machine to themselves in amqp_conform_alone.
. "$(dirname "$0")/lib.sh"
shared_server
LAST="patio conform"
"$PATIO" conform "$PATIO_AMQP_PLUGIN" --url "amqp://127.0.0.1:$port?heartbeat_ms=4s&reconnect_max_ms=300" \
    --skip=16,18 -j 4 >report 2>&1 || complain "$(grep -v ' passed ' report)"
# what it does not have it refuses by its name, and the kit has looked whether that is so
refused=$(awk '$2 == "refused" { print $NF }' report | tr -d '"]' | sort -u | tr '\n' ' ')
[ "$refused" = "dedup limits patio.peers/1 results routes started " ] || complain "refused: $refused"
finish
