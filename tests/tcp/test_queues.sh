#!/usr/bin/env bash
# Weights and strict order of several queues, as on memory: the caller holds the tasks, the worker connects to it.
. "$(dirname "$0")/lib.sh"
PATIO_TEST_CALLER_URL=unix+listen://$scratch/caller PATIO_TEST_URL=unix://$scratch/caller "$QUEUES" >queues 2>&1 ||
    complain "$(<queues)"
finish
