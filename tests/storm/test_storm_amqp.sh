#!/usr/bin/env bash
# A short storm on RabbitMQ, then a rolling deploy.
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
"$PATIO_SOURCE/scripts/storm" "amqp://guest:guest@127.0.0.1:$port/?heartbeat_ms=1000" --tasks 8000 --calls 800 --workers 4 \
    --kill-every 500 --cut-every 1100 || exit 1
"$PATIO_SOURCE/scripts/rolling-deploy" "amqp://guest:guest@127.0.0.1:$port/" --tasks 3000
