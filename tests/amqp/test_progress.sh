#!/usr/bin/env bash
# How far a task has come, seen by a caller in another process.
. "$(dirname "$0")/lib.sh"
shared_server
url=amqp://127.0.0.1:$port
worker w.log "$url" -p progress
run call -b "$url" -p progress --progress sleep 1.25
expect_code 0
expect_out 1.25
expect_err_has " of 1250) ms"
run call -b "$url" -p progress sleep 0.3
expect_code 0
case $err in *" of 300"*) complain "progress was shown without being asked for" "$err" ;; esac
finish
