#!/usr/bin/env bash
# The demo and the checksum job over redis: each line of the manifest is what sha256sum says.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1
: "${PATIO_CHECKSUM:?}"
server checksum
url=redis://127.0.0.1:$port
mkdir -p tree/deep
for n in $(seq 300); do echo "$n" >"tree/deep/$n"; done
head -c 3000000 /dev/urandom >tree/large
: >"tree/no bytes"

worker worker.log "$url" -p demo -m demo
run call -b "$url" -p demo mul 6 7
expect_code 0
expect_out 42
kill -TERM "$worker"
wait "$worker" || complain "the worker did not end well: $(tail -2 worker.log)"

LAST="patio-checksum --broker $url"
"$PATIO_CHECKSUM" --broker "$url" --workers 2 --manifest sums tree >out 2>&1 || complain "$(tail -5 out)"
[ "$(wc -l <sums)" = 302 ] || complain "$(wc -l <sums) lines"
sha256sum --check --strict --quiet sums || complain "sha256sum does not agree"
finish
