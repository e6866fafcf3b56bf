#!/usr/bin/env bash
# What tests/conform/left_out says of this transport is so.
. "$(dirname "$0")/lib.sh"
shared_server
compare=$PATIO_SOURCE/tests/conform/compare.sh
LAST="patio conform"
"$PATIO" conform "$PATIO_AMQP_PLUGIN" --url "amqp://127.0.0.1:$port" \
    --only="$(bash "$compare" list amqp | tr '\n' ',' | sed 's/,$//')" >report 2>&1 || complain "$(<report)"
bash "$compare" report amqp report >different || complain "$(<different)"
finish
