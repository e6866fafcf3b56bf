#!/usr/bin/env bash
# How a caller wants its task treated, at a worker in another process.
. "$(dirname "$0")/lib.sh"
. "$PATIO_SOURCE/tests/support/policy.sh"
shared_server
export PATIO_PROJECT=policy
worker w.log "amqp://127.0.0.1:$port" "${policy_options[@]}"
check_policy "amqp://127.0.0.1:$port"
run purge -b "amqp://127.0.0.1:$port" default --yes
finish
