#!/usr/bin/env bash
# A short storm on a RabbitMQ that is killed once, then a rolling deploy.
set -u
: "${PATIO_SOURCE:?}"
dir=$(mktemp -d)
rabbit=$PATIO_SOURCE/tests/support/rabbitmq.sh
trap 'bash "$rabbit" stop "$dir" >/dev/null 2>&1; rm -rf "$dir"' EXIT
bash "$rabbit" start "$dir" >"$dir.log" 2>&1 || { cat "$dir.log"; exit 1; }
rm -f "$dir.log"
# shellcheck disable=SC1091
. "$dir/env"
# shellcheck disable=SC2154
"$PATIO_SOURCE/scripts/storm" "amqp://guest:guest@127.0.0.1:$port/?heartbeat_ms=1000&reconnect_max_ms=1s" --tasks 8000 \
    --calls 800 --workers 4 --kill-every 500 --cut-every 1100 --during-after 1 \
    --during "bash '$rabbit' kill '$dir' && bash '$rabbit' again '$dir'" | tee "$dir/report"
[ "${PIPESTATUS[0]}" = 0 ] || exit 1
grep -q ' 1 x command' "$dir/report" || { echo "the server was not restarted"; exit 1; }
"$PATIO_SOURCE/scripts/rolling-deploy" "amqp://guest:guest@127.0.0.1:$port/" --tasks 3000
