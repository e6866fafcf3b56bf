#!/usr/bin/env bash
# The conformance kit. 198 takes ten seconds of waiting, and has its place in scripts/redis-long.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1
server conform
skip=198
# under the thread sanitizer these say something of the kit's own threads
! grep -q __tsan_init "$PATIO" || skip=42,196-198
LAST="patio conform"
"$PATIO" conform "$REDIS_PLUGIN" --url "redis://127.0.0.1:$port?lease_ms=1000&dead_ms=3000" --skip "$skip" -j 4 >report 2>&1 ||
    complain "$(grep -A3 FAILED report | head -40)" "$(tail -1 report)"
finish
