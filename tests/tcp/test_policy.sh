#!/usr/bin/env bash
# How a caller wants its task treated, at a worker in another process.
. "$(dirname "$0")/lib.sh"
. "$PATIO_SOURCE/tests/support/policy.sh"
has_transport tcp || skip "the tcp transport is not built"
worker w.log "unix+listen://$scratch/socket" "${policy_options[@]}"
check_policy "unix://$scratch/socket"
finish
