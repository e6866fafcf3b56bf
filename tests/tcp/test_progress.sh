#!/usr/bin/env bash
# How far a task has come, seen by a caller in another process.
. "$(dirname "$0")/lib.sh"
has_transport tcp || skip "the tcp transport is not built"

worker w.log "unix+listen://$scratch/socket"
run call -b "unix://$scratch/socket" --progress sleep 1.25
expect_code 0
expect_out 1.25
expect_err_has " of 1250) ms"
[ "$(grep -c ' of 1250) ms' <<<"$err")" -ge 2 ] || complain "one report is not progress" "$err"
[ "$(grep -c ' of 1250) ms' <<<"$err")" -le 15 ] || complain "reports are not paced" "$err"
run call -b "unix://$scratch/socket" sleep 0.3
expect_code 0
case $err in *" of 300"*) complain "progress was shown without being asked for" "$err" ;; esac
finish
