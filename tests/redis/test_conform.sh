#!/usr/bin/env bash
# The conformance kit, all of it.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1
server conform
LAST="patio conform"
"$PATIO" conform "$REDIS_PLUGIN" --url "redis://127.0.0.1:$port?lease_ms=1000&dead_ms=3000" -j 4 >report 2>&1 ||
    complain "$(grep -A3 FAILED report | head -40)" "$(tail -1 report)"
bash "$PATIO_SOURCE/tests/conform/compare.sh" report redis report >different || complain "$(<different)"
finish
