#!/bin/bash
# overflow.sh PROGRAM: a task beyond its stack is named, and the process ends by a signal (or by a
# sanitizer, which has its own way to end it).
program=$1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0

# expect CASE: runs it; the process must not end by itself with 0 to 3
expect() {
    "$program" "$1" >"$log" 2>&1
    status=$?
    case $status in
    0 | 2 | 3) echo "$1: ended with $status:"; cat "$log"; failed=1 ;;
    esac
}

for name in deep large; do
    expect $name
    grep -q "^patio: stack overflow in task $name: its stack has [0-9]* bytes" "$log" || {
        echo "$name: not named:"; cat "$log"; failed=1
    }
done
expect thread
! grep -q 'patio: stack overflow' "$log" || { echo 'thread: wrongly named:'; cat "$log"; failed=1; }
"$program" fine >"$log" 2>&1 || { echo 'fine: failed:'; cat "$log"; failed=1; }
exit $failed
