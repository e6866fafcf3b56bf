#!/usr/bin/env bash
# Weights and strict order of several queues, as on memory.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1
server plain
PATIO_TEST_URL=redis://127.0.0.1:$port "$QUEUES" >queues 2>&1 || complain "$(<queues)"
finish
