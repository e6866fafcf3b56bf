#!/usr/bin/env bash
# Calls within one process: results, task errors, and the exit codes they give.
. "$(dirname "$0")/lib.sh"

call mul 2 3 7
expect_code 0
expect_out 42
call sub -5 -7
expect_out 2
call sub 1.5 -1e0
expect_out 2.5
call div 1 3
expect_out 0.3333333333333333
call pow 2 63
expect_out 9223372036854775808
call mul
expect_out 1

call div 1 0
expect_code 3
expect_err_has 'patio: task "div" failed: ZeroDivision (1): division by zero'
call mul 18446744073709551615 2
expect_code 3
expect_err_has 'Overflow (2)'
call fail "disk on fire" --kw code=7 --kw type=Fire --kw 'details={"floor":[1,2]}'
expect_code 3
expect_err_has 'patio: task "fail" failed: Fire (7): disk on fire'
expect_err_has 'details: {"floor":[1,2]}'
expect_out ""
call mul two
expect_code 3
expect_err_has "mul"

# a window of the arguments' own needs no key
for command in call send; do
    run $command -b memory:// -m demo -o tasks.echo.dedup=args -o tasks.echo.dedup_window_ms=1h echo 1 --dedup-window 5s
    expect_code 0
done

# What a task says steers no terminal.
call fail $'\e[31mred\tand\a loud'
expect_code 3
expect_err_has $'?[31mred\tand? loud'

call sleep 30 --timeout 200ms
expect_code 4
call nosuch
expect_code 5
expect_err_has "--wait-route"
call nosuch --wait-route --timeout 200ms
expect_code 4

head -c 3000000 /dev/zero >big
call echo --stdin <big
expect_code 7
call retry 3
expect_code 0
expect_out 3

run send -b memory:// -m demo echo 1
expect_code 0
[[ $out =~ ^[0-9a-f]{32}$ ]] || complain "no id: $out"
expect_err_has "accepted, level 0: process"
run send -b memory:// -m demo echo 1 --json
expect_code 0
expect_out_has '"level": "process"'
expect_out_has '"duplicate": false'

# how it is to be treated
call retry 9 --kw after_ms=0 --max-attempts 3 --backoff fixed:1ms
expect_code 3
expect_err_has "attempt 3 of 9"
call retry 3 --kw after_ms=0 --backoff 1ms,2ms
expect_code 0
call retry 3 --backoff 1s,soon
expect_code 2
expect_err_has "1s,10s,5min"
call retry 3 --ack on_start
expect_code 3
expect_err_has "attempt 1 of 3"
call retry 3 --kw after_ms=0 --backoff exponential:1ms:5ms
expect_code 0
call sleep 30 --attempt-timeout 50ms --max-attempts 1
expect_code 3
call crash --max-crashes 1 -x process -j 1
expect_code 3
call echo 1 --level disk
expect_code 2
expect_err_has "level 2"
run send -b memory:// -m demo echo 1 --at 2001-01-01T00:00:00Z
expect_code 0

printf 'broker: memory://\nmodules: [demo]\nproject: fromfile\n' >patio.yaml
run call -f patio.yaml mul 6 7
expect_code 0
expect_out 42
run call -f patio.yaml -b nosuch://host mul 6 7
expect_code 2
PATIO_BROKER=memory:// run call -m demo mul 6 7
expect_code 0

"$PATIO" call -b memory:// -m demo echo x >/dev/full 2>"$scratch/err"
code=$? err=$(<"$scratch/err") LAST="echo x >/dev/full"
expect_code 1
expect_err_has "standard output"

finish
