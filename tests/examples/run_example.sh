#!/usr/bin/env bash
# run_example.sh PROGRAM EXPECTED: the program ends well, prints exactly what the file says, and nothing
# on standard error.
set -u
unset "${!PATIO_BROKER@}" PATIO_PROJECT PATIO_EXECUTOR PATIO_WORKERS PATIO_LOG_LEVEL PATIO_LOG_FORMAT \
      PATIO_PLUGIN_PATH PATIO_CONFIG
err=$(mktemp)
trap 'rm -f "$err"' EXIT
"$1" 2>"$err" | diff -u "$2" -
codes=("${PIPESTATUS[@]}")
cat "$err"
[ "${codes[*]}" = "0 0" ] && [ ! -s "$err" ]
