#!/usr/bin/env bash
# Weights and strict order of several queues, as on memory. The other tests of that program say how many tasks a
# worker holds in the moment in which its credit changes: on RabbitMQ these may be more (docs/delivery.md, rule 11).
. "$(dirname "$0")/lib.sh"
shared_server
for tests in "busy*" "weights*" "an_idle*" "a_queue_gets*" "in_strict*" "only_named*"; do
    LAST="TEST_FILTER=$tests"
    TEST_FILTER=$tests PATIO_TEST_URL=amqp://127.0.0.1:$port "$QUEUES" >queues 2>&1 || complain "$(<queues)"
    grep -q "PASSED.*[1-9] test" queues || complain "no such test: $(<queues)"
done
finish
