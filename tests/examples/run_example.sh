#!/usr/bin/env bash
# run_example.sh PROGRAM EXPECTED: the program ends well, prints exactly what the file says, and on
# standard error nothing, or where there is a file EXPECTED.err only lines that one of its patterns fits,
# and at least one.
set -u
unset "${!PATIO_BROKER@}" PATIO_PROJECT PATIO_EXECUTOR PATIO_WORKERS PATIO_LOG_LEVEL PATIO_LOG_FORMAT \
      PATIO_PLUGIN_PATH PATIO_CONFIG
err=$(mktemp)
trap 'rm -f "$err"' EXIT
"$1" 2>"$err" | diff -u "$2" -
codes=("${PIPESTATUS[@]}")
cat "$err"
if [ -f "$2.err" ]; then
    grep -qE -f "$2.err" "$err" && ! grep -qvE -f "$2.err" "$err"
else
    [ ! -s "$err" ]
fi && [ "${codes[*]}" = "0 0" ]
