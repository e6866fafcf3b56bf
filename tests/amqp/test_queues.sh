#!/usr/bin/env bash
# Several queues of one worker, and what it fetched ahead, as on memory.
. "$(dirname "$0")/lib.sh"
shared_server
PATIO_TEST_URL=amqp://127.0.0.1:$port "$QUEUES" >queues 2>&1 || complain "$(<queues)"
grep -q "PASSED.*[1-9] test" queues || complain "no tests: $(<queues)"
finish
