#!/usr/bin/env bash
# The cases of the conformance kit that test_conform.sh leaves out.
. "$(dirname "$0")/lib.sh"
shared_server
LAST="patio conform"
"$PATIO" conform "$PATIO_AMQP_PLUGIN" --url "amqp://127.0.0.1:$port?heartbeat_ms=4s&reconnect_max_ms=300" \
    --only=16,18 -j 1 >report 2>&1 || complain "$(grep -v ' passed ' report)"
finish
