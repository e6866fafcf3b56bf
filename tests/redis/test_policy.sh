#!/usr/bin/env bash
# How a caller wants its task treated, at a worker in another process.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1
. "$PATIO_SOURCE/tests/support/policy.sh"
server policy
worker w.log "redis://127.0.0.1:$port" -m demo "${policy_options[@]}"
check_policy "redis://127.0.0.1:$port"
finish
