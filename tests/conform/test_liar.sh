#!/usr/bin/env bash
# Every planted breach is found by the case that is there for it, and by PATIO_CHECK.
# In the environment: PATIO, LIAR (the plugin), PATIO_TEST_LIBDIR.
set -u
: "${PATIO:?} ${LIAR:?} ${PATIO_TEST_LIBDIR:?}"
wrong=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# conform LIE CASE CODE
conform() {
    "$PATIO" conform "$LIAR" --url "liar://hub?lie=$1" --only "$2" >"$out" 2>&1
    code=$?
    [ "$code" = "$3" ] || { echo "conform, lie=$1, case $2: exit code $code, expected $3"; cat "$out"; wrong=1; }
}
for pair in double_receipt:30 after_stop:13 stale_ok:94 credit:70 leak:13 silent_error:15 same_fence:91 no_receipt:212; do
    conform "${pair%:*}" "${pair#*:}" 1
    grep -q FAILED "$out" || { echo "lie ${pair%:*}: no FAILED in the report"; wrong=1; }
    conform none "${pair#*:}" 0
done

# checked LIE TEXT: one send with a worker in the same process
checked() {
    PATIO_PLUGIN_PATH=$(dirname "$(dirname "$LIAR")") PATIO_CHECK=1 \
        "$PATIO" send -b "liar://hub?lie=$1" -m "$PATIO_TEST_LIBDIR/tasks/demo.so" mul 6 7 >"$out" 2>&1
    if [ -n "$2" ]; then
        grep -q "PATIO_CHECK: .*$2" "$out" || { echo "PATIO_CHECK, lie=$1: \"$2\" is not said:"; cat "$out"; wrong=1; }
    elif grep -q PATIO_CHECK "$out"; then
        echo "PATIO_CHECK complains about what keeps the rules:"
        cat "$out"
        wrong=1
    fi
}
checked none ''
checked double_receipt 'told twice'
checked after_stop 'after "stop"'
exit $wrong
