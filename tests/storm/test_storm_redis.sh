#!/usr/bin/env bash
# A short storm on a Redis that is killed once, then a rolling deploy.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1
LAST="scripts/storm-server"
"$PATIO_SOURCE/scripts/storm-server" redis --tasks 8000 --calls 800 --workers 4 --kill-every 400 --cut-every 900 \
    --during-after 1 --during-every 0 >report 2>&1 || complain "$(tail -20 report)"
grep -q ' 1 x command' report || complain "the server was not restarted" "$(tail -20 report)"
cat report
server deploy
LAST="scripts/rolling-deploy"
"$PATIO_SOURCE/scripts/rolling-deploy" "redis://127.0.0.1:$port" --tasks 3000 >report 2>&1 || complain "$(tail -20 report)"
cat report
finish
