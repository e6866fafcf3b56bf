#!/usr/bin/env bash
# A short storm on Redis, then a rolling deploy.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1
server storm
LAST="scripts/storm"
"$PATIO_SOURCE/scripts/storm" "redis://127.0.0.1:$port?lease_ms=1000&dead_ms=3000" --tasks 8000 --calls 800 --workers 4 \
    --kill-every 400 --cut-every 900 >report 2>&1 || complain "$(tail -20 report)"
cat report
LAST="scripts/rolling-deploy"
"$PATIO_SOURCE/scripts/rolling-deploy" "redis://127.0.0.1:$port" --tasks 3000 >report 2>&1 || complain "$(tail -20 report)"
cat report
finish
